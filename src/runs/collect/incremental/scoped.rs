//! Decides what is in scope after a round of changes. The rules are those of a full read; they are applied to what the mirror
//! has, what the filter left out, and what changed. An object that comes into scope is read by its id.

use super::changes::Delta;
use crate::codes::WarningCode;
use crate::db::mirror::scope::State;
use crate::directory::{MemberType, ObjectType};
use crate::filter::ScopeUsers;
use crate::run_state::RunWarning;
use crate::runs::collect::by_id::{self, Unfit};
use crate::runs::collect::groups::{self, Visible, group::may_see_hidden};
use crate::runs::collect::memberships::{Known, load_memberships};
use crate::runs::collect::narrowed::{Dropped, Narrowed, Stubs, UsersAndGroups};
use crate::runs::collect::nested_groups::{Members, Walked, walk};
use crate::runs::collect::read_error::Result;
use crate::runs::collect::reader::{Read, Reader};
use crate::runs::collect::scope::{Taken, resolved, taken};
use crate::runs::collect::stubs::{self, Referred};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const NARROWED: [ObjectType; 2] = [ObjectType::Users, ObjectType::Groups];

/// What a round of changes says about groups, apart from their members.
#[derive(Default)]
pub(super) struct GroupChanges {
    /// Groups that are no longer there.
    pub gone: Vec<Uuid>,
    /// Groups whose members are hidden.
    pub hidden: Vec<Uuid>,
    /// Groups that arrived, and whose members were read.
    pub arrived: Vec<Uuid>,
    /// Groups that arrived and whose members could not be read.
    pub unread: Vec<Uuid>,
}

impl GroupChanges {
    pub(super) fn of(changes: &BTreeMap<Uuid, Delta>) -> Self {
        let those = |is: fn(&Delta) -> bool| changes.iter().filter(|(_, delta)| is(delta)).map(|(id, _)| *id).collect();
        Self { gone: those(|delta| delta.removed.is_some()), hidden: those(Delta::hides_members), ..Self::default() }
    }
}

/// What is in scope after a round of changes.
pub(super) enum Decided {
    /// The filter has neither a scope nor limits, and wants no stubs.
    Everything,
    /// What is in scope, and what it refers to outside.
    Narrowed(Box<Narrowed>, Referred),
    /// The changes do not say, and why.
    Unknown(String),
}

/// Decides what is in scope, and reads what came into it. What is not is cut out when the changes become the mirror's: until
/// then an attempt after a crash decides over the same.
pub(super) async fn decide(reader: &Reader<'_>, read: &mut Read, changed: &GroupChanges) -> Result<Decided> {
    let plan = &reader.plan;
    if !plan.narrows() && !plan.wants_stubs() {
        return Ok(Decided::Everything);
    }
    reader.staging.stored().await?;
    let mut candidates = candidates(reader).await?;
    // The members of no group decide where only limits do.
    let (mut groups, mut unknown) = (Some(Vec::new()), Vec::new());
    if plan.is_by_membership() {
        match members(reader, read, changed, &mut candidates).await? {
            Ok(walked) => groups = Some(walked),
            Err(why) => return Ok(Decided::Unknown(why)),
        }
    }
    if plan.takes_groups_of_users() {
        unknown = hidden(reader, &candidates.groups).await?;
        groups = None;
    }
    if plan.stubs_need_memberships() {
        groups = None;
    }
    let (in_scope, known) = loop {
        let others: [&[Uuid]; 2] = [&candidates.users, &candidates.groups];
        let known = load_memberships(reader, Known::Changed(groups.as_deref()), &unknown, &others).await?;
        let in_scope = resolved(reader, &known, &candidates).await?;
        let users = known.numbers.ids(&in_scope.users);
        let groups = known.numbers.ids(&in_scope.groups);
        let refused = bring(reader, read, UsersAndGroups { users, groups }).await?;
        if refused.is_empty() {
            break (in_scope, known);
        }
        // Others take their places.
        candidates.users.retain(|id| !refused.contains(id));
        candidates.groups.retain(|id| !refused.contains(id));
    };
    // Of the other memberships it is not known here whether they lead out of the scope.
    let referred = match groups {
        None => stubs::by_membership(reader, &in_scope, &known),
        Some(_) => Referred::default(),
    };
    let Taken { kept, left_out } = taken(reader, &known, candidates, &in_scope);
    let fell_out = in_scope.fell_out;
    drop(known);
    read_members(reader, read, &kept.groups, changed).await?;
    let narrowed = Narrowed {
        kept,
        left_out,
        stubs: Stubs::default(),
        keeps_scope: plan.keeps_scope_members(),
        // Of the users that are no members, only those that changed are known.
        users_out_of_scope: fell_out.users_over_limit,
        groups_out_of_scope: fell_out.groups_without_users + fell_out.groups_over_limit,
        dropped: Dropped::default(),
    };
    Ok(Decided::Narrowed(Box::new(narrowed), referred))
}

