//! A run takes one connection of the database at a time.

use crate::support::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::ids::JobId;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::worker;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use serde_json::{Map, Value, json};
use uuid::Uuid;

const SIZE: SeedOptions =
    SeedOptions { seed: 8, users: 3_000, groups: 120, memberships: Some(6_000), devices: Some(20) };

fn update(world: &World, ids: &[Uuid], changes: &Value) {
    let changes: Map<String, Value> = changes.as_object().unwrap().clone();
    world.graph.change(|directory| ids.iter().for_each(|id| directory.update(*id, changes.clone()).unwrap()));
}

/// A run by a process that has a single connection.
async fn run(world: &World, job: JobId, mode: RunMode) -> RunRow {
    let app = world.process_with(world.clock.clone(), world.app.settings.as_ref().clone(), 1);
    let id = world.queue(job, mode, RunRequest::default()).await;
    assert!(world.while_time_passes(worker::step(&app, world.worker)).await.unwrap(), "{mode}");
    let run = world.find(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{mode}: {:?} {}", run.error, run.warnings);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_over_thousands_of_objects_need_one_connection() {
    let world = World::with(SIZE, AssetsOptions::default()).await;
    world.hasten(10);
    world.set_destination("missing_objects = 'ignore'").await;
    let users: Vec<Uuid> = world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
    let groups: Vec<Uuid> = world.graph.read(|directory| directory.live_groups().map(|(_, group)| group.id).collect());
    // More than is compared together.
    update(&world, &groups, &json!({"description": "A long text. ".repeat(3_000)}));
    let job = world.add_job_with(json!({"devices": {"enabled": true}})).await;
    world.set_job("deliver = 'changes', memberships = 'both', brake_percent = 100").await;
    let first = run(&world, job, RunMode::Full).await;
    let (all, truth) =
        (|run: &RunRow, of: &str, what: &str| run.counts[of][what].as_u64().unwrap(), world.graph.truth());
    assert_eq!((all(&first, "users", "created"), all(&first, "groups", "created")), (truth.users, truth.groups));
    assert_eq!(all(&run(&world, job, RunMode::Full).await, "users", "unchanged"), truth.users);
    for mode in [RunMode::Incremental, RunMode::Full] {
        update(&world, &users[..2_000], &json!({"jobTitle": mode.to_string()}));
        update(&world, &groups, &json!({"description": mode.to_string().repeat(4_000)}));
        for mode in [RunMode::DryRun, mode] {
            let run = run(&world, job, mode).await;
            assert_eq!(all(&run, "users", "updated"), 2_000, "{mode}");
            assert_eq!(all(&run, "groups", "updated"), truth.groups, "{mode}");
        }
    }
    assert!(all(&run(&world, job, RunMode::Test).await, "users", "unchanged") > 0);
}
