//! Reports of runs as files.

use crate::support::test_app::{TestApp, pointers};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

/// A run that ended with changes: its path and its response.
async fn a_run(app: &TestApp) -> (String, Value) {
    let job = app.create_job(&json!({"name": "=Nächtlich (EU)"})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    (format!("/v1/runs/{}", run["id"].as_str().unwrap()), run)
}

/// The rows of a CSV report by their columns.
fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_in_json_has_the_run_and_every_change() {
    let app = TestApp::start().await;
    let (path, run) = a_run(&app).await;
    let answer = app.get(&format!("{path}/report")).await;
    let name = answer.header("content-disposition").to_owned();
    assert!(name.starts_with("attachment; filename=\"entra-assets-n-chtlich-eu-full-"), "{name}");
    assert!(name.ends_with(".json\""), "{name}");
    let report = answer.expect(200);
    assert_eq!((&report["jobName"], &report["run"]), (&json!("=Nächtlich (EU)"), &run));
    let first = app.get(&format!("{path}/changes?limit=5")).await.expect(200);
    assert_eq!(report["changes"].as_array().unwrap()[..5], first["items"].as_array().unwrap()[..]);
    let created: u64 =
        ["users", "groups", "licenses"].map(|of| run["counts"][of]["created"].as_u64().unwrap()).iter().sum();
    assert_eq!(report["changes"].as_array().unwrap().len() as u64, created);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_in_csv_is_one_table_without_formulas() {
    let app = TestApp::start().await;
    let (path, run) = a_run(&app).await;
    app.world
        .execute("UPDATE run_changes SET label = '=cmd|calc' WHERE seq = (SELECT min(seq) FROM run_changes)".to_owned())
        .await;
    let answer = app.get(&format!("{path}/report?format=csv")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/csv; charset=utf-8"));
    let rows = rows(&answer.text);
    let of = |record: &str| rows.iter().filter(|row| row["record"] == record).collect::<Vec<_>>();
    let fact = |name: &str| of("run").into_iter().find(|row| row["name"] == name).unwrap()["value"].clone();
    assert_eq!((fact("job"), fact("state")), ("'=Nächtlich (EU)".to_owned(), "succeeded".to_owned()));
    let read = of("count").into_iter().find(|row| row["name"] == "users.read").unwrap()["value"].clone();
    assert_eq!(read, run["counts"]["users"]["read"].to_string());
    let changes = of("change");
    assert_eq!(changes[0]["label"], "'=cmd|calc");
    let users = changes.iter().filter(|row| row["objectType"] == "users" && row["action"] == "create").count();
    assert_eq!(json!(users), run["counts"]["users"]["created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_in_xlsx_is_a_workbook_without_formulas() {
    let app = TestApp::start().await;
    let (path, run) = a_run(&app).await;
    app.world
        .execute("UPDATE run_changes SET label = '=cmd|calc' WHERE seq = (SELECT min(seq) FROM run_changes)".to_owned())
        .await;
    let (status, bytes) = app.call(Method::GET, &format!("{path}/report?format=xlsx")).bytes().await;
    assert_eq!(status, 200);
    let mut workbook = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut part = |name: &str| {
        let mut text = String::new();
        workbook.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let (facts, changes) = (part("xl/worksheets/sheet1.xml"), part("xl/worksheets/sheet2.xml"));
    assert!(facts.contains(run["id"].as_str().unwrap()) && facts.contains("'=N"), "{facts}");
    assert!(changes.contains("'=cmd|calc"), "{changes}");
    assert!(!facts.contains("<f>") && !changes.contains("<f>"));
    assert!(facts.contains("<v>"), "counts and times are numbers: {facts}");
    assert!(changes.contains("<autoFilter "), "{changes}");
    let created: u64 =
        ["users", "groups", "licenses"].map(|of| run["counts"][of]["created"].as_u64().unwrap()).iter().sum();
    assert_eq!(changes.matches("<row ").count() as u64, created + 1, "a row each, and the names of the columns");
}

/// What a person reads: names in place of keys, ids and JSON.
#[tokio::test(flavor = "multi_thread")]
async fn the_cells_of_a_change_are_words() {
    let app = TestApp::start().await;
    let map = |value: Value| value.as_object().unwrap().clone();
    let user = app.world.graph.change(|directory| {
        let (user, manager) = directory.manager_edges()[0];
        directory.update(user, map(json!({"displayName": "Ada Lovelace", "city": "London"}))).unwrap();
        directory.update(manager, map(json!({"displayName": "Grace Hopper"}))).unwrap();
        user
    });
    let job = app.create_job(&json!({})).await;
    let first = app.run(&job, &json!({"mode": "full"})).await;
    app.world.graph.change(|directory| {
        directory.update(user, map(json!({"jobTitle": "Astronomer", "city": null}))).unwrap();
        directory.set_manager(user, None).unwrap();
    });
    let second = app.run(&job, &json!({"mode": "full"})).await;
    let report = async |run: &Value| {
        let path = format!("/v1/runs/{}/report?format=csv", run["id"].as_str().unwrap());
        let rows = rows(&app.get(&path).await.text);
        rows.into_iter().filter(|row| row["record"] == "change").collect::<Vec<_>>()
    };
    let (created, changed) = (report(&first).await, report(&second).await);
    let of = |rows: &[BTreeMap<String, String>]| {
        rows.iter().find(|row| row["objectId"] == user.to_string()).unwrap().clone()
    };
    let (new, update) = (of(&created), of(&changed));
    for words in ["Display Name: Ada Lovelace; ", "Manager: Grace Hopper", "City: London; "] {
        assert!(new["after"].contains(words), "{words}: {new:?}");
    }
    assert_eq!((new["before"].as_str(), new["changed"].as_str()), ("", ""));
    assert_eq!(update["changed"], "City, Job Title, Manager", "{update:?}");
    assert!(update["before"].starts_with("City: London; Job Title: "), "{update:?}");
    assert!(update["before"].ends_with("; Manager: Grace Hopper"), "{update:?}");
    assert_eq!(update["after"], "City: (empty); Job Title: Astronomer; Manager: (empty)");
    for cell in created.iter().chain(&changed).flat_map(|row| [&row["before"], &row["after"], &row["changed"]]) {
        assert!(!["{\"", "[\"", "\":"].iter().any(|json| cell.contains(json)), "{cell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_says_why_in_its_report() {
    let app = TestApp::start().await;
    let connection = app.create_connection(entra_assets::sim::graph::Scenario::Delegated).await;
    let job = app.create_job(&json!({"connectionId": connection})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "failed");
    let answer = app.get(&format!("/v1/runs/{}/report?format=csv", run["id"].as_str().unwrap())).await;
    let rows = rows(&answer.text);
    let error = rows.iter().find(|row| row["record"] == "error").unwrap();
    assert_eq!(
        (json!(error["name"]), json!(error["value"])),
        (run["error"]["code"].clone(), run["error"]["detail"].clone())
    );
    assert!(!rows.iter().any(|row| row["record"] == "change"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_are_written_page_by_page() {
    const MANY: usize = 3_001;
    let app = TestApp::start().await;
    let (path, run) = a_run(&app).await;
    let id = run["id"].as_str().unwrap();
    app.world
        .execute(format!(
            "DELETE FROM run_changes; INSERT INTO run_changes (organization_id, run_id, seq, object_type, object_id, action, send)
             SELECT '{}', '{id}', n * 2, 'users', md5(n::text)::uuid, 'create', false FROM generate_series(1, {MANY}) n",
            entra_assets::ids::OrganizationId::DEFAULT
        ))
        .await;
    let json = app.get(&format!("{path}/report?format=json")).await.expect(200);
    assert_eq!(json["changes"].as_array().unwrap().len(), MANY);
    let csv = app.get(&format!("{path}/report?format=csv")).await;
    assert_eq!(rows(&csv.text).iter().filter(|row| row["record"] == "change").count(), MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_format_accept_decides() {
    let app = TestApp::start().await;
    let (path, _) = a_run(&app).await;
    for (accept, media_type) in [
        ("*/*", "application/json"),
        ("text/csv;q=0.9", "text/csv; charset=utf-8"),
        ("text/html, application/json", "application/json"),
    ] {
        let answer = app.call(Method::GET, &format!("{path}/report")).accept(accept).send().await;
        assert_eq!((answer.status, answer.header("content-type")), (200, media_type), "{accept}");
    }
    app.call(Method::GET, &format!("{path}/report")).accept("text/html").send().await.problem(406, "not_acceptable");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_format_or_run_is_refused() {
    let app = TestApp::start().await;
    let unknown = format!("/v1/runs/{}/report", uuid::Uuid::from_u128(7));
    app.get(&unknown).await.problem(404, "not_found");
    let problem = app.get(&format!("{unknown}?format=pdf")).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["?format"]);
}
