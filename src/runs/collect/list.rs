//! Reading a collection of objects page by page: users, groups, devices, licences.

use super::groups::group::Found;
use super::object::{Admitted, admitted, entity, parse, staged, unreadable};
use super::reader::Reader;
use super::request::{Failure, Query, REQUESTS_AT_ONCE, SIGN_IN, after, base_query, fetch, queries, whole};
use super::{managers, ranges};
use crate::codes::{RunErrorCode, WarningCode};
use crate::db::mirror::read::{self as read_mirror, Source};
use crate::db::mirror::{self, Batch, Cursor, cursors};
use crate::directory::{Link, ObjectType};
use crate::filter::{EntityKind, Parsed};
use crate::graph::wire::{Items, Member, Properties, properties};
use crate::graph::{IDS_IN_A_QUERY, Next, Page, Pager, RequestOptions, is_cheaper_by_id};
use crate::run_state::RunWarning;
use crate::runs::progress::Work;
use crate::runs::stop::Stop;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use url::Url;
use uuid::Uuid;

/// Up to so many users are read by their ids; more are cheaper together with all the others.
const BY_ID_MOST: u64 = 1_500;

/// What the pages of a collection are joined with, and who else is told of them.
#[derive(Default)]
struct Beside {
    /// The managers of users, where the list does not carry them.
    managers: Option<HashMap<Uuid, Uuid>>,
    /// Who reads the members of groups.
    found: Option<Found>,
    /// How many objects came.
    listed: AtomicU64,
}

/// Reads all objects of a type that the filter admits, to the last page.
pub(super) async fn read(reader: &Reader<'_>, object_type: ObjectType) -> Result<(), Stop> {
    if object_type != ObjectType::Users {
        return read_collection(reader, object_type, &Beside::default()).await;
    }
    let beside = Beside { managers: managers::apart(reader).await?, ..Beside::default() };
    read_collection(reader, object_type, &beside).await?;
    managers::complete(reader).await
}

/// Reads all groups that the filter admits, and tells of each page.
pub(super) async fn read_groups(reader: &Reader<'_>, found: Found) -> Result<(), Stop> {
    read_collection(reader, ObjectType::Groups, &Beside { found: Some(found), ..Beside::default() }).await
}

async fn read_collection(reader: &Reader<'_>, object_type: ObjectType, beside: &Beside) -> Result<(), Stop> {
    count_earlier(reader, object_type).await?;
    if object_type == ObjectType::Users
        && let Some(parts) = parts_of_users(reader).await?
    {
        let readings = parts.into_iter().map(|query| read_part(reader, query, beside));
        match futures_util::future::try_join_all(readings).await {
            Ok(_) => return Ok(()),
            Err(Stop::Failed(error)) if REFUSALS.iter().any(|code| error.code == *code) => {
                let detail = format!(
                    "The server refuses ranges of createdDateTime; users are read in one chain. {}",
                    error.detail
                );
                reader.run.progress.warn(RunWarning::new(WarningCode::PartitionRefused, detail));
                forget_cursors(reader, ObjectType::Users).await?;
                reader.run.progress.take_back(Work::Objects, beside.listed.load(Ordering::Relaxed));
            }
            Err(stop) => return Err(stop),
        }
    }
    for query in queries(reader, object_type) {
        read_query(reader, query, beside).await.map_err(|stop| filter_refused(reader, object_type, stop))?;
    }
    Ok(())
}

/// What an earlier attempt of this run read is done already.
async fn count_earlier(reader: &Reader<'_>, object_type: ObjectType) -> Result<(), Stop> {
    let (organization, source) = (reader.run.job.organization, Source::Staged(reader.run.lease.run));
    let db = &reader.run.app.db;
    let count = db
        .scoped(organization, async move |tx| read_mirror::count(tx, organization, source, object_type.as_str()).await);
    let earlier = count.await?;
    if earlier == 0 {
        return Ok(());
    }
    let number = match object_type {
        ObjectType::Users => ranges::noted_number(reader).await?,
        ObjectType::Groups | ObjectType::Licenses | ObjectType::Devices => None,
    };
    match number {
        Some(number) => reader.expect(object_type, number),
        None => reader.run.progress.expect(Work::Objects, earlier),
    }
    reader.run.progress.was_done(Work::Objects, earlier);
    Ok(())
}

