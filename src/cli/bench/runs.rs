//! Runs of one job, started and watched over the API as any caller would, and what they took.

use super::plan::Plan;
use super::service::Service;
use super::step::Step;
use super::table::Measured;
use super::target::Target;
use crate::cli::calls::Calls;
use crate::cli::runs::{has_succeeded, kind_of, state_of, word};
use crate::clock::Clock;
use crate::run_state::{EventKind, RunStage, RunState};
use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::time::Duration;

/// Users of a test run.
const TEST_LIMIT: u32 = 100;

/// A connection, a destination and a job over them.
pub(super) struct Job {
    calls: Calls,
    id: String,
}

/// What the events of a run say of one of its stages.
#[derive(Default)]
struct Stage {
    ended: Option<DateTime<Utc>>,
    done: f64,
}

impl Job {
    pub(super) async fn set_up(service: &Service, target: &Target) -> Result<Self> {
        let calls = Calls::new(&service.address, &service.key)?;
        let connection = json!({
            "name": "Bench", "tenantId": target.tenant_id, "clientId": target.client_id, "cloud": "global",
            "credential": {"kind": "clientSecret", "secret": target.client_secret.expose_secret()},
        });
        let connection = calls.create("/v1/connections", &connection).await.context("the connection")?;
        let destination = json!({
            "name": "Bench", "kind": "assetsImport", "token": target.assets_token.expose_secret(),
            "missingObjects": "ignore", "emptyValues": "remove",
        });
        let destination = calls.create("/v1/destinations", &destination).await.context("the destination")?;
        let job = json!({
            "name": "Bench", "connectionId": connection, "destinationId": destination, "deliver": "changes",
            "objects": target.types.selection(),
        });
        let id = calls.create("/v1/jobs", &job).await.context("the job")?;
        calls.post(&format!("/v1/jobs/{id}/schema"), &json!({})).await.context("the schema")?;
        Ok(Self { calls, id })
    }

