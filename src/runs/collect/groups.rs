//! Groups with their owners and members. The members of a group are read as soon as the list shows it, those of many
//! groups at once, each to its last page. There is no limit on groups a user is in, or members of a group.

pub(super) mod group;

use super::dialect::Optional;
use super::list;
use super::reader::Reader;
use super::request::{RESTARTS_MOST, TOP, links_url, links_without_select};
use crate::codes::{RunErrorCode, WarningCode};
use crate::db::mirror::{self, Batch, Cursor, CursorRow, MEMBERS, StagedMembers, StagedObject, cursors, read};
use crate::directory::{ObjectType, Properties};
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::page::halve_top;
use crate::graph::wire::{Member, Members};
use crate::graph::{Next, Page, Pager, RequestOptions};
use crate::run_state::{RunMode, RunStage, RunWarning};
use crate::runs::progress::Work;
use crate::runs::stop::Stop;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream};
use group::{Found, Group, HIDDEN_ROLE, may_see_hidden};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use tokio::sync::mpsc;
use url::Url;
use uuid::Uuid;

/// Groups whose members are asked for at once; the limiter decides how many requests are really under way.
const GROUPS_AT_ONCE: usize = 176;
/// The collection name of groups' owners in `run_cursors`; its part is the group's id.
const OWNERS: &str = "owners";

pub(super) struct ReadGroups {
    pub memberships: bool,
    /// Groups whose members we may not see or could not read: what was known stays.
    pub members_unknown: Vec<Uuid>,
}

/// Reads groups, owners and members to their end.
pub(super) async fn read(reader: &Reader<'_>) -> Result<ReadGroups, Stop> {
    let (sender, found) = mpsc::unbounded_channel();
    // Those that an earlier attempt of this run has listed.
    for group in staged_groups(reader).await? {
        let _ = sender.send(group);
    }
    // The sender goes with the list: what is found ends when it does.
    let listing = async move { list::read_groups(reader, Found(sender)).await };
    let ((), members_unknown) = tokio::try_join!(listing, read_found(reader, found, known_sizes(reader).await?))?;
    warn_of_unknown(reader, members_unknown.len());
    Ok(ReadGroups { memberships: true, members_unknown })
}

fn warn_of_unknown(reader: &Reader<'_>, unknown: usize) {
    if unknown == 0 {
        return;
    }
    let detail = format!(
        "The members of {unknown} groups are hidden or could not be read; what was known of them stays as it was."
    );
    let advice = format!("Add the Application permission {HIDDEN_ROLE} if hidden memberships are to be imported.");
    let warning =
        RunWarning::new(WarningCode::MembershipsUnknown, detail).with_count(unknown as u64).with_advice(advice);
    reader.run.progress.warn(warning);
}

/// The groups that this run has staged by now.
async fn staged_groups(reader: &Reader<'_>) -> Result<Vec<Group>, Stop> {
    // Everything handed to the writer before is stored when this answers.
    reader.writer.flushed().await?;
    let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
    let groups = reader.run.app.db.scoped(organization, async |tx| {
        let mut rows = std::pin::pin!(read::data(tx, organization, read::Source::Staged(run), "groups").await?);
        let mut groups = Vec::new();
        while let Some(row) = rows.next().await {
            let row = row?;
            groups.push(Group::of(reader, row.id, &row.data)?);
        }
        Ok(groups)
    });
    Ok(groups.await?)
}

/// How many pages of members the large groups had when they were last read.
async fn known_sizes(reader: &Reader<'_>) -> Result<HashMap<Uuid, i32>, Stop> {
    let (organization, source) = (reader.run.job.organization, read::Source::Mirror(reader.run.job.id));
    let db = &reader.run.app.db;
    Ok(db.scoped(organization, async move |tx| read::group_sizes(tx, organization, source).await).await?)
}

async fn known_cursors(reader: &Reader<'_>, collection: &'static str) -> Result<HashMap<String, CursorRow>, Stop> {
    let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
    let db = &reader.run.app.db;
    Ok(db.scoped(organization, async move |tx| cursors(tx, organization, run, collection).await).await?)
}

/// Reads owners and members of groups that came into scope, and were staged as objects before. Returns those whose
/// members are unknown.
pub(super) async fn read_arrived(reader: &Reader<'_>, arrived: &[Uuid]) -> Result<Vec<Uuid>, Stop> {
    if arrived.is_empty() {
        return Ok(Vec::new());
    }
    let arrived: HashSet<Uuid> = arrived.iter().copied().collect();
    let groups = staged_groups(reader).await?;
    read_these(reader, groups.into_iter().filter(|group| arrived.contains(&group.id))).await
}

