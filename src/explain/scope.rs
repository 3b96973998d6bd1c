//! Whether an object is in the scope of the filter by membership, and through which groups.

use super::known::KnownObject;
use super::live::{Live, Unanswered};
use super::report::{PathGroup, Step, StepName, StepVerdict};
use super::subject::{Subject, singular};
use crate::app::App;
use crate::db::mirror::lookup;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::filter::{EntityKind, ScopeGroups, ScopeUsers};
use crate::runs::context::JobContext;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Levels of nested groups that are followed at most.
const MAX_LEVELS: usize = 20;

/// The way from an object up to a group of the scope.
enum Way {
    /// The groups, from the one that has the object as a direct member.
    Found(Vec<PathGroup>),
    NotFound,
    /// Nobody can say.
    Unknown(Unanswered),
}

/// Which groups decide.
enum Roots {
    Named(BTreeSet<Uuid>),
    /// The groups that the filter takes, which are those of the mirror.
    Imported,
}

pub(super) async fn step(
    app: &App,
    live: &Live,
    job: &JobContext,
    kind: EntityKind,
    (subject, known): (&Subject, &KnownObject),
) -> Result<Step> {
    let scope = &job.filter.scope;
    let applies = match kind {
        EntityKind::Users => scope.users != ScopeUsers::All,
        EntityKind::Groups => scope.groups != ScopeGroups::All,
        _ => false,
    };
    if !applies {
        let detail = format!("The filter's scope takes all {}.", kind.as_str());
        return Ok(Step::new(StepName::Scope, StepVerdict::NotApplicable, detail));
    }
    match kind {
        EntityKind::Users => user(app, live, job, subject, known).await,
        _ => group(app, live, job, subject, known).await,
    }
}

async fn user(app: &App, live: &Live, job: &JobContext, subject: &Subject, known: &KnownObject) -> Result<Step> {
    let scope = &job.filter.scope;
    let (roots, what, advice) = match scope.users {
        ScopeUsers::MembersOf => (
            Roots::Named(scope.group_ids.iter().copied().collect()),
            "a group of the filter's scope",
            "Add the user to one of the groups in `scope.groupIds` of the filter, or add a group of the user there.",
        ),
        ScopeUsers::All | ScopeUsers::MembersOfFilteredGroups => (
            Roots::Imported,
            "a group that the filter takes",
            "Add the user to a group that the filter takes, or change its condition on groups.",
        ),
    };
    let mut way = mirrored_way(app, job, &roots, subject.id).await?;
    if matches!(way, Way::NotFound) {
        way = live_way(app, live, job, &roots, subject.id).await?;
    }
    let nested = if scope.transitive { "" } else { " directly; members of nested groups do not count" };
    Ok(match way {
        Way::Found(path) => {
            let through: Vec<String> = path.iter().map(PathGroup::shown).collect();
            let detail = match through.as_slice() {
                [direct] => format!("The user is a member of {direct}, {what}."),
                several => format!("The user is a member of {what}, through {}.", several.join(" → ")),
            };
            Step { path, ..Step::new(StepName::Scope, StepVerdict::Passed, detail) }
        }
        Way::Unknown(unanswered) if known.is_mirrored => {
            let detail = format!(
                "The last complete read found the user in the filter's scope. Through which group is not known: {}.",
                unanswered.why
            );
            Step::new(StepName::Scope, StepVerdict::Passed, detail)
        }
        Way::Unknown(unanswered) => {
            let detail = format!("Whether the user is a member of {what} is not known: {}.", unanswered.why);
            Step::new(StepName::Scope, StepVerdict::Unknown, detail).advice(unanswered.advice)
        }
        Way::NotFound => {
            Step::new(StepName::Scope, StepVerdict::Failed, format!("The user is not a member of {what}{nested}."))
                .advice(advice)
        }
    })
}

/// The way through the memberships that the mirror has.
async fn mirrored_way(app: &App, job: &JobContext, roots: &Roots, from: Uuid) -> Result<Way> {
    let (organization, id) = (job.organization, job.id);
    let levels = if job.filter.scope.transitive { MAX_LEVELS } else { 1 };
    let mut came_from: BTreeMap<Uuid, Uuid> = BTreeMap::new();
    let mut open = vec![from];
    for _ in 0..levels {
        let found = app.db.read(organization, async |tx| lookup::containing(tx, organization, id, &open).await).await?;
        let mut next = Vec::new();
        for one in found {
            if one.group_id != from && !came_from.contains_key(&one.group_id) {
                came_from.insert(one.group_id, one.member_id);
                next.push(one.group_id);
            }
        }
        let names = names(app, job, &next).await?;
        let reached = next.iter().find(|group| match roots {
            Roots::Named(named) => named.contains(group),
            Roots::Imported => names.contains_key(group),
        });
        if let Some(reached) = reached {
            let path = path(&came_from, from, *reached);
            let names = self::names(app, job, &path).await?;
            return Ok(Way::Found(
                path.into_iter().map(|id| PathGroup { id, name: names.get(&id).cloned() }).collect(),
            ));
        }
        if next.is_empty() {
            break;
        }
        open = next;
    }
    Ok(Way::NotFound)
}

