//! Groups with their owners and members. The members of a group are read as soon as the list shows it, those of many
//! groups at once, each to its last page. There is no limit on groups a user is in, or members of a group.

pub(super) mod group;
mod members;
mod owners;

pub(super) use members::Visible;

use super::answers::Question;
use super::dialect::Feature;
use super::list;
use super::read_error::Result;
use super::reader::Reader;
use crate::codes::WarningCode;
use crate::db::mirror::read::ObjectRow;
use crate::db::mirror::{CursorRow, MEMBERS};
use crate::directory::ObjectType;
use crate::plural::counted;
use crate::run_state::{RunMode, RunWarning};
use crate::runs::progress::Work;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream};
use group::{Found, Group, HIDDEN_ROLE, may_see_hidden};
use owners::OWNERS;
use std::collections::{BinaryHeap, HashMap, HashSet};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Groups whose members are read at once; the limiter decides how many requests are really in flight.
const GROUPS_AT_ONCE: usize = 176;

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

fn warn_of_hidden(reader: &Reader<'_>, number: u64) {
    if number == 0 {
        return;
    }
    let hidden = counted(number, "group", "groups");
    let detail = format!("The members of {hidden} are hidden; they stay as last known.");
    let advice = format!("Add the Application permission {HIDDEN_ROLE} if hidden memberships are to be imported.");
    let warning = RunWarning::new(WarningCode::MembershipsUnknown, detail).with_count(number).with_advice(advice);
    reader.run.progress.warn(warning);
}

/// The groups that this run has staged by now.
async fn staged_groups(reader: &Reader<'_>) -> Result<Vec<Group>> {
    let group = |row: ObjectRow| Group::of(reader, row.id, &row.data).map(Some);
    reader.staging.each_object(ObjectType::Groups, group).await
}

/// Reads owners and members of groups that came into scope, and were staged as objects before. Returns those whose
/// members are unknown. What was staged of these before the error is deleted: it is not all.
pub(super) async fn read_arrived(reader: &Reader<'_>, arrived: &[Uuid]) -> Result<Vec<Uuid>> {
    if arrived.is_empty() {
        return Ok(Vec::new());
    }
    let arrived: HashSet<Uuid> = arrived.iter().copied().collect();
    let groups = staged_groups(reader).await?;
    let unknown = read_these(reader, groups.into_iter().filter(|group| arrived.contains(&group.id))).await?;
    for group in &unknown {
        reader.staging.restart_members(*group).await?;
    }
    Ok(unknown)
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

/// The groups that were found, and what is still to be read of them.
struct Queue<'a> {
    reader: &'a Reader<'a>,
    /// By group, how many pages of members it has, where that is known.
    sizes: HashMap<Uuid, i32>,
    seen: HashSet<Uuid>,
    waiting: BinaryHeap<Waiting>,
    /// The groups of which the list may not have shown all owners; and of how many it showed none.
    without_owners: Vec<Uuid>,
    owners_unknown: usize,
    /// The groups whose members are unknown; and how many of them are hidden.
    members_unknown: Vec<Uuid>,
    hidden: u64,
}

impl<'a> Queue<'a> {
    fn new(reader: &'a Reader<'a>, sizes: HashMap<Uuid, i32>) -> Self {
        Self {
            reader,
            sizes,
            seen: HashSet::new(),
            waiting: BinaryHeap::new(),
            without_owners: Vec::new(),
            owners_unknown: 0,
            members_unknown: Vec::new(),
            hidden: 0,
        }
    }

    /// Takes a group that was found, which may have been found before.
    fn add(&mut self, group: &Group) {
        if !self.seen.insert(group.id) {
            return;
        }
        self.reader.run.progress.expect(Work::Groups, 1);
        self.owners_unknown += usize::from(group.owners_unknown);
        self.without_owners.extend(group.owners_incomplete.then_some(group.id));
        if group.hidden {
            self.reader.run.progress.advance(Work::Groups, 1);
            self.hidden += 1;
            self.members_unknown.push(group.id);
        } else {
            let size = self.sizes.get(&group.id).copied().unwrap_or(0);
            self.waiting.push(Waiting { size, group: group.id, part: Part::Members });
        }
    }

    /// Once all groups are found: adds the owners that the list did not show.
    fn add_owners(&mut self) {
        let Reader { run, dialect, .. } = self.reader;
        // An advanced query shows no owners of anything.
        let is_advanced = dialect.is_advanced(&run.job, ObjectType::Groups);
        let has_none = self.owners_unknown > 0 && self.owners_unknown == self.seen.len();
        if has_none && !is_advanced && run.mode != RunMode::Incremental {
            dialect.note(&run.progress, Feature::Expand(ObjectType::Groups), None);
        }
        let owners = self.without_owners.drain(..);
        self.waiting.extend(owners.map(|group| Waiting { size: 0, group, part: Part::Owners }));
    }

    /// Once everything is read: the groups whose members are unknown.
    fn end(self) -> Vec<Uuid> {
        if self.reader.run.mode != RunMode::Incremental {
            warn_of_hidden(self.reader, self.hidden);
        }
        self.members_unknown
    }
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
    let (mut queue, mut reading) = (Queue::new(reader, sizes), FuturesUnordered::new());
    let mut is_complete = false;
    // This loop must await nothing else: the reads in progress would stand still meanwhile, and with them everything that
    // waits for the limiter or the writer.
    loop {
        while reading.len() < GROUPS_AT_ONCE
            && let Some(Waiting { group, part, .. }) = queue.waiting.pop()
        {
            reading.push(read_part(reader, group, part, cursor(part, group)));
        }
        if is_complete && reading.is_empty() {
            return Ok(queue.end());
        }
        tokio::select! {
            biased;
            group = found.recv(), if !is_complete => match group {
                Some(group) => queue.add(&group),
                None => {
                    is_complete = true;
                    queue.add_owners();
                }
            },
            Some(read) = reading.next(), if !reading.is_empty() => queue.members_unknown.extend(read?),
        }
    }
}

/// Reads the members or the owners of one group. Returns the group when its members are unknown.
async fn read_part(reader: &Reader<'_>, group: Uuid, part: Part, cursor: Option<CursorRow>) -> Result<Option<Uuid>> {
    let is_done = cursor.as_ref().is_some_and(|cursor| cursor.done);
    let is_known = match part {
        Part::Owners if !is_done => owners::read(reader, group).await.map(|()| true)?,
        Part::Members if !is_done => members::read(reader, group, cursor).await?,
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
    let visible = reader.once(question, members::visible(reader, group)).await?;
    if visible != Visible::Yes {
        return Ok(visible);
    }
    let is_known = members::read(reader, group, cursor).await?;
    reader.report_usage();
    Ok(if is_known { Visible::Yes } else { Visible::Gone })
}
