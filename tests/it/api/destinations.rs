//! Destinations: tokens that are never shown, and one job for each.

use crate::support::test_app::{TestApp, pointers};
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN, SOURCE_ID};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_destination_shows_all_but_its_tokens() {
    let app = TestApp::start().await;
    let mut body = app.destination_body();
    body["api"] = json!({"siteUrl": "https://contoso.atlassian.net", "email": API_EMAIL, "apiToken": API_TOKEN});
    let path = app.create("/v1/destinations", &body).await;
    let created = app.get(&path).await.expect(200);
    assert_eq!(created.get("token"), None);
    assert_eq!(created["api"], json!({"siteUrl": "https://contoso.atlassian.net", "email": API_EMAIL}));
    let words = [&created["missingObjects"], &created["emptyValues"], &created["referenceTemplate"]];
    assert_eq!(words, ["unknown", "unknown", "arrayPlaceholder"]);
    let changed = app.patch(&path, &json!({"missingObjects": "ignore", "api": null})).await.expect(200);
    assert_eq!((&changed["missingObjects"], &changed["api"]), (&json!("ignore"), &Value::Null));
    let back = app.patch(&path, &json!({"missingObjects": null})).await.expect(200);
    assert_eq!(back["missingObjects"], "unknown", "null is the default");
    let forge = json!({"name": "Forge", "kind": "forge", "workspaceId": "w-1", "importId": "i-1"});
    let path = app.create("/v1/destinations", &forge).await;
    let created = app.get(&path).await.expect(200);
    assert_eq!((&created["kind"], &created["workspaceId"]), (&json!("forge"), &json!("w-1")));
    app.delete(&path).await.expect(204);
    app.get(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_change_keeps_the_token() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let destination = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["destinationId"].clone();
    let path = format!("/v1/destinations/{}", destination.as_str().unwrap());
    app.patch(&path, &json!({"name": "Renamed"})).await.expect(200);
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let problem = app.patch(&path, &json!({"token": null})).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/token"]);
}

/// A destination may be sent back as it was read; another kind is refused with the reason.
#[tokio::test]
async fn the_kind_may_be_repeated_and_does_not_change() {
    let app = TestApp::start().await;
    let path = format!("/v1/destinations/{}", app.create_destination().await);
    let changed = app.patch(&path, &json!({"kind": "assetsImport", "name": "Renamed"})).await.expect(200);
    assert_eq!((&changed["kind"], &changed["name"]), (&json!("assetsImport"), &json!("Renamed")));
    for kind in [json!("forge"), json!("elsewhere"), Value::Null] {
        let problem = app.patch(&path, &json!({"kind": kind})).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), ["/kind"], "{kind}");
    }
    let problem = app.patch(&path, &json!({"kind": "forge"})).await.problem(422, "validation_failed");
    assert!(problem["detail"].as_str().unwrap().contains("cannot change"), "{problem}");
}

#[tokio::test]
async fn a_destination_serves_one_job() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({"name": "Nightly import"})).await;
    let first = app.get(&format!("/v1/jobs/{job}")).await.expect(200);
    let body =
        json!({"name": "Second", "connectionId": first["connectionId"], "destinationId": first["destinationId"]});
    let problem = app.post("/v1/jobs", &body).await.problem(409, "destination_in_use");
    assert_eq!(problem["usedBy"], json!([{"kind": "jobs", "id": job, "name": "Nightly import"}]));
    assert!(problem["detail"].as_str().unwrap().contains("Nightly import"), "{problem}");
    let other = app.create_job(&json!({"connectionId": first["connectionId"], "destinationId": null})).await;
    let change = json!({"destinationId": first["destinationId"]});
    app.patch(&format!("/v1/jobs/{other}"), &change).await.problem(409, "destination_in_use");
    app.patch(&format!("/v1/jobs/{job}"), &change).await.expect(200);
    let path = format!("/v1/destinations/{}", first["destinationId"].as_str().unwrap());
    let problem = app.delete(&path).await.problem(409, "in_use");
    assert_eq!(problem["usedBy"][0]["id"], json!(job));
}

#[tokio::test]
async fn every_fault_of_a_destination_is_named_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({"name": "", "kind": "assetsImport", "token": "with a space", "missingObjects": "maybe",
        "workspaceId": "w", "api": {"siteUrl": "http://evil.example", "email": "x", "apiToken": ""}});
    let problem = app.post("/v1/destinations", &wrong).await.problem(422, "validation_failed");
    let expected =
        ["/api/apiToken", "/api/email", "/api/siteUrl", "/missingObjects", "/name", "/token", "/workspaceId"];
    assert_eq!(pointers(&problem), expected);
    let api = json!({"siteUrl": "http://evil.example", "email": "x@example.com", "apiToken": "ATATT3"});
    let elsewhere = json!({"name": "Assets", "kind": "assetsImport", "token": "ATCTT3", "api": api});
    let problem = app.post("/v1/destinations", &elsewhere).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/api/siteUrl"]);
    assert!(!problem.to_string().contains("with a space"), "{problem}");
    let unknown = json!({"name": "Assets", "kind": "elsewhere"});
    assert_eq!(pointers(&app.post("/v1/destinations", &unknown).await.problem(422, "validation_failed")), ["/kind"]);
}

#[tokio::test]
async fn a_token_with_a_line_break_is_refused_in_words() {
    let app = TestApp::start().await;
    let body = json!({"name": "Assets", "kind": "assetsImport", "token": "ATCTT3simulated\n"});
    let problem = app.post("/v1/destinations", &body).await.problem(422, "validation_failed");
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("character 16 is a line break, at the end") && !detail.contains("ATCTT3"), "{detail}");
}

