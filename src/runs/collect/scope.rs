//! The scope of a filter, which Graph cannot apply: members of groups, groups of users, limits. Decided over
//! what was staged, before it becomes the mirror.

use super::groups::{self, Visible};
use super::memberships::{Known, known_memberships};
use super::narrowed::{Kept, Narrowed};
use super::read_plan::{is_by_membership, narrows, needs_everything, wants_stubs};
use super::reader::{Read, Reader};
use super::stubs;
use crate::codes::{RunErrorCode, WarningCode};
use crate::db::Transaction;
use crate::db::mirror::{self, read};
use crate::db::runs::Lease;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::filter::scope::{Candidates, Memberships, MembershipsBuilder, Numbers, resolve};
use crate::filter::{ScopeGroups, ScopeUsers};
use crate::ids::{JobId, OrganizationId};
use crate::run_state::{RunStage, RunWarning};
use crate::runs::context::JobContext;
use crate::runs::progress::RunProgress;
use crate::runs::stop::Stop;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// The users that are in scope as members of groups.
pub(super) struct Members {
    /// Sorted.
    pub users: Vec<Uuid>,
    /// Groups through which others may be in scope, and whose members are hidden.
    pub unknown: Vec<Uuid>,
}

/// The members of the groups that the scope names. Reads them, and the groups nested in them; these need not be among
/// the groups that are imported.
pub(super) async fn members_of_named(reader: &Reader<'_>) -> Result<Members, Stop> {
    members(reader, &reader.run.job.filter.scope.group_ids, Vec::new()).await
}

/// The members of the groups that were staged. Those nested in them are read too.
pub(super) async fn members_of_filtered(reader: &Reader<'_>, unknown: &[Uuid]) -> Result<Members, Stop> {
    let groups = staged_ids(reader, ObjectType::Groups).await?;
    members(reader, &groups, unknown.to_vec()).await
}

async fn members(reader: &Reader<'_>, groups: &[Uuid], mut unknown: Vec<Uuid>) -> Result<Members, Stop> {
    unknown.extend(walk(reader, groups).await?);
    let Known { numbers, memberships, .. } = known_memberships(reader, &unknown, &[]).await?;
    let users = memberships.members_of(&numbers.of(groups), reader.run.job.filter.scope.transitive);
    Ok(Members { users: numbers.ids(&users), unknown })
}

/// Decides what is in scope, and stages the stubs that are wanted. `None`: everything is.
pub(super) async fn decide(reader: &Reader<'_>, what: &Read) -> Result<Option<Narrowed>, Stop> {
    let wants_stubs = wants_stubs(reader);
    if !narrows(reader) && !wants_stubs {
        return Ok(None);
    }
    if wants_stubs {
        stubs::read_other_groups(reader).await?;
    }
    let filter = &reader.run.job.filter;
    let users = staged_ids(reader, ObjectType::Users).await?;
    let groups = staged_ids(reader, ObjectType::Groups).await?;
    let mut unknown = what.members_unknown.clone();
    if filter.scope.groups == ScopeGroups::ContainingFilteredUsers {
        // A group may contain a user through a group that is not imported itself.
        unknown.extend(walk(reader, &groups).await?);
    }
    let known = known_memberships(reader, &unknown, &[&users, &groups]).await?;
    let numbers = &known.numbers;
    let candidates = Candidates { users: numbers.of(&users), groups: numbers.of(&groups) };
    let roots = numbers.of(&filter.scope.group_ids);
    let not_read = not_read(reader, what, users.len());
    let in_scope = resolve(&filter.scope, filter.limits, &roots, candidates, &known.memberships);
    let mut referred = stubs::by_membership(reader, &in_scope, &known);
    let fell_out = in_scope.fell_out;
    let kept = Kept { users: numbers.ids(&in_scope.users), groups: numbers.ids(&in_scope.groups) };
    drop(known);
    let dropped_references = if wants_stubs { 0 } else { referred.to_groups };
    if wants_stubs {
        stubs::by_property(reader, what, &kept, &mut referred).await?;
        stubs::stage(reader, &referred).await?;
    }
    Ok(Some(Narrowed {
        kept,
        others: if wants_stubs { referred.groups } else { BTreeSet::new() },
        keeps_scope: is_by_membership(&reader.run.job) && needs_everything(reader).is_none(),
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

fn staged(reader: &Reader<'_>) -> (OrganizationId, read::Source) {
    (reader.run.job.organization, read::Source::Staged(reader.run.lease.run))
}

async fn staged_ids(reader: &Reader<'_>, object_type: ObjectType) -> Result<Vec<Uuid>, Stop> {
    reader.writer.flushed().await?;
    let (organization, source) = staged(reader);
    let db = &reader.run.app.db;
    Ok(db.scoped(organization, async move |tx| read::ids(tx, organization, source, object_type.as_str()).await).await?)
}

/// Reads the members of these groups and, if the scope is transitive, of the groups nested in them, unless they were
/// read already. Cycles end. Returns the groups whose members are hidden.
async fn walk(reader: &Reader<'_>, roots: &[Uuid]) -> Result<Vec<Uuid>, Stop> {
    let scope = &reader.run.job.filter.scope;
    let mut seen: HashSet<Uuid> = HashSet::new();
    let mut hidden = Vec::new();
    let mut open: Vec<Uuid> = roots.to_vec();
    while !open.is_empty() {
        open.retain(|group| seen.insert(*group));
        for (group, visible) in groups::read_roots(reader, &open).await? {
            told_unreadable(reader, group, visible)?;
            hidden.extend((visible == Visible::Hidden).then_some(group));
        }
        if !scope.transitive {
            break;
        }
        reader.writer.flushed().await?;
        let (organization, source) = staged(reader);
        let parents = std::mem::take(&mut open);
        let db = &reader.run.app.db;
        open = db
            .scoped(organization, async move |tx| read::nested_groups(tx, organization, source, &parents).await)
            .await?;
    }
    Ok(hidden)
}

/// Says that the members of a group are not known. If the scope itself names it and its members are hidden, nobody
/// can say who is in scope: the run ends, rather than to take everybody for out of scope.
fn told_unreadable(reader: &Reader<'_>, group: Uuid, visible: Visible) -> Result<(), Stop> {
    let is_named = reader.run.job.filter.scope.group_ids.contains(&group);
    let (detail, advice) = match visible {
        Visible::Yes => return Ok(()),
        Visible::Hidden if is_named => {
            return Err(Stop::failed(
                RunStage::Collect,
                RunErrorCode::ScopeGroupHidden,
                format!(
                    "The members of group {group}, which the filter's scope names, are hidden from the application."
                ),
                "Add the Application permission Member.Read.Hidden, or correct the filter's scope.groupIds.",
            ));
        }
        // Told with the groups themselves, or nothing that the admin named.
        Visible::Hidden => (
            format!(
                "The members of group {group}, through which others may be in scope, are hidden. Whoever was in scope \
                 stays so; who came since is not known."
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
