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
    let narrowed = |kind: EntityKind| match kind {
        EntityKind::Users if narrows_users => {
            Some(Narrowed { ids: &in_scope.users, is_known: knows_users, looked_at: looked.users.looked_at })
        }
        EntityKind::Groups if narrows_groups => {
            Some(Narrowed { ids: &in_scope.groups, is_known: knows_all_groups, looked_at: groups_looked_at })
        }
        _ => None,
    };
    let mut decided = Decided { counts: PreviewCounts::default(), sample: PreviewSample::default() };
    for (kind, found) in EntityKind::ALL.into_iter().filter_map(|kind| Some((kind, looked.of(kind)?))) {
        let narrowed = narrowed(kind);
        let count = count(found, narrowed.as_ref(), limit(filter.limits, kind));
        let sample = match narrowed {
            Some(narrowed) => sample(found, narrowed.ids.iter(), count.count),
            None => sample(found, found.objects.keys(), count.count),
        };
        decided.counts.by_kind.insert(kind, count);
        decided.sample.by_kind.insert(kind, sample);
    }
    decided
}

/// What of a kind is in scope, where not everything is that matches its condition.
struct Narrowed<'a> {
    /// Of what was read.
    ids: &'a [Uuid],
    /// Whether these are all.
    is_known: bool,
    /// How many of how many were read.
    looked_at: (u64, u64),
}

/// How many of a kind are imported at most.
fn limit(limits: Limits, kind: EntityKind) -> Option<u64> {
    match kind {
        EntityKind::Users => limits.max_users,
        EntityKind::Groups => limits.max_groups,
        _ => None,
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

/// Without `narrowed`, all objects that match the condition are in scope.
fn count(kind: &Kind, narrowed: Option<&Narrowed<'_>>, limit: Option<u64>) -> PreviewCount {
    let Some(matching) = kind.matching else { return PreviewCount { total: kind.total, ..PreviewCount::default() } };
    let (count, exact) = match narrowed {
        None => (matching, kind.is_counted),
        Some(narrowed) if narrowed.is_known => (narrowed.ids.len() as u64, true),
        Some(narrowed) => {
            let (found, (looked_at, of)) = (narrowed.ids.len() as u64, narrowed.looked_at);
            let estimate = found.saturating_mul(of) / looked_at.max(1);
            (estimate.clamp(found, matching.max(found)), false)
        }
    };
    let count = limit.map_or(count, |limit| count.min(limit));
    let out_of_scope = Some(matching.saturating_sub(count));
    PreviewCount { count: Some(count), exact, out_of_scope, total: kind.total }
}

fn sample<'a>(kind: &Kind, ids: impl Iterator<Item = &'a Uuid>, count: Option<u64>) -> Vec<SampleObject> {
    let most = count.map_or(MAX_SAMPLE, |count| usize::try_from(count).unwrap_or(MAX_SAMPLE).min(MAX_SAMPLE));
    let objects = ids.filter_map(|id| Some((*id, kind.objects.get(id)?)));
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
