//! The metrics that an operator is alerted by.

use crate::support::test_app::TestApp;
use entra_assets::runs::scheduler;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

async fn metrics(app: &TestApp) -> String {
    // The first call begins to record.
    app.call_without_key(Method::GET, "/metrics").send().await;
    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    app.call_without_key(Method::GET, "/metrics").send().await.text
}

/// The value of the one series that begins with `name` and has all `labels`.
fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let is_series =
        |line: &&str| line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label));
    let found: Vec<&str> = text.lines().filter(is_series).collect();
    assert!(found.len() < 2, "{found:?}");
    found.first().and_then(|line| line.rsplit(' ').next()?.parse().ok())
}

/// «Last night's import failed» is one series that is 1, and how long ago the last good one was is another.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_import_is_seen_in_the_metrics() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    assert!(!metrics(&app).await.contains("entra_assets_job_last_run_state{"), "nothing has run yet");
    app.run(&job, &json!({"mode": "full"})).await;
    let text = metrics(&app).await;
    let id = format!("job_id=\"{}\"", job.rsplit('/').next().unwrap());
    let state =
        |text: &str, state: &str| value(text, "entra_assets_job_last_run_state", &[&id, &format!("state=\"{state}\"")]);
    assert_eq!((state(&text, "succeeded"), state(&text, "failed")), (Some(1.0), Some(0.0)), "{text}");
    let success = value(&text, "entra_assets_job_last_success_timestamp_seconds", &[&id]).unwrap();
    assert_eq!(value(&text, "entra_assets_job_last_run_timestamp_seconds", &[&id]), Some(success));

    app.world.clock.advance(std::time::Duration::from_secs(3600));
    app.world.execute("UPDATE connections SET client_id = gen_random_uuid()".to_owned()).await;
    let failed = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(failed["state"], "failed");
    // A dry run says nothing about the nightly import.
    app.run(&job, &json!({"mode": "dryRun"})).await;
    let text = metrics(&app).await;
    assert_eq!((state(&text, "succeeded"), state(&text, "failed")), (Some(0.0), Some(1.0)), "{text}");
    assert_eq!(value(&text, "entra_assets_job_last_success_timestamp_seconds", &[&id]), Some(success));
    assert!(value(&text, "entra_assets_job_last_run_timestamp_seconds", &[&id]).unwrap() >= success + 3600.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_stands_still_is_seen_in_the_metrics() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.queue(&job, &json!({"mode": "full"})).await;
    app.world.clock.advance(std::time::Duration::from_secs(600));
    let text = metrics(&app).await;
    assert_eq!(value(&text, "entra_assets_runs", &["state=\"queued\""]), Some(1.0), "{text}");
    let waits = text.lines().find_map(|line| line.strip_prefix("entra_assets_queue_oldest_seconds ")).unwrap();
    assert!(waits.parse::<f64>().unwrap() >= 600.0, "{waits}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_has_a_help_text() {
    let app = TestApp::start().await;
    metrics(&app).await;
    let job = app.create_job(&json!({})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    let text = metrics(&app).await;
    let named = |start: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(start));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let types = named("# TYPE ");
    assert!(types.len() > 10, "{text}");
    assert_eq!(types.difference(&named("# HELP ")).collect::<Vec<_>>(), Vec::<&String>::new());
}
