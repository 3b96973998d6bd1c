//! The commands: `serve migrate openapi doctor keys simulate demo bench`.

mod bench;
mod calls;
mod demo;
mod doctor;
mod keys;
mod output;
mod simulate;

use crate::api::{self, openapi};
use crate::clock::Clock;
use crate::config::{LogSettings, Role, Settings};
use crate::serve::{self, Database};
use crate::shutdown::Shutdown;
use crate::telemetry;
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use output::{say, say_error};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::process::ExitCode;

/// Imports a Microsoft Entra ID directory into Jira Service Management Assets.
#[derive(Parser)]
#[command(name = "entra-assets", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    log: LogSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer the API and execute runs.
    Serve(Box<Serve>),
    /// Bring the tables up to date, or take migrations back.
    Migrate(Box<Migrate>),
    /// Print the OpenAPI document, or write it to files.
    Openapi(OpenApi),
    /// The two simulators alone.
    Simulate(simulate::SimulateArgs),
    /// Everything at once, with simulators, and the main job done while you watch.
    Demo(Box<demo::DemoArgs>),
    /// Look at settings, database, keys and network, and say what to mend.
    Doctor(Box<doctor::DoctorArgs>),
    /// Measure what runs cost, with the simulators or against other servers.
    Bench(Box<bench::BenchArgs>),
    /// API keys and the master key.
    #[command(subcommand)]
    Keys(Box<keys::Keys>),
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// What this process does.
    #[arg(long, env = "ENTRA_ASSETS_ROLE", value_enum, default_value_t = Role::All)]
    role: Role,
}

#[derive(Args)]
struct Migrate {
    #[command(flatten)]
    settings: Settings,
    /// Take the last N migrations back. Their data is lost.
    #[arg(long, value_name = "N")]
    down: Option<usize>,
}

#[derive(Args)]
struct OpenApi {
    /// Print YAML instead of JSON.
    #[arg(long)]
    yaml: bool,
    /// Write openapi.json and openapi.yaml into this folder instead of printing.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Print the page of problem codes (docs/errors.md) instead.
    #[arg(long)]
    errors: bool,
}

/// Parses the command line and carries the command out.
pub async fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if matches!(cli.command, Command::Demo(_)) && cli.log.log.is_none() {
        // What a person watches is not to be interrupted by what is in order.
        cli.log.log = Some("warn".to_owned());
    }
    let result = match telemetry::start_logging(&cli.log) {
        Ok(()) => run(cli.command).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve(serve) => run_service(*serve).await,
        Command::Migrate(migrate) => run_migrations(*migrate).await,
        Command::Simulate(arguments) => simulate::run(&arguments).await,
        Command::Demo(arguments) => Box::pin(demo::run(*arguments)).await,
        Command::Bench(arguments) => Box::pin(bench::run(&arguments)).await,
        Command::Openapi(options) => write_document(&options),
        Command::Doctor(arguments) => Box::pin(doctor::run(&arguments)).await,
        Command::Keys(command) => Box::pin(keys::run(*command)).await,
    }
}

async fn run_service(serve: Serve) -> Result<()> {
    let shutdown = Shutdown::on_signals().context("signals cannot be handled")?;
    let show_new_key = |key: &SecretString| {
        say(&format!("admin key (shown only now, kept in the data dir): {}", key.expose_secret()));
    };
    let service = serve::start(serve.settings, serve.role, Clock::system(), shutdown, show_new_key).await?;
    say(&format!("entra-assets answers at http://{}, its documentation at http://{0}/docs/", service.address));
    Ok(service.run().await?)
}

async fn run_migrations(migrate: Migrate) -> Result<()> {
    let database = Database::open(&migrate.settings, &Clock::system()).await?;
    let names = match migrate.down {
        Some(count) => crate::db::migrate::down(&database.migrate, count).await?,
        None => database.migrate().await?,
    };
    let verb = if migrate.down.is_some() { "took back" } else { "ran" };
    match names.is_empty() {
        true => say("nothing to do"),
        false => names.iter().for_each(|name| say(&format!("{verb} {name}"))),
    }
    Ok(database.close().await?)
}

fn write_document(options: &OpenApi) -> Result<()> {
    if options.errors {
        say(openapi::errors_page().trim_end());
        return Ok(());
    }
    let contract = api::contract()?;
    let document = contract.document();
    let (json, yaml) = (openapi::to_json(document), openapi::to_yaml(document));
    match &options.write {
        Some(folder) => {
            for (name, text) in [("openapi.json", &json), ("openapi.yaml", &yaml)] {
                let path = folder.join(name);
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        None => say(if options.yaml { &yaml } else { &json }.trim_end()),
    }
    Ok(())
}
