//! Browsers may call the API only from the origins that the operator allows.

use crate::support::test_app::TestApp;
use crate::support::world::World;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use std::sync::Arc;

const ORIGIN: &str = "https://app.example.com";

async fn start() -> TestApp {
    let seed = SeedOptions { users: 10, groups: 2, ..SeedOptions::default() };
    let mut world = World::bare(seed, AssetsOptions::default()).await;
    let mut settings = (*world.app.settings).clone();
    settings.security.cors_origins = vec![ORIGIN.parse().unwrap()];
    world.app.settings = Arc::new(settings);
    TestApp::over(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_origin_may_ask_and_call() {
    let app = start().await;
    let preflight = app
        .call_without_key(Method::OPTIONS, "/v1/jobs")
        .header("Origin", ORIGIN)
        .header("Access-Control-Request-Method", "POST")
        .send_unrecorded()
        .await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, ORIGIN));
    assert!(preflight.header("access-control-allow-headers").contains("Authorization"));
    let answer = app.call(Method::GET, "/v1/jobs").header("Origin", ORIGIN).send().await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ORIGIN));
    assert!(answer.headers.get_all("vary").iter().any(|value| value == "Origin"));
    assert!(answer.header("access-control-expose-headers").contains("ETag"));
    // A browser must be able to read a problem too.
    let refused = app.call_without_key(Method::GET, "/v1/jobs").header("Origin", ORIGIN).send().await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, ORIGIN));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_origin_may_not() {
    let app = start().await;
    for origin in ["https://app.example.com.evil.test", "http://app.example.com", "null"] {
        let answer = app.call(Method::GET, "/v1/jobs").header("Origin", origin).send().await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        let preflight = app
            .call_without_key(Method::OPTIONS, "/v1/jobs")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .send_unrecorded()
            .await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (405, ""));
    }
}
