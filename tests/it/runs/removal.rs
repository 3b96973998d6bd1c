//! Objects that are gone: kept, marked, removed; in the recycle bin, and back from it. Values that should be cleared.

use crate::support::exact::warnings;
use crate::support::world::World;
use entra_assets::ids::{JobId, RunId};
use entra_assets::job::Deliver;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, Missing};
use entra_assets::sim::graph::{Feature, Scenario};
use serde_json::json;
use uuid::Uuid;

async fn world() -> (World, JobId, Uuid) {
    let world = World::new(30, 6).await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    let user = world.graph.read(|directory| directory.live_users().nth(9).unwrap().1.id);
    (world, job, user)
}

/// What a run did with one object, and why.
async fn change(world: &World, run: RunId, id: Uuid) -> Option<(&'static str, Option<&'static str>)> {
    let changes = world.changes(run).await;
    changes
        .into_iter()
        .find(|change| change.object_id == id)
        .map(|change| (change.action.as_str(), change.reason.map(|reason| reason.as_str())))
}

fn so(action: &'static str, reason: &'static str) -> Option<(&'static str, Option<&'static str>)> {
    Some((action, Some(reason)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_in_the_recycle_bin_is_told_from_one_that_is_gone_for_good() {
    for mode in [RunMode::Full, RunMode::DryRun, RunMode::Incremental] {
        let (world, job, user) = world().await;
        let purged = world.graph.read(|directory| directory.live_users().nth(4).unwrap().1.id);
        world.graph.change(|directory| {
            directory.delete(user).unwrap();
            directory.purge(purged).unwrap();
        });
        let run = world.run(job, mode).await.run_id();
        assert_eq!(change(&world, run, user).await, so("missing", "softDeleted"), "{mode}");
        assert_eq!(change(&world, run, purged).await, so("missing", "deleted"), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_in_the_recycle_bin_is_told_from_one_that_is_gone_for_good() {
    for mode in [RunMode::Full, RunMode::DryRun, RunMode::Incremental] {
        let (world, job, _) = world().await;
        world.graph.set_roles(Scenario::Healthy, &["Directory.Read.All"]);
        world.set_job("brake_percent = 100").await;
        let (deleted, purged) = world.graph.change(|directory| {
            let groups: Vec<Uuid> = directory.live_groups().map(|(_, group)| group.id).collect();
            directory.delete(groups[1]).unwrap();
            directory.purge(groups[2]).unwrap();
            (groups[1], groups[2])
        });
        let run = world.run(job, mode).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
        assert_eq!(change(&world, run.run_id(), deleted).await, so("missing", "softDeleted"), "{mode}");
        assert_eq!(change(&world, run.run_id(), purged).await, so("missing", "deleted"), "{mode}");
    }
}

/// The permission that reads groups does not show their recycle bin.
#[tokio::test(flavor = "multi_thread")]
async fn a_recycle_bin_that_may_not_be_read_is_said_once_with_the_permission_that_would_show_it() {
    let (world, job, user) = world().await;
    let roles = ["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"];
    world.graph.set_roles(Scenario::Healthy, &roles);
    world.set_job("brake_percent = 100").await;
    let group = world.graph.change(|directory| {
        let group = directory.live_groups().nth(2).unwrap().1.id;
        directory.delete(group).unwrap();
        directory.delete(user).unwrap();
        group
    });
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(warnings(&run).get("soft_deleted_unknown"), Some(&1), "{}", run.warnings);
    assert!(run.warnings.to_string().contains("Group.Read.All"), "{}", run.warnings);
    assert_eq!(change(&world, run.run_id(), user).await, so("missing", "softDeleted"));
    assert_eq!(change(&world, run.run_id(), group).await, so("missing", "deleted"));
    let run = world.run(job, RunMode::Full).await;
    assert!(!warnings(&run).contains_key("soft_deleted_unknown"), "it was said: {}", run.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_recycle_bin_costs_only_the_distinction() {
    for status in [400, 403, 404, 501] {
        let (world, job, user) = world().await;
        world.graph.change(|directory| directory.delete(user)).unwrap();
        world.graph.refuse(Feature::DeletedItems, Some(status));
        let run = world.run(job, RunMode::Full).await;
        assert_eq!((run.state.as_str(), &run.warnings[0]["code"]), ("succeeded", &json!("soft_deleted_unknown")));
        assert_eq!(change(&world, run.run_id(), user).await, so("missing", "deleted"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_marked_after_missing_runs_stays_in_every_delivery_and_is_restored() {
    let (world, job, user) = world().await;
    world.set_job("removal_policy = 'mark', removal_after_missing_runs = 2").await;
    world.assets.configure(|behaviour| behaviour.missing = Missing::remove());
    world.graph.change(|directory| directory.delete(user)).unwrap();
    let lifecycle = |world: &World| world.store()[&("Entra User", user.to_string())]["Lifecycle"].join("");
    let mut actions = Vec::new();
    for _ in 0..3 {
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{}", run.warnings);
        actions.push((change(&world, run.run_id(), user).await.map(|(action, _)| action), lifecycle(&world)));
    }
    let missing = (Some("missing"), "Active".to_owned());
    let marked = (Some("mark"), "Removed".to_owned());
    assert_eq!(actions, [missing, marked, (None, "Removed".to_owned())]);
    assert!(world.store()[&("Entra User", user.to_string())].contains_key("Removed On"));
    world.graph.change(|directory| directory.restore(user)).unwrap();
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(change(&world, run.run_id(), user).await, so("restore", "seenAgain"));
    assert_eq!(lifecycle(&world), "Active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_comes_back_before_anything_was_done_is_listed_as_restored() {
    let (world, job, user) = world().await;
    world.graph.change(|directory| directory.delete(user)).unwrap();
    world.run(job, RunMode::Full).await;
    world.graph.change(|directory| directory.restore(user)).unwrap();
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(change(&world, run.run_id(), user).await, so("restore", "seenAgain"));
    assert_eq!(world.text("SELECT max(missing_runs) FROM mirror_delivered").await, "0");
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_removed_by_the_object_api_and_nothing_else_is() {
    let (world, job, user) = world().await;
    world.give_object_api().await;
    world.set_job("removal_policy = 'remove', removal_after_missing_runs = 1").await;
    let by_hand = [("Object ID", "made-by-hand"), ("Display Name", "Made by hand")];
    world.assets.add_manual_object("Entra User", &by_hand).unwrap();
    world.graph.change(|directory| directory.delete(user)).unwrap();
    let run = world.run(job, RunMode::DryRun).await;
    assert_eq!(change(&world, run.run_id(), user).await, so("remove", "softDeleted"), "listed before");
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(
        (change(&world, run.run_id(), user).await, &run.counts["users"]["removed"]),
        (so("remove", "softDeleted"), &json!(1))
    );
    let store = world.store();
    assert!(!store.contains_key(&("Entra User", user.to_string())));
    assert!(store.contains_key(&("Entra User", "made-by-hand".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_without_access_to_objects_keeps_them_and_says_so() {
    let (world, job, user) = world().await;
    world.set_job("removal_policy = 'remove', removal_after_missing_runs = 1").await;
    world.graph.change(|directory| directory.delete(user)).unwrap();
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "degraded");
    assert!(run.warnings.to_string().contains("removal_needs_api"), "{}", run.warnings);
    assert!(world.store().contains_key(&("Entra User", user.to_string())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_assets_keeps_is_counted_named_and_cleared_by_the_object_api() {
    for has_api in [false, true] {
        let (world, job, _) = world().await;
        if has_api {
            world.give_object_api().await;
        }
        let (user, manager) = world.graph.read(|directory| directory.manager_edges()[0]);
        world.graph.change(|directory| directory.set_manager(user, None)).unwrap();
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
        let warning = &run.warnings[0];
        assert!(warning["code"] == "not_cleared" && warning["detail"].as_str().unwrap().contains("Manager of user"));
        let found = world.store()[&("Entra User", user.to_string())].get("Manager").cloned();
        let expected =
            if has_api { (None, serde_json::Value::Null) } else { (Some(vec![manager.to_string()]), json!(1)) };
        assert_eq!((found, run.counts["users"]["notCleared"].clone()), expected, "{}", run.counts);
    }
}

/// The import is done when the object API is asked: what Assets took is settled, whatever becomes of the rest.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_api_that_fails_costs_only_what_it_was_for() {
    let (world, job, user) = world().await;
    world.give_object_api().await;
    world.set_job("removal_policy = 'remove', removal_after_missing_runs = 1").await;
    world.set_destination("missing_objects = 'ignore'").await;
    world.assets.configure(|behaviour| behaviour.missing = Missing::remove());
    let changed = world.graph.change(|directory| {
        directory.delete(user).unwrap();
        let changed = directory.live_users().nth(3).unwrap().1.id;
        directory.update(changed, json!({"jobTitle": "Changed"}).as_object().unwrap().clone()).unwrap();
        changed
    });
    world.assets.inject(AssetsFault { times: 1_000, ..AssetsFault::answer("POST", "/object/aql", 401, "{}") });
    let request = RunRequest { deliver: Some(Deliver::Changes), ..RunRequest::default() };
    let run = world.run_with(job, RunMode::Full, request).await;
    let warned = warnings(&run);
    assert_eq!(run.state.as_str(), "degraded", "{:?} {}", run.error, run.warnings);
    assert!(warned.contains_key("object_api_failed"), "{}", run.warnings);
    assert!(warned.contains_key("missing_objects_observed"), "Assets removed what was left out: {}", run.warnings);
    let title = &world.store()[&("Entra User", changed.to_string())]["Job Title"];
    assert_eq!(title, &["Changed"], "what was sent is there");
    world.assets.clear_faults();
    world.run(job, RunMode::Full).await;
    assert_eq!(world.store().len(), world.count("mirror_delivered").await as usize, "all that was lost is back");
}

/// The result of an execution as Assets may give it: without the numbers of object schema and object types, so that no
/// object can be looked up.
fn without_numbers(counts: &serde_json::Value) -> String {
    let of = |(number, (object_type, name)): (usize, (&str, &str))| {
        let sent = counts[object_type]["sent"].clone();
        let result = json!({"objectTypeName": name, "objectsIdentical": sent, "entriesInSource": sent});
        (number.to_string(), result)
    };
    let names = [("users", "Entra User"), ("groups", "Entra Group"), ("licenses", "Entra License")];
    let results: serde_json::Map<_, _> = names.into_iter().enumerate().map(of).collect();
    json!({"status": "DONE", "progressResult": {"result": "OK", "objectTypeResultMap": results}}).to_string()
}

/// What was left undone is said as it is, and only that.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_looked_up_was_not_removed_or_not_cleared_as_it_is_said() {
    for (removes, clears, said) in [
        (true, false, Some("1 of them were not removed.")),
        (false, true, Some("values of 1 of them were not cleared.")),
        (true, true, Some("1 of them were not removed, and values of 1 were not cleared.")),
        (false, false, None),
    ] {
        let (world, job, user) = world().await;
        world.give_object_api().await;
        world.set_job("removal_policy = 'remove', removal_after_missing_runs = 1").await;
        let managed = world.graph.change(|directory| {
            let edges = directory.manager_edges();
            let (managed, _) = *edges.iter().find(|(report, manager)| *report != user && *manager != user).unwrap();
            if removes {
                // Nobody else loses a value with it.
                edges.iter().filter(|(_, manager)| *manager == user).for_each(|(report, _)| {
                    directory.set_manager(*report, Some(managed)).ok();
                });
            }
            managed
        });
        world.run(job, RunMode::Full).await;
        world.graph.change(|directory| {
            if removes {
                directory.delete(user).unwrap();
            }
            if clears {
                directory.set_manager(managed, None).unwrap();
            }
        });
        let dry = world.run(job, RunMode::DryRun).await;
        let status = without_numbers(&dry.counts);
        world.assets.inject(AssetsFault::answer("GET", "/status", 200, &status).applied().times(1_000));
        let run = world.run(job, RunMode::Full).await;
        let postponed = run.warnings.as_array().unwrap().iter().find(|warning| warning["code"] == "removal_postponed");
        let detail = postponed.map(|warning| warning["detail"].as_str().unwrap());
        let what = format!("removes {removes}, clears {clears}: {:?} {}", run.error, run.warnings);
        match (detail, said) {
            (Some(detail), Some(said)) => assert!(detail.ends_with(said) && detail.contains("users; "), "{what}"),
            (found, expected) => assert_eq!(found, expected, "{what}"),
        }
        assert!(!run.warnings.to_string().contains(" 0 of them"), "{what}");
        world.assets.clear_faults();
    }
}
