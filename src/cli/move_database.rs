//! `move-database`: from the embedded PostgreSQL to one that several processes can share.

use super::output::{say, say_aside};
use crate::clock::Clock;
use crate::config::{Settings, data_dir};
use crate::db::connect::Options;
use crate::db::{Db, migrate, relocate, secrets};
use crate::postgres::{self, Embedded};
use crate::seal::KeyRing;
use crate::serve::Database;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

const CONNECTIONS: u16 = 4;

#[derive(Args)]
pub struct MoveDatabase {
    /// The data directory has the source; DATABASE_URL and ENTRA_ASSETS_MIGRATE_URL name the target.
    #[command(flatten)]
    settings: Settings,
}

pub async fn run(arguments: &MoveDatabase) -> Result<()> {
    let settings = &arguments.settings;
    if settings.database.database_url.is_none() {
        bail!("the target is missing: set DATABASE_URL, and ENTRA_ASSETS_MIGRATE_URL to the role that owns the tables");
    }
    let data_dir = settings.database.data_dir()?;
    if !postgres::exists(&data_dir) {
        bail!("{} has no embedded database. Set ENTRA_ASSETS_DATA_DIR to the data directory", data_dir.display());
    }
    let keys = match &settings.security.master_key {
        Some(keys) => KeyRing::parse(keys)?,
        None if data_dir::master_key_file(&data_dir).is_some() => {
            KeyRing::parse(&data_dir::load_or_create_master_key(&data_dir)?.key)?
        }
        None => bail!("{} has no file `master-key`, so nobody could read the secrets", data_dir.display()),
    };
    let clock = Clock::system();
    let target = Database::open(settings, &clock).await?;
    // It cannot start while a service uses the data directory.
    let source = Embedded::start(&data_dir, &clock, postgres::Options::default()).await?;
    let moved = move_all(&source, &target, &keys).await;
    source.stop().await?;
    moved?;
    say("Everything was copied. The data directory is as it was, so keep it until the new database has a backup.");
    say("Start the service with the settings of this command, and with the same keys:");
    let of_settings = &settings.security;
    let files = [
        ("ENTRA_ASSETS_MASTER_KEY", of_settings.master_key.is_some(), data_dir::master_key_file(&data_dir)),
        ("ENTRA_ASSETS_ADMIN_KEY", of_settings.admin_key.is_some(), data_dir::admin_key_file(&data_dir)),
    ];
    for (setting, is_set, file) in files {
        if let Some(file) = file.filter(|_| !is_set) {
            say(&format!("  {setting}_FILE={}", file.display()));
        }
    }
    Ok(())
}

async fn move_all(source: &Embedded, target: &Database, keys: &KeyRing) -> Result<()> {
    let urls = source.urls();
    let options = |url: String| Options::new(&url.into(), None);
    if !migrate::pending(&options(urls.migrate)?).await?.is_empty() {
        bail!(
            "the data directory has the tables of an older version, and this command does not change it. Run \
             `entra-assets migrate` without DATABASE_URL first"
        );
    }
    open_secrets(&options(urls.runtime)?, keys).await.context("nothing was copied")?;
    migrate::up(&target.migrate, target.runtime.role().as_deref()).await.context("the target")?;
    let copied =
        relocate::copy(&options(urls.superuser)?, &target.migrate).await.map_err(|error| anyhow!(error.detail))?;
    for copied in copied.iter().filter(|copied| copied.rows > 0) {
        say_aside(&format!("{:>12}  {}", copied.rows, copied.table));
    }
    let opened = open_secrets(&target.runtime, keys).await.context("everything was copied")?;
    say_aside(&format!("{opened:>12}  secrets, all of which can be decrypted"));
    Ok(())
}

/// Decrypts every secret of a database. Returns how many there are.
async fn open_secrets(database: &Options, keys: &KeyRing) -> Result<u64> {
    let db = Db::new(database, CONNECTIONS)?;
    let tally = secrets::inspect(&db, keys).await.and_then(secrets::Tally::into_result);
    Ok(tally.context("not every secret can be decrypted with this master key")?.values)
}
