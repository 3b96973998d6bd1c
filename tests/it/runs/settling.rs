//! What is written down as delivered, and what is sent again because it is not.

use crate::support::world::World;
use entra_assets::run_state::{ChangeReason, RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, FaultAction};
use serde_json::json;
use uuid::Uuid;

async fn world() -> World {
    let world = World::new(30, 6).await;
    world.set_destination("missing_objects = 'ignore'").await;
    world
}

fn title() -> serde_json::Map<String, serde_json::Value> {
    json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_with_errors_is_sent_whole_next_time() {
    let world = world().await;
    let job = world.add_job().await;
    world.set_job("deliver = 'changes'").await;
    world.run(job, RunMode::Full).await;
    world.assets.configure(|behaviour| behaviour.max_objects = Some(0));
    world.graph.change(|directory| {
        let user = directory.live_users().next().unwrap().1.id;
        directory.update(user, title()).unwrap();
        directory.add_user(json!({"displayName": "Arrived Later"}).as_object().unwrap().clone());
    });
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "degraded");
    let codes: Vec<&str> = run.warnings.as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["entries_ignored", "assets_error"]);
    assert_eq!(run.counts["users"]["ignored"], 1);
    world.assets.configure(|behaviour| behaviour.max_objects = None);
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{}", run.warnings);
    let last = world.assets.executions().pop().unwrap();
    assert_eq!((last.types["Entra User"].entries, last.types["Entra Group"].entries), (31, 0));
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_mapping_is_delivered_without_reading_the_directory_again() {
    let world = world().await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.set_job(r#"objects = '{"users": {"names": {"department": "Unit"}}}', deliver = 'changes'"#).await;
    world.graph.reset_counters();
    let run = world.run(job, RunMode::Incremental).await;
    // Assets finds every value as it was.
    let users = ["sent", "updated", "unchanged"].map(|name| run.counts["users"][name].as_u64().unwrap());
    assert_eq!(users, [30, 0, 30], "{}", run.warnings);
    assert_eq!(world.changes(run.run_id()).await[0].reason, Some(ChangeReason::Mapping));
    let asked: Vec<_> = world.graph.requests().into_iter().map(|request| request.path).collect();
    assert!(!asked.iter().any(|path| path.ends_with("/members") || path == "/v1.0/users"), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_was_renamed_in_the_job_goes_on_under_its_name_in_assets() {
    let world = world().await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.set_job(r#"objects = '{"users": {"typeName": "Person"}}'"#).await;
    let run = world.run(job, RunMode::Full).await;
    let codes: Vec<&str> = run.warnings.as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
    assert_eq!((run.state.as_str(), codes), ("succeeded", vec!["schema_change_refused"]));
    assert_eq!(world.count("mirror_delivered").await, 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_destination_has_nothing_yet() {
    let world = world().await;
    let job = world.add_job().await;
    world.set_job("deliver = 'changes'").await;
    world.run(job, RunMode::Full).await;
    let (id, source) = world.add_another_destination().await;
    world.set_job(&format!("destination_id = '{id}'")).await;
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.counts["users"]["created"], 30, "{:?} {}", run.error, run.warnings);
    let last = world.assets.executions().pop().unwrap();
    assert_eq!((last.source_id, last.types["Entra User"].created), (source, 30));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_is_refused_unless_it_is_wanted() {
    let world = world().await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.execute(format!("UPDATE mirrors SET tenant_id = '{}'", Uuid::from_u128(7))).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("tenant_changed")));
    assert_eq!(world.count("mirror_delivered").await, 41);
    let request = RunRequest { reset_mirror: true, ..RunRequest::default() };
    let run = world.run_with(job, RunMode::Full, request).await;
    let users = ["sent", "created", "unchanged"].map(|name| run.counts["users"][name].as_u64().unwrap());
    assert_eq!((run.state.as_str(), users), ("succeeded", [30, 0, 30]), "Assets has them from before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_fails_writes_why_into_the_history_of_assets() {
    let world = world().await;
    let job = world.add_job().await;
    world.assets.inject(AssetsFault {
        method: Some("POST".to_owned()),
        path: "/data".to_owned(),
        after: 0,
        times: 1,
        applied: false,
        action: FaultAction::Answer { status: 400, body: r#"{"errorMessages":["no"]}"#.to_owned(), retry_after: None },
    });
    let run = world.run(job, RunMode::Full).await;
    let error = run.error.unwrap();
    assert_eq!(
        (run.state.as_str(), &error["code"], &error["stage"]),
        ("failed", &json!("assets_refused"), &json!("deliver"))
    );
    let execution = world.assets.executions().pop().unwrap();
    assert_eq!(execution.status, "CANCELLED");
    assert!(execution.failure.unwrap().starts_with("assets_refused: "), "the reason is in the history");
}
