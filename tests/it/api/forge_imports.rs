//! What the functions of a Forge app call for an import source.

use crate::support::issuer::{app_with_forge, changed, installation, invocation};
use crate::support::test_app::TestApp;
use crate::support::world::ORGANIZATION;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn an_import_source_is_started_and_stopped_by_its_id() {
    let app = TestApp::start().await;
    let path = |action: &str| format!("/v1/forge/imports/source/{action}");
    let status = app.get(&path("status")).await.expect(200);
    assert_eq!(
        (&status["status"], &status["jobId"], &status["lastRun"]),
        (&json!("NOT_CONFIGURED"), &Value::Null, &Value::Null)
    );
    let post = async |action: &str| app.call(Method::POST, &path(action)).send().await;
    for action in ["start", "stop"] {
        let problem = post(action).await.problem(404, "not_found");
        assert!(problem["detail"].as_str().unwrap().contains("importId"), "{problem}");
    }
    let forge = json!({"name": "Forge", "kind": "forge", "workspaceId": "space", "importId": "source"});
    let forge = app.create("/v1/destinations", &forge).await;
    let job = app.create_job(&json!({"destinationId": forge.rsplit('/').next().unwrap()})).await;
    let status = app.get(&path("status")).await.expect(200);
    assert_eq!((&status["status"], &status["jobId"]), (&json!("READY"), &json!(job)));
    let started = post("start").await.expect(200);
    assert_eq!((&started["lastRun"]["state"], &started["lastRun"]["mode"]), (&json!("queued"), &json!("incremental")));
    assert_eq!(post("start").await.expect(200)["lastRun"]["id"], started["lastRun"]["id"], "one run at a time");
    assert_eq!(post("stop").await.expect(200)["lastRun"]["state"], "cancelled");
    assert_eq!(post("stop").await.expect(200)["lastRun"]["state"], "cancelled", "nothing to stop");
}

async fn forge_destination(app: &TestApp, name: &str, import: &str) -> String {
    let body = json!({"name": name, "kind": "forge", "workspaceId": "space", "importId": import});
    app.create("/v1/destinations", &body).await
}

#[tokio::test]
async fn an_import_source_that_is_gone_takes_its_jobs_and_runs_along_and_nothing_else() {
    let app = TestApp::start().await;
    let (gone, other) =
        (forge_destination(&app, "Gone", "source").await, forge_destination(&app, "Other", "two").await);
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let job = app.create_job(&json!({"destinationId": id(&gone)})).await;
    let run = app.post(&format!("/v1/jobs/{job}/runs"), &json!({"mode": "full"})).await.expect(202);
    let delete = async || app.call(Method::DELETE, "/v1/forge/imports/source").send().await;
    assert_eq!(delete().await.status, 204);
    app.get(&gone).await.problem(404, "not_found");
    app.get(&format!("/v1/jobs/{job}")).await.problem(404, "not_found");
    let ended = app.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("cancelled"), &json!("cancelled")), "{ended}");
    app.get(&other).await.expect(200);
    let events = app.get("/v1/audit-events?action=delete").await.expect(200);
    let kinds: Vec<&Value> = events["items"].as_array().unwrap().iter().map(|event| &event["resourceKind"]).collect();
    assert_eq!(kinds, ["destinations", "jobs"], "newest first");
    assert_eq!(delete().await.status, 204, "it can be repeated");
    assert_eq!(app.get("/v1/audit-events?action=delete").await.expect(200)["items"].as_array().unwrap().len(), 2);
}

const SYSTEM_TOKEN: &str = "system-token-of-the-tests-0123456789";

#[tokio::test]
async fn an_app_that_is_uninstalled_leaves_no_secret_and_no_run() {
    let (app, issuer) = app_with_forge(Default::default(), Default::default()).await;
    let call = |number: u32, method: Method, path: &str| {
        let token = issuer.invocation_token(&app, &installation(number));
        app.call_with(&token, method, path).header("x-forge-oauth-system", SYSTEM_TOKEN)
    };
    for number in [1, 2] {
        let body = json!({"name": "Forge", "kind": "forge", "workspaceId": "space", "importId": "source"});
        let destination = call(number, Method::POST, "/v1/destinations").json(&body).send().await.expect(201);
        let body = json!({"name": "Contoso", "tenantId": "contoso.onmicrosoft.com", "clientId": UUID,
            "credential": {"kind": "clientSecret", "secret": "a-secret~of-forty-characters-in-the-tests"}});
        let connection = call(number, Method::POST, "/v1/connections").json(&body).send().await.expect(201);
        let body = json!({"name": "Nightly", "connectionId": connection["id"], "destinationId": destination["id"]});
        let job = call(number, Method::POST, "/v1/jobs").json(&body).send().await.expect(201);
        let runs = format!("/v1/jobs/{}/runs", job["id"].as_str().unwrap());
        call(number, Method::POST, &runs).json(&json!({"mode": "full"})).send().await.expect(202);
    }
    let answer = call(1, Method::POST, "/v1/forge/uninstall").json(&json!({"any": "body"})).send().await.expect(200);
    assert_eq!(answer, json!({"importsRemoved": 1, "organizationRemoved": true}));
    for (what, left) in [
        ("forge_tokens", "SELECT count(*) FROM forge_tokens"),
        ("credentials", "SELECT count(*) FROM connections WHERE credential_sealed IS NOT NULL"),
        ("runs", "SELECT count(*) FROM runs WHERE state = 'queued'"),
        ("installations", "SELECT count(*) FROM organizations WHERE external_id IS NOT NULL"),
    ] {
        assert_eq!(app.text_of_all(left).await, "1", "{what}: only those of the other installation");
    }
    let events = app.get("/v1/audit-events?action=uninstall").await.expect(200);
    let event = &events["items"][0];
    assert_eq!(event["actor"], "jwt:forge/invocation-token:5b10ac8d82e05b22cc7d4ef5", "{events}");

    // Forge may repeat the call, and nothing of the installation comes back with it.
    let again = call(1, Method::POST, "/v1/forge/uninstall").send().await.expect(200);
    assert_eq!(again, json!({"importsRemoved": 0, "organizationRemoved": true}));
    assert_eq!(app.text_of_all("SELECT count(*) FROM forge_tokens").await, "1");
    call(2, Method::GET, "/v1/connections").send().await.expect(200);
}

