//! Conditions of a filter about values that Graph never returns, such as the number of a group's owners. If objects were read
//! without the condition, Graph is asked which of them fulfil it.

use super::fetch::get_many_with;
use super::object::ids_of;
use super::pages::whole_of;
use super::read_error::{ReadError, Result};
use super::read_plan::entity;
use super::reader::Reader;
use super::request::{Request, Target};
use crate::directory::ObjectType;
use crate::filter::Parsed;
use crate::graph::{IDS_IN_A_QUERY, RequestOptions, ids_filter};
use std::collections::HashSet;
use uuid::Uuid;

/// Those of these objects that fulfil the filter's condition on their type; `None`: what was read of them decides.
pub(super) async fn fulfilling(
    reader: &Reader<'_>,
    object_type: ObjectType,
    ids: &[Uuid],
) -> Result<Option<HashSet<Uuid>>> {
    let rule = entity(object_type).and_then(|kind| reader.run.job.filter.rule(kind)).map(|rule| &rule.parsed);
    let Some(rule) = rule.filter(|rule| rule.only_graph_decides()) else { return Ok(None) };
    let (run, is_advanced) = (reader.run, reader.dialect.is_advanced(&reader.run.job, object_type));
    let first = ask(reader, object_type, rule, ids).await;
    if let Err(ReadError::Graph(error)) = &first
        && !is_advanced
        && reader.dialect.learns_advanced(&reader.session, &run.progress, &run.job, object_type, error).await?
    {
        return ask(reader, object_type, rule, ids).await.map(Some);
    }
    first.map(Some)
}

async fn ask(reader: &Reader<'_>, object_type: ObjectType, rule: &Parsed, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let advanced = reader.dialect.is_advanced(&reader.run.job, object_type);
    let url = |ids: &[Uuid], condition: &str| {
        let filter = Some(format!("{} and ({condition})", ids_filter(ids)));
        let request = Request::fixed(Target::Objects(object_type), &["id"]);
        Request { filter, advanced, ..request }.url(&reader.session)
    };
    let parts = ids.chunks(IDS_IN_A_QUERY).flat_map(|ids| rule.requests().iter().map(move |text| (ids, text)));
    let urls = parts.map(|(ids, text)| url(ids, text)).collect();
    let options = RequestOptions { advanced, ..RequestOptions::default() };
    let mut found = HashSet::new();
    for answer in get_many_with(reader, urls, &options).await? {
        found.extend(whole_of(reader, answer?.body, object_type.as_str(), ids_of).await?);
    }
    Ok(found)
}
