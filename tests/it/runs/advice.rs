//! Each advice about Assets that the product gives is followed, and works.

use crate::support::test_app::TestApp;
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN, AssetsFault, EmptyValues, SOURCE_ID};
use reqwest::Method;
use serde_json::{Value, json};

async fn run(app: &TestApp, job: &str) -> Value {
    app.run(job, &json!({"mode": "full"})).await
}

async fn succeeded(app: &TestApp, job: &str) -> Value {
    let run = run(app, job).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    run
}

/// A job that has delivered, with its destination.
async fn delivered(app: &TestApp) -> (String, String) {
    let destination = app.create_destination().await;
    let job = app.create_job(&json!({"destinationId": destination})).await;
    succeeded(app, &job).await;
    (job, destination)
}

async fn patch(app: &TestApp, path: &str, body: Value) {
    app.patch(path, &body).await.expect(200);
}

fn users(run: &Value) -> [u64; 4] {
    ["sent", "created", "updated", "unchanged"].map(|name| run["counts"]["users"][name].as_u64().unwrap())
}

/// «If the import source was deleted, create a new one and store its token in the destination.»
#[tokio::test(flavor = "multi_thread")]
async fn an_import_source_made_anew_in_the_same_object_schema_goes_on_with_the_types_that_are_there() {
    let app = TestApp::start().await;
    let (job, destination) = delivered(&app).await;
    let before = app.world.store();
    let anew = app.world.assets.replace_source(SOURCE_ID).unwrap();
    assert_eq!(run(&app, &job).await["error"]["code"], "assets_token_invalid");
    patch(&app, &format!("/v1/destinations/{destination}"), json!({"token": anew.token})).await;
    let shown = app.get(&format!("/v1/jobs/{job}/schema")).await.expect(200)["difference"].clone();
    let nothing = json!([]);
    assert_eq!([&shown["addedObjectTypes"], &shown["addedAttributes"], &shown["refused"]], [&nothing; 3], "{shown}");
    let check = app.call(Method::POST, &format!("/v1/destinations/{destination}/check")).send().await.expect(200);
    assert_ne!(check["overall"], "failed", "{check}");
    let done = succeeded(&app, &job).await;
    assert_eq!(users(&done), [60, 0, 0, 60], "{}", done["counts"]);
    assert!(app.world.store() == before, "the objects are the same ones");
    app.world.assert_delivered();
    let mappings = |app: &TestApp| app.world.assets.requests().iter().filter(|r| r.path.ends_with("/mapping")).count();
    let sent = mappings(&app);
    succeeded(&app, &job).await;
    assert_eq!(mappings(&app), sent, "what was taken over is in sync");
    let shown = app.get(&format!("/v1/jobs/{job}/schema")).await.expect(200)["difference"].clone();
    assert_eq!((&shown["inSync"], &shown["foreign"], &shown["unused"]), (&json!(true), &nothing, &nothing), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_source_made_anew_takes_new_attributes_and_what_people_added_stays() {
    let app = TestApp::start().await;
    let (job, destination) = delivered(&app).await;
    app.world.assets.add_attribute("Entra User", "Desk", "text").unwrap();
    let user = app.world.assets.objects("Entra User").remove(0);
    app.world.assets.set_value(&user.id, "Desk", "4711").unwrap();
    let anew = app.world.assets.replace_source(SOURCE_ID).unwrap();
    patch(&app, &format!("/v1/destinations/{destination}"), json!({"token": anew.token})).await;
    patch(&app, &format!("/v1/jobs/{job}"), json!({"objects": {"devices": {"enabled": true}}})).await;
    let built = app.call(Method::POST, &format!("/v1/jobs/{job}/schema")).send().await.expect(200);
    assert_eq!(built["built"]["addedObjectTypes"], json!(["Entra Device"]), "{built}");
    succeeded(&app, &job).await;
    let found = app.world.assets.objects("Entra User").remove(0);
    assert_eq!((found.id, &found.values["Desk"]), (user.id, &vec!["4711".to_owned()]));
}

/// «Rename or delete it in Assets, choose another name in the job's `objects`, …»
#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_of_the_same_name_in_another_form_ends_the_run_with_one_sentence_and_another_name_works() {
    let app = TestApp::start().await;
    let without = json!({"users": {"references": []}, "groups": {"enabled": false}, "licenses": {"enabled": false}});
    let job = app.create_job(&json!({"objects": without})).await;
    succeeded(&app, &job).await;
    app.world.assets.add_attribute("Entra User", "Manager", "text").unwrap();
    let path = format!("/v1/jobs/{job}");
    patch(&app, &path, json!({"objects": {"users": {"references": ["manager"]}}})).await;
    let executions = app.world.assets.executions().len();
    let failed = run(&app, &job).await;
    assert_eq!(
        (&failed["state"], &failed["error"]["code"]),
        (&json!("failed"), &json!("assets_name_taken")),
        "{failed}"
    );
    let detail = failed["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("«Manager» of the object type «Entra User» is text"), "{detail}");
    assert!(failed["error"]["advice"].as_str().unwrap().contains("another name"), "{failed}");
    assert_eq!(app.world.assets.executions().len(), executions, "nothing was sent");
    let problem = app.call(Method::POST, &format!("{path}/schema")).send().await;
    assert!(problem.problem(502, "assets_refused")["detail"].as_str().unwrap().contains("«Manager»"));
    patch(&app, &path, json!({"objects": {"users": {"names": {"manager": "Line Manager"}}}})).await;
    succeeded(&app, &job).await;
    assert!(app.world.assets.counts().references["Entra User"]["Line Manager"] > 0);
}

/// Two jobs that fill the same object types can undo each other.
#[tokio::test(flavor = "multi_thread")]
async fn object_types_of_an_import_source_that_another_job_uses_are_not_taken_over_and_other_names_work() {
    let app = TestApp::start().await;
    let (job, _) = delivered(&app).await;
    let connection = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["connectionId"].clone();
    let beside = app.world.assets.add_source_beside(SOURCE_ID).unwrap();
    let body = json!({"name": "Beside", "kind": "assetsImport", "token": beside.token});
    let destination = app.create("/v1/destinations", &body).await;
    let destination = destination.rsplit('/').next().unwrap();
    let second = json!({"name": "Second", "connectionId": connection, "destinationId": destination});
    let second = app.create("/v1/jobs", &second).await;
    let id = second.rsplit('/').next().unwrap();
    let failed = run(&app, id).await;
    assert_eq!(
        (&failed["state"], &failed["error"]["code"]),
        (&json!("failed"), &json!("assets_name_taken")),
        "{failed}"
    );
    assert!(failed["error"]["detail"].as_str().unwrap().contains("another job delivers"), "{failed}");
    app.call(Method::POST, &format!("{second}/schema")).send().await.problem(502, "assets_refused");
    assert_eq!(app.world.assets.executions().len(), 1, "nothing was sent");
    let name = |name: &str| json!({"typeName": name});
    let names = json!({"users": name("B User"), "groups": name("B Group"), "licenses": name("B License")});
    patch(&app, &second, json!({"objects": names})).await;
    succeeded(&app, id).await;
    succeeded(&app, &job).await;
    assert_eq!(app.world.assets.counts().objects["B User"], 60);
    app.world.assert_delivered();
}

/// Where GET schema-and-mapping does not show what others built, Assets refuses the mapping.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_external_ids_says_what_to_do() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let body = r#"{"errors":[{"code":"EXTERNAL_ID_MISMATCH","objectType":"Entra User"}]}"#;
    app.world.assets.inject(AssetsFault::answer("PUT", "/mapping", 400, body));
    let error = run(&app, &job).await["error"].clone();
    assert_eq!((&error["code"], &error["assetsCode"]), (&json!("assets_name_taken"), &json!("EXTERNAL_ID_MISMATCH")));
    assert!(error["detail"].as_str().unwrap().contains("Entra User"), "{error}");
    assert!(error["advice"].as_str().unwrap().contains("empty object schema"), "{error}");
}

/// «Generate new token», and «Enable the import source».
#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_and_an_enabled_import_source_are_all_it_takes() {
    let app = TestApp::start().await;
    let (job, destination) = delivered(&app).await;
    let token = app.world.assets.rotate_token(SOURCE_ID).unwrap();
    assert_eq!(run(&app, &job).await["error"]["code"], "assets_token_invalid");
    patch(&app, &format!("/v1/destinations/{destination}"), json!({"token": token})).await;
    succeeded(&app, &job).await;
    app.world.assets.set_disabled(SOURCE_ID, true);
    assert_eq!(run(&app, &job).await["error"]["code"], "assets_import_disabled");
    app.world.assets.set_disabled(SOURCE_ID, false);
    succeeded(&app, &job).await;
    app.world.assert_delivered();
}

