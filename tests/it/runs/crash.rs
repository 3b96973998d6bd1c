//! The process dies at every step of a delivery, or an answer of Assets gets lost: the end is exact, and nothing
//! that was acknowledged is sent again.

use crate::support::world::World;
use entra_assets::assets::Target;
use entra_assets::ids::{JobId, RunId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, AssetsOptions, Behaviour, FaultAction, Processing};
use entra_assets::sim::seed::SeedOptions;
use std::collections::BTreeMap;

/// Several chunks, and time enough to see every request alone.
async fn world() -> World {
    let seed = SeedOptions { users: 30, groups: 8, ..SeedOptions::default() };
    let behaviour = Behaviour {
        max_chunk_entries: Some(16),
        latency_ms: 300,
        processing: Processing::Polls(1),
        ..Behaviour::default()
    };
    World::with(seed, AssetsOptions { behaviour, ..AssetsOptions::default() }).await
}

async fn finish(world: &World, id: RunId, what: &str) {
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{what}: {:?} {:?}", run.error, run.warnings);
    assert_eq!(run.counts["users"]["created"], 30, "{what}");
    world.assert_delivered();
    assert_eq!(world.processed(), 1, "{what}: {:?}", world.assets.executions());
    assert!(world.assets.executions().iter().all(|e| matches!(e.status, "DONE" | "CANCELLED")), "{what}");
}

/// Ends a run amid its delivery without closing its execution.
async fn leave_open(world: &World, job: JobId) {
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    world.step_and_die(|| !world.assets.chunks().is_empty()).await;
    world.end_as_failed(id).await;
}

/// How often each chunk was taken, by the number of its last row.
fn chunks(world: &World) -> BTreeMap<(uuid::Uuid, i64), usize> {
    let mut sent = BTreeMap::new();
    for chunk in world.assets.chunks() {
        let id = chunk.client_generated_id.unwrap();
        let seq = id.rsplit('-').next().unwrap().parse().unwrap();
        *sent.entry((chunk.execution_id, seq)).or_default() += 1;
    }
    sent
}

