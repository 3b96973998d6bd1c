//! A small request never makes a large answer, whatever is wrong with it.

use crate::support::test_app::TestApp;
use reqwest::Method;
use serde_json::{Map, Value, json};

const MAX_FAULTS: usize = 100;
const MAX_ANSWER_BYTES: usize = 500_000;

async fn refused(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = app.call(Method::POST, path).json(body).send().await;
    assert!(answer.text.len() < MAX_ANSWER_BYTES, "{path}: {} bytes", answer.text.len());
    assert_eq!(answer.status, 422, "{path}: {}", &answer.text[..answer.text.len().min(500)]);
    serde_json::from_str(&answer.text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_very_many_faults_is_answered_with_the_first_hundred() {
    let app = TestApp::start().await;
    let unknown: Map<String, Value> = (0..60_000).map(|index| (format!("f{index}"), json!(0))).collect();
    let objects: Vec<Value> = (0..300_000).map(|_| json!({})).collect();
    for (path, body) in [
        ("/v1/filters", Value::Object(unknown.clone())),
        ("/v1/jobs", Value::Object(unknown.clone())),
        ("/v1/manifest-checks", json!(objects)),
        ("/v1/manifest-checks", json!({"requiredResourceAccess": objects})),
        ("/v1/filters/validate", json!({"users": {"where": {"all": objects}}})),
    ] {
        let answer = app.call(Method::POST, path).json(&body).send().await;
        assert!(answer.text.len() < MAX_ANSWER_BYTES, "{path}: {} bytes", answer.text.len());
        let problem: Value = serde_json::from_str(&answer.text).unwrap();
        assert!(problem["errors"].as_array().is_none_or(|errors| errors.len() <= MAX_FAULTS), "{path}");
    }
    let problem = refused(&app, "/v1/filters", &Value::Object(unknown)).await;
    assert_eq!(problem["errors"].as_array().unwrap().len(), MAX_FAULTS);
    assert!(problem["detail"].as_str().unwrap().starts_with("More than 100 values"), "{}", problem["detail"]);
}

/// Each fault repeats the names on the way to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_name_is_not_repeated_in_every_fault() {
    let app = TestApp::start().await;
    let inner: Map<String, Value> = (0..200).map(|index| (format!("f{index}"), json!(0))).collect();
    let name = "n".repeat(900_000);
    refused(&app, "/v1/jobs", &json!({name.clone(): 1})).await;
    refused(&app, "/v1/jobs", &json!({"name": "x", "objects": {name: inner}})).await;
}
