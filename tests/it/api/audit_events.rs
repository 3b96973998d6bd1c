//! The audit log: what an update changed.

use crate::support::test_app::TestApp;
use serde_json::{Value, json};

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
