//! The scope after a round of changes: who came into it and who left it, through groups or by themselves. The members of
//! the groups by which it decides are known, those of the imported groups by the mirror, the others kept for this; whoever
//! came into a group is read by id.

use super::changes::Delta;
use crate::codes::WarningCode;
use crate::db::mirror::gone_marker;
use crate::db::mirror::scope::{self, State};
use crate::db::mirror::{self, Batch, read};
use crate::directory::ObjectType;
use crate::filter::ScopeUsers;
use crate::run_state::{ChangeReason, RunWarning};
use crate::runs::collect::by_id::{self, Others};
use crate::runs::collect::groups::{self, Visible};
use crate::runs::collect::object::gone;
use crate::runs::collect::reader::{Read, Reader};
use crate::runs::stop::Stop;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// What a round of changes tells of groups beyond their members.
#[derive(Default)]
pub(super) struct Told {
    /// Groups that are no longer there.
    pub gone: Vec<Uuid>,
    /// Groups whose members are hidden.
    pub hidden: Vec<Uuid>,
    /// Groups that arrived and whose members could not be read.
    pub unread: Vec<Uuid>,
}

impl Told {
    pub(super) fn of(changes: &BTreeMap<Uuid, Delta>) -> Self {
        let those = |is: fn(&Delta) -> bool| changes.iter().filter(|(_, delta)| is(delta)).map(|(id, _)| *id).collect();
        Self { gone: those(|delta| delta.removed.is_some()), hidden: those(Delta::hides_members), unread: Vec::new() }
    }
}

/// Takes out of what is staged who is not in the scope's groups, marks who left them, and reads who came. Returns why
/// everything has to be read instead, if that cannot be told.
pub(super) async fn decide(reader: &Reader<'_>, read: &mut Read, told: &Told) -> Result<Option<String>, Stop> {
    let named = &reader.run.job.filter.scope.group_ids;
    if told.gone.iter().any(|group| named.contains(group)) {
        return Ok(Some("a group that the filter's scope names is gone".to_owned()));
    }
    if !told.unread.is_empty() {
        return Ok(Some("the members of a group that arrived cannot be read".to_owned()));
    }
    reader.writer.flushed().await?;
    let before = Groups::walk(reader, State::Before).await?;
    let after = Groups::walk(reader, State::After).await?;
    if after.are_unknown || told.hidden.iter().any(|group| after.all.contains(group)) {
        return Ok(Some(
            "the members of a group by which the filter's scope decides are hidden, or it is gone".to_owned(),
        ));
    }
    let (before, after) = (before.users(reader).await?, after.users(reader).await?);
    let known = ids(reader, read::Source::Mirror(reader.run.job.id), ObjectType::Users.as_str()).await?;
    let is_in = |list: &[Uuid], id: &Uuid| list.binary_search(id).is_ok();
    let came: Vec<Uuid> = after.iter().filter(|id| !is_in(&before, id) && !is_in(&known, id)).copied().collect();
    let came = by_id::stage(reader, ObjectType::Users, &came, Others::Forget).await?;
    if !came.not_found.is_empty() {
        let number = came.not_found.len();
        let detail = format!(
            "{number} users came into the scope's groups whom Graph does not show yet; the next run reads everything."
        );
        reader.run.progress.warn(RunWarning::new(WarningCode::ChangesNotReadable, detail).with_count(number as u64));
        read.delta = None;
    }
    let left: Vec<Uuid> = known.into_iter().filter(|id| !is_in(&after, id)).collect();
    take_out(reader, &after, &left).await.map(|()| None)
}

/// Leaves staged users only if they are `members`, and marks those of the mirror that `left`, unless it is said already
/// that they are gone.
async fn take_out(reader: &Reader<'_>, members: &[Uuid], left: &[Uuid]) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let staged = read::Source::Staged(reader.run.lease.run);
    let mut kept = ids(reader, staged, ObjectType::Users.as_str()).await?;
    kept.retain(|id| members.binary_search(id).is_ok());
    let lease = reader.run.lease;
    let keeping = reader.run.app.db.scoped(lease.organization, async |tx| {
        crate::db::runs::fence(tx, &lease).await?;
        mirror::keep_staged(tx, &lease, ObjectType::Users.as_str(), &kept).await
    });
    keeping.await?;
    let marked = ids(reader, staged, gone_marker(ObjectType::Users)).await?;
    let left = left.iter().filter(|id| marked.binary_search(id).is_err());
    let objects = left.map(|id| gone(ObjectType::Users, *id, ChangeReason::OutOfScope)).collect();
    reader.writer.write(Batch { objects, ..Batch::default() }).await
}

