//! Incremental runs after random changes: what Assets holds equals the directory after each.

use super::scope::members;
use crate::support::world::World;
use entra_assets::ids::JobId;
use entra_assets::run_state::RunMode;
use entra_assets::sim::seed::{Directory, GroupKind, ObjectKind, Ref, Refused, SeedOptions, State, words::SKUS};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Steele and Vigna's SplitMix64: the same numbers for the same seed, on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, some: &[T]) -> Option<T> {
        let at = self.below(some.len());
        some.get(at).copied()
    }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn users(directory: &Directory) -> Vec<Uuid> {
    directory.live_users().map(|(_, user)| user.id).collect()
}

fn groups(directory: &Directory) -> Vec<Uuid> {
    directory.live_groups().map(|(_, group)| group.id).collect()
}

/// Who owned a group stays in the recycle bin: no change tells of a group that was restored before its owner who owns it;
/// the next full read does.
fn in_bin(directory: &Directory) -> Vec<Uuid> {
    let owns = |slot: u32| directory.groups.iter().any(|group| group.owners.contains(&Ref::user(slot)));
    let users = directory.users.iter().zip(0..).filter(|(user, slot)| user.state == State::SoftDeleted && !owns(*slot));
    let users = users.map(|(user, _)| user.id);
    let groups = directory.groups.iter().filter(|group| group.state == State::SoftDeleted).map(|group| group.id);
    users.chain(groups).collect()
}

/// One change, or an attempt at one that the directory refuses.
fn change_something(directory: &mut Directory, random: &mut Random, stays: Uuid) -> Option<Result<(), Refused>> {
    let (users, groups) = (users(directory), groups(directory));
    let (user, other) = (random.pick(&users)?, random.pick(&users)?);
    let (group, nested) = (random.pick(&groups)?, random.pick(&groups)?);
    let number = random.below(1_000_000);
    Some(match random.below(20) {
        0 => directory.update(user, map(&json!({"jobTitle": format!("Title {number}"), "city": null}))),
        1 => directory.update(user, map(&json!({"department": null, "mobilePhone": "+1 555"}))),
        2 => {
            // Its name and its members in one round: a filter may go by the name.
            let texts = json!({"description": format!("Text {number}"), "displayName": format!("Group {number}")});
            directory.update(group, map(&texts)).and_then(|()| directory.add_member(group, user))
        }
        3 => directory.set_manager(user, Some(other).filter(|other| *other != user)),
        4 => directory.set_manager(user, None),
        5 | 6 => directory.add_member(group, user),
        7 => directory.add_member(group, nested),
        8 | 9 => {
            let edges =
                directory.member_edges(if number.is_multiple_of(4) { ObjectKind::Group } else { ObjectKind::User });
            let (group, member) = random.pick(&edges)?;
            directory.remove_member(group, member)
        }
        10 => directory.add_owner(group, user),
        11 => {
            let (group, owner) = random.pick(&directory.owner_edges())?;
            directory.remove_owner(group, owner)
        }
        12 => {
            let name = format!("new{number}@contoso.example");
            let new = directory.add_user(map(&json!({"userPrincipalName": name, "displayName": name})));
            directory.add_member(group, new).and_then(|()| directory.set_manager(new, Some(user)))
        }
        13 => {
            let new = directory.add_group(&format!("New {number}"), GroupKind::Security);
            let owned = users.iter().take(number % 25).try_for_each(|owner| directory.add_owner(new, *owner));
            owned.and_then(|()| directory.add_member(new, user)).and_then(|()| directory.add_member(group, new))
        }
        14 => directory.delete(user),
        15 | 16 if group == stays => Err(Refused::NotFound),
        15 => directory.delete(group),
        16 => directory.purge(random.pick(&[user, group])?),
        17 | 18 => directory.restore(random.pick(&in_bin(directory))?),
        _ => directory.set_user_licenses(user, &[SKUS[number % SKUS.len()].id]),
    })
}

async fn world(seed: u64) -> (World, JobId) {
    let size = SeedOptions { seed, users: 50, groups: 16, memberships: Some(200), devices: Some(6) };
    let world = World::following(size).await;
    let job = world.add_job().await;
    world.set_job("brake_percent = 100").await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    (world, job)
}

/// Changes something, or nothing, but does not delete the group that `stays`. Returns how often.
pub fn change_some(world: &World, random: &mut Random, stays: Uuid) -> usize {
    let changes = random.below(14);
    world.graph.change(|directory| {
        for _ in 0..changes {
            // What the directory refuses is no change.
            let _ = change_something(directory, random, stays);
        }
    });
    changes
}

