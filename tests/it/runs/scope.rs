//! Scopes that Graph cannot apply: groups' members, groups of users, exclusions, limits. Each is compared with sets
//! that are reckoned here from the simulated directory.

use crate::support::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::ids::JobId;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::{Directory, GroupKind, ObjectKind, SeedOptions};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

type Ids = BTreeSet<Uuid>;

async fn run(world: &World, rule: Value, mode: RunMode) -> RunRow {
    let job = world.add_job().await;
    let filter = world.add_filter(rule).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    world.graph.reset_counters();
    world.run_with(job, mode, RunRequest { limit: Some(10), ..RunRequest::default() }).await
}

/// Delivers with a filter; the ids of users and groups that arrived. What they refer to is checked on the way.
async fn delivered(world: &World, rule: Value) -> (Ids, Ids) {
    let run = run(world, rule, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let found = (ids(world, "Entra User"), ids(world, "Entra Group"));
    check_references(world, &found.0, &found.1);
    // The same again, of which nothing is new.
    let again = world.run(JobId(run.job_id), RunMode::Full).await;
    assert_eq!(again.state.as_str(), "succeeded", "{:?} {:?}", again.error, again.warnings);
    for name in ["users", "groups"] {
        let of = |run: &RunRow, what: &str| run.counts[name][what].as_u64().unwrap_or(0);
        assert_eq!(of(&again, "unchanged"), of(&run, "created"), "{name}: {}", again.counts);
        assert_eq!((of(&again, "updated"), of(&again, "missing")), (0, 0), "{name}: {}", again.counts);
    }
    found
}

fn ids(world: &World, name: &str) -> Ids {
    world.assets.objects(name).iter().map(|object| object.values["Object ID"][0].parse().unwrap()).collect()
}

/// Managers, groups, parents and owners are those of the directory, as far as both ends arrived.
fn check_references(world: &World, users: &Ids, groups: &Ids) {
    let expected = world.graph.read(|directory| {
        let inside = |edges: Vec<(Uuid, Uuid)>, from: &Ids, to: &Ids| {
            edges.into_iter().filter(|(a, b)| from.contains(a) && to.contains(b)).collect::<BTreeSet<_>>()
        };
        let turned = |edges: Vec<(Uuid, Uuid)>| edges.into_iter().map(|(a, b)| (b, a)).collect();
        [
            inside(directory.manager_edges(), users, users),
            inside(turned(directory.member_edges(ObjectKind::User)), users, groups),
            inside(turned(directory.member_edges(ObjectKind::Group)), groups, groups),
            inside(directory.owner_edges(), groups, users),
        ]
    });
    let of = |name: &str, attribute: &str| {
        let mut edges = BTreeSet::new();
        for object in world.assets.objects(name) {
            let from: Uuid = object.values["Object ID"][0].parse().unwrap();
            edges.extend(
                object.values.get(attribute).into_iter().flatten().map(|to| (from, to.parse::<Uuid>().unwrap())),
            );
        }
        edges
    };
    let found = [
        of("Entra User", "Manager"),
        of("Entra User", "Groups"),
        of("Entra Group", "Parent Groups"),
        of("Entra Group", "Owners"),
    ];
    for ((found, expected), name) in found.iter().zip(&expected).zip(["managers", "groups", "parents", "owners"]) {
        assert_eq!(found, expected, "{name}");
    }
}

/// Group → users and group → groups in it.
fn edges(directory: &Directory) -> (BTreeMap<Uuid, Ids>, BTreeMap<Uuid, Ids>) {
    let of = |kind| {
        let mut map: BTreeMap<Uuid, Ids> = BTreeMap::new();
        for (group, member) in directory.member_edges(kind) {
            map.entry(group).or_default().insert(member);
        }
        map
    };
    (of(ObjectKind::User), of(ObjectKind::Group))
}

/// The members of groups, and of the groups in them, by walking.
pub(super) fn members(world: &World, groups: &Ids, transitive: bool) -> Ids {
    let (users, nested) = world.graph.read(edges);
    let mut seen = groups.clone();
    let mut open: Vec<Uuid> = groups.iter().copied().collect();
    while let Some(group) = open.pop().filter(|_| transitive) {
        open.extend(
            nested.get(&group).into_iter().flatten().filter(|child| seen.insert(**child)).copied().collect::<Vec<_>>(),
        );
    }
    seen.iter().filter_map(|group| users.get(group)).flatten().copied().collect()
}

fn all_users(world: &World, takes: impl Fn(&entra_assets::sim::seed::User) -> bool) -> Ids {
    world
        .graph
        .read(|directory| directory.live_users().filter(|(_, user)| takes(user)).map(|(_, user)| user.id).collect())
}

fn all_groups(world: &World, takes: impl Fn(&entra_assets::sim::seed::Group) -> bool) -> Ids {
    world.graph.read(|directory| directory.live_groups().filter(|(_, g)| takes(g)).map(|(_, group)| group.id).collect())
}

fn nesting_group(world: &World) -> Uuid {
    world.graph.read(|directory| directory.member_edges(ObjectKind::Group)[0].0)
}

/// A security group that holds only a mail-enabled one: the users of the inner are in the outer through a group that
/// a filter by `mailEnabled` leaves out.
fn nest(world: &World) -> (Uuid, Uuid, Uuid) {
    world.graph.change(|directory| {
        let outer = directory.add_group("Nesting outer", GroupKind::Security);
        let inner = directory.add_group("Nesting inner", GroupKind::Microsoft365);
        let user = directory.live_users().last().unwrap().1.id;
        directory.add_member(outer, inner).unwrap();
        directory.add_member(inner, user).unwrap();
        (outer, inner, user)
    })
}

/// What an attempt read of a group's members before it died is not taken for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_nested_group_that_was_read_in_part_before_a_death_brings_all_its_members() {
    let world = World::following(SeedOptions { seed: 4, users: 150, groups: 30, ..SeedOptions::default() }).await;
    let group = world.graph.read(|directory| directory.member_edges(ObjectKind::Group)[0].0);
    let job = world.add_job_with(json!({"groups": {"enabled": false}})).await;
    let filter = world.add_filter(json!({"scope": {"users": "membersOf", "groupIds": [group]}})).await;
    world.set_job(&format!("filter_id = '{filter}', brake_percent = 100")).await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let nested = world.graph.change(|directory| {
        let nested = directory.add_group("Nested", GroupKind::Security);
        let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).take(40).collect();
        users.into_iter().for_each(|user| directory.add_member(nested, user).unwrap());
        directory.add_member(group, nested).unwrap();
        nested
    });
    world.graph.set_max_page_size(5);
    world.graph.reset_counters();
    let run = world.queue(job, RunMode::Incremental, RunRequest::default()).await;
    let path = format!("/v1.0/groups/{nested}/members");
    let asked = || world.graph.requests().iter().filter(|request| request.path.starts_with(&path)).count();
    world.step_and_die(|| asked() >= 4).await;
    assert!(asked() < 8, "it died between two pages of eight");
    let run = world.bring_to_its_end(run).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    assert_eq!(ids(&world, "Entra User"), members(&world, &[group].into(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_with_and_without_nested_groups() {
    for transitive in [true, false] {
        let world = World::new(150, 30).await;
        let group = nesting_group(&world);
        let rule = json!({"scope": {"users": "membersOf", "groupIds": [group], "transitive": transitive}});
        let (users, groups) = delivered(&world, rule).await;
        assert_eq!(users, members(&world, &[group].into(), transitive), "transitive: {transitive}");
        assert_eq!(groups, all_groups(&world, |_| true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_members_of_the_groups_are_read_where_that_is_less() {
    let world = World::new(3000, 12).await;
    let (group, wanted) = world.graph.change(|directory| {
        let group = directory.add_group("Small", GroupKind::Security);
        let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).take(20).collect();
        users.iter().for_each(|user| directory.add_member(group, *user).unwrap());
        (group, users)
    });
    let rule =
        json!({"users": {"odata": "accountEnabled eq true"}, "scope": {"users": "membersOf", "groupIds": [group]}});
    let enabled = all_users(&world, |user| user.enabled);
    let run = run(&world, rule, RunMode::Full).await;
    let users = ids(&world, "Entra User");
    assert_eq!(users, wanted.iter().copied().filter(|user| enabled.contains(user)).collect());
    check_references(&world, &users, &ids(&world, "Entra Group"));
    let requests = world.graph.requests();
    let lists: Vec<_> = requests.iter().filter(|request| request.path == "/v1.0/users").map(|r| &r.query).collect();
    assert_eq!(lists.len(), 2, "{lists:?}");
    assert_eq!(run.counts["users"]["outOfScope"], enabled.len() - users.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_read_where_that_is_less_and_the_result_is_the_same() {
    let world = World::new(600, 12).await;
    let group = world.graph.change(|directory| {
        let group = directory.add_group("Large", GroupKind::Security);
        let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).take(400).collect();
        users.iter().for_each(|user| directory.add_member(group, *user).unwrap());
        group
    });
    let (users, _) = delivered(&world, json!({"scope": {"users": "membersOf", "groupIds": [group]}})).await;
    assert_eq!(users, members(&world, &[group].into(), true));
    let requests = world.graph.requests();
    assert_eq!(requests.iter().filter(|request| request.path == "/v1.0/users").count(), 2, "one page in each run");
    let why = "SELECT data->>'message' FROM run_events WHERE event = 'log' AND data::text LIKE '%All users are read%' LIMIT 1";
    assert!(world.text(why).await.contains("listing 600 users takes fewer requests than reading 400 members"));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_the_filtered_groups_also_through_groups_outside() {
    let world = World::new(150, 30).await;
    let (outer, _, user) = nest(&world);
    let rule = json!({"groups": {"odata": "securityEnabled eq true and mailEnabled eq false"},
        "scope": {"users": "membersOfFilteredGroups"}});
    let filtered = all_groups(&world, |group| group.kind == GroupKind::Security);
    let (users, groups) = delivered(&world, rule).await;
    assert_eq!(groups, filtered);
    assert_eq!(users, members(&world, &filtered, true));
    assert!(groups.contains(&outer) && users.contains(&user));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_contain_filtered_users_also_through_groups_outside() {
    for transitive in [true, false] {
        let world = World::new(150, 30).await;
        nest(&world);
        let rule = json!({"users": {"odata": "department eq 'Legal'"}, "groups": {"odata": "mailEnabled eq false"},
            "scope": {"groups": "containingFilteredUsers", "transitive": transitive}});
        let lawyers = all_users(&world, |user| user.department == 5 && !user.guest);
        let filtered = all_groups(&world, |group| group.kind == GroupKind::Security);
        let contains = |group: &&Uuid| !members(&world, &[**group].into(), transitive).is_disjoint(&lawyers);
        let expected: Ids = filtered.iter().filter(contains).copied().collect();
        assert!(!expected.is_empty() && expected.len() < filtered.len());
        assert_eq!(delivered(&world, rule).await, (lawyers, expected), "transitive: {transitive}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_decides_by_types_that_are_not_imported() {
    let world = World::new(100, 20).await;
    let job = world.add_job_with(json!({"groups": {"enabled": false}})).await;
    let rule = json!({"groups": {"odata": "mailEnabled eq true"}, "scope": {"users": "membersOfFilteredGroups"}});
    let filter = world.add_filter(rule).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let filtered = all_groups(&world, |group| group.kind != GroupKind::Security);
    assert_eq!(ids(&world, "Entra User"), members(&world, &filtered, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusions_win_over_everything() {
    let world = World::new(80, 12).await;
    let (service, group) = world.graph.change(|directory| {
        let properties = json!({"displayName": "Backup", "userPrincipalName": "SVC-backup@contoso.example"});
        let service = directory.add_user(properties.as_object().unwrap().clone());
        let group = directory.add_group("Temporary things", GroupKind::Security);
        let other = directory.live_users().next().unwrap().1.id;
        directory.add_member(group, service).unwrap();
        directory.add_member(group, other).unwrap();
        (service, group)
    });
    let excluded = *members(&world, &[group].into(), true).iter().find(|user| **user != service).unwrap();
    let rule = json!({"scope": {"users": "membersOf", "groupIds": [group]},
        "exclude": {"userNames": ["svc-*"], "groupNames": ["temp*"]}});
    let (users, groups) = delivered(&world, rule).await;
    assert_eq!(users, [excluded].into());
    assert!(!groups.contains(&group) && groups.len() == all_groups(&world, |_| true).len() - 1);

    let world = World::new(60, 10).await;
    let excluded = *all_users(&world, |_| true).first().unwrap();
    let some_group = *all_groups(&world, |_| true).first().unwrap();
    let (users, groups) =
        delivered(&world, json!({"exclude": {"userIds": [excluded], "groupIds": [some_group]}})).await;
    let without = |ids: Ids, gone: Uuid| ids.into_iter().filter(|id| *id != gone).collect::<Ids>();
    assert_eq!(users, without(all_users(&world, |_| true), excluded));
    assert_eq!(groups, without(all_groups(&world, |_| true), some_group));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_take_the_smallest_ids_after_everything_else() {
    let world = World::new(60, 10).await;
    let excluded = *all_users(&world, |_| true).first().unwrap();
    let rule = json!({"exclude": {"userIds": [excluded]}, "limits": {"maxUsers": 40, "maxGroups": 5}});
    let (users, groups) = delivered(&world, rule).await;
    assert_eq!(users, all_users(&world, |_| true).into_iter().skip(1).take(40).collect());
    assert_eq!(groups, all_groups(&world, |_| true).into_iter().take(5).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_whose_group_hides_its_members_ends_the_run() {
    let world = World::new(60, 10).await;
    let group = *all_groups(&world, |group| !group.hidden_membership).first().unwrap();
    world.graph.change(|directory| directory.set_hidden_membership(group, true).unwrap());
    world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"]);
    let run = run(&world, json!({"scope": {"users": "membersOf", "groupIds": [group]}}), RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("scope_group_hidden")));
    assert!(ids(&world, "Entra User").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_takes_only_what_is_in_scope() {
    let world = World::new(150, 30).await;
    let group = nesting_group(&world);
    let rule =
        json!({"groups": {"odata": "mailEnabled eq true"}, "scope": {"users": "membersOf", "groupIds": [group]}});
    let run = run(&world, rule, RunMode::Test).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let (users, groups) = (ids(&world, "Entra User"), ids(&world, "Entra Group"));
    assert_eq!(users.len(), 10);
    assert!(users.is_subset(&members(&world, &[group].into(), true)));
    assert!(!groups.is_empty() && groups.is_subset(&all_groups(&world, |group| group.kind != GroupKind::Security)));
}

/// The users of a nested group are in scope through it. When its members become hidden, nobody can say who left: whoever
/// was in scope stays, although the group itself is not imported, and its members are nowhere in the mirror.
#[tokio::test(flavor = "multi_thread")]
async fn a_nested_group_that_hides_its_members_puts_nobody_out_of_scope() {
    for containing in [false, true] {
        let world = World::new(60, 10).await;
        let (outer, inner, user) = nest(&world);
        let mut scope = json!({"users": "membersOf", "groupIds": [outer], "transitive": true});
        if containing {
            scope["groups"] = json!("containingFilteredUsers");
        }
        let rule = json!({"groups": {"odata": "mailEnabled eq false"}, "scope": scope});
        let first = run(&world, rule, RunMode::Full).await;
        assert_eq!(first.state.as_str(), "succeeded", "{:?} {}", first.error, first.warnings);
        assert!(ids(&world, "Entra User").contains(&user) && !ids(&world, "Entra Group").contains(&inner));
        let store = world.store();
        world.graph.change(|directory| directory.set_hidden_membership(inner, true).unwrap());
        let roles = ["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"];
        world.graph.set_roles(Scenario::Healthy, &roles);
        for _ in 0..2 {
            let again = world.run(JobId(first.job_id), RunMode::Full).await;
            assert_eq!(again.state.as_str(), "degraded", "{:?}", again.error);
            assert!(again.warnings.to_string().contains("scope_group_unreadable"), "{}", again.warnings);
            assert_eq!(again.counts["users"]["missing"].as_u64().unwrap_or(0), 0, "{}", again.counts);
            assert!(world.store() == store, "everything is as it was");
        }
    }
}

/// A job whose scope is decided by groups that are not imported: one that it names, one that is nested in it, or those
/// beyond its limit. With it, who is in scope.
async fn job_by_groups_outside(world: &World, case: &str) -> (JobId, Ids) {
    let (outer, _, _) = nest(world);
    let scope = json!({"users": "membersOf", "groupIds": [outer]});
    let of_filtered = json!({"users": "membersOfFilteredGroups"});
    let rule = match case {
        "named" => json!({"groups": {"odata": "mailEnabled eq true"}, "scope": scope}),
        "nested" => json!({"groups": {"odata": "mailEnabled eq false"}, "scope": scope}),
        _ => json!({"groups": {"odata": "mailEnabled eq true"}, "scope": of_filtered, "limits": {"maxGroups": 1}}),
    };
    let groups = match case {
        "limited" => all_groups(world, |group| group.kind != GroupKind::Security),
        _ => [outer].into(),
    };
    let job = world.add_job().await;
    let filter = world.add_filter(rule).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let users = members(world, &groups, true);
    assert!(!users.is_empty());
    (job, users)
}

/// What is in scope is decided by memberships that need not stay. When the process dies just before what it read becomes
/// the mirror, the next attempt decides the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_death_before_the_scope_is_the_mirror_puts_nobody_out_of_scope() {
    for case in ["named", "nested", "limited"] {
        let world = World::new(60, 12).await;
        let (job, expected) = job_by_groups_outside(&world, case).await;
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        let lock = world.lock("mirror_objects").await;
        world.step_and_die_when(async || world.somebody_waits().await).await;
        assert!(world.find(id).await.finished_at.is_none(), "it died before the end");
        drop(lock);
        let run = world.bring_to_its_end(id).await;
        assert_eq!(run.state.as_str(), "succeeded", "{case}: {:?} {:?}", run.error, run.warnings);
        assert_eq!(ids(&world, "Entra User"), expected, "{case}");
        assert_eq!(run.counts["users"]["read"], expected.len(), "{case}: {}", run.counts);
    }
}

/// A dry run keeps what it staged. When the process dies after the scope was cut out of it, and before that is noted, the
/// next attempt reads everything again.
#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_that_dies_after_its_scope_was_cut_out_shows_the_same() {
    let world = World::new(60, 12).await;
    let (job, expected) = job_by_groups_outside(&world, "limited").await;
    let mut id = world.queue(job, RunMode::DryRun, RunRequest::default()).await;
    // A run may be faster than the look at it: then another one is tried.
    for _ in 0..20 {
        let lock = tokio::sync::OnceCell::new();
        let dies = async || {
            // Nothing that is told can be written from its last word on, and the checkpoint is told too.
            if lock.initialized() {
                let cut = format!("SELECT count(*) FROM run_cursors WHERE run_id = '{id}' AND part = 'cut'");
                return world.text(&cut).await != "0";
            }
            let logged =
                format!("SELECT count(*) FROM run_events WHERE run_id = '{id}' AND data::text LIKE '%members%read%'");
            if world.text(&logged).await != "0" {
                lock.get_or_init(|| world.lock("run_events")).await;
            }
            false
        };
        world.step_and_die_when(dies).await;
        drop(lock);
        if world.find(id).await.finished_at.is_none() {
            break;
        }
        id = world.queue(job, RunMode::DryRun, RunRequest::default()).await;
    }
    let attempts = world.find(id).await.attempt;
    assert_eq!(attempts, 1, "it died before the end");
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    assert_eq!(run.counts["users"]["created"], expected.len(), "{}", run.counts);
}

/// What is unknown decides the same way each time.
#[tokio::test(flavor = "multi_thread")]
async fn groups_that_hide_their_members_are_left_out_in_every_run_alike() {
    let world = World::new(60, 16).await;
    world.graph.change(|directory| {
        let groups: Vec<Uuid> = directory.live_groups().map(|(_, group)| group.id).collect();
        for group in groups.iter().step_by(4) {
            directory.set_hidden_membership(*group, true).unwrap();
        }
    });
    world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"]);
    let first = run(&world, json!({"scope": {"groups": "containingFilteredUsers"}}), RunMode::Full).await;
    assert!(first.error.is_none(), "{:?}", first.error);
    let groups = ids(&world, "Entra Group");
    let hidden = all_groups(&world, |group| group.hidden_membership);
    assert!(!groups.is_empty());
    for _ in 0..2 {
        let again = world.run(JobId(first.job_id), RunMode::Full).await;
        assert_eq!(ids(&world, "Entra Group"), groups, "{}", again.warnings);
        let text = again.warnings.to_string();
        assert!(text.contains("left out, because their members are hidden"), "{text}");
    }
    assert!(groups.intersection(&hidden).count() < hidden.len(), "some are left out");
}

/// A full run takes the objects with the smallest ids: a test brings some of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_keeps_the_limits_of_a_full_run() {
    let world = World::new(80, 30).await;
    let rule = json!({"limits": {"maxUsers": 10, "maxGroups": 10}});
    let tested = run(&world, rule, RunMode::Test).await;
    assert_eq!(tested.state.as_str(), "succeeded", "{:?} {}", tested.error, tested.warnings);
    let (users, groups) = (ids(&world, "Entra User"), ids(&world, "Entra Group"));
    assert_eq!(users.len(), 10);
    assert!(groups.len() <= 10);
    assert!(world.graph.counters().requests <= 40);
    let full = world.run(JobId(tested.job_id), RunMode::Full).await;
    assert_eq!(full.state.as_str(), "succeeded", "{:?} {}", full.error, full.warnings);
    assert_eq!(ids(&world, "Entra User"), users);
    assert!(groups.is_subset(&ids(&world, "Entra Group")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_shows_nested_groups_and_owners() {
    let world = World::new(60, 16).await;
    let job = world.add_job().await;
    let request = RunRequest { limit: Some(50), ..RunRequest::default() };
    let run = world.run_with(job, RunMode::Test, request).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert!(world.graph.counters().requests <= 40, "{:?}", world.graph.counters());
    let (users, groups) = (ids(&world, "Entra User"), ids(&world, "Entra Group"));
    let links = |name: &str| -> BTreeSet<(Uuid, Uuid)> {
        let of = |object: &entra_assets::sim::assets::AssetsObject| {
            let id: Uuid = object.values["Object ID"][0].parse().unwrap();
            let targets = object.values.get(name).cloned().unwrap_or_default();
            targets.into_iter().map(move |target| (id, target.parse().unwrap())).collect::<Vec<_>>()
        };
        world.assets.objects("Entra Group").iter().flat_map(of).collect()
    };
    let inside = |edges: Vec<(Uuid, Uuid)>, to: &Ids| -> BTreeSet<(Uuid, Uuid)> {
        edges.into_iter().filter(|(from, target)| groups.contains(from) && to.contains(target)).collect()
    };
    let (parents, owners) = world.graph.read(|directory| {
        let turned = directory.member_edges(ObjectKind::Group).into_iter().map(|(group, nested)| (nested, group));
        (turned.collect::<Vec<_>>(), directory.owner_edges())
    });
    let (parents, owners) = (inside(parents, &groups), inside(owners, &users));
    assert!(!parents.is_empty() && !owners.is_empty());
    assert_eq!(links("Parent Groups"), parents);
    assert_eq!(links("Owners"), owners);
}
