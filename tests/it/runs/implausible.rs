//! What Graph says and cannot be true clears nothing.

use crate::support::exact::warnings;
use crate::support::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::ids::JobId;
use entra_assets::run_state::RunMode;
use entra_assets::sim::graph::{Action, Fault};
use entra_assets::sim::seed::SeedOptions;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const SEED: SeedOptions = SeedOptions { seed: 13, users: 60, groups: 14, memberships: Some(240), devices: Some(8) };

/// Assets clears what is empty and removes what is left out, and the brake is off: nothing but the reading protects.
async fn world(objects: Value) -> (World, JobId) {
    let world = World::following(SEED).await;
    let job = world.add_job_with(objects).await;
    world.set_job("brake_percent = 100").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()));
    (world, job)
}

fn every_row(path: &str, set: Value) -> Fault {
    let set: Map<String, Value> = set.as_object().unwrap().clone();
    Fault::on(path, Action::EveryRow { set }).times(0)
}

fn assert_degraded(run: &RunRow, why: &str) {
    assert_eq!(run.state.as_str(), "degraded", "{why}: {:?} {}", run.error, run.warnings);
    assert!(warnings(run).contains_key("implausible_values"), "{why}: {}", run.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_never_null_and_licences_of_everybody_are_not_cleared() {
    let (world, job) = world(json!({})).await;
    let before = world.store();
    let nothing = json!({"accountEnabled": null, "assignedLicenses": [], "licenseAssignmentStates": [], "userPrincipalName": "", "displayName": null});
    world.graph.add_fault(every_row("/v1.0/users", nothing));
    world.graph.add_fault(every_row("/v1.0/groups", json!({"displayName": null, "securityEnabled": null})).exactly());
    for mode in [RunMode::Full, RunMode::Full, RunMode::Incremental] {
        let run = world.run(job, mode).await;
        if mode == RunMode::Full {
            assert_degraded(&run, "full");
            let text = run.warnings.to_string();
            for name in ["accountEnabled", "assignedLicenses", "userPrincipalName", "displayName"] {
                assert!(text.contains(name), "{name}: {text}");
            }
        }
        assert!(world.store() == before, "{mode:?}: something was cleared");
    }
    world.graph.clear_faults();
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()));
    world.assert_exact("Graph is itself again");
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_in_changes_do_not_clear_what_is_never_null() {
    let (world, job) = world(json!({})).await;
    world.graph.change(|directory| {
        for id in directory.live_users().map(|(_, user)| user.id).collect::<Vec<_>>() {
            let title = json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone();
            directory.update(id, title).unwrap();
        }
    });
    world.graph.add_fault(every_row("/v1.0/users/delta", json!({"accountEnabled": null, "assignedLicenses": []})));
    let run = world.run(job, RunMode::Incremental).await;
    assert_degraded(&run, "incremental");
    world.assert_exact("nulls in changes");
    let users = world.assets.objects("Entra User");
    assert!(users.iter().all(|user| user.values.contains_key("Account Enabled")));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_can_be_cleared_are_cleared_for_everybody() {
    let (world, job) = world(json!({})).await;
    world.graph.change(|directory| {
        for id in directory.live_users().map(|(_, user)| user.id).collect::<Vec<_>>() {
            directory.update(id, json!({"city": null, "jobTitle": null}).as_object().unwrap().clone()).unwrap();
            directory.set_user_licenses(id, &[]).unwrap();
        }
        for id in directory.live_groups().map(|(_, group)| group.id).collect::<Vec<_>>() {
            directory.set_group_licenses(id, &[]).unwrap();
        }
    });
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()), "{:?}", run.warnings);
    world.assert_exact("licences are gone elsewhere too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_comes_empty_removes_nothing() {
    let (world, job) = world(json!({"devices": {"enabled": true}})).await;
    let before = world.store();
    let devices = world.assets.objects("Entra Device").len();
    assert_eq!(devices, 8);
    for path in ["/v1.0/users", "/v1.0/groups", "/v1.0/subscribedSkus", "/v1.0/devices"] {
        for mode in [RunMode::Full, RunMode::Incremental] {
            let is_list = mode == RunMode::Full || path.ends_with("Skus") || path.ends_with("devices");
            if is_list {
                // The first request is the list; by id they are found.
                world.graph.add_fault(Fault::on(path, Action::NoRows).exactly());
            }
            let run = world.run(job, mode).await;
            if is_list {
                assert_eq!(run.state.as_str(), "degraded", "{path} {mode:?}: {:?} {}", run.error, run.warnings);
                assert!(warnings(&run).contains_key("list_incomplete"), "{path} {mode:?}: {}", run.warnings);
            }
            assert!(world.store() == before, "{path} {mode:?}: something was removed");
            assert_eq!(world.assets.objects("Entra Device").len(), devices, "{path} {mode:?}");
            world.graph.clear_faults();
        }
    }
    world.run(job, RunMode::Full).await;
    world.assert_exact("Graph is itself again");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_all_groups_that_come_empty_stay() {
    let (world, job) = world(json!({})).await;
    let before = world.store();
    world.graph.add_fault(Fault::on("/v1.0/groups/", Action::NoRows).containing("/members?").times(0));
    let run = world.run(job, RunMode::Full).await;
    assert_degraded(&run, "members");
    assert!(world.store() == before, "memberships were removed");
    world.graph.clear_faults();
    world.graph.change(|directory| {
        for (group, member) in directory.member_edges(entra_assets::sim::seed::ObjectKind::User) {
            let _ = directory.remove_member(group, member);
        }
        for (group, member) in directory.member_edges(entra_assets::sim::seed::ObjectKind::Group) {
            let _ = directory.remove_member(group, member);
        }
    });
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "what users confirm is believed: {}", run.warnings);
    world.assert_exact("all groups are really empty");
}
