//! The scope of a filter, which Graph cannot apply: members of groups, groups of users, limits. It is applied to what was
//! staged, before that becomes the mirror.

use super::groups::Visible;
use super::memberships::{Known, MembershipGraph, load_memberships};
use super::narrowed::{Narrowed, UsersAndGroups};
use super::nested_groups::{Members, Walked, walk};
use super::read_error::{ReadError, Result};
use super::reader::{Read, Reader};
use super::stubs::{self, Changed};
use crate::codes::{RunErrorCode, WarningCode};
use crate::directory::ObjectType;
use crate::filter::ScopeGroups;
use crate::filter::scope::{Candidates, InScope, resolve};
use crate::run_state::{RunStage, RunWarning};
use crate::runs::stop::Stop;
use std::collections::HashSet;
use uuid::Uuid;

/// The users that are in scope as members of groups.
pub(super) struct ScopeMembers {
    /// Sorted.
    pub users: Vec<Uuid>,
    /// Groups through which others may be in scope, and whose members are hidden.
    pub unknown: Vec<Uuid>,
}

/// The members of the groups that the scope names. Reads them, and the groups nested in them; these need not be among
/// the groups that are imported.
pub(super) async fn members_of_named(reader: &Reader<'_>) -> Result<ScopeMembers> {
    members(reader, &reader.run.job.filter.scope.group_ids, Vec::new()).await
}

/// The members of the groups that were staged. Those nested in them are read too.
pub(super) async fn members_of_filtered(reader: &Reader<'_>, unknown: &[Uuid]) -> Result<ScopeMembers> {
    let groups = reader.staging.ids(ObjectType::Groups).await?;
    members(reader, &groups, unknown.to_vec()).await
}

async fn members(reader: &Reader<'_>, groups: &[Uuid], mut unknown: Vec<Uuid>) -> Result<ScopeMembers> {
    unknown.extend(read_members(reader, groups).await?);
    let MembershipGraph { numbers, memberships, .. } = load_memberships(reader, Known::Staged, &unknown, &[]).await?;
    let users = memberships.members_of(&numbers.of(groups), reader.run.job.filter.scope.transitive);
    Ok(ScopeMembers { users: numbers.ids(&users), unknown })
}

/// Decides what is in scope, and stages the stubs that are wanted. `None`: everything is.
pub(super) async fn decide(reader: &Reader<'_>, what: &Read) -> Result<Option<Narrowed>> {
    let wants_stubs = reader.plan.wants_stubs();
    if !reader.plan.narrows() && !wants_stubs {
        return Ok(None);
    }
    if wants_stubs {
        stubs::read_other_groups(reader).await?;
    }
    let filter = &reader.run.job.filter;
    let candidates = UsersAndGroups {
        users: reader.staging.ids(ObjectType::Users).await?,
        groups: reader.staging.ids(ObjectType::Groups).await?,
    };
    let mut unknown = what.members_unknown.clone();
    if filter.scope.groups == ScopeGroups::ContainingFilteredUsers {
        // A group may contain a user through a group that is not imported itself.
        unknown.extend(read_members(reader, &candidates.groups).await?);
    }
    let known = load_memberships(reader, Known::Staged, &unknown, &[&candidates.users, &candidates.groups]).await?;
    let not_read = not_read(reader, what, candidates.users.len());
    let in_scope = resolved(reader, &known, &candidates).await?;
    let referred = stubs::by_membership(reader, &in_scope, &known);
    let fell_out = in_scope.fell_out;
    let Taken { kept, left_out } = taken(reader, &known, candidates, &in_scope);
    drop(known);
    let (stubs, dropped) = stubs::stage(reader, what, &kept, referred, &Changed::default()).await?;
    Ok(Some(Narrowed {
        kept,
        left_out,
        stubs,
        keeps_scope: reader.plan.keeps_scope_members(),
        users_out_of_scope: not_read + fell_out.users_not_members + fell_out.users_over_limit,
        groups_out_of_scope: fell_out.groups_without_users + fell_out.groups_over_limit,
        dropped,
    }))
}

/// What of the candidates is in scope, by the memberships that are known.
pub(super) async fn resolved(
    reader: &Reader<'_>,
    known: &MembershipGraph,
    candidates: &UsersAndGroups,
) -> Result<InScope<u32>> {
    let (filter, numbers) = (&reader.run.job.filter, &known.numbers);
    let candidates = Candidates { users: numbers.of(&candidates.users), groups: numbers.of(&candidates.groups) };
    let roots = numbers.of(&filter.scope.group_ids);
    let resolved = |candidates| resolve(&filter.scope, filter.limits, &roots, candidates, &known.memberships);
    let in_scope = resolved(candidates.clone());
    let uncertain = uncertain_groups(reader, &candidates.groups, &in_scope.users, known).await?;
    if uncertain.is_empty() {
        return Ok(in_scope);
    }
    warn_of_uncertain(reader, uncertain.len());
    let groups = candidates.groups.into_iter().filter(|group| !uncertain.contains(group)).collect();
    Ok(resolved(Candidates { groups, ..candidates }))
}

/// What becomes of the candidates.
pub(super) struct Taken {
    /// Those that are imported.
    pub kept: UsersAndGroups,
    /// Those that are not, and may be when others leave.
    pub left_out: UsersAndGroups,
}

