//! The queue: a worker claims a row of `runs` by a lease, and each of its writes is fenced by the lease's token. One query
//! finds new runs, runs that are due again and runs of a process that died, so no reaper is needed.

mod claim;
mod directory;
mod end;
mod history;
mod labels;
mod lease;
pub(super) mod row;

pub use claim::{Claimant, Walk, claim};
pub(super) use end::end_all;
pub use end::{cancellation, end_of_job, expire_approvals, request_cancel};
pub use history::{ChangeRow, Cut, EventRow, FeedRow, Only, add_event, changes, end_of_feed, events, feed};
pub use labels::labels;
pub use lease::{
    Lease, Note, Renewed, abandoned, await_approval, end_leases, fence, finish, is_cancel_requested, note,
    note_reached, release, renew,
};
pub use row::{LastRunRow, RunRow, Which, find, has_busy, has_live, list, newest};

use super::listen::{RUNS, notify};
use super::schema::runs;
use super::{Transaction, is_unique_violation};
use crate::audit::Actor;
use crate::codes::RunErrorCode;
use crate::error::{Code, Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::event::StateData;
use crate::run_state::{RunError, RunMode, RunRequest, RunStage, RunState, WaitReason};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// A run to be queued.
pub struct NewRun {
    pub id: RunId,
    pub job: JobId,
    pub mode: RunMode,
    pub request: RunRequest,
    /// `schedule`, or the actor that asked.
    pub requested_by: Actor,
}

/// Queues a run. One that reads and delivers supersedes a run of the same job that awaits approval; a dry run or a test
/// does not, because people start these to look before they approve. A run that is queued or running is an error
/// (`run_in_progress`).
pub async fn enqueue(
    tx: &mut Transaction,
    organization: OrganizationId,
    new: &NewRun,
    now: DateTime<Utc>,
) -> Result<RunRow> {
    if matches!(new.mode, RunMode::Full | RunMode::Incremental) {
        supersede(tx, organization, new, now).await?;
    }
    refuse_if_busy(tx, organization, new.job).await?;
    let row = (
        runs::organization_id.eq(organization.0),
        runs::id.eq(new.id.0),
        runs::job_id.eq(new.job.0),
        runs::mode.eq(new.mode),
        runs::request.eq(row::stored_request(&new.request)?),
        runs::requested_by.eq(&new.requested_by),
        runs::state.eq(RunState::Queued),
        runs::run_after.eq(now),
        runs::queued_at.eq(now),
        runs::updated_at.eq(now),
    );
    let inserted: RunRow =
        diesel::insert_into(runs::table).values(row).returning(RunRow::as_returning()).get_result(tx).await.map_err(
            |e| match is_unique_violation(&e, "runs_one_live_per_job") {
                true => {
                    Error::new(Code::RunInProgress, "A run of this job is queued or running; wait for it or cancel it.")
                }
                false => e.into(),
            },
        )?;
    add_event(tx, organization, new.id, &StateData::new(RunState::Queued).into(), now).await?;
    notify(tx, RUNS, "").await?;
    Ok(inserted)
}

/// Ends the runs of the job that await approval.
async fn supersede(tx: &mut Transaction, organization: OrganizationId, by: &NewRun, now: DateTime<Utc>) -> Result<()> {
    // Locked, so that what somebody approves at this moment is either ended here first or not found: then it is busy.
    let awaiting: Vec<Uuid> = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(by.job.0))
        .filter(runs::state.eq(RunState::AwaitingApproval))
        .select(runs::id)
        .for_update()
        .load(tx)
        .await?;
    for id in awaiting {
        let error = RunError {
            stage: Some(RunStage::Diff),
            code: RunErrorCode::Superseded.into(),
            detail: format!("Run {} of the same job was started while this run awaited approval.", by.id),
            graph_code: None,
            assets_code: None,
            request_id: None,
            advice: Some("This run delivered nothing. See the newer run.".to_owned()),
            remedies: Vec::new(),
        };
        end::end(tx, organization, RunId(id), RunState::Cancelled, Some(&error), now).await?;
    }
    Ok(())
}

/// Names the run of the job that is queued or running, in an error. Of two concurrent calls the unique index refuses one.
async fn refuse_if_busy(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<()> {
    let busy: Option<(Uuid, RunState)> = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(job.0))
        .filter(runs::state.eq_any(RunState::BUSY))
        .select((runs::id, runs::state))
        .first(tx)
        .await
        .optional()?;
    let Some((id, state)) = busy else { return Ok(()) };
    let detail = format!("Run {id} of this job is {state}; wait for it or cancel it.");
    Err(Error::new(Code::RunInProgress, detail))
}

/// Queues a run that awaits approval, to deliver exactly the changes that it found.
pub async fn approve(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    now: DateTime<Utc>,
) -> Result<RunRow> {
    let changed = diesel::update(runs::table.find((organization.0, id.0)))
        .filter(runs::state.eq(RunState::AwaitingApproval))
        .set((
            runs::state.eq(RunState::Queued),
            runs::approved_at.eq(now),
            runs::approval_expires_at.eq(None::<DateTime<Utc>>),
            runs::run_after.eq(now),
            runs::version.eq(runs::version + 1),
            runs::updated_at.eq(now),
        ))
        .execute(tx)
        .await
        .map_err(|e| match is_unique_violation(&e, "runs_one_live_per_job") {
            true => Error::new(
                Code::RunInProgress,
                "Another run of this job is queued or running; wait for its end, then approve this one.",
            ),
            false => e.into(),
        })?;
    let run = find(tx, organization, id).await?;
    if changed == 0 {
        let detail = format!("Run {id} is {}, not awaiting approval.", run.state);
        return Err(Error::new(Code::RunNotAwaitingApproval, detail));
    }
    let queued = StateData { approved: Some(true), ..StateData::new(RunState::Queued) };
    add_event(tx, organization, id, &queued.into(), now).await?;
    notify(tx, RUNS, "").await?;
    Ok(run)
}

/// Makes the runs that wait for `reason` due now. Returns how many.
pub async fn resume(
    tx: &mut Transaction,
    organization: OrganizationId,
    reason: WaitReason,
    now: DateTime<Utc>,
) -> Result<usize> {
    let resumed = diesel::update(runs::table)
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::state.eq(RunState::Queued))
        .filter(runs::wait_reason.eq(reason))
        .set((runs::run_after.eq(now), runs::updated_at.eq(now)))
        .execute(tx)
        .await?;
    if resumed > 0 {
        notify(tx, RUNS, "").await?;
    }
    Ok(resumed)
}