/// Graph refuses the request that has the filter's condition in it: that is what has to be changed.
fn filter_refused(reader: &Reader<'_>, object_type: ObjectType, stop: Stop) -> Stop {
    let rule = entity(object_type).and_then(|kind| reader.run.job.filter.rule(kind));
    match (stop, rule) {
        (Stop::Failed(mut error), Some(rule)) if REFUSALS.iter().any(|code| error.code == *code) => {
            let text = rule.parsed.text();
            error.code = RunErrorCode::FilterInvalid.into();
            error.detail = format!("Graph refuses the filter's condition on {object_type}, `{text}`. {}", error.detail);
            error.advice =
                Some(format!("Change `{object_type}` of the filter; its preview shows whether Graph takes it."));
            Stop::Failed(error)
        }
        (stop, _) => stop,
    }
}

/// Reads users: all that fulfil the condition, or, of `members`, those that do. Returns how many fulfil it, where only
/// members were read and the server counts.
pub(super) async fn read_users(reader: &Reader<'_>, members: Option<Vec<Uuid>>) -> Result<Option<u64>, Stop> {
    let Some(members) = members else { return read(reader, ObjectType::Users).await.map(|()| None) };
    let rule = reader.run.job.filter.rule(EntityKind::Users).map(|rule| &rule.parsed);
    let reason = if rule.is_some_and(|rule| rule.select().contains(&SIGN_IN)) {
        "the filter decides by sign-ins, which are asked for with everybody".to_owned()
    } else {
        let matching = count_matching(reader, rule).await?;
        if is_cheaper_by_id(members.len(), matching) {
            reader.run.log(&format!("The {} members of the scope's groups are read by id.", members.len())).await?;
            read_by_id(reader, &members).await?;
            return Ok(matching);
        }
        let all = matching.unwrap_or(0);
        format!("that takes fewer requests for {all} users than reading {} members by id", members.len())
    };
    reader.run.log(&format!("Everybody is read: {reason}.")).await?;
    read(reader, ObjectType::Users).await.map(|()| None)
}

/// How many users fulfil the condition; `None` where the server does not count, or the parts of the condition may have
/// users in common.
async fn count_matching(reader: &Reader<'_>, rule: Option<&Parsed>) -> Result<Option<u64>, Stop> {
    match rule.map(Parsed::requests) {
        None => Ok(reader.session.count("users", None).await?),
        Some([one]) => Ok(reader.session.count("users", Some(one)).await?),
        Some(_) => Ok(None),
    }
}

