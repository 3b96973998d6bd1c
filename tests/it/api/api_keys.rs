//! API keys: shown once, valid until they are revoked or expire.

use crate::support::issuer::app_with;
use crate::support::test_app::{TestApp, pointers};
use chrono::TimeDelta;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};
use std::time::Duration;

async fn create(app: &TestApp, body: &Value) -> (String, String) {
    let created = app.post("/v1/api-keys", body).await.expect(201);
    let text = |name: &str| created[name].as_str().unwrap().to_owned();
    (format!("/v1/api-keys/{}", text("id")), text("key"))
}

/// The operator chooses the admin key: any text that fits into a header.
#[tokio::test]
async fn an_admin_key_may_have_spaces_and_other_letters() {
    let key = "Ключ von Zürich: correct horse  battery staple";
    let app = app_with(SeedOptions::default(), AssetsOptions::default(), |security| {
        security.admin_key = Some(key.to_owned().into());
    });
    let app = app.await;
    let status = async |key: &str| {
        let bearer = HeaderValue::from_bytes(format!("Bearer {key}").as_bytes()).unwrap();
        app.call_without_key(Method::GET, "/v1/api-keys").header_value(AUTHORIZATION, bearer).send().await.status
    };
    assert_eq!(status(key).await, 200);
    for wrong in ["Ключ von Zürich: correct horse battery staple", "Ключ", &key.replace('ü', "u")] {
        assert_eq!(status(wrong).await, 401, "{wrong}");
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let app = TestApp::start().await;
    let (path, key) = create(&app, &json!({"name": "Script", "scopes": ["read"]})).await;
    assert!(key.starts_with("eak_"));
    let shown = app.get(&path).await;
    assert!(!shown.text.contains(key.rsplit('_').next().unwrap()));
    let shown = shown.expect(200);
    assert_eq!((shown.get("key"), &shown["lastUsedAt"]), (None, &Value::Null));
    let list = || app.call_with(&key, Method::GET, "/v1/filters").send();
    list().await.expect(200);
    assert!(app.get(&path).await.expect(200)["lastUsedAt"].is_string());
    let create = app.call_with(&key, Method::POST, "/v1/filters").json(&json!({"name": "One"}));
    create.send().await.problem(403, "forbidden");
    app.delete(&path).await.expect(204);
    list().await.problem(401, "unauthenticated");
    app.get(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_key_cannot_have_expired_before_it_is_made() {
    let app = TestApp::start().await;
    let body =
        json!({"name": "Script", "scopes": ["read"], "expiresAt": app.world.clock.now() - TimeDelta::seconds(1)});
    let problem = app.post("/v1/api-keys", &body).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/expiresAt"]);
    let body = json!({"name": "", "scopes": ["read"], "expiresAt": body["expiresAt"]});
    let problem = app.post("/v1/api-keys", &body).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/expiresAt", "/name"], "every fault at once");
    assert_eq!(app.get("/v1/api-keys").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_key_ends_when_it_expires() {
    let app = TestApp::start().await;
    let expires_at = app.world.clock.now() + TimeDelta::hours(1);
    let (_, key) = create(&app, &json!({"name": "Script", "scopes": ["admin"], "expiresAt": expires_at})).await;
    let list = || app.call_with(&key, Method::GET, "/v1/api-keys").send();
    assert_eq!(list().await.expect(200)["items"][0]["name"], "Script");
    app.world.clock.advance(Duration::from_secs(3599));
    list().await.expect(200);
    app.world.clock.advance(Duration::from_secs(1));
    list().await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn admin_includes_every_scope() {
    let app = TestApp::start().await;
    let (_, key) = create(&app, &json!({"name": "Script", "scopes": ["admin"]})).await;
    let call = app.call_with(&key, Method::POST, "/v1/filters").json(&json!({"name": "One"}));
    call.send().await.expect(201);
    app.call_with(&key, Method::GET, "/v1/filters").send().await.expect(200);
}

#[tokio::test]
async fn every_fault_of_a_key_is_named_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({"name": "", "scopes": ["read", "root"], "expiresAt": "tomorrow"});
    let problem = app.post("/v1/api-keys", &wrong).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/expiresAt", "/name", "/scopes/1"]);
    let none = json!({"name": "Script", "scopes": []});
    assert_eq!(pointers(&app.post("/v1/api-keys", &none).await.problem(422, "validation_failed")), ["/scopes"]);
}

#[tokio::test]
async fn every_write_is_an_audit_event_that_names_who_did_it() {
    let app = TestApp::start().await;
    let (path, key) = create(&app, &json!({"name": "Script", "scopes": ["read", "write"]})).await;
    let call = app.call_with(&key, Method::POST, "/v1/filters").json(&json!({"name": "One"}));
    let filter = call.send().await.expect(201)["id"].clone();
    let events = app.get("/v1/audit-events").await.expect(200)["items"].clone();
    let newest = &events[0];
    assert_eq!((&newest["action"], &newest["resourceKind"]), (&json!("create"), &json!("filters")), "newest first");
    assert_eq!(newest["resourceId"], filter);
    assert_eq!(newest["actor"], format!("apiKey:{}", path.rsplit('/').next().unwrap()));
    assert_eq!((&events[1]["actor"], &events[1]["resourceKind"]), (&json!("adminKey"), &json!("api-keys")));
}
