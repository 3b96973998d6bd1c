//! URLs that a browser opens without a key, once.

use crate::support::test_app::{Answer, TestApp, pointers};
use entra_assets::api::auth::Scope;
use entra_assets::ids::OrganizationId;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The URL of a new ticket.
async fn ticket(app: &TestApp, path: &str) -> String {
    let created = app.post("/v1/tickets", &json!({"path": path})).await;
    let location = created.header("location").to_owned();
    let url = created.expect(201)["url"].as_str().unwrap().to_owned();
    assert_eq!(url, location);
    url
}

async fn open(app: &TestApp, url: &str) -> Answer {
    app.call_without_key(Method::GET, url).send().await
}

/// The path of the events of a run that ended.
async fn events_of_a_run(app: &TestApp) -> String {
    let job = app.create_job(&json!({})).await;
    let run = app.run(&job, &json!({"mode": "dryRun"})).await;
    format!("/v1/runs/{}/events", run["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_its_path_once_as_a_stream() {
    let app = TestApp::start().await;
    let url = ticket(&app, &events_of_a_run(&app).await).await;
    let stream = open(&app, &url).await;
    assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream"), "{}", stream.text);
    assert!(stream.text.starts_with("id: 1\nevent: state\n"), "{}", stream.text);
    let again = open(&app, &url).await;
    assert_eq!(again.header("www-authenticate"), "Bearer");
    again.problem(401, "ticket_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_for_what_is_there() {
    let app = TestApp::start().await;
    let unknown = Uuid::from_u128(99);
    for path in [format!("/v1/runs/{unknown}/events?after=1"), format!("/v1/jobs/{unknown}/objects?type=users")] {
        let problem = app.post("/v1/tickets", &json!({"path": path})).await.problem(422, "validation_failed");
        let fault = &problem["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!("/path"), &json!("unknown_reference")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one_gets_in() {
    let app = TestApp::start().await;
    let url = ticket(&app, &events_of_a_run(&app).await).await;
    let (one, other) = tokio::join!(open(&app, &url), open(&app, &url));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_bound_to_its_path_query_and_time() {
    let app = TestApp::start().await;
    let events = events_of_a_run(&app).await;
    let url = ticket(&app, &format!("{events}?after=1")).await;
    let (_, secret) = url.split_once("ticket=").unwrap();
    let elsewhere = events.replace("/events", "/report");
    for wrong in [
        format!("{events}?ticket={secret}"),
        format!("{events}?after=2&ticket={secret}"),
        format!("{events}?after=1&ticket={secret}&ticket={secret}"),
        format!("{elsewhere}?ticket={secret}"),
        format!("{events}?after=1&ticket="),
    ] {
        open(&app, &wrong).await.problem(401, "ticket_invalid");
    }
    // Where tickets are not taken, one is no key.
    open(&app, &format!("/v1/runs?ticket={secret}")).await.problem(401, "unauthenticated");
    open(&app, &url).await.expect(200);
    let late = ticket(&app, &events).await;
    app.world.clock.advance(Duration::from_secs(61));
    open(&app, &late).await.problem(401, "ticket_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_ends_with_the_key_that_made_it() {
    let app = TestApp::start().await;
    let events = events_of_a_run(&app).await;
    let made = app.post("/v1/api-keys", &json!({"name": "Browser", "scopes": ["read"]})).await.expect(201);
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let ticket = async || {
        let created = app.call_with(key, Method::POST, "/v1/tickets").json(&json!({"path": events})).send().await;
        created.expect(201)["url"].as_str().unwrap().to_owned()
    };
    let (before, after) = (ticket().await, ticket().await);
    open(&app, &before).await.expect(200);
    app.delete(&format!("/v1/api-keys/{id}")).await.expect(204);
    open(&app, &after).await.problem(401, "ticket_invalid");
    let refused = app.get("/v1/audit-events?resourceKind=tickets&action=refuse").await.expect(200);
    let event = &refused["items"][0];
    assert_eq!((&event["actor"], &event["detail"]), (&json!("ticket"), &json!({"reason": "credentialEnded"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_by_ticket_is_ndjson() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    let url = ticket(&app, &format!("/v1/jobs/{job}/objects?type=users")).await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let export = app.call_without_key(Method::GET, &url).accept(browser).send().await;
    assert_eq!((export.status, export.header("content-type")), (200, "application/x-ndjson"), "{}", export.text);
    assert_eq!(export.header("content-disposition"), "attachment; filename=\"users.ndjson\"");
    assert_eq!(json!(export.text.lines().count()), run["counts"]["users"]["read"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_takes_tickets_can_be_asked_for() {
    let app = TestApp::start().await;
    let id = Uuid::from_u128(7);
    for wrong in [
        "/v1/connections".to_owned(),
        format!("/v1/runs/{id}"),
        "/v1/runs/7/events".to_owned(),
        format!("/v1/runs/{id}/events?wait=21"),
        format!("/v1/runs/{id}/events?ticket=x"),
        format!("/v1/runs/{id}/report?format=pdf"),
        format!("/v1/jobs/{id}/objects"),
        format!("http://example.com/v1/runs/{id}/events"),
    ] {
        let problem = app.post("/v1/tickets", &json!({"path": wrong})).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), ["/path"], "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_shows_no_more_than_its_maker_may_see() {
    let app = TestApp::start().await;
    let events = events_of_a_run(&app).await;
    let writer = app.add_key(OrganizationId::DEFAULT, &[Scope::Write]).await;
    let asked = app.call_with(&writer, Method::POST, "/v1/tickets").json(&json!({"path": events}));
    asked.send().await.problem(403, "forbidden");
    let (_, stranger) = app.add_organization().await;
    let asked = app.call_with(&stranger, Method::POST, "/v1/tickets").json(&json!({"path": events}));
    assert_eq!(pointers(&asked.send().await.problem(422, "validation_failed")), ["/path"]);
}
