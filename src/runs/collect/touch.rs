//! What a read of changes touches besides the objects that it changes: members whose groups change, and objects that refer to
//! what comes or goes. The comparison then looks at these alone (`runs/diff/touched.rs`).

use crate::db::Transaction;
use crate::db::mirror::read::MembershipPair;
use crate::db::mirror::{self, MirrorRow, Moved, StoredAs, links, touched};
use crate::directory::{Link, MemberType, ObjectType};
use crate::error::Result;
use crate::mapping::Mapping;
use crate::runs::run::Run;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A read of changes that becomes the mirror.
pub(super) struct Patch {
    pub moved: Vec<Moved>,
    /// Stubs that come, change or go, under the type of their objects.
    stubs: Vec<Moved>,
    /// How many memberships the mirror gains.
    pub memberships: i64,
    /// What is touched is noted: there is a comparison since which it matters.
    follows: bool,
    /// The memberships of who came, with those of others that were looked for.
    pairs: Vec<MembershipPair>,
}

impl Patch {
    /// How many objects the mirror gains of a type.
    pub(super) fn gained(&self, object_type: ObjectType) -> i64 {
        let of_type = self.moved.iter().filter(|moved| moved.object_type == object_type);
        of_type.map(|moved| i64::from(moved.is_there) - i64::from(moved.was_there)).sum()
    }
}

/// Makes the changes that were staged the mirror's. `mirror`: its row as it will be. Callers have fenced.
pub(super) async fn patch(
    tx: &mut Transaction,
    run: &Run,
    mirror: &mut MirrorRow,
    stored_as: &[StoredAs],
) -> Result<Patch> {
    let (lease, job) = (run.lease, run.job.id);
    let (stubs, objects): (Vec<StoredAs>, Vec<StoredAs>) =
        stored_as.iter().copied().partition(|stored_as| stored_as.is_stub());
    let is_patched =
        |stored_as: &StoredAs| matches!(stored_as, StoredAs::Object(ObjectType::Users | ObjectType::Groups));
    let (patched, whole): (Vec<StoredAs>, Vec<StoredAs>) = objects.into_iter().partition(is_patched);
    let moved = mirror::moved(tx, &lease, job, &patched, &whole).await?;
    let stubs = mirror::moved(tx, &lease, job, &stubs, &[]).await?;
    let memberships = mirror::memberships_gained(tx, &lease, job).await?;
    let follows = mirror.is_followed();
    let kept_links = mirror.links_generation == Some(mirror.generation - 1);
    let with_links = with_links(&moved, &run.job.mapping);
    if follows {
        add_members(tx, run).await?;
    }
    if kept_links {
        links::forget(tx, lease.organization, job, &with_links).await?;
    }
    let members = if follows { looked_for(&moved, &as_targets(&moved, &stubs), &run.job.mapping) } else { Vec::new() };
    let patched = mirror::patch(tx, &lease, job, &moved, &stubs, members).await?;
    if kept_links {
        links::add(tx, lease.organization, job, &with_links).await?;
        mirror.links_generation = Some(mirror.generation);
    }
    let memberships = memberships - i64::try_from(patched.taken_out).unwrap_or(i64::MAX);
    Ok(Patch { moved, stubs, memberships, follows, pairs: patched.pairs })
}