/// «Give the destination `api`».
#[tokio::test(flavor = "multi_thread")]
async fn with_access_to_objects_what_was_kept_for_want_of_it_is_removed() {
    let app = TestApp::start().await;
    let (job, destination) = delivered(&app).await;
    let site = app.world.assets.origin().to_owned();
    let removal = json!({"removal": {"policy": "remove", "afterMissingRuns": 1}});
    app.patch(&format!("/v1/jobs/{job}"), &removal).await.problem(422, "validation_failed");
    let api = json!({"api": {"siteUrl": site, "email": API_EMAIL, "apiToken": API_TOKEN}});
    patch(&app, &format!("/v1/destinations/{destination}"), api).await;
    patch(&app, &format!("/v1/jobs/{job}"), removal).await;
    patch(&app, &format!("/v1/destinations/{destination}"), json!({"api": null})).await;
    let user = app.world.graph.read(|directory| directory.live_users().nth(9).unwrap().1.id);
    app.world.graph.change(|directory| directory.delete(user)).unwrap();
    let kept = run(&app, &job).await;
    assert!(kept["state"] == "degraded" && kept["warnings"].to_string().contains("removal_needs_api"), "{kept}");
    let api = json!({"api": {"siteUrl": site, "email": API_EMAIL, "apiToken": API_TOKEN}});
    patch(&app, &format!("/v1/destinations/{destination}"), api).await;
    let done = succeeded(&app, &job).await;
    assert_eq!(done["counts"]["users"]["removed"], 1);
    app.world.assert_delivered();
}

