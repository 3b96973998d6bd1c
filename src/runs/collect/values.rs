//! The values of users as objects: made of the users of a complete read, in the transaction that completes it. A value is
//! kept, compared, delivered and missed like an object that Graph lists. Memory holds the distinct values.

use crate::db::Transaction;
use crate::db::mirror::{self, Moved, StagedObject, StoredAs, read};
use crate::directory::{ObjectType, Properties, UserValues};
use crate::error::{Error, Result};
use crate::runs::run::Run;
use futures_util::StreamExt;

/// The types that are made of users, if these were read to their end.
pub(super) fn types(run: &Run, read: &[ObjectType]) -> Vec<ObjectType> {
    match read.contains(&ObjectType::Users) {
        true => run.job.enabled_types().filter(|object_type| UserValues::of(*object_type).is_some()).collect(),
        false => Vec::new(),
    }
}

/// Makes the objects of these types of the users that the comparison will see: those of the mirror, which has been
/// completed before, or those that a test or dry run staged. Returns what differs in the mirror.
pub(super) async fn derive(tx: &mut Transaction, run: &Run, types: &[ObjectType], promote: bool) -> Result<Vec<Moved>> {
    let mut all: Vec<UserValues> = types.iter().copied().filter_map(UserValues::of).collect();
    let mut moved = Vec::new();
    if all.is_empty() {
        return Ok(moved);
    }
    {
        let mut users = std::pin::pin!(
            read::data(tx, run.job.organization, run.source(), StoredAs::Object(ObjectType::Users)).await?
        );
        while let Some(row) = users.next().await {
            let user: Properties = serde_json::from_str(&row?.data).map_err(Error::internal)?;
            all.iter_mut().for_each(|values| values.add(&user));
        }
    }
    for values in all {
        let object_type = values.object_type;
        let objects = values.into_objects().map(|(id, value)| StagedObject::new(object_type, id, value)).collect();
        let job = promote.then_some(run.job.id);
        moved.extend(mirror::replace_derived(tx, &run.lease, job, object_type, objects).await?);
    }
    Ok(moved)
}
