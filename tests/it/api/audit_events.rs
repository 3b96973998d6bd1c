//! The audit log: what an update changed, from where, and what was refused.

use crate::support::issuer::app_with;
use crate::support::test_app::TestApp;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// The detail of the last update of a resource.
async fn last_update(app: &TestApp, id: &str) -> Value {
    let events = app.get(&format!("/v1/audit-events?resourceId={id}&action=update")).await.expect(200);
    events["items"][0]["detail"].clone()
}

#[tokio::test]
async fn an_update_names_the_fields_that_changed_with_their_values() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.patch(&format!("/v1/jobs/{job}"), &json!({"removal": {"policy": "mark"}})).await.expect(200);
    let detail = last_update(&app, &job).await;
    assert_eq!(detail, json!({"changes": [{"field": "removal.policy", "before": "keep", "after": "mark"}]}));

    let filter = app.create_filter(&json!({"name": "One"})).await;
    app.patch(&format!("/v1/filters/{filter}"), &json!({"name": "Two"})).await.expect(200);
    let detail = last_update(&app, &filter).await;
    assert_eq!(detail, json!({"changes": [{"field": "name", "before": "One", "after": "Two"}]}));
}

#[tokio::test]
async fn a_secret_that_is_replaced_is_named_and_not_shown() {
    let app = TestApp::start().await;
    let webhook = json!({"name": "Chat", "url": "https://example.com/", "secret": "a-shared-secret-of-the-receiver"});
    let webhook = app.create("/v1/webhooks", &webhook).await;
    let destination = app.create_destination().await;
    for (path, change, name) in [
        (webhook, json!({"secret": "another-secret-of-the-receiver"}), "secret"),
        (format!("/v1/destinations/{destination}"), json!({"token": "another-token-of-the-import-source"}), "token"),
    ] {
        let id = path.rsplit('/').next().unwrap();
        app.patch(&path, &change).await.expect(200);
        let detail = last_update(&app, id).await;
        assert_eq!(detail["secrets"], json!([name]), "{path}: {detail}");
        assert!(!detail.to_string().contains("another"), "{path}: {detail}");
        app.patch(&path, &json!({"name": "Renamed"})).await.expect(200);
        let detail = last_update(&app, id).await;
        assert_eq!((detail.get("secrets"), &detail["changes"][0]["field"]), (None, &json!("name")), "{path}: {detail}");
    }
}

/// The service behind a proxy that it trusts.
async fn behind_a_proxy() -> TestApp {
    app_with(Default::default(), Default::default(), |security| {
        security.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

#[tokio::test]
async fn an_event_says_from_where() {
    let app = behind_a_proxy().await;
    let filter = json!({"name": "One"});
    let create = app.call(Method::POST, "/v1/filters").header("x-forwarded-for", "198.51.100.7");
    let from_outside = create.json(&filter).send().await.expect(201);
    let without_proxy = app.post("/v1/filters", &json!({"name": "Two"})).await.expect(201);
    for (filter, address) in [(from_outside, "198.51.100.7"), (without_proxy, "127.0.0.1")] {
        let events = app.get(&format!("/v1/audit-events?resourceId={}", filter["id"].as_str().unwrap())).await;
        assert_eq!(events.expect(200)["items"][0]["address"], address);
    }
}

#[tokio::test]
async fn a_key_that_is_used_in_vain_is_in_the_audit_log_of_its_organization() {
    let app = behind_a_proxy().await;
    let make = async |name: &str| {
        let expires_at = app.world.clock.now() + TimeDelta::hours(1);
        let made = app.post("/v1/api-keys", &json!({"name": name, "scopes": ["read"], "expiresAt": expires_at})).await;
        let made = made.expect(201);
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
    };
    let (revoked, revoked_key) = make("Revoked").await;
    let (expired, expired_key) = make("Expired").await;
    let wrong = format!("{}_guess", expired_key.splitn(3, '_').take(2).collect::<Vec<_>>().join("_"));
    app.delete(&format!("/v1/api-keys/{revoked}")).await.expect(204);
    let in_vain = async |key: &str| {
        let call = app.call_with(key, Method::GET, "/v1/jobs").header("x-forwarded-for", "203.0.113.9");
        call.send().await.problem(401, "unauthenticated");
    };
    for _ in 0..20 {
        in_vain(&revoked_key).await;
    }
    in_vain(&wrong).await;
    app.world.clock.advance(Duration::from_secs(3600));
    in_vain(&expired_key).await;
    // Neither names an organization.
    in_vain("eak_00000000000000000000000000000000_guess").await;
    in_vain("guess").await;

    let events = app.get("/v1/audit-events?action=refuse").await.expect(200);
    let seen: Vec<[&str; 4]> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!(event["actor"], format!("apiKey:{}", event["resourceId"].as_str().unwrap()));
            let text = |name: &str| event[name].as_str().unwrap();
            [text("resourceKind"), text("resourceId"), event["detail"]["reason"].as_str().unwrap(), text("address")]
        })
        .collect();
    let event = |id, reason| ["api-keys", id, reason, "203.0.113.9"];
    let mut expected = vec![event(&expired, "expired"), event(&expired, "wrongSecret")];
    expected.extend([event(&revoked, "revoked"); 3]);
    assert_eq!(seen, expected, "newest first, and three a minute of each key");
    for secret in [&revoked_key, &expired_key, &wrong] {
        assert!(!events.to_string().contains(secret.splitn(3, '_').nth(2).unwrap()));
    }
}