const UUID: &str = "01900000-0000-7000-8000-00000000c11e";

#[tokio::test]
async fn an_app_that_has_the_operators_organization_takes_only_its_own_along() {
    let (app, issuer) = app_with_forge(Default::default(), Default::default()).await;
    let own = json!({"externalId": installation(1)});
    app.call(Method::PATCH, &format!("/v1/organizations/{ORGANIZATION}")).json(&own).send().await.expect(200);
    let (forge, kept) =
        (forge_destination(&app, "Forge", "source").await, app.create_filter(&json!({"name": "All"})).await);
    let older = issuer.invocation_token(&app, &installation(1));
    app.world.clock.advance(Duration::from_secs(1));
    let claims = changed(invocation(&app, &installation(1)), &json!({"principal": null}));
    let call = app.call_with(&issuer.key.sign(&claims), Method::POST, "/v1/forge/uninstall");
    let answer = call.header("x-forge-oauth-system", SYSTEM_TOKEN).send().await.expect(200);
    assert_eq!(answer, json!({"importsRemoved": 1, "organizationRemoved": false}));
    app.get(&forge).await.problem(404, "not_found");
    app.get(&format!("/v1/filters/{kept}")).await.expect(200);
    let again = app.call_with(&older, Method::GET, "/v1/filters").header("x-forge-oauth-system", SYSTEM_TOKEN);
    again.send().await.problem(401, "unauthenticated");
    assert_eq!(app.text_of_all("SELECT count(*) FROM forge_tokens").await, "0");
}

/// The operator may give an installation an organization that somebody already works in.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_in_the_organization_of_others_takes_only_its_own_along() {
    let (app, issuer) = app_with_forge(Default::default(), Default::default()).await;
    let call = |number: u32, method: Method, path: &str| {
        let token = issuer.invocation_token(&app, &installation(number));
        app.call_with(&token, method, path).header("x-forge-oauth-system", SYSTEM_TOKEN)
    };
    let of_forge = json!({"name": "Forge", "kind": "forge", "workspaceId": "space", "importId": "source"});
    // One has an API key.
    let made =
        app.post("/v1/organizations", &json!({"name": "Contoso", "externalId": installation(1)})).await.expect(201);
    let key = made["adminKey"].as_str().unwrap();
    let other =
        app.call_with(key, Method::POST, "/v1/destinations").json(&app.destination_body()).send().await.expect(201);
    let hook = json!({"name": "Chat", "url": "https://example.com/hook"});
    app.call_with(key, Method::POST, "/v1/webhooks").json(&hook).send().await.expect(201);
    // The other has a destination that is not the app's.
    call(2, Method::POST, "/v1/destinations").json(&app.destination_body()).send().await.expect(201);
    for number in [1, 2] {
        let gone = call(number, Method::POST, "/v1/destinations").json(&of_forge).send().await.expect(201);
        let gone = format!("/v1/destinations/{}", gone["id"].as_str().unwrap());
        let answer = call(number, Method::POST, "/v1/forge/uninstall").send().await.expect(200);
        assert_eq!(answer, json!({"importsRemoved": 1, "organizationRemoved": false}), "{number}");
        let own = format!("SELECT count(*) FROM forge_tokens WHERE installation_id = '{}'", installation(number));
        assert_eq!(app.text_of_all(&own).await, "0", "{number}");
        call(number, Method::GET, &gone).send().await.problem(404, "not_found");
        let again = call(number, Method::POST, "/v1/forge/uninstall").send().await.expect(200);
        assert_eq!(again, json!({"importsRemoved": 0, "organizationRemoved": false}), "{number}");
    }
    let kept = format!("/v1/destinations/{}", other["id"].as_str().unwrap());
    app.call_with(key, Method::GET, &kept).send().await.expect(200);
    let hooks = app.call_with(key, Method::GET, "/v1/webhooks").send().await.expect(200);
    assert_eq!(hooks["items"].as_array().unwrap().len(), 1, "{hooks}");
}

#[tokio::test]
async fn only_a_forge_app_uninstalls() {
    let app = TestApp::start().await;
    let problem = app.call(Method::POST, "/v1/forge/uninstall").send().await.problem(403, "forbidden");
    assert!(problem["detail"].as_str().unwrap().contains("invocation token"), "{problem}");
}