pub(super) fn taken(
    reader: &Reader<'_>,
    known: &MembershipGraph,
    candidates: UsersAndGroups,
    in_scope: &InScope<u32>,
) -> Taken {
    let numbers = &known.numbers;
    let (mut kept, mut left_out) = (UsersAndGroups::default(), UsersAndGroups::default());
    left_out.users = numbers.ids(&in_scope.over_limit);
    match reader.plan.imports(ObjectType::Users) {
        true => kept.users = numbers.ids(&in_scope.users),
        false => {
            left_out.users.extend(numbers.ids(&in_scope.users));
            left_out.users.sort_unstable();
        }
    }
    left_out.groups = candidates.groups;
    if reader.plan.imports(ObjectType::Groups) {
        kept.groups = numbers.ids(&in_scope.groups);
        left_out.groups.retain(|group| kept.groups.binary_search(group).is_err());
    }
    Taken { kept, left_out }
}

/// The groups that may contain users in scope through members that are hidden, and nobody knows. Those in the mirror stay in
/// scope; the others stay out of it, in the first run as in every later one.
async fn uncertain_groups(
    reader: &Reader<'_>,
    groups: &[u32],
    users: &[u32],
    known: &MembershipGraph,
) -> Result<HashSet<u32>> {
    let scope = &reader.run.job.filter.scope;
    if scope.groups != ScopeGroups::ContainingFilteredUsers || known.assumed.is_empty() {
        return Ok(HashSet::new());
    }
    let assumed: Vec<u32> = known.assumed.iter().copied().collect();
    let possible = if scope.transitive { known.memberships.with_parents(&assumed) } else { assumed };
    let possible: HashSet<u32> = possible.into_iter().collect();
    let of_users = known.memberships.of_users().iter();
    let known_to_contain =
        of_users.filter(|(group, user)| !known.assumed.contains(group) && users.binary_search(user).is_ok());
    let direct: Vec<u32> = known_to_contain.map(|(group, _)| *group).collect();
    let certain: HashSet<u32> = match scope.transitive {
        true => known.memberships.with_parents(&direct).into_iter().collect(),
        false => direct.into_iter().collect(),
    };
    let in_mirror = reader.mirror.ids(ObjectType::Groups).await?;
    let is_open = |group: &u32| {
        possible.contains(group)
            && !certain.contains(group)
            && in_mirror.binary_search(&known.numbers.id(*group)).is_err()
    };
    Ok(groups.iter().copied().filter(is_open).collect())
}

fn warn_of_uncertain(reader: &Reader<'_>, groups: usize) {
    let detail = format!(
        "{groups} groups are left out, because their members are hidden and it is not known whether users in scope are among \
         them."
    );
    let advice = "Add the Application permission Member.Read.Hidden if they are to be imported.";
    let warning = RunWarning::new(WarningCode::MembershipsUnknown, detail);
    reader.run.progress.warn(warning.with_count(groups as u64).with_advice(advice));
}

/// How many users fulfil the condition and were not read, because they are in none of the groups.
fn not_read(reader: &Reader<'_>, what: &Read, staged: usize) -> u64 {
    let excluded = reader.run.progress.counts().get("users").map_or(0, |count| count.out_of_scope);
    what.matching_users.map_or(0, |matching| matching.saturating_sub(staged as u64 + excluded))
}

/// Reads the members of these groups, and of the groups nested in them if the scope is transitive. Returns the groups
/// whose members are hidden.
async fn read_members(reader: &Reader<'_>, roots: &[Uuid]) -> Result<Vec<Uuid>> {
    let Walked { unreadable, .. } = walk(reader, roots.to_vec(), Members::Staged).await?;
    let mut hidden = Vec::new();
    for (group, visible) in unreadable {
        report_unreadable(reader, group, visible)?;
        hidden.extend((visible == Visible::Hidden).then_some(group));
    }
    Ok(hidden)
}

/// Warns that the members of a group are unknown. If the scope names the group and its members are hidden, nobody can say
/// who is in scope: the run fails instead of treating everybody as out of scope.
fn report_unreadable(reader: &Reader<'_>, group: Uuid, visible: Visible) -> Result<()> {
    let is_named = reader.run.job.filter.scope.group_ids.contains(&group);
    let (detail, advice) = match visible {
        Visible::Yes => return Ok(()),
        Visible::Hidden if is_named => {
            return Err(ReadError::Stop(Stop::failed(
                RunStage::Collect,
                RunErrorCode::ScopeGroupHidden,
                format!(
                    "The members of group {group}, which the filter's scope names, are hidden from the application."
                ),
                "Add the Application permission Member.Read.Hidden, or correct the filter's scope.groupIds.",
            )));
        }
        // GroupChanges with the groups themselves, or nothing that the admin named.
        Visible::Hidden => (
            format!(
                "The members of group {group}, through which others may be in scope, are hidden. Users in scope stay in \
                 scope; users who joined since are unknown."
            ),
            "Add the Application permission Member.Read.Hidden.",
        ),
        Visible::Gone if is_named => (
            format!("Group {group}, which the filter's scope names, does not exist."),
            "Correct the filter's scope.groupIds.",
        ),
        Visible::Gone => return Ok(()),
    };
    reader.run.progress.degrade(RunWarning::new(WarningCode::ScopeGroupUnreadable, detail).with_advice(advice));
    Ok(())
}
