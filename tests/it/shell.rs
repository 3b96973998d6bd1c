//! The commands that call a running service: `run preview export apply`, and `check`, which needs none.

mod settings;

use crate::support::test_app::{SECRETS, TestApp, connection_body};
use crate::support::world::ADMIN_KEY;
use entra_assets::clock::Clock;
use entra_assets::sim::graph::Scenario;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
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
    app.world.graph.change(|directory| {
        for id in &users {
            directory.update(*id, name.clone()).unwrap();
        }
    });
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
