//! A worker process that dies: another one goes on at once. One that is only slow keeps its runs until its lease runs out.

use crate::support::world::World;
use entra_assets::db::system;
use entra_assets::ids::{RunId, WorkerId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::{takeover, worker};
use std::collections::HashSet;
use std::time::Duration;
use tokio_postgres::{Client, NoTls};

const LOCK: i64 = 4711;

/// The session of another process, which holds its lock.
async fn session(world: &World) -> Client {
    let (client, connection) = tokio_postgres::connect(&world.database.urls.runtime, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})")).await.unwrap();
    client
}

/// Until PostgreSQL has noticed that a session ended.
async fn until_lock_is_free(world: &World) {
    const HELD: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    world.until_none(HELD).await;
}

/// A run that another process began, and never went on with.
async fn begun_elsewhere(world: &World, lock: Option<i64>) -> RunId {
    let other = WorkerId::new(&world.clock);
    system::see_worker(&world.app.db, other, 4, lock, world.clock.now()).await.unwrap();
    let job = world.add_job().await;
    let run = world.queue(job, RunMode::Full, RunRequest::default()).await;
    world.graph.set_latency(Duration::from_secs(60));
    let begun = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while world.find(run).await.state.as_str() != "running" {
            ticks.tick().await;
        }
    };
    tokio::select! {
        _ = worker::step(&world.app, other) => panic!("the run was to be interrupted"),
        () = begun => {}
    }
    world.graph.set_latency(Duration::ZERO);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_of_a_process_that_died_is_claimed_before_its_lease_runs_out() {
    let world = World::new(20, 4).await;
    let lock = session(&world).await;
    let run = begun_elsewhere(&world, Some(LOCK)).await;
    let alive = takeover::tick(&world.app, &HashSet::new()).await.unwrap();
    assert!(alive.is_empty(), "its process holds its lock");

    drop(lock);
    until_lock_is_free(&world).await;
    let missing = takeover::tick(&world.app, &alive).await.unwrap();
    assert_eq!(missing.len(), 1);
    assert!(!worker::step(&world.app, world.worker).await.unwrap(), "one look proves nothing");
    takeover::tick(&world.app, &missing).await.unwrap();
    assert!(world.step().await, "nobody waited for the lease");
    let run = world.find(run).await;
    assert_eq!((run.state.as_str(), run.attempt), ("succeeded", 2), "{:?}", run.error);
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_connects_again_keeps_its_run() {
    let world = World::new(20, 4).await;
    let run = begun_elsewhere(&world, Some(LOCK)).await;
    let missing = takeover::tick(&world.app, &HashSet::new()).await.unwrap();
    assert_eq!(missing.len(), 1, "its session is lost");
    let _lock = session(&world).await;
    assert!(takeover::tick(&world.app, &missing).await.unwrap().is_empty());
    assert!(!worker::step(&world.app, world.worker).await.unwrap());
    assert_eq!(world.find(run).await.attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_never_showed_a_lock_is_missed_by_its_lease_alone() {
    let world = World::new(20, 4).await;
    let run = begun_elsewhere(&world, None).await;
    let missing = takeover::tick(&world.app, &HashSet::new()).await.unwrap();
    assert!(missing.is_empty());
    world.clock.advance(Duration::from_secs(31));
    assert!(world.step().await);
    assert_eq!(world.find(run).await.state.as_str(), "succeeded");
}
