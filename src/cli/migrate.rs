//! `migrate`: applies or reverts the migrations of the database.

use super::output::{say, say_aside};
use crate::clock::Clock;
use crate::config::Settings;
use crate::serve::Database;
use anyhow::{Result, bail};
use clap::Args;
use std::io::IsTerminal as _;

#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    settings: Settings,
    /// Revert the last N migrations. Data that only they hold is lost. Asks on a terminal before it does so.
    #[arg(long, value_name = "N")]
    down: Option<usize>,
    /// Revert without asking.
    #[arg(long, requires = "down")]
    yes: bool,
}

pub async fn run(migrate: Migrate) -> Result<()> {
    let database = Database::open(&migrate.settings, &Clock::system()).await?;
    let migrated = run_on(&database, &migrate).await;
    database.close().await?;
    migrated
}

async fn run_on(database: &Database, migrate: &Migrate) -> Result<()> {
    let names = match migrate.down {
        Some(count) => {
            let names = crate::db::migrate::last(&database.migrate, count).await?;
            if !names.is_empty() && !migrate.yes {
                confirm_revert(&names)?;
            }
            crate::db::migrate::down(&database.migrate, names.len()).await?
        }
        None => database.migrate().await?,
    };
    let (done, nothing) = match migrate.down {
        Some(_) => ("migration reverted", "no migration to revert"),
        None => ("migration applied", "no pending migrations"),
    };
    match names.is_empty() {
        true => say(nothing),
        false => names.iter().for_each(|name| say(&format!("{done}: {name}"))),
    }
    Ok(())
}

/// Reverting loses data, so a person has to say yes.
fn confirm_revert(names: &[String]) -> Result<()> {
    say_aside(&format!(
        "Reverting deletes the tables and columns that these migrations made, with all their data: {}.",
        names.join(", ")
    ));
    if !std::io::stdin().is_terminal() {
        bail!("nothing was reverted: add --yes if this is what you want");
    }
    say_aside("Type `yes` to revert:");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => bail!("nothing was reverted"),
    }
}
