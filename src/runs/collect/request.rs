//! How a collection is asked for: path, selection, expansion, filter, page size.

use super::dialect::Optional;
use super::object::{entity, parse, unreadable};
use super::reader::Reader;
use crate::codes::WarningCode;
use crate::directory::{Link, ObjectType};
use crate::graph::batch::{BatchItem, ITEMS_MOST};
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::{Items, Properties, properties};
use crate::graph::{Pager, RequestOptions, Session, ids_filter};
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;
use futures_util::{StreamExt, stream};
use std::sync::atomic::Ordering;
use url::Url;
use uuid::Uuid;

/// Objects asked for per page: the most that Graph gives.
pub(super) const TOP: u32 = 999;
/// With signInActivity Graph gives no more. Source: docs/graph.md, «Paging».
const TOP_WITH_SIGN_IN: u32 = 500;
pub(super) const SIGN_IN: &str = "signInActivity";

/// How a collection is asked for. What the server refuses is taken out, once, and said.
#[derive(Clone)]
pub(super) struct Query {
    pub object_type: ObjectType,
    /// Names the cursor: several queries of one collection have different parts.
    pub part: String,
    /// Empty: no `$select`, for a server that takes none.
    pub select: Vec<String>,
    pub expand: Option<&'static str>,
    pub filter: Option<String>,
    pub advanced: bool,
    pub top: Option<u32>,
}

impl Query {
    pub fn path(&self) -> String {
        self.path_at(collection(self.object_type))
    }

    fn path_at(&self, path: &str) -> String {
        let mut options = Vec::new();
        if let Some(top) = self.top {
            options.push(format!("$top={top}"));
        }
        if !self.select.is_empty() {
            options.push(format!("$select={}", self.select.join(",")));
        }
        if let Some(expand) = self.expand {
            options.push(format!("$expand={expand}"));
        }
        if let Some(filter) = &self.filter {
            options.push(format!("$filter={}", urlencoding::encode(filter)));
        }
        if self.advanced {
            options.push("$count=true".to_owned());
        }
        if options.is_empty() { path.to_owned() } else { format!("{path}?{}", options.join("&")) }
    }

    pub fn options(&self) -> RequestOptions {
        RequestOptions { advanced: self.advanced, ..RequestOptions::halving() }
    }
}

fn collection(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::Users => "users",
        ObjectType::Groups => "groups",
        ObjectType::Devices => "devices",
        ObjectType::Licenses => "subscribedSkus",
    }
}

/// The requests for a type: one, or several when its filter has to be split.
pub(super) fn queries(reader: &Reader<'_>, object_type: ObjectType) -> Vec<Query> {
    let rule = entity(object_type).and_then(|kind| reader.run.job.filter.rule(kind));
    let query = base_query(reader, object_type, rule.is_some_and(|rule| rule.parsed.advanced));
    match rule {
        None => vec![query],
        Some(rule) => rule
            .parsed
            .requests()
            .iter()
            .enumerate()
            .map(|(number, text)| Query { part: number.to_string(), filter: Some(text.clone()), ..query.clone() })
            .collect(),
    }
}

