//! Filters over HTTP, and their rules against the simulator's.

mod agreement;
mod bad_input;
mod preview;
mod table;

use crate::support::test_app::TestApp;
use reqwest::Method;
use serde_json::Value;

async fn post(api: &TestApp, path: &str, body: &Value) -> (u16, Value) {
    post_text(api, path, body.to_string()).await
}

async fn post_text(api: &TestApp, path: &str, body: String) -> (u16, Value) {
    let answer = api.call(Method::POST, path).text("application/json", body).send().await;
    (answer.status, answer.body)
}
