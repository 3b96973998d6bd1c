//! `bench`: measures runs. The service, its PostgreSQL and the simulators are separate processes; the simulators are
//! not counted.
//!
//! Against other servers: give their three URLs, `--tenant-id`, `--client-id`, `--client-secret` and `--assets-token`.

mod download;
mod load;
mod plan;
mod process;
mod ratios;
mod runs;
mod service;
mod step;
mod table;
mod target;

use super::output;
use super::simulate::{DirectoryArgs, QuotaArg};
use crate::clock::Clock;
use crate::config::HostSettings;
use anyhow::{Context, Result, bail};
use clap::Args;
use process::Scratch;
use secrecy::SecretString;
use serde_json::json;
use service::Service;
use std::path::PathBuf;
use std::time::Duration;
use step::Step;
use target::{Simulators, Target};

/// Graph's quota has refilled after this time.
const REFILL: Duration = Duration::from_secs(11);

#[derive(Args)]
pub struct BenchArgs {
    #[command(flatten)]
    directory: DirectoryArgs,
    #[command(flatten)]
    hosts: HostSettings,
    /// Number of repetitions; the table shows medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
    /// Steps to measure, in this order.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Step::ALL)]
    steps: Vec<Step>,
    /// Only download the pages that a full run reads, with the same HTTP client, and discard them.
    #[arg(long)]
    download_only: bool,
    /// Measure what the service costs beside its runs: its start, its queue and its API.
    #[arg(long)]
    load: bool,
    /// Only serve what the API is compared with, from this database.
    #[arg(long, env = "ENTRA_ASSETS_BENCH_BARE_DATABASE_URL", hide = true, hide_env_values = true)]
    bare_database_url: Option<String>,
    /// Fraction of the directory that changes before an incremental run. Simulators only.
    #[arg(long, default_value_t = 0.01)]
    share: f64,
    /// Directory for the database and the logs of the processes. Unset: the system's temporary directory.
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Tenant to read, with other servers.
    #[arg(long)]
    tenant_id: Option<String>,
    #[arg(long)]
    client_id: Option<String>,
    #[arg(long, env = "ENTRA_ASSETS_BENCH_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<SecretString>,
    /// With other servers: the token of the import source.
    #[arg(long, env = "ENTRA_ASSETS_BENCH_ASSETS_TOKEN", hide_env_values = true)]
    assets_token: Option<SecretString>,
}

pub async fn run(arguments: &BenchArgs) -> Result<()> {
    if let Some(url) = &arguments.bare_database_url {
        return load::bare::serve(url).await;
    }
    if arguments.load {
        return load::run(arguments).await;
    }
    let steps = if arguments.download_only { vec![Step::Download] } else { arguments.steps.clone() };
    let mut measured = Vec::new();
    for repetition in 1..=arguments.repetitions {
        output::say_aside(&format!("repetition {repetition} of {}", arguments.repetitions));
        measured.push(repeat(arguments, &steps).await?);
    }
    let rows = table::medians(&measured);
    if arguments.json {
        output::say(&serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    output::say(&table::render(&rows));
    for (name, ratio) in ratios::ratios(&rows) {
        output::say(&format!("{name}: {ratio:.3}"));
    }
    Ok(())
}

/// One repetition, with new processes and an empty database.
async fn repeat(arguments: &BenchArgs, steps: &[Step]) -> Result<Vec<table::Measured>> {
    let scratch = Scratch::new(arguments.scratch.as_deref())?;
    let target = target(arguments, &scratch).await?;
    let mut measured = Vec::new();
    let mut service: Option<(Service, runs::Job)> = None;
    for (number, step) in steps.iter().enumerate() {
        if number > 0 && arguments.directory.quota != QuotaArg::None {
            Clock::system().sleep(REFILL).await;
        }
        if *step == Step::Download {
            measured.push(download::measure(&target).await.context("the plain download")?);
            continue;
        }
        let (service, job) = match &service {
            Some(known) => known,
            None => {
                let started = Service::start(&scratch, &target).await?;
                let job = runs::Job::set_up(&started, &target).await?;
                service.insert((started, job))
            }
        };
        if let Some(simulators) = &target.simulators {
            match step {
                Step::Incremental => simulators.change(&json!({"share": arguments.share})).await?,
                Step::Changed => simulators.change(&json!({"users": 500, "groups": 100})).await?,
                Step::Download | Step::Test | Step::Full | Step::Repeat | Step::Nothing => {}
            }
        }
        let row = job.measure(service, &target, *step).await.with_context(|| format!("the step {step:?}"))?;
        output::say_aside(&table::line(&row));
        measured.push(row);
    }
    if let Some((service, _)) = service {
        service.stop().await?;
    }
    Ok(measured)
}

async fn target(arguments: &BenchArgs, scratch: &Scratch) -> Result<Target> {
    let hosts = &arguments.hosts;
    let (Some(login), Some(graph), Some(assets)) = (&hosts.login_url, &hosts.graph_url, &hosts.assets_url) else {
        if hosts.login_url.is_some() || hosts.graph_url.is_some() || hosts.assets_url.is_some() {
            bail!("give all three of --login-url, --graph-url and --assets-url, or none for the simulators");
        }
        return Simulators::start(&arguments.directory, scratch).await;
    };
    let (Some(tenant), Some(client), Some(secret), Some(token)) =
        (&arguments.tenant_id, &arguments.client_id, &arguments.client_secret, &arguments.assets_token)
    else {
        bail!("other servers need --tenant-id, --client-id, --client-secret and --assets-token");
    };
    Ok(Target {
        login: login.clone(),
        graph: graph.clone(),
        assets: assets.clone(),
        tenant_id: tenant.clone(),
        client_id: client.clone(),
        client_secret: secret.clone(),
        assets_token: token.clone(),
        simulators: None,
    })
}
