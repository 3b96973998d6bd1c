//! References: many, in cycles, arriving later, and not resolved.

use crate::support::world::World;
use entra_assets::run_state::{ChangeAction, ChangeReason, RunMode};
use entra_assets::sim::assets::{AssetsOptions, Behaviour, EmptyValues, ReferenceBehaviour};
use entra_assets::sim::seed::{GroupKind, SeedOptions};
use serde_json::json;

async fn world(references: ReferenceBehaviour) -> World {
    let seed = SeedOptions { users: 30, groups: 6, ..SeedOptions::default() };
    let behaviour = Behaviour { references, empty_values: EmptyValues::Remove, ..Behaviour::default() };
    World::with(seed, AssetsOptions { behaviour, ..AssetsOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_in_five_hundred_groups_has_five_hundred_references_and_a_cycle_arrives_whole() {
    let world = world(ReferenceBehaviour::Arrays).await;
    let (user, cycle) = world.graph.change(|directory| {
        let user = directory.live_users().next().unwrap().1.id;
        let known = directory.live_users().next().unwrap().1.member_of.len();
        for number in known..500 {
            let group = directory.add_group(&format!("Group {number}"), GroupKind::Security);
            directory.add_member(group, user).unwrap();
        }
        let cycle = ["one", "two", "three"].map(|name| directory.add_group(name, GroupKind::Security));
        for (group, member) in [(0, 1), (1, 2), (2, 0)] {
            directory.add_member(cycle[group], cycle[member]).unwrap();
        }
        (user, cycle)
    });
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{}", run.warnings);
    assert_eq!(run.warnings[0]["code"], "many_references");
    let store = world.store();
    assert_eq!(store[&("Entra User", user.to_string())]["Groups"].len(), 500);
    for (group, parent) in [(1, 0), (2, 1), (0, 2)] {
        let parents = &store[&("Entra Group", cycle[group].to_string())]["Parent Groups"];
        assert_eq!(*parents, [cycle[parent].to_string()]);
    }
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_assets_does_not_resolve_are_said_for_each_type_although_managers_are_found() {
    let world = world(ReferenceBehaviour::JoinedStrings).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "degraded");
    let said = run.warnings.as_array().unwrap().iter().filter(|w| w["code"] == "references_not_resolved");
    let said: Vec<&str> = said.map(|warning| warning["detail"].as_str().unwrap()).collect();
    assert!(said.len() == 2 && said[0].contains(" users with") && said[1].contains(" groups with"), "{said:?}");
    assert!(run.warnings.to_string().contains("referenceTemplate"));
    assert!(world.assets.counts().references["Entra User"]["Manager"] > 0, "the trap: something is resolved");

    world.set_destination("reference_template = 'joinedString'").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{}", run.warnings);
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_touches_no_reference_is_no_sign_of_unresolved_ones() {
    let world = world(ReferenceBehaviour::Arrays).await;
    let job = world.add_job().await;
    world.set_job("deliver = 'changes'").await;
    world.set_destination("missing_objects = 'ignore', empty_values = 'remove'").await;
    world.run(job, RunMode::Full).await;
    let title = json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone();
    let user = world.graph.read(|directory| directory.member_edges(entra_assets::sim::seed::ObjectKind::User)[0].1);
    world.graph.change(|directory| directory.update(user, title)).unwrap();
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(
        (run.state.as_str(), run.counts["users"]["updated"].as_u64()),
        ("succeeded", Some(1)),
        "{}",
        run.warnings
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_sent_when_its_target_comes_into_scope() {
    let world = world(ReferenceBehaviour::Arrays).await;
    let job = world.add_job().await;
    world.set_destination("missing_objects = 'ignore', empty_values = 'remove'").await;
    let (user, manager) = world.graph.read(|directory| directory.manager_edges()[0]);
    let filter = world.add_filter(json!({"exclude": {"userIds": [manager]}})).await;
    world.set_job(&format!("deliver = 'changes', filter_id = '{filter}'")).await;
    world.run(job, RunMode::Full).await;
    let managers = |world: &World| world.store()[&("Entra User", user.to_string())].get("Manager").cloned();
    assert_eq!(managers(&world), None);
    world.set_job("filter_id = NULL").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(managers(&world), Some(vec![manager.to_string()]));
    let changes = world.changes(run.run_id()).await;
    let change = changes.iter().find(|change| change.object_id == user).unwrap();
    assert_eq!((change.action, change.reason), (ChangeAction::Update, Some(ChangeReason::References)));
}
