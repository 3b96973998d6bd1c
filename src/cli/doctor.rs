//! `doctor`: looks at everything that the service stands on, and says of each thing whether it is right and, if not,
//! what to do. It changes nothing.

mod findings;
mod network;

use super::output::say;
use super::sources::Warning;
use super::variables::Unknown;
use crate::app;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::data_dir;
use crate::db::connect::Options;
use crate::db::{Db, inspect, migrate, secrets};
use crate::error::{Code, Error};
use crate::http;
use crate::postgres;
use crate::seal::KeyRing;
use crate::serve::{self, Database};
use anyhow::{Result, bail};
use clap::Args;
use findings::{Findings, words};
use std::fs;

const CONNECTIONS: u16 = 4;
/// A difference between clocks that somebody should know of.
const REMARKABLE_SECONDS: i64 = 5;

#[derive(Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    settings: Settings,
}

/// `unknown`: the variables that no setting has. `warnings`: what is wrong with files of settings.
pub async fn run(arguments: &DoctorArgs, unknown: &[Unknown], warnings: &[Warning]) -> Result<()> {
    let (settings, clock) = (&arguments.settings, Clock::system());
    let mut findings = Findings::default();
    unknown.iter().for_each(|wrong| findings.fail(&wrong.name, &wrong.advice()));
    warnings.iter().for_each(|warning| findings.note(&warning.name, &warning.text));
    findings.result("workers", settings.check_connections(), |()| {
        format!("{} with {} database connections", settings.concurrent_runs(), settings.database_connections())
    });
    check_admin_key(&mut findings, settings);
    let keys = check_master_key(&mut findings, settings);
    if let Some(path) = &settings.license_names {
        let names = app::license_names(settings);
        findings.result("licence names", names, |_| format!("{} can be used", path.display()));
    }
    if settings.database.database_url.is_none() {
        check_data_dir(&mut findings, settings);
    }
    check_database(&mut findings, settings, keys, &clock).await;
    if let Some(client) = findings.result("HTTP client", http::client(&settings.http), |_| of_client(settings)) {
        network::check(&mut findings, &client, settings, &clock).await;
    }
    match findings.failures {
        0 => {
            say("all checks passed");
            Ok(())
        }
        1 => bail!("1 check failed"),
        many => bail!("{many} checks failed"),
    }
}

fn of_client(settings: &Settings) -> String {
    let proxy = settings
        .http
        .proxy
        .as_ref()
        .map_or("no proxy".to_owned(), |proxy| format!("proxy {}", proxy.host_str().unwrap_or_default()));
    match &settings.http.ca_file {
        Some(path) => format!("{proxy}, additional certificate authorities from {}", path.display()),
        None => proxy,
    }
}

fn check_admin_key(findings: &mut Findings, settings: &Settings) {
    match (&settings.security.admin_key, &settings.database.database_url) {
        (Some(_), _) => findings.ok("admin key", "set by ENTRA_ASSETS_ADMIN_KEY"),
        (None, None) => findings.ok("admin key", "stored in the data directory"),
        (None, Some(_)) => findings.note(
            "admin key",
            "ENTRA_ASSETS_ADMIN_KEY is not set; only API keys work. Create one with `entra-assets keys create --name … --scopes admin`.",
        ),
    }
}

/// The key ring, if there is one. Does not create one.
fn check_master_key(findings: &mut Findings, settings: &Settings) -> Option<KeyRing> {
    let is_embedded = settings.database.database_url.is_none();
    let is_set = settings.security.master_key.is_some();
    if is_embedded && !is_set {
        let data_dir = findings.result_quietly("data directory", settings.database.data_dir())?;
        if data_dir::master_key_file(&data_dir).is_none() {
            match postgres::exists(&data_dir) {
                true => findings.fail("master key", "The data directory contains a database but no `master-key` file. Restore the file from a backup: without it no stored secret can be decrypted."),
                false => findings.note("master key", "not created yet; the first start of the service creates it in the data directory"),
            }
            return None;
        }
    }
    findings.result("master key", serve::master_keys(settings, is_embedded), |_| "readable".to_owned())
}

fn check_data_dir(findings: &mut Findings, settings: &Settings) {
    let Some(data_dir) = findings.result_quietly("data directory", settings.database.data_dir()) else { return };
    let Ok(metadata) = fs::metadata(&data_dir) else {
        findings.note(
            "data directory",
            &format!("{} does not exist yet; the first start of the service creates it", data_dir.display()),
        );
        return;
    };
    if !metadata.is_dir() {
        findings.fail(
            "data directory",
            &format!("{} is not a directory. Set ENTRA_ASSETS_DATA_DIR to a directory.", data_dir.display()),
        );
        return;
    }
    if let Err(error) = tempfile::tempfile_in(&data_dir) {
        let detail =
            format!("{} is not writable: {error}. Make the user of the service its owner.", data_dir.display());
        findings.fail("data directory", &detail);
        return;
    }
    let open: Vec<String> = ["master-key", "admin-key"]
        .into_iter()
        .filter(|name| data_dir::is_open_to_others(&data_dir.join(name)))
        .map(|name| format!("chmod 600 {}", data_dir.join(name).display()))
        .collect();
    if open.is_empty() {
        findings.ok(
            "data directory",
            &format!("{} is writable, and other users cannot read the keys in it", data_dir.display()),
        );
    } else {
        findings.fail("data directory", &format!("other users can read the keys in it. Run: {}", open.join("; ")));
    }
}

