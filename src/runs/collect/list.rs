//! Reading a collection of objects page by page.

use super::answers::Question;
use super::fetch::fetch_held;
use super::groups::group::Found;
use super::object::{Admitted, admitted, ids_of, parse, staged};
use super::pages::{Pages, Restart, Restartable, follow, whole};
use super::read_error::{ReadError, Result};
use super::read_plan::entity;
use super::reader::Reader;
use super::request::{Request, Target};
use super::{managers, parts, ranges};
use crate::codes::{RunErrorCode, WarningCode};
use crate::db::mirror::{Batch, Cursor, CursorRow, StagedObject};
use crate::directory::{Link, ObjectType};
use crate::graph::wire::{Items, Member, Properties};
use crate::graph::{GraphError, IDS_IN_A_QUERY, Next, Page};
use crate::run_state::RunWarning;
use crate::runs::progress::Work;
use crate::runs::stop::Stop;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Up to so many users are read by their ids; more are cheaper together with all the others.
const MAX_BY_ID: u64 = 1_500;

/// What the pages of a collection are combined with, and who else gets them.
#[derive(Default)]
struct ListContext {
    /// The managers of users, where the list does not carry them.
    managers: Option<HashMap<Uuid, Uuid>>,
    /// Who reads the members of groups.
    found: Option<Found>,
    /// How many objects came.
    listed: AtomicU64,
}

/// Reads all objects of a type that the filter admits, to the last page.
pub(super) async fn read(reader: &Reader<'_>, object_type: ObjectType) -> Result<()> {
    read_collection(reader, object_type, None).await?;
    if object_type == ObjectType::Users {
        managers::complete(reader).await?;
    }
    Ok(())
}

/// Reads all groups that the filter admits, and sends each page on.
pub(super) async fn read_groups(reader: &Reader<'_>, found: Found) -> Result<()> {
    read_collection(reader, ObjectType::Groups, Some(found)).await
}

async fn read_collection(reader: &Reader<'_>, object_type: ObjectType, found: Option<Found>) -> Result<()> {
    count_earlier(reader, object_type).await?;
    let mut context =
        ListContext { managers: managers_of(reader, object_type).await?, found, ..ListContext::default() };
    let is_advanced = reader.dialect.is_advanced(&reader.run.job, object_type);
    let mut result = read_lists(reader, object_type, &context).await;
    if let Err(ReadError::Graph(error)) = &result
        && !is_advanced
        && learns_advanced(reader, object_type, error).await?
    {
        reader.staging.restart(object_type).await?;
        reader.run.progress.take_back(Work::Objects, context.listed.swap(0, Ordering::Relaxed));
        context.managers = managers_of(reader, object_type).await?;
        result = read_lists(reader, object_type, &context).await;
    }
    result.map_err(|error| filter_refused(reader, object_type, error))
}

/// The managers of users, where the list will not carry them.
async fn managers_of(reader: &Reader<'_>, object_type: ObjectType) -> Result<Option<HashMap<Uuid, Uuid>>> {
    match object_type {
        ObjectType::Users => managers::apart(reader).await,
        _ => Ok(None),
    }
}

/// Whether a list that was refused is to be asked for once more, as an advanced query.
async fn learns_advanced(reader: &Reader<'_>, object_type: ObjectType, error: &GraphError) -> Result<bool> {
    reader.dialect.learns_advanced(&reader.session, &reader.run.progress, &reader.run.job, object_type, error).await
}

async fn read_lists(reader: &Reader<'_>, object_type: ObjectType, context: &ListContext) -> Result<()> {
    let is_advanced = reader.dialect.is_advanced(&reader.run.job, object_type);
    if object_type == ObjectType::Users
        && let Some(parts) = ranges::requests(reader).await?
    {
        let readings = parts.into_iter().map(|request| read_part(reader, request, context));
        let error = match futures_util::future::try_join_all(readings).await {
            Ok(_) => return Ok(()),
            Err(ReadError::Graph(error)) if error.refuses_optional() => error,
            Err(error) => return Err(error),
        };
        if !is_advanced && learns_advanced(reader, object_type, &error).await? {
            return Err(error.into());
        }
        let detail = format!("The server refuses ranges of createdDateTime; users are read in one chain. {error}");
        reader.run.progress.warn(RunWarning::new(WarningCode::PartitionRefused, detail));
        reader.staging.restart(ObjectType::Users).await?;
        reader.run.progress.take_back(Work::Objects, context.listed.load(Ordering::Relaxed));
    }
    for request in reader.dialect.lists(&reader.run.job, object_type) {
        read_request(reader, request, context).await?;
    }
    Ok(())
}

