//! A connection handed over to somebody without a key.

use crate::support::postgres::connect;
use crate::support::test_app::{Answer, TestApp, connection_body, pointers};
use entra_assets::api::auth::Scope;
use entra_assets::api::auth::handover::MAX_ATTEMPTS;
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A connection that awaits its credential, a handover of it, and the secret of its link.
async fn hand_over(app: &TestApp, scenario: Scenario) -> (String, Value, String) {
    let mut body = connection_body(scenario);
    body["credential"] = json!({"kind": "awaited"});
    let connection = app.post("/v1/connections", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let handover = app.call(Method::POST, &format!("/v1/connections/{connection}/handovers")).send().await.expect(201);
    let secret = handover["url"].as_str().unwrap().strip_prefix("/console/#/handover/").unwrap().to_owned();
    (connection, handover, secret)
}

fn credential(scenario: Scenario) -> Value {
    json!({"credential": connection_body(scenario)["credential"]})
}

async fn visit(app: &TestApp, link: &str) -> Answer {
    app.call_with(link, Method::GET, "/v1/handover").send().await
}

async fn enter(app: &TestApp, link: &str, body: &Value) -> Answer {
    app.call_with(link, Method::POST, "/v1/handover/credential").json(body).send().await
}

/// The audit events of handovers, newest first.
async fn events(app: &TestApp) -> Vec<Value> {
    let events = app.get("/v1/audit-events?limit=200").await.expect(200);
    let items = events["items"].as_array().unwrap();
    items.iter().filter(|event| event["resourceKind"] == "handovers").cloned().collect()
}

async fn actions(app: &TestApp) -> Vec<String> {
    events(app).await.iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

/// Why links were refused, newest first.
async fn reasons(app: &TestApp) -> Vec<String> {
    let events = events(app).await;
    let refused = events.iter().filter(|event| event["action"] == "refuse");
    refused.map(|event| event["detail"]["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_awaits_its_credential_and_gets_it_by_a_link() {
    let app = TestApp::start().await;
    let (connection, handover, link) = hand_over(&app, Scenario::Healthy).await;
    let report = app.post(&format!("/v1/connections/{connection}/check"), &json!({})).await.expect(200);
    assert_eq!(report["findings"][0]["code"], "credential_awaited");

    let seen = visit(&app, &link).await.expect(200);
    assert_eq!(seen["connection"]["id"], connection.as_str());
    let report = enter(&app, &link, &credential(Scenario::Healthy)).await.expect(200);
    assert_eq!((&report["overall"], &report["connectionId"]), (&json!("ok"), &json!(connection)));
    let stored = app.get(&format!("/v1/connections/{connection}")).await.expect(200);
    assert_eq!(
        (&stored["credential"]["kind"], &stored["lastCheck"]["overall"]),
        (&json!("clientSecret"), &json!("ok"))
    );

    let again = app.call_with(&link, Method::POST, "/v1/handover/check").send().await.expect(200);
    assert_eq!(again["overall"], "ok");
    let path = format!("/v1/handovers/{}", handover["id"].as_str().unwrap());
    let used = app.get(&path).await.expect(200);
    assert_eq!((used["usedAt"].is_string(), &used["attempts"], used.get("url")), (true, &json!(2), None));
    assert_eq!(actions(&app).await, ["use", "create"], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_begin_with_the_registration_until_something_was_checked() {
    let app = TestApp::start().await;
    let (_, _, link) = hand_over(&app, Scenario::DelegatedDiagnosable).await;
    let first = |seen: &Value| seen["setup"]["steps"][0]["title"].as_str().unwrap().to_owned();
    assert_eq!(first(&visit(&app, &link).await.expect(200)), "Register the application");
    let report = enter(&app, &link, &credential(Scenario::DelegatedDiagnosable)).await.expect(200);
    assert_eq!(report["capabilities"][0]["verdict"], "addedAsDelegated");
    assert_eq!(first(&visit(&app, &link).await.expect(200)), "Open API permissions");
    let manifest = json!({"requiredResourceAccess": []});
    let judged = app.call_with(&link, Method::POST, "/v1/handover/manifest-checks").json(&manifest).send().await;
    assert_eq!(judged.expect(200)["capabilities"][0]["verdict"], "notAdded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_can_do_nothing_else() {
    let app = TestApp::start().await;
    let (connection, _, link) = hand_over(&app, Scenario::Healthy).await;
    for path in ["/v1/connections".to_owned(), format!("/v1/connections/{connection}"), "/v1/handovers".to_owned()] {
        app.call_with(&link, Method::GET, &path).send().await.problem(403, "forbidden");
    }
    let change =
        app.call_with(&link, Method::PATCH, &format!("/v1/connections/{connection}")).json(&json!({"name": "x"}));
    change.send().await.problem(403, "forbidden");
    // And no key can do what the link can.
    app.get("/v1/handover").await.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_after_seven_days_and_when_it_is_revoked() {
    let app = TestApp::start().await;
    let (_, handover, link) = hand_over(&app, Scenario::Healthy).await;
    app.world.clock.advance(7 * DAY - Duration::from_secs(1));
    visit(&app, &link).await.expect(200);
    app.world.clock.advance(Duration::from_secs(2));
    visit(&app, &link).await.problem(401, "unauthenticated");
    assert_eq!(actions(&app).await[0], "refuse");

    let (_, handover_2, link_2) = hand_over(&app, Scenario::Delegated).await;
    assert_ne!(handover["id"], handover_2["id"]);
    app.delete(&format!("/v1/handovers/{}", handover_2["id"].as_str().unwrap())).await.expect(204);
    visit(&app, &link_2).await.problem(401, "unauthenticated");
    assert_eq!(actions(&app).await[0..2], ["refuse", "revoke"]);
    assert_eq!(reasons(&app).await, ["revoked", "expired"]);
}

/// Its bearer is known already when it is revoked, and their request goes on only after that.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_revoked_while_it_is_used_does_nothing() {
    let app = TestApp::start().await;
    let (connection, _, link) = hand_over(&app, Scenario::Healthy).await;
    let check = async || app.call_with(&link, Method::POST, "/v1/handover/check").send().await;
    let credential = credential(Scenario::Healthy);
    for is_check in [false, true] {
        app.world.execute("UPDATE handovers SET revoked_at = NULL".to_owned()).await;
        let mut superuser = connect(&app.world.database.urls.superuser).await;
        let lock = superuser.transaction().await.unwrap();
        lock.batch_execute("UPDATE handovers SET revoked_at = created_at").await.unwrap();
        let revoke = async {
            app.world.until_somebody_waits().await;
            lock.commit().await.unwrap();
        };
        let visit = async { if is_check { check().await } else { enter(&app, &link, &credential).await } };
        let (answer, ()) = tokio::join!(visit, revoke);
        answer.problem(401, "unauthenticated");
    }
    let stored = app.get(&format!("/v1/connections/{connection}")).await.expect(200);
    assert_eq!((&stored["credential"]["kind"], &stored["lastCheck"]), (&json!("awaited"), &Value::Null));
    assert_eq!(app.text_of_all("SELECT attempts FROM handovers").await, "0");
}

/// Somebody who knows the id of a link, and not its secret, takes nothing away from its bearer.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_cost_a_link_no_attempt_and_leave_a_few_notes() {
    let app = TestApp::start().await;
    let (_, handover, link) = hand_over(&app, Scenario::Healthy).await;
    let (wrong, _) = link.rsplit_once('_').unwrap();
    for _ in 0..MAX_ATTEMPTS + 3 {
        visit(&app, &format!("{wrong}_guess")).await.problem(401, "unauthenticated");
    }
    assert_eq!(reasons(&app).await, ["wrongSecret"; 3]);
    enter(&app, &link, &credential(Scenario::Healthy)).await.expect(200);
    let path = format!("/v1/handovers/{}", handover["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.expect(200)["attempts"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_for_so_many_attempts() {
    let app = TestApp::start().await;
    let (_, _, link) = hand_over(&app, Scenario::Healthy).await;
    app.world.execute(format!("UPDATE handovers SET attempts = {}", MAX_ATTEMPTS - 1)).await;
    enter(&app, &link, &credential(Scenario::Healthy)).await.expect(200);
    let problem = enter(&app, &link, &credential(Scenario::Healthy)).await.problem(403, "forbidden");
    assert!(problem["detail"].as_str().unwrap().contains("100 times"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_faults_of_a_credential_are_named_and_its_secret_is_not() {
    let app = TestApp::start().await;
    let (_, _, link) = hand_over(&app, Scenario::Healthy).await;
    let problem = enter(&app, &link, &credential(Scenario::SecretId)).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/credential/secret"]);
    let certificate = json!({"credential": {"kind": "certificate", "certificate": "x", "privateKey": "y"}});
    let problem = enter(&app, &link, &certificate).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/credential/certificate", "/credential/privateKey"]);
    enter(&app, &link, &credential(Scenario::Healthy)).await.expect(200);
    let secret = connection_body(Scenario::Healthy)["credential"]["secret"].as_str().unwrap().to_owned();
    let visible = [visit(&app, &link).await.text, app.get("/v1/audit-events").await.text].concat();
    assert!(!visible.contains(&secret) && !visible.contains(&link));
}

#[tokio::test(flavor = "multi_thread")]
async fn handovers_are_listed_by_connection_and_end_with_it() {
    let app = TestApp::start().await;
    let (connection, handover, link) = hand_over(&app, Scenario::Healthy).await;
    hand_over(&app, Scenario::Delegated).await;
    let listed = app.get(&format!("/v1/handovers?connectionId={connection}")).await.expect(200);
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["id"]), (1, &handover["id"]));
    let reader = app.add_key(crate::support::world::ORGANIZATION, &[Scope::Read]).await;
    let path = format!("/v1/connections/{connection}/handovers");
    app.call_with(&reader, Method::POST, &path).send().await.problem(403, "forbidden");
    app.delete(&format!("/v1/connections/{connection}")).await.expect(204);
    visit(&app, &link).await.problem(401, "unauthenticated");
}
