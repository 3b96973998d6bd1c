//! Settings as a file: `export` and `apply`.

use super::{Shell, text};
use crate::support::test_app::{TestApp, connection_body};
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use uuid::Uuid;

/// A file with one of each, whose secrets are a variable and a file beside it.
fn write_settings(dir: &TempDir, app: &TestApp) -> PathBuf {
    let entered = Scenario::Healthy.credentials();
    fs::write(dir.path().join("token"), format!("{}\n", app.world.assets.token())).unwrap();
    let path = dir.path().join("settings.yaml");
    let yaml = format!(
        "connections:
  - name: Contoso
    tenantId: {}
    clientId: {}
    credential: {{kind: clientSecret, secret: {{env: CONTOSO_SECRET}}, expiresAt: 2099-01-01}}
filters:
  - name: Staff
    users: {{odata: accountEnabled eq true}}
    limits: {{maxUsers: 1000}}
destinations:
  - name: Assets
    kind: assetsImport
    token: {{file: token}}
jobs:
  - name: Nightly
    connection: Contoso
    filter: Staff
    destination: Assets
    schedule: {{cron: 0 5 * * *, timezone: Europe/Berlin}}
",
        entered.tenant_id, entered.client_id
    );
    fs::write(&path, yaml).unwrap();
    path
}

fn change(path: &Path, from: &str, to: &str) {
    let before = fs::read_to_string(path).unwrap();
    assert!(before.contains(from), "{before}");
    fs::write(path, before.replace(from, to)).unwrap();
}

