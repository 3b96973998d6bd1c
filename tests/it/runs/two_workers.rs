//! Several workers on one database: a run is executed by one of them, and who loses it writes nothing more.

use crate::support::world::{ORGANIZATION, World};
use entra_assets::ids::{JobId, RunId, WorkerId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::worker;
use entra_assets::sim::assets::{AssetsOptions, Behaviour};
use entra_assets::sim::seed::SeedOptions;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const SEED: SeedOptions = SeedOptions { seed: 6, users: 40, groups: 8, memberships: None, devices: Some(2) };

async fn world() -> World {
    let behaviour = Behaviour { max_chunk_entries: Some(10), latency_ms: 300, ..Behaviour::default() };
    World::with(SEED, AssetsOptions { behaviour, ..AssetsOptions::default() }).await
}

async fn until(is_so: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while !is_so() {
        ticks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_workers_each_run_has_one() {
    let world = world().await;
    let mut runs: Vec<RunId> = Vec::new();
    for number in 0..6 {
        let job = JobId::new(&world.clock);
        // Only one of them may have the destination.
        let destination = if number == 0 { format!("'{}'", world.destination) } else { "NULL".to_owned() };
        world
            .execute(format!(
                "INSERT INTO jobs (organization_id, id, name, connection_id, destination_id, objects, memberships, \
                 deliver, removal_policy, removal_after_missing_runs, brake_percent, created_at, updated_at) VALUES \
                 ('{ORGANIZATION}', '{job}', 'Job {number}', '{}', {destination}, '{{}}', 'onUser', 'full', 'keep', 3, \
                 20, now(), now())",
                world.connection
            ))
            .await;
        runs.push(world.queue(job, RunMode::Full, RunRequest::default()).await);
    }
    // A lease of half a minute lasts for three real seconds.
    world.hasten(10);
    let stopping = CancellationToken::new();
    let other = WorkerId::new(&world.clock);
    let work = |worker| worker::work(world.app.clone(), worker, stopping.clone());
    let working = world.while_time_passes(async { tokio::join!(work(world.worker), work(other)) });
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while world.text("SELECT count(*) FROM runs WHERE finished_at IS NULL").await != "0" {
            ticks.tick().await;
        }
        stopping.cancel();
    };
    tokio::join!(working, waiting);
    for run in runs {
        let run = world.find(run).await;
        assert_eq!((run.state.as_str(), run.attempt), ("succeeded", 1), "{:?}", run.error);
    }
    world.assert_exact("two workers");
    assert_eq!(world.processed(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_its_lease_stops_before_it_writes() {
    for in_delivery in [false, true] {
        let world = world().await;
        world.graph.set_latency(Duration::from_millis(400));
        let job = world.add_job().await;
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        let thief = uuid::Uuid::from_u128(99);
        let steal = async {
            match in_delivery {
                true => until(|| !world.assets.chunks().is_empty()).await,
                false => until(|| world.graph.counters().requests >= 5).await,
            }
            let later = "'2099-01-01'";
            world
                .execute(format!(
                    "SELECT 1 FROM runs WHERE id = '{id}' FOR UPDATE; UPDATE runs SET lease_token = '{thief}', lease_expires_at = {later} WHERE id = '{id}'"
                ))
                .await;
            let written = "SELECT (SELECT count(*) FROM run_events) || ' ' || (SELECT count(*) FROM staged_objects) \
                           || ' ' || (SELECT count(*) FROM mirror_objects) || ' ' || (SELECT count(*) FROM mirror_delivered)";
            world.text(written).await
        };
        let (_, before) = tokio::join!(world.step(), steal);
        let run = world.find(id).await;
        assert_eq!((run.state.as_str(), run.lease_token), ("running", Some(thief)), "in delivery: {in_delivery}");
        let after = "SELECT (SELECT count(*) FROM run_events) || ' ' || (SELECT count(*) FROM staged_objects) \
                     || ' ' || (SELECT count(*) FROM mirror_objects) || ' ' || (SELECT count(*) FROM mirror_delivered)";
        assert_eq!(world.text(after).await, before, "in delivery: {in_delivery}");
        assert!(world.assets.executions().iter().all(|execution| execution.status == "INGESTING"));
        // The one that has the run now brings it to its end.
        world.execute(format!("UPDATE runs SET lease_expires_at = '2000-01-01' WHERE id = '{id}'")).await;
        assert_eq!(world.bring_to_its_end(id).await.state.as_str(), "succeeded");
        world.assert_exact("taken over");
    }
}
