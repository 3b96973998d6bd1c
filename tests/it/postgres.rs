//! The embedded PostgreSQL: starting, stopping, and every way of not being stopped.

use entra_assets::clock::Clock;
use entra_assets::postgres::{Embedded, OWNER_ROLE, Options, RUNTIME_ROLE};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

pub const FAST: Options = Options { fsync: false, max_connections: 20 };

async fn start(data_dir: &Path) -> entra_assets::error::Result<Embedded> {
    Embedded::start(data_dir, &Clock::system(), FAST).await
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

fn postmaster_pid(data_dir: &Path) -> i32 {
    let file = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Starts the server of a stopped cluster again without its owner, as an earlier process that was killed
/// leaves it behind, with more settings (` -c name=value`).
pub fn leave_behind(data_dir: &Path, settings: &str) -> Child {
    let cluster = data_dir.join("postgres");
    let line = fs::read_to_string(cluster.join("postmaster.opts")).unwrap();
    fs::create_dir_all(data_dir.join("run")).unwrap();
    fs::set_permissions(data_dir.join("run"), fs::Permissions::from_mode(0o700)).unwrap();
    let owner = fs::metadata(&cluster).unwrap();
    std::os::unix::fs::chown(data_dir.join("run"), Some(owner.uid()), Some(owner.gid())).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {} {settings}", line.trim())]);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").process_group(0);
    if is_root() {
        shell.uid(owner.uid()).gid(owner.gid());
    }
    shell.spawn().unwrap()
}

/// Gives a file of a cluster to the cluster's owner alone.
pub fn own(cluster: &Path, name: &str) {
    let owner = fs::metadata(cluster).unwrap();
    fs::set_permissions(cluster.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(cluster.join(name), Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// A fast shutdown of a server that [`leave_behind`] started.
pub fn stop_by_hand(server: &mut Child) {
    let pid = rustix::process::Pid::from_child(server);
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    let _ = server.wait();
}

/// Polls until a condition of another process holds.
pub async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut holds: F) {
    let clock = Clock::system();
    for _ in 0..1000 {
        if holds().await {
            return;
        }
        clock.sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}

#[tokio::test]
async fn a_new_data_dir_gets_two_plain_roles_and_a_database() {
    let dir = TempDir::new().unwrap();
    let postgres = start(&dir.path().join("deep/data")).await.unwrap();
    let urls = postgres.urls();
    let runtime = connect(&urls.runtime).await;
    assert_eq!(text(&runtime, "SELECT current_user::text").await, RUNTIME_ROLE);
    assert_eq!(text(&runtime, "SELECT current_database()::text").await, "entra_assets");
    let privileged = "SELECT count(*)::text FROM pg_roles WHERE rolname LIKE 'entra_assets%' AND (rolsuper OR \
                      rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)";
    assert_eq!(text(&runtime, privileged).await, "0");
    assert_eq!(
        text(&runtime, &format!("SELECT pg_has_role('{RUNTIME_ROLE}', '{OWNER_ROLE}', 'MEMBER')::text")).await,
        "false"
    );
    assert!(runtime.batch_execute("CREATE TABLE public.t ()").await.is_err());
    let owner = connect(&urls.migrate).await;
    owner.batch_execute("CREATE TABLE public.t (); CREATE SCHEMA s").await.unwrap();
    assert_eq!(text(&runtime, "SHOW listen_addresses").await, "");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn data_outlives_a_stop_and_a_start() {
    let dir = TempDir::new().unwrap();
    let postgres = start(dir.path()).await.unwrap();
    let owner = connect(&postgres.urls().migrate).await;
    owner.batch_execute("CREATE TABLE t AS SELECT 'kept' AS word").await.unwrap();
    let pid = postmaster_pid(dir.path());
    postgres.stop().await.unwrap();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    let postgres = start(dir.path()).await.unwrap();
    assert_eq!(text(&connect(&postgres.urls().migrate).await, "SELECT word FROM t").await, "kept");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_instance_is_refused_and_told_who_has_the_data_dir() {
    let dir = TempDir::new().unwrap();
    let postgres = start(dir.path()).await.unwrap();
    let error = start(dir.path()).await.err().unwrap();
    assert!(error.detail.contains(&format!("(process {})", std::process::id())), "{error}");
    assert!(error.detail.contains(&*dir.path().to_string_lossy()), "{error}");
    connect(&postgres.urls().runtime).await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_is_started_again_with_its_data() {
    let dir = TempDir::new().unwrap();
    let postgres = start(dir.path()).await.unwrap();
    let urls = postgres.urls();
    let owner = connect(&urls.migrate).await;
    owner.batch_execute("CREATE TABLE t AS SELECT 'kept' AS word").await.unwrap();
    // A checkpoint, because this cluster works without fsync.
    connect(&urls.superuser).await.batch_execute("CHECKPOINT").await.unwrap();
    let first = postmaster_pid(dir.path());
    kill(first);
    eventually("the server is back", async || {
        let Ok((client, connection)) = tokio_postgres::connect(&urls.migrate, NoTls).await else { return false };
        tokio::spawn(connection);
        client.query_one("SELECT word FROM t", &[]).await.is_ok_and(|row| row.get::<_, String>(0) == "kept")
    })
    .await;
    assert_ne!(postmaster_pid(dir.path()), first);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_keeps_dying_is_given_up_with_a_reason() {
    let dir = TempDir::new().unwrap();
    let postgres = start(dir.path()).await.unwrap();
    let ended = tokio::spawn(postgres.watch());
    // Without this file a start fails, so the server cannot come back.
    fs::remove_file(dir.path().join("postgres/global/pg_control")).unwrap();
    kill(postmaster_pid(dir.path()));
    let why = ended.await.unwrap();
    assert!(why.contains("pg_control"), "{why}");
    assert!(postgres.stop().await.is_err());
}

#[tokio::test]
async fn a_server_left_by_a_killed_process_is_stopped_and_started_anew() {
    let dir = TempDir::new().unwrap();
    let postgres = start(dir.path()).await.unwrap();
    let urls = postgres.urls();
    postgres.stop().await.unwrap();
    let mut leftover = leave_behind(dir.path(), "");
    eventually("the leftover serves", async || tokio_postgres::connect(&urls.runtime, NoTls).await.is_ok()).await;
    // Reaps the leftover, as init does for a process whose parent was killed.
    let pid = leftover.id();
    let reaper = std::thread::spawn(move || leftover.wait().unwrap());
    let postgres = start(dir.path()).await.unwrap();
    assert!(reaper.join().unwrap().success());
    assert_ne!(postmaster_pid(dir.path()).unsigned_abs(), pid);
    connect(&postgres.urls().runtime).await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_of_an_innocent_process_harms_neither() {
    let dir = TempDir::new().unwrap();
    let postgres = start(dir.path()).await.unwrap();
    postgres.stop().await.unwrap();
    let cluster = dir.path().join("postgres");
    let owner = fs::metadata(&cluster).unwrap();
    let mut innocent = Command::new("sleep");
    innocent.arg("60");
    if is_root() {
        innocent.uid(owner.uid());
    }
    let mut innocent = innocent.spawn().unwrap();
    let stale = format!("{}\n{}\n1700000000\n5432\n\n\n\nready\n", innocent.id(), cluster.display());
    fs::write(cluster.join("postmaster.pid"), stale).unwrap();
    let postgres = start(dir.path()).await.unwrap();
    assert!(innocent.try_wait().unwrap().is_none(), "it was ended");
    connect(&postgres.urls().runtime).await;
    postgres.stop().await.unwrap();
    innocent.kill().unwrap();
    innocent.wait().unwrap();
}

#[tokio::test]
async fn a_data_dir_too_deep_for_a_socket_works() {
    let dir = TempDir::new().unwrap();
    let data_dir = dir.path().join("d".repeat(120));
    let postgres = start(&data_dir).await.unwrap();
    connect(&postgres.urls().runtime).await;
    assert!(!data_dir.join("run").exists());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_data_dir_below_a_private_folder_works() {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = dir.path().join("data");
    let postgres = start(&data_dir).await.unwrap();
    postgres.stop().await.unwrap();
    let postgres = start(&data_dir).await.unwrap();
    kill(postmaster_pid(&data_dir));
    let urls = postgres.urls();
    eventually("the server is back", async || tokio_postgres::connect(&urls.runtime, NoTls).await.is_ok()).await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_first_start_is_begun_again() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("postgres.new/base")).unwrap();
    fs::write(dir.path().join("postgres.new/PG_VERSION"), "15\n").unwrap();
    let postgres = start(dir.path()).await.unwrap();
    connect(&postgres.urls().runtime).await;
    postgres.stop().await.unwrap();
}
