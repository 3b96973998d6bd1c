//! `version`: which program this is.

use super::output::say;
use crate::api::console;
use crate::config::Switch;
use crate::db::migrate;
use anyhow::Result;
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct Version {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Version) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    // The build says it, where it knows it.
    let commit = option_env!("ENTRA_ASSETS_COMMIT").filter(|commit| !commit.is_empty());
    let migration = migrate::newest()?;
    let features = features();
    if arguments.json {
        let facts = json!({"version": version, "commit": commit, "migration": migration, "features": features});
        say(&serde_json::to_string_pretty(&facts)?);
        return Ok(());
    }
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    say(&format!("entra-assets {version}"));
    say(&format!("commit: {}", commit.unwrap_or("unknown")));
    say(&format!("newest migration: {}", migration.as_deref().unwrap_or("none")));
    say(&format!("features: {features}"));
    Ok(())
}

/// What not every build has.
fn features() -> Vec<&'static str> {
    let known = [
        ("console", console::is_offered(Switch::On)),
        ("otlp", cfg!(feature = "otlp")),
        ("simulators", cfg!(feature = "simulators")),
    ];
    known.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
}