async fn die_at_every_step(from: usize, every: usize) {
    let mut number = from;
    loop {
        let world = world().await;
        let job = world.add_job().await;
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        world.step_and_die(|| world.assets.requests().len() >= number).await;
        let ended = world.find(id).await.finished_at.is_some();
        let acknowledged = "SELECT coalesce(max(acknowledged_seq), 0) FROM executions WHERE state <> 'cancelled'";
        let acknowledged: i64 = world.text(acknowledged).await.parse().unwrap();
        finish(&world, id, &format!("died after request {number}")).await;
        for ((_, seq), times) in chunks(&world) {
            assert!(times == 1 || seq > acknowledged, "died after request {number}: chunk {seq} came {times} times");
        }
        if ended {
            assert!(number > 10, "only {number} steps");
            return;
        }
        number += every;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_odd_step_of_a_delivery_ends_exact() {
    die_at_every_step(1, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_even_step_of_a_delivery_ends_exact() {
    die_at_every_step(2, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_at_any_step_of_a_delivery_ends_exact() {
    for number in 0.. {
        let world = world().await;
        let job = world.add_job().await;
        let lost = AssetsFault {
            method: None,
            path: String::new(),
            after: number,
            times: 1,
            applied: true,
            action: FaultAction::Cut,
        };
        world.assets.inject(lost);
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        finish(&world, id, &format!("the answer to request {number} was lost")).await;
        if !world.assets.requests().iter().any(|request| request.faulty) {
            assert!(number > 10, "only {number} steps");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_during_the_read_ends_exact() {
    for number in [1, 3, 6, 9] {
        let world = world().await;
        world.graph.set_latency(std::time::Duration::from_millis(400));
        let job = world.add_job().await;
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        world.step_and_die(|| world.graph.requests().len() >= number).await;
        finish(&world, id, &format!("died after request {number} to Graph")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_left_open_by_an_ended_run_is_cancelled_by_the_next() {
    let world = world().await;
    let job = world.add_job().await;
    leave_open(&world, job).await;
    let next = world.queue(job, RunMode::Full, RunRequest::default()).await;
    finish(&world, next, "after an execution was left open").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_left_open_is_not_forgotten_while_assets_does_not_say_what_became_of_it() {
    let world = world().await;
    let job = world.add_job().await;
    leave_open(&world, job).await;
    world.assets.inject(AssetsFault::answer("GET", "/status", 500, "{}").times(u32::MAX));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &"assets_failed".into()));
    assert_eq!(world.text("SELECT count(*) FROM executions WHERE state = 'ingesting'").await, "1");
    world.assets.clear_faults();
    let next = world.queue(job, RunMode::Full, RunRequest::default()).await;
    finish(&world, next, "after Assets did not answer").await;
}

/// Assets no longer knows it, and says so at once or never: it does not hold up what is delivered.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_left_open_never_blocks_its_destination_for_good() {
    for (status, hours) in [(400, 0), (500, 25)] {
        let world = world().await;
        let job = world.add_job().await;
        leave_open(&world, job).await;
        let gone = world.assets.executions().pop().unwrap().id.to_string();
        let client = world.app.assets.clone();
        let cancel = async {
            let target = Target::ImportToken { token: world.assets.token().into() };
            let links = client.links(&target).await.unwrap();
            client.cancel(&target, &links.execution(&gone).unwrap()).await.unwrap();
        };
        world.while_time_passes(cancel).await;
        let answer = AssetsFault::answer("GET", &format!("{gone}/status"), status, "{}");
        world.assets.inject(answer.times(u32::MAX));
        world.clock.advance(std::time::Duration::from_secs(hours * 3600));
        let next = world.queue(job, RunMode::Full, RunRequest::default()).await;
        finish(&world, next, &status.to_string()).await;
        assert_eq!(world.text("SELECT count(*) FROM executions WHERE state = 'ingesting'").await, "0");
    }
}

/// The job that began it has another destination, or none: whoever delivers there next closes it.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_left_open_is_cancelled_by_another_job_of_the_destination() {
    let world = world().await;
    let first = world.add_job().await;
    leave_open(&world, first).await;
    world.execute(format!("UPDATE jobs SET destination_id = NULL WHERE id = '{first}'")).await;
    let job = world.add_job().await;
    let next = world.queue(job, RunMode::Full, RunRequest::default()).await;
    finish(&world, next, "after another job left an execution open").await;
    assert_eq!(world.text("SELECT count(*) FROM executions WHERE state = 'ingesting'").await, "0");
}

/// The token leads to another import source now: it does not hold up what is delivered there.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_left_open_that_the_token_does_not_lead_to_is_given_up() {
    let world = world().await;
    let job = world.add_job().await;
    leave_open(&world, job).await;
    let source = world.assets.add_source("Another");
    let token = world.seal_token(world.destination, &source.token);
    world.set_destination(&format!("token_sealed = '{token}', version = version + 1")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(world.assets.executions().pop().unwrap().source_id, source.id);
}

/// What fails before anything more is sent must not leave the import source blocked.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_closed_by_a_run_that_fails_before_it_goes_on_sending() {
    let world = world().await;
    let job = world.add_job().await;
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    world.step_and_die(|| !world.assets.chunks().is_empty()).await;
    // A credential that cannot be opened any more.
    world
        .execute(format!("UPDATE connections SET credential_sealed = '\\x00' WHERE id = '{}'", world.connection))
        .await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &"secret_unreadable".into()));
    let execution = world.assets.executions().pop().unwrap();
    assert_eq!(execution.status, "CANCELLED");
    assert!(
        execution.failure.is_some_and(|why| why.starts_with("secret_unreadable: ")),
        "the reason is in the history"
    );
    assert_eq!(world.text("SELECT string_agg(state, ',') FROM executions").await, "cancelled");
}

mod soak {
    use super::*;
    use entra_assets::sim::assets::Missing;
    use serde_json::json;

    /// The second delivery of a destination of which nobody knows that it removes what is left out.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "takes a minute"]
    async fn a_death_at_any_step_of_a_later_delivery_removes_nothing() {
        for number in 1.. {
            let world = world().await;
            let job = world.add_job().await;
            world.run(job, RunMode::Full).await;
            world.assets.configure(|behaviour| behaviour.missing = Missing::remove());
            let (gone, arrived) = world.graph.change(|directory| {
                let gone = directory.live_users().nth(7).unwrap().1.id;
                directory.delete(gone).unwrap();
                (gone, directory.add_user(json!({"displayName": "Arrived"}).as_object().unwrap().clone()))
            });
            world.assets.clear_log();
            let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
            world.step_and_die(|| world.assets.requests().len() >= number).await;
            let ended = world.find(id).await.finished_at.is_some();
            for _ in 0..6 {
                if world.find(id).await.finished_at.is_none() {
                    world.step().await;
                }
            }
            let run = world.find(id).await;
            assert_eq!(
                run.state.as_str(),
                "succeeded",
                "died after request {number}: {:?} {}",
                run.error,
                run.warnings
            );
            let store = world.store();
            let users = store.keys().filter(|(of, _)| *of == "Entra User").count();
            assert_eq!(users, 31, "died after request {number}");
            for id in [gone, arrived] {
                assert!(store.contains_key(&("Entra User", id.to_string())), "died after request {number}: {id}");
            }
            if ended {
                assert!(number > 10, "only {number} steps");
                return;
            }
        }
    }
}

/// As often as a process may die: what counts is that the run comes further.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_comes_further_is_never_given_up() {
    let world = World::new(100, 8).await;
    world.graph.set_max_page_size(5);
    world.graph.set_latency(std::time::Duration::from_millis(40));
    let job = world.add_job().await;
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    let pages =
        async || -> i64 { world.text("SELECT coalesce(sum(pages), 0) FROM run_cursors").await.parse().unwrap() };
    for _ in 0..5 {
        let (before, attempt) = (pages().await, world.find(id).await.attempt);
        // What the attempt before wrote at last may come only now, and keep the run from being claimed.
        let is_further = async || world.find(id).await.attempt > attempt && pages().await > before;
        while world.find(id).await.attempt == attempt {
            world.step_and_die_when(is_further).await;
        }
        assert_eq!(world.find(id).await.finished_at, None, "it died while it read");
        world.execute("UPDATE runs SET attempt = attempt + 60, attempts_in_vain = 49".to_owned()).await;
    }
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    world.assert_delivered();
}

/// A run that the process dies of every time is given up at last, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_never_comes_further_is_given_up() {
    let world = World::new(20, 4).await;
    let job = world.add_job().await;
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    // The process dies while it waits for the first answer. An attempt that gives up asks for nothing.
    world.graph.set_latency(std::time::Duration::from_secs(60));
    while world.find(id).await.finished_at.is_none() {
        let asked = world.graph.requests().len();
        world.step_and_die(|| world.graph.requests().len() > asked).await;
    }
    // A checkpoint is progress; which pages are going to be read is not.
    let run = world.find(id).await;
    assert!((51..60).contains(&run.attempt), "{}", run.attempt);
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &"too_many_attempts".into()));
}