/// What the conditions admit, as far as the mirror, what was left out and the changes tell. A user who is in none of the
/// scope's groups and did not change is not among them.
async fn candidates(reader: &Reader<'_>) -> Result<UsersAndGroups> {
    let mut found = UsersAndGroups::default();
    for (object_type, ids) in [(ObjectType::Users, &mut found.users), (ObjectType::Groups, &mut found.groups)] {
        ids.extend(reader.mirror.ids(object_type).await?);
        ids.extend(reader.mirror.left_out(object_type).await?);
        let gone = reader.staging.gone(object_type).await?;
        ids.retain(|id| gone.binary_search(id).is_err());
        ids.extend(reader.staging.ids(object_type).await?);
        ids.sort_unstable();
        ids.dedup();
    }
    Ok(found)
}

/// Reads who came into the scope's groups and is not known, and adds them to the candidates. Returns the groups whose
/// members are in scope, or why these are not known.
async fn members(
    reader: &Reader<'_>,
    read: &mut Read,
    changed: &GroupChanges,
    candidates: &mut UsersAndGroups,
) -> Result<std::result::Result<Vec<Uuid>, String>> {
    let named = &reader.run.job.filter.scope.group_ids;
    if changed.gone.iter().any(|group| named.contains(group)) {
        return Ok(Err("a group that the filter's scope names was deleted".to_owned()));
    }
    if !changed.unread.is_empty() {
        return Ok(Err("the members of a new group cannot be read".to_owned()));
    }
    let before = walk(reader, roots_before(reader).await?, Members::Mirror(State::Before)).await?;
    let roots = if is_by_named(reader) { named.clone() } else { candidates.groups.clone() };
    let after = walk(reader, roots, Members::Mirror(State::After)).await?;
    // A named group that does not exist is no reason to treat everybody as out of scope.
    let are_unknown = after.unreadable.iter().any(|(group, visible)| match visible {
        Visible::Yes => false,
        Visible::Hidden => true,
        Visible::Gone => named.contains(group),
    });
    if are_unknown || changed.hidden.iter().any(|group| after.groups.contains(group)) {
        let why = "the members of a group in the filter's scope are hidden, or the group was deleted";
        return Ok(Err(why.to_owned()));
    }
    reader.staging.stored().await?;
    let before = users_in(reader, State::Before, &before).await?;
    let users = users_in(reader, State::After, &after).await?;
    let is_in = |list: &[Uuid], id: &Uuid| list.binary_search(id).is_ok();
    let came = users.iter().filter(|id| !is_in(&before, id) && !is_in(&candidates.users, id)).copied();
    let came = by_id::stage(reader, ObjectType::Users, &came.collect::<Vec<_>>(), Unfit::Forget).await?;
    report_not_found(reader, read, ObjectType::Users, came.not_found.len());
    candidates.users.extend(came.in_scope);
    candidates.users.sort_unstable();
    Ok(Ok(after.groups.into_iter().collect()))
}

fn is_by_named(reader: &Reader<'_>) -> bool {
    reader.run.job.filter.scope.users == ScopeUsers::MembersOf
}

/// The groups that the scope named before the changes; or all that the conditions admitted.
async fn roots_before(reader: &Reader<'_>) -> Result<Vec<Uuid>> {
    if is_by_named(reader) {
        return Ok(reader.run.job.filter.scope.group_ids.clone());
    }
    let mut roots = reader.mirror.ids(ObjectType::Groups).await?;
    roots.extend(reader.mirror.left_out(ObjectType::Groups).await?);
    Ok(roots)
}

