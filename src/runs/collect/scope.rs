//! The scope of a filter, which Graph cannot apply: members of groups, groups of users, limits. It is applied to what was
//! staged, before that becomes the mirror.

use super::groups::Visible;
use super::memberships::{MembershipGraph, load_memberships};
use super::narrowed::{InScopeIds, Narrowed};
use super::nested_groups::{Members, Walked, walk};
use super::read_error::{ReadError, Result};
use super::reader::{Read, Reader};
use super::stubs;
use crate::codes::{RunErrorCode, WarningCode};
use crate::directory::ObjectType;
use crate::filter::ScopeGroups;
use crate::filter::scope::{Candidates, resolve};
use crate::run_state::{RunStage, RunWarning};
use crate::runs::stop::Stop;
use std::collections::BTreeSet;
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
    let MembershipGraph { numbers, memberships, .. } = load_memberships(reader, &unknown, &[]).await?;
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
    let users = reader.staging.ids(ObjectType::Users).await?;
    let groups = reader.staging.ids(ObjectType::Groups).await?;
    let mut unknown = what.members_unknown.clone();
    if filter.scope.groups == ScopeGroups::ContainingFilteredUsers {
        // A group may contain a user through a group that is not imported itself.
        unknown.extend(read_members(reader, &groups).await?);
    }
    let known = load_memberships(reader, &unknown, &[&users, &groups]).await?;
    let numbers = &known.numbers;
    let candidates = Candidates { users: numbers.of(&users), groups: numbers.of(&groups) };
    let roots = numbers.of(&filter.scope.group_ids);
    let not_read = not_read(reader, what, users.len());
    let in_scope = resolve(&filter.scope, filter.limits, &roots, candidates, &known.memberships);
    let mut referred = stubs::by_membership(reader, &in_scope, &known);
    let fell_out = in_scope.fell_out;
    let kept = InScopeIds { users: numbers.ids(&in_scope.users), groups: numbers.ids(&in_scope.groups) };
    drop(known);
    let dropped_references = if wants_stubs { 0 } else { referred.to_groups };
    if wants_stubs {
        stubs::by_property(reader, what, &kept, &mut referred).await?;
        stubs::stage(reader, &referred).await?;
    }
    Ok(Some(Narrowed {
        kept,
        others: if wants_stubs { referred.groups } else { BTreeSet::new() },
        keeps_scope: reader.plan.keeps_scope_members(),
        users_out_of_scope: not_read + fell_out.users_not_members + fell_out.users_over_limit,
        groups_out_of_scope: fell_out.groups_without_users + fell_out.groups_over_limit,
        dropped_references,
    }))
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
