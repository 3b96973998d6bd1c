//! The list of worker processes.

use crate::support::test_app::TestApp;
use entra_assets::ids::WorkerId;
use entra_assets::runs::scheduler;
use serde_json::{Value, json};
use std::time::Duration;

async fn states(app: &TestApp) -> Vec<Value> {
    let page = app.get("/v1/workers").await.expect(200);
    page["items"].as_array().unwrap().iter().map(|worker| worker["state"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_alive_then_stale_then_gone() {
    let app = TestApp::start().await;
    assert_eq!(states(&app).await, Vec::<Value>::new());
    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    let page = app.get("/v1/workers").await.expect(200);
    let worker = &page["items"][0];
    assert_eq!(worker["id"], json!(app.world.worker));
    assert_eq!((&worker["processId"], &worker["capacity"]), (&json!(std::process::id()), &json!(4)));
    assert_eq!((&worker["running"], &worker["version"]), (&json!(0), &json!(env!("CARGO_PKG_VERSION"))));
    app.world.clock.advance(Duration::from_secs(61));
    let other = WorkerId::new(&app.world.clock);
    scheduler::tick(&app.world.app, other).await.unwrap();
    assert_eq!(states(&app).await, ["stale", "alive"]);
    app.world.clock.advance(Duration::from_secs(600));
    scheduler::tick(&app.world.app, other).await.unwrap();
    assert_eq!(states(&app).await, ["alive"]);
}
