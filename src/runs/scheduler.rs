//! Queues runs that are due, and removes what is past its retention. Any number of processes may do it at once.

use super::monitoring;
use super::outage::Outage;
use crate::app::App;
use crate::audit::Actor;
use crate::db::system::{DueJob, NextTimes};
use crate::db::{quotas, runs, system};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId, WorkerId};
use crate::job::ScheduleMode;
use crate::run_state::{RunMode, RunRequest};
use crate::schedule::Schedule;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
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
    for due in in_turns(system::due_jobs(&app.db, now).await?) {
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
            // It stays due, and is looked at again every few seconds.
            Ok(false) if due.is_full_due(now) => {
                tracing::debug!(job.id = %due.job, "a full run waits until the run that is queued or running has ended")
            }
            Ok(false) => {
                tracing::info!(job.id = %due.job, "the time of a schedule came while a run is queued or running; skipped")
            }
            Err(error) => tracing::error!(job.id = %due.job, code = %error.code, "a schedule failed: {}", error.detail),
        }
    }
    Ok(())
}

/// Organizations take turns, so that one with many jobs that are due at the same time delays the others by one of them.
fn in_turns(mut due: Vec<DueJob>) -> Vec<DueJob> {
    due.sort_by_key(|job| [job.due_at, job.full_due_at].into_iter().flatten().min());
    let mut places: HashMap<OrganizationId, usize> = HashMap::new();
    let mut placed: Vec<(usize, DueJob)> = Vec::with_capacity(due.len());
    for job in due {
        let place = places.entry(job.organization).or_default();
        *place += 1;
        placed.push((*place, job));
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, job)| job).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn due(organization: u128, job: u128, seconds: i64) -> DueJob {
        DueJob {
            organization: OrganizationId(Uuid::from_u128(organization)),
            job: JobId(Uuid::from_u128(job)),
            cron: "0 * * * *".to_owned(),
            full_cron: None,
            timezone: "UTC".to_owned(),
            mode: ScheduleMode::Incremental,
            due_at: DateTime::from_timestamp(seconds, 0),
            full_due_at: None,
        }
    }

    #[test]
    fn an_organization_with_many_jobs_does_not_delay_the_others() {
        let jobs = vec![due(1, 11, 0), due(1, 12, 1), due(1, 13, 2), due(2, 21, 9), due(3, 32, 8), due(3, 31, 4)];
        let order: Vec<u128> = in_turns(jobs).iter().map(|due| due.job.0.as_u128()).collect();
        assert_eq!(order, [11, 31, 21, 12, 32, 13]);
        let mut both = due(1, 14, 7);
        (both.due_at, both.full_due_at) = (None, DateTime::from_timestamp(0, 0));
        assert_eq!(in_turns(vec![due(2, 21, 1), both])[0].job.0.as_u128(), 14, "by its second schedule");
    }
}