/// What an earlier attempt of this run read is done already.
async fn count_earlier(reader: &Reader<'_>, object_type: ObjectType) -> Result<()> {
    let earlier = reader.staging.count(object_type).await?;
    if earlier == 0 {
        return Ok(());
    }
    let number = match object_type {
        ObjectType::Users => ranges::noted_number(reader).await?,
        _ => None,
    };
    match number {
        Some(number) => reader.expect(object_type, number),
        None => reader.run.progress.expect(Work::Objects, earlier),
    }
    reader.run.progress.was_done(Work::Objects, earlier);
    Ok(())
}

/// Graph refuses a request with the filter's condition: then the condition has to be changed.
pub(super) fn filter_refused(reader: &Reader<'_>, object_type: ObjectType, error: ReadError) -> ReadError {
    let rule = entity(object_type).and_then(|kind| reader.run.job.filter.rule(kind));
    match (error, rule) {
        (ReadError::Graph(error), Some(rule)) if error.refuses_optional() => {
            let (text, kind) = (rule.parsed.text(), rule.parsed.kind.as_str());
            let mut stop = Stop::graph(&error);
            if let Stop::Failed(failure) = &mut stop {
                failure.code = RunErrorCode::FilterInvalid.into();
                failure.detail = format!("Graph refuses the filter's condition on {kind}, `{text}`. {error}");
                let advice = format!("Change `{kind}` of the filter; its preview shows whether Graph accepts it.");
                failure.advice = Some(advice);
            }
            stop.into()
        }
        (error, _) => error,
    }
}

/// One range. The few users without a date come by an advanced query without managers, which are read separately.
async fn read_part(reader: &Reader<'_>, request: Request, context: &ListContext) -> Result<()> {
    if !request.advanced {
        return read_request(reader, request, context).await;
    }
    if stored_cursor(reader, &request).await?.is_some_and(|cursor| cursor.done) {
        return Ok(());
    }
    let wants_managers = reader.run.job.mapping.carries(ObjectType::Users, Link::MANAGER) && context.managers.is_none();
    let condition = request.filter.as_deref();
    match ranges::count(reader, condition).await? {
        Some(0) => Ok(()),
        Some(count) if wants_managers && count <= MAX_BY_ID => read_dateless(reader, &request).await,
        _ if wants_managers => {
            let context = ListContext { managers: managers::all(reader).await?, ..ListContext::default() };
            read_request(reader, request, &context).await
        }
        _ => read_request(reader, request, context).await,
    }
}

/// The few users that only an advanced query finds: it gives their ids, and the ids give the rest with `$expand`.
async fn read_dateless(reader: &Reader<'_>, request: &Request) -> Result<()> {
    let only_ids = Request { select: vec!["id".to_owned()], is_fixed: true, ..request.clone() };
    let question = Question::new(ObjectType::Users.as_str(), "dateless", request.filter.as_deref().map(str::as_bytes));
    let ids = reader.once(question, whole(reader, only_ids, "users without a date", ids_of)).await?;
    for ids in ids.chunks(IDS_IN_A_QUERY) {
        let question = Question::of(ObjectType::Users.as_str(), "datelessById", ids);
        if reader.answer::<()>(&question).await?.is_some() {
            continue;
        }
        let mut batch = Batch::default();
        let (users, held) = fetch_held(reader, ObjectType::Users, ids).await?;
        for user in users {
            match admitted(reader, ObjectType::Users, &user, false)? {
                Admitted::Yes => batch.objects.extend(staged(ObjectType::Users, &user)?),
                Admitted::Excluded | Admitted::NoMatch => {
                    reader.run.progress.count("users", |count| count.out_of_scope += 1);
                }
            }
        }
        reader.run.progress.advance(Work::Objects, ids.len() as u64);
        batch.cursors.push(question.answered(&())?);
        reader.staging.write_page(batch, held).await?;
    }
    let collection = ObjectType::Users.as_str().into();
    let end = Cursor { collection, part: request.part.clone(), next_link: None, done: true, pages: 1 };
    reader.staging.write(Batch { cursors: vec![end], ..Batch::default() }).await
}

