//! Pausing and resuming the schedule of a job.

use super::audit_events::record;
use super::auth::Caller;
use super::jobs::{JobResponse, KIND, unknown};
use super::respond::{Found, IfMatch, IfMatchHeader};
use crate::app::App;
use crate::audit::Action;
use crate::db::job_settings;
use crate::db::jobs::{self, JobRow};
use crate::error::{Error, Fault, Result};
use crate::ids::JobId;
use crate::schedule::Schedule;
use actix_web::post;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};

/// The reason of a pause that a person asked for.
const MANUAL: &str = "manual";

/// Pause the schedule of a job
///
/// The schedule starts no runs until it is resumed. Runs that are queued or running go on, and runs can be started by hand.
/// Pausing a schedule that is paused changes nothing.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), IfMatchHeader),
    responses((status = 200, description = "The job, with `schedule.pausedReason`", body = JobResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/jobs/{id}/pause")]
pub async fn pause_job(
    app: Data<App>,
    caller: Caller,
    id: Path<JobId>,
    if_match: IfMatch,
) -> Result<Found<JobResponse>> {
    set(&app, &caller, *id, &if_match, Switch::Pause).await
}

/// Resume the schedule of a job
///
/// Also a schedule that the service paused, or that is off. Its next run starts at its next time: times that passed
/// meanwhile are not made up for.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), IfMatchHeader),
    responses((status = 200, description = "The job, with the next times of its schedule", body = JobResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/jobs/{id}/resume")]
pub async fn resume_job(
    app: Data<App>,
    caller: Caller,
    id: Path<JobId>,
    if_match: IfMatch,
) -> Result<Found<JobResponse>> {
    set(&app, &caller, *id, &if_match, Switch::Resume).await
}

#[derive(Clone, Copy)]
enum Switch {
    Pause,
    Resume,
}

async fn set(app: &App, caller: &Caller, id: JobId, if_match: &IfMatch, switch: Switch) -> Result<Found<JobResponse>> {
    let (organization, now) = (caller.organization, app.clock.now());
    let row = app
        .db
        .scoped(organization, async |tx| {
            let current = jobs::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let (change, action) = match switch {
                Switch::Pause => (paused(&current)?, Action::Pause),
                Switch::Resume => (resumed(&current, now)?, Action::Resume),
            };
            let Some(change) = change else { return Ok(current) };
            record(tx, app, caller, action, KIND, id.0).await?;
            if let Some(reason) = &change.schedule_paused_reason {
                job_settings::announce_pause(tx, organization, (id, &current.name), reason, now).await?;
            }
            jobs::set_schedule(tx, organization, id, &change, now).await
        })
        .await?;
    Ok(Found(JobResponse::single(row, now)?))
}

/// The change that pauses a schedule; `None`: it is paused already.
fn paused(job: &JobRow) -> Result<Option<jobs::ScheduleState>> {
    require_schedule(job)?;
    let is_paused = !job.schedule_enabled && job.schedule_paused_reason.is_some();
    Ok((!is_paused).then(|| jobs::ScheduleState {
        schedule_enabled: false,
        schedule_next_at: None,
        schedule_full_next_at: None,
        schedule_paused_reason: Some(MANUAL.to_owned()),
    }))
}

/// The change that resumes a schedule; `None`: it is on.
fn resumed(job: &JobRow, now: DateTime<Utc>) -> Result<Option<jobs::ScheduleState>> {
    let (cron, timezone) = require_schedule(job)?;
    let next = |cron: &str| Schedule::parse(cron, timezone).ok().and_then(|schedule| schedule.next_after(now));
    Ok((!job.schedule_enabled).then(|| jobs::ScheduleState {
        schedule_enabled: true,
        schedule_next_at: next(cron),
        schedule_full_next_at: job.schedule_full_cron.as_deref().and_then(next),
        schedule_paused_reason: None,
    }))
}

fn require_schedule(job: &JobRow) -> Result<(&str, &str)> {
    job.schedule_cron.as_deref().zip(job.schedule_timezone.as_deref()).ok_or_else(|| {
        let detail =
            format!("The job «{}» has no schedule. Give it one: PATCH /v1/jobs/{} with `schedule`", job.name, job.id);
        Error::validation(vec![Fault::new("/schedule", "required", detail)])
    })
}
