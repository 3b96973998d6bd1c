//! What is removed when a job is deleted or its time is over, and what stays.

use crate::support::postgres::connect;
use crate::support::test_app::TestApp;
use entra_assets::db::{mirror, system};
use entra_assets::runs::scheduler;
use entra_assets::sim::graph::Scenario;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// The tables with a column, as the database has them.
async fn tables_with(app: &TestApp, column: &str) -> BTreeSet<String> {
    let query = format!(
        "SELECT table_name::text FROM information_schema.columns
         WHERE table_schema = 'public' AND column_name = '{column}'"
    );
    let superuser = connect(&app.world.database.urls.superuser).await;
    superuser.query(&query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// A new table is forgotten nowhere.
#[tokio::test]
async fn every_table_goes_with_its_owner() {
    let app = TestApp::start().await;
    let set = |tables: &mut dyn Iterator<Item = &'static str>| tables.map(str::to_owned).collect::<BTreeSet<_>>();
    let of_organizations = set(&mut system::of_organization().chain(["organizations"]));
    assert_eq!(tables_with(&app, "organization_id").await, of_organizations);
    let of_jobs = set(&mut mirror::TABLES.into_iter().chain(["runs"]));
    assert_eq!(tables_with(&app, "job_id").await, of_jobs, "the rows of runs stay, without names");
    // A row of a Jira user is of a job, and names the last run that looked for the account.
    let of_runs = set(&mut system::OF_RUN.into_iter().chain(["webhook_deliveries", "jira_users"]));
    assert_eq!(tables_with(&app, "run_id").await, of_runs);
}

async fn tick(app: &TestApp) {
    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
}

/// A job that imported a directory: its id and its run.
async fn imported(app: &TestApp) -> (String, Value) {
    let job = app.create_job(&json!({"name": "Payroll"})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    (job, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_a_live_run_is_not_deleted() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    app.delete(&format!("/v1/jobs/{job}")).await.problem(409, "run_in_progress");
    app.post(&format!("/v1/runs/{run}/cancel"), &Value::Null).await.expect(200);
    assert_eq!(app.delete(&format!("/v1/jobs/{job}")).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_job_leaves_records_without_names() {
    let app = TestApp::start().await;
    let (job, run) = imported(&app).await;
    let id = run["id"].as_str().unwrap();
    let warning =
        r#"[{"code": "hidden", "detail": "The group Payroll hides its members.", "count": 3, "advice": "Ask Ada."}]"#;
    app.world
        .execute(format!("UPDATE runs SET warnings = '{warning}', error = '{{\"code\": \"x\", \"detail\": \"Ada\"}}'"))
        .await;
    let held = app.world.assets.counts();
    assert_eq!(app.delete(&format!("/v1/jobs/{job}")).await.status, 204);
    app.get(&format!("/v1/jobs/{job}")).await.problem(404, "not_found");
    tick(&app).await;
    for table in mirror::TABLES.into_iter().chain(system::OF_RUN).chain(["jobs"]) {
        assert_eq!(app.world.count(table).await, 0, "{table}");
    }
    let kept = app.get(&format!("/v1/runs/{id}")).await;
    assert!(!kept.text.contains("Payroll") && !kept.text.contains("Ada"), "{}", kept.text);
    let kept = kept.expect(200);
    assert_eq!((&kept["counts"], &kept["warnings"][0]["count"]), (&run["counts"], &json!(3)));
    assert_eq!((&kept["warnings"][0]["code"], &kept["error"]["code"]), (&json!("hidden"), &json!("x")));
    let report = app.get(&format!("/v1/runs/{id}/report")).await.expect(200);
    assert_eq!((&report["jobName"], &report["changes"]), (&Value::Null, &json!([])));
    assert!(app.world.count("audit_events").await > 0);
    assert_eq!(app.world.assets.counts().objects, held.objects, "Assets is not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_changes_go_when_their_time_is_over_and_records_stay() {
    let app = TestApp::start().await;
    let (job, run) = imported(&app).await;
    let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    app.world.clock.advance(Duration::from_secs(89 * 24 * 3600));
    tick(&app).await;
    assert!(app.world.count("run_changes").await > 0, "not yet");
    let young = app.run(&job, &json!({"mode": "dryRun"})).await;
    app.world.clock.advance(Duration::from_secs(2 * 24 * 3600));
    tick(&app).await;
    assert_eq!(app.get(&format!("{path}/changes")).await.expect(200)["items"], json!([]));
    let events = app.get(&format!("{path}/events?wait=20")).await.expect(200);
    assert_eq!((&events["items"], &events["done"]), (&json!([]), &json!(true)), "nobody waits for what is gone");
    assert_eq!(app.get(&path).await.expect(200)["counts"], run["counts"]);
    assert!(app.world.count("mirror_objects").await > 0, "the mirror is not history");
    let events = format!("/v1/runs/{}/events", young["id"].as_str().unwrap());
    assert_ne!(app.get(&events).await.expect(200)["items"], json!([]), "a younger run keeps its own");
    let cleared = "SELECT count(*) FROM runs WHERE cleared_at IS NOT NULL";
    let superuser = connect(&app.world.database.urls.superuser).await;
    assert_eq!(superuser.query_one(cleared, &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_check_of_a_connection_stays() {
    let app = TestApp::start().await;
    let path = format!("/v1/connections/{}", app.create_connection(Scenario::Healthy).await);
    let check = async || app.post(&format!("{path}/check"), &json!({})).await.expect(200);
    check().await;
    let newest = check().await;
    app.world.clock.advance(Duration::from_secs(91 * 24 * 3600));
    tick(&app).await;
    let kept = app.get(&format!("{path}/checks")).await.expect(200)["items"].clone();
    assert_eq!((&kept[0]["id"], kept.as_array().unwrap().len()), (&newest["id"], 1));
    assert_eq!(app.get(&path).await.expect(200)["lastCheck"]["id"], newest["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_goes_when_its_time_is_over() {
    let app = TestApp::start().await;
    let body = json!({"name": "Script", "scopes": ["read"]});
    let (revoked, _) = (app.create("/v1/api-keys", &body).await, app.create("/v1/api-keys", &body).await);
    app.delete(&revoked).await.expect(204);
    tick(&app).await;
    assert_eq!(app.world.count("api_keys").await, 2, "the audit log still says whose it was");
    assert_eq!(app.get("/v1/api-keys").await.expect(200)["items"].as_array().unwrap().len(), 1);
    app.world.clock.advance(Duration::from_secs(91 * 24 * 3600));
    tick(&app).await;
    assert_eq!(app.world.count("api_keys").await, 1);
}

/// No token lives so long.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_installation_is_remembered_for_a_day() {
    let app = TestApp::start().await;
    let path = app.create("/v1/organizations", &json!({"name": "Fabrikam", "externalId": "installation"})).await;
    app.delete(&path).await.expect(204);
    let remembered = "SELECT count(*) FROM removed_installations";
    app.world.clock.advance(Duration::from_secs(23 * 3600));
    tick(&app).await;
    assert_eq!(app.text_of_all(remembered).await, "1");
    app.world.clock.advance(Duration::from_secs(2 * 3600));
    tick(&app).await;
    assert_eq!(app.text_of_all(remembered).await, "0");
}