async fn rounds(seed: u64, rounds: usize) {
    let (world, job) = world(seed).await;
    let mut random = Random(seed);
    for round in 0..rounds {
        let changes = change_some(&world, &mut random, Uuid::nil());
        let why = format!("seed {seed}, round {round}, {changes} changes");
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!(run.state.as_str(), "succeeded", "{why}: {:?} {:?}", run.error, run.warnings);
        assert_eq!(run.warnings, json!([]), "{why}");
        world.assert_exact(&why);
        let truth = world.graph.truth();
        let members = truth.user_memberships + truth.group_memberships;
        assert!(run.counts["memberships"]["read"].as_u64().unwrap() >= members, "{why}");
    }
    // What a full read finds is what the incremental ones left.
    let run = world.run(job, RunMode::Full).await;
    for name in ["users", "groups", "licenses"] {
        let counts = &run.counts[name];
        assert_eq!((&counts["created"], &counts["updated"]), (&json!(0), &json!(0)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_changes_are_followed_round_by_round() {
    rounds(11, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn soak_random_changes_are_followed_for_long() {
    for seed in 100..130 {
        rounds(seed, 40).await;
    }
}

type Ids = BTreeSet<Uuid>;

/// What a scope takes: its rule, the users and groups of it, and which of these are imported.
struct Scoped {
    rule: Value,
    takes: fn(&World, Uuid) -> (Ids, Ids),
    imports: Value,
}

fn security(world: &World) -> Ids {
    world.graph.read(|directory| {
        let groups = directory.live_groups().filter(|(_, group)| group.kind == GroupKind::Security);
        groups.map(|(_, group)| group.id).collect()
    })
}

fn all_groups(world: &World) -> Ids {
    world.graph.read(|directory| groups(directory).into_iter().collect())
}

fn members_of(world: &World, group: Uuid) -> Ids {
    members(world, &Ids::from([group]), true)
}

/// The groups that have one of the users as a member, at any depth.
fn containing(world: &World, groups: Ids, users: &Ids) -> Ids {
    groups.into_iter().filter(|group| !members_of(world, *group).is_disjoint(users)).collect()
}

fn first(ids: impl IntoIterator<Item = Uuid>, limit: usize) -> Ids {
    ids.into_iter().collect::<Ids>().into_iter().take(limit).collect()
}

fn first_users(world: &World, limit: usize) -> Ids {
    first(world.graph.read(users), limit)
}

const SCOPES: usize = 10;

fn case(rule: Value, imports: &Value, takes: fn(&World, Uuid) -> (Ids, Ids)) -> Scoped {
    Scoped { rule, takes, imports: imports.clone() }
}

/// Scopes by membership: of a group among others that are imported, of one whose nested groups are not, of one in a job
/// without groups, of all groups that a condition takes, imported or not. Limits, alone and with a scope. Groups of the
/// users in scope, with limits, and without the users.
fn scopes(group: Uuid) -> [Scoped; SCOPES] {
    let scope = json!({"users": "membersOf", "groupIds": [group]});
    let condition = json!({"odata": "mailEnabled eq false"});
    let filtered = json!({"groups": condition, "scope": {"users": "membersOfFilteredGroups"}});
    let containers = json!({"users": "membersOf", "groupIds": [group], "groups": "containingFilteredUsers"});
    let (all, no_groups) = (json!({}), json!({"groups": {"enabled": false}}));
    [
        case(json!({"scope": scope}), &all, |world, group| (members_of(world, group), all_groups(world))),
        case(json!({"scope": scope, "groups": condition}), &all, |world, group| {
            (members_of(world, group), security(world))
        }),
        case(json!({"scope": scope}), &no_groups, |world, group| (members_of(world, group), Ids::new())),
        case(filtered.clone(), &all, |world, _| (members(world, &security(world), true), security(world))),
        case(filtered, &no_groups, |world, _| (members(world, &security(world), true), Ids::new())),
        case(json!({"limits": {"maxUsers": 40, "maxGroups": 12}}), &all, |world, _| {
            (first_users(world, 40), first(all_groups(world), 12))
        }),
        case(json!({"scope": scope, "limits": {"maxUsers": 4}}), &all, |world, group| {
            (first(members_of(world, group), 4), all_groups(world))
        }),
        case(json!({"scope": containers}), &all, |world, group| {
            let users = members_of(world, group);
            let groups = containing(world, all_groups(world), &users);
            (users, groups)
        }),
        case(
            json!({"groups": condition, "scope": {"groups": "containingFilteredUsers"},
                "limits": {"maxUsers": 40, "maxGroups": 6}}),
            &all,
            |world, _| {
                let users = first_users(world, 40);
                let groups = first(containing(world, security(world), &users), 6);
                (users, groups)
            },
        ),
        case(json!({"scope": containers}), &json!({"users": {"enabled": false}}), |world, group| {
            (Ids::new(), containing(world, all_groups(world), &members_of(world, group)))
        }),
    ]
}

/// Returns how many scopes there were, of users and of groups.
async fn rounds_in_scope(seed: u64, rounds: usize, number: usize) -> (usize, usize) {
    let size = SeedOptions { seed, users: 50, groups: 16, memberships: Some(120), devices: Some(6) };
    let world = World::following(size).await;
    let group = world.graph.read(|directory| directory.member_edges(ObjectKind::Group)[0].0);
    let case = &scopes(group)[number];
    let job = world.add_job_with(case.imports.clone()).await;
    let filter = world.add_filter(case.rule.clone()).await;
    world.set_job(&format!("brake_percent = 100, filter_id = '{filter}'")).await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let mut random = Random(seed);
    let mut seen = (BTreeSet::new(), BTreeSet::new());
    for round in 0..rounds {
        let changes = change_some(&world, &mut random, group);
        let why = format!("case {number}, seed {seed}, round {round}, {changes} changes");
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!(run.state.as_str(), "succeeded", "{why}: {:?} {:?}", run.error, run.warnings);
        // Nothing was read otherwise than by its changes. That somebody is in many groups is no matter of this test.
        let warnings: Vec<&Value> =
            run.warnings.as_array().unwrap().iter().filter(|of| of["code"] != "many_references").collect();
        assert!(warnings.is_empty(), "{why}: {warnings:?}");
        let (users, groups) = (case.takes)(&world, group);
        world.assert_exact_but(&why, |truth| truth.keep(&users, &groups));
        seen.0.insert(users);
        seen.1.insert(groups);
    }
    // Of some scopes the users or the groups are always the same, or there are none.
    let (users, groups) = (seen.0.len(), seen.1.len());
    assert!(users.max(groups) >= 3, "case {number}: the scope never changed: {seen:?}");
    // What a full read finds is what the incremental ones left.
    let run = world.run(job, RunMode::Full).await;
    for name in ["users", "groups", "licenses"] {
        let count = |what: &str| run.counts[name][what].as_u64().unwrap_or(0);
        assert_eq!((count("created"), count("updated")), (0, 0), "{name}");
    }
    (users, groups)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_changes_are_followed_by_scopes() {
    let mut changed = (0, 0);
    for number in 0..SCOPES {
        let (users, groups) = rounds_in_scope(23, 10, number).await;
        changed = (changed.0 + usize::from(users > 1), changed.1 + usize::from(groups > 1));
    }
    assert!(changed.0 >= SCOPES / 2 && changed.1 >= 3, "the scopes changed too seldom: {changed:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn soak_random_changes_are_followed_by_scopes_for_long() {
    for seed in 200..215 {
        for number in 0..SCOPES {
            rounds_in_scope(seed, 40, number).await;
        }
    }
}

/// Filters with stubs: of what conditions leave out, of what is beside a group and over a limit, of the groups of users.
fn with_stubs(group: Uuid) -> [Value; 3] {
    let groups = json!({"odata": "mailEnabled eq false"});
    let scope = json!({"users": "membersOf", "groupIds": [group]});
    let containers = json!({"users": "membersOf", "groupIds": [group], "groups": "containingFilteredUsers"});
    [
        json!({"users": {"odata": "department ne null"}, "groups": groups, "outside": "stub"}),
        json!({"scope": scope, "limits": {"maxGroups": 7}, "outside": "stub"}),
        json!({"scope": containers, "limits": {"maxUsers": 5}, "outside": "stub"}),
    ]
}

/// What an incremental run leaves is what a read of everything finds.
async fn rounds_with_stubs(seed: u64, rounds: usize, number: usize) {
    let size = SeedOptions { seed, users: 50, groups: 16, memberships: Some(120), devices: Some(6) };
    let world = World::following(size).await;
    let group = world.graph.read(|directory| directory.member_edges(ObjectKind::Group)[0].0);
    let job = world.add_job_with(json!({"devices": {"enabled": true}})).await;
    let filter = world.add_filter(with_stubs(group)[number].clone()).await;
    world.set_job(&format!("brake_percent = 100, memberships = 'both', filter_id = '{filter}'")).await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let mut random = Random(seed);
    let mut seen = BTreeSet::new();
    for round in 0..rounds {
        let changes = change_some(&world, &mut random, group);
        let why = format!("stubs {number}, seed {seed}, round {round}, {changes} changes");
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!((run.state.as_str(), &run.warnings), ("succeeded", &json!([])), "{why}: {:?}", run.error);
        let look = world.run(job, RunMode::DryRun).await;
        assert_eq!(look.state.as_str(), "succeeded", "{why}: {:?}", look.error);
        for name in ["users", "groups", "devices", "licenses"] {
            let of = |counts: &Value, what: &str| counts[name][what].as_u64().unwrap_or(0);
            let found = ["created", "updated"].map(|what| of(&look.counts, what));
            assert_eq!(found, [0, 0], "{why}: {name} {:?}", world.changes(look.run_id()).await);
            for what in ["read", "stubs", "missing", "droppedReferences"] {
                assert_eq!(of(&run.counts, what), of(&look.counts, what), "{why}: {name} {what}");
            }
        }
        seen.insert((run.counts["users"]["stubs"].as_u64(), run.counts["groups"]["stubs"].as_u64()));
    }
    assert!(seen.len() > 2, "stubs {number}: they never changed: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_changes_are_followed_by_stubs() {
    for number in 0..3 {
        rounds_with_stubs(29, 10, number).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn soak_random_changes_are_followed_by_stubs_for_long() {
    for seed in 300..310 {
        for number in 0..3 {
            rounds_with_stubs(seed, 40, number).await;
        }
    }
}
