//! The scope of a filter, which Graph cannot apply: members of groups, groups of users, limits. Decided over
//! what was staged, before it becomes the mirror.

use super::{Read, Reader, groups};
use crate::db::mirror::{self, read};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::filter::scope::{Candidates, Memberships, resolve};
use crate::filter::{Outside, ScopeGroups, ScopeUsers};
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;
use std::collections::HashSet;
use uuid::Uuid;

/// Whether scope or limits leave anything out that the conditions admit.
pub(super) fn narrows(reader: &Reader<'_>) -> bool {
    let filter = &reader.run.job.filter;
    filter.scope.users != ScopeUsers::All
        || filter.scope.groups != ScopeGroups::All
        || filter.limits.max_users.is_some()
        || filter.limits.max_groups.is_some()
}

/// Removes from staging what the scope leaves out, and counts it.
pub(super) async fn apply(reader: &Reader<'_>, what: &Read) -> Result<(), Stop> {
    if !narrows(reader) {
        return Ok(());
    }
    let filter = &reader.run.job.filter;
    if filter.scope.users == ScopeUsers::MembersOf {
        read_roots(reader).await?;
    }
    reader.writer.flushed().await?;
    let (organization, lease) = (reader.run.job.organization, reader.run.lease);
    let source = read::Source::Staged(lease.run);
    let (users, groups, edges) = reader
        .run
        .app
        .db
        .scoped(organization, async move |tx| {
            let users = read::ids(tx, organization, source, ObjectType::Users.as_str()).await?;
            let groups = read::ids(tx, organization, source, ObjectType::Groups.as_str()).await?;
            Ok((users, groups, read::edges(tx, organization, source).await?))
        })
        .await?;
    let candidates = Candidates { users, groups };
    let memberships = Memberships::new(edges.users, edges.groups);
    let in_scope = resolve(&filter.scope, filter.limits, &filter.scope.group_ids, candidates, &memberships);
    let fell_out = in_scope.fell_out;
    let (kept_users, kept_groups) = (in_scope.users, in_scope.groups);
    let (has_users, has_groups) = (what.types.contains(&ObjectType::Users), what.types.contains(&ObjectType::Groups));
    reader
        .run
        .app
        .db
        .scoped(organization, async move |tx| {
            crate::db::runs::fence(tx, &lease).await?;
            if has_users {
                mirror::keep_staged(tx, &lease, ObjectType::Users.as_str(), &kept_users).await?;
            }
            if has_groups {
                mirror::keep_staged(tx, &lease, ObjectType::Groups.as_str(), &kept_groups).await?;
                mirror::keep_staged_members(tx, &lease, &kept_groups).await?;
            }
            Ok(())
        })
        .await?;
    let journal = &reader.run.journal;
    journal.count("users", |count| count.out_of_scope += fell_out.users_not_members + fell_out.users_over_limit);
    journal.count("groups", |count| count.out_of_scope += fell_out.groups_without_users + fell_out.groups_over_limit);
    if filter.outside == Outside::Stub {
        let detail =
            "References to objects outside the scope are left out: stubs for them are not made by this version.";
        journal.warn(RunWarning::new("outside_stub_not_made", detail));
    }
    Ok(())
}

/// The members of the groups that the scope names, and of the groups nested in them. They need not be
/// among the groups that are imported.
async fn read_roots(reader: &Reader<'_>) -> Result<(), Stop> {
    let scope = &reader.run.job.filter.scope;
    let mut seen: HashSet<Uuid> = HashSet::new();
    let mut open: Vec<Uuid> = scope.group_ids.clone();
    while !open.is_empty() {
        open.retain(|group| seen.insert(*group));
        for group in &open {
            if !groups::read_root(reader, *group).await? {
                let detail =
                    format!("Group {group}, which the filter's scope names, does not exist or hides its members.");
                let advice = "Correct the filter's scope.groupIds.";
                reader.run.journal.degrade(RunWarning::new("scope_group_unreadable", detail).with_advice(advice));
            }
        }
        if !scope.transitive {
            return Ok(());
        }
        reader.writer.flushed().await?;
        let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
        let parents = std::mem::take(&mut open);
        open = reader
            .run
            .app
            .db
            .scoped(organization, async move |tx| {
                read::nested_groups(tx, organization, read::Source::Staged(run), &parents).await
            })
            .await?;
    }
    Ok(())
}