/// Reads these users and keeps those that fulfil the condition.
async fn read_by_id(reader: &Reader<'_>, ids: &[Uuid]) -> Result<(), Stop> {
    reader.run.progress.expect(Work::Objects, ids.len() as u64);
    let parts: Vec<Vec<Uuid>> = ids.chunks(IDS_IN_A_QUERY).map(<[Uuid]>::to_vec).collect();
    stream::iter(parts)
        .map(|ids| async move {
            let batch = decided(reader, fetch(reader, ObjectType::Users, &ids).await?)?;
            reader.run.progress.advance(Work::Objects, ids.len() as u64);
            reader.writer.write(batch).await
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_for_each(|()| std::future::ready(Ok(())))
        .await?;
    managers::complete(reader).await
}

/// Reads of these users the first that the filter takes. Returns their ids.
pub(super) async fn read_first_of(reader: &Reader<'_>, ids: &[Uuid], limit: u32) -> Result<Vec<Uuid>, Stop> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS_IN_A_QUERY) {
        if found.len() >= limit as usize {
            break;
        }
        let mut batch = decided(reader, fetch(reader, ObjectType::Users, ids).await?)?;
        batch.objects.truncate(limit as usize - found.len());
        found.extend(batch.objects.iter().map(|object| object.id));
        reader.run.progress.expect(Work::Objects, batch.objects.len() as u64);
        reader.run.progress.advance(Work::Objects, batch.objects.len() as u64);
        reader.writer.write(batch).await?;
    }
    Ok(found)
}

/// Users that were asked for by id, as far as the filter takes them.
fn decided(reader: &Reader<'_>, users: Vec<Properties>) -> Result<Batch, Stop> {
    let mut batch = Batch::default();
    for user in users {
        match admitted(reader, ObjectType::Users, &user, true)? {
            Admitted::Yes => batch.objects.extend(staged(ObjectType::Users, &user)?),
            Admitted::Excluded => reader.run.progress.count("users", |count| count.out_of_scope += 1),
            Admitted::NoMatch => {}
        }
    }
    Ok(batch)
}

/// What a server answers that does not know a kind of request that it need not know.
const REFUSALS: [RunErrorCode; 3] =
    [RunErrorCode::GraphBadRequest, RunErrorCode::GraphUnsupported, RunErrorCode::GraphNotFound];

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
        let Some(found) = ranges::of_users(reader, rule).await? else { return Ok(None) };
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
async fn read_part(reader: &Reader<'_>, query: Query, beside: &Beside) -> Result<(), Stop> {
    if !query.advanced {
        return read_query(reader, query, beside).await;
    }
    let wants_managers = reader.run.job.mapping.carries(ObjectType::Users, Link::Manager);
    let count = reader.session.count("users", query.filter.as_deref()).await?;
    match count {
        Some(0) => Ok(()),
        Some(count) if wants_managers && beside.managers.is_none() && count <= BY_ID_MOST => {
            read_dateless(reader, &query).await
        }
        _ if wants_managers && beside.managers.is_none() => {
            let beside = Beside { managers: managers::all(reader).await?, ..Beside::default() };
            read_query(reader, query, &beside).await
        }
        _ => read_query(reader, query, beside).await,
    }
}

/// The few users that only an advanced query finds: it gives their ids, and the ids give the rest with `$expand`.
async fn read_dateless(reader: &Reader<'_>, query: &Query) -> Result<(), Stop> {
    if stored_cursor(reader, query).await?.is_some_and(|cursor| cursor.done) {
        return Ok(());
    }
    let found = Query { select: vec!["id".to_owned()], ..query.clone() };
    let ids = whole(reader, "users without a date", || ids_of(reader, &found)).await?;
    for ids in ids.chunks(IDS_IN_A_QUERY) {
        let mut batch = Batch::default();
        for user in fetch(reader, ObjectType::Users, ids).await? {
            match admitted(reader, ObjectType::Users, &user, false)? {
                Admitted::Yes => batch.objects.extend(staged(ObjectType::Users, &user)?),
                Admitted::Excluded | Admitted::NoMatch => {
                    reader.run.progress.count("users", |count| count.out_of_scope += 1);
                }
            }
        }
        reader.run.progress.advance(Work::Objects, ids.len() as u64);
        reader.writer.write(batch).await?;
    }
    let collection = ObjectType::Users.as_str();
    let end = Cursor { collection, part: query.part.clone(), next_link: None, done: true, pages: 1 };
    reader.writer.write(Batch { cursors: vec![end], ..Batch::default() }).await
}

async fn ids_of(reader: &Reader<'_>, query: &Query) -> crate::graph::error::Result<Vec<Uuid>> {
    let options = RequestOptions { may_halve: false, ..query.options() };
    let mut pager: Pager<Items> = reader.session.pages(reader.session.url(&query.path()), options);
    let mut ids = Vec::new();
    while let Some(page) = pager.next().await? {
        for item in page.content.iter() {
            ids.extend(properties(item).map_err(|e| unreadable(&e))?.uuid());
        }
    }
    Ok(ids)
}

/// Reads the first `limit` objects of a type, and no more. Returns their ids.
pub(super) async fn read_first(reader: &Reader<'_>, object_type: ObjectType, limit: u32) -> Result<Vec<Uuid>, Stop> {
    let mut ids = Vec::new();
    for mut query in queries(reader, object_type) {
        query.top = query.top.map(|top| top.min(limit));
        let mut restarts = 0;
        loop {
            match first_of(reader, &query, limit, &mut ids).await {
                Ok(()) => break,
                Err(failure) => query = after(reader, query, failure, restarts).await?,
            }
            restarts += 1;
        }
    }
    Ok(ids)
}

async fn first_of(reader: &Reader<'_>, query: &Query, limit: u32, ids: &mut Vec<Uuid>) -> Result<(), Failure> {
    let mut pager: Pager<Items> = reader.session.pages(reader.session.url(&query.path()), query.options());
    while ids.len() < limit as usize {
        let Some(page) = pager.next().await.map_err(Failure::Graph)? else { break };
        let mut batch = batch_of(reader, query, &page, &Beside::default(), 0, true)?;
        batch.cursors.clear();
        batch.objects.retain(|object| !ids.contains(&object.id));
        batch.objects.truncate(limit as usize - ids.len());
        ids.extend(batch.objects.iter().map(|object| object.id));
        reader.run.progress.expect(Work::Objects, batch.objects.len() as u64);
        reader.run.progress.advance(Work::Objects, batch.objects.len() as u64);
        reader.run.progress.used(reader.session.usage());
        reader.writer.write(batch).await?;
    }
    Ok(())
}

async fn read_query(reader: &Reader<'_>, mut query: Query, beside: &Beside) -> Result<(), Stop> {
    let known = stored_cursor(reader, &query).await?;
    if known.as_ref().is_some_and(|cursor| cursor.done) {
        return Ok(());
    }
    let mut resume = known.and_then(|cursor| cursor.next_link);
    let mut restarts = 0;
    let mut listed = Listed::default();
    loop {
        listed.now = 0;
        match read_from(reader, &query, resume.take().as_deref(), beside, &mut listed).await {
            Ok(()) => return Ok(()),
            Err(failure) => query = after(reader, query, failure, restarts).await?,
        }
        restarts += 1;
    }
}

/// How many objects of a query came. When it begins anew, those that come again are not told again.
#[derive(Default)]
struct Listed {
    now: u64,
    most: u64,
}

impl Listed {
    /// Returns how many of them are new.
    fn add(&mut self, number: u64) -> u64 {
        self.now += number;
        let new = self.now.saturating_sub(self.most);
        self.most += new;
        new
    }
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
    beside: &Beside,
    listed: &mut Listed,
) -> Result<(), Failure> {
    let first: Url = reader.session.url(&query.path());
    let mut pager: Pager<Items> = match link {
        Some(link) => Pager::resume(reader.session.clone(), &first, link, query.options()).map_err(Failure::Graph)?,
        None => reader.session.pages(first, query.options()),
    };
    let mut pages = 0;
    loop {
        let mut page = match pager.next_held().await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(()),
            Err(error) if !error.refuses_optional() || (pages == 0 && link.is_none()) => {
                return Err(Failure::Graph(error));
            }
            Err(error) if pages == 0 => return Err(Failure::Resumed(error)),
            Err(error) => return Err(Failure::Later(error)),
        };
        pages += 1;
        let read = listed.add(page.content.iter().len() as u64);
        let batch = batch_of(reader, query, &page, beside, pages, read > 0)?;
        if let Some(found) = &beside.found {
            found.tell(reader, &batch.objects)?;
        }
        beside.listed.fetch_add(read, Ordering::Relaxed);
        reader.run.progress.advance(Work::Objects, read);
        match page.count {
            Some(count) => reader.expect(query.object_type, count),
            None if !reader.is_counted(query.object_type) => reader.run.progress.expect(Work::Objects, read),
            None => {}
        }
        reader.run.progress.used(reader.session.usage());
        // The text of a page is a megabyte, and the writer may be busy.
        let permit = page.permit.take();
        drop(page);
        reader.writer.write_page(batch, permit).await?;
    }
}

