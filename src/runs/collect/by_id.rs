//! Reading objects by their ids: who comes into scope between two full reads.

use super::Reader;
use super::list::{Failure, after};
use super::object::{parse, unreadable};
use super::query::{Query, by_ids, url_of_one};
use super::refused::get_many;
use crate::directory::ObjectType;
use crate::graph::Pager;
use crate::graph::error::Kind;
use crate::graph::wire::{Items, Properties, properties};
use crate::runs::stop::Stop;
use uuid::Uuid;

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