    /// One run from its start to its end.
    pub(super) async fn measure(&self, service: &Service, target: &Target, step: Step) -> Result<Measured> {
        let request = match step {
            Step::Test => json!({"mode": "test", "limit": TEST_LIMIT, "deliver": "changes"}),
            Step::Incremental | Step::Nothing | Step::Changed => json!({"mode": "incremental"}),
            Step::Full | Step::Repeat | Step::Download => json!({"mode": "full"}),
        };
        let before = Used::now(service, target).await?;
        let clock = Clock::system();
        let started = clock.instant();
        let run = self.calls.create(&format!("/v1/jobs/{}/runs", self.id), &request).await.context("the run")?;
        let events = self.follow(&run).await?;
        let wall = clock.elapsed_since(started);
        let after = Used::now(service, target).await?;
        let run = self.calls.get(&format!("/v1/runs/{run}")).await?;
        if !has_succeeded(&run) {
            bail!("the run ended {}: {}", run["state"], run["error"]);
        }
        let mut measured = Measured {
            wall_seconds: Some(wall.as_secs_f64()),
            cpu_seconds: Some((after.cpu_seconds - before.cpu_seconds).max(0.0)),
            peak_megabytes: Some(service.peak_memory()? as f64 / 1e6),
            requests: Some(after.requests - before.requests),
            throttled: Some(after.throttled - before.throttled),
            units: Some(after.units.map_or_else(
                || run["progress"]["resourceUnits"].as_f64().unwrap_or(0.0),
                |units| units - before.units.unwrap_or(0.0),
            )),
            ..Measured::new(step)
        };
        if matches!(step, Step::Full | Step::Repeat) {
            let plan = Plan::of(target, service, &self.id, &run).await?;
            measured.planned_requests = Some(plan.requests as f64);
            measured.planned_units = Some(plan.units as f64);
            measured.floor_seconds = Some(plan.floor());
        }
        add_stages(&mut measured, &run, &events)?;
        Ok(measured)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// So many jobs of the same connection that deliver nothing. Returns their ids.
    pub(super) async fn add_others(&self, number: usize) -> Result<Vec<String>> {
        let connection = self.calls.get(&format!("/v1/jobs/{}", self.id)).await?["connectionId"].take();
        let mut jobs = Vec::new();
        for number in 1..=number {
            let job = json!({
                "name": format!("Bench {number}"), "connectionId": connection,
                "objects": {"users": {"enabled": true}, "groups": {"enabled": true}},
            });
            jobs.push(self.calls.create("/v1/jobs", &job).await.context("another job")?);
        }
        Ok(jobs)
    }

    /// A full run of each job. Returns the ids of the runs.
    pub(super) async fn start(&self, jobs: &[String]) -> Result<Vec<String>> {
        let mut runs = Vec::new();
        for job in jobs {
            runs.push(self.calls.create(&format!("/v1/jobs/{job}/runs"), &json!({"mode": "full"})).await?);
        }
        Ok(runs)
    }

    pub(super) async fn are_all_under_way(&self, runs: &[String]) -> Result<bool> {
        for run in runs {
            if state_of(&self.calls.get(&format!("/v1/runs/{run}")).await?) != Some(RunState::Running) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn wait_for(&self, runs: &[String]) -> Result<()> {
        for run in runs {
            self.follow(run).await?;
        }
        Ok(())
    }

    /// How long a run of one user waited for a worker, once it has ended.
    pub(super) async fn wait_of_a_small_run(&self) -> Result<Duration> {
        let request = json!({"mode": "test", "limit": 1});
        let run = self.calls.create(&format!("/v1/jobs/{}/runs", self.id), &request).await?;
        self.follow(&run).await?;
        let run = self.calls.get(&format!("/v1/runs/{run}")).await?;
        let (created, started) = (time(&run["createdAt"]), time(&run["startedAt"]));
        let waited = started.context("a run without a start")? - created.context("a run without a creation")?;
        Ok(waited.to_std().unwrap_or_default())
    }

    /// The events of a run, all of them.
    async fn follow(&self, run: &str) -> Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let answer = self.calls.get(&format!("/v1/runs/{run}/events?after={after}&wait=20")).await?;
            events.extend(answer["items"].as_array().into_iter().flatten().cloned());
            after = answer["nextAfter"].as_i64().unwrap_or(after);
            if answer["done"] == true {
                return Ok(events);
            }
        }
    }
}

/// Sums up to now.
struct Used {
    cpu_seconds: f64,
    requests: f64,
    throttled: f64,
    /// Only simulators tell.
    units: Option<f64>,
}

impl Used {
    async fn now(service: &Service, target: &Target) -> Result<Self> {
        let cpu_seconds = service.cpu()?.as_secs_f64();
        if let Some(simulators) = &target.simulators {
            let counters = simulators.counters().await?;
            let number = |name: &str| counters[name].as_f64().unwrap_or(0.0);
            let (requests, throttled, units) = (number("requests"), number("throttled"), number("units"));
            return Ok(Self { cpu_seconds, requests, throttled, units: Some(units) });
        }
        let metrics = reqwest_text(&format!("{}/metrics", service.address)).await?;
        let requests = metrics.lines().filter(|line| line.starts_with("entra_assets_graph_requests_total"));
        let (mut all, mut throttled) = (0.0, 0.0);
        for line in requests {
            let number: f64 = line.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0);
            all += number;
            throttled += if line.contains("\"429\"") { number } else { 0.0 };
        }
        Ok(Self { cpu_seconds, requests: all, throttled, units: None })
    }
}

async fn reqwest_text(url: &str) -> Result<String> {
    let client = crate::http::client(&crate::config::HttpSettings::default())?;
    Ok(client.get(url).send().await?.error_for_status()?.text().await?)
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|time| time.to_utc())
}

/// How long each stage took, and what it got through, from the run's own events.
fn add_stages(measured: &mut Measured, run: &Value, events: &[Value]) -> Result<()> {
    let started = time(&run["startedAt"]).context("a run without a start")?;
    let mut stages = [Stage::default(), Stage::default(), Stage::default()];
    for event in events.iter().filter(|event| kind_of(event) == Some(EventKind::Progress)) {
        let progress = &event["data"]["progress"];
        let place = match word(&progress["stage"]) {
            Some(RunStage::Collect) => 0,
            Some(RunStage::Diff) => 1,
            Some(RunStage::Deliver) => 2,
            Some(RunStage::Settle) | None => continue,
        };
        stages[place].ended = time(&event["at"]);
        stages[place].done = progress["done"].as_f64().unwrap_or(0.0);
    }
    let mut from = started;
    let mut seconds = stages.iter().map(|stage| {
        let until = stage.ended?.max(from);
        let took = (until - from).as_seconds_f64();
        from = until;
        Some(took)
    });
    measured.collect_seconds = seconds.next().flatten();
    measured.diff_seconds = seconds.next().flatten();
    measured.deliver_seconds = seconds.next().flatten();
    let counts = run["counts"].as_object().into_iter().flatten();
    let read: f64 = counts.filter_map(|(_, of_type)| of_type["read"].as_f64()).sum();
    measured.objects_collected = Some(read);
    measured.objects_compared = Some(read - run["counts"]["memberships"]["read"].as_f64().unwrap_or(0.0));
    measured.objects_delivered = Some(stages[2].done);
    Ok(())
}
