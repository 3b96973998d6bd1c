//! What the functions of a Forge app call for an import source.

use crate::support::test_app::TestApp;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_import_source_is_started_and_stopped_by_its_id() {
    let app = TestApp::start().await;
    let path = |action: &str| format!("/v1/forge/imports/source/{action}");
    let status = app.get(&path("status")).await.expect(200);
    assert_eq!(
        (&status["status"], &status["jobId"], &status["lastRun"]),
        (&json!("NOT_CONFIGURED"), &Value::Null, &Value::Null)
    );
    let post = async |action: &str| app.call(Method::POST, &path(action)).send().await;
    for action in ["start", "stop"] {
        let problem = post(action).await.problem(404, "not_found");
        assert!(problem["detail"].as_str().unwrap().contains("importId"), "{problem}");
    }
    let forge = json!({"name": "Forge", "kind": "forge", "workspaceId": "space", "importId": "source"});
    let forge = app.create("/v1/destinations", &forge).await;
    let job = app.create_job(&json!({"destinationId": forge.rsplit('/').next().unwrap()})).await;
    let status = app.get(&path("status")).await.expect(200);
    assert_eq!((&status["status"], &status["jobId"]), (&json!("READY"), &json!(job)));
    let started = post("start").await.expect(200);
    assert_eq!((&started["lastRun"]["state"], &started["lastRun"]["mode"]), (&json!("queued"), &json!("incremental")));
    assert_eq!(post("start").await.expect(200)["lastRun"]["id"], started["lastRun"]["id"], "one run at a time");
    assert_eq!(post("stop").await.expect(200)["lastRun"]["state"], "cancelled");
    assert_eq!(post("stop").await.expect(200)["lastRun"]["state"], "cancelled", "nothing to stop");
}
