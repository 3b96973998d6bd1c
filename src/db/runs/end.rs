//! The end of a run: cancelled, failed or succeeded, each with its terminal record, its event and its webhooks.

use super::directory;
use super::history::add_event;
use super::row::{self, RunRow};
use crate::audit::{Action, Actor};
use crate::codes::RunErrorCode;
use crate::db::audit_events::{self, AuditEventRow};
use crate::db::listen::{RUNS, notify};
use crate::db::schema::runs;
use crate::db::{Db, Transaction, webhooks};
use crate::error::{Code, Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::event::StateData;
use crate::run_state::{RunError, RunStage, RunState, WaitReason};
use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// Requests that a run is cancelled. A run that no worker has ends here; a running run ends as soon as its worker sees the
/// request. `error` stores who asked (`by`), and becomes the terminal record.
pub async fn request_cancel(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    by: &Actor,
    now: DateTime<Utc>,
) -> Result<RunRow> {
    let run = runs::table
        .find((organization.0, id.0))
        .for_update()
        .select(RunRow::as_select())
        .first(tx)
        .await
        .optional()?
        .ok_or_else(|| Error::not_found("run", id))?;
    let why =
        cancelled(run.stage, &format!("Cancelled by {by} at {}.", now.to_rfc3339_opts(SecondsFormat::Secs, true)));
    // The first request counts.
    let first = match &run.error {
        Some(first) => first.clone(),
        None => serde_json::to_value(&why).map_err(Error::internal)?,
    };
    match run.state {
        // A queued run may have an execution in Assets, which a worker has to cancel first.
        RunState::Queued if run.attempt > 0 => {
            diesel::update(runs::table.find((organization.0, id.0)))
                .set((
                    runs::cancel_requested_at.eq(now),
                    runs::error.eq(first),
                    runs::run_after.eq(now),
                    runs::updated_at.eq(now),
                ))
                .execute(tx)
                .await?;
            notify(tx, RUNS, "").await?;
        }
        RunState::Queued | RunState::AwaitingApproval => {
            end(tx, organization, id, RunState::Cancelled, Some(&why), now).await?;
        }
        RunState::Running => {
            diesel::update(runs::table.find((organization.0, id.0)))
                .set((runs::cancel_requested_at.eq(now), runs::error.eq(first), runs::updated_at.eq(now)))
                .execute(tx)
                .await?;
            notify(tx, RUNS, &id.to_string()).await?;
        }
        RunState::Succeeded | RunState::Degraded | RunState::Failed | RunState::Cancelled => {
            return Err(Error::new(Code::RunNotCancellable, format!("Run {id} has already ended: {}.", run.state)));
        }
    }
    row::find(tx, organization, id).await
}

/// The terminal record of a run that was cancelled in `stage`.
fn cancelled(stage: Option<RunStage>, detail: &str) -> RunError {
    RunError {
        stage,
        code: RunErrorCode::Cancelled.into(),
        detail: detail.to_owned(),
        graph_code: None,
        assets_code: None,
        request_id: None,
        advice: Some("The import execution in Assets is cancelled. Start a new run to import.".to_owned()),
        remedies: Vec::new(),
    }
}

/// The terminal record of a run that its worker ends as cancelled: who asked for it, and in which stage.
pub async fn cancellation(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    stage: Option<RunStage>,
) -> Result<RunError> {
    let stored = row::find(tx, organization, id).await?.error;
    let stored: Option<RunError> = stored.map(serde_json::from_value).transpose().map_err(Error::internal)?;
    let error = stored.unwrap_or_else(|| cancelled(None, "The run was cancelled."));
    Ok(RunError { stage: stage.or(error.stage), ..error })
}

/// Stores the terminal record of a run. Callers have fenced or locked it.
pub(super) async fn end(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    state: RunState,
    error: Option<&RunError>,
    now: DateTime<Utc>,
) -> Result<()> {
    let error = match error {
        Some(error) => Some(RunError { stage: Some(stage_of(tx, organization, id, error).await?), ..error.clone() }),
        None => None,
    };
    let stored = error.as_ref().map(serde_json::to_value).transpose().map_err(Error::internal)?;
    diesel::update(runs::table.find((organization.0, id.0)))
        .set((
            runs::state.eq(state),
            runs::error.eq(stored),
            runs::lease_token.eq(None::<Uuid>),
            runs::lease_expires_at.eq(None::<DateTime<Utc>>),
            runs::approval_expires_at.eq(None::<DateTime<Utc>>),
            runs::wait_reason.eq(None::<WaitReason>),
            runs::finished_at.eq(now),
            runs::version.eq(runs::version + 1),
            runs::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    let ended = StateData { error: Some(error), ..StateData::new(state) };
    add_event(tx, organization, id, &ended.into(), now).await?;
    webhooks::announce_run(tx, organization, id, state, now).await?;
    directory::announce(tx, organization, id, state, now).await
}

/// The stage of a terminal record: its own, else the run's. A run that never began counts as in the first stage.
async fn stage_of(tx: &mut Transaction, organization: OrganizationId, id: RunId, error: &RunError) -> Result<RunStage> {
    if let Some(stage) = error.stage {
        return Ok(stage);
    }
    let stored: Option<RunStage> = runs::table.find((organization.0, id.0)).select(runs::stage).first(tx).await?;
    Ok(stored.unwrap_or(RunStage::Collect))
}

/// Ends the runs that nobody approved in time. Across organizations. Returns how many.
pub async fn expire_approvals(db: &Db, now: DateTime<Utc>) -> Result<usize> {
    db.system(async |tx| {
        let expired: Vec<(Uuid, Uuid)> = runs::table
            .filter(runs::state.eq(RunState::AwaitingApproval))
            // As `runs_open` has it: most runs have ended.
            .filter(runs::finished_at.is_null())
            .filter(runs::approval_expires_at.le(now))
            .for_update()
            .skip_locked()
            .select((runs::organization_id, runs::id))
            .load(tx)
            .await?;
        let error = RunError {
            stage: Some(RunStage::Diff),
            code: RunErrorCode::ApprovalExpired.into(),
            detail: RunErrorCode::ApprovalExpired.meaning().to_owned(),
            graph_code: None,
            assets_code: None,
            request_id: None,
            advice: Some("Check the changes of this run, then start a new run.".to_owned()),
            remedies: Vec::new(),
        };
        for (organization, id) in &expired {
            let organization = OrganizationId(*organization);
            end(tx, organization, RunId(*id), RunState::Failed, Some(&error), now).await?;
            let event = AuditEventRow::of_service(organization, Actor::Service, (Action::Expire, "runs", *id), now);
            audit_events::insert(tx, &event).await?;
        }
        Ok(expired.len())
    })
    .await
}

/// Ends every run of an organization that is being deleted. A worker that executes one stops at its next write.
pub(in crate::db) async fn end_all(
    tx: &mut Transaction,
    organization: OrganizationId,
    now: DateTime<Utc>,
) -> Result<()> {
    let live = runs::table.filter(runs::organization_id.eq(organization.0)).filter(runs::state.eq_any(RunState::LIVE));
    let ids: Vec<Uuid> = live.select(runs::id).for_update().load(tx).await?;
    end_each(tx, organization, &ids, "The organization is being deleted.", now).await
}

/// Ends every run of a job that is being deleted. A worker that executes one stops at its next write, and its execution in
/// Assets is left as it is.
pub async fn end_of_job(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    now: DateTime<Utc>,
) -> Result<()> {
    let live = runs::table.filter(runs::organization_id.eq(organization.0)).filter(runs::state.eq_any(RunState::LIVE));
    let ids: Vec<Uuid> = live.filter(runs::job_id.eq(job.0)).select(runs::id).for_update().load(tx).await?;
    end_each(tx, organization, &ids, "The job is being deleted.", now).await
}

async fn end_each(
    tx: &mut Transaction,
    organization: OrganizationId,
    ids: &[Uuid],
    because: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    for id in ids {
        let why = cancelled(None, because);
        end(tx, organization, RunId(*id), RunState::Cancelled, Some(&why), now).await?;
    }
    Ok(())
}
