//! What is logged of those who sign in: never a token, and always a refusal.

use super::refused;
use crate::support::issuer::{app_with_forge, changed, installation, invocation};
use crate::support::log::Log;
use crate::support::test_app::TestApp;
use crate::support::world::World;
use entra_assets::api::auth::Scope;
use entra_assets::ids::OrganizationId;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn neither_an_invocation_token_nor_a_system_token_is_logged() {
    let heard = Log::listen();
    let (app, issuer) = app_with_forge(Default::default(), Default::default()).await;
    let system_token = "system-token-of-the-tests-0123456789";
    let good = issuer.invocation_token(&app, &installation(1));
    let call = app.call_with(&good, Method::POST, "/v1/forge/refresh").header("x-forge-oauth-system", system_token);
    call.send().await.expect(200);
    let expired = issuer.key.sign(&changed(invocation(&app, &installation(1)), &json!({"exp": 1})));
    refused(&app, &expired).await;
    let log = heard.text();
    assert!(log.contains("signing keys fetched"), "the log is heard");
    // The client's own log in this process shows what it sends; the service's does not.
    let of_service: Vec<&str> =
        log.lines().filter(|line| line.contains("entra_assets") || line.contains("actix")).collect();
    assert!(of_service.len() > 3);
    for secret in [good.as_str(), expired.as_str(), system_token] {
        let signature = secret.rsplit('.').next().unwrap();
        for line in &of_service {
            assert!(!line.contains(signature), "{line}");
        }
    }
}

/// Somebody who tries keys is seen in the log and in the metrics, whoever they say they are.
#[tokio::test]
async fn a_refused_sign_in_is_logged_with_its_address_and_counted() {
    let heard = Log::listen();
    let mut world =
        World::bare(SeedOptions { users: 10, groups: 2, ..SeedOptions::default() }, Default::default()).await;
    let mut settings = (*world.app.settings).clone();
    settings.security.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    world.app.settings = Arc::new(settings);
    let app = TestApp::over(world);
    app.call_without_key(Method::GET, "/metrics").send().await;
    let guess = "eak_a-key-that-somebody-guessed-hunter2";
    for _ in 0..30 {
        let call = app.call_with(guess, Method::GET, "/v1/jobs").header("x-forwarded-for", "198.51.100.7");
        call.send().await.problem(401, "unauthenticated");
    }
    let reader = app.add_key(OrganizationId::DEFAULT, &[Scope::Read]).await;
    app.call_with(&reader, Method::GET, "/v1/api-keys").send().await.problem(403, "forbidden");
    let log = heard.text();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a request was refused")).collect();
    assert_eq!(lines.len(), 20, "the log is not filled");
    for part in ["WARN", "198.51.100.7", "unauthenticated", "/v1/jobs"] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert!(!lines.iter().any(|line| line.contains("hunter2")), "{lines:?}");
    let metrics = app.call_without_key(Method::GET, "/metrics").send().await.text;
    for series in ["{reason=\"unauthenticated\"} 30", "{reason=\"forbidden\"} 1"] {
        assert!(metrics.contains(&format!("entra_assets_refused_requests_total{series}")), "{metrics}");
    }
    app.world.clock.advance(std::time::Duration::from_secs(60));
    app.call_without_key(Method::GET, "/v1/jobs").send().await.problem(401, "unauthenticated");
    let log = heard.text();
    assert!(
        log.lines().any(|line| line.contains("more requests were refused") && line.contains("requests=11")),
        "{log}"
    );
}
