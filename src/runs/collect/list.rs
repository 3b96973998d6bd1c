//! Reading a collection of objects page by page: users, groups, devices, licences.

use super::{Reader, partition};
use crate::db::mirror::{self, Batch, Cursor, StagedObject, cursors};
use crate::directory::{Link, ObjectType};
use crate::filter::EntityKind;
use crate::graph::error::{GraphError, Kind};
use crate::graph::wire::{Items, Properties, properties};
use crate::graph::{Next, Page, Pager, RequestOptions};
use crate::run_state::{RunStage, RunWarning};
use crate::runs::stop::Stop;
use std::collections::HashMap;
use url::Url;
use uuid::Uuid;

/// How often a collection whose page token expired is begun again.
const RESTARTS_MOST: u32 = 5;
/// Objects asked for per page: the most that Graph gives.
const TOP: u32 = 999;
/// With signInActivity Graph gives no more. Source: facts/graph.md §4.1.
const TOP_WITH_SIGN_IN: u32 = 500;

/// How a collection is asked for. What the server refuses is taken out, once, and said.
#[derive(Clone)]
pub(super) struct Query {
    object_type: ObjectType,
    /// Names the cursor: several queries of one collection have different parts.
    part: String,
    select: Vec<String>,
    expand: Option<&'static str>,
    filter: Option<String>,
    advanced: bool,
    top: Option<u32>,
}

