//! The commands that call a running service: `run preview export apply`, and `check`, which needs none.

use crate::support::test_app::{SECRETS, TestApp, connection_body};
use crate::support::world::ADMIN_KEY;
use entra_assets::clock::Clock;
use entra_assets::sim::graph::Scenario;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;

/// A shell with the address and a key of the service.
struct Shell<'a> {
    app: &'a TestApp,
    variables: Vec<(String, String)>,
}

impl<'a> Shell<'a> {
    fn new(app: &'a TestApp) -> Self {
        let shell = Self { app, variables: Vec::new() };
        shell.with("ENTRA_ASSETS_URL", app.origin()).with("ENTRA_ASSETS_KEY", ADMIN_KEY)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
        command.args(arguments).env_clear().envs(self.variables.iter().cloned());
        command
    }

    /// Whether the command was content, and what it printed.
    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        said(self.command(arguments).output().await.unwrap())
    }

    /// Like [`Shell::run`], while the worker executes runs and time passes.
    async fn run_with_worker(&self, arguments: &[&str]) -> (bool, String) {
        let running = tokio::spawn(self.command(arguments).output());
        while !running.is_finished() {
            self.app.step().await;
            self.app.world.clock.advance(Duration::from_secs(1));
        }
        said(running.await.unwrap().unwrap())
    }
}