/// «Set «Empty values» to Remove in Assets, and emptyValues of the destination to remove».
#[tokio::test(flavor = "multi_thread")]
async fn with_empty_values_removed_an_import_clears_them() {
    let app = TestApp::start().await;
    let (job, destination) = delivered(&app).await;
    let lose_a_manager = || {
        let (user, _) = app.world.graph.read(|directory| directory.manager_edges()[0]);
        app.world.graph.change(|directory| directory.set_manager(user, None)).unwrap();
        user
    };
    lose_a_manager();
    let kept = succeeded(&app, &job).await;
    let warning = kept["warnings"].as_array().unwrap().iter().find(|warning| warning["code"] == "not_cleared").unwrap();
    assert!(warning["advice"].as_str().unwrap().contains("give the destination `api`"), "{warning}");
    app.world.assets.configure(|behaviour| behaviour.empty_values = EmptyValues::Remove);
    patch(&app, &format!("/v1/destinations/{destination}"), json!({"emptyValues": "remove"})).await;
    lose_a_manager();
    let done = succeeded(&app, &job).await;
    assert!(!done["warnings"].to_string().contains("not_cleared"), "{done}");
    app.world.assert_delivered();
}

/// «Use a `dryRun`», and «set `missingObjects` to `ignore`».
#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_would_remove_is_a_dry_run_or_comes_after_the_setting() {
    let app = TestApp::start().await;
    let (job, destination) = delivered(&app).await;
    let test = json!({"mode": "test", "limit": 5});
    app.post(&format!("/v1/jobs/{job}/runs"), &test).await.problem(409, "test_would_remove");
    assert_eq!(app.run(&job, &json!({"mode": "dryRun"})).await["state"], "succeeded");
    patch(&app, &format!("/v1/destinations/{destination}"), json!({"missingObjects": "ignore"})).await;
    assert_eq!(app.run(&job, &test).await["state"], "succeeded");
    app.world.assert_delivered();
}
