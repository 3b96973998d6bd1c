//! The commands: `serve migrate openapi doctor keys`, and with the feature `simulators` `simulate demo bench`.

#[cfg(feature = "simulators")]
mod bench;
#[cfg(feature = "simulators")]
mod calls;
#[cfg(feature = "simulators")]
mod demo;
mod doctor;
mod keys;
mod output;
#[cfg(feature = "simulators")]
mod simulate;
mod variables;

use crate::api::{self, openapi};
use crate::clock::Clock;
use crate::config::{LogSettings, Role, Settings};
use crate::serve::{self, Database};
use crate::shutdown::Shutdown;
use crate::telemetry;
use anyhow::{Context, Result, bail};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use output::{say, say_aside, say_error};
use secrecy::{ExposeSecret, SecretString};
use std::io::IsTerminal as _;
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

impl Cli {
    /// The demonstration logs warnings only, so that its progress bars are not interrupted.
    fn log_settings(&self) -> LogSettings {
        #[cfg(feature = "simulators")]
        if matches!(self.command, Command::Demo(_)) && self.log.log.is_none() {
            return LogSettings { log: Some("warn".to_owned()), ..self.log.clone() };
        }
        self.log.clone()
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run the service: the API and the workers that execute imports.
    Serve(Box<Serve>),
    /// Apply pending database migrations, or revert the latest ones.
    Migrate(Box<Migrate>),
    /// Print the OpenAPI document, or write it to files.
    Openapi(OpenApi),
    /// Run only the simulated Entra, Graph and Assets servers.
    #[cfg(feature = "simulators")]
    Simulate(simulate::SimulateArgs),
    /// Run the service with the simulators, and show one import from start to end.
    #[cfg(feature = "simulators")]
    Demo(Box<demo::DemoArgs>),
    /// Check settings, database, keys and network, and say how to fix what is wrong.
    Doctor(Box<doctor::DoctorArgs>),
    /// Measure the time, memory and requests of runs, against the simulators or other servers.
    #[cfg(feature = "simulators")]
    Bench(Box<bench::BenchArgs>),
    /// Manage API keys and the master key.
    #[command(subcommand)]
    Keys(Box<keys::Keys>),
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// The role of this process.
    #[arg(long, env = "ENTRA_ASSETS_ROLE", value_enum, default_value_t = Role::All)]
    role: Role,
}

#[derive(Args)]
struct Migrate {
    #[command(flatten)]
    settings: Settings,
    /// Revert the last N migrations. Data that only they hold is lost. Asks on a terminal before it does so.
    #[arg(long, value_name = "N")]
    down: Option<usize>,
    /// Revert without asking.
    #[arg(long, requires = "down")]
    yes: bool,
}

#[derive(Args)]
struct OpenApi {
    /// Print YAML instead of JSON.
    #[arg(long)]
    yaml: bool,
    /// Write openapi.json and openapi.yaml into this folder instead of printing.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Print the list of problem codes (docs/errors.md) instead.
    #[arg(long)]
    errors: bool,
}

/// Parses the command line and runs the command.
pub async fn main() -> ExitCode {
    let cli = parse().unwrap_or_else(|error| without_secrets(error).exit());
    let result = match telemetry::start_logging(&cli.log_settings()) {
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

fn parse() -> std::result::Result<Cli, clap::Error> {
    let matches = without_empty_variables(Cli::command()).try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

/// A variable that is set to nothing counts as not set: files of settings have such lines.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |argument: &clap::Arg| {
        argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.to_string_lossy().trim().is_empty())
    };
    let command = command.mut_args(|argument| match is_empty(&argument) {
        // No variable has this name.
        true => argument.env("").hide_env(true),
        false => argument,
    });
    command.mut_subcommands(without_empty_variables)
}

/// An error of the command line names the setting, but never shows the value of one that may hold a secret.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return error };
    let named = argument.split([' ', '=']).next().unwrap_or_default().trim_start_matches("--").to_owned();
    let command = Cli::command();
    let mut commands = vec![&command];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands());
        let is_secret =
            |argument: &clap::Arg| argument.get_long() == Some(named.as_str()) && argument.is_hide_env_values_set();
        if command.get_arguments().any(is_secret) {
            error.insert(ContextKind::InvalidValue, ContextValue::String("(not shown)".to_owned()));
            break;
        }
    }
    error
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve(serve) => run_service(*serve).await,
        Command::Migrate(migrate) => run_migrations(*migrate).await,
        #[cfg(feature = "simulators")]
        Command::Simulate(arguments) => simulate::run(&arguments).await,
        #[cfg(feature = "simulators")]
        Command::Demo(arguments) => Box::pin(demo::run(*arguments)).await,
        #[cfg(feature = "simulators")]
        Command::Bench(arguments) => Box::pin(bench::run(&arguments)).await,
        Command::Openapi(options) => write_document(&options),
        Command::Doctor(arguments) => Box::pin(doctor::run(&arguments, &variables::unknown(&Cli::command()))).await,
        Command::Keys(command) => Box::pin(keys::run(*command)).await,
    }
}

async fn run_service(serve: Serve) -> Result<()> {
    for wrong in variables::unknown(&Cli::command()) {
        tracing::warn!("{}: {}", wrong.name, wrong.advice());
    }
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let show_new_key = |key: &SecretString| {
        say(&format!("admin key (shown only once; it is stored in the data directory): {}", key.expose_secret()));
    };
    let service = serve::start(serve.settings, serve.role, Clock::system(), shutdown, show_new_key).await?;
    say(&format!("entra-assets answers at http://{}, documentation: http://{0}/docs/", service.address));
    Ok(service.run().await?)
}

async fn run_migrations(migrate: Migrate) -> Result<()> {
    let database = Database::open(&migrate.settings, &Clock::system()).await?;
    let migrated = run_migrations_on(&database, &migrate).await;
    database.close().await?;
    migrated
}

async fn run_migrations_on(database: &Database, migrate: &Migrate) -> Result<()> {
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