/// The request for objects with these ids, with the relations that a list has too.
pub(super) fn by_ids(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Query {
    let filter = Some(ids_filter(ids));
    Query { filter, ..base_query(reader, object_type, false) }
}

/// The URL of one object, with the relations that a list has too.
pub(super) fn url_of_one(reader: &Reader<'_>, object_type: ObjectType, id: Uuid) -> Url {
    let query = Query { top: None, ..base_query(reader, object_type, false) };
    reader.session.url(&query.path_at(&format!("{}/{id}", collection(object_type))))
}

/// The request for a type without a filter. An advanced one allows no `$expand`.
pub(super) fn base_query(reader: &Reader<'_>, object_type: ObjectType, advanced: bool) -> Query {
    let job = &reader.run.job;
    let mut select: Vec<String> = job.mapping.select(object_type).into_iter().map(str::to_owned).collect();
    let rule = entity(object_type).and_then(|kind| job.filter.rule(kind));
    // What the filter decides by, so that what changes later can be decided here.
    for name in rule.map(|rule| rule.parsed.select()).unwrap_or_default() {
        if !select.iter().any(|known| known == name) {
            select.push(name.to_owned());
        }
    }
    if object_type == ObjectType::Groups && !select.iter().any(|name| name == "visibility") {
        // Whether its members may be hidden from us.
        select.push("visibility".to_owned());
    }
    if reader.refused.has(Optional::SignInActivity) {
        select.retain(|name| name != SIGN_IN);
    }
    if reader.refused.has(Optional::Select(object_type)) {
        select.clear();
    }
    let expand = expand(reader, object_type).filter(|_| !advanced);
    let top = match object_type {
        // subscribedSkus has no paging and refuses $top.
        ObjectType::Licenses => None,
        _ if select.iter().any(|name| name == SIGN_IN) => Some(TOP_WITH_SIGN_IN),
        ObjectType::Users | ObjectType::Groups | ObjectType::Devices => Some(TOP),
    };
    Query { object_type, part: "0".to_owned(), select, expand, filter: None, advanced, top }
}

fn expand(reader: &Reader<'_>, object_type: ObjectType) -> Option<&'static str> {
    let carries = |link| reader.run.job.mapping.carries(object_type, link);
    if reader.refused.has(Optional::Expand(object_type)) {
        return None;
    }
    match object_type {
        ObjectType::Users if carries(Link::Manager) => Some("manager($select=id)"),
        ObjectType::Groups if carries(Link::Owners) => Some("owners($select=id)"),
        ObjectType::Devices if carries(Link::Owners) => Some("registeredOwners($select=id)"),
        ObjectType::Users | ObjectType::Groups | ObjectType::Devices | ObjectType::Licenses => None,
    }
}

/// Single requests, or batches, under way at once; the limiter decides how many really are.
const AT_ONCE: usize = 16;

/// Objects asked for when a plainer way is tried.
const PROBE_TOP: u32 = 20;

/// What Graph tells of a user without `$select`. Source: docs/graph.md, «Properties».
const USER_DEFAULTS: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];

/// A plainer query that the server understands; `error`, its refusal, when there is none.
pub(super) async fn plainer(reader: &Reader<'_>, query: Query, error: GraphError) -> Result<Query, Stop> {
    let without_expand = Query { expand: None, ..query.clone() };
    let without_select = Query { select: Vec::new(), ..query.clone() };
    let plain = Query { expand: None, select: Vec::new(), ..query.clone() };
    let expand = query.expand.map(|_| Optional::Expand(query.object_type));
    let select = (!query.select.is_empty()).then_some(Optional::Select(query.object_type));
    let known = |optional: Option<Optional>| optional.is_some_and(|optional| reader.refused.has(optional));
    let ways = [(without_expand, vec![expand]), (without_select, vec![select]), (plain, vec![expand, select])];
    for (way, left_out) in ways {
        if left_out.iter().any(Option::is_none) {
            continue;
        }
        let is_known = left_out.iter().all(|optional| known(*optional));
        if is_known || is_enough(reader, &query, &way).await? {
            for optional in left_out.into_iter().flatten() {
                reader.refused.note(&reader.run.progress, optional, Some(&error));
            }
            return Ok(way);
        }
    }
    Err(error.into())
}

/// Whether the server answers the plainer query, and with what the job needs: Graph itself tells little of a
/// user that is not selected, and what it leaves out must not pass for empty.
async fn is_enough(reader: &Reader<'_>, query: &Query, way: &Query) -> Result<bool, Stop> {
    let probe = Query { top: way.top.map(|top| top.min(PROBE_TOP)), ..way.clone() };
    let url = reader.session.url(&probe.path());
    let page = match reader.session.page::<Items>(&url, &probe.options()).await {
        Ok(page) => page,
        Err(error) if error.refuses_optional() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if way.select.len() == query.select.len()
        || query.object_type != ObjectType::Users
        || page.content.iter().len() == 0
    {
        return Ok(true);
    }
    let wanted = |name: &str| query.select.iter().any(|known| known == name) && !USER_DEFAULTS.contains(&name);
    let tells = |item: &str| {
        let read = properties(item).ok();
        let map: Option<crate::directory::Properties> =
            read.as_ref().and_then(|read| serde_json::from_str(&read.json).ok());
        map.is_some_and(|map| map.keys().any(|name| wanted(name)))
            || read.is_some_and(|read| read.nulls.iter().any(|name| wanted(name)))
    };
    let needs_more = query.select.iter().any(|name| wanted(name));
    Ok(!needs_more || page.content.iter().any(tells))
}

/// The URL of what is linked with an object, as `groups/{id}/members`.
pub(super) fn links_url(reader: &Reader<'_>, path: &str, top: Option<u32>) -> Url {
    let select = (!reader.refused.has(Optional::SelectOfLinks)).then(|| "$select=id".to_owned());
    let options: Vec<String> = top.map(|top| format!("$top={top}")).into_iter().chain(select).collect();
    match options.is_empty() {
        true => reader.session.url(path),
        false => reader.session.url(&format!("{path}?{}", options.join("&"))),
    }
}

/// After a refusal of a URL made by [`links_url`]: whether to ask again, because the same without `$select` is
/// understood, which is then the way for all, or because it was not found only for a moment.
pub(super) async fn links_without_select(
    reader: &Reader<'_>,
    path: &str,
    asked: &Url,
    error: &GraphError,
) -> Result<bool, Stop> {
    let selects = asked.query().is_some_and(|query| query.contains("$select"));
    if !error.refuses_optional() || !selects || reader.refused.links_are_understood.load(Ordering::Relaxed) {
        return Ok(false);
    }
    // One asks, for all that were refused at the same time.
    let _asking = reader.refused.asking.lock().await;
    if reader.refused.has(Optional::SelectOfLinks) {
        return Ok(true);
    }
    // What a replica does not have yet is not found for a moment: that says nothing of `$select`.
    if matches!(error.kind, GraphErrorKind::NotFound)
        && reader.session.get(asked, &RequestOptions::default()).await.is_ok()
    {
        return Ok(true);
    }
    match reader.session.get(&reader.session.url(path), &RequestOptions::default()).await {
        Ok(_) => {
            reader.refused.note(&reader.run.progress, Optional::SelectOfLinks, Some(error));
            Ok(true)
        }
        Err(again) if again.refuses_optional() => Ok(false),
        Err(again) => Err(again.into()),
    }
}

/// The answers to many small GETs in the order of `urls`: in batches, or one by one where the server takes none.
pub(super) async fn get_many(
    reader: &Reader<'_>,
    urls: Vec<Url>,
) -> Result<Vec<crate::graph::error::Result<BatchItem>>, Stop> {
    let options = RequestOptions::default();
    let mut answers = Vec::with_capacity(urls.len());
    let parts: Vec<Vec<Url>> = urls.chunks(ITEMS_MOST).map(<[Url]>::to_vec).collect();
    let mut parts = stream::iter(parts).map(|urls| many(reader, urls, &options)).buffered(AT_ONCE);
    while let Some(part) = parts.next().await {
        answers.extend(part?);
        reader.run.progress.used(reader.session.usage());
    }
    Ok(answers)
}

async fn many(
    reader: &Reader<'_>,
    urls: Vec<Url>,
    options: &RequestOptions,
) -> Result<Vec<crate::graph::error::Result<BatchItem>>, Stop> {
    if !reader.refused.has(Optional::Batch) {
        match reader.session.batch(&urls, options).await {
            Ok(answers) => return Ok(answers),
            Err(error) if error.refuses_optional() || matches!(error.kind, GraphErrorKind::Malformed) => {
                reader.refused.note(&reader.run.progress, Optional::Batch, Some(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let mut answers = Vec::with_capacity(urls.len());
    for url in &urls {
        answers.push(one(&reader.session, url, options).await);
    }
    Ok(answers)
}

async fn one(session: &Session, url: &Url, options: &RequestOptions) -> crate::graph::error::Result<BatchItem> {
    session.get(url, options).await.map(|body| BatchItem { status: body.status, body: body.text })
}

/// How often a collection whose page token expired is begun again.
pub(super) const RESTARTS_MOST: u32 = 8;

/// A page is not made smaller than this.
const LEAST_TOP: u32 = 10;

/// Why a query did not come to its last page.
pub(super) enum Failure {
    Stop(Stop),
    /// May be helped by asking differently.
    Graph(GraphError),
    /// A link stored by an earlier attempt of the run is refused.
    Resumed(GraphError),
    /// A later page is refused: that is not about how the collection was asked for.
    Later(GraphError),
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// How to ask again after a failure, so many restarts having been made; the failure when nothing helps.
pub(super) async fn after(reader: &Reader<'_>, query: Query, failure: Failure, restarts: u32) -> Result<Query, Stop> {
    match failure {
        Failure::Stop(stop) => Err(stop),
        Failure::Graph(error) if restarts < RESTARTS_MOST => again(reader, query, error).await,
        Failure::Resumed(error) if restarts < RESTARTS_MOST => {
            let detail = format!("The reading of {} begins anew: {error}", query.object_type);
            reader.run.progress.warn(RunWarning::new(WarningCode::PageTokenExpired, detail));
            Ok(query)
        }
        Failure::Graph(error) | Failure::Resumed(error) | Failure::Later(error) => Err(error.into()),
    }
}

/// How to ask again after a failure; the failure itself when nothing helps.
async fn again(reader: &Reader<'_>, query: Query, error: GraphError) -> Result<Query, Stop> {
    let progress = &reader.run.progress;
    if matches!(error.kind, GraphErrorKind::PageTokenExpired) {
        let detail = format!("A page token for {} expired; the collection is read again.", query.object_type);
        progress.warn(RunWarning::new(WarningCode::PageTokenExpired, detail));
        return Ok(query);
    }
    if error.is_about_sign_in_activity() && query.select.iter().any(|name| name == SIGN_IN) {
        reader.refused.note(progress, Optional::SignInActivity, Some(&error));
        let select = query.select.into_iter().filter(|name| name != SIGN_IN).collect();
        return Ok(Query { select, top: Some(TOP), ..query });
    }
    if matches!(error.kind, GraphErrorKind::GatewayTimeout)
        && let Some(top) = query.top.map(|top| top / 2).filter(|top| *top >= LEAST_TOP)
    {
        let detail = format!("Graph took too long for a page of {}; pages are halved to {top}.", query.object_type);
        progress.warn(RunWarning::new(WarningCode::PageHalved, detail));
        return Ok(Query { top: Some(top), ..query });
    }
    if error.refuses_optional() { plainer(reader, query, error).await } else { Err(error.into()) }
}

/// Reads something of which nothing is kept before its last page: when a page token expires, from the first page.
pub(super) async fn whole<T, Reading: Future<Output = crate::graph::error::Result<T>> + Send>(
    reader: &Reader<'_>,
    what: &str,
    read: impl Fn() -> Reading,
) -> crate::graph::error::Result<T> {
    let mut restarts = 0;
    loop {
        let outcome = read().await;
        reader.run.progress.used(reader.session.usage());
        match outcome {
            Err(error) if matches!(error.kind, GraphErrorKind::PageTokenExpired) && restarts < RESTARTS_MOST => {
                restarts += 1;
                let detail = format!("A page token for {what} expired; they are read again.");
                reader.run.progress.warn(RunWarning::new(WarningCode::PageTokenExpired, detail));
            }
            outcome => return outcome,
        }
    }
}

/// Requests under way at once; the limiter decides how many really are.
pub(super) const REQUESTS_AT_ONCE: usize = 32;

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
    reader.run.progress.used(reader.session.usage());
    Ok(found)
}

/// For a server that does not know `in`.
async fn fetch_each(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Result<Vec<Properties>, Stop> {
    let urls = ids.iter().map(|id| url_of_one(reader, object_type, *id)).collect();
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
