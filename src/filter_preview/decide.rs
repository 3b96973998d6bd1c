//! The counts of a preview: exact if all needed objects were read, otherwise estimated in proportion.

use super::look::{Kind, Looked, takes_everyone};
use super::report::{MAX_SAMPLE, PreviewCount, PreviewCounts, PreviewSample, SampleObject};
use crate::filter::scope::{Candidates, InScope, Memberships, resolve};
use crate::filter::{EntityKind, Filter, Limits, ScopeGroups, ScopeUsers};
use serde_json::{Map, Value};
use uuid::Uuid;

pub(super) struct Decided {
    pub counts: PreviewCounts,
    pub sample: PreviewSample,
}

pub(super) fn decide(filter: &Filter, looked: &Looked) -> Decided {
    let (exclude, scope) = (&filter.exclude, &filter.scope);
    let is_walked = looked.walked.as_ref().is_none_or(|walked| walked.complete && walked.groups.len() >= looked.roots);
    let narrows_users =
        scope.users != ScopeUsers::All || !exclude.user_ids.is_empty() || !exclude.user_names.is_empty();
    let narrows_groups =
        scope.groups != ScopeGroups::All || !exclude.group_ids.is_empty() || !exclude.group_names.is_empty();
    let needs_members = scope.groups != ScopeGroups::All;
    let knows_groups = looked.groups.is_whole || scope.users != ScopeUsers::MembersOfFilteredGroups;
    let knows_users = is_walked && knows_groups && (looked.users.is_whole || takes_everyone(filter));
    let knows_all_groups = looked.groups.is_whole && (!needs_members || knows_users);
    let limits = if knows_users && knows_all_groups { filter.limits } else { Limits::default() };
    let in_scope = in_scope(filter, looked, limits);
    let groups_looked_at = match (&looked.walked, needs_members) {
        (Some(walked), true) => {
            (walked.groups.len().min(looked.groups.objects.len()) as u64, looked.groups.looked_at.1)
        }
        _ => looked.groups.looked_at,
    };
    let users = count(
        &looked.users,
        narrows_users.then_some((in_scope.users.len(), knows_users, looked.users.looked_at)),
        filter.limits.max_users,
    );
    let groups = count(
        &looked.groups,
        narrows_groups.then_some((in_scope.groups.len(), knows_all_groups, groups_looked_at)),
        filter.limits.max_groups,
    );
    let devices = count(&looked.devices, None, None);
    let all = |kind: &Kind| kind.objects.keys().copied().collect::<Vec<_>>();
    let users_shown = if narrows_users { in_scope.users } else { all(&looked.users) };
    let groups_shown = if narrows_groups { in_scope.groups } else { all(&looked.groups) };
    let other = |kind: EntityKind| looked.others.get(&kind).map(|looked| count(looked, None, None));
    let (applications, service_principals) = (other(EntityKind::Applications), other(EntityKind::ServicePrincipals));
    let (roles, administrative_units) = (other(EntityKind::Roles), other(EntityKind::AdministrativeUnits));
    let shown = |kind: EntityKind, count: Option<PreviewCount>| {
        let found = looked.others.get(&kind);
        found.map(|found| sample(found, &all(found), count.and_then(|count| count.count)))
    };
    Decided {
        counts: PreviewCounts { users, groups, devices, applications, service_principals, roles, administrative_units },
        sample: PreviewSample {
            users: sample(&looked.users, &users_shown, users.count),
            groups: sample(&looked.groups, &groups_shown, groups.count),
            devices: sample(&looked.devices, &all(&looked.devices), devices.count),
            applications: shown(EntityKind::Applications, applications),
            service_principals: shown(EntityKind::ServicePrincipals, service_principals),
            roles: shown(EntityKind::Roles, roles),
            administrative_units: shown(EntityKind::AdministrativeUnits, administrative_units),
        },
    }
}

fn in_scope(filter: &Filter, looked: &Looked, limits: Limits) -> InScope<Uuid> {
    let admitted = |kind: EntityKind| {
        let objects = looked
            .of(kind)
            .into_iter()
            .flat_map(|looked| &looked.objects)
            .filter(move |(_, object)| !filter.exclude.excludes(kind, object));
        objects.map(|(id, _)| *id).collect::<Vec<_>>()
    };
    let nothing = Memberships::default();
    let memberships = looked.walked.as_ref().map_or(&nothing, |walked| &walked.memberships);
    let users = match (&looked.walked, takes_everyone(filter)) {
        (Some(walked), true) => memberships.members_of(&walked.groups.iter().copied().collect::<Vec<_>>(), false),
        _ => admitted(EntityKind::Users),
    };
    let candidates = Candidates { users, groups: admitted(EntityKind::Groups) };
    resolve(&filter.scope, limits, &filter.scope.group_ids, candidates, memberships)
}

/// `narrowed`: how many of the objects that were read are in scope, whether these are all, and how many of how many were
/// read. Without it, all objects that match the condition are in scope.
fn count(kind: &Kind, narrowed: Option<(usize, bool, (u64, u64))>, limit: Option<u64>) -> PreviewCount {
    let Some(matching) = kind.matching else { return PreviewCount { total: kind.total, ..PreviewCount::default() } };
    let (count, exact) = match narrowed {
        None => (matching, kind.is_counted),
        Some((found, true, _)) => (found as u64, true),
        Some((found, false, (looked_at, of))) => {
            let estimate = (found as u64).saturating_mul(of) / looked_at.max(1);
            (estimate.clamp(found as u64, matching.max(found as u64)), false)
        }
    };
    let count = limit.map_or(count, |limit| count.min(limit));
    let out_of_scope = Some(matching.saturating_sub(count));
    PreviewCount { count: Some(count), exact, out_of_scope, total: kind.total }
}

fn sample(kind: &Kind, ids: &[Uuid], count: Option<u64>) -> Vec<SampleObject> {
    let most = count.map_or(MAX_SAMPLE, |count| usize::try_from(count).unwrap_or(MAX_SAMPLE).min(MAX_SAMPLE));
    let objects = ids.iter().filter_map(|id| Some((*id, kind.objects.get(id)?)));
    objects.take(most).map(|(id, object)| shown(id, object)).collect()
}

fn shown(id: Uuid, object: &Map<String, Value>) -> SampleObject {
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    SampleObject {
        id,
        display_name: text("displayName"),
        user_principal_name: text("userPrincipalName"),
        mail: text("mail"),
        operating_system: text("operatingSystem"),
    }
}
