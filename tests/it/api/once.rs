//! `Idempotency-Key`: a repeated request is executed once.

use crate::support::postgres::connect;
use crate::support::test_app::{Answer, TestApp, connection_body};
use crate::support::world::ORGANIZATION;
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

async fn create(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    app.call(Method::POST, path).header("idempotency-key", key).json(body).send().await
}

#[tokio::test]
async fn every_create_is_carried_out_once() {
    let app = TestApp::start().await;
    let connection = app.create_connection(Scenario::Healthy).await;
    let job = app.create_job(&json!({"connectionId": connection, "destinationId": null})).await;
    let runs = format!("/v1/jobs/{job}/runs");
    for (path, status, body, other) in [
        ("/v1/connections", 201, connection_body(Scenario::Healthy), connection_body(Scenario::Delegated)),
        ("/v1/filters", 201, json!({"name": "One"}), json!({"name": "Two"})),
        (
            "/v1/destinations",
            201,
            app.destination_body(),
            json!({"name": "F", "kind": "forge", "workspaceId": "w", "importId": "i"}),
        ),
        (
            "/v1/jobs",
            201,
            json!({"name": "One", "connectionId": connection}),
            json!({"name": "Two", "connectionId": connection}),
        ),
        ("/v1/api-keys", 201, json!({"name": "One", "scopes": ["read"]}), json!({"name": "One", "scopes": ["write"]})),
        (&runs, 202, json!({"mode": "full"}), json!({"mode": "dryRun"})),
    ] {
        let first = create(&app, path, "key-1", &body).await;
        let location = first.header("location").to_owned();
        let first = first.expect(status);
        let second = create(&app, path, "key-1", &body).await;
        assert_eq!(second.header("location"), location, "{path}");
        assert_eq!(second.expect(status)["id"], first["id"], "{path}");
        create(&app, path, "key-1", &other).await.problem(422, "idempotency_key_reused");
        if status == 201 {
            let another = create(&app, path, "key-2", &body).await.expect(201);
            assert_ne!(another["id"], first["id"], "{path}");
        }
    }
    let made = app.world.text("SELECT count(*) FROM audit_events WHERE action = 'create'").await;
    assert_eq!(made, "13", "a replay leaves no trace");
}

#[tokio::test]
async fn a_replay_shows_the_thing_as_it_is_now() {
    let app = TestApp::start().await;
    let body = json!({"name": "One"});
    let first = create(&app, "/v1/filters", "k", &body).await.expect(201);
    let path = format!("/v1/filters/{}", first["id"].as_str().unwrap());
    app.patch(&path, &json!({"name": "Renamed"})).await.expect(200);
    let replay = create(&app, "/v1/filters", "k", &body).await;
    assert_eq!(replay.header("etag"), "\"2\"");
    assert_eq!(replay.expect(201)["name"], "Renamed");
    app.delete(&path).await.expect(204);
    create(&app, "/v1/filters", "k", &body).await.problem(404, "not_found");
}

#[tokio::test]
async fn an_api_key_is_shown_to_its_first_request_alone() {
    let app = TestApp::start().await;
    let body = json!({"name": "Script", "scopes": ["read"]});
    let first = create(&app, "/v1/api-keys", "k", &body).await.expect(201);
    assert!(first["key"].as_str().unwrap().starts_with("eak_"));
    assert_eq!(create(&app, "/v1/api-keys", "k", &body).await.expect(201).get("key"), None);
}

#[tokio::test]
async fn a_key_belongs_to_its_organization_its_path_and_a_day() {
    let app = TestApp::start().await;
    let body = json!({"name": "One"});
    let first = create(&app, "/v1/filters", "k", &body).await.expect(201);
    let (_, other) = app.add_organization().await;
    let call = app.call_with(&other, Method::POST, "/v1/filters").header("idempotency-key", "k");
    assert_ne!(call.json(&body).send().await.expect(201)["id"], first["id"]);
    let connection = create(&app, "/v1/connections", "k", &connection_body(Scenario::Healthy)).await.expect(201);
    let checked = create(&app, "/v1/connections?check=true", "k", &connection_body(Scenario::Healthy)).await;
    assert_eq!(checked.expect(201)["id"], connection["id"], "the query does not make it another request");
    app.world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(create(&app, "/v1/filters", "k", &body).await.expect(201)["id"], first["id"]);
    app.world.clock.advance(Duration::from_secs(1));
    assert_ne!(create(&app, "/v1/filters", "k", &body).await.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn a_repetition_while_the_first_is_under_way_is_told_to_wait() {
    let app = TestApp::start().await;
    let database = connect(&app.world.database.urls.superuser).await;
    // The lock that a request holds while it is carried out.
    let name = format!("idempotency {ORGANIZATION} k POST /v1/filters");
    database.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", &[&name]).await.unwrap();
    let answer = create(&app, "/v1/filters", "k", &json!({"name": "One"})).await;
    assert_eq!(answer.header("retry-after"), "1");
    answer.problem(409, "idempotency_key_in_progress");
    database.execute("SELECT pg_advisory_unlock_all()", &[]).await.unwrap();
    create(&app, "/v1/filters", "k", &json!({"name": "One"})).await.expect(201);
}

#[tokio::test]
async fn requests_at_the_same_time_make_one_thing() {
    let app = TestApp::start().await;
    let body = json!({"name": "One"});
    let calls = (0..8).map(|_| create(&app, "/v1/filters", "k", &body));
    let statuses: Vec<u16> = futures_util::future::join_all(calls).await.iter().map(|answer| answer.status).collect();
    assert!(statuses.contains(&201) && statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(app.world.count("filters").await, 1);
}

#[tokio::test]
async fn a_refused_create_uses_its_key_for_nothing() {
    let app = TestApp::start().await;
    create(&app, "/v1/filters", "k", &json!({"name": ""})).await.problem(422, "validation_failed");
    create(&app, "/v1/filters", "k", &json!({"name": "One"})).await.expect(201);
    let too_long = create(&app, "/v1/filters", &"k".repeat(256), &json!({"name": "One"})).await;
    assert_eq!(too_long.problem(422, "validation_failed")["errors"][0]["pointer"], "Idempotency-Key");
}

/// An error between storing and checking left the connection without a check.
#[tokio::test]
async fn a_repeated_create_makes_up_for_a_check_that_is_missing() {
    let app = TestApp::start().await;
    let body = connection_body(Scenario::Healthy);
    let stored = create(&app, "/v1/connections", "k", &body).await.expect(201);
    assert_eq!(stored["lastCheck"], Value::Null);
    let repeated = create(&app, "/v1/connections?check=true", "k", &body).await.expect(201);
    assert_eq!((&repeated["id"], &repeated["lastCheck"]["overall"]), (&stored["id"], &json!("ok")));
    let once_more = create(&app, "/v1/connections?check=true", "k", &body).await.expect(201);
    assert_eq!(once_more["lastCheck"]["checkedAt"], repeated["lastCheck"]["checkedAt"], "it is not checked again");
}
