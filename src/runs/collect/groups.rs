//! Groups with their owners and members. The members of a group are read as soon as the list shows it, those of many
//! groups at once, each to its last page. There is no limit on groups a user is in, or members of a group.

pub(super) mod group;

use super::answers::Question;
use super::dialect::Feature;
use super::list;
use super::object::staged_map;
use super::pages::{Pages, Restart, Restartable, follow, whole};
use super::read_error::{ReadError, Result};
use super::reader::Reader;
use crate::codes::WarningCode;
use crate::db::mirror::read::ObjectRow;
use crate::db::mirror::{Batch, Cursor, CursorRow, MEMBERS, StagedMembers, StagedObject};
use crate::directory::{MemberType, ObjectType, Properties};
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::limiter::Permit;
use crate::graph::wire::Members;
use crate::graph::{Next, Page, RequestOptions};
use crate::run_state::{RunMode, RunWarning};
use crate::runs::progress::Work;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream};
use group::{Found, Group, HIDDEN_ROLE, may_see_hidden};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::ops::ControlFlow;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Groups whose members are read at once; the limiter decides how many requests are really in flight.
const GROUPS_AT_ONCE: usize = 176;
/// The collection name of groups' owners in `run_cursors`; its part is the group's id.
const OWNERS: &str = "owners";

pub(super) struct ReadGroups {
    pub memberships: bool,
    /// Groups whose members we may not see or could not read: what was known stays.
    pub members_unknown: Vec<Uuid>,
}

/// Reads groups, owners and members to their end.
pub(super) async fn read(reader: &Reader<'_>) -> Result<ReadGroups> {
    let (sender, found) = mpsc::unbounded_channel();
    // Those that an earlier attempt of this run has listed.
    for group in staged_groups(reader).await? {
        let _ = sender.send(group);
    }
    // The sender goes with the list: what is found ends when it does.
    let listing = async move { list::read_groups(reader, Found(sender)).await };
    let ((), members_unknown) =
        tokio::try_join!(listing, read_found(reader, found, reader.mirror.group_sizes().await?))?;
    Ok(ReadGroups { memberships: true, members_unknown })
}

fn warn_of_hidden(reader: &Reader<'_>, unknown: usize) {
    if unknown == 0 {
        return;
    }
    let detail = format!("The members of {unknown} groups are hidden; they stay as last known.");
    let advice = format!("Add the Application permission {HIDDEN_ROLE} if hidden memberships are to be imported.");
    let warning =
        RunWarning::new(WarningCode::MembershipsUnknown, detail).with_count(unknown as u64).with_advice(advice);
    reader.run.progress.warn(warning);
}

/// The groups that this run has staged by now.
async fn staged_groups(reader: &Reader<'_>) -> Result<Vec<Group>> {
    let group = |row: ObjectRow| Group::of(reader, row.id, &row.data).map(Some);
    reader.staging.each_object(ObjectType::Groups, group).await
}

/// Reads owners and members of groups that came into scope, and were staged as objects before. Returns those whose
/// members are unknown.
pub(super) async fn read_arrived(reader: &Reader<'_>, arrived: &[Uuid]) -> Result<Vec<Uuid>> {
    if arrived.is_empty() {
        return Ok(Vec::new());
    }
    let arrived: HashSet<Uuid> = arrived.iter().copied().collect();
    let groups = staged_groups(reader).await?;
    read_these(reader, groups.into_iter().filter(|group| arrived.contains(&group.id))).await
}

/// The same, where members of these groups may be staged already, from what was known of them.
pub(super) async fn read_arrived_again(reader: &Reader<'_>, arrived: &[Uuid]) -> Result<Vec<Uuid>> {
    // One with a position was read from its first page, by this attempt or an earlier one.
    let read = reader.staging.cursors(MEMBERS).await?;
    for group in arrived.iter().filter(|group| !read.contains_key(&group.to_string())) {
        reader.staging.restart_members(*group).await?;
    }
    read_arrived(reader, arrived).await
}

/// Reads the members of the groups (id, whether its membership is hidden) that were not read yet.
pub(super) async fn read_others(reader: &Reader<'_>, groups: Vec<(Uuid, bool)>) -> Result<()> {
    reader.staging.stored().await?;
    let may_see_hidden = may_see_hidden(reader);
    let groups = groups.into_iter().map(|(id, hides)| Group::without_owners(id, hides && !may_see_hidden));
    read_these(reader, groups).await.map(drop)
}

/// Reads the members of groups once more, from their first page. Returns those whose members are unknown.
pub(super) async fn read_again(reader: &Reader<'_>, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    for group in groups {
        reader.staging.restart_members(*group).await?;
    }
    read_these(reader, groups.iter().map(|group| Group::without_owners(*group, false))).await
}

