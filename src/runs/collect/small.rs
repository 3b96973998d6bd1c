//! The types that are one list, and what belongs to their objects: all types but users and groups. Every run reads them whole,
//! an incremental one too.

use super::lost_permission::{self, Reading};
use super::read_error::Result;
use super::reader::{Read, Reader};
use super::{list, relations};
use crate::directory::{Item, ObjectType};

/// The types that are read so. The values of users are made of what was read.
pub(super) fn small_types() -> impl Iterator<Item = ObjectType> {
    let is_read = |of: &ObjectType| !matches!(of.spec().collection.item, Item::Values);
    let types = ObjectType::ALL.into_iter().filter(is_read);
    types.filter(|object_type| !matches!(object_type, ObjectType::Users | ObjectType::Groups))
}

/// Reads them; of those whose list has pages, the first `most` objects.
pub(super) async fn read_small(reader: &Reader<'_>, read: &mut Read, most: Option<u32>) -> Result<()> {
    for object_type in small_types().filter(|object_type| reader.run.job.mapping.is_enabled(*object_type)) {
        let reading = async {
            match most.filter(|_| object_type.spec().collection.page.is_some()) {
                Some(most) => list::read_first(reader, object_type, most).await.map(drop)?,
                None => list::read(reader, object_type).await?,
            }
            relations::complete(reader, object_type).await
        };
        match lost_permission::unless_refused(reader, object_type, Box::pin(reading)).await? {
            Reading::Whole(()) => read.types.push(object_type),
            Reading::Lost(lost) => read.lost.push(lost),
        }
    }
    Ok(())
}
