//! `run`: starts a run of a job, and follows it if asked.

use super::{ServiceArgs, find};
use crate::cli::calls::Calls;
use crate::cli::output::{say, say_aside};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// How long the service waits for the next event of a run.
const WAIT_SECONDS: u32 = 20;

#[derive(Args)]
pub struct Run {
    /// Name or id of the job.
    job: String,
    /// What the run reads.
    #[arg(long, value_enum, default_value_t = Mode::Incremental)]
    mode: Mode,
    /// How many users a test reads. Only with `--mode test`.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
    /// Show the progress, and wait until the run ends. The exit code is 0 if it succeeded, also with warnings.
    #[arg(long)]
    follow: bool,
    /// Print JSON: the run, with `--follow` as it ended.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Mode {
    /// The first users with what belongs to them.
    Test,
    /// Everything.
    Full,
    /// What changed.
    Incremental,
    /// Everything; nothing is delivered.
    DryRun,
}

impl Mode {
    /// Its word in the API.
    fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::DryRun => "dryRun",
        }
    }
}

pub async fn run(arguments: &Run) -> Result<()> {
    let calls = arguments.service.calls()?;
    let job = find(&calls, "/v1/jobs", "job", &arguments.job).await?;
    let mut body = json!({"mode": arguments.mode.word()});
    if let Some(limit) = arguments.limit {
        body["limit"] = json!(limit);
    }
    let started = calls.post(&format!("/v1/jobs/{job}/runs"), &body).await?;
    let id = started["id"].as_str().context("an answer without an id")?.to_owned();
    if !arguments.follow {
        match arguments.json {
            true => say(&serde_json::to_string_pretty(&started)?),
            false => say(&format!("run {id} is {}", started["state"].as_str().unwrap_or("queued"))),
        }
        return Ok(());
    }
    say_aside(&format!("run {id}"));
    follow(&calls, &id).await?;
    let ended = calls.get(&format!("/v1/runs/{id}")).await?;
    match arguments.json {
        true => say(&serde_json::to_string_pretty(&ended)?),
        false => say(&in_words(&ended)),
    }
    match ended["state"].as_str() {
        Some("succeeded" | "degraded") => Ok(()),
        Some("awaitingApproval") => {
            bail!("the run waits for an approval: POST /v1/runs/{id}/approve, or look at its changes first")
        }
        state => bail!("the run ended {}", state.unwrap_or("in an unknown state")),
    }
}

/// Shows each stage as it goes on, on standard error, until the run ends or waits for somebody.
async fn follow(calls: &Calls, id: &str) -> Result<()> {
    let (mut after, mut shown) = (0, String::new());
    loop {
        let answer = calls.get(&format!("/v1/runs/{id}/events?after={after}&wait={WAIT_SECONDS}")).await?;
        for line in answer["items"].as_array().into_iter().flatten().filter_map(line) {
            if line != shown {
                say_aside(&line);
                shown = line;
            }
        }
        after = answer["nextAfter"].as_i64().unwrap_or(after);
        if answer["done"] == true || answer["state"] == "awaitingApproval" {
            return Ok(());
        }
    }
}

/// An event in one line, if it is worth one.
fn line(event: &Value) -> Option<String> {
    let data = &event["data"];
    match event["event"].as_str()? {
        "state" => Some(data["state"].as_str()?.to_owned()),
        "log" => Some(format!("  {}", data["message"].as_str()?)),
        "progress" => {
            let progress = &data["progress"];
            let of = progress["total"].as_u64().map(|total| format!(" of {total}")).unwrap_or_default();
            Some(format!("  {}: {}{of}", progress["stage"].as_str()?, progress["done"].as_u64()?))
        }
        _ => None,
    }
}

/// How a run ended: its counts, its warnings and its error.
fn in_words(run: &Value) -> String {
    let mut lines = vec![run["state"].as_str().unwrap_or("unknown").to_owned()];
    for (kind, counts) in run["counts"].as_object().into_iter().flatten() {
        let counts = counts.as_object().into_iter().flatten().filter(|(_, count)| count.as_u64().unwrap_or(0) > 0);
        let counts: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
        if !counts.is_empty() {
            lines.push(format!("  {kind}: {}", counts.join(", ")));
        }
    }
    for warning in run["warnings"].as_array().into_iter().flatten() {
        lines.push(format!("  ! {}", warning["detail"].as_str().unwrap_or_default()));
    }
    if let Some(detail) = run["error"]["detail"].as_str() {
        lines.push(format!("  ✗ {detail}"));
        lines.extend(run["error"]["advice"].as_str().map(|advice| format!("    {advice}")));
    }
    lines.join("\n")
}