async fn read_these(reader: &Reader<'_>, groups: impl Iterator<Item = Group>) -> Result<Vec<Uuid>> {
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
/// until then the list may start again and bring the first twenty again. Returns the groups whose members are unknown.
async fn read_found(
    reader: &Reader<'_>,
    mut found: mpsc::UnboundedReceiver<Group>,
    sizes: HashMap<Uuid, i32>,
) -> Result<Vec<Uuid>> {
    let (members, owners) = (reader.staging.cursors(MEMBERS).await?, reader.staging.cursors(OWNERS).await?);
    let cursor = |part, group: Uuid| match part {
        Part::Members => members.get(&group.to_string()).cloned(),
        Part::Owners => owners.get(&group.to_string()).cloned(),
    };
    let (mut seen, mut without_owners, mut owners_unknown) = (HashSet::new(), Vec::new(), 0);
    let (mut waiting, mut reading) = (BinaryHeap::new(), FuturesUnordered::new());
    let (mut unknown, mut hidden) = (Vec::new(), 0);
    let mut is_complete = false;
    // This loop must await nothing else: the reads in progress would stand still meanwhile, and with them everything that
    // waits for the limiter or the writer.
    loop {
        while reading.len() < GROUPS_AT_ONCE
            && let Some(Waiting { group, part, .. }) = waiting.pop()
        {
            reading.push(read_part(reader, group, part, cursor(part, group)));
        }
        if is_complete && reading.is_empty() {
            if reader.run.mode != RunMode::Incremental {
                warn_of_hidden(reader, hidden);
            }
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
                        hidden += 1;
                        unknown.push(group.id);
                    } else {
                        let size = sizes.get(&group.id).copied().unwrap_or(0);
                        waiting.push(Waiting { size, group: group.id, part: Part::Members });
                    }
                }
                None => {
                    is_complete = true;
                    // An advanced query shows no owners of anything.
                    let is_advanced = reader.dialect.is_advanced(&reader.run.job, ObjectType::Groups);
                    if owners_unknown > 0
                        && owners_unknown == seen.len()
                        && !is_advanced
                        && reader.run.mode != RunMode::Incremental
                    {
                        reader.dialect.note(&reader.run.progress, Feature::Expand(ObjectType::Groups), None);
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
async fn read_part(reader: &Reader<'_>, group: Uuid, part: Part, cursor: Option<CursorRow>) -> Result<Option<Uuid>> {
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
    reader.report_usage();
    Ok((!is_known).then_some(group))
}

/// Whether the members of a group can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Visible {
    Yes,
    /// `visibility: HiddenMembership`, and the permission for it is missing.
    Hidden,
    Gone,
}

/// Reads the members of groups by which a scope decides, unless they were read already. They need not be among the
/// groups that are imported.
pub(super) async fn read_roots(reader: &Reader<'_>, groups: &[Uuid]) -> Result<Vec<(Uuid, Visible)>> {
    let known = reader.staging.cursors(MEMBERS).await?;
    stream::iter(groups.to_vec())
        .map(|group| {
            let cursor = known.get(&group.to_string()).cloned();
            async move { read_root(reader, group, cursor).await.map(|visible| (group, visible)) }
        })
        .buffer_unordered(GROUPS_AT_ONCE)
        .try_collect()
        .await
}

async fn read_root(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<Visible> {
    if cursor.as_ref().is_some_and(|cursor| cursor.done) {
        return Ok(Visible::Yes);
    }
    // Hidden members look like no members.
    let question = Question::of("visible", "", &[group]);
    let visible = reader.once(question, visible(reader, group)).await?;
    if visible != Visible::Yes {
        return Ok(visible);
    }
    let is_known = read_members(reader, group, cursor).await?;
    reader.report_usage();
    Ok(if is_known { Visible::Yes } else { Visible::Gone })
}

async fn visible(reader: &Reader<'_>, group: Uuid) -> Result<(Visible, Option<Permit>)> {
    let url = |query: &str| reader.session.url(&format!("groups/{group}{query}"));
    let options = RequestOptions::default();
    let (body, permit) = match reader.session.get_held(&url("?$select=id,visibility"), &options).await {
        Ok(answer) => answer,
        Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => return Ok((Visible::Gone, None)),
        // A server that takes no $select.
        Err(error) if error.refuses_optional() => reader.session.get_held(&url(""), &options).await?,
        Err(error) => return Err(error.into()),
    };
    let map: Properties = body.json()?;
    let hides = map.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
    let visible = if hides && !may_see_hidden(reader) { Visible::Hidden } else { Visible::Yes };
    Ok((visible, Some(permit)))
}

/// Reads the members of one group to the last page; `false` when they are not found, which is reported.
async fn read_members(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<bool> {
    match follow_members(reader, group, cursor).await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::NotFound) => {}
        outcome => return outcome.map(|()| true),
    }
    if visible(reader, group).await?.0 == Visible::Gone {
        let detail = format!("Group {group} was deleted while it was read; its members stay as last known.");
        reader.run.progress.warn(RunWarning::new(WarningCode::GroupGone, detail));
        return Ok(false);
    }
    // A replica that is behind does not find them for a moment.
    reader.staging.restart_members(group).await?;
    match follow_members(reader, group, None).await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::NotFound) => {
            report_not_found(reader, group, &error);
            Ok(false)
        }
        outcome => outcome.map(|()| true),
    }
}

async fn follow_members(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<()> {
    let part = cursor.as_ref().map_or(0, |cursor| cursor.pages);
    let link = cursor.and_then(|cursor| cursor.next_link);
    let request = reader.dialect.links(format!("groups/{group}/members"));
    let mut pages = MemberPages { reader, group, part, before: HashSet::new() };
    follow(reader, request, link, &mut pages).await
}

/// Graph cannot read one of the members: the group exists.
fn report_not_found(reader: &Reader<'_>, group: Uuid, error: &GraphError) {
    let detail = format!(
        "Graph does not return the members of group {group}, although the group exists. They stay as last known. {error}"
    );
    let request = error.request_id.as_deref().unwrap_or("unknown");
    let advice = format!(
        "Look in the Entra admin center for a deleted member of the group, and remove it; or give the request id {request} \
         to Microsoft support."
    );
    reader.run.progress.degrade(RunWarning::new(WarningCode::MembersNotFound, detail).with_advice(advice));
}

/// The pages of one group's members on their way into staging.
struct MemberPages<'a> {
    reader: &'a Reader<'a>,
    group: Uuid,
    /// The number of the next page.
    part: i32,
    /// The members on the page before. While the directory changes, a member can move to the next page. One that comes
    /// again later is stored twice, and counts once wherever it is used: to know all members that came before would take
    /// the memory of the largest groups.
    before: HashSet<Uuid>,
}

impl Pages<Members> for MemberPages<'_> {
    async fn take(&mut self, mut page: Page<Members>) -> Result<ControlFlow<()>> {
        self.reader.dialect.links_are_understood();
        page.content.0.retain(|member| !self.before.contains(&member.id));
        self.before = match page.next {
            Next::More(_) => page.content.0.iter().map(|member| member.id).collect(),
            Next::Complete(_) => HashSet::new(),
        };
        self.reader.staging.write_page(batch_of(self.group, self.part, &page), page.permit.take()).await?;
        self.part += 1;
        Ok(ControlFlow::Continue(()))
    }
}

