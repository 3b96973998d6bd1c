//! Where the program takes its settings from: options, variables, files with secrets, a config file.

use crate::support::test_app::TestApp;
use crate::support::world::ADMIN_KEY;
use entra_assets::seal::KeyRing;
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// What the program says with only these variables, on standard output and standard error, and whether it was content.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
    let output = command.args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap();
    let Output { status, stdout, stderr } = output;
    (status.success(), [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat())
}

fn write(dir: &TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The variables that a file can stand for, as the help lists them.
fn secrets() -> BTreeSet<String> {
    let (_, help) = run(&["serve", "--help"], &[]);
    let variables: BTreeSet<&str> =
        help.split("[env: ").skip(1).map(|rest| rest.split(['=', ']']).next().unwrap()).collect();
    let with_file = variables.iter().filter(|name| variables.contains(format!("{name}_FILE").as_str()));
    with_file.map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_secret_of_the_service_can_be_a_file() {
    let known =
        ["DATABASE_URL", "ENTRA_ASSETS_ADMIN_KEY", "ENTRA_ASSETS_LISTEN_DATABASE_URL", "ENTRA_ASSETS_MASTER_KEY"];
    let more = ["ENTRA_ASSETS_MIGRATE_URL", "ENTRA_ASSETS_PROXY", "OTEL_EXPORTER_OTLP_HEADERS"];
    let known = known.into_iter().chain(more);
    assert_eq!(secrets(), known.map(str::to_owned).collect());
}

/// What only the program itself sets is in no help, and neither is a file with it.
#[test]
fn the_file_of_a_hidden_secret_is_hidden_too() {
    let (content, said) = run(&["bench", "--help"], &[]);
    assert!(content && said.contains("--client-secret-file"), "{said}");
    assert!(!said.contains("bare-database-url"), "{said}");
}

/// Otherwise it would fail after some minutes.
#[test]
fn a_load_beside_runs_that_are_too_short_is_refused_at_the_start() {
    let (content, said) = run(&["bench", "--load", "--users", "19999"], &[]);
    assert!(!content && said.contains("give --users 20000 or more"), "{said}");
}

#[test]
fn a_secret_and_a_file_with_it_are_not_both_set() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(&dir, "secret", "http://from-a-file-of-more-than-32-characters");
    for name in secrets() {
        let of_file = format!("{name}_FILE");
        let value = match name.ends_with("_HEADERS") {
            true => "x-key=hunter2",
            false => "http://hunter2-of-more-than-32-characters-at-least",
        };
        let (content, said) = run(&["serve"], &[(name.as_str(), value), (of_file.as_str(), text(&file))]);
        assert!(!content && said.contains(&format!("{name} and {of_file} are both set")), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let (content, said) = run(&["serve", "--proxy", "http://127.0.0.1:9"], &[("ENTRA_ASSETS_PROXY_FILE", text(&file))]);
    assert!(!content && said.contains("--proxy and ENTRA_ASSETS_PROXY_FILE are both set"), "{said}");
}

#[test]
fn a_file_that_has_no_secret_is_named_with_its_setting() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let (empty, long) = (write(&dir, "empty", "\n"), write(&dir, "long", vec![b'a'; 70_000]));
    for name in secrets() {
        let of_file = format!("{name}_FILE");
        for (path, why) in [
            (missing.as_path(), "No such file"),
            (dir.path(), "is a directory"),
            (empty.as_path(), "is empty"),
            (long.as_path(), "more than 65536 bytes"),
        ] {
            let (content, said) = run(&["serve"], &[(of_file.as_str(), text(path))]);
            assert!(!content && said.contains(&format!("{of_file}: ")), "{said}");
            assert!(said.contains(text(path)) && said.contains(why), "{said}");
        }
    }
}

#[test]
fn a_value_that_a_file_has_wrong_is_not_shown_and_its_file_is() {
    let dir = tempfile::tempdir().unwrap();
    let short = write(&dir, "short", "hunter2");
    let config = write(&dir, "config.toml", "workers = 1000\n");
    let (content, said) = run(&["serve"], &[("ENTRA_ASSETS_ADMIN_KEY_FILE", text(&short))]);
    assert!(!content && said.contains("--admin-key") && said.contains(text(&short)), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    let (content, said) = run(&["serve", "--config", text(&config)], &[]);
    assert!(!content && said.contains("1000") && said.contains("`workers`") && said.contains(text(&config)), "{said}");
}

#[test]
fn a_config_file_is_refused_with_the_name_that_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let file = |text: &str| write(&dir, "config.toml", text);
    for (content, part) in [
        ("listn = '127.0.0.1:1'", "Did you mean `listen`?"),
        ("admin_key = 'a'\nadmin_key_file = 'b'", "are both set"),
        ("listen = ", "line 1"),
        ("[server]\nlisten = 'x'", "`server`"),
    ] {
        let path = file(content);
        let (is_content, said) = run(&["serve", "--config", text(&path)], &[]);
        assert!(!is_content && said.contains(part) && said.contains(text(&path)), "{content}: {said}");
    }
    let (content, said) = run(&["serve"], &[("ENTRA_ASSETS_CONFIG", "/no/such/file.toml")]);
    assert!(!content && said.contains("/no/such/file.toml"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_from_files_unless_a_variable_has_them() {
    let app = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let urls = &app.world.database.urls;
    let key = write(&dir, "master-key", format!("{}\r\n", KeyRing::generate().expose_secret()));
    let url = write(&dir, "url", format!("{}\n", urls.runtime));
    let config = write(
        &dir,
        "config.toml",
        format!(
            "# Settings\nworkers = 3\nmaster_key_file = '{}'\nadmin_key = '{ADMIN_KEY}'\nmigrate_url = '{}'\n\
             login_url = '{}'\ngraph_url = '{}'\nassets_url = '{}'\ncors_origins = ['https://a.example', 'https://b.example']\n",
            key.display(),
            urls.migrate,
            app.world.graph.login_origin(),
            app.world.graph.graph_origin(),
            app.world.assets.origin()
        ),
    );
    let doctor = |more: &[(&str, &str)]| {
        let variables = [("ENTRA_ASSETS_CONFIG", text(&config)), ("DATABASE_URL_FILE", text(&url))];
        run(&["doctor"], &[&variables[..], more].concat()).1
    };
    let said = doctor(&[]);
    for line in [
        "ok    workers: 3 with 16 database connections",
        "ok    admin key: set by ENTRA_ASSETS_ADMIN_KEY",
        "ok    master key",
        "ok    database: connected to PostgreSQL",
        "ok    migrations: up to date",
        "ok    Microsoft Graph",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    assert!(!said.contains("chmod"), "{said}");
    let said =
        doctor(&[("ENTRA_ASSETS_WORKERS", "2"), ("ENTRA_ASSETS_MASTER_KEY", "no-key"), ("ENTRA_ASSETS_LOG", "")]);
    assert!(said.contains("ok    workers: 2 with"), "{said}");
    assert!(said.contains("FAIL  master key"), "{said}");
    // The master key and the file with the admin key in it.
    for path in [&key, &config] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let said = doctor(&[]);
    for path in [&key, &config] {
        assert!(said.contains(&format!("chmod o= {}", path.display())), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_whether_the_service_is_ready() {
    let app = TestApp::start().await;
    let address = app.origin().strip_prefix("http://").unwrap().to_owned();
    let health = |listen: String| {
        // A proxy of the environment is for elsewhere.
        let variables = [("ENTRA_ASSETS_LISTEN", listen.as_str()), ("HTTP_PROXY", "http://127.0.0.1:9")];
        run(&["health"], &variables)
    };
    assert_eq!(health(address.clone()), (true, "ready\n".to_owned()));
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    assert_eq!(health(everywhere), (true, "ready\n".to_owned()));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (content, said) = health(closed.clone());
    assert!(!content && said.contains(&format!("the service at {closed} does not answer")), "{said}");
}

#[test]
fn a_version_says_what_the_program_was_built_with() {
    let (content, said) = run(&["version", "--json"], &[]);
    assert!(content, "{said}");
    let version: serde_json::Value = serde_json::from_str(&said).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let newest = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).max();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["migration"].as_str().map(str::to_owned), newest);
    assert!(version["features"].as_array().unwrap().contains(&"simulators".into()), "{version}");
    let (_, said) = run(&["version"], &[]);
    assert!(said.starts_with(&format!("entra-assets {}\n", env!("CARGO_PKG_VERSION"))), "{said}");
}

#[test]
fn shells_and_man_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (content, said) = run(&["completions", shell], &[]);
        assert!(content && said.contains("doctor") && said.contains("rate-limit"), "{shell}: {said}");
    }
    let dir = tempfile::tempdir().unwrap();
    let secret = "http://user:hunter2@proxy.example";
    let variables = [("ENTRA_ASSETS_PROXY", secret), ("ENTRA_ASSETS_DATA_DIR", "/a/folder/of/this/machine")];
    let (content, said) = run(&["man", "--write", text(dir.path())], &variables);
    assert!(content, "{said}");
    let serve = fs::read_to_string(dir.path().join("entra-assets-serve.1")).unwrap();
    assert!(serve.contains("ENTRA_ASSETS_RATE_LIMIT"), "{serve}");
    assert!(!serve.contains("hunter2") && !serve.contains("/a/folder"), "{serve}");
    assert!(dir.path().join("entra-assets-keys-create.1").exists());
    let (content, said) = run(&["man"], &[]);
    assert!(content && said.contains("entra\\-assets"), "{said}");
}
