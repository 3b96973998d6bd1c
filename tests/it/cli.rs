//! The program as it is started from a shell.

use entra_assets::sim::graph::Scenario;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

fn program(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
    // What a developer has set must not show.
    let is_setting =
        |name: &str| ["ENTRA_ASSETS_", "OTEL_", "DATABASE_URL"].iter().any(|start| name.starts_with(start));
    for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command.env("COLUMNS", "100").args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn help_names_every_command() {
    let help = text(&program(&["--help"]));
    for command in ["serve", "migrate", "openapi", "keys", "simulate", "demo"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{command}: {help}");
    }
}

#[test]
fn help_names_every_setting() {
    let help = text(&program(&["serve", "--help"]));
    for setting in [
        "DATABASE_URL",
        "ENTRA_ASSETS_MIGRATE_URL",
        "ENTRA_ASSETS_LISTEN_DATABASE_URL",
        "ENTRA_ASSETS_DATA_DIR",
        "ENTRA_ASSETS_LISTEN",
        "ENTRA_ASSETS_MASTER_KEY",
        "ENTRA_ASSETS_MASTER_KEY_FILE",
        "ENTRA_ASSETS_ADMIN_KEY",
        "ENTRA_ASSETS_LOGIN_URL",
        "ENTRA_ASSETS_GRAPH_URL",
        "ENTRA_ASSETS_ASSETS_URL",
        "ENTRA_ASSETS_WORKERS",
        "ENTRA_ASSETS_FEDERATED_ALLOW",
        "ENTRA_ASSETS_JWT_ISSUERS",
        "ENTRA_ASSETS_FORGE_APP_ID",
        "ENTRA_ASSETS_LICENSE_NAMES",
        "ENTRA_ASSETS_ROLE",
    ] {
        let shown = ["=", "]"].iter().any(|end| help.contains(&format!("[env: {setting}{end}")));
        assert!(shown, "{setting}: {help}");
    }
    assert!(help.contains("127.0.0.1:8080"), "{help}");
}

#[test]
fn a_wrong_setting_is_refused_with_its_name() {
    for (arguments, named) in [
        (["serve", "--admin-key", "short"], "--admin-key"),
        (["serve", "--role", "boss"], "--role"),
        (["serve", "--graph-url", "not a url"], "--graph-url"),
        (["serve", "--listen", "everywhere"], "--listen"),
    ] {
        let output = program(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && errors.contains(named), "{errors}");
    }
    let output = program(&["serve", "--database-url", "postgres://127.0.0.1:1/none"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && errors.lines().count() < 4, "{errors}");
}

/// An error ends up in logs and screenshots.
#[test]
fn an_error_of_the_command_line_shows_no_secret() {
    let secrets = [
        ("--admin-key", "hunter2-but-short", "ENTRA_ASSETS_ADMIN_KEY"),
        ("--proxy", "http://user:hunter2-of-the-proxy@no where", "ENTRA_ASSETS_PROXY"),
        ("--otlp-headers", "hunter2-without-a-name", "OTEL_EXPORTER_OTLP_HEADERS"),
    ];
    for (option, value, variable) in secrets {
        let by_option = program(&["serve", option, value]);
        let by_variable = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
            .args(["serve"])
            .env_clear()
            .env(variable, value)
            .output()
            .unwrap();
        for output in [by_option, by_variable] {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && errors.contains(option), "{errors}");
            assert!(!errors.contains("hunter2"), "{errors}");
        }
    }
    let help = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
        .args(["serve", "--help"])
        .env_clear()
        .env("ENTRA_ASSETS_PROXY", "http://user:hunter2@proxy.example")
        .env("DATABASE_URL", "postgres://user:hunter2@host/base")
        .output()
        .unwrap();
    assert!(!text(&help).contains("hunter2"));
}

#[test]
fn an_origin_with_a_path_is_refused() {
    let output = program(&["serve", "--cors-origins", "https://app.example.com/page"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && errors.contains("origin without a path"), "{errors}");
}

/// By `doctor` as by `serve`.
#[test]
fn what_is_no_id_of_a_forge_app_is_refused() {
    for command in ["serve", "doctor"] {
        for wrong in ["", "ari:cloud:ecosystem::app/", "ari:cloud:ecosystem::app/a b", "https://an.example/app"] {
            let output = program(&[command, "--forge-app-id", wrong]);
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && errors.contains("ari:cloud:ecosystem::app/<id>"), "{wrong}: {errors}");
        }
    }
}

#[test]
fn a_new_master_key_is_32_bytes() {
    use base64::Engine as _;
    let key = text(&program(&["keys", "master"]));
    assert_eq!(base64::engine::general_purpose::STANDARD.decode(key.trim()).unwrap().len(), 32);
}

#[test]
fn the_document_is_printed() {
    let document: serde_json::Value = serde_json::from_str(&text(&program(&["openapi"]))).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}

/// Every tenant of the simulators can be entered as it is printed.
#[test]
fn the_simulators_print_what_to_enter_for_each_tenant() {
    let mut simulators = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
        .args(["simulate", "--users", "20", "--groups", "4"])
        .args(["--login-port", "0", "--graph-port", "0", "--assets-port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let last = Scenario::ALL.last().unwrap().as_str();
    let mut printed = String::new();
    for line in BufReader::new(simulators.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        printed.push_str(&format!("{line}\n"));
        if line.starts_with(last) {
            break;
        }
    }
    simulators.kill().unwrap();
    simulators.wait().unwrap();
    assert!(!printed.contains("healthy"), "{printed}");
    for scenario in Scenario::ALL.iter().filter(|scenario| **scenario != Scenario::Healthy) {
        let line = printed.lines().find(|line| line.split_whitespace().next() == Some(scenario.as_str()));
        let entered = scenario.credentials();
        let words: Vec<&str> = line.unwrap_or_else(|| panic!("{printed}")).split_whitespace().skip(1).collect();
        assert_eq!(words, [entered.tenant_id, entered.client_id.to_string(), entered.client_secret]);
    }
}

/// Where another user may go too: as root, PostgreSQL runs as one without privileges.
fn data_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("entra-assets").tempdir_in("/tmp").unwrap()
}

/// A person sees the report of the tenant that they chose, and a script sees whether the check failed.
#[test]
fn the_demonstration_shows_what_is_wrong_with_a_tenant() {
    let data_dir = data_dir();
    for (tenant, says, fails) in [
        ("delegated", "Most likely the permissions were added as", true),
        ("pending", "Grant admin consent", true),
        ("expired-secret", "expired", true),
        ("secret-id", "Secret ID", true),
        ("wrong-tenant", "has no application with the client id", true),
        ("no-licences", "LicenseAssignment.Read.All", false),
    ] {
        let data_dir = data_dir.path().to_str().unwrap();
        let output =
            program(&["demo", "--tenant", tenant, "--exit", "--data-dir", data_dir, "--listen", "127.0.0.1:0"]);
        assert_eq!(output.status.success(), !fails, "{tenant}: {output:?}");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let flowing = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flowing.contains(says), "{tenant}: {shown}");
    }
}

/// With `--exit` nothing answers any more, so there is nothing to look at.
#[test]
fn a_demonstration_that_ends_leaves_no_addresses() {
    let data_dir = data_dir();
    let data_dir = data_dir.path().to_str().unwrap();
    let listen = ["--exit", "--listen", "127.0.0.1:0", "--data-dir", data_dir];
    let shown = text(&program(&[&["demo", "--users", "40", "--groups", "6"][..], &listen].concat()));
    assert!(shown.contains("Full run: "), "{shown}");
    assert!(!shown.contains("curl") && !shown.contains("Next steps"), "{shown}");
}

/// A script must be able to tell an interrupted demonstration from a successful one.
#[test]
fn a_demonstration_that_is_interrupted_fails() {
    let data_dir = data_dir();
    let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
    command.args(["demo", "--exit", "--users", "5000", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir.path());
    command.env_remove("DATABASE_URL").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut shown = BufReader::new(demo.stdout.take().unwrap());
    shown.read_line(&mut String::new()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&demo), rustix::process::Signal::INT).unwrap();
    std::io::copy(&mut shown, &mut std::io::sink()).unwrap();
    let ended = demo.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(errors.contains("interrupted"), "{errors}");
}

/// The key is stored in the data directory, where only the operator can read it. Whatever is no terminal may be a journal, so it
/// is told only where the key is, and only once.
#[test]
fn the_first_start_says_where_the_admin_key_is_although_it_fails() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data_dir = data_dir();
    let start = || program(&["serve", "--data-dir", data_dir.path().to_str().unwrap(), "--listen", &address]);
    let first = start();
    let file = data_dir.path().join("admin-key");
    let key = std::fs::read_to_string(&file).unwrap();
    let (shown, errors) = (String::from_utf8_lossy(&first.stdout), String::from_utf8_lossy(&first.stderr));
    assert!(!first.status.success() && errors.contains("ENTRA_ASSETS_LISTEN"), "{errors}");
    assert!(shown.contains(file.to_str().unwrap()), "{shown}");
    assert!(!shown.contains(key.trim()) && !errors.contains(key.trim()), "{shown}{errors}");
    assert!(!data_dir.path().join("postgres/postmaster.pid").exists(), "the embedded database still runs");
    let second = start();
    assert!(!second.status.success() && second.stdout.is_empty(), "{second:?}");
}