/// The users that are direct members of the groups that a walk met, ascending.
async fn users_in(reader: &Reader<'_>, state: State, walked: &Walked) -> Result<Vec<Uuid>> {
    let groups: Vec<Uuid> = walked.groups.iter().copied().collect();
    reader.mirror.scope_members(state, MemberType::User, &groups).await
}

/// Reads the members of groups that are not known, and of those nested in them if the scope is transitive. Returns the
/// groups whose members are hidden.
async fn hidden(reader: &Reader<'_>, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    let walked = walk(reader, groups.to_vec(), Members::Mirror(State::After)).await?;
    let mut hidden: Vec<Uuid> = walked
        .unreadable
        .into_iter()
        .filter(|(_, visible)| *visible == Visible::Hidden)
        .map(|(group, _)| group)
        .collect();
    if !may_see_hidden(reader) {
        hidden.extend(reader.mirror.hidden_groups().await?);
    }
    reader.staging.stored().await?;
    Ok(hidden)
}

/// Says that something came into scope that Graph does not show yet: the next run reads everything.
fn report_not_found(reader: &Reader<'_>, read: &mut Read, object_type: ObjectType, number: usize) {
    if number == 0 {
        return;
    }
    let number = number as u64;
    let detail = format!(
        "{} came into the filter's scope, but Graph does not return {} yet. The next run reads everything.",
        object_type.counted(number),
        if number == 1 { "it" } else { "them" }
    );
    reader.run.progress.warn(RunWarning::new(WarningCode::ChangesNotReadable, detail).with_count(number));
    read.delta = None;
}

/// Reads what is in scope and neither in the mirror nor staged. Returns what the filter does not admit any more.
async fn bring(reader: &Reader<'_>, read: &mut Read, in_scope: UsersAndGroups) -> Result<BTreeSet<Uuid>> {
    let mut refused = BTreeSet::new();
    for object_type in NARROWED.into_iter().filter(|object_type| reader.plan.imports(*object_type)) {
        let known = reader.mirror.ids(object_type).await?;
        let staged = reader.staging.ids(object_type).await?;
        let is_there = |id: &Uuid| known.binary_search(id).is_ok() || staged.binary_search(id).is_ok();
        let came: Vec<Uuid> =
            in_scope.of(object_type).unwrap_or_default().iter().filter(|id| !is_there(id)).copied().collect();
        let found = by_id::stage(reader, object_type, &came, Unfit::Forget).await?;
        report_not_found(reader, read, object_type, found.not_found.len());
        refused.extend(came.iter().filter(|id| !found.in_scope.contains(id)));
    }
    Ok(refused)
}

/// Reads the owners and members of the groups that came into scope without being new.
async fn read_members(reader: &Reader<'_>, read: &mut Read, kept: &[Uuid], changed: &GroupChanges) -> Result<()> {
    let known = reader.mirror.ids(ObjectType::Groups).await?;
    let is_new = |id: &&Uuid| known.binary_search(id).is_err() && !changed.arrived.contains(id);
    let came: Vec<Uuid> = kept.iter().filter(is_new).copied().collect();
    let mut unread = groups::read_arrived_again(reader, &came).await?;
    if !unread.is_empty() && !may_see_hidden(reader) {
        let hidden = reader.mirror.hidden_groups().await?;
        unread.retain(|group| !hidden.contains(group));
    }
    report_unread(reader, read, &unread);
    Ok(())
}

/// Says that groups came into scope of which Graph does not show the members yet: they stay as they are known, and the next
/// run reads everything.
pub(super) fn report_unread(reader: &Reader<'_>, read: &mut Read, groups: &[Uuid]) {
    if groups.is_empty() {
        return;
    }
    let number = groups.len() as u64;
    let detail = format!(
        "{} came into scope, but Graph does not return all members yet. The next run reads everything.",
        ObjectType::Groups.counted(number)
    );
    let warning = RunWarning::new(WarningCode::ChangesNotReadable, detail);
    reader.run.progress.warn(warning.with_count(number));
    read.members_unknown.extend(groups);
    read.delta = None;
}
