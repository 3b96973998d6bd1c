//! Signing in as a Forge app: installations are organizations, and calls carry the app's token.

use super::refused;
use crate::support::issuer::{Issuer, SigningKey, app_with_forge, changed, installation, invocation};
use crate::support::test_app::{Answer, TestApp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const SYSTEM_TOKEN: &str = "system-token-of-the-tests-0123456789";

async fn start() -> (TestApp, Issuer) {
    app_with_forge(Default::default(), Default::default()).await
}

async fn refresh(app: &TestApp, issuer: &Issuer, number: u32, system_token: &str) -> Answer {
    let token = issuer.invocation_token(app, &installation(number));
    let call = app.call_with(&token, Method::POST, "/v1/forge/refresh");
    call.header("x-forge-oauth-system", system_token).json(&json!({"triggerName": "refresh"})).send().await
}

#[tokio::test]
async fn each_installation_is_an_organization_that_its_first_call_makes() {
    let (app, issuer) = start().await;
    let (one, other) = (installation(1), installation(2));
    let token = issuer.invocation_token(&app, &one);
    let create = app.call_with(&token, Method::POST, "/v1/filters").json(&json!({"name": "All"})).send().await;
    let path = format!("/v1/filters/{}", create.expect(201)["id"].as_str().unwrap());
    let token = issuer.invocation_token(&app, &one);
    app.call_with(&token, Method::GET, &path).send().await.expect(200);
    let token = issuer.invocation_token(&app, &other);
    app.call_with(&token, Method::GET, &path).send().await.problem(404, "not_found");
    app.get(&path).await.problem(404, "not_found");
    let count = "SELECT count(*) FROM organizations WHERE external_id IS NOT NULL";
    assert_eq!(app.text_of_all(count).await, "2");
    let audit = "SELECT string_agg(actor || ' ' || action, ',') FROM audit_events WHERE resource_kind = 'organizations'
        AND detail->>'externalId' LIKE '%1'";
    assert_eq!(app.text_of_all(audit).await, "jwt:forge/invocation-token:5b10ac8d82e05b22cc7d4ef5 create");
}

#[tokio::test]
async fn a_forge_app_never_administers() {
    let (app, issuer) = start().await;
    let claims = changed(invocation(&app, &installation(1)), &json!({"scope": "admin", "scopes": ["admin"]}));
    let token = issuer.key.sign(&claims);
    for path in ["/v1/api-keys", "/v1/audit-events"] {
        app.call_with(&token, Method::GET, path).send().await.problem(403, "forbidden");
    }
    let key = app.call_with(&token, Method::POST, "/v1/api-keys").json(&json!({"name": "k", "scopes": ["admin"]}));
    key.send().await.problem(403, "forbidden");
    let created = app.call_with(&token, Method::POST, "/v1/filters").json(&json!({"name": "All"})).send().await;
    created.expect(201);
}

#[tokio::test]
async fn an_invocation_token_that_fails_a_check_is_refused() {
    let (app, issuer) = start().await;
    let good = invocation(&app, &installation(1));
    let of_app = |changes: Value| json!({"app": changed(good["app"].clone(), &changes)});
    for (changes, part) in [
        (json!({"aud": "ari:cloud:ecosystem::app/another"}), "`aud`"),
        (json!({"exp": app.world.clock.now().timestamp() - 10}), "`exp`"),
        (json!({"app": null}), "`app.installationId`"),
        (of_app(json!({"installationId": ""})), "`app.installationId`"),
        (of_app(json!({"apiBaseUrl": "https://api.atlassian.com.evil.example/ex/jira/1"})), "`app.apiBaseUrl`"),
        (of_app(json!({"apiBaseUrl": "http://api.atlassian.com/ex/jira/1"})), "`app.apiBaseUrl`"),
        (of_app(json!({"apiBaseUrl": "https://api.atlassian.com/ex/jira/1/../../x"})), "`app.apiBaseUrl`"),
        (of_app(json!({"apiBaseUrl": "https://api.atlassian.com"})), "`app.apiBaseUrl`"),
        (of_app(json!({"apiBaseUrl": 1})), "`app.apiBaseUrl`"),
    ] {
        let problem = refused(&app, &issuer.key.sign(&changed(good.clone(), &changes))).await;
        assert!(problem["detail"].as_str().unwrap().contains(part), "{changes}: {problem}");
    }
    let stronger = Header { alg: Algorithm::RS512, ..issuer.key.header() };
    let problem = refused(&app, &issuer.key.sign_as(&stronger, &good)).await;
    assert!(problem["detail"].as_str().unwrap().contains("`alg`"), "{problem}");
    let impostor = SigningKey::rsa(&issuer.key.id);
    refused(&app, &impostor.sign(&good)).await;
    assert_eq!(app.text_of_all("SELECT count(*) FROM organizations WHERE external_id IS NOT NULL").await, "0");
}

#[tokio::test]
async fn a_call_replaces_the_one_sealed_token_of_its_installation() {
    let (app, issuer) = start().await;
    let now = app.world.clock.now();
    let answer = refresh(&app, &issuer, 1, SYSTEM_TOKEN).await.expect(200);
    let expires_at = now + Duration::from_secs(55 * 60);
    assert_eq!(answer, json!({"expiresAt": expires_at, "runsResumed": 0}));
    let sealed = "SELECT encode(token_sealed, 'escape') || api_base_url FROM forge_tokens";
    let first = app.text_of_all(sealed).await;
    assert!(!first.contains(SYSTEM_TOKEN) && first.contains("api.atlassian.com/ex/jira/"), "{first}");

    // Any call brings it, and a token that says when it ends is believed.
    let end = now.timestamp() + 7234;
    let call = app.call_with(&issuer.invocation_token(&app, &installation(1)), Method::GET, "/v1/filters");
    call.header("x-forge-oauth-system", &token_until(end)).send().await.expect(200);
    assert_ne!(app.text_of_all(sealed).await, first);
    let ends = "SELECT string_agg(extract(epoch FROM expires_at)::bigint::text, ',') FROM forge_tokens";
    assert_eq!(app.text_of_all(ends).await, end.to_string());

    refresh(&app, &issuer, 2, SYSTEM_TOKEN).await.expect(200);
    assert_eq!(app.text_of_all("SELECT count(*) FROM forge_tokens").await, "2");
}

/// Nothing is stored for a call that its caller may not make.
#[tokio::test]
async fn a_call_that_is_refused_brings_no_token() {
    let (app, issuer) = start().await;
    let call = async |path: &str| {
        let token = issuer.invocation_token(&app, &installation(1));
        app.call_with(&token, Method::GET, path).header("x-forge-oauth-system", SYSTEM_TOKEN).send().await
    };
    let stored = "SELECT count(*) FROM forge_tokens";
    call("/v1/api-keys").await.problem(403, "forbidden");
    assert_eq!(app.text_of_all(stored).await, "0");
    call("/v1/filters").await.expect(200);
    assert_eq!(app.text_of_all(stored).await, "1");
}

/// A token of Atlassian that says when it ends.
fn token_until(end: i64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.signature", part(json!({"alg": "HS256"})), part(json!({"exp": end})))
}

/// A trigger brings a token for hours, a function one for minutes.
#[tokio::test]
async fn the_token_that_ends_later_is_kept() {
    let (app, issuer) = start().await;
    let now = app.world.clock.now().timestamp();
    let sealed = "SELECT encode(token_sealed, 'hex') FROM forge_tokens";
    let ends = async |token: &str| {
        let answer = refresh(&app, &issuer, 1, token).await.expect(200);
        answer["expiresAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap().timestamp() - now
    };
    assert_eq!(ends(&token_until(now + 7200)).await, 7200);
    let first = app.text_of_all(sealed).await;
    assert_eq!(ends(&token_until(now + 600)).await, 7200);
    assert_eq!(app.text_of_all(sealed).await, first);
    assert_eq!(ends(&token_until(now + 7201)).await, 7201);
    assert_ne!(app.text_of_all(sealed).await, first);
}

#[tokio::test]
async fn a_refresh_needs_the_token_and_a_forge_app() {
    let (app, issuer) = start().await;
    app.call(Method::POST, "/v1/forge/refresh").send().await.problem(403, "forbidden");
    app.call_without_key(Method::POST, "/v1/forge/refresh").send().await.problem(401, "unauthenticated");
    let token = issuer.invocation_token(&app, &installation(1));
    let without = app.call_with(&token, Method::POST, "/v1/forge/refresh").send().await;
    let problem = without.problem(422, "forge_token_missing");
    assert!(problem["detail"].as_str().unwrap().contains("read:app-system-token"), "{problem}");
    let problem = refresh(&app, &issuer, 1, "not a token").await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "x-forge-oauth-system");
    let nowhere = changed(invocation(&app, &installation(1)), &json!({"app": {"installationId": installation(1)}}));
    let call = app.call_with(&issuer.key.sign(&nowhere), Method::POST, "/v1/forge/refresh");
    call.header("x-forge-oauth-system", SYSTEM_TOKEN).send().await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_installation_that_was_removed_does_not_come_back_with_an_older_token() {
    let (app, issuer) = start().await;
    let call = async |token: &str, method: Method, path: &str| {
        app.call_with(token, method, path).header("x-forge-oauth-system", SYSTEM_TOKEN).send().await
    };
    let token = |number: u32| issuer.invocation_token(&app, &installation(number));
    let second = || app.world.clock.advance(Duration::from_secs(1));
    let organizations = "SELECT count(*) FROM organizations WHERE external_id IS NOT NULL";
    let (older, undated) = (token(1), changed(invocation(&app, &installation(1)), &json!({"iat": null, "nbf": null})));
    call(&older, Method::GET, "/v1/filters").await.expect(200);
    second();
    call(&token(1), Method::POST, "/v1/forge/uninstall").await.expect(200);
    for old in [&older, &issuer.key.sign(&undated)] {
        let problem = call(old, Method::GET, "/v1/filters").await.problem(401, "unauthenticated");
        assert!(problem["detail"].as_str().unwrap().contains("its installation was removed"), "{problem}");
        assert_eq!(app.text_of_all(organizations).await, "0");
        assert_eq!(app.text_of_all("SELECT count(*) FROM forge_tokens").await, "0");
    }
    call(&token(2), Method::GET, "/v1/filters").await.expect(200);
    second();
    call(&token(1), Method::GET, "/v1/filters").await.expect(200);
    assert_eq!(app.text_of_all(organizations).await, "2", "it was installed again");
    call(&older, Method::GET, "/v1/filters").await.problem(401, "unauthenticated");

    // The same where the operator deletes it.
    let listed = app.get("/v1/organizations").await.expect(200);
    let of = |one: &&Value| one["externalId"] == json!(installation(2));
    let id = listed["items"].as_array().unwrap().iter().find(of).unwrap()["id"].as_str().unwrap();
    let older = token(2);
    second();
    app.delete(&format!("/v1/organizations/{id}")).await.expect(204);
    call(&older, Method::GET, "/v1/filters").await.problem(401, "unauthenticated");
    assert_eq!(app.text_of_all(organizations).await, "1");
}