/// Reads the members of the groups (id, whether its membership is hidden) that were not read yet.
pub(super) async fn read_others(reader: &Reader<'_>, groups: Vec<(Uuid, bool)>) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let may_see_hidden = may_see_hidden(reader);
    let groups = groups.into_iter().map(|(id, hides)| Group::without_owners(id, hides && !may_see_hidden));
    read_these(reader, groups).await.map(drop)
}

/// Reads the members of groups once more, from their first page. Returns those whose members are unknown.
pub(super) async fn read_again(reader: &Reader<'_>, groups: &[Uuid]) -> Result<Vec<Uuid>, Stop> {
    for group in groups {
        restart(reader, *group).await?;
    }
    read_these(reader, groups.iter().map(|group| Group::without_owners(*group, false))).await
}

async fn read_these(reader: &Reader<'_>, groups: impl Iterator<Item = Group>) -> Result<Vec<Uuid>, Stop> {
    let (sender, found) = mpsc::unbounded_channel();
    for group in groups {
        let _ = sender.send(group);
    }
    drop(sender);
    read_found(reader, found, HashMap::new()).await
}

/// What is still to be read of a group. Largest known first: a group of a million members is a thousand pages one
/// after another, so it has to begin early.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    size: i32,
    group: Uuid,
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Members,
    /// Those that the list did not show.
    Owners,
}

/// Reads the members of groups while they are being found, and, when all are, the owners that the list did not show:
/// until then the list may begin anew and bring the first twenty again. Returns the groups whose members are unknown.
async fn read_found(
    reader: &Reader<'_>,
    mut found: mpsc::UnboundedReceiver<Group>,
    sizes: HashMap<Uuid, i32>,
) -> Result<Vec<Uuid>, Stop> {
    let (members, owners) = (known_cursors(reader, MEMBERS).await?, known_cursors(reader, OWNERS).await?);
    let cursor = |part, group: Uuid| match part {
        Part::Members => members.get(&group.to_string()).cloned(),
        Part::Owners => owners.get(&group.to_string()).cloned(),
    };
    let (mut seen, mut without_owners, mut owners_unknown) = (HashSet::new(), Vec::new(), 0);
    let (mut waiting, mut reading) = (BinaryHeap::new(), FuturesUnordered::new());
    let mut unknown = Vec::new();
    let mut is_complete = false;
    // Nothing else may be waited for in this loop: what is being read would stand still meanwhile, and with it whoever
    // waits behind it for the limiter or the writer.
    loop {
        while reading.len() < GROUPS_AT_ONCE
            && let Some(Waiting { group, part, .. }) = waiting.pop()
        {
            reading.push(read_part(reader, group, part, cursor(part, group)));
        }
        if is_complete && reading.is_empty() {
            return Ok(unknown);
        }
        tokio::select! {
            biased;
            group = found.recv(), if !is_complete => match group {
                Some(group) if !seen.insert(group.id) => {}
                Some(group) => {
                    reader.run.progress.expect(Work::Groups, 1);
                    owners_unknown += usize::from(group.owners_unknown);
                    without_owners.extend(group.owners_incomplete.then_some(group.id));
                    if group.hidden {
                        reader.run.progress.advance(Work::Groups, 1);
                        unknown.push(group.id);
                    } else {
                        let size = sizes.get(&group.id).copied().unwrap_or(0);
                        waiting.push(Waiting { size, group: group.id, part: Part::Members });
                    }
                }
                None => {
                    is_complete = true;
                    if owners_unknown > 0 && owners_unknown == seen.len() && reader.run.mode != RunMode::Incremental {
                        reader.refused.note(&reader.run.progress, Optional::Expand(ObjectType::Groups), None);
                    }
                    let owners = without_owners.drain(..);
                    waiting.extend(owners.map(|group| Waiting { size: 0, group, part: Part::Owners }));
                }
            },
            Some(read) = reading.next(), if !reading.is_empty() => unknown.extend(read?),
        }
    }
}

/// Reads the members or the owners of one group. Returns the group when its members are unknown.
async fn read_part(
    reader: &Reader<'_>,
    group: Uuid,
    part: Part,
    cursor: Option<CursorRow>,
) -> Result<Option<Uuid>, Stop> {
    let is_done = cursor.as_ref().is_some_and(|cursor| cursor.done);
    let is_known = match part {
        Part::Owners if !is_done => read_owners(reader, group).await.map(|()| true)?,
        Part::Members if !is_done => read_members(reader, group, cursor).await?,
        Part::Members | Part::Owners => true,
    };
    let done = u64::from(part == Part::Members);
    match is_done {
        true => reader.run.progress.was_done(Work::Groups, done),
        false => reader.run.progress.advance(Work::Groups, done),
    }
    reader.run.progress.used(reader.session.usage());
    Ok((!is_known).then_some(group))
}

