//! An Assets that answers otherwise where its documentation is silent, and one that is busy.

use crate::support::world::World;
use entra_assets::assets::Target;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, AssetsOptions, Behaviour, Processing};
use entra_assets::sim::seed::SeedOptions;
use serde_json::json;

async fn world(behaviour: Behaviour) -> World {
    let seed = SeedOptions { users: 30, groups: 6, ..SeedOptions::default() };
    World::with(seed, AssetsOptions { behaviour, ..AssetsOptions::default() }).await
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
    world
        .execute(format!("UPDATE runs SET state = 'failed', finished_at = now(), lease_token = NULL WHERE id = '{id}'"))
        .await;
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

/// Days after a start whose answer was lost, an open execution may be anybody's.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_is_open_days_after_a_lost_start_is_not_cancelled() {
    let world = world(Behaviour::default()).await;
    world.hasten(1_000);
    let job = world.add_job().await;
    world.assets.inject(AssetsFault::cut("POST", "/executions"));
    world.assets.inject(AssetsFault::answer("GET", "/configstatus", 500, "{}").after(1).times(u32::MAX));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "failed", "{:?}", run.error);
    assert_eq!(world.text("SELECT string_agg(state, ',') FROM executions").await, "starting");
    world.assets.clear_faults();
    world.clock.advance(std::time::Duration::from_secs(3 * 86_400));
    let client = world.app.assets.clone();
    let target = Target::ImportToken { token: world.assets.token().into() };
    let links = client.links(&target).await.unwrap();
    client.start(&target, &links, false).await.unwrap();
    let run = world.run(job, RunMode::Full).await;
    let error = run.error.unwrap_or_default();
    assert_eq!((run.state.as_str(), &error["code"]), ("failed", &json!("execution_in_progress")));
    let ends: Vec<_> = world.assets.executions().iter().map(|execution| execution.status).collect();
    assert_eq!(ends, ["INGESTING"], "another's");
}
