//! Reading objects by their ids: who comes into scope between two full reads, or was not in a list.

use super::anew::{Failure, after};
use super::incremental::gone;
use super::object::{is_admitted, parse, staged, unreadable};
use super::query::{Query, by_ids, url_of_one};
use super::refused::get_many;
use super::{Reader, managers};
use crate::db::mirror::Batch;
use crate::directory::ObjectType;
use crate::graph::error::Kind;
use crate::graph::wire::{Items, Properties, properties};
use crate::graph::{IDS_IN_A_QUERY, Pager};
use crate::run_state::ChangeReason;
use crate::runs::stop::Stop;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::HashSet;
use uuid::Uuid;

/// Requests under way at once; the limiter decides how many really are.
pub(super) const REQUESTS_AT_ONCE: usize = 32;

/// What is done about objects that are gone, or that the filter does not take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
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
pub(super) async fn stage(
    reader: &Reader<'_>,
    object_type: ObjectType,
    ids: &[Uuid],
    others: Others,
) -> Result<Staged, Stop> {
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

async fn stage_part(
    reader: &Reader<'_>,
    object_type: ObjectType,
    ids: &[Uuid],
    others: Others,
) -> Result<Staged, Stop> {
    let mut found = fetch(reader, object_type, ids).await?;
    if object_type == ObjectType::Users {
        managers::add(reader, &mut found).await?;
    }
    let mut batch = Batch::default();
    let (mut in_scope, mut out_of_scope) = (Vec::new(), HashSet::new());
    for object in found {
        if is_admitted(reader, object_type, &object)? {
            in_scope.extend(object.uuid());
            batch.objects.extend(staged(object_type, &object)?);
        } else {
            out_of_scope.extend(object.uuid());
        }
    }
    let is_found = |id: &&Uuid| in_scope.contains(id) || out_of_scope.contains(id);
    let not_found = ids.iter().filter(|id| !is_found(id)).copied().collect();
    if others == Others::Mark {
        batch.objects.extend(ids.iter().filter(|id| !in_scope.contains(id)).map(|id| {
            let is_there = out_of_scope.contains(id);
            gone(object_type, *id, if is_there { ChangeReason::OutOfScope } else { ChangeReason::Deleted })
        }));
    }
    reader.writer.write(batch).await?;
    Ok(Staged { in_scope, not_found })
}

/// Objects by their ids, as many as one query may name, with the relations that a list has too. Those that are
/// gone are left out.
pub(super) async fn fetch(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Result<Vec<Properties>, Stop> {
    let mut query = by_ids(reader, object_type, ids);
    for restarts in 0.. {
        let error = match read_all(reader, &query).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let is_refused = error.refuses_optional();
        query = match after(reader, query, Failure::Graph(error), restarts).await {
            Ok(query) => query,
            Err(Stop::Failed(_)) if is_refused => return fetch_each(reader, object_type, ids).await,
            Err(stop) => return Err(stop),
        };
    }
    Ok(Vec::new())
}

async fn read_all(reader: &Reader<'_>, query: &Query) -> crate::graph::error::Result<Vec<Properties>> {
    let mut pager: Pager<Items> = reader.session.pages(reader.session.url(&query.path()), query.options());
    let mut found = Vec::new();
    while let Some(page) = pager.next().await? {
        for item in page.content.iter() {
            found.push(properties(item).map_err(|e| unreadable(&e))?);
        }
    }
    reader.run.journal.used(reader.session.usage());
    Ok(found)
}

/// For a server that does not know `in`.
async fn fetch_each(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Result<Vec<Properties>, Stop> {
    let urls = ids.iter().map(|id| url_of_one(reader, object_type, *id)).collect();
    let mut found = Vec::new();
    for answer in get_many(reader, urls).await? {
        match answer {
            Ok(item) => found.push(parse(&item.body)?),
            Err(error) if matches!(error.kind, Kind::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}