/// Whether the members of a group can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Visible {
    Yes,
    /// `visibility: HiddenMembership`, and the permission for it is missing.
    Hidden,
    Gone,
}

/// Reads the members of groups by which a scope decides, unless they were read already. They need not be among the
/// groups that are imported.
pub(super) async fn read_roots(reader: &Reader<'_>, groups: &[Uuid]) -> Result<Vec<(Uuid, Visible)>, Stop> {
    reader.writer.flushed().await?;
    let known = known_cursors(reader, MEMBERS).await?;
    stream::iter(groups.to_vec())
        .map(|group| {
            let cursor = known.get(&group.to_string()).cloned();
            async move { read_root(reader, group, cursor).await.map(|visible| (group, visible)) }
        })
        .buffer_unordered(GROUPS_AT_ONCE)
        .try_collect()
        .await
}

async fn read_root(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<Visible, Stop> {
    if cursor.as_ref().is_some_and(|cursor| cursor.done) {
        return Ok(Visible::Yes);
    }
    // Hidden members look like no members.
    let visible = visible(reader, group).await?;
    if visible != Visible::Yes {
        return Ok(visible);
    }
    let is_known = read_members(reader, group, cursor).await?;
    reader.run.progress.used(reader.session.usage());
    Ok(if is_known { Visible::Yes } else { Visible::Gone })
}

async fn visible(reader: &Reader<'_>, group: Uuid) -> Result<Visible, Stop> {
    let url = |query: &str| reader.session.url(&format!("groups/{group}{query}"));
    let options = RequestOptions::default();
    let body = match reader.session.get(&url("?$select=id,visibility"), &options).await {
        Ok(body) => body,
        Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => return Ok(Visible::Gone),
        // A server that takes no $select.
        Err(error) if error.refuses_optional() => reader.session.get(&url(""), &options).await?,
        Err(error) => return Err(error.into()),
    };
    let map: Properties = body.json()?;
    let hides = map.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
    Ok(if hides && !may_see_hidden(reader) { Visible::Hidden } else { Visible::Yes })
}

/// Reads the members of one group to the last page; `false` when the group is gone.
async fn read_members(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<bool, Stop> {
    let path = format!("groups/{group}/members");
    let mut first = links_url(reader, &path, Some(TOP));
    let mut resume = cursor;
    for _ in 0..=RESTARTS_MOST {
        let is_resumed = resume.as_ref().is_some_and(|cursor| cursor.next_link.is_some());
        match follow_members(reader, group, &first, resume.take()).await? {
            None => return Ok(true),
            // A link stored by an earlier attempt of the run.
            Some(error) if is_resumed && error.refuses_optional() => begin_anew(reader, group, &error).await?,
            Some(error) if links_without_select(reader, &path, &first, &error).await? => {
                first = links_url(reader, &path, Some(TOP));
                restart(reader, group).await?;
            }
            Some(error) if matches!(error.kind, GraphErrorKind::NotFound) => {
                let detail = format!("Group {group} disappeared while it was read; its members are left as known.");
                reader.run.progress.warn(RunWarning::new(WarningCode::GroupGone, detail));
                return Ok(false);
            }
            Some(error) => {
                first = match (&error.kind, halve_top(&first)) {
                    (GraphErrorKind::PageTokenExpired, _) => first,
                    (GraphErrorKind::GatewayTimeout, Some(halved)) => halved,
                    _ => return Err(error.into()),
                };
                begin_anew(reader, group, &error).await?;
            }
        }
    }
    Err(Stop::failed(
        RunStage::Collect,
        RunErrorCode::GraphPageTokenExpired,
        format!("The members of group {group} were begun {RESTARTS_MOST} times and never read to their last page."),
        "Graph is slow or overloaded just now: start the run again later.",
    ))
}

async fn begin_anew(reader: &Reader<'_>, group: Uuid, why: &GraphError) -> Result<(), Stop> {
    let detail = format!("The members of group {group} are read again from their first page: {why}");
    reader.run.progress.warn(RunWarning::new(WarningCode::MembersRestarted, detail));
    restart(reader, group).await
}

async fn restart(reader: &Reader<'_>, group: Uuid) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let lease = reader.run.lease;
    let db = &reader.run.app.db;
    db.scoped(lease.organization, async move |tx| mirror::restart_members(tx, &lease, group).await).await?;
    Ok(())
}

/// Follows the pages; an error of Graph that asking again may help is returned as a value.
async fn follow_members(
    reader: &Reader<'_>,
    group: Uuid,
    first: &Url,
    cursor: Option<CursorRow>,
) -> Result<Option<GraphError>, Stop> {
    let mut part = cursor.as_ref().map_or(0, |cursor| cursor.pages);
    let link = cursor.and_then(|cursor| cursor.next_link);
    // While the directory changes, a member can move to the next page. One that comes again still later is stored twice,
    // and counts once wherever it is used: to know all who came before would take the memory of the largest groups.
    let mut before: HashSet<Uuid> = HashSet::new();
    let mut pager: Pager<Members> = match link {
        Some(link) => Pager::resume(reader.session.clone(), first, &link, RequestOptions::halving())?,
        None => reader.session.pages(first.clone(), RequestOptions::halving()),
    };
    loop {
        match pager.next_held().await {
            Ok(Some(mut page)) => {
                reader.refused.links_are_understood();
                page.content.0.retain(|member| !before.contains(&member.id));
                before = match page.next {
                    Next::More(_) => page.content.0.iter().map(|member| member.id).collect(),
                    Next::Complete(_) => HashSet::new(),
                };
                reader.writer.write_page(batch_of(group, part, &page), page.permit.take()).await?;
                part += 1;
            }
            Ok(None) => return Ok(None),
            Err(error) if error.is_cancelled() => return Err(Stop::Cancelled),
            Err(error) => return Ok(Some(error)),
        }
    }
}

fn batch_of(group: Uuid, part: i32, page: &Page<Members>) -> Batch {
    let mut by_type: BTreeMap<&'static str, Vec<Uuid>> = BTreeMap::new();
    for member in &page.content.0 {
        by_type.entry(member.kind.as_str()).or_default().push(member.id);
    }
    let members =
        by_type.into_iter().map(|(member_type, members)| StagedMembers::new(group, member_type, part, members));
    let (next_link, done) = match &page.next {
        Next::More(next) => (Some(next.to_string()), false),
        Next::Complete(_) => (None, true),
    };
    let cursor = Cursor { collection: MEMBERS, part: group.to_string(), next_link, done, pages: part + 1 };
    Batch { members: members.collect(), cursors: vec![cursor], ..Batch::default() }
}

/// Reads all owners of a group of which the list showed only the first twenty, or none.
async fn read_owners(reader: &Reader<'_>, group: Uuid) -> Result<(), Stop> {
    let path = format!("groups/{group}/owners");
    let mut first = links_url(reader, &path, Some(TOP));
    for restarts in 0.. {
        match follow_owners(reader, &first).await {
            Ok(owners) => {
                let objects = with_owners(reader, group, owners).await?.into_iter().collect();
                let part = group.to_string();
                let cursor = Cursor { collection: OWNERS, part, next_link: None, done: true, pages: 1 };
                return reader.writer.write(Batch { objects, cursors: vec![cursor], ..Batch::default() }).await;
            }
            Err(error) if links_without_select(reader, &path, &first, &error).await? => {
                first = links_url(reader, &path, Some(TOP));
            }
            Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => return Ok(()),
            Err(error) if restarts == RESTARTS_MOST => return Err(error.into()),
            Err(error) => {
                first = match (&error.kind, halve_top(&first)) {
                    (GraphErrorKind::PageTokenExpired, _) => first,
                    (GraphErrorKind::GatewayTimeout, Some(halved)) => halved,
                    _ => return Err(error.into()),
                };
            }
        }
    }
    Ok(())
}

/// The owners from the first page to the last.
async fn follow_owners(reader: &Reader<'_>, first: &Url) -> crate::graph::error::Result<Vec<Uuid>> {
    let mut pager: Pager<Members> = reader.session.pages(first.clone(), RequestOptions::halving());
    let mut owners: Vec<Uuid> = Vec::new();
    while let Some(page) = pager.next().await? {
        owners.extend(page.content.0.iter().map(|owner: &Member| owner.id));
    }
    owners.sort_unstable();
    owners.dedup();
    Ok(owners)
}

async fn with_owners(reader: &Reader<'_>, group: Uuid, owners: Vec<Uuid>) -> Result<Option<StagedObject>, Stop> {
    // The page that has the group may still be on its way.
    reader.writer.flushed().await?;
    let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
    let source = read::Source::Staged(run);
    let data = reader
        .run
        .app
        .db
        .scoped(organization, async move |tx| read::one(tx, organization, source, "groups", group).await)
        .await?;
    let Some(data) = data else { return Ok(None) };
    let mut map: Properties = serde_json::from_str(&data).map_err(crate::error::Error::internal)?;
    map.insert("ownerIds".to_owned(), json!(owners));
    let data = Value::Object(map).to_string();
    let hash = mirror::hash(&[data.as_bytes()]);
    Ok(Some(StagedObject { object_type: ObjectType::Groups.as_str(), id: group, hash, data: Some(data) }))
}