fn said(output: std::process::Output) -> (bool, String) {
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
    }
    (output.status.success(), text)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

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

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_settings_is_applied_once_and_then_only_its_changes() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = write_settings(&dir, &app);
    let shell = Shell::new(&app).with("CONTOSO_SECRET", &Scenario::Healthy.credentials().client_secret);
    let all = |mark: &str| {
        ["connection «Contoso»", "filter «Staff»", "destination «Assets»", "job «Nightly»"]
            .map(|what| format!("{mark} {what}\n"))
            .concat()
    };
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
    let shell = Shell::new(&app);
    let (content, exported) = shell.run(&["export"]).await;
    assert!(content, "{exported}");
    for part in ["env: CONTOSO_SECRET", "env: ASSETS_TOKEN", "connection: Contoso", "filter: Sales", "name: Nightly"] {
        assert!(exported.contains(part), "{part} is not in\n{exported}");
    }
    for part in ["createdAt", "version", "nextRun", "connectionId", "null"] {
        assert!(!exported.contains(part), "{part} is in\n{exported}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("exported.yaml");
    fs::write(&file, exported).unwrap();
    let (content, said) = shell.run(&["apply", "-f", text(&file), "--dry-run", "--prune"]).await;
    assert!(content && said.lines().count() == 5 && said.lines().all(|line| line.starts_with("= ")), "{said}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_started_and_followed_to_its_end() {
    let app = TestApp::start().await;
    app.create_job(&json!({})).await;
    let shell = Shell::new(&app);
    let (content, said) = shell.run_with_worker(&["run", "Nightly", "--mode", "full", "--follow"]).await;
    assert!(content && said.contains("succeeded\n  ") && said.contains("users: "), "{said}");
    let (content, said) = shell.run(&["run", "Nightly", "--mode", "dry-run", "--json"]).await;
    let queued: Value = serde_json::from_str(&said).unwrap();
    assert!(content && queued["mode"] == "dryRun" && queued["state"] == "queued", "{queued}");
    let (content, said) = shell.run(&["run", "Nightl"]).await;
    assert!(!content && said.contains("There are: «Nightly»"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_told_by_the_exit_code() {
    let app = TestApp::start().await;
    let connection = app.create_connection(Scenario::ExpiredSecret).await;
    app.create_job(&json!({"connectionId": connection})).await;
    let (content, said) = Shell::new(&app).run_with_worker(&["run", "Nightly", "--mode", "full", "--follow"]).await;
    assert!(!content && said.contains("the run ended failed") && said.contains("✗"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_previewed_by_its_name() {
    let app = TestApp::start().await;
    app.create_connection(Scenario::Healthy).await;
    app.create_filter(&json!({"name": "Staff", "users": {"odata": "accountEnabled eq true"}})).await;
    let shell = Shell::new(&app);
    let (content, said) = shell.run(&["preview", "Staff", "--connection", "Contoso"]).await;
    assert!(content && said.contains("users: ") && said.contains("A full run needs"), "{said}");
    let (content, said) = shell.run(&["preview", "Staff", "--connection", "Contoso", "--json"]).await;
    let preview: Value = serde_json::from_str(&said).unwrap();
    assert!(content && preview["counts"]["users"]["count"].as_u64().unwrap() > 0, "{preview}");
}

/// Whoever may name a person in the directory could otherwise act on the terminals that show the name.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_directory_says_is_shown_and_not_obeyed() {
    let app = TestApp::start().await;
    app.create_connection(Scenario::Healthy).await;
    app.create_filter(&json!({"name": "Staff"})).await;
    let users: Vec<Uuid> = app.world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
    let name = json!({"displayName": "Eve\u{1b}]0;owned\u{7}"}).as_object().unwrap().clone();
    app.world.graph.change(|directory| users.iter().for_each(|id| drop(directory.update(*id, name.clone()).unwrap())));
    let shell = Shell::new(&app);
    let (content, said) = shell.run(&["preview", "Staff", "--connection", "Contoso"]).await;
    assert!(content && said.contains("Eve\\u001b]0;owned\\u0007"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{said}");
    let (content, said) = shell.run(&["preview", "Staff", "--connection", "Contoso", "--json"]).await;
    let preview: Value = serde_json::from_str(&said).unwrap();
    assert!(content && preview["sample"]["users"][0]["displayName"] == name["displayName"], "{preview}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_checked_without_a_service() {
    let app = TestApp::start().await;
    // The command goes by the time of this machine.
    let behind = Clock::system().now() - app.world.clock.now();
    app.world.clock.advance(behind.to_std().unwrap());
    let check = async |scenario: Scenario, more: &[&str]| {
        let body = connection_body(scenario);
        let secret = body["credential"]["secret"].as_str().unwrap().to_owned();
        let shell = Shell { app: &app, variables: Vec::new() }
            .with("ENTRA_ASSETS_CLIENT_SECRET", &secret)
            .with("ENTRA_ASSETS_LOGIN_URL", &app.world.graph.login_origin())
            .with("ENTRA_ASSETS_GRAPH_URL", &app.world.graph.graph_origin());
        let (tenant, client) = (body["tenantId"].as_str().unwrap(), body["clientId"].as_str().unwrap());
        shell.run(&[&["check", "--tenant", tenant, "--client", client], more].concat()).await
    };
    let (content, said) = check(Scenario::Healthy, &[]).await;
    assert!(content && said.contains("Connection check ok"), "{said}");
    let (content, said) = check(Scenario::Healthy, &["--json", "--capabilities", "users"]).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert!(content && report["capabilities"].as_array().unwrap().len() == 1, "{report}");
    let (content, said) = check(Scenario::ExpiredSecret, &[]).await;
    assert!(!content && said.contains("Connection check failed") && said.contains("How to fix it"), "{said}");
    let (content, said) = check(Scenario::Healthy, &["--capabilities", "user"]).await;
    assert!(!content && said.contains("/capabilities/0"), "{said}");
}

#[tokio::test]
async fn a_manifest_is_checked_without_a_service() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("manifest.json");
    let check = async |manifest: Value| {
        fs::write(&file, manifest.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
        said(command.args(["check", "--manifest", text(&file)]).env_clear().output().await.unwrap())
    };
    let graph = "00000003-0000-0000-c000-000000000000";
    let access = |kind: &str| {
        json!({"requiredResourceAccess": [{
            "resourceAppId": graph,
            "resourceAccess": [{"id": "df021288-bdef-4463-88db-98f22de89214", "type": kind}],
        }]})
    };
    let (content, said) = check(access("Role")).await;
    assert!(content && said.contains("✓ users") && said.contains("User.Read.All"), "{said}");
    let (content, said) = check(access("Scope")).await;
    assert!(!content && said.contains("nothing can be imported"), "{said}");
    let (content, said) = check(json!({"name": "no manifest"})).await;
    assert!(!content && said.contains("requiredResourceAccess"), "{said}");
}
