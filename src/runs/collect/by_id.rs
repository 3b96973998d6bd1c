//! Reading objects by their ids: those that come into scope between two full reads, or were missing from a list.

use super::fetch::{REQUESTS_AT_ONCE, fetch};
use super::managers;
use super::object::{gone, is_admitted, staged};
use super::parts;
use super::read_error::Result;
use super::reader::Reader;
use crate::db::mirror::{Batch, StagedObject};
use crate::directory::ObjectType;
use crate::graph::IDS_IN_A_QUERY;
use crate::run_state::ChangeReason;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::HashSet;
use uuid::Uuid;

/// What happens to objects that are gone, or that the filter does not admit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Forget,
    /// They are marked as gone, with the reason.
    Mark,
}

/// What became of objects that were asked for.
#[derive(Default)]
pub(super) struct Staged {
    pub in_scope: Vec<Uuid>,
    pub not_found: Vec<Uuid>,
}

/// Reads objects and stages those that the filter takes.
pub(super) async fn stage(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid], others: Unfit) -> Result<Staged> {
    let parts: Vec<Vec<Uuid>> = ids.chunks(IDS_IN_A_QUERY).map(<[Uuid]>::to_vec).collect();
    stream::iter(parts)
        .map(|ids| async move { stage_part(reader, object_type, &ids, others).await })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_fold(Staged::default(), |mut all, part| {
            all.in_scope.extend(part.in_scope);
            all.not_found.extend(part.not_found);
            std::future::ready(Ok(all))
        })
        .await
}

async fn stage_part(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid], others: Unfit) -> Result<Staged> {
    let mut found = fetch(reader, object_type, ids).await?;
    if object_type == ObjectType::Users {
        managers::add(reader, &mut found).await?;
    }
    // What is kept of an item whose list cannot be read is kept here too.
    let kept = parts::complete(reader, object_type, &mut found).await?;
    let mut batch = Batch::default();
    let (mut in_scope, mut out_of_scope) = (Vec::new(), HashSet::new());
    for object in found {
        let is_admitted = is_admitted(reader, object_type, &object)?;
        // An object may hold others than those that were asked for.
        for row in staged(object_type, &object)?.into_iter().filter(|row| ids.contains(&row.id)) {
            if is_admitted {
                in_scope.push(row.id);
                batch.objects.push(row);
            } else {
                out_of_scope.insert(row.id);
            }
        }
    }
    let kept: Vec<StagedObject> = kept.into_iter().filter(|row| ids.contains(&row.id)).collect();
    in_scope.extend(kept.iter().map(|row| row.id));
    batch.objects.extend(kept);
    let is_found = |id: &&Uuid| in_scope.contains(id) || out_of_scope.contains(id);
    let not_found = ids.iter().filter(|id| !is_found(id)).copied().collect();
    if others == Unfit::Mark {
        batch.objects.extend(ids.iter().filter(|id| !in_scope.contains(id)).map(|id| {
            let is_there = out_of_scope.contains(id);
            gone(object_type, *id, if is_there { ChangeReason::OutOfScope } else { ChangeReason::Deleted })
        }));
    }
    reader.staging.write(batch).await?;
    Ok(Staged { in_scope, not_found })
}
