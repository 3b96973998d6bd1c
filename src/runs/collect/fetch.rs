//! Reading single objects by their ids, and many small things in batches.

use super::answers::Question;
use super::dialect::Feature;
use super::object::{parse, unreadable};
use super::pages::whole;
use super::read_error::{ReadError, Result};
use super::reader::Reader;
use crate::db::mirror::{Batch, SINGLE};
use crate::directory::{ById, ObjectType, Properties as Map};
use crate::graph::batch::{BatchItem, MAX_ITEMS};
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::limiter::Permit;
use crate::graph::wire::{Items, Properties, properties};
use crate::graph::{RequestOptions, Session};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use std::collections::BTreeSet;
use url::Url;
use uuid::Uuid;

/// Requests in flight at once; the limiter decides how many really are.
pub(super) const REQUESTS_AT_ONCE: usize = 32;
/// The same for batches.
const BATCHES_AT_ONCE: usize = 16;

/// Objects by their ids, as many as one query may name, with the relations that a list has too. Those that are gone are
/// left out.
pub(super) async fn fetch(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Result<Vec<Properties>> {
    fetch_held(reader, object_type, ids).await.map(|(found, _)| found)
}

/// The same, with the place among the requests in flight, to be held until what was found is stored.
pub(super) async fn fetch_held(
    reader: &Reader<'_>,
    object_type: ObjectType,
    ids: &[Uuid],
) -> Result<(Vec<Properties>, Option<Permit>)> {
    let found = match object_type.spec().collection.by_id {
        ById::Filter => return fetch_together(reader, object_type, ids).await,
        ById::OneByOne(property) => fetch_known(reader, object_type, property, ids).await?,
        ById::Never => Vec::new(),
    };
    Ok((found, None))
}

async fn fetch_together(
    reader: &Reader<'_>,
    object_type: ObjectType,
    ids: &[Uuid],
) -> Result<(Vec<Properties>, Option<Permit>)> {
    let request = reader.dialect.by_ids(&reader.run.job, object_type, ids);
    let each = |items: &Items, found: &mut Vec<Properties>| -> Result<()> {
        for item in items.iter() {
            found.push(properties(item).map_err(|e| unreadable(&e))?);
        }
        Ok(())
    };
    match whole(reader, request, object_type.as_str(), each).await {
        Err(ReadError::Graph(error)) if error.refuses_optional() => {
            Ok((fetch_each(reader, object_type, ids).await?, None))
        }
        found => found,
    }
}

/// For a server that does not know `in`.
async fn fetch_each(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Result<Vec<Properties>> {
    let path = |id: &Uuid| reader.dialect.path_of_one(&reader.run.job, object_type, *id);
    let urls = ids.iter().map(|id| reader.session.url(&path(id))).collect();
    let mut found = Vec::new();
    for answer in get_many(reader, urls).await? {
        match answer {
            Ok(item) => found.push(parse(&item.body)?),
            Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Objects that the mirror has, by the property that names them below their list: the ids of licences in Graph have two
/// parts, and a part of an object is found in the object.
async fn fetch_known(
    reader: &Reader<'_>,
    object_type: ObjectType,
    property: &str,
    ids: &[Uuid],
) -> Result<Vec<Properties>> {
    let known = reader.mirror.objects(object_type, ids.to_vec()).await?;
    let maps = known.values().filter_map(|data| serde_json::from_str::<Map>(data).ok());
    let names: BTreeSet<String> =
        maps.filter_map(|map| map.get(property).and_then(Value::as_str).map(str::to_owned)).collect();
    let path = |name: &String| reader.dialect.path_of_one(&reader.run.job, object_type, name);
    let urls = names.iter().map(|name| reader.session.url(&path(name))).collect();
    let mut found = Vec::new();
    for answer in get_many(reader, urls).await? {
        match answer {
            Ok(item) => found.push(parse(&item.body)?),
            Err(error) if error.refuses_optional() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The answers to many small GETs in the order of `urls`: in batches, or one by one where the server takes none.
pub(super) async fn get_many(
    reader: &Reader<'_>,
    urls: Vec<Url>,
) -> Result<Vec<crate::graph::error::Result<BatchItem>>> {
    get_many_with(reader, urls, &RequestOptions::default()).await
}

/// The same with options.
pub(super) async fn get_many_with(
    reader: &Reader<'_>,
    urls: Vec<Url>,
    options: &RequestOptions,
) -> Result<Vec<crate::graph::error::Result<BatchItem>>> {
    let mut answers = Vec::with_capacity(urls.len());
    let parts: Vec<Vec<Url>> = urls.chunks(MAX_ITEMS).map(<[Url]>::to_vec).collect();
    let mut parts = stream::iter(parts).map(|urls| many(reader, urls, options)).buffered(BATCHES_AT_ONCE);
    while let Some(part) = parts.next().await {
        answers.extend(part?.0);
        reader.report_usage();
    }
    Ok(answers)
}

/// As [`get_many`], of which an attempt after a crash asks nothing again. Only what is not there is an error that counts as an
/// answer.
pub(super) async fn get_many_once(
    reader: &Reader<'_>,
    urls: Vec<Url>,
) -> Result<Vec<crate::graph::error::Result<BatchItem>>> {
    let parts: Vec<Vec<Url>> = urls.chunks(MAX_ITEMS).map(<[Url]>::to_vec).collect();
    let mut parts = stream::iter(parts).map(|urls| many_once(reader, urls)).buffered(BATCHES_AT_ONCE);
    let mut answers = Vec::with_capacity(urls.len());
    while let Some(part) = parts.next().await {
        answers.extend(part?);
        reader.report_usage();
    }
    Ok(answers)
}

async fn many_once(reader: &Reader<'_>, urls: Vec<Url>) -> Result<Vec<crate::graph::error::Result<BatchItem>>> {
    let question = Question::new(SINGLE, "get", urls.iter().map(|url| url.as_str().as_bytes()));
    if let Some(known) = reader.answer::<Vec<Option<(u16, String)>>>(&question).await? {
        let not_found = || GraphError::new(GraphErrorKind::NotFound, "it was not found before".to_owned());
        let item = |known: Option<(u16, String)>| known.map(|(status, body)| BatchItem { status, body });
        return Ok(known.into_iter().map(|known| item(known).ok_or_else(not_found)).collect());
    }
    let (answers, request) = many(reader, urls, &RequestOptions::default()).await?;
    let mut found = Vec::new();
    for answer in &answers {
        match answer {
            Ok(item) => found.push(Some((item.status, item.body.as_str()))),
            Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => found.push(None),
            Err(_) => return Ok(answers),
        }
    }
    let cursors = vec![question.answered(&found)?];
    reader.staging.write_page(Batch { cursors, ..Batch::default() }, request).await?;
    Ok(answers)
}

/// Answers that came together, with the place of their request among those in flight.
type Together = (Vec<crate::graph::error::Result<BatchItem>>, Option<Permit>);

async fn many(reader: &Reader<'_>, urls: Vec<Url>, options: &RequestOptions) -> Result<Together> {
    if !reader.dialect.has(Feature::Batch) {
        match reader.session.batch_held(&urls, options).await {
            Ok(answers) => return Ok(answers),
            Err(error) if error.refuses_optional() || matches!(error.kind, GraphErrorKind::Malformed) => {
                reader.dialect.note(&reader.run.progress, Feature::Batch, Some(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let mut answers = Vec::with_capacity(urls.len());
    for url in &urls {
        answers.push(one(&reader.session, url, options).await);
    }
    Ok((answers, None))
}

async fn one(session: &Session, url: &Url, options: &RequestOptions) -> crate::graph::error::Result<BatchItem> {
    session.get(url, options).await.map(|body| BatchItem { status: body.status, body: body.text })
}