/// The ids of a type, ascending.
async fn ids(reader: &Reader<'_>, source: read::Source, stored_as: &'static str) -> Result<Vec<Uuid>, Stop> {
    let organization = reader.run.job.organization;
    let db = &reader.run.app.db;
    Ok(db.scoped(organization, async move |tx| read::ids(tx, organization, source, stored_as).await).await?)
}

/// The groups by whose members the scope decides, before or after the changes.
struct Groups {
    state: State,
    all: HashSet<Uuid>,
    /// The members of one of them cannot be known.
    are_unknown: bool,
}

impl Groups {
    /// From the groups that the scope names or filters to those nested in them. After the changes, those of which nothing
    /// is known are read.
    async fn walk(reader: &Reader<'_>, state: State) -> Result<Self, Stop> {
        let mut open = roots(reader, state).await?;
        let mut groups = Self { state, all: HashSet::new(), are_unknown: false };
        loop {
            open.retain(|group| groups.all.insert(*group));
            if open.is_empty() {
                return Ok(groups);
            }
            if state == State::After {
                groups.are_unknown |= read_unknown(reader, &open).await?;
            }
            if !reader.run.job.filter.scope.transitive {
                return Ok(groups);
            }
            open = groups.members(reader, "group", &open).await?;
        }
    }

    async fn users(&self, reader: &Reader<'_>) -> Result<Vec<Uuid>, Stop> {
        let groups: Vec<Uuid> = self.all.iter().copied().collect();
        self.members(reader, "user", &groups).await
    }

    async fn members(
        &self,
        reader: &Reader<'_>,
        member_type: &'static str,
        groups: &[Uuid],
    ) -> Result<Vec<Uuid>, Stop> {
        let (lease, job, state) = (reader.run.lease, reader.run.job.id, self.state);
        let db = &reader.run.app.db;
        let members =
            db.scoped(lease.organization, async |tx| scope::members(tx, &lease, job, state, member_type, groups).await);
        Ok(members.await?)
    }
}

/// The groups that the scope names; or all that are imported, which are those that the filter takes.
async fn roots(reader: &Reader<'_>, state: State) -> Result<Vec<Uuid>, Stop> {
    let scope = &reader.run.job.filter.scope;
    if scope.users == ScopeUsers::MembersOf {
        return Ok(scope.group_ids.clone());
    }
    let groups = ObjectType::Groups.as_str();
    let mut roots = ids(reader, read::Source::Mirror(reader.run.job.id), groups).await?;
    if state == State::After {
        let staged = read::Source::Staged(reader.run.lease.run);
        let gone = ids(reader, staged, gone_marker(ObjectType::Groups)).await?;
        roots.retain(|group| gone.binary_search(group).is_err());
        roots.extend(ids(reader, staged, groups).await?);
    }
    Ok(roots)
}

/// Reads the members of groups of which nothing is known. Returns whether those of any cannot be: they are hidden, or the
/// scope names the group and there is none, which is no reason to take everybody for out of scope here.
async fn read_unknown(reader: &Reader<'_>, groups: &[Uuid]) -> Result<bool, Stop> {
    let (lease, job) = (reader.run.lease, reader.run.job.id);
    let db = &reader.run.app.db;
    let unknown = db.scoped(lease.organization, async |tx| scope::unknown(tx, &lease, job, groups).await).await?;
    let read = groups::read_roots(reader, &unknown).await?;
    reader.writer.flushed().await?;
    let named = &reader.run.job.filter.scope.group_ids;
    Ok(read.iter().any(|(group, visible)| match visible {
        Visible::Yes => false,
        Visible::Hidden => true,
        Visible::Gone => named.contains(group),
    }))
}