/// A page as rows: what the exclusions leave, and where the collection goes on. `is_new`: it was not counted before.
fn batch_of(
    reader: &Reader<'_>,
    query: &Query,
    page: &Page<Items>,
    beside: &Beside,
    pages: i32,
    is_new: bool,
) -> Result<Batch, Stop> {
    let mut batch = Batch::default();
    let mut excluded = 0;
    for item in page.content.iter() {
        let mut object = parse(item)?;
        if let Some(managers) = &beside.managers {
            object.manager = object.uuid().and_then(|id| managers.get(&id)).map(|id| Member::user(*id)).into();
        }
        match admitted(reader, query.object_type, &object, false)? {
            Admitted::Excluded => excluded += 1,
            Admitted::Yes | Admitted::NoMatch => batch.objects.extend(staged(query.object_type, &object)?),
        }
    }
    if excluded > 0 && is_new {
        reader.run.progress.count(query.object_type.as_str(), |count| count.out_of_scope += excluded);
    }
    let (next_link, done) = match &page.next {
        Next::More(next) => (Some(next.to_string()), false),
        Next::Complete(_) => (None, true),
    };
    let collection = query.object_type.as_str();
    batch.cursors.push(Cursor { collection, part: query.part.clone(), next_link, done, pages });
    Ok(batch)
}