async fn names(app: &TestApp, collection: &str) -> Vec<Value> {
    let items = app.get(collection).await.expect(200)["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["name"].clone()).collect()
}

/// The plan of such a file.
fn all(mark: &str) -> String {
    let things = ["connection «Contoso»", "filter «Staff»", "destination «Assets»", "job «Nightly»"];
    things.map(|what| format!("{mark} {what}\n")).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_settings_is_applied_once_and_then_only_its_changes() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = write_settings(&dir, &app);
    let shell = Shell::new(&app).with("CONTOSO_SECRET", &Scenario::Healthy.credentials().client_secret);
    let apply = async |more: &[&str]| shell.run(&[&["apply", "-f", text(&file)], more].concat()).await;
    assert_eq!(apply(&["--dry-run"]).await, (true, all("+")));
    assert_eq!(names(&app, "/v1/connections").await, Vec::<Value>::new(), "a dry run changes nothing");
    assert_eq!(apply(&[]).await, (true, all("+")));
    assert_eq!(apply(&[]).await, (true, all("=")), "it is applied");
    let jobs = app.get("/v1/jobs?expand=connection,filter,destination").await.expect(200);
    for (kind, name) in [("connection", "Contoso"), ("filter", "Staff"), ("destination", "Assets")] {
        assert_eq!(jobs["items"][0][kind]["name"], name, "{jobs}");
    }

    change(
        &file,
        "users: {odata: accountEnabled eq true}",
        "users: {where: {property: department, operator: eq, value: Sales}}",
    );
    change(&file, "0 5 * * *", "0 6 * * *");
    let changed = all("=").replace("= filter «Staff»", "~ filter «Staff»: users");
    let changed = changed.replace("= job «Nightly»", "~ job «Nightly»: schedule");
    assert_eq!(apply(&["--dry-run"]).await, (true, changed.clone()));
    assert_eq!(apply(&[]).await, (true, changed));
    assert_eq!(apply(&[]).await, (true, all("=")));

    // Another secret is seen by its beginning; the rest only if it is asked for.
    let other = Shell::new(&app).with("CONTOSO_SECRET", "xyz-another-secret-of-the-application");
    let (_, said) = other.run(&["apply", "-f", text(&file), "--dry-run"]).await;
    assert!(said.contains("~ connection «Contoso»: credential\n"), "{said}");
    let (_, said) = apply(&["--dry-run", "--secrets"]).await;
    assert!(
        said.contains("~ connection «Contoso»: credential\n") && said.contains("~ destination «Assets»: token\n"),
        "{said}"
    );

    // Without a job in the file it stays, unless deletions are asked for.
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{}jobs: []\n", before.split("jobs:").next().unwrap())).unwrap();
    let (_, said) = apply(&[]).await;
    assert!(!said.contains("Nightly"), "{said}");
    assert_eq!(names(&app, "/v1/jobs").await, ["Nightly"]);
    let (content, said) = apply(&["--prune", "--json"]).await;
    let plan: Value = serde_json::from_str(&said).unwrap();
    assert!(content && plan[3]["action"] == "delete" && plan[3]["name"] == "Nightly", "{plan}");
    assert_eq!(names(&app, "/v1/jobs").await, Vec::<Value>::new());
    assert_eq!(names(&app, "/v1/filters").await, ["Staff"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_has_no_secret_and_changes_nothing_where_it_is_applied() {
    let app = TestApp::start().await;
    let body = json!({
        "name": "Sales", "users": {"where": {"property": "department", "operator": "eq", "value": "Sales"}},
    });
    let filter = app.create_filter(&body).await;
    let schedule = json!({"cron": "0 5 * * *", "timezone": "Europe/Berlin", "enabled": false});
    app.create_job(&json!({"filterId": filter, "schedule": schedule})).await;
    app.create("/v1/destinations", &json!({"name": "Forge", "kind": "forge", "workspaceId": "w", "importId": "i"}))
        .await;
    let mut other = connection_body(Scenario::Healthy);
    other["name"] = json!("CONTOSO");
    app.create("/v1/connections", &other).await;
    let shell = Shell::new(&app);
    let (content, exported) = shell.run(&["export"]).await;
    assert!(content, "{exported}");
    for part in [
        "env: CONTOSO_SECRET\n",
        "env: CONTOSO_SECRET_2\n",
        "env: ASSETS_TOKEN",
        "connection: Contoso",
        "filter: Sales",
        "name: Nightly",
    ] {
        assert!(exported.contains(part), "{part} is not in\n{exported}");
    }
    for part in ["createdAt", "version", "nextRun", "connectionId", "null"] {
        assert!(!exported.contains(part), "{part} is in\n{exported}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("exported.yaml");
    fs::write(&file, exported).unwrap();
    let (content, said) = shell.run(&["apply", "-f", text(&file), "--dry-run", "--prune"]).await;
    assert!(content && said.lines().count() == 6 && said.lines().all(|line| line.starts_with("= ")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_applied_of_a_file_with_a_fault() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = write_settings(&dir, &app);
    change(&file, "accountEnabled eq true", "accountEnabled eq");
    change(&file, "destination: Assets", "destination: Asets");
    change(&file, "{file: token}", "abc");
    let (content, said) = Shell::new(&app).run(&["apply", "-f", text(&file)]).await;
    assert!(!content && said.contains("nothing was changed"), "{said}");
    for part in [
        "settings.yaml:2: connection «Contoso»: /credential/secret: the variable CONTOSO_SECRET is not set",
        "settings.yaml:7: filter «Staff»: /users/odata",
        "settings.yaml:11: destination «Assets»: /token: must be `{env: NAME}` or `{file: PATH}`",
        "settings.yaml:15: job «Nightly»: /destination: neither the file nor the service has «Asets»",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    for collection in ["/v1/connections", "/v1/filters", "/v1/destinations", "/v1/jobs"] {
        assert!(names(&app, collection).await.is_empty(), "{collection}");
    }
    let (content, said) = Shell::new(&app).with("ENTRA_ASSETS_KEY", "").run(&["export"]).await;
    assert!(!content && said.contains("ENTRA_ASSETS_KEY"), "{said}");
    let (content, said) = Shell::new(&app).with("ENTRA_ASSETS_KEY", "eak_wrong").run(&["export"]).await;
    assert!(!content && said.contains("401"), "{said}");
}

/// A condition on what is empty, ids in any order, a short form: the answers have them in another form.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_writes_in_another_way_is_no_change() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = write_settings(&dir, &app);
    let [first, second] = [Uuid::from_u128(1), Uuid::from_u128(0xa)];
    let upper = second.to_string().to_uppercase();
    change(
        &file,
        "users: {odata: accountEnabled eq true}",
        &format!(
            "users: {{where: {{not: {{property: mail, operator: eq, value: null}}}}}}
    servicePrincipals: {{odata: ' accountEnabled eq true'}}
    devices: null
    scope: {{users: membersOf, groupIds: [{upper}, {first}, {second}]}}
    exclude: {{userIds: [{second}, {first}], groupIds: [{second}, {first}]}}"
        ),
    );
    change(
        &file,
        "schedule: {cron",
        "deliver: null
    objects: {users: {dimensions: [{attribute: department, objectType: Department}, {attribute: city}]}}
    schedule: {cron",
    );
    let shell = Shell::new(&app)
        .with("CONTOSO_SECRET", &Scenario::Healthy.credentials().client_secret)
        .with("ASSETS_TOKEN", &app.world.assets.token());
    let apply = async |file: &Path| shell.run(&["apply", "-f", text(file)]).await;
    assert_eq!(apply(&file).await, (true, all("+")));
    assert_eq!(apply(&file).await, (true, all("=")));
    let filters = app.get("/v1/filters").await.expect(200);
    let tree = json!({"not": {"property": "mail", "operator": "eq", "value": null}});
    assert_eq!(filters["items"][0]["users"], json!({"where": tree}));

    let (content, exported) = shell.run(&["export"]).await;
    assert!(content && exported.contains("value: null"), "{exported}");
    let export = dir.path().join("exported.yaml");
    fs::write(&export, exported).unwrap();
    assert_eq!(apply(&export).await, (true, all("=")));

    // Another condition of any kind takes the place of the first.
    change(
        &file,
        "{odata: ' accountEnabled eq true'}",
        "{where: {property: accountEnabled, operator: eq, value: true}}",
    );
    let changed = all("=").replace("= filter «Staff»", "~ filter «Staff»: servicePrincipals");
    assert_eq!(apply(&file).await, (true, changed));
    assert_eq!(apply(&file).await, (true, all("=")));

    // What was exported makes the same anew.
    for collection in ["/v1/jobs", "/v1/filters"] {
        let id = app.get(collection).await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        app.delete(&format!("{collection}/{id}")).await.expect(204);
    }
    let (content, said) = apply(&export).await;
    assert!(content && said.contains("+ filter «Staff»\n") && said.contains("+ job «Nightly»\n"), "{said}");
    assert_eq!(app.get("/v1/filters").await.expect(200)["items"][0]["users"], json!({"where": tree}));
}

/// A file from before somebody entered a credential, a run saw what Assets does, and somebody paused the schedule.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_learned_since_the_file_was_written_stays() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = write_settings(&dir, &app);
    let secret = "{kind: clientSecret, secret: {env: CONTOSO_SECRET}, expiresAt: 2099-01-01}";
    change(&file, secret, "{kind: awaited}");
    change(&file, "token: {file: token}", "token: {file: token}\n    missingObjects: unknown");
    change(&file, "timezone: Europe/Berlin", "timezone: Europe/Berlin, enabled: true");
    let shell = Shell::new(&app);
    let apply = async || shell.run(&["apply", "-f", text(&file)]).await;
    assert_eq!(apply().await, (true, all("+")));
    assert_eq!(apply().await, (true, all("=")));
    let only = async |collection: &str| {
        let items = app.get(collection).await.expect(200)["items"].as_array().unwrap().clone();
        format!("{collection}/{}", items[0]["id"].as_str().unwrap())
    };
    let (connection, destination, job) =
        (only("/v1/connections").await, only("/v1/destinations").await, only("/v1/jobs").await);
    let credential = json!({"credential": connection_body(Scenario::Healthy)["credential"]});
    app.patch(&connection, &credential).await.expect(200);
    app.patch(&destination, &json!({"missingObjects": "remove"})).await.expect(200);
    app.call(Method::POST, &format!("{job}/pause")).send().await.expect(200);
    assert_eq!(apply().await, (true, all("=")));
    assert_eq!(app.get(&connection).await.expect(200)["credential"]["kind"], "clientSecret");
    assert_eq!(app.get(&destination).await.expect(200)["missingObjects"], "remove");
    assert_eq!(app.get(&job).await.expect(200)["schedule"]["pausedReason"], "manual");
    let (content, exported) = shell.run(&["export"]).await;
    assert!(content && exported.contains("enabled: true") && exported.contains("missingObjects: remove"), "{exported}");
    // What a file declares is applied all the same.
    change(&file, "missingObjects: unknown", "missingObjects: ignore");
    let changed = all("=").replace("= destination «Assets»", "~ destination «Assets»: missingObjects");
    assert_eq!(apply().await, (true, changed));
    assert_eq!(app.get(&destination).await.expect(200)["missingObjects"], "ignore");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_several_have_is_refused() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = write_settings(&dir, &app);
    for odata in ["accountEnabled eq true", "accountEnabled eq false"] {
        app.create_filter(&json!({"name": "Staff", "users": {"odata": odata}})).await;
    }
    let shell = Shell::new(&app).with("CONTOSO_SECRET", &Scenario::Healthy.credentials().client_secret);
    let (content, said) = shell.run(&["apply", "-f", text(&file)]).await;
    assert!(!content && said.contains("nothing was changed"), "{said}");
    for part in ["filter «Staff»: several", "job «Nightly»: /filter: several"] {
        assert!(
            said.contains(&format!("{part} filters have the name «Staff»; rename one")),
            "{part} is not in\n{said}"
        );
    }
    fs::write(&file, "filters: []\n").unwrap();
    let (content, said) = shell.run(&["apply", "-f", text(&file), "--prune"]).await;
    assert!(!content && said.contains("--prune: several filters have the name «Staff»; rename one"), "{said}");
    assert_eq!(names(&app, "/v1/filters").await, ["Staff", "Staff"]);
    let (content, said) = shell.run(&["export"]).await;
    assert!(!content && said.contains("several filters have the name «Staff»; rename one"), "{said}");
    // Those of other kinds are no hindrance.
    fs::write(&file, "jobs: []\n").unwrap();
    assert_eq!(shell.run(&["apply", "-f", text(&file), "--prune"]).await, (true, String::new()));
}
