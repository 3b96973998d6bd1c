//! The types that are one list without memberships: licences and devices.

use super::list;
use super::lost_permission::{self, Reading};
use super::read_error::Result;
use super::reader::{Read, Reader};
use crate::directory::ObjectType;

/// Reads them, of devices the first `max_devices`.
pub(super) async fn read_small(reader: &Reader<'_>, read: &mut Read, max_devices: Option<u32>) -> Result<()> {
    for object_type in ObjectType::ALL {
        let is_flat = match object_type {
            ObjectType::Licenses | ObjectType::Devices => true,
            ObjectType::Users | ObjectType::Groups => false,
        };
        if !is_flat || !reader.run.job.mapping.is_enabled(object_type) {
            continue;
        }
        let reading = async {
            match max_devices.filter(|_| object_type == ObjectType::Devices) {
                Some(most) => list::read_first(reader, object_type, most).await.map(drop),
                None => list::read(reader, object_type).await,
            }
        };
        match lost_permission::unless_refused(reader, object_type, Box::pin(reading)).await? {
            Reading::Whole(()) => read.types.push(object_type),
            Reading::Lost(lost) => read.lost.push(lost),
        }
    }
    Ok(())
}