/// Reads the first `limit` objects of a type, and no more. Returns their ids.
pub(super) async fn read_first(reader: &Reader<'_>, object_type: ObjectType, limit: u32) -> Result<Vec<Uuid>> {
    let is_advanced = reader.dialect.is_advanced(&reader.run.job, object_type);
    let first = read_first_of_lists(reader, object_type, limit).await;
    if let Err(ReadError::Graph(error)) = &first
        && !is_advanced
        && learns_advanced(reader, object_type, error).await?
    {
        return read_first_of_lists(reader, object_type, limit).await;
    }
    first
}

async fn read_first_of_lists(reader: &Reader<'_>, object_type: ObjectType, limit: u32) -> Result<Vec<Uuid>> {
    let mut first = FirstObjects { reader, object_type, limit: limit as usize, ids: Vec::new() };
    for request in reader.dialect.lists(&reader.run.job, object_type) {
        if first.ids.len() < first.limit {
            let top = request.top.map(|top| top.min(limit));
            follow(reader, Request { top, ..request }, None, &mut first).await?;
        }
    }
    Ok(first.ids)
}

/// The first objects of a type.
struct FirstObjects<'a> {
    reader: &'a Reader<'a>,
    object_type: ObjectType,
    limit: usize,
    ids: Vec<Uuid>,
}

impl Pages<Items> for FirstObjects<'_> {
    async fn take(&mut self, page: Page<Items>) -> Result<ControlFlow<()>> {
        let Self { reader, object_type, .. } = *self;
        let Rows { mut objects, excluded, partial } = rows_of(reader, object_type, &page.content, None)?;
        drop(page);
        objects.extend(parts::rows(reader, object_type, partial).await?);
        objects.retain(|object| !self.ids.contains(&object.id));
        objects.truncate(self.limit - self.ids.len());
        self.ids.extend(objects.iter().map(|object| object.id));
        reader.count_excluded(object_type, excluded);
        reader.run.progress.expect(Work::Objects, objects.len() as u64);
        reader.run.progress.advance(Work::Objects, objects.len() as u64);
        reader.staging.write(Batch { objects, ..Batch::default() }).await?;
        Ok(if self.ids.len() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }
}

impl Restartable for FirstObjects<'_> {
    async fn restart(&mut self, why: Restart<'_>) -> Result<()> {
        why.warning(self.object_type).into_iter().for_each(|warning| self.reader.run.progress.warn(warning));
        Ok(())
    }
}

/// Reads what one request asks for, resuming where an earlier attempt of the run stopped.
async fn read_request(reader: &Reader<'_>, request: Request, context: &ListContext) -> Result<()> {
    let Target::Objects(object_type) = request.target else { return Ok(()) };
    let cursor = stored_cursor(reader, &request).await?;
    if cursor.as_ref().is_some_and(|cursor| cursor.done) {
        return Ok(());
    }
    let part = request.part.clone();
    // What an earlier attempt read is counted already, and comes again if the collection has to start again. Of several
    // requests for a collection it is not known which one it came from.
    let is_whole = cursor.is_some() && reader.dialect.lists(&reader.run.job, object_type).len() == 1 && part == "0";
    let earlier = if is_whole { reader.staging.count(object_type).await? } else { 0 };
    let listed = Listed { now: earlier, most: earlier };
    let pages = cursor.as_ref().map_or(0, |cursor| cursor.pages);
    let mut objects = Objects { reader, context, object_type, part, pages, listed };
    follow(reader, request, cursor.and_then(|cursor| cursor.next_link), &mut objects).await
}

/// How many objects of a query came. After a restart, those that come again are not counted again.
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