impl Restartable for MemberPages<'_> {
    async fn restart(&mut self, why: Restart<'_>) -> Result<()> {
        if let Some(error) = why.error() {
            let detail = format!("The members of group {} are read again from their first page: {error}", self.group);
            self.reader.run.progress.warn(RunWarning::new(WarningCode::MembersRestarted, detail));
        }
        (self.part, self.before) = (0, HashSet::new());
        self.reader.staging.restart_members(self.group).await
    }
}

fn batch_of(group: Uuid, part: i32, page: &Page<Members>) -> Batch {
    let mut by_type: BTreeMap<MemberType, Vec<Uuid>> = BTreeMap::new();
    for member in &page.content.0 {
        by_type.entry(member.kind).or_default().push(member.id);
    }
    let members =
        by_type.into_iter().map(|(member_type, members)| StagedMembers::new(group, member_type, part, members));
    let (next_link, done) = match &page.next {
        Next::More(next) => (Some(next.to_string()), false),
        Next::Complete(_) => (None, true),
    };
    let cursor = Cursor { collection: MEMBERS.into(), part: group.to_string(), next_link, done, pages: part + 1 };
    Batch { members: members.collect(), cursors: vec![cursor], ..Batch::default() }
}

/// Reads all owners of a group of which the list showed only the first twenty, or none.
async fn read_owners(reader: &Reader<'_>, group: Uuid) -> Result<()> {
    let request = reader.dialect.links(format!("groups/{group}/owners"));
    let each = |page: &Members, owners: &mut Vec<Uuid>| {
        owners.extend(page.0.iter().map(|owner| owner.id));
        Ok(())
    };
    let (mut owners, held) = match whole(reader, request, "owners", each).await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::NotFound) => return Ok(()),
        owners => owners?,
    };
    owners.sort_unstable();
    owners.dedup();
    let objects = with_owners(reader, group, owners).await?.into_iter().collect();
    let cursor = Cursor { collection: OWNERS.into(), part: group.to_string(), next_link: None, done: true, pages: 1 };
    reader.staging.write_page(Batch { objects, cursors: vec![cursor], ..Batch::default() }, held).await
}

async fn with_owners(reader: &Reader<'_>, group: Uuid, owners: Vec<Uuid>) -> Result<Option<StagedObject>> {
    // The page that has the group may still be in the writer; reading waits for it.
    let data = reader.staging.objects(ObjectType::Groups, vec![group]).await?.pop().map(|row| row.data);
    let Some(data) = data else { return Ok(None) };
    let mut map: Properties = serde_json::from_str(&data).map_err(crate::error::Error::internal)?;
    map.insert("ownerIds".to_owned(), json!(owners));
    Ok(Some(staged_map(ObjectType::Groups, group, map)))
}
