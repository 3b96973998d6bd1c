//! `DATABASE_URL`: a PostgreSQL elsewhere, with TLS as `sslmode` says.

use crate::postgres::{FAST, eventually, leave_behind, own, stop_by_hand};
use crate::support::postgres::TestDatabase;
use entra_assets::clock::Clock;
use entra_assets::db::{Db, connect, inspect, migrate};
use entra_assets::error::Code;
use entra_assets::postgres::Embedded;
use entra_assets::serve::Database;
use futures_util::future::join_all;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A server on TCP, with a certificate for `localhost` when it has `tls`.
struct Elsewhere {
    dir: TempDir,
    port: u16,
    server: Child,
}

impl Elsewhere {
    async fn start(tls: bool) -> Self {
        let dir = TempDir::new().unwrap();
        Embedded::start(dir.path(), &Clock::system(), FAST).await.unwrap().stop().await.unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut settings = format!(" -c listen_addresses=127.0.0.1 -c port={port}");
        if tls {
            write_certificates(dir.path());
            settings += " -c ssl=on -c ssl_cert_file=server.crt -c ssl_key_file=server.key";
        }
        let server = leave_behind(dir.path(), &settings);
        let elsewhere = Self { dir, port, server };
        eventually("the server answers", async || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() && elsewhere.ping("prefer", None).await.is_ok()
        })
        .await;
        elsewhere
    }

    fn options(&self, sslmode: &str, ca_file: Option<PathBuf>) -> connect::Options {
        let url = format!("postgres://entra_assets_owner@localhost:{}/entra_assets?sslmode={sslmode}", self.port);
        connect::Options::new(&url.into(), ca_file).unwrap()
    }

    async fn ping(&self, sslmode: &str, ca_file: Option<PathBuf>) -> entra_assets::error::Result<()> {
        Db::new(&self.options(sslmode, ca_file), 4)?.ping().await
    }

    fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        stop_by_hand(&mut self.server);
    }
}

/// `ca.pem` in the data dir; the server's certificate and key in the cluster.
fn write_certificates(data_dir: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    fs::write(data_dir.join("ca.pem"), authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let cluster = data_dir.join("postgres");
    fs::write(cluster.join("server.crt"), server.pem()).unwrap();
    fs::write(cluster.join("server.key"), key.serialize_pem()).unwrap();
    own(&cluster, "server.crt");
    own(&cluster, "server.key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_connection_migrates_and_answers() {
    let elsewhere = Elsewhere::start(true).await;
    let options = elsewhere.options("verify-full", Some(elsewhere.ca_file()));
    assert!(!migrate::up(&options, Some("entra_assets")).await.unwrap().is_empty());
    elsewhere.ping("require", Some(elsewhere.ca_file())).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_when_tls_is_required() {
    let elsewhere = Elsewhere::start(true).await;
    assert!(elsewhere.ping("require", None).await.is_err());
    elsewhere.ping("prefer", None).await.unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_tls_is_required() {
    let elsewhere = Elsewhere::start(false).await;
    assert!(elsewhere.ping("require", None).await.is_err());
    elsewhere.ping("prefer", None).await.unwrap();
    elsewhere.ping("disable", None).await.unwrap();
}

/// The database of a service whose processes know its own role only.
fn without_owner(database: &TestDatabase) -> Database {
    let options = || connect::Options::new(&database.urls.runtime.clone().into(), None).unwrap();
    Database { embedded: None, runtime: options(), migrate: options(), listen: options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_needs_the_owners_password_only_for_migrations() {
    let migrated = TestDatabase::create().await;
    assert_eq!(without_owner(&migrated).migrate().await.unwrap(), Vec::<String>::new());
    let empty = TestDatabase::create_empty().await;
    assert!(without_owner(&empty).migrate().await.is_err(), "the role may not create tables");
}

/// pgbouncer in front of a database, as Debian packages it.
struct Pooler {
    _dir: TempDir,
    port: u16,
    process: Child,
}

impl Pooler {
    async fn start(elsewhere: &Elsewhere, pool_mode: &str) -> Self {
        let program = std::env::var_os("PGBOUNCER").unwrap_or_else(|| "pgbouncer".into());
        let dir = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (users, file) = (dir.path().join("users"), dir.path().join("pgbouncer.ini"));
        fs::write(&users, "\"entra_assets_owner\" \"\"\n").unwrap();
        let settings = format!(
            "[databases]\nentra_assets = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {pool_mode}\n",
            elsewhere.port,
            users.display()
        );
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program);
        // It refuses to be root.
        if rustix::process::getuid().is_root() {
            command.args(["-u", "nobody"]);
            for path in [dir.path(), &users, &file] {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let process = command.arg("-q").arg(file).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { _dir: dir, port, process };
        eventually("the pooler listens", async || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        pooler
    }

    fn options(&self) -> connect::Options {
        let url = format!("postgres://entra_assets_owner@127.0.0.1:{}/entra_assets?sslmode=disable", self.port);
        connect::Options::new(&url.into(), None).unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pgbouncer before 1.21: make contract"]
async fn a_pooler_that_loses_prepared_statements_is_refused_with_what_to_do() {
    let elsewhere = Elsewhere::start(false).await;
    inspect::check_prepared_statements(&elsewhere.options("disable", None)).await.unwrap();

    let transactions = Pooler::start(&elsewhere, "transaction").await;
    let error = inspect::check_prepared_statements(&transactions.options()).await.unwrap_err();
    assert_eq!(error.code, Code::ConfigurationInvalid);
    assert!(error.detail.contains("max_prepared_statements"), "{}", error.detail);

    let sessions = Pooler::start(&elsewhere, "session").await;
    inspect::check_prepared_statements(&sessions.options()).await.unwrap();
    inspect::check_notifications(&sessions.options(), &sessions.options(), &Clock::system()).await.unwrap();
    let db = Db::new(&sessions.options(), 8).unwrap();
    for answer in join_all((0..40).map(|_| db.ping())).await {
        answer.unwrap();
    }
}
