//! Organizations, managed by the operator.

use crate::support::postgres::connect;
use crate::support::test_app::{TestApp, connection_body, pointers};
use entra_assets::ids::OrganizationId;
use entra_assets::runs::scheduler;
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A new organization: its path and its admin key.
async fn fabrikam(app: &TestApp) -> (String, String) {
    let created = app.post("/v1/organizations", &json!({"name": "Fabrikam", "externalId": "cloud-1"})).await;
    assert_eq!(created.header("etag"), "\"1\"");
    let created = created.expect(201);
    let key = created["adminKey"].as_str().unwrap().to_owned();
    (format!("/v1/organizations/{}", created["id"].as_str().unwrap()), key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_organization_has_an_admin_key_of_its_own() {
    let app = TestApp::start().await;
    let (path, key) = fabrikam(&app).await;
    let as_fabrikam = |method, path: &str| app.call_with(&key, method, path);
    as_fabrikam(Method::POST, "/v1/connections").json(&connection_body(Scenario::Healthy)).send().await.expect(201);
    assert_eq!(app.get("/v1/connections").await.expect(200)["items"], json!([]), "the operator's own are none");
    let own = as_fabrikam(Method::GET, "/v1/organizations").send().await.expect(200);
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    assert_eq!((&own["items"][0]["name"], own["items"][0].get("adminKey")), (&json!("Fabrikam"), None));
    as_fabrikam(Method::GET, &path).send().await.expect(200);
    let all = app.get("/v1/organizations").await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    app.post("/v1/organizations", &json!({"name": "Other", "externalId": "cloud-1"})).await.problem(409, "name_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_cannot_pass_for_another() {
    let app = TestApp::start().await;
    let (path, _) = fabrikam(&app).await;
    let id = path.rsplit('/').next().unwrap();
    let wanted = json!({"name": "Other", "externalId": id});
    let problem = app.post("/v1/organizations", &wanted).await.problem(409, "name_taken");
    assert!(problem["detail"].as_str().unwrap().contains(id), "{problem}");
    let other = app.create("/v1/organizations", &json!({"name": "Other"})).await;
    app.patch(&other, &json!({"externalId": id.to_uppercase()})).await.problem(409, "name_taken");
    app.patch(&path, &json!({"externalId": id})).await.expect(200);
    let reserved = app.post("/v1/organizations", &json!({"name": "Default", "externalId": "default"})).await;
    assert_eq!(pointers(&reserved.problem(422, "validation_failed")), ["/externalId", "/name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_manages_organizations_and_sees_workers() {
    let app = TestApp::start().await;
    let (path, key) = fabrikam(&app).await;
    let as_fabrikam = |method, path: &str| app.call_with(&key, method, path);
    let body = json!({"name": "Mine"});
    as_fabrikam(Method::POST, "/v1/organizations").json(&body).send().await.problem(403, "forbidden");
    as_fabrikam(Method::PATCH, &path).json(&body).send().await.problem(403, "forbidden");
    as_fabrikam(Method::DELETE, &path).send().await.problem(403, "forbidden");
    as_fabrikam(Method::GET, "/v1/workers").send().await.problem(403, "forbidden");
    let default = format!("/v1/organizations/{}", OrganizationId::DEFAULT);
    as_fabrikam(Method::GET, &default).send().await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_shows_no_key_and_a_stale_change_is_refused() {
    let app = TestApp::start().await;
    let create =
        || app.call(Method::POST, "/v1/organizations").header("Idempotency-Key", "k").json(&json!({"name": "A"}));
    let first = create().send().await.expect(201);
    let again = create().send().await.expect(201);
    assert_eq!((&again["id"], again.get("adminKey")), (&first["id"], None));
    let path = format!("/v1/organizations/{}", first["id"].as_str().unwrap());
    let renamed = app.patch(&path, &json!({"name": "B"})).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["version"]), (&json!("B"), &json!(2)));
    let stale = app.call(Method::PATCH, &path).header("If-Match", "\"1\"").json(&json!({"name": "C"})).send().await;
    stale.problem(412, "precondition_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_organization_leaves_nothing() {
    let app = TestApp::start().await;
    let (path, key) = fabrikam(&app).await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let create = async |collection: &str, body: Value| {
        let created = app.call_with(&key, Method::POST, collection).json(&body).send().await;
        let status = created.status;
        assert!(matches!(status, 201 | 202), "{}", created.text);
        created.body["id"].as_str().unwrap_or_default().to_owned()
    };
    let connection = create("/v1/connections", connection_body(Scenario::Healthy)).await;
    let destination = create("/v1/destinations", app.destination_body()).await;
    create("/v1/webhooks", json!({"name": "W", "url": "https://example.com/", "secret": "0123456789abcdef"})).await;
    let job = json!({"name": "Nightly", "connectionId": connection, "destinationId": destination});
    let job = create("/v1/jobs", job).await;
    create(&format!("/v1/jobs/{job}/runs"), json!({"mode": "full"})).await;
    assert!(app.step().await);
    let run = create(&format!("/v1/jobs/{job}/runs"), json!({"mode": "full"})).await;
    create("/v1/tickets", json!({"path": format!("/v1/runs/{run}/events")})).await;

    assert_eq!(app.delete(&path).await.status, 204);
    app.get(&path).await.problem(404, "not_found");
    app.call_with(&key, Method::GET, "/v1/jobs").send().await.problem(401, "unauthenticated");
    assert!(!app.step().await, "its run is ended");
    let superuser = connect(&app.world.database.urls.superuser).await;
    let sealed = "SELECT count(*) FROM connections WHERE credential_sealed IS NOT NULL";
    assert_eq!(superuser.query_one(sealed, &[]).await.unwrap().get::<_, i64>(0), 0, "secrets go first");

    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    let tables = "SELECT table_name::text FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'organization_id'";
    let mut left = BTreeSet::new();
    for row in superuser.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let count = format!("SELECT count(*) FROM {table} WHERE organization_id = '{id}'");
        if superuser.query_one(&count, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            left.insert(table);
        }
    }
    assert_eq!(left, BTreeSet::new());
    let audited = app.get("/v1/audit-events").await.expect(200);
    let last = &audited["items"][0];
    assert_eq!((&last["action"], &last["resourceId"]), (&json!("delete"), &json!(id)), "the operator's log keeps it");
}

/// Before the rest of it is removed.
#[tokio::test(flavor = "multi_thread")]
async fn the_links_of_a_deleted_organization_end_at_once() {
    let app = TestApp::start().await;
    let (path, key) = fabrikam(&app).await;
    let body = connection_body(Scenario::Healthy);
    let connection = app.call_with(&key, Method::POST, "/v1/connections").json(&body).send().await.expect(201);
    let handovers = format!("/v1/connections/{}/handovers", connection["id"].as_str().unwrap());
    let handover = app.call_with(&key, Method::POST, &handovers).send().await.expect(201);
    let link = handover["url"].as_str().unwrap().rsplit('/').next().unwrap();
    app.call_with(link, Method::GET, "/v1/handover").send().await.expect(200);
    assert_eq!(app.delete(&path).await.status, 204);
    app.call_with(link, Method::GET, "/v1/handover").send().await.problem(401, "unauthenticated");
    let enter = app.call_with(link, Method::POST, "/v1/handover/credential");
    enter.json(&json!({"credential": body["credential"]})).send().await.problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_own_organization_stays() {
    let app = TestApp::start().await;
    let default = format!("/v1/organizations/{}", OrganizationId::DEFAULT);
    app.delete(&default).await.problem(409, "in_use");
}
