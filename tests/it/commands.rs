//! The commands `doctor` and `keys`, as an operator runs them.

use crate::support::postgres::{TestDatabase, connect};
use crate::support::test_app::TestApp;
use entra_assets::clock::Clock;
use entra_assets::db::secrets::{self, SEALED};
use entra_assets::seal::KeyRing;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// What a command printed, and whether it was content.
async fn run(app: &TestApp, arguments: &[&str], database_url: &str, master_keys: &str) -> (bool, String) {
    let world = &app.world;
    let output = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", database_url)
        .env("ENTRA_ASSETS_MIGRATE_URL", &world.database.urls.migrate)
        .env("ENTRA_ASSETS_MASTER_KEY", master_keys)
        .env("ENTRA_ASSETS_LOGIN_URL", world.graph.login_origin())
        .env("ENTRA_ASSETS_GRAPH_URL", world.graph.graph_origin())
        .env("ENTRA_ASSETS_ASSETS_URL", world.assets.origin())
        .output()
        .await
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_is_content_and_says_what_it_looked_at() {
    let app = TestApp::start().await;
    // The doctor compares the sign-in service's time with the machine's.
    let behind = Clock::system().now() - app.world.clock.now();
    app.world.clock.advance(behind.to_std().unwrap());
    let key = KeyRing::generate();
    let (content, text) = run(&app, &["doctor"], &app.world.database.urls.runtime, key.expose_secret()).await;
    assert!(content, "{text}");
    for line in [
        "ok    master key",
        "ok    database: connected to PostgreSQL",
        "ok    workers: 4 with 16 database connections",
        "ok    clock: agrees with the database's",
        "ok    migrations: up to date",
        "ok    runtime role",
        "ok    row-level security",
        "ok    LISTEN",
        "ok    secrets: all 0",
        "ok    sign-in service",
        "ok    Microsoft Graph",
        "ok    Assets",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(key.expose_secret()));
}

/// Through a proxy that is not there nothing is reached, and what is said of it names where the requests would go.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_at_the_real_hosts_when_none_are_set() {
    let output = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
        .arg("doctor")
        .env_clear()
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")
        .env("ENTRA_ASSETS_MASTER_KEY", KeyRing::generate().expose_secret())
        .env("ENTRA_ASSETS_PROXY", "http://127.0.0.1:9")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "sign-in service: https://login.microsoftonline.com/ cannot be reached",
        "Microsoft Graph: https://graph.microsoft.com/ cannot be reached",
        "Assets: https://api.atlassian.com/ cannot be reached",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_a_strong_role_a_missing_migration_and_a_wrong_key() {
    let app = TestApp::start().await;
    app.create_destination().await;
    let (urls, key) = (&app.world.database.urls, KeyRing::generate());
    let (content, text) = run(&app, &["doctor"], &urls.superuser, key.expose_secret()).await;
    assert!(!content);
    assert!(text.contains("FAIL  runtime role") && text.contains("NOBYPASSRLS"), "{text}");
    assert!(text.contains("FAIL  secrets: 1 of 1"), "{text}");
    let (_, text) = run(&app, &["doctor"], &urls.migrate, key.expose_secret()).await;
    assert!(text.contains("FAIL  runtime role") && text.contains("owns the tables"), "{text}");
    run(&app, &["migrate", "--down", "1", "--yes"], &urls.runtime, key.expose_secret()).await;
    let (content, text) = run(&app, &["doctor"], &urls.runtime, key.expose_secret()).await;
    assert!(!content && text.contains("FAIL  migrations: 1 pending"), "{text}");
    let (content, text) = run(&app, &["doctor"], "postgres://nobody@127.0.0.1:1/nothing", key.expose_secret()).await;
    assert!(!content && text.contains("FAIL  database"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rotating_seals_everything_with_the_first_key() {
    let app = TestApp::start().await;
    let (old, new) = (KeyRing::generate(), KeyRing::generate());
    let both: SecretString = format!("{},{}", new.expose_secret(), old.expose_secret()).into();
    // What the service itself sealed is sealed with the old key.
    app.create_destination().await;
    let mut world_ring = app.world.app.keys.clone();
    let tally = secrets::inspect(&app.world.app.db, &world_ring).await.unwrap();
    assert_eq!((tally.values, tally.stale, tally.unreadable.len()), (1, 0, 0));
    let superuser = connect(&app.world.database.urls.superuser).await;
    let row = superuser.query_one("SELECT id::text, token_sealed FROM destinations", &[]).await.unwrap();
    let (id, sealed): (String, Vec<u8>) = (row.get(0), row.get(1));
    let place = entra_assets::seal::Place {
        table: "destinations",
        column: "token_sealed",
        organization: entra_assets::ids::OrganizationId::DEFAULT,
        row: id.parse().unwrap(),
    };
    let secret = world_ring.open(place, &sealed).unwrap();
    world_ring = KeyRing::parse(&old).unwrap();
    let sealed = world_ring.seal(place, secret.expose_secret()).unwrap();
    superuser.execute("UPDATE destinations SET token_sealed = $1", &[&sealed]).await.unwrap();

    let runtime = app.world.database.urls.runtime.clone();
    let (content, text) = run(&app, &["keys", "rotate"], &runtime, new.expose_secret()).await;
    assert!(!content && text.contains("1 of 1 stored secrets cannot be opened"), "{text}");
    let (content, text) = run(&app, &["keys", "rotate"], &runtime, both.expose_secret()).await;
    assert!(content && text.contains("1 of 1 stored secrets were re-encrypted"), "{text}");
    let only_new = KeyRing::parse(&new).unwrap();
    let row = superuser.query_one("SELECT token_sealed FROM destinations", &[]).await.unwrap();
    assert_eq!(only_new.open(place, row.get(0)).unwrap().expose_secret(), secret.expose_secret());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sealed_column_is_known() {
    let app = TestApp::start().await;
    let columns = "SELECT table_name::text, column_name::text FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name LIKE '%\\_sealed'";
    let superuser = connect(&app.world.database.urls.superuser).await;
    let found: BTreeSet<(String, String)> =
        superuser.query(columns, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let known = SEALED.map(|(table, column, _)| (table.to_owned(), column.to_owned()));
    assert_eq!(found, BTreeSet::from(known));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_and_revoked_without_the_api() {
    let app = TestApp::start().await;
    let (runtime, master) = (app.world.database.urls.runtime.clone(), KeyRing::generate());
    let keys = async |arguments: &[&str]| {
        let (content, text) = run(&app, &[&["keys"], arguments].concat(), &runtime, master.expose_secret()).await;
        assert!(content, "{text}");
        text.trim().to_owned()
    };
    let key = keys(&["create", "--name", "Script", "--scopes", "read,run"]).await;
    app.call_with(&key, Method::GET, "/v1/jobs").send().await.expect(200);
    app.call_with(&key, Method::GET, "/v1/api-keys").send().await.problem(403, "forbidden");
    let listed = app.get("/v1/api-keys").await.expect(200);
    assert_eq!(
        (&listed["items"][0]["name"], &listed["items"][0]["scopes"]),
        (&json!("Script"), &json!(["read", "run"]))
    );
    let id = listed["items"][0]["id"].as_str().unwrap();
    assert!(keys(&["list"]).await.contains(id));
    keys(&["revoke", id]).await;
    app.call_with(&key, Method::GET, "/v1/jobs").send().await.problem(401, "unauthenticated");
    let (content, text) = run(&app, &["keys", "revoke", id], &runtime, master.expose_secret()).await;
    assert!(!content && text.contains("There is no API key"), "{text}");
}

/// `entra-assets serve 2>&1 | head -2`: the log has no reader any more, and the service does not need one.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_log_is_closed_still_stops_at_a_signal() {
    let app = TestApp::start().await;
    let urls = &app.world.database.urls;
    let mut service = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("DATABASE_URL", &urls.runtime)
        .env("ENTRA_ASSETS_MIGRATE_URL", &urls.migrate)
        .env("ENTRA_ASSETS_MASTER_KEY", KeyRing::generate().expose_secret())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let first = BufReader::new(service.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    assert!(first.starts_with("entra-assets answers at"), "{first}");
    drop(service.stderr.take());
    let id = rustix::process::Pid::from_raw(i32::try_from(service.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), service.wait()).await;
    assert!(ended.expect("the service ignored SIGTERM").unwrap().success());
}

/// What `serve` would refuse, `doctor` finds before.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_settings_that_cannot_work() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
        .arg("doctor")
        .env_clear()
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")
        .env("ENTRA_ASSETS_MASTER_KEY", KeyRing::generate().expose_secret())
        .env("ENTRA_ASSETS_CA_FILE", empty.path())
        .env("ENTRA_ASSETS_LICENSE_NAMES", "/no/such/file.csv")
        .env("ENTRA_ASSETS_WORKER", "2")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "FAIL  ENTRA_ASSETS_WORKER: no setting has this name, so it is ignored. Did you mean ENTRA_ASSETS_WORKERS?",
        "FAIL  licence names: ENTRA_ASSETS_LICENSE_NAMES: cannot read /no/such/file.csv",
        "it contains no certificate in PEM form",
        "Check host, port, user, password",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_changes_nothing_in_an_empty_database() {
    let key = KeyRing::generate();
    let empty = TestDatabase::create_empty().await;
    let output = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
        .arg("doctor")
        .env_clear()
        .env("DATABASE_URL", format!("{}\n", empty.urls.migrate))
        .env("ENTRA_ASSETS_MASTER_KEY", key.expose_secret())
        .env("ENTRA_ASSETS_PROXY", "http://127.0.0.1:9")
        // What is set to nothing is not set.
        .env("ENTRA_ASSETS_LISTEN", "")
        .env("ENTRA_ASSETS_CA_FILE", " ")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("FAIL  migrations"), "{text}");
    let superuser = connect(&empty.urls.superuser).await;
    let tables =
        superuser.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace", &[]).await.unwrap();
    assert_eq!(tables.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_reverted_only_after_a_yes() {
    let app = TestApp::start().await;
    let (urls, key) = (&app.world.database.urls, KeyRing::generate());
    let (content, text) = run(&app, &["migrate", "--down", "99"], &urls.runtime, key.expose_secret()).await;
    assert!(!content && text.contains("nothing was reverted") && text.contains("--yes"), "{text}");
    assert!(app.world.count("jobs").await >= 0, "the tables are still there");
}

/// The command of the README, with the README's roles: row-level security hides nothing from it, and what it writes can be
/// restored by the owner of an empty database.
#[tokio::test(flavor = "multi_thread")]
async fn the_backup_of_the_readme_is_whole() {
    let app = TestApp::start().await;
    app.create_destination().await;
    let restored = TestDatabase::create_empty().await;
    let readme = include_str!("../../README.md");
    let command = |start: &str| readme.lines().map(str::trim).find(|line| line.contains(start)).unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let superuser = connect(&app.world.database.urls.superuser).await;
    // The server outlives this test, and so does the role.
    let roles = superuser.query("SELECT FROM pg_roles WHERE rolname = 'entra_assets_backup'", &[]).await.unwrap();
    if roles.is_empty() {
        superuser.batch_execute(&command("CREATE ROLE entra_assets_backup")).await.unwrap();
    }
    // Another database may be connected to by everybody; those of the tests may not.
    let database: String = superuser.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    superuser.batch_execute(&format!("GRANT CONNECT ON DATABASE {database} TO entra_assets_backup")).await.unwrap();
    let mut backup = url::Url::parse(&app.world.database.urls.superuser).unwrap();
    backup.set_username("entra_assets_backup").unwrap();
    for line in [command("pg_dump --format=custom"), command("pg_restore --exit-on-error")] {
        let binaries = std::env::var_os("PG_BIN_DIR").map(PathBuf::from);
        let of_the_system = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(binaries.into_iter().chain(std::env::split_paths(&of_the_system))).unwrap();
        let output = Command::new("bash")
            .args(["-euc", &line])
            .current_dir(folder.path())
            .env("PATH", path)
            .env("BACKUP_DATABASE_URL", backup.as_str())
            .env("EMPTY_DATABASE_URL", &restored.urls.migrate)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }
    let superuser = connect(&restored.urls.superuser).await;
    let rows: i64 = superuser.query_one("SELECT count(*) FROM destinations", &[]).await.unwrap().get(0);
    assert_eq!(rows, 1);
}

/// Connections that say nothing take file descriptors. Some are kept for those who have something to say.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_do_not_stop_the_service() {
    let app = TestApp::start().await;
    let urls = &app.world.database.urls;
    // A low limit that the service may raise, as many systems have it.
    let mut service = Command::new("bash")
        .args(["-c", "ulimit -Sn 128 && exec \"$0\" serve --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_entra-assets")])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("DATABASE_URL", &urls.runtime)
        .env("ENTRA_ASSETS_MASTER_KEY", KeyRing::generate().expose_secret())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let first = BufReader::new(service.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let address = first.strip_prefix("entra-assets answers at http://").unwrap().split(',').next().unwrap().to_owned();
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(tokio::net::TcpStream::connect(&address).await.unwrap());
    }
    let health = Command::new(env!("CARGO_BIN_EXE_entra-assets"))
        .args(["health", "--listen", &address])
        .env_clear()
        .output()
        .await
        .unwrap();
    assert!(health.status.success(), "{health:?}");
    drop(silent);
}

/// Nothing in the database would keep organizations apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_as_superuser_is_refused_where_a_setting_forbids_it() {
    let (empty, migrated) = (TestDatabase::create_empty().await, TestDatabase::create().await);
    let serve = |database_url: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(more).env_clear().kill_on_drop(true);
        command.env("DATABASE_URL", database_url).env("ENTRA_ASSETS_MASTER_KEY", KeyRing::generate().expose_secret());
        command
    };
    for forbidden in [("--allow-superuser=off", "on"), ("--console=on", "off")] {
        let (argument, variable) = forbidden;
        let mut command = serve(&empty.urls.superuser, &[argument]);
        let output = command.env("ENTRA_ASSETS_ALLOW_SUPERUSER", variable).output().await.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        for part in ["`postgres`", "NOSUPERUSER", "DATABASE_URL", "ENTRA_ASSETS_MIGRATE_URL", "--allow-superuser"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
    let superuser = connect(&empty.urls.superuser).await;
    let tables = "SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert!(superuser.query(tables, &[]).await.unwrap().is_empty(), "nothing was migrated either");

    // The database of this test is on this machine, so it is allowed where nothing is set.
    for allowed in [("--allow-superuser", "off"), ("--console=on", "on"), ("--console=on", "")] {
        let (argument, variable) = allowed;
        let mut command = serve(&migrated.urls.superuser, &[argument]);
        command.env("ENTRA_ASSETS_ALLOW_SUPERUSER", variable).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut service = command.spawn().unwrap();
        let first = BufReader::new(service.stdout.take().unwrap()).lines().next_line().await.unwrap();
        assert!(first.is_some_and(|line| line.starts_with("entra-assets answers at")), "{allowed:?}");
    }
}
