//! Reading objects by their ids: those that come into scope between two full reads, or were missing from a list.

use super::answers::Question;
use super::fetch::{REQUESTS_AT_ONCE, fetch_held};
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
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// What happens to objects that are gone, or that the filter does not admit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Forget,
    /// They are marked as gone, with the reason.
    Mark,
}

impl Unfit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Forget => "forget",
            Self::Mark => "mark",
        }
    }
}

/// What became of an object that was asked for. Of several answers the last of these counts: who was not there yet may have
/// been asked for once more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Became {
    NotFound,
    /// It is there, and the filter does not take it.
    Unfit,
    InScope,
}

/// What became of objects that were asked for. Ascending.
#[derive(Default)]
pub(super) struct Staged {
    pub in_scope: Vec<Uuid>,
    pub not_found: Vec<Uuid>,
}

impl Staged {
    fn of(told: BTreeMap<Uuid, Became>) -> Self {
        let those =
            |became: Became| told.iter().filter(|(_, is)| **is == became).map(|(id, _)| *id).collect::<Vec<Uuid>>();
        Self { in_scope: those(Became::InScope), not_found: those(Became::NotFound) }
    }
}

/// Reads objects and stages those that the filter takes. What an earlier attempt read is not asked for again.
pub(super) async fn stage(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid], others: Unfit) -> Result<Staged> {
    let mut told = reader.told(object_type.as_str(), others.as_str(), ids).await?;
    let open: Vec<Uuid> = ids.iter().filter(|id| !told.contains_key(id)).copied().collect();
    let parts: Vec<Vec<Uuid>> = open.chunks(IDS_IN_A_QUERY).map(<[Uuid]>::to_vec).collect();
    let mut parts = stream::iter(parts)
        .map(|ids| async move { stage_part(reader, object_type, &ids, others).await })
        .buffer_unordered(REQUESTS_AT_ONCE);
    while let Some(part) = parts.try_next().await? {
        told.extend(part);
    }
    Ok(Staged::of(told))
}

async fn stage_part(
    reader: &Reader<'_>,
    object_type: ObjectType,
    ids: &[Uuid],
    others: Unfit,
) -> Result<BTreeMap<Uuid, Became>> {
    let (mut found, mut request) = fetch_held(reader, object_type, ids).await?;
    if object_type == ObjectType::Users && managers::are_one_by_one(reader) {
        // What needs further requests must not hold one.
        request = None;
        managers::add(reader, &mut found).await?;
    }
    if found.iter().any(|object| parts::is_partial(object_type, object)) {
        request = None;
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
    let became = |id: &Uuid| match (in_scope.contains(id), out_of_scope.contains(id)) {
        (true, _) => Became::InScope,
        (false, true) => Became::Unfit,
        (false, false) => Became::NotFound,
    };
    let told: BTreeMap<Uuid, Became> = ids.iter().map(|id| (*id, became(id))).collect();
    if others == Unfit::Mark {
        batch.objects.extend(ids.iter().filter(|id| !in_scope.contains(id)).map(|id| {
            let is_there = out_of_scope.contains(id);
            gone(object_type, *id, if is_there { ChangeReason::OutOfScope } else { ChangeReason::Deleted })
        }));
    }
    batch.cursors.push(Question::told(object_type.as_str(), others.as_str(), &told)?);
    reader.staging.write_page(batch, request).await?;
    Ok(told)
}
