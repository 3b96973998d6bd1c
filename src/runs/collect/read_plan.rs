//! How a run reads, and why.

use super::reader::Reader;
use crate::db::mirror::MirrorRow;
use crate::directory::ObjectType;
use crate::filter::{Outside, ScopeGroups, ScopeUsers};
use crate::runs::context::JobContext;
use chrono::TimeDelta;

/// Whether scope or limits leave anything out that the conditions admit.
pub(super) fn narrows(reader: &Reader<'_>) -> bool {
    let filter = &reader.run.job.filter;
    filter.scope.users != ScopeUsers::All
        || filter.scope.groups != ScopeGroups::All
        || filter.limits.max_users.is_some()
        || filter.limits.max_groups.is_some()
}

/// Whether the users in scope are the members of groups: then changes of these tell who comes and who goes, unless
/// something else [needs everything](needs_everything).
pub(super) fn is_by_membership(job: &JobContext) -> bool {
    job.filter.scope.users != ScopeUsers::All && job.mapping.is_enabled(ObjectType::Users)
}

/// Why changes do not tell what is in scope; `None`: they do.
pub(super) fn needs_everything(reader: &Reader<'_>) -> Option<&'static str> {
    let job = &reader.run.job;
    if job.filter.limits.max_users.is_some() || job.filter.limits.max_groups.is_some() {
        return Some("the filter's limits depend on everybody who is in scope");
    }
    if job.filter.scope.groups != ScopeGroups::All {
        return Some("which groups contain users in scope depends on everybody's memberships");
    }
    if job.filter.scope.users == ScopeUsers::MembersOfFilteredGroups && !job.mapping.is_enabled(ObjectType::Groups) {
        return Some("the filter's scope depends on groups that are not imported");
    }
    wants_stubs(reader).then_some("stubs of what is outside the scope depend on every reference")
}

/// Whether stubs are to be made: asked for, and there is an outside.
pub(super) fn wants_stubs(reader: &Reader<'_>) -> bool {
    let filter = &reader.run.job.filter;
    filter.outside == Outside::Stub && filter.narrows()
}

/// Whether the changes of a type are followed: it is imported, or the scope decides by it.
pub(super) fn follows(job: &JobContext, object_type: ObjectType) -> bool {
    job.mapping.is_enabled(object_type) || (object_type == ObjectType::Groups && is_by_membership(job))
}

/// Why everything has to be read instead; `None`: the changes are enough.
pub(super) fn reason_for_full(reader: &Reader<'_>, mirror: &MirrorRow) -> Option<String> {
    let job = &reader.run.job;
    let app = &reader.run.app;
    if mirror.read_at.is_none() {
        return Some("nothing was read before".to_owned());
    }
    if mirror.selection_hash.as_deref() != Some(&job.selection_hash[..]) {
        return Some("the selected attributes, types or filter changed".to_owned());
    }
    let has_position =
        |(object_type, sealed): (ObjectType, &Option<Vec<u8>>)| sealed.is_some() || !follows(job, object_type);
    let positions =
        [(ObjectType::Users, &mirror.users_delta_sealed), (ObjectType::Groups, &mirror.groups_delta_sealed)];
    if !positions.into_iter().all(has_position) {
        return Some("the last full read could not take a position to go on from".to_owned());
    }
    let every = TimeDelta::days(i64::from(app.settings.full_every_days));
    if mirror.full_read_at.is_none_or(|at| at + every <= app.clock.now()) {
        return Some(format!("the last full read is {} days old", app.settings.full_every_days));
    }
    if let Some(why) = needs_everything(reader) {
        return Some(why.to_owned());
    }
    job.filter.local_only_problems().into_iter().next()
}
