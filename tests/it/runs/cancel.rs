//! A run that somebody ends, before and after Assets has everything; and a process that stops.

use crate::support::postgres::connect;
use crate::support::world::World;
use entra_assets::ids::RunId;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::worker;
use entra_assets::sim::assets::{AssetsOptions, Behaviour, Processing};
use entra_assets::sim::graph::{Action, Fault};
use entra_assets::sim::seed::SeedOptions;
use tokio_util::sync::CancellationToken;

async fn world() -> (World, RunId, entra_assets::ids::JobId) {
    let seed = SeedOptions { users: 60, groups: 8, ..SeedOptions::default() };
    let behaviour = Behaviour {
        max_chunk_entries: Some(4),
        latency_ms: 500,
        processing: Processing::Polls(8),
        ..Behaviour::default()
    };
    let world = World::with(seed, AssetsOptions { behaviour, ..AssetsOptions::default() }).await;
    let job = world.add_job().await;
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    (world, id, job)
}

/// Until the world is as wanted, while something else goes on.
async fn until(is_so: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
    while !is_so() {
        ticks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_cancelled_before_completed_closes_its_execution() {
    let (world, id, job) = world().await;
    let cancel = async {
        until(|| !world.assets.chunks().is_empty()).await;
        world.cancel(id).await;
    };
    tokio::join!(world.step(), cancel);
    let run = world.find(id).await;
    assert_eq!(run.state.as_str(), "cancelled", "{:?}", run.error);
    let execution = world.assets.executions().pop().unwrap();
    assert_eq!((execution.status, execution.failure.as_deref()), ("CANCELLED", Some("The run was cancelled.")));
    assert_eq!(world.count("mirror_delivered").await, 0);
    assert!(world.store().is_empty());
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.assert_delivered();
}

/// Whatever is waited for while the directory is read: a sign-in, a page, the members of a group.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_cancelled_while_it_reads_ends_at_once() {
    for path in ["/oauth2/v2.0/token", "/v1.0/users?", "/members?"] {
        let (world, id, job) = world().await;
        // Far longer than any machine takes to notice that the run was cancelled.
        let slow = Fault::on("/", Action::Slow { millis: 600_000_000 }).containing(path).times(0);
        world.graph.add_fault(slow);
        let asked = || world.graph.requests().iter().filter(|r| format!("{}?", r.path).contains(path)).count();
        let cancel = async {
            until(|| asked() > 0).await;
            world.cancel(id).await;
        };
        tokio::join!(world.step(), cancel);
        let run = world.find(id).await;
        assert_eq!(run.state.as_str(), "cancelled", "{path}: {:?}", run.error);
        assert_eq!(world.count("mirror_objects").await + world.count("staged_objects").await, 0, "{path}");
        world.graph.clear_faults();
        // Whoever needs a token waits for the request for one that is under way.
        if !path.contains("token") {
            assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_cancelled_after_completed_is_carried_out_by_assets_and_settled() {
    let (world, id, _) = world().await;
    let cancel = async {
        until(|| world.assets.chunks().last().is_some_and(|chunk| chunk.completed)).await;
        world.cancel(id).await;
    };
    tokio::join!(world.step(), cancel);
    let run = world.find(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert_eq!(world.processed(), 1);
    world.assert_delivered();
}

/// Whether Assets has everything is asked of the database, which is gone just then.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_is_not_given_up_while_it_is_not_known_whether_assets_has_everything() {
    let (world, id, _) = world().await;
    world.assets.configure(|behaviour| behaviour.processing = Processing::Polls(u32::MAX));
    let completed = "SELECT count(*) FROM executions WHERE state = 'completed'";
    world.step_and_die_when(async || world.text(completed).await == "1").await;
    world.cancel(id).await;
    let operator = connect(&world.database.urls.superuser).await;
    let away = "
        CREATE FUNCTION away() RETURNS boolean LANGUAGE plpgsql
            AS $$ BEGIN RAISE 'terminating connection due to administrator command'; END $$;
        CREATE POLICY away ON executions AS RESTRICTIVE FOR SELECT USING (away())";
    operator.batch_execute(away).await.unwrap();
    assert!(world.step().await);
    let run = world.find(id).await;
    assert_eq!((run.state.as_str(), run.lease_token), ("queued", None), "{:?}", run.error);
    operator.batch_execute("DROP POLICY away ON executions").await.unwrap();
    world.assets.configure(|behaviour| (behaviour.processing, behaviour.latency_ms) = (Processing::Polls(1), 0));
    // The execution is watched before the lease is renewed: from then on the run is cancelled where it can be.
    world.hasten(1);
    assert!(world.step().await);
    let run = world.find(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert_eq!(world.processed(), 1);
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_gives_the_run_back_and_another_goes_on() {
    let (world, id, _) = world().await;
    let stopping = CancellationToken::new();
    let stop = async {
        until(|| !world.assets.chunks().is_empty()).await;
        stopping.cancel();
    };
    let working = world.while_time_passes(worker::work(world.app.clone(), world.worker, stopping.clone()));
    tokio::join!(working, stop);
    let run = world.find(id).await;
    assert_eq!((run.state.as_str(), run.lease_token), ("queued", None));
    assert!(world.step().await);
    assert_eq!(world.find(id).await.state.as_str(), "succeeded");
    assert_eq!(world.assets.executions().len(), 1);
    world.assert_delivered();
}
