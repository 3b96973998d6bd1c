//! `bench --load`: what the service costs beside its runs. How long a start takes, how soon a run begins, how many runs a
//! second workers claim, and how many requests the API answers beside a server that does the same transactions only.

mod api;
pub(super) mod bare;
mod drive;
mod figure;
mod queue;

use super::arguments::BenchArgs;
use super::process::Scratch;
use super::runs::Job;
use super::service::Service;
use super::target::Target;
use crate::cli::output;
use crate::clock::Clock;
use crate::db::Db;
use crate::db::connect::Options;
use crate::postgres;
use anyhow::{Context, Result, bail};
use figure::{Figure, medians, render};

/// Runs of fewer users are over before the API is measured beside them.
const LEAST_USERS: u32 = 20_000;

/// Measures as often as `arguments` says, and prints the medians.
pub(super) async fn run(arguments: &BenchArgs) -> Result<()> {
    if arguments.uses_simulators() && arguments.directory.users < LEAST_USERS {
        bail!(
            "runs of fewer users are over before the API is measured beside them: give --users {LEAST_USERS} or more, \
             such as `--users 20000 --groups 2000 --memberships 200000`"
        );
    }
    let mut measured: Vec<Vec<Figure>> = Vec::new();
    for repetition in 1..=arguments.repetitions {
        output::say_aside(&format!("repetition {repetition} of {}", arguments.repetitions));
        measured.push(repeat(arguments).await?);
    }
    let figures = medians(&measured);
    match arguments.json {
        true => output::say(&serde_json::to_string_pretty(&figures)?),
        false => output::say(&render(&figures)),
    }
    Ok(())
}

async fn repeat(arguments: &BenchArgs) -> Result<Vec<Figure>> {
    let scratch = Scratch::new(arguments.scratch.as_deref())?;
    let target = arguments.target(&scratch).await?;
    let mut figures = Vec::new();
    let no_limit = || vec![("ENTRA_ASSETS_RATE_LIMIT", "0".to_owned())];

    let (first, seconds) = start(&scratch, &target, no_limit()).await?;
    figures.push(Figure::new("start to ready, empty data directory", "s", seconds));
    first.stop().await?;
    let (service, seconds) = start(&scratch, &target, no_limit()).await?;
    figures.push(Figure::new("start to ready, later", "s", seconds));
    figures.push(Figure::new("resident memory, idle", "MB", service.resident_memory()? as f64 / 1e6));

    let job = Job::set_up(&service, &target).await?;
    figures.extend(queue::until_started(&job).await.context("how soon a run starts")?);
    figures.extend(api::measure(&scratch, &database_url(&scratch)?, &service, &job).await.context("the API")?);
    figures.push(Figure::new("resident memory, afterwards", "MB", service.resident_memory()? as f64 / 1e6));
    service.stop().await?;

    // Nobody else may claim what is queued next.
    let idle = vec![("ENTRA_ASSETS_ROLE", "api".to_owned())];
    let (service, _) = start(&scratch, &target, idle).await?;
    figures.extend(queue::claims(&database(&scratch)?).await.context("the queue")?);
    service.stop().await?;
    Ok(figures)
}

async fn start(scratch: &Scratch, target: &Target, more: Vec<(&'static str, String)>) -> Result<(Service, f64)> {
    let clock = Clock::system();
    let started = clock.instant();
    let service = Service::start_with(scratch, target, more).await?;
    Ok((service, clock.elapsed_since(started).as_secs_f64()))
}

/// The connection string of the running service's database.
fn database_url(scratch: &Scratch) -> Result<String> {
    let running = postgres::running(&scratch.0.join("data")).context("the service's database does not run")?;
    Ok(running.runtime)
}

fn database(scratch: &Scratch) -> Result<Db> {
    Ok(Db::new(&Options::new(&database_url(scratch)?.into(), None)?, bare::CONNECTIONS)?)
}