impl Query {
    fn path(&self) -> String {
        let collection = match self.object_type {
            ObjectType::Users => "users",
            ObjectType::Groups => "groups",
            ObjectType::Devices => "devices",
            ObjectType::Licenses => "subscribedSkus",
        };
        let mut options = vec![format!("$select={}", self.select.join(","))];
        if let Some(top) = self.top {
            options.insert(0, format!("$top={top}"));
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
        format!("{collection}?{}", options.join("&"))
    }

    fn options(&self) -> RequestOptions {
        if self.advanced { RequestOptions::advanced() } else { RequestOptions::default() }
    }
}

/// Reads all objects of a type that the filter admits, to the last page.
pub(super) async fn read(reader: &Reader<'_>, object_type: ObjectType) -> Result<(), Stop> {
    let managers = match object_type {
        ObjectType::Users => managers_apart(reader).await?,
        ObjectType::Groups | ObjectType::Licenses | ObjectType::Devices => None,
    };
    if object_type == ObjectType::Users
        && let Some(parts) = parts_of_users(reader).await?
    {
        let managers = managers.as_ref();
        let readings = parts.into_iter().map(|query| read_part(reader, query, managers));
        match futures_util::future::try_join_all(readings).await {
            Ok(_) => return Ok(()),
            Err(Stop::Failed(error)) if REFUSALS.contains(&error.code.as_str()) => {
                let detail = format!(
                    "The server refuses ranges of createdDateTime; users are read in one chain. {}",
                    error.detail
                );
                reader.run.journal.warn(RunWarning::new("partition_refused", detail));
                forget_cursors(reader, ObjectType::Users).await?;
            }
            Err(stop) => return Err(stop),
        }
    }
    for query in queries(reader, object_type) {
        read_query(reader, query, managers.as_ref()).await?;
    }
    Ok(())
}

/// What a server answers that does not know a kind of request that it need not know.
const REFUSALS: [&str; 3] = ["graph_bad_request", "graph_unsupported", "graph_not_found"];

/// Begins a collection anew.
async fn forget_cursors(reader: &Reader<'_>, object_type: ObjectType) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let lease = reader.run.lease;
    let db = &reader.run.app.db;
    db.scoped(lease.organization, async move |tx| mirror::restart(tx, &lease, object_type.as_str()).await).await?;
    Ok(())
}

/// Users in ranges that are read at once, when there are many. After a crash the ranges that were begun are
/// gone on with, since new ones would have other borders.
async fn parts_of_users(reader: &Reader<'_>) -> Result<Option<Vec<Query>>, Stop> {
    let begun = stored_cursors(reader, ObjectType::Users).await?;
    let mut conditions = begun_conditions(&begun);
    if conditions.is_empty() {
        if !begun.is_empty() {
            return Ok(None);
        }
        let rule = reader.run.job.filter.rule(EntityKind::Users).map(|rule| &rule.parsed);
        let Some(found) = partition::of_users(reader, rule).await? else { return Ok(None) };
        conditions = found.into_iter().map(|condition| (condition.filter, condition.advanced)).collect();
        // Written down before the first page, so that a crash finds them all.
        let cursors = conditions.iter().map(|(filter, advanced)| Cursor {
            collection: ObjectType::Users.as_str(),
            part: part_name(filter, *advanced),
            next_link: None,
            done: false,
            pages: 0,
        });
        reader.writer.write(Batch { cursors: cursors.collect(), ..Batch::default() }).await?;
        reader.writer.flushed().await?;
    }
    let query = |(filter, advanced): (String, bool)| Query {
        part: part_name(&filter, advanced),
        filter: Some(filter),
        ..base_query(reader, ObjectType::Users, advanced)
    };
    Ok(Some(conditions.into_iter().map(query).collect()))
}

/// The part of a range is its condition, marked when it is an advanced query.
fn part_name(filter: &str, advanced: bool) -> String {
    format!("{}{filter}", if advanced { "advanced:" } else { "range:" })
}

fn begun_conditions(begun: &HashMap<String, mirror::CursorRow>) -> Vec<(String, bool)> {
    let condition = |part: &String| {
        let plain = part.strip_prefix("range:").map(|filter| (filter.to_owned(), false));
        plain.or_else(|| part.strip_prefix("advanced:").map(|filter| (filter.to_owned(), true)))
    };
    begun.keys().filter_map(condition).collect()
}

/// One range. The few without a date come by an advanced query without managers, which are asked for apart.
async fn read_part(reader: &Reader<'_>, query: Query, managers: Option<&HashMap<Uuid, Uuid>>) -> Result<(), Stop> {
    if !query.advanced {
        return read_query(reader, query, managers).await;
    }
    let wants_managers = reader.run.job.mapping.carries(ObjectType::Users, Link::Manager);
    let count = reader.session.count("users", query.filter.as_deref()).await?;
    match count {
        Some(0) => Ok(()),
        _ if wants_managers && managers.is_none() => {
            let managers = all_managers(reader).await?;
            read_query(reader, query, Some(&managers)).await
        }
        _ => read_query(reader, query, managers).await,
    }
}

/// Reads the first `limit` objects of a type, and no more. Returns their ids.
pub(super) async fn read_first(reader: &Reader<'_>, object_type: ObjectType, limit: u32) -> Result<Vec<Uuid>, Stop> {
    let mut ids = Vec::new();
    for mut query in queries(reader, object_type) {
        query.top = query.top.map(|top| top.min(limit));
        let mut pager: Pager<Items> = reader.session.pages(reader.session.url(&query.path()), query.options());
        while ids.len() < limit as usize {
            let Some(page) = pager.next().await? else { break };
            let mut batch = batch_of(reader, &query, &page, None, 0)?;
            batch.cursors.clear();
            batch.objects.truncate(limit as usize - ids.len());
            ids.extend(batch.objects.iter().map(|object| object.id));
            reader.run.journal.advance(batch.objects.len() as u64);
            reader.run.journal.used(reader.session.usage());
            reader.writer.write(batch).await?;
        }
    }
    Ok(ids)
}

/// The URL that gives these objects, with the relations that a list has too.
pub(super) fn by_id(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Url {
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let mut query = base_query(reader, object_type, false);
    query.filter = Some(format!("id in ({})", quoted.join(",")));
    reader.session.url(&query.path())
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

/// The request for a type without a filter. An advanced one allows no `$expand`.
fn base_query(reader: &Reader<'_>, object_type: ObjectType, advanced: bool) -> Query {
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
    let expand = match object_type {
        _ if advanced => None,
        ObjectType::Users if job.mapping.carries(ObjectType::Users, Link::Manager) => Some("manager($select=id)"),
        ObjectType::Groups if job.mapping.carries(ObjectType::Groups, Link::Owners) => Some("owners($select=id)"),
        ObjectType::Devices if job.mapping.carries(ObjectType::Devices, Link::Owners) => {
            Some("registeredOwners($select=id)")
        }
        ObjectType::Users | ObjectType::Groups | ObjectType::Devices | ObjectType::Licenses => None,
    };
    let top = match object_type {
        // subscribedSkus has no paging and refuses $top.
        ObjectType::Licenses => None,
        _ if select.iter().any(|name| name == "signInActivity") => Some(TOP_WITH_SIGN_IN),
        ObjectType::Users | ObjectType::Groups | ObjectType::Devices => Some(TOP),
    };
    Query { object_type, part: "0".to_owned(), select, expand, filter: None, advanced, top }
}

fn entity(object_type: ObjectType) -> Option<EntityKind> {
    match object_type {
        ObjectType::Users => Some(EntityKind::Users),
        ObjectType::Groups => Some(EntityKind::Groups),
        ObjectType::Devices => Some(EntityKind::Devices),
        ObjectType::Licenses => None,
    }
}

/// With an advanced filter Graph allows no `$expand`: the managers come from one extra pass over all users.
/// Source: facts/graph.md §4.3.
async fn managers_apart(reader: &Reader<'_>) -> Result<Option<HashMap<Uuid, Uuid>>, Stop> {
    let job = &reader.run.job;
    let advanced = job.filter.rule(EntityKind::Users).is_some_and(|rule| rule.parsed.advanced);
    if !advanced || !job.mapping.carries(ObjectType::Users, Link::Manager) {
        return Ok(None);
    }
    Ok(Some(all_managers(reader).await?))
}

async fn all_managers(reader: &Reader<'_>) -> Result<HashMap<Uuid, Uuid>, Stop> {
    let first = reader.session.url(&format!("users?$top={TOP}&$select=id&$expand=manager($select=id)"));
    let mut managers = HashMap::new();
    let mut pager: Pager<Items> = reader.session.pages(first, RequestOptions::default());
    while let Some(page) = pager.next().await? {
        for item in page.content.iter() {
            let user = parse(item)?;
            if let (Some(id), Some(manager)) = (user.uuid(), user.manager) {
                managers.insert(id, manager.id);
            }
        }
        reader.run.journal.used(reader.session.usage());
    }
    Ok(managers)
}

async fn read_query(reader: &Reader<'_>, mut query: Query, managers: Option<&HashMap<Uuid, Uuid>>) -> Result<(), Stop> {
    let known = stored_cursor(reader, &query).await?;
    if known.as_ref().is_some_and(|cursor| cursor.done) {
        return Ok(());
    }
    let mut resume = known.and_then(|cursor| cursor.next_link);
    for _ in 0..=RESTARTS_MOST {
        match read_from(reader, &query, resume.take().as_deref(), managers).await {
            Ok(()) => return Ok(()),
            Err(Failure::Stop(stop)) => return Err(stop),
            Err(Failure::Graph(error)) => query = again(reader, query, error)?,
        }
    }
    Err(Stop::failed(
        RunStage::Collect,
        "graph_page_token_expired",
        format!("Graph's page tokens for {} expired {RESTARTS_MOST} times before the last page.", query.object_type),
        "Graph is slow or overloaded just now: start the run again later.",
    ))
}

enum Failure {
    Stop(Stop),
    /// May be helped by asking differently.
    Graph(GraphError),
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// How to ask again after a failure; the failure itself when nothing helps.
fn again(reader: &Reader<'_>, query: Query, error: GraphError) -> Result<Query, Stop> {
    let journal = &reader.run.journal;
    if matches!(error.kind, Kind::PageTokenExpired) {
        let detail = format!("A page token for {} expired; the collection is read again.", query.object_type);
        journal.warn(RunWarning::new("page_token_expired", detail));
        return Ok(query);
    }
    if error.is_about_sign_in_activity() && query.select.iter().any(|name| name == "signInActivity") {
        let detail = "Sign-in activity may not be read (AuditLog.Read.All and a premium licence are needed); \
                      users are imported without it.";
        journal.degrade(RunWarning::new("sign_in_activity_refused", detail).with_advice(error.advice()));
        let select = query.select.into_iter().filter(|name| name != "signInActivity").collect();
        return Ok(Query { select, top: Some(TOP), ..query });
    }
    if matches!(error.kind, Kind::GatewayTimeout)
        && let Some(top) = query.top.map(|top| top / 2).filter(|top| *top >= 10)
    {
        let detail = format!("Graph took too long for a page of {}; pages are halved to {top}.", query.object_type);
        journal.warn(RunWarning::new("page_halved", detail));
        return Ok(Query { top: Some(top), ..query });
    }
    if query.expand.is_some() && error.refuses_optional() && query.object_type != ObjectType::Users {
        let detail = format!("The server does not expand owners of {}; they are read one by one.", query.object_type);
        journal.warn(RunWarning::new("expand_refused", detail));
        return Ok(Query { expand: None, ..query });
    }
    Err(error.into())
}

async fn stored_cursor(reader: &Reader<'_>, query: &Query) -> Result<Option<mirror::CursorRow>, Stop> {
    Ok(stored_cursors(reader, query.object_type).await?.remove(&query.part))
}

async fn stored_cursors(
    reader: &Reader<'_>,
    object_type: ObjectType,
) -> Result<HashMap<String, mirror::CursorRow>, Stop> {
    let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
    let collection = object_type.as_str();
    let known =
        reader.run.app.db.scoped(organization, async move |tx| cursors(tx, organization, run, collection).await);
    Ok(known.await?)
}

/// From the first page, or from a stored link, to the last page.
async fn read_from(
    reader: &Reader<'_>,
    query: &Query,
    link: Option<&str>,
    managers: Option<&HashMap<Uuid, Uuid>>,
) -> Result<(), Failure> {
    let first: Url = reader.session.url(&query.path());
    let mut pager: Pager<Items> = match link {
        Some(link) => Pager::resume(reader.session.clone(), &first, link, query.options()).map_err(Failure::Graph)?,
        None => reader.session.pages(first, query.options()),
    };
    let mut pages = 0;
    while let Some(page) = pager.next().await.map_err(Failure::Graph)? {
        pages += 1;
        let batch = batch_of(reader, query, &page, managers, pages)?;
        reader.run.journal.advance(batch.objects.len() as u64);
        if let Some(count) = page.count {
            reader.run.journal.expect(count);
        }
        reader.run.journal.used(reader.session.usage());
        reader.writer.write(batch).await?;
    }
    Ok(())
}

/// A page as rows: what the exclusions leave, and where the collection goes on.
fn batch_of(
    reader: &Reader<'_>,
    query: &Query,
    page: &Page<Items>,
    managers: Option<&HashMap<Uuid, Uuid>>,
    pages: i32,
) -> Result<Batch, Stop> {
    let mut batch = Batch::default();
    let mut excluded = 0;
    for item in page.content.iter() {
        let mut object = parse(item)?;
        if let Some(managers) = managers {
            object.manager = object.uuid().and_then(|id| managers.get(&id)).map(|id| crate::graph::wire::Member {
                id: *id,
                kind: crate::graph::wire::MemberKind::User,
                is_unreadable: false,
                is_removed: false,
            });
        }
        match admitted(reader, query.object_type, &object)? {
            true => batch.objects.extend(staged(query.object_type, &object)?),
            false => excluded += 1,
        }
    }
    if excluded > 0 {
        reader.run.journal.count(query.object_type.as_str(), |count| count.out_of_scope += excluded);
    }
    let (next_link, done) = match &page.next {
        Next::More(next) => (Some(next.to_string()), false),
        Next::Complete(_) => (None, true),
    };
    let collection = query.object_type.as_str();
    batch.cursors.push(Cursor { collection, part: query.part.clone(), next_link, done, pages });
    Ok(batch)
}

/// Whether the exclusions let an object through.
fn admitted(reader: &Reader<'_>, object_type: ObjectType, object: &Properties) -> Result<bool, Stop> {
    let exclude = &reader.run.job.filter.exclude;
    let Some(kind) = entity(object_type).filter(|_| !exclude.is_empty()) else { return Ok(true) };
    let map = serde_json::from_str(&object.json).map_err(|e| malformed(&e))?;
    Ok(!exclude.excludes(kind, &map))
}

pub(super) fn parse(item: &str) -> Result<Properties, Stop> {
    properties(item).map_err(|e| malformed(&e))
}

fn malformed(error: &serde_json::Error) -> Stop {
    Stop::graph(&GraphError::new(Kind::Malformed, format!("an object cannot be read: {error}")))
}

/// An object as it is kept: its properties and, beside them, the ids it refers to. `None` for something
/// without a GUID, which no directory object is.
pub(super) fn staged(object_type: ObjectType, object: &Properties) -> Result<Option<StagedObject>, Stop> {
    let id = match object_type {
        // The id of a subscribed SKU is {tenant}_{skuId}: what others refer to is its second half.
        ObjectType::Licenses => object.id.rsplit('_').next().and_then(|sku| Uuid::parse_str(sku).ok()),
        ObjectType::Users | ObjectType::Groups | ObjectType::Devices => object.uuid(),
    };
    let Some(id) = id else { return Ok(None) };
    let mut data = object.json.clone();
    if let Some(manager) = object.manager.filter(|manager| !manager.is_removed) {
        append(&mut data, "managerId", &format!("\"{}\"", manager.id));
    }
    if let Some(owners) = &object.owners {
        let mut ids: Vec<Uuid> = owners.iter().filter(|owner| !owner.is_removed).map(|owner| owner.id).collect();
        ids.sort_unstable();
        ids.dedup();
        append(&mut data, "ownerIds", &serde_json::to_string(&ids).unwrap_or_else(|_| "[]".to_owned()));
    }
    let hash = mirror::hash(&[data.as_bytes()]);
    Ok(Some(StagedObject { object_type: object_type.as_str(), id, hash, data }))
}

/// The same for an object that is a map already.
pub(super) fn staged_map(object_type: ObjectType, id: Uuid, map: crate::directory::Properties) -> StagedObject {
    let data = serde_json::Value::Object(map).to_string();
    StagedObject { object_type: object_type.as_str(), id, hash: mirror::hash(&[data.as_bytes()]), data }
}

/// Adds a field to the text of a JSON object.
fn append(data: &mut String, name: &str, value: &str) {
    data.pop();
    if data.len() > 1 {
        data.push(',');
    }
    data.push('"');
    data.push_str(name);
    data.push_str("\":");
    data.push_str(value);
    data.push('}');
}