/// The way through the memberships that Graph has now.
async fn live_way(app: &App, live: &Live, job: &JobContext, roots: &Roots, from: Uuid) -> Result<Way> {
    let levels = if job.filter.scope.transitive { MAX_LEVELS } else { 1 };
    let mut came_from: BTreeMap<Uuid, Uuid> = BTreeMap::new();
    let mut shown: BTreeMap<Uuid, String> = BTreeMap::new();
    let mut open = vec![(EntityKind::Users, from)];
    for _ in 0..levels {
        let mut next = Vec::new();
        for (kind, member) in &open {
            let groups = match live.groups_of(*kind, *member).await {
                Ok(groups) => groups,
                Err(unanswered) => return Ok(Way::Unknown(unanswered)),
            };
            for (group, object) in groups {
                if let Some(name) = object.get("displayName").and_then(Value::as_str) {
                    shown.insert(group, name.to_owned());
                }
                if group != from && !came_from.contains_key(&group) {
                    came_from.insert(group, *member);
                    next.push(group);
                }
            }
        }
        let imported = names(app, job, &next).await?;
        let reached = next.iter().find(|group| match roots {
            Roots::Named(named) => named.contains(group),
            Roots::Imported => imported.contains_key(group),
        });
        if let Some(reached) = reached {
            let path = path(&came_from, from, *reached);
            return Ok(Way::Found(
                path.into_iter().map(|id| PathGroup { id, name: shown.get(&id).cloned() }).collect(),
            ));
        }
        if next.is_empty() {
            break;
        }
        open = next.into_iter().map(|group| (EntityKind::Groups, group)).collect();
    }
    Ok(Way::NotFound)
}

/// The groups from the one that has the object as a member up to the one that was reached.
fn path(came_from: &BTreeMap<Uuid, Uuid>, from: Uuid, reached: Uuid) -> Vec<Uuid> {
    let mut path = vec![reached];
    let mut at = reached;
    while let Some(member) = came_from.get(&at).filter(|member| **member != from) {
        path.push(*member);
        at = *member;
    }
    path.reverse();
    path
}

/// The names of those of these groups that the mirror has.
async fn names(app: &App, job: &JobContext, groups: &[Uuid]) -> Result<BTreeMap<Uuid, String>> {
    if groups.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (organization, id) = (job.organization, job.id);
    let rows = app.db.read(organization, async |tx| lookup::some(tx, organization, id, groups).await).await?;
    let of_groups = rows.into_iter().filter(|row| row.object_type == ObjectType::Groups.as_str());
    let name = |data: &str| {
        let object: Option<Value> = serde_json::from_str(data).ok();
        object.and_then(|object| object.get("displayName")?.as_str().map(str::to_owned)).unwrap_or_default()
    };
    Ok(of_groups.map(|row| (row.id, name(&row.data))).collect())
}

/// A group is in scope if one of its users is.
async fn group(app: &App, live: &Live, job: &JobContext, subject: &Subject, known: &KnownObject) -> Result<Step> {
    let passed = |detail: String| Step::new(StepName::Scope, StepVerdict::Passed, detail);
    let whose = if job.filter.scope.transitive { "its members and those of nested groups" } else { "its members" };
    let (members, are_all) = match live.members(subject.id, job.filter.scope.transitive).await {
        Ok(found) => found,
        Err(_) if known.is_mirrored => {
            return Ok(passed(
                "The last complete read found a user in scope among the members of the group.".to_owned(),
            ));
        }
        Err(unanswered) => {
            let detail = format!("Whether a user in scope is among {whose} is not known: {}.", unanswered.why);
            return Ok(Step::new(StepName::Scope, StepVerdict::Unknown, detail).advice(unanswered.advice));
        }
    };
    let (organization, id) = (job.organization, job.id);
    let rows = app.db.read(organization, async |tx| lookup::some(tx, organization, id, &members).await).await?;
    let users = rows.iter().filter(|row| row.object_type == ObjectType::Users.as_str()).count();
    let number = members.len();
    if users > 0 {
        return Ok(passed(format!("{users} users in scope are among {whose}.")).seen(users));
    }
    if !are_all {
        let detail = format!("The first {number} of {whose} are not in scope. Whether others are is not known.");
        return Ok(Step::new(StepName::Scope, StepVerdict::Unknown, detail).seen(number));
    }
    let one = singular(EntityKind::Groups);
    let detail = match number {
        0 => format!("The filter's scope takes only groups with a user in scope. The {one} has no visible members."),
        _ => {
            format!("The filter's scope takes only groups with a user in scope. None of {whose} is ({number} in all).")
        }
    };
    Ok(Step::new(StepName::Scope, StepVerdict::Failed, detail)
        .seen(number)
        .advice("Add a user in scope to the group, or set `scope.groups` of the filter to `all`."))
}
