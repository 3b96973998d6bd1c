//! Checks of destinations, and the setup of a destination.

use crate::support::test_app::{TestApp, pointers};
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN, AssetsFault, CLOUD_ID, LinkForm, SOURCE_ID, WORKSPACE_ID};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn check(app: &TestApp, id: &str) -> Value {
    app.call(Method::POST, &format!("/v1/destinations/{id}/check")).send().await.expect(200)
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

async fn patch(app: &TestApp, id: &str, body: Value) {
    app.patch(&format!("/v1/destinations/{id}"), &body).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_looked_at_from_its_token_to_its_mapping() {
    let app = TestApp::start().await;
    let id = app.create_destination().await;
    let report = check(&app, &id).await;
    assert_eq!((&report["overall"], &report["partial"]), (&json!("degraded"), &json!(false)));
    assert_eq!(
        (&report["importSource"]["id"], &report["importSource"]["status"]),
        (&json!(SOURCE_ID.to_string()), &json!("MISSING_MAPPING"))
    );
    assert_eq!(codes(&report), ["missing_objects_unknown", "no_job", "assets_token_valid", "assets_mapping_missing"]);

    let job = app.create_job(&json!({"destinationId": id})).await;
    app.call(Method::POST, &format!("/v1/jobs/{job}/schema")).send().await.expect(200);
    let report = check(&app, &id).await;
    assert_eq!((&report["overall"], codes(&report).pop()), (&json!("ok"), Some("mapping_equal")), "{report}");
    app.patch(&format!("/v1/jobs/{job}"), &json!({"objects": {"devices": {"enabled": true}}})).await.expect(200);
    let report = check(&app, &id).await;
    let last = report["findings"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&report["overall"], &last["code"], &last["severity"]),
        (&json!("degraded"), &json!("mapping_differs"), &json!("warning"))
    );
    assert_eq!(last["remedies"][0]["value"], format!("POST /v1/jobs/{job}/schema"));
    assert_eq!(app.world.assets.executions().len(), 0, "a check changes nothing");
    for (declared, differs) in [("unknown", false), ("ignore", false), ("remove", true)] {
        patch(&app, &id, json!({"emptyValues": declared})).await;
        let report = check(&app, &id).await;
        let last = report["findings"].as_array().unwrap().last().unwrap();
        assert_eq!(last["code"] == "empty_values_differ", differs, "{declared}: {report}");
        let said = "is ignore, and the destination says remove.";
        assert_eq!(last["message"].as_str().unwrap().contains(said), differs, "{declared}: {last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_good_a_disabled_source_and_a_silent_assets_are_told_apart() {
    let app = TestApp::start().await;
    let id = app.create_destination().await;
    app.world.assets.set_disabled(SOURCE_ID, true);
    let report = check(&app, &id).await;
    assert_eq!((&report["overall"], codes(&report).contains(&"assets_import_disabled")), (&json!("failed"), true));
    let token = app.world.assets.rotate_token(SOURCE_ID).unwrap();
    let report = check(&app, &id).await;
    assert_eq!(codes(&report).pop(), Some("assets_token_invalid"));
    assert!(report["findings"].to_string().contains("Generate new token"));
    assert!(!report.to_string().contains(&token) && report["importSource"].is_null());
    app.world.assets.inject(AssetsFault::answer("GET", "/imports/info", 503, "").times(u32::MAX));
    let path = format!("/v1/destinations/{id}/check");
    let report = app.world.while_time_passes(app.call(Method::POST, &path).send()).await.expect(200);
    assert_eq!(report["overall"], "failed", "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_of_somebody_else_is_told_from_one_of_ours() {
    let app = TestApp::start().await;
    let id = app.create_destination().await;
    let job = app.create_job(&json!({"destinationId": id})).await;
    app.call(Method::POST, &format!("/v1/jobs/{job}/schema")).send().await.expect(200);
    let assets = &app.world.assets;
    let start = format!(
        "{}/jsm/assets/workspace/{}/v1/importsource/{SOURCE_ID}/executions",
        assets.origin(),
        entra_assets::sim::assets::WORKSPACE_ID
    );
    let request = app.world.app.http.post(start).bearer_auth(assets.token());
    assert_eq!(request.send().await.unwrap().status(), 200);
    let report = check(&app, &id).await;
    assert_eq!((&report["overall"], codes(&report).contains(&"execution_in_progress")), (&json!("degraded"), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_of_our_own_run_is_nothing_to_worry_about() {
    let app = TestApp::start().await;
    let id = app.create_destination().await;
    let job = app.create_job(&json!({"destinationId": id})).await;
    app.world.assets.configure(|behaviour| behaviour.latency_ms = 300);
    app.queue(&job, &json!({"mode": "full"})).await;
    app.world.step_and_die(|| !app.world.assets.chunks().is_empty()).await;
    app.world.assets.configure(|behaviour| behaviour.latency_ms = 0);
    let report = check(&app, &id).await;
    assert!(codes(&report).contains(&"own_execution_in_progress"), "{report}");
    assert!(!codes(&report).contains(&"execution_in_progress"), "{report}");
    assert_eq!(report["importSource"]["status"], "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assets_that_takes_too_long_gives_what_there_is_in_time() {
    let app = TestApp::start().await;
    let id = app.create_destination().await;
    let job = app.create_job(&json!({"destinationId": id})).await;
    app.call(Method::POST, &format!("/v1/jobs/{job}/schema")).send().await.expect(200);
    app.world.assets.configure(|behaviour| behaviour.latency_ms = 7_000);
    // Slowly enough that a busy machine does not make seconds of its delays.
    app.world.hasten(10);
    let began = app.world.clock.now();
    let path = format!("/v1/destinations/{id}/check");
    let report = app.world.while_time_passes(app.call(Method::POST, &path).send()).await.expect(200);
    let took = app.world.clock.now() - began;
    assert_eq!((&report["partial"], &report["overall"]), (&json!(true), &json!("degraded")), "{report}");
    let known = ["assets_token_valid", "import_source_ready", "check_incomplete"];
    assert!(known.iter().all(|code| codes(&report).contains(code)), "{report}");
    assert!(report["findings"].to_string().contains("Check again"), "{report}");
    assert!(took.num_seconds() < 25, "Forge gives a call 25 seconds, and it took {took}");
}

/// Source: docs/assets.md, «Addresses and credentials».
#[tokio::test(flavor = "multi_thread")]
async fn both_families_of_links_are_followed_as_they_are_given() {
    for (form, prefix) in [
        (LinkForm::BelowCloud, format!("/ex/jira/{CLOUD_ID}/jsm/assets/workspace/")),
        (LinkForm::Insight, "/jsm/insight/workspace/".to_owned()),
    ] {
        let app = TestApp::start().await;
        app.world.assets.configure(|behaviour| behaviour.links = form);
        let id = app.create_destination().await;
        let job = app.create_job(&json!({"destinationId": id})).await;
        let report = check(&app, &id).await;
        assert_eq!(report["importSource"]["workspaceId"], WORKSPACE_ID.to_string(), "{report}");
        assert_eq!(report["importSource"]["id"], SOURCE_ID.to_string());
        for mode in ["full", "incremental"] {
            let run = app.run(&job, &json!({"mode": mode})).await;
            assert_eq!(run["state"], "succeeded", "{run}");
            app.world.assert_delivered();
        }
        let requests = app.world.assets.requests();
        let others: Vec<&str> = requests.iter().map(|r| r.path.as_str()).filter(|p| !p.starts_with(&prefix)).collect();
        assert!(others.iter().all(|path| *path == "/jsm/assets/v1/imports/info"), "{others:?}");
        assert_eq!(check(&app, &id).await["overall"], "ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_to_objects_is_judged_apart_and_the_operators_origin_is_a_site() {
    let app = TestApp::start().await;
    let id = app.create_destination().await;
    let site = app.world.assets.origin().to_owned();
    patch(&app, &id, json!({"api": {"siteUrl": site, "email": API_EMAIL, "apiToken": API_TOKEN}})).await;
    let report = check(&app, &id).await;
    assert_eq!(codes(&report).pop(), Some("object_api_ok"), "{report}");
    patch(&app, &id, json!({"api": {"apiToken": "wrong"}})).await;
    let report = check(&app, &id).await;
    assert_eq!((codes(&report).pop(), &report["overall"]), (Some("object_api_token_invalid"), &json!("failed")));
    assert!(codes(&report).contains(&"assets_token_valid"), "the import's token is good all the same");
    for site in ["https://example.com", "http://example.atlassian.net", "https://x.atlassian.net.example.com"] {
        let body = json!({"api": {"siteUrl": site, "email": API_EMAIL, "apiToken": "x"}});
        let problem = app.patch(&format!("/v1/destinations/{id}"), &body).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), ["/api/siteUrl"], "{site}");
    }
}

#[tokio::test]
async fn the_steps_in_assets_and_the_meaning_of_its_settings_are_told() {
    let app = TestApp::start().await;
    let setup = app.get("/v1/destinations/setup").await.expect(200);
    let text = setup.to_string();
    for word in ["External import", "Generate new token", "Missing objects", "Empty values", "/v1/jobs/{id}/schema"] {
        assert!(text.contains(word), "{word}");
    }
    let fields: Vec<&str> =
        setup["choices"].as_array().unwrap().iter().map(|choice| choice["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["missingObjects", "emptyValues", "referenceTemplate"]);
    app.get(&format!("/v1/destinations/{}", Uuid::nil())).await.problem(404, "not_found");
}