#[tokio::test]
async fn two_jobs_cannot_deliver_to_one_import_source_through_two_destinations() {
    let app = TestApp::start().await;
    let first = app.create_destination().await;
    let second = app.create_destination().await;
    let job = app.create_job(&json!({"destinationId": first})).await;
    let connection = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["connectionId"].clone();
    let used_by = json!([{"kind": "jobs", "id": job, "name": "Nightly"}]);
    let body = json!({"name": "Other", "connectionId": connection, "destinationId": second});
    let problem = app.post("/v1/jobs", &body).await.problem(409, "destination_in_use");
    assert_eq!(problem["usedBy"], used_by, "{problem}");
    let other = app.create("/v1/jobs", &json!({"name": "Other", "connectionId": connection})).await;
    app.patch(&other, &json!({"destinationId": second})).await.problem(409, "destination_in_use");
    let problem = app.post("/v1/destinations", &app.destination_body()).await.problem(409, "destination_in_use");
    assert_eq!(problem["usedBy"], used_by, "{problem}");
    // Another import source is free, and so is the job's own.
    let source = app.world.assets.add_source("Another");
    let path = format!("/v1/destinations/{second}");
    app.patch(&path, &json!({"token": source.token})).await.expect(200);
    app.patch(&other, &json!({"destinationId": second})).await.expect(200);
    app.patch(&path, &json!({"token": app.world.assets.token()})).await.problem(409, "destination_in_use");
    app.patch(&format!("/v1/destinations/{first}"), &json!({"token": app.world.assets.token()})).await.expect(200);
    let forge = json!({"name": "App", "kind": "forge", "workspaceId": "w", "importId": "i"});
    let app_one = app.create("/v1/destinations", &forge).await;
    let app_two = app.create("/v1/destinations", &forge).await;
    let to = |path: &str| json!({"destinationId": path.rsplit('/').next().unwrap()});
    app.patch(&other, &to(&app_one)).await.expect(200);
    app.patch(&other, &to(&app_two)).await.expect(200);
    app.patch(&format!("/v1/jobs/{job}"), &to(&app_one)).await.problem(409, "destination_in_use");
}

async fn connection_id(app: &TestApp, job: &str) -> Value {
    app.get(&format!("/v1/jobs/{job}")).await.expect(200)["connectionId"].clone()
}

/// A new token of the same import source does not show that it is the same one; Assets does.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_of_an_import_source_that_another_destination_has_is_found_by_check_and_run() {
    let app = TestApp::start().await;
    let first = app.create_destination().await;
    let job = app.create_job(&json!({"destinationId": first})).await;
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let token = app.world.assets.rotate_token(SOURCE_ID).unwrap();
    let body = json!({"name": "Again", "kind": "assetsImport", "token": token});
    let second = app.create("/v1/destinations", &body).await;
    let report = app.call(Method::POST, &format!("{second}/check")).send().await.expect(200);
    let finding = report["findings"].as_array().unwrap().iter().find(|f| f["code"] == "destination_in_use");
    let finding = finding.unwrap_or_else(|| panic!("{report}"));
    assert_eq!((&report["overall"], &finding["severity"]), (&json!("failed"), &json!("error")), "{report}");
    let id = second.rsplit('/').next().unwrap();
    let other = json!({"name": "Other", "connectionId": connection_id(&app, &job).await, "destinationId": id});
    app.post("/v1/jobs", &other).await.problem(409, "destination_in_use");
    // A service of before this rule did not ask.
    app.world.execute("UPDATE destinations SET import_source = NULL WHERE name = 'Again'".to_owned()).await;
    let other = app.create("/v1/jobs", &other).await;
    let other = other.rsplit('/').next().unwrap();
    app.patch(&format!("/v1/jobs/{other}"), &json!({"name": "Changed"})).await.expect(200);
    let run = app.run(other, &json!({"mode": "full"})).await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("destination_in_use")), "{run}");
    assert!(run["error"]["detail"].as_str().unwrap().contains("«Assets»"), "{run}");
    assert_eq!(app.world.assets.executions().len(), 1, "nothing was sent");
    // The advice: the token belongs into the destination that is there.
    app.patch(&format!("/v1/jobs/{other}"), &json!({"destinationId": null})).await.expect(200);
    app.delete(&second).await.expect(204);
    app.patch(&format!("/v1/destinations/{first}"), &json!({"token": token})).await.expect(200);
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
}

#[tokio::test]
async fn an_api_token_of_an_atlassian_account_is_no_import_token() {
    let app = TestApp::start().await;
    let body = json!({"name": "Assets", "kind": "assetsImport", "token": "ATATT3xFfGF0abcdef"});
    let problem = app.post("/v1/destinations", &body).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/token"]);
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("Generate new token"), "{problem}");
    assert!(!problem.to_string().contains("ATATT3x"), "{problem}");
    let path = format!("/v1/destinations/{}", app.create_destination().await);
    let problem = app.patch(&path, &json!({"token": "ATATT3xFfGF0abcdef"})).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/token"]);
}

/// Each of these ids becomes a part of a path at Atlassian.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_cannot_lead_elsewhere() {
    let app = TestApp::start().await;
    let forge = json!({"name": "Forge", "kind": "forge", "workspaceId": "w-1", "importId": "i-1"});
    let path = app.create("/v1/destinations", &forge).await;
    for field in ["workspaceId", "importId"] {
        for wrong in ["..", ".", "../x", "a/b", "a%2fb", "a?b", "a#b", "a\\b", ".hidden"] {
            let mut body = forge.clone();
            body[field] = json!(wrong);
            let problem = app.post("/v1/destinations", &body).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{wrong}");
            app.patch(&path, &json!({field: wrong})).await.problem(422, "validation_failed");
        }
    }
}
