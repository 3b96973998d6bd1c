//! The scope after a round of changes: who came into it and who left it, through groups or by themselves. The members of
//! the groups by which it decides are known, those of the imported groups by the mirror, the others kept for this; whoever
//! came into a group is read by id.

use super::changes::Delta;
use crate::codes::WarningCode;
use crate::db::mirror::Batch;
use crate::db::mirror::scope::State;
use crate::directory::ObjectType;
use crate::filter::ScopeUsers;
use crate::run_state::{ChangeReason, RunWarning};
use crate::runs::collect::by_id::{self, Unfit};
use crate::runs::collect::groups::Visible;
use crate::runs::collect::nested_groups::{Members, Walked, walk};
use crate::runs::collect::object::gone;
use crate::runs::collect::read_error::Result;
use crate::runs::collect::reader::{Read, Reader};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a round of changes says about groups, apart from their members.
#[derive(Default)]
pub(super) struct GroupChanges {
    /// Groups that are no longer there.
    pub gone: Vec<Uuid>,
    /// Groups whose members are hidden.
    pub hidden: Vec<Uuid>,
    /// Groups that arrived and whose members could not be read.
    pub unread: Vec<Uuid>,
}

impl GroupChanges {
    pub(super) fn of(changes: &BTreeMap<Uuid, Delta>) -> Self {
        let those = |is: fn(&Delta) -> bool| changes.iter().filter(|(_, delta)| is(delta)).map(|(id, _)| *id).collect();
        Self { gone: those(|delta| delta.removed.is_some()), hidden: those(Delta::hides_members), unread: Vec::new() }
    }
}

/// Takes out of what is staged who is not in the scope's groups, marks who left them, and reads who came. Returns why
/// everything has to be read instead, where the changes do not say.
pub(super) async fn decide(reader: &Reader<'_>, read: &mut Read, groups: &GroupChanges) -> Result<Option<String>> {
    let named = &reader.run.job.filter.scope.group_ids;
    if groups.gone.iter().any(|group| named.contains(group)) {
        return Ok(Some("a group that the filter's scope names was deleted".to_owned()));
    }
    if !groups.unread.is_empty() {
        return Ok(Some("the members of a new group cannot be read".to_owned()));
    }
    reader.staging.stored().await?;
    let before = walk(reader, roots(reader, State::Before).await?, Members::Mirror(State::Before)).await?;
    let after = walk(reader, roots(reader, State::After).await?, Members::Mirror(State::After)).await?;
    // A named group that does not exist is no reason to treat everybody as out of scope.
    let are_unknown = after.unreadable.iter().any(|(group, visible)| match visible {
        Visible::Yes => false,
        Visible::Hidden => true,
        Visible::Gone => named.contains(group),
    });
    if are_unknown || groups.hidden.iter().any(|group| after.groups.contains(group)) {
        return Ok(Some(
            "the members of a group in the filter's scope are hidden, or the group was deleted".to_owned(),
        ));
    }
    reader.staging.stored().await?;
    let before = users_in(reader, State::Before, before).await?;
    let after = users_in(reader, State::After, after).await?;
    let known = reader.mirror.ids(ObjectType::Users).await?;
    let is_in = |list: &[Uuid], id: &Uuid| list.binary_search(id).is_ok();
    let came: Vec<Uuid> = after.iter().filter(|id| !is_in(&before, id) && !is_in(&known, id)).copied().collect();
    let came = by_id::stage(reader, ObjectType::Users, &came, Unfit::Forget).await?;
    if !came.not_found.is_empty() {
        let number = came.not_found.len();
        let detail = format!(
            "{number} users joined the scope's groups but Graph does not return them yet; the next run reads everything."
        );
        reader.run.progress.warn(RunWarning::new(WarningCode::ChangesNotReadable, detail).with_count(number as u64));
        read.delta = None;
    }
    let left: Vec<Uuid> = known.into_iter().filter(|id| !is_in(&after, id)).collect();
    take_out(reader, &after, &left).await.map(|()| None)
}

/// The users that are direct members of the groups that a walk met, ascending.
async fn users_in(reader: &Reader<'_>, state: State, walked: Walked) -> Result<Vec<Uuid>> {
    let groups: Vec<Uuid> = walked.groups.into_iter().collect();
    reader.mirror.scope_members(state, "user", &groups).await
}

/// Leaves staged users only if they are `members`, and marks those of the mirror that `left`, unless it is said already
/// that they are gone.
async fn take_out(reader: &Reader<'_>, members: &[Uuid], left: &[Uuid]) -> Result<()> {
    let mut in_scope = reader.staging.ids(ObjectType::Users).await?;
    in_scope.retain(|id| members.binary_search(id).is_ok());
    reader.staging.keep(ObjectType::Users, in_scope).await?;
    let marked = reader.staging.gone(ObjectType::Users).await?;
    let left = left.iter().filter(|id| marked.binary_search(id).is_err());
    let objects = left.map(|id| gone(ObjectType::Users, *id, ChangeReason::OutOfScope)).collect();
    reader.staging.write(Batch { objects, ..Batch::default() }).await
}

/// The groups that the scope names; or all that are imported, which are those that the filter takes.
async fn roots(reader: &Reader<'_>, state: State) -> Result<Vec<Uuid>> {
    let scope = &reader.run.job.filter.scope;
    if scope.users == ScopeUsers::MembersOf {
        return Ok(scope.group_ids.clone());
    }
    let mut roots = reader.mirror.ids(ObjectType::Groups).await?;
    if state == State::After {
        let gone = reader.staging.gone(ObjectType::Groups).await?;
        roots.retain(|group| gone.binary_search(group).is_err());
        roots.extend(reader.staging.ids(ObjectType::Groups).await?);
    }
    Ok(roots)
}
