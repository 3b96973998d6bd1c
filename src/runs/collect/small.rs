//! Licences and devices.

use super::list;
use super::lost_permission::{self, Reading};
use super::reader::{Read, Reader};
use crate::directory::ObjectType;
use crate::runs::stop::Stop;

/// Licences and devices, of devices the first `devices_most`.
pub(super) async fn read_small(reader: &Reader<'_>, read: &mut Read, devices_most: Option<u32>) -> Result<(), Stop> {
    for object_type in [ObjectType::Licenses, ObjectType::Devices] {
        if !reader.run.job.mapping.is_enabled(object_type) {
            continue;
        }
        let reading = async {
            match devices_most.filter(|_| object_type == ObjectType::Devices) {
                Some(most) => list::read_first(reader, object_type, most).await.map(drop),
                None => list::read(reader, object_type).await,
            }
        };
        match lost_permission::unless_refused(reader, object_type, Box::pin(reading)).await? {
            Reading::Whole(()) => read.types.push(object_type),
            Reading::Frozen(frozen) => read.frozen.push(frozen),
        }
    }
    Ok(())
}