async fn stored_cursor(reader: &Reader<'_>, request: &Request) -> Result<Option<CursorRow>> {
    let Target::Objects(object_type) = request.target else { return Ok(None) };
    Ok(reader.staging.cursors(object_type.as_str()).await?.remove(&request.part))
}

/// The pages of a list on their way into staging, each with the cursor of its collection.
struct Objects<'a> {
    reader: &'a Reader<'a>,
    context: &'a ListContext,
    object_type: ObjectType,
    part: String,
    pages: i32,
    listed: Listed,
}

impl Pages<Items> for Objects<'_> {
    async fn take(&mut self, mut page: Page<Items>) -> Result<ControlFlow<()>> {
        let (reader, object_type) = (self.reader, self.object_type);
        self.pages += 1;
        let new = self.listed.add(page.content.iter().len() as u64);
        let Rows { mut objects, excluded, partial } =
            rows_of(reader, object_type, &page.content, self.context.managers.as_ref())?;
        if new > 0 {
            reader.count_excluded(object_type, excluded);
        }
        if let Some(found) = &self.context.found {
            found.send(reader, &objects)?;
        }
        self.context.listed.fetch_add(new, Ordering::Relaxed);
        reader.run.progress.advance(Work::Objects, new);
        match page.count {
            Some(count) => reader.expect(object_type, count),
            None if !reader.is_counted(object_type) => reader.run.progress.expect(Work::Objects, new),
            None => {}
        }
        let (next_link, done) = match &page.next {
            Next::More(next) => (Some(next.to_string()), false),
            Next::Complete(_) => (None, true),
        };
        let (collection, part) = (object_type.as_str().into(), self.part.clone());
        let cursor = Cursor { collection, part, next_link, done, pages: self.pages };
        // The text of a page is a megabyte, and the writer may be busy.
        // It keeps its place among the requests until it is stored, unless it needs further ones.
        let permit = page.permit.take().filter(|_| partial.is_empty());
        drop(page);
        objects.extend(parts::rows(reader, object_type, partial).await?);
        let batch = Batch { objects, cursors: vec![cursor], ..Batch::default() };
        reader.staging.write_page(batch, permit).await?;
        Ok(ControlFlow::Continue(()))
    }
}

impl Restartable for Objects<'_> {
    async fn restart(&mut self, why: Restart<'_>) -> Result<()> {
        (self.pages, self.listed.now) = (0, 0);
        why.warning(self.object_type).into_iter().for_each(|warning| self.reader.run.progress.warn(warning));
        Ok(())
    }
}

/// What the exclusions leave of a page.
struct Rows {
    objects: Vec<StagedObject>,
    excluded: u64,
    /// Items without a list that belongs to them.
    partial: Vec<Properties>,
}

fn rows_of(
    reader: &Reader<'_>,
    object_type: ObjectType,
    items: &Items,
    managers: Option<&HashMap<Uuid, Uuid>>,
) -> Result<Rows> {
    let mut rows = Rows { objects: Vec::new(), excluded: 0, partial: Vec::new() };
    for item in items.iter() {
        let mut object = parse(item)?;
        if let Some(managers) = managers {
            object.manager = object.uuid().and_then(|id| managers.get(&id)).map(|id| Member::user(*id)).into();
        }
        match admitted(reader, object_type, &object, false)? {
            Admitted::Excluded => rows.excluded += 1,
            Admitted::Yes | Admitted::NoMatch if parts::is_partial(object_type, &object) => rows.partial.push(object),
            Admitted::Yes | Admitted::NoMatch => rows.objects.extend(staged(object_type, &object)?),
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_after_a_restart_is_counted_once_whichever_attempt_read_it() {
        let mut listed = Listed::default();
        assert_eq!((listed.add(5), listed.add(3)), (5, 3));
        listed.now = 0;
        assert_eq!((listed.add(5), listed.add(5)), (0, 2));
        let mut resumed = Listed { now: 10, most: 10 };
        assert_eq!(resumed.add(4), 4);
        resumed.now = 0;
        assert_eq!((resumed.add(10), resumed.add(6)), (0, 2));
    }
}