async fn check_database(findings: &mut Findings, settings: &Settings, keys: Option<KeyRing>, clock: &Clock) {
    if settings.database.database_url.is_none()
        && settings.database.data_dir().is_ok_and(|data_dir| !postgres::exists(&data_dir))
    {
        findings.note("database", "not created yet; the first start of the service creates it in the data directory");
        return;
    }
    let opened = Database::open_beside(settings, clock).await;
    let Some(database) = findings.result_quietly("database", opened) else { return };
    check_open_database(findings, settings, keys, &database, clock).await;
    if let Err(error) = database.close().await {
        findings.fail("database", &words(&error));
    }
}

async fn check_open_database(
    findings: &mut Findings,
    settings: &Settings,
    keys: Option<KeyRing>,
    database: &Database,
    clock: &Clock,
) {
    if let Err(error) = inspect::check_prepared_statements(&database.runtime).await
        && error.code == Code::ConfigurationInvalid
    {
        findings.fail("database", &words(&error));
        return;
    }
    let reached = inspect::version(&database.runtime).await.map_err(|error| {
        let advice = match &settings.database.database_url {
            Some(_) => "Check host, port, user, password and `sslmode` in DATABASE_URL, and that the server runs and allows this host in pg_hba.conf.",
            None => "The embedded PostgreSQL does not answer. Look into postgres.log in the data directory.",
        };
        Error::new(error.code, format!("{} {advice}", words(&error)))
    });
    if findings.result("database", reached, |version| format!("connected to PostgreSQL {version}")).is_none() {
        return;
    }
    check_clock(findings, &database.runtime, clock).await;
    let is_current = check_migrations(findings, &database.migrate).await;
    check_roles(findings, &database.runtime).await;
    let heard = inspect::check_notifications(&database.runtime, &database.listen, clock).await.map_err(|error| {
        let advice = "If a transaction pooler is in between, set ENTRA_ASSETS_LISTEN_DATABASE_URL to the address of the database itself. Without LISTEN runs start a few seconds later.";
        Error::new(error.code, format!("{} {advice}", words(&error)))
    });
    findings.result("LISTEN", heard, |()| "notifications arrive".to_owned());
    if let (Some(keys), true) = (keys, is_current) {
        let opened = match Db::new(&database.runtime, CONNECTIONS) {
            Ok(db) => secrets::inspect(&db, &keys).await.and_then(secrets::Tally::into_result),
            Err(error) => Err(error),
        };
        let tally = findings.result("secrets", opened, |tally| format!("all {} can be decrypted", tally.values));
        if let Some(stale) = tally.map(|tally| tally.stale).filter(|stale| *stale > 0) {
            findings.note(
                "secrets",
                &format!("encrypted with an older master key: {stale}. `entra-assets keys rotate` re-encrypts them with the current one."),
            );
        }
    } else if settings.database.database_url.is_some() {
        findings.note("secrets", "not checked, because an earlier check failed");
    }
}

/// The service goes by the clock of the database, so a difference harms no run.
async fn check_clock(findings: &mut Findings, options: &Options, clock: &Clock) {
    let time = match Db::new(options, CONNECTIONS) {
        Ok(db) => db.time().await,
        Err(error) => Err(error),
    };
    let difference = time.map(|time| (time - clock.now()).num_seconds());
    let Some(seconds) = findings.result_quietly("clock", difference) else { return };
    if seconds.abs() < REMARKABLE_SECONDS {
        findings.ok("clock", "agrees with the database's");
    } else {
        let detail = format!(
            "the database's is {seconds} s ahead of this machine's. The service goes by the database's. Set both by NTP."
        );
        findings.note("clock", &detail);
    }
}

async fn check_migrations(findings: &mut Findings, options: &Options) -> bool {
    match migrate::pending(options).await {
        Ok(names) if names.is_empty() => {
            findings.ok("migrations", "up to date");
            true
        }
        Ok(names) => {
            let detail = format!(
                "{} pending: {}. Start the service, or run `entra-assets migrate`.",
                names.len(),
                names.join(", ")
            );
            findings.fail("migrations", &detail);
            false
        }
        Err(error) => {
            findings.fail("migrations", &words(&error));
            false
        }
    }
}

async fn check_roles(findings: &mut Findings, runtime: &Options) {
    match inspect::runtime_role(runtime).await {
        Ok(role) if role.bypasses_security => findings.fail(
            "runtime role",
            &format!("{0} is a superuser or may bypass row-level security, so the database does not separate organizations. Run: ALTER ROLE \"{0}\" NOSUPERUSER NOBYPASSRLS;", role.name),
        ),
        Ok(role) if role.owns_tables => findings.fail(
            "runtime role",
            &format!("{} owns the tables, so it can disable row-level security. Make another role the owner: set that role in ENTRA_ASSETS_MIGRATE_URL, and the runtime role in DATABASE_URL.", role.name),
        ),
        Ok(role) => findings.ok("runtime role", &format!("{} is subject to row-level security", role.name)),
        Err(error) => findings.fail("runtime role", &words(&error)),
    }
    match inspect::unprotected_tables(runtime).await {
        Ok(tables) if tables.is_empty() => findings.ok("row-level security", "forced on all tables"),
        Ok(tables) => findings.fail(
            "row-level security",
            &format!(
                "not forced on {}. Run `entra-assets migrate`; if that does not help, find out who disabled it.",
                tables.join(", ")
            ),
        ),
        Err(error) => findings.fail("row-level security", &words(&error)),
    }
}
