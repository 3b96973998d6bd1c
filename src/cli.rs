//! The commands. With the feature `simulators`, those that need them too: `simulate demo bench`.

#[cfg(feature = "simulators")]
mod bench;
mod calls;
#[cfg(feature = "simulators")]
mod demo;
mod doctor;
mod document;
mod health;
mod keys;
mod manual;
mod migrate;
mod move_database;
mod output;
mod runs;
mod shell;
#[cfg(feature = "simulators")]
mod simulate;
mod sources;
mod variables;
mod version;

use crate::clock::Clock;
use crate::config::{ConfigSettings, LogSettings, Role, Settings, data_dir};
use crate::serve;
use crate::shutdown::Shutdown;
use crate::telemetry;
use crate::trace::Traces;
use anyhow::{Context, Result};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use output::{say, say_error};
use secrecy::{ExposeSecret, SecretString};
use sources::Warning;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

/// Imports a Microsoft Entra ID directory into Jira Service Management Assets.
#[derive(Parser)]
#[command(name = "entra-assets", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    config: ConfigSettings,
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
    Migrate(Box<migrate::Migrate>),
    /// Copy everything from the embedded PostgreSQL into an empty database of another one.
    MoveDatabase(Box<move_database::MoveDatabase>),
    /// Print the OpenAPI document, or write it to files.
    Openapi(document::OpenApi),
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
    /// Check the settings of a connection, or the manifest of an app registration, without a service.
    Check(Box<shell::check::Check>),
    /// Start a run of a job, and follow it.
    Run(Box<shell::run::Run>),
    /// Show what a filter would import.
    Preview(Box<shell::preview::Preview>),
    /// Print connections, filters, destinations and jobs as a file that `apply` takes. It has no secrets.
    Export(Box<shell::settings::export::Export>),
    /// Make connections, filters, destinations and jobs what a file says. Nothing is deleted unless asked.
    Apply(Box<shell::settings::apply::Apply>),
    /// Ask a service on this machine whether it is ready. The exit code is 0 if it is.
    Health(health::Health),
    /// Print the version of the program, and what it was built with.
    Version(version::Version),
    /// Print the completions of a shell: `entra-assets completions bash > /etc/bash_completion.d/entra-assets`.
    Completions(manual::Completions),
    /// Write the manual pages into a folder, or print the first one.
    Man(manual::Man),
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// The role of this process.
    #[arg(long, env = "ENTRA_ASSETS_ROLE", value_enum, default_value_t = Role::All)]
    role: Role,
}