/// Notes what was touched, once everything is in the mirror. Callers have fenced.
pub(super) async fn note(tx: &mut Transaction, run: &Run, mirror: &mut MirrorRow, patch: &Patch) -> Result<()> {
    if !patch.follows {
        return Ok(());
    }
    let (organization, job, mapping) = (run.lease.organization, run.job.id, &run.job.mapping);
    let (arrived, others): (Vec<&Moved>, Vec<&Moved>) = patch.moved.iter().partition(|moved| !moved.was_there);
    let of = |moved: Vec<&Moved>| moved.into_iter().map(|moved| (moved.object_type, moved.id)).collect::<Vec<_>>();
    touched::add_arrived(tx, organization, job, &of(arrived), &patch.pairs).await?;
    let mut objects = of(others);
    objects.extend(of(patch.stubs.iter().collect()));
    let targets = as_targets(&patch.moved, &patch.stubs);
    objects.extend(compared_whole(&targets, mapping).into_iter().map(|of| (of, Uuid::nil())));
    if mapping.carries(ObjectType::Groups, Link::Members) {
        objects.extend(patch.pairs.iter().map(|pair| (ObjectType::Groups, pair.group_id)));
    }
    let users = targets.iter().filter(|moved| moved.object_type == ObjectType::Users && moved.is_other_target());
    let users: Vec<Uuid> = users.map(|moved| moved.id).collect();
    let linked = linked(mapping);
    if !users.is_empty() && !linked.is_empty() {
        if mirror.links_generation != Some(mirror.generation) {
            links::rebuild(tx, organization, job, &linked).await?;
            mirror.links_generation = Some(mirror.generation);
        }
        objects.extend(links::referring(tx, organization, job, &users).await?);
    }
    touched::add(tx, organization, job, &objects).await
}

/// The members of changed groups, on the side that has the memberships.
async fn add_members(tx: &mut Transaction, run: &Run) -> Result<()> {
    let (lease, job, mapping) = (run.lease, run.job.id, &run.job.mapping);
    let mut members = Vec::new();
    if mapping.carries(ObjectType::Users, Link::Groups) {
        members.push(MemberType::User);
    }
    if mapping.carries(ObjectType::Groups, Link::ParentGroups) {
        members.push(MemberType::Group);
    }
    let with_groups = mapping.carries(ObjectType::Groups, Link::Members);
    if members.is_empty() && !with_groups {
        return Ok(());
    }
    touched::add_members(tx, &lease, job, &members, with_groups).await
}

/// What is there before and after for those who refer to it, to whom an object is as good as its stub.
fn as_targets(moved: &[Moved], stubs: &[Moved]) -> Vec<Moved> {
    let mut targets: BTreeMap<(ObjectType, Uuid), Moved> = BTreeMap::new();
    for one in moved.iter().chain(stubs) {
        let target = targets.entry((one.object_type, one.id)).or_insert(*one);
        target.was_there |= one.was_there;
        target.is_there |= one.is_there;
    }
    targets.into_values().collect()
}

/// Whose memberships are needed: of objects that come, in which groups they are; of users that come or go as `targets`, which
/// groups have them as members.
fn looked_for(moved: &[Moved], targets: &[Moved], mapping: &Mapping) -> Vec<Uuid> {
    let carries_groups = |moved: &&Moved| match moved.object_type {
        ObjectType::Users => mapping.carries(ObjectType::Users, Link::Groups),
        ObjectType::Groups => mapping.carries(ObjectType::Groups, Link::ParentGroups),
        _ => false,
    };
    let is_member = |moved: &&Moved| {
        moved.object_type == ObjectType::Users
            && moved.is_other_target()
            && mapping.carries(ObjectType::Groups, Link::Members)
    };
    let came = moved.iter().filter(|moved| !moved.was_there).filter(carries_groups);
    let all: BTreeSet<Uuid> = came.chain(targets.iter().filter(is_member)).map(|moved| moved.id).collect();
    all.into_iter().collect()
}

/// The types of which `mirror_links` has who refers to users.
fn linked(mapping: &Mapping) -> Vec<ObjectType> {
    let all = [(ObjectType::Users, Link::MANAGER), (ObjectType::Groups, Link::OWNERS)];
    all.into_iter().filter(|(of, link)| mapping.carries(*of, *link)).map(|(of, _)| of).collect()
}

fn with_links(moved: &[Moved], mapping: &Mapping) -> Vec<Moved> {
    let linked = linked(mapping);
    moved.iter().filter(|moved| linked.contains(&moved.object_type)).copied().collect()
}

