//! An Assets that answers otherwise where its documentation is silent, and one that is busy.

use crate::support::world::World;
use entra_assets::assets::Target;
use entra_assets::ids::JobId;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, AssetsOptions, Behaviour, Processing};
use entra_assets::sim::seed::SeedOptions;
use serde_json::json;
use std::time::Duration;

async fn world(behaviour: Behaviour) -> World {
    let seed = SeedOptions { users: 30, groups: 6, ..SeedOptions::default() };
    World::with(seed, AssetsOptions { behaviour, ..AssetsOptions::default() }).await
}

async fn until(is_so: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while !is_so() {
        ticks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_less_and_more_than_expected_are_understood() {
    let world = world(Behaviour { sparse: true, max_chunk_entries: Some(16), ..Behaviour::default() }).await;
    let job = world.add_job().await;
    for mode in [RunMode::Full, RunMode::Full, RunMode::Incremental] {
        let run = world.run(job, mode).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
        world.assert_delivered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_survived_although_the_running_execution_has_no_links() {
    let world =
        world(Behaviour { sparse: true, max_chunk_entries: Some(16), latency_ms: 300, ..Behaviour::default() }).await;
    let job = world.add_job().await;
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    world.step_and_die(|| !world.assets.chunks().is_empty()).await;
    world.step().await;
    let run = world.find(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(world.assets.executions().len(), 1);
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_is_made_in_the_background_is_waited_for() {
    let behaviour =
        Behaviour { patch_mapping_is_always_async: true, mapping_progress_polls: 3, ..Behaviour::default() };
    let world = world(behaviour).await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.set_job(r#"objects = '{"devices": {"enabled": true}}'"#).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    let polls = world.assets.requests().iter().filter(|request| request.path.contains("/mapping/progress/")).count();
    assert!(polls >= 4, "{polls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_starts_just_before_is_waited_for() {
    let world = world(Behaviour::default()).await;
    let job = world.add_job().await;
    let body = r#"{"result":"error","errorCode":"IN_PROGRESS"}"#;
    world.assets.inject(AssetsFault::answer("POST", "/executions", 409, body).times(3));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    world.assert_delivered();
}

/// An execution that was completed cannot be cancelled: the next run waits until Assets is done with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_own_execution_that_assets_still_carries_out_is_waited_for() {
    let world = world(Behaviour { processing: Processing::Millis(120_000), ..Behaviour::default() }).await;
    let job = world.add_job().await;
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    let is_completed = || world.assets.executions().iter().any(|execution| execution.status == "PROCESSING");
    world.step_and_die(is_completed).await;
    world.end_as_failed(id).await;
    assert!(is_completed(), "it is still carried out");
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    let ends: Vec<_> = world.assets.executions().iter().map(|execution| execution.status).collect();
    assert_eq!(ends, ["DONE", "DONE"], "neither was cancelled");
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_not_to_start_is_told_with_what_to_do() {
    for (word, code, advice) in [
        ("DISABLED", "assets_import_disabled", "Enable the import source in Assets"),
        ("MISSING_MAPPING", "assets_mapping_missing", "/schema"),
        ("INVALID_IMPORT_MODULE_KEY", "assets_import_module_invalid", "Create a new"),
        ("IN_PROGRESS", "execution_in_progress", "Look at the import in Assets"),
    ] {
        let world = world(Behaviour::default()).await;
        world.hasten(1_000);
        let job = world.add_job().await;
        let body = json!({"result": "error", "errorCode": word}).to_string();
        world.assets.inject(AssetsFault::answer("POST", "/executions", 409, &body).times(u32::MAX));
        let run = world.run(job, RunMode::Full).await;
        let error = run.error.unwrap_or_default();
        assert_eq!((run.state.as_str(), error["code"].as_str()), ("failed", Some(code)), "{word}");
        assert!(error["advice"].as_str().unwrap().contains(advice), "{error}");
        assert!(world.store().is_empty());
    }
}

/// The answer to the start of a run is lost, and so is what could have told what became of it.
async fn lose_a_start(world: &World, job: JobId) {
    world.assets.inject(AssetsFault::cut("POST", "/executions"));
    world.assets.inject(AssetsFault::answer("GET", "/configstatus", 403, "{}").after(1).times(u32::MAX));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "failed", "{:?}", run.error);
    assert_eq!(world.text("SELECT string_agg(state, ',') FROM executions").await, "starting");
    world.assets.clear_faults();
}

/// Somebody else starts an execution.
async fn start_another(world: &World) {
    let client = world.app.assets.clone();
    let target = Target::ImportToken { token: world.assets.token().into() };
    let links = client.links(&target).await.unwrap();
    client.start(&target, &links, false).await.unwrap();
}

fn ends(world: &World) -> Vec<&'static str> {
    world.assets.executions().iter().map(|execution| execution.status).collect()
}

/// Some time after a start whose answer was lost, an open execution may be anybody's.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_is_open_long_after_a_lost_start_is_not_cancelled() {
    for minutes in [60, 3 * 24 * 60] {
        let world = world(Behaviour::default()).await;
        let job = world.add_job().await;
        lose_a_start(&world, job).await;
        world.clock.advance(Duration::from_secs(minutes * 60));
        start_another(&world).await;
        world.hasten(1_000);
        let run = world.run(job, RunMode::Full).await;
        let error = run.error.unwrap_or_default();
        assert_eq!((run.state.as_str(), &error["code"]), ("failed", &json!("execution_in_progress")));
        assert_eq!(ends(&world), ["INGESTING"], "another's, {minutes} minutes later");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_is_open_soon_after_a_lost_start_is_cancelled_by_the_next_run() {
    let world = world(Behaviour::default()).await;
    let job = world.add_job().await;
    lose_a_start(&world, job).await;
    start_another(&world).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(ends(&world), ["CANCELLED", "DONE"]);
    assert_eq!(world.text("SELECT count(*) FROM executions WHERE state = 'starting'").await, "0");
    world.assert_delivered();
}

/// Assets makes the execution of a start a moment after it said that it could not answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_comes_after_its_lost_start_is_cancelled_by_its_own_run() {
    let world = world(Behaviour::default()).await;
    let job = world.add_job().await;
    // Time enough for it to come before the next try.
    world.hasten(10);
    world.assets.inject(AssetsFault::answer("POST", "/executions", 504, "{}"));
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    let comes = async {
        until(|| world.assets.requests().iter().any(|request| request.faulty)).await;
        start_another(&world).await;
    };
    tokio::join!(world.step(), comes);
    let run = world.find(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(ends(&world), ["CANCELLED", "DONE"]);
    world.assert_delivered();
}

/// The source says that it is idle when it is asked, and that something is in progress when a start is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_start_that_shows_itself_by_a_refused_one_is_cancelled() {
    let world = world(Behaviour::default()).await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.assets.inject(AssetsFault::cut("POST", "/executions").applied());
    let idle = AssetsFault::answer("GET", "/configstatus", 200, r#"{"status":"IDLE"}"#);
    world.assets.inject(idle.times(2));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(ends(&world), ["DONE", "CANCELLED", "DONE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_that_are_never_answered_fail_the_run_after_a_while() {
    let world = world(Behaviour::default()).await;
    world.hasten(1_000);
    let job = world.add_job().await;
    world.assets.inject(AssetsFault::answer("POST", "/executions", 503, "{}").times(u32::MAX));
    let run = world.run(job, RunMode::Full).await;
    let error = run.error.unwrap_or_default();
    assert_eq!((run.state.as_str(), &error["code"]), ("failed", &json!("assets_outcome_unknown")));
    let starts = world.assets.requests().iter().filter(|request| request.path.ends_with("/executions")).count();
    assert!((2..200).contains(&starts), "{starts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_cancels_the_execution_of_its_lost_start() {
    let world = world(Behaviour::default()).await;
    let job = world.add_job().await;
    world.hasten(10);
    world.assets.inject(AssetsFault::cut("POST", "/executions").applied());
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    world.step_and_die(|| world.assets.requests().iter().any(|request| request.faulty)).await;
    assert_eq!(ends(&world), ["INGESTING"]);
    world.cancel(id).await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "cancelled", "{:?}", run.error);
    assert_eq!(ends(&world), ["CANCELLED"]);
    assert_eq!(world.text("SELECT string_agg(state, ',') FROM executions").await, "cancelled");
}
