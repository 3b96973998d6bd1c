//! Queues runs that are due, and removes what is past its retention. Any number of processes may do it at once.

use super::monitoring;
use super::outage::Outage;
use crate::app::App;
use crate::audit::Actor;
use crate::db::system::NextTimes;
use crate::db::{quotas, runs, system};
use crate::error::Result;
use crate::ids::{JobId, RunId, WorkerId};
use crate::job::ScheduleMode;
use crate::run_state::{RunMode, RunRequest};
use crate::schedule::Schedule;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks at the clock.
const EVERY: Duration = Duration::from_secs(15);
/// A worker process that died is taken off the list when it was not seen for so long.
const WORKER_LIFE: TimeDelta = TimeDelta::minutes(10);
/// How long idempotency keys are kept.
const IDEMPOTENCY_LIFE: TimeDelta = TimeDelta::hours(24);
/// How long a quota is kept that nobody uses.
const QUOTA_LIFE: TimeDelta = TimeDelta::hours(1);
/// Rows removed in one transaction.
const BATCH: i64 = 5_000;

/// Works until `stopping`.
pub async fn keep(app: App, worker: WorkerId, stopping: CancellationToken) {
    let mut presence = app.presence.watch();
    let mut outage = Outage::default();
    loop {
        let ticked = tick(&app, worker).await;
        outage.note(
            &app.clock,
            "the scheduler fails and tries again",
            ticked.as_ref().err().map(|error| error.detail.as_str()),
        );
        tokio::select! {
            () = stopping.cancelled() => break,
            () = app.clock.sleep(EVERY) => {}
            Ok(()) = presence.changed() => {}
        }
    }
    if let Err(error) = system::forget_worker(&app.db, worker).await {
        tracing::warn!(code = %error.code, "this worker stays on the list until it is missed: {}", error.detail);
    }
}

/// One look at the clock. Public for tests, which move it by hand.
pub async fn tick(app: &App, worker: WorkerId) -> Result<()> {
    queue_due(app).await?;
    retry_failed(app).await?;
    system::announce_expiries(&app.db, app.clock.now()).await?;
    runs::expire_approvals(&app.db, app.clock.now()).await?;
    let capacity = i32::from(app.settings.concurrent_runs());
    system::see_worker(&app.db, worker, capacity, app.presence.shown(), app.clock.now()).await?;
    monitoring::measure(app).await?;
    clear_away(app).await
}

/// Queues a run for every schedule whose time has come. Times that were missed while nothing ran are made
/// up for once, not one by one.
async fn queue_due(app: &App) -> Result<()> {
    let now = app.clock.now();
    for due in system::due_jobs(&app.db, now).await? {
        let next = |cron: &str| Schedule::parse(cron, &due.timezone).ok().and_then(|schedule| schedule.next_after(now));
        // A time that is yet to come stays: where it is not due, nothing was missed.
        let after = |at: Option<DateTime<Utc>>, cron: Option<&str>| match at {
            Some(at) if at > now => Some(at),
            _ => cron.and_then(next),
        };
        let next = NextTimes {
            next_at: after(due.due_at, Some(&due.cron)),
            full_next_at: after(due.full_due_at, due.full_cron.as_deref()),
        };
        let new = runs::NewRun {
            id: RunId::new(&app.clock),
            job: due.job,
            mode: match due.mode {
                ScheduleMode::Incremental if !due.is_full_due(now) => RunMode::Incremental,
                ScheduleMode::Full | ScheduleMode::Incremental => RunMode::Full,
            },
            request: RunRequest::default(),
            requested_by: Actor::Schedule,
        };
        match system::run_due_job(&app.db, &due, &new, next, now).await {
            Ok(true) => tracing::info!(job.id = %due.job, run.id = %new.id, "scheduled run queued"),
            Ok(false) => {
                tracing::info!(job.id = %due.job, "the time of a schedule came while a run is queued or running; skipped")
            }
            Err(error) => tracing::error!(job.id = %due.job, code = %error.code, "a schedule failed: {}", error.detail),
        }
    }
    Ok(())
}

/// Repeats the runs of schedules that failed, where a job says so.
async fn retry_failed(app: &App) -> Result<()> {
    let now = app.clock.now();
    for due in system::due_retries(&app.db, now).await? {
        let new = runs::NewRun {
            id: RunId::new(&app.clock),
            job: JobId(due.job_id),
            mode: due.mode,
            request: RunRequest::default(),
            requested_by: Actor::Retry,
        };
        match system::retry(&app.db, &due, &new, now).await {
            Ok(true) => {
                tracing::info!(job.id = %due.job_id, run.id = %new.id, failed.run = %due.run_id, "failed run repeated")
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(job.id = %due.job_id, code = %error.code, "a repetition failed: {}", error.detail);
            }
        }
    }
    Ok(())
}

/// Retention, in batches that hold no lock for long.
async fn clear_away(app: &App) -> Result<()> {
    let now = app.clock.now();
    let keep = TimeDelta::days(i64::from(app.settings.retention_days));
    system::clear_expired(&app.db, now - keep, now - IDEMPOTENCY_LIFE, now - WORKER_LIFE, now, BATCH).await?;
    quotas::forget_unused(&app.db, now - QUOTA_LIFE).await?;
    system::clear_ended_runs(&app.db, now - keep, now, BATCH).await?;
    system::clear_deleted_jobs(&app.db, BATCH).await?;
    system::clear_deleted_organizations(&app.db, now, BATCH).await
}
