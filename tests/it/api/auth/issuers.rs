//! The public keys of an issuer: fetched on demand, cached, and not fetched too often.

use super::{is_accepted, refused};
use crate::support::issuer::{SigningKey, app_with_issuer, keys};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use wiremock::ResponseTemplate;

#[tokio::test]
async fn keys_are_found_by_discovery_and_kept_for_an_hour() {
    let (app, issuer) = app_with_issuer(&json!({})).await;
    for _ in 0..5 {
        assert!(is_accepted(&app, &issuer.token(&app, &json!({}))).await);
    }
    assert_eq!(issuer.fetches().await, 1);
    app.world.clock.advance(Duration::from_secs(3600));
    assert!(is_accepted(&app, &issuer.token(&app, &json!({}))).await);
    assert_eq!(issuer.fetches().await, 2);
}

#[tokio::test]
async fn a_new_key_is_fetched_but_unknown_ones_do_not_wear_the_issuer_out() {
    let (app, issuer) = app_with_issuer(&json!({})).await;
    assert!(is_accepted(&app, &issuer.token(&app, &json!({}))).await);
    let second = SigningKey::elliptic("second");
    let token = second.sign(&issuer.claims(&app));
    for _ in 0..20 {
        refused(&app, &token).await;
    }
    assert_eq!(issuer.fetches().await, 1, "within ten seconds of the first fetch");
    app.world.clock.advance(Duration::from_secs(10));
    for _ in 0..20 {
        refused(&app, &token).await;
    }
    assert_eq!(issuer.fetches().await, 2);

    issuer.publish(keys(&[&issuer.key, &second]));
    app.world.clock.advance(Duration::from_secs(10));
    assert!(is_accepted(&app, &second.sign(&issuer.claims(&app))).await);
    assert!(is_accepted(&app, &issuer.token(&app, &json!({}))).await);
    assert_eq!(issuer.fetches().await, 3);

    issuer.publish(keys(&[&second]));
    app.world.clock.advance(Duration::from_secs(3600));
    refused(&app, &issuer.token(&app, &json!({}))).await;
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_not_the_caller_s_fault() {
    let (app, issuer) = app_with_issuer(&json!({})).await;
    let too_long = format!("{{\"keys\": [\"{}\"]}}", "a".repeat(1 << 20));
    for (answer, why) in [
        (ResponseTemplate::new(500), "500"),
        (ResponseTemplate::new(200).set_body_string("<html>"), "cannot be read"),
        (ResponseTemplate::new(200).set_body_string(too_long), "more than"),
        (ResponseTemplate::new(302).insert_header("Location", "/elsewhere"), "302"),
    ] {
        issuer.publish(answer);
        app.world.clock.advance(Duration::from_secs(10));
        let token = issuer.token(&app, &json!({}));
        let answer = app.call_with(&token, Method::GET, "/v1/filters").send().await;
        assert_eq!(answer.header("retry-after"), "10");
        assert!(!answer.text.contains(&token), "{}", answer.text);
        let problem = answer.problem(503, "issuer_unreachable");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
    issuer.publish(keys(&[&issuer.key]));
    let token = issuer.token(&app, &json!({}));
    app.call_with(&token, Method::GET, "/v1/filters").send().await.problem(503, "issuer_unreachable");
    app.world.clock.advance(Duration::from_secs(10));
    assert!(is_accepted(&app, &issuer.token(&app, &json!({}))).await);

    issuer.publish(ResponseTemplate::new(500));
    app.world.clock.advance(Duration::from_secs(23 * 3600));
    assert!(is_accepted(&app, &issuer.token(&app, &json!({}))).await, "keys outlive an outage of a day");
    app.world.clock.advance(Duration::from_secs(2 * 3600));
    let token = issuer.token(&app, &json!({}));
    app.call_with(&token, Method::GET, "/v1/filters").send().await.problem(503, "issuer_unreachable");
}

#[tokio::test]
async fn metadata_of_another_issuer_are_not_believed() {
    let (other, genuine) = app_with_issuer(&json!({})).await;
    assert!(is_accepted(&other, &genuine.token(&other, &json!({}))).await);
    let alias = genuine.name().replace("127.0.0.1", "localhost");
    let (app, _) = app_with_issuer(&json!({"issuer": alias})).await;
    let token = genuine.token(&app, &json!({"iss": alias}));
    let problem = app.call_with(&token, Method::GET, "/v1/filters").send().await.problem(503, "issuer_unreachable");
    assert!(problem["detail"].as_str().unwrap().contains("another issuer"), "{problem}");
}
