//! `bench`: measures runs. The service, its PostgreSQL and the simulators are separate processes; the simulators are
//! not counted.
//!
//! Against other servers: give their three URLs, `--tenant-id`, `--client-id`, `--client-secret` and `--assets-token`.

mod arguments;
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
mod types;

use super::output;
use super::simulate::QuotaArg;
use crate::clock::Clock;
use anyhow::{Context, Result};
pub use arguments::BenchArgs;
use process::Scratch;
use serde_json::json;
use service::Service;
use std::time::Duration;
use step::Step;

/// Graph's quota has refilled after this time.
const REFILL: Duration = Duration::from_secs(11);

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
    let target = arguments.target(&scratch).await?;
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