/// Parses the command line and runs the command.
pub async fn main() -> ExitCode {
    let program = program();
    let (cli, warnings) = match parse(&program) {
        Ok(parsed) => parsed,
        Err(error) => without_secrets(&program, error).exit(),
    };
    let result = match start_telemetry(&cli) {
        Ok(traces) => {
            let result = run(cli.command, &program, &warnings).await;
            if let Some(traces) = traces {
                traces.stop().await;
            }
            result
        }
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

/// Starts the log, and the traces of a service.
fn start_telemetry(cli: &Cli) -> crate::error::Result<Option<Traces>> {
    let traces = match &cli.command {
        Command::Serve(serve) => Traces::start(&serve.settings.traces, &serve.settings.http)?,
        _ => None,
    };
    telemetry::start_logging(&cli.log_settings(), traces.as_ref())?;
    Ok(traces)
}

/// Every command with all of its options.
fn program() -> clap::Command {
    sources::with_secret_files(Cli::command())
}

fn parse(program: &clap::Command) -> std::result::Result<(Cli, Vec<Warning>), clap::Error> {
    let given: Vec<_> = std::env::args_os().collect();
    let (matches, warnings) = sources::read(program, &given)?;
    Ok((Cli::from_arg_matches(&matches)?, warnings))
}

/// An error of the command line names the setting, but never shows the value of one that may hold a secret.
fn without_secrets(program: &clap::Command, mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return error };
    let named = argument.split([' ', '=']).next().unwrap_or_default().trim_start_matches("--").to_owned();
    let mut commands = vec![program];
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

async fn run(command: Command, program: &clap::Command, warnings: &[Warning]) -> Result<()> {
    match command {
        Command::Serve(serve) => run_service(*serve, program, warnings).await,
        Command::Migrate(migrate) => migrate::run(*migrate).await,
        Command::MoveDatabase(arguments) => Box::pin(move_database::run(&arguments)).await,
        #[cfg(feature = "simulators")]
        Command::Simulate(arguments) => simulate::run(&arguments).await,
        #[cfg(feature = "simulators")]
        Command::Demo(arguments) => Box::pin(demo::run(*arguments)).await,
        #[cfg(feature = "simulators")]
        Command::Bench(arguments) => Box::pin(bench::run(&arguments)).await,
        Command::Openapi(options) => document::write(&options),
        Command::Doctor(arguments) => Box::pin(doctor::run(&arguments, &variables::unknown(program), warnings)).await,
        Command::Keys(command) => Box::pin(keys::run(*command)).await,
        Command::Check(arguments) => Box::pin(shell::check::run(&arguments)).await,
        Command::Run(arguments) => shell::run::run(&arguments).await,
        Command::Preview(arguments) => shell::preview::run(&arguments).await,
        Command::Export(arguments) => shell::settings::export::run(&arguments).await,
        Command::Apply(arguments) => Box::pin(shell::settings::apply::run(&arguments)).await,
        Command::Health(arguments) => health::run(&arguments).await,
        Command::Version(arguments) => version::run(&arguments),
        Command::Completions(arguments) => manual::write_completions(&arguments, program.clone()),
        Command::Man(arguments) => manual::write_pages(&arguments, program.clone()),
    }
}

async fn run_service(serve: Serve, program: &clap::Command, warnings: &[Warning]) -> Result<()> {
    for wrong in variables::unknown(program) {
        tracing::warn!("{}: {}", wrong.name, wrong.advice());
    }
    for warning in warnings {
        tracing::warn!("{}: {}", warning.name, warning.text);
    }
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let data_dir = serve.settings.database.data_dir().ok();
    let show_new_key = |key: &SecretString| say(&of_new_key(key, data_dir.as_deref()));
    let service = serve::start(serve.settings, serve.role, Clock::system(), shutdown, show_new_key).await?;
    say(&format!("entra-assets answers at http://{}, documentation: http://{0}/docs/", service.address));
    Ok(service.run().await?)
}

/// Where the new admin key is. It is shown to a person only: what is printed elsewhere gets into a journal.
fn of_new_key(key: &SecretString, data_dir: Option<&Path>) -> String {
    match data_dir.and_then(data_dir::admin_key_file).filter(|_| !std::io::stdout().is_terminal()) {
        Some(file) => format!("a new admin key is in {}", file.display()),
        None => format!("admin key (shown only once; it is stored in the data directory): {}", key.expose_secret()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(path: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    /// The settings of `serve` that are not files with a secret, each with its row of the README.
    fn rows() -> Vec<(String, String)> {
        let mut program = program();
        program.build();
        let serve = program.find_subcommand("serve").unwrap();
        let of = |argument: &clap::Arg| {
            let name = argument.get_env()?.to_str()?.to_owned();
            if argument.get_help_heading().is_some() {
                return None;
            }
            let default = argument.get_default_values().first().map(|value| format!("`{}`", value.to_string_lossy()));
            let help = argument.get_help().unwrap().to_string();
            let default = default.unwrap_or_else(|| "unset".to_owned());
            Some((name.clone(), format!("| `{name}` | {default} | {}. |", help.trim_end_matches('.'))))
        };
        serve.get_arguments().filter_map(of).collect()
    }

    /// The command line is the one source of the settings.
    #[test]
    fn every_setting_is_described_where_operators_look() {
        let (readme, environment) = (read("README.md"), read("deploy/systemd/environment.example"));
        let rows = rows();
        assert!(rows.len() > 30, "{rows:?}");
        let missing: Vec<&str> =
            rows.iter().map(|(_, row)| row.as_str()).filter(|row| !readme.lines().any(|line| line == *row)).collect();
        assert!(missing.is_empty(), "README.md lacks:\n{}", missing.join("\n"));
        let described = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let described =
            described.map(|(name, _)| name).filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        let unknown: Vec<&str> = described.filter(|name| rows.iter().all(|(known, _)| known != name)).collect();
        assert!(unknown.is_empty(), "README.md has settings that the program does not have: {unknown:?}");
        for (name, _) in rows {
            let is_there = environment.lines().any(|line| line.starts_with(&format!("#{name}=")));
            assert!(is_there, "deploy/systemd/environment.example lacks {name}");
        }
    }
}
