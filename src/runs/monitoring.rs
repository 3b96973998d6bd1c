//! The metrics that an operator is alerted by. Every worker process has the same values, since they come from the
//! database: an alert takes the maximum over the processes. The names are described in `crate::telemetry`.

use crate::app::App;
use crate::db::system::{self, Backlog, JobHealth};
use crate::error::Result;
use crate::run_state::RunState;

/// Jobs beyond this number have no metrics of their own, so that the number of series is bounded.
const MAX_JOBS: i64 = 2_000;
/// The states in which a job's last run can be.
const ENDED: [RunState; 4] = [RunState::Succeeded, RunState::Degraded, RunState::Failed, RunState::Cancelled];
/// The states of runs that have not ended.
const OPEN: [RunState; 3] = [RunState::Queued, RunState::Running, RunState::AwaitingApproval];

/// Reads the state of the jobs and of the queue, and sets the gauges.
pub async fn measure(app: &App) -> Result<()> {
    system::job_health(&app.db, MAX_JOBS).await?.iter().for_each(measure_job);
    let backlog = system::backlog(&app.db).await?;
    for state in OPEN {
        let row = backlog.iter().find(|row| row.state == state);
        measure_backlog(app, state, row);
    }
    Ok(())
}

fn measure_job(job: &JobHealth) {
    let labels = [("organization_id", job.organization_id.to_string()), ("job_id", job.job_id.to_string())];
    metrics::gauge!("entra_assets_job_last_run_timestamp_seconds", &labels).set(seconds(job.last_finished_at));
    if let Some(at) = job.last_success_at {
        metrics::gauge!("entra_assets_job_last_success_timestamp_seconds", &labels).set(seconds(at));
    }
    if let Some(started) = job.last_started_at {
        let took = job.last_finished_at - started;
        metrics::gauge!("entra_assets_job_last_run_duration_seconds", &labels).set(took.as_seconds_f64());
    }
    for state in ENDED {
        let [organization, id] = labels.clone();
        let labels = [organization, id, ("state", state.to_string())];
        let is_state = if state == job.last_state { 1.0 } else { 0.0 };
        metrics::gauge!("entra_assets_job_last_run_state", &labels).set(is_state);
    }
}

fn measure_backlog(app: &App, state: RunState, row: Option<&Backlog>) {
    let labels = [("state", state.to_string())];
    metrics::gauge!("entra_assets_runs", &labels).set(row.map_or(0.0, |row| row.runs as f64));
    if state == RunState::Queued {
        let waits = row.map_or(0.0, |row| (app.clock.now() - row.oldest_due_at).as_seconds_f64().max(0.0));
        metrics::gauge!("entra_assets_queue_oldest_seconds").set(waits);
    }
}

fn seconds(at: chrono::DateTime<chrono::Utc>) -> f64 {
    at.timestamp() as f64
}
