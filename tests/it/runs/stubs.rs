//! What falls outside the scope: left out and counted, or delivered as a stub.

use crate::support::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::ids::JobId;
use entra_assets::run_state::{ChangeAction, ChangeReason, RunMode};
use entra_assets::sim::assets::{AssetsObject, EmptyValues, Missing};
use entra_assets::sim::seed::ObjectKind;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const FILTER: &str = "department eq 'Engineering'";

async fn world() -> World {
    let world = World::new(150, 30).await;
    world.assets.configure(|behaviour| {
        behaviour.missing = Missing::remove();
        behaviour.empty_values = EmptyValues::Remove;
    });
    world.set_destination("missing_objects = 'remove', empty_values = 'remove'").await;
    world
}

async fn run(world: &World, job: JobId, rule: Value) -> RunRow {
    let filter = world.add_filter(rule).await;
    world.set_job(&format!("filter_id = '{filter}', brake_percent = 100")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    run
}

fn objects(world: &World, name: &str) -> BTreeMap<Uuid, AssetsObject> {
    world
        .assets
        .objects(name)
        .into_iter()
        .map(|object| (object.values["Object ID"][0].parse().unwrap(), object))
        .collect()
}

fn values(object: &AssetsObject, name: &str) -> BTreeSet<Uuid> {
    object.values.get(name).into_iter().flatten().map(|id| id.parse().unwrap()).collect()
}

fn engineers(world: &World) -> BTreeSet<Uuid> {
    world.graph.read(|directory| {
        let engineers = directory.live_users().filter(|(_, user)| user.department == 0 && !user.guest);
        engineers.map(|(_, user)| user.id).collect()
    })
}

fn groups_of(world: &World, users: &BTreeSet<Uuid>) -> BTreeMap<Uuid, BTreeSet<Uuid>> {
    let mut groups: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    for (group, user) in world.graph.read(|directory| directory.member_edges(ObjectKind::User)) {
        if users.contains(&user) {
            groups.entry(user).or_default().insert(group);
        }
    }
    groups
}

fn managers(world: &World) -> BTreeMap<Uuid, Uuid> {
    world.graph.read(|directory| directory.manager_edges()).into_iter().collect()
}

/// Mail-enabled groups by id.
fn mail_groups(world: &World) -> BTreeSet<Uuid> {
    use entra_assets::sim::seed::GroupKind;
    world.graph.read(|directory| {
        let groups = directory.live_groups().filter(|(_, group)| group.kind != GroupKind::Security);
        groups.map(|(_, group)| group.id).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_owners_and_groups_outside_become_stubs() {
    let world = world().await;
    let job = world.add_job().await;
    let rule = json!({"users": {"odata": FILTER}, "groups": {"odata": "mailEnabled eq true"}, "outside": "stub"});
    let first = run(&world, job, rule.clone()).await;

    let (inside, managers, groups) = (engineers(&world), managers(&world), mail_groups(&world));
    let memberships = groups_of(&world, &inside);
    let owners = world.graph.read(|directory| directory.owner_edges());
    let parents = world.graph.read(|directory| directory.member_edges(ObjectKind::Group));
    let mut people: BTreeSet<Uuid> = inside.iter().filter_map(|user| managers.get(user)).copied().collect();
    people.extend(owners.iter().filter(|(group, _)| groups.contains(group)).map(|(_, owner)| *owner));
    let mut around: BTreeSet<Uuid> = memberships.values().flatten().copied().collect();
    around.extend(parents.iter().filter(|(_, nested)| groups.contains(nested)).map(|(group, _)| *group));

    let users = objects(&world, "Entra User");
    let stubs: BTreeSet<Uuid> = people.difference(&inside).copied().collect();
    assert!(!stubs.is_empty());
    assert_eq!(users.keys().copied().collect::<BTreeSet<_>>(), inside.union(&people).copied().collect());
    for id in &inside {
        assert_eq!(values(&users[id], "Manager"), managers.get(id).copied().into_iter().collect());
        assert_eq!(values(&users[id], "Groups"), memberships.get(id).cloned().unwrap_or_default());
    }
    for id in &stubs {
        let known: Vec<&str> = users[id].values.keys().map(String::as_str).collect();
        assert_eq!(known, ["Display Name", "Lifecycle", "Object ID"]);
    }
    let found = objects(&world, "Entra Group");
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), groups.union(&around).copied().collect());
    let group_stubs: BTreeSet<Uuid> = around.difference(&groups).copied().collect();
    assert!(!group_stubs.is_empty());
    assert_eq!(found[group_stubs.first().unwrap()].values.len(), 3);
    assert_eq!(
        (&first.counts["users"]["read"], &first.counts["users"]["stubs"]),
        (&json!(inside.len()), &json!(stubs.len()))
    );
    assert_eq!(first.counts["groups"]["stubs"], group_stubs.len());

    let second = run(&world, job, rule).await;
    for kind in ["users", "groups"] {
        let counts = &second.counts[kind];
        assert_eq!(
            (&counts["created"], &counts["updated"], &counts["missing"]),
            (&json!(0), &json!(0), &json!(0)),
            "{kind}"
        );
    }
}

/// While no reference leads to groups outside the condition, nobody looks at them.
#[tokio::test(flavor = "multi_thread")]
async fn users_that_carry_the_memberships_from_now_on_refer_to_stubs_of_groups() {
    let world = world().await;
    let job = world.add_job_with(json!({"groups": {"references": ["owners"]}})).await;
    world.set_job("memberships = 'onGroup'").await;
    run(&world, job, json!({"groups": {"odata": "mailEnabled eq true"}, "outside": "stub"})).await;
    let in_condition = mail_groups(&world);
    assert_eq!(objects(&world, "Entra Group").keys().copied().collect::<BTreeSet<_>>(), in_condition);
    world.set_job("memberships = 'onUser'").await;
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let users = objects(&world, "Entra User");
    let memberships = groups_of(&world, &users.keys().copied().collect());
    assert!(memberships.values().flatten().any(|group| !in_condition.contains(group)));
    for (id, user) in &users {
        assert_eq!(values(user, "Groups"), memberships.get(id).cloned().unwrap_or_default(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_becomes_whole_in_scope_and_a_stub_again_outside() {
    let world = world().await;
    let job = world.add_job().await;
    let narrow = json!({"users": {"odata": FILTER}, "outside": "stub"});
    run(&world, job, narrow.clone()).await;
    let (inside, managers) = (engineers(&world), managers(&world));
    let stub = *inside.iter().filter_map(|user| managers.get(user)).find(|manager| !inside.contains(manager)).unwrap();
    let filled = |world: &World| objects(world, "Entra User")[&stub].values.len();
    assert_eq!(filled(&world), 3);
    run(&world, job, json!({"outside": "stub"})).await;
    assert!(filled(&world) > 3);
    world.assert_delivered();
    let again = run(&world, job, narrow).await;
    assert_eq!(filled(&world), 3);
    let changes = world.changes(entra_assets::ids::RunId(again.id)).await;
    let change = changes.iter().find(|change| change.object_id == stub).unwrap();
    assert_eq!((change.action, change.reason), (ChangeAction::Update, Some(ChangeReason::OutOfScope)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_excluded_is_not_even_a_stub_and_stubs_count_for_the_brake() {
    let world = world().await;
    let job = world.add_job().await;
    let (inside, managers) = (engineers(&world), managers(&world));
    let outside: BTreeSet<Uuid> = inside
        .iter()
        .filter_map(|user| managers.get(user))
        .filter(|manager| !inside.contains(manager))
        .copied()
        .collect();
    let excluded = *outside.first().unwrap();
    run(&world, job, json!({})).await;
    let filter = world
        .add_filter(json!({"users": {"odata": FILTER}, "outside": "stub", "exclude": {"userIds": [excluded]}}))
        .await;
    world.set_job(&format!("filter_id = '{filter}', brake_percent = 20")).await;
    let stopped = world.run(job, RunMode::Full).await;
    assert_eq!(stopped.state.as_str(), "awaitingApproval");
    let detail = stopped.warnings.as_array().unwrap().iter().find(|w| w["code"] == "removal_brake").unwrap();
    let expected = format!("{} of 150 users", 150 - inside.len());
    assert!(detail["detail"].as_str().unwrap().starts_with(&expected), "{detail} {expected}");
    world.approve(entra_assets::ids::RunId(stopped.id)).await;
    assert!(world.step().await);
    let users = objects(&world, "Entra User");
    assert!(!users.contains_key(&excluded) && outside.iter().skip(1).all(|stub| users[stub].values.len() == 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_stubs_the_references_that_are_left_out_are_counted() {
    let world = world().await;
    let job = world.add_job().await;
    let run = run(&world, job, json!({"users": {"odata": FILTER}})).await;
    let (inside, managers) = (engineers(&world), managers(&world));
    assert_eq!(objects(&world, "Entra User").keys().copied().collect::<BTreeSet<_>>(), inside);
    let dropped = inside.iter().filter_map(|user| managers.get(user)).filter(|m| !inside.contains(m)).count();
    assert_eq!(run.counts["users"]["droppedReferences"], dropped);
    assert!(run.counts["groups"]["droppedReferences"].as_u64().unwrap() > 0);
}

/// The list that finds the groups outside the condition is read whole where the server takes no `$select` for it.
#[tokio::test(flavor = "multi_thread")]
async fn groups_outside_are_found_on_a_server_that_selects_no_properties_of_groups() {
    use entra_assets::sim::graph::{Action, Fault};
    let rule = json!({"users": {"odata": FILTER}, "groups": {"odata": "mailEnabled eq true"}, "outside": "stub"});
    let reference = world().await;
    let job = reference.add_job().await;
    run(&reference, job, rule.clone()).await;
    let world = world().await;
    let refused =
        Action::Status { status: 400, code: Some("notSupported".to_owned()), message: None, retry_after: None };
    let list = Fault::on("/v1.0/groups", refused).exactly().containing("$select=id,visibility");
    world.graph.add_fault(list.times(0));
    let job = world.add_job().await;
    let found = run(&world, job, rule).await;
    assert!(found.warnings.to_string().contains("select_refused"), "{}", found.warnings);
    assert!(world.store() == reference.store(), "the stubs differ");
}