/// The imported types of which all objects are compared, because they may refer to what came, went, or is found by another
/// value. Who refers to a user as manager or owner is looked up, the members of groups are known one by one, and a value
/// comes and goes with the users that have it.
fn compared_whole(moved: &[Moved], mapping: &Mapping) -> BTreeSet<ObjectType> {
    let changed: BTreeSet<ObjectType> = moved.iter().map(|moved| moved.object_type).collect();
    let other: BTreeSet<ObjectType> =
        moved.iter().filter(|moved| moved.is_other_target()).map(|moved| moved.object_type).collect();
    let is_looked_up = |object_type: ObjectType, link: Link| {
        matches!((object_type, link), (ObjectType::Users, Link::MANAGER) | (ObjectType::Groups, Link::OWNERS))
    };
    let is_affected = |object_type: ObjectType, link: Link| match link {
        Link::Groups | Link::AllGroups | Link::ParentGroups | Link::Members | Link::Value { .. } => false,
        Link::Ids { target, .. } => other.contains(&target) && !is_looked_up(object_type, link),
        Link::Same { target, .. } => changed.contains(&target),
    };
    let imported = ObjectType::ALL.into_iter().filter(|of| mapping.is_enabled(*of));
    imported.filter(|of| mapping.links(*of).any(|link| is_affected(*of, link))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Memberships, ReferenceTemplate, Selection};

    fn mapping() -> Mapping {
        let mut selection = Selection::default();
        for object_type in ObjectType::ALL {
            selection.of_mut(object_type).enabled = true;
        }
        Mapping::new(&selection, Memberships::Both, ReferenceTemplate::ArrayPlaceholder)
    }

    fn whole(object_type: ObjectType, was_there: bool, is_there: bool) -> Vec<ObjectType> {
        let moved = [Moved { object_type, id: Uuid::from_u128(1), was_there, is_there }];
        compared_whole(&moved, &mapping()).into_iter().collect()
    }

    #[test]
    fn types_that_may_refer_to_what_came_or_went_are_compared_whole() {
        let came = |object_type| whole(object_type, false, true);
        let changed = |object_type| whole(object_type, true, true);
        assert_eq!(came(ObjectType::Licenses), [ObjectType::Users, ObjectType::Groups]);
        assert_eq!(whole(ObjectType::Licenses, true, false), came(ObjectType::Licenses));
        assert!(changed(ObjectType::Licenses).is_empty());
        let of_users = came(ObjectType::Users);
        assert!(of_users.contains(&ObjectType::Devices) && of_users.contains(&ObjectType::Applications));
        assert!(!of_users.contains(&ObjectType::Users) && !of_users.contains(&ObjectType::Groups), "{of_users:?}");
        assert!(changed(ObjectType::Users).is_empty() && changed(ObjectType::Groups).is_empty());
        assert!(came(ObjectType::Departments).is_empty());
    }

    #[test]
    fn an_object_that_becomes_a_stub_stays_a_target() {
        let moved = |was_there, is_there| {
            vec![Moved { object_type: ObjectType::Users, id: Uuid::from_u128(1), was_there, is_there }]
        };
        let is_other = |moved: Vec<Moved>, stubs: Vec<Moved>| as_targets(&moved, &stubs)[0].is_other_target();
        assert!(!is_other(moved(true, false), moved(false, true)), "it leaves the scope");
        assert!(!is_other(moved(false, true), moved(true, false)), "it comes back");
        assert!(is_other(Vec::new(), moved(false, true)) && is_other(moved(true, false), Vec::new()));
        assert!(is_other(moved(true, false), moved(true, false)));
    }

    #[test]
    fn what_finds_others_by_an_equal_value_is_compared_whole_when_they_change() {
        let changed = |object_type| whole(object_type, true, true);
        assert_eq!(changed(ObjectType::ServicePrincipals), [ObjectType::Applications]);
        assert_eq!(changed(ObjectType::Applications), [ObjectType::ServicePrincipals]);
        assert_eq!(changed(ObjectType::Devices), [ObjectType::IntuneDevices]);
    }
}
