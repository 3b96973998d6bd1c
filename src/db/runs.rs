//! The queue: rows of `runs` are claimed by a lease, and every write of the holder is fenced by its token.
//! One predicate finds what is new, what is due again and what a dead process left, so nothing reaps.

mod history;
mod lease;

pub use history::{ChangeRow, EventRow, Only, add_event, changes, events};
pub use lease::{Lease, Note, Renewed, await_approval, claim, fence, finish, note, note_reached, release, renew};

use super::audit_events::{self, AuditEventRow};
use super::listen::RUNS;
use super::schema::runs;
use super::{Db, Transaction, is_unique_violation, webhooks};
use crate::error::{Code, Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{EventKind, RunError, RunMode, RunRequest, RunStage, RunState};
use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

/// A run as stored.
#[derive(Queryable, Selectable, QueryableByName, Clone, Debug)]
#[diesel(table_name = runs)]
pub struct RunRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub job_id: Uuid,
    pub mode: String,
    pub request: Value,
    pub requested_by: String,
    pub state: String,
    pub stage: Option<String>,
    pub wait_reason: Option<String>,
    pub run_after: DateTime<Utc>,
    pub lease_token: Option<Uuid>,
    pub lease_expires_at: Option<DateTime<Utc>>,
    pub worker_id: Option<Uuid>,
    pub attempt: i32,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub approved_at: Option<DateTime<Utc>>,
    pub approval_expires_at: Option<DateTime<Utc>>,
    pub checkpoint: Value,
    pub progress: Option<Value>,
    pub counts: Value,
    pub warnings: Value,
    pub error: Option<Value>,
    pub last_event_id: i64,
    pub version: i64,
    pub queued_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
    /// Whether something in it went wrong so far.
    pub degraded: bool,
}

impl RunRow {
    pub fn organization(&self) -> OrganizationId {
        OrganizationId(self.organization_id)
    }
    pub fn run_id(&self) -> RunId {
        RunId(self.id)
    }
    pub fn job(&self) -> JobId {
        JobId(self.job_id)
    }
    /// The table's CHECK keeps these texts valid; anything else is a defect.
    pub fn run_state(&self) -> Result<RunState> {
        self.state.parse().map_err(|e: String| Error::internal(e))
    }
    pub fn run_mode(&self) -> Result<RunMode> {
        self.mode.parse().map_err(|e: String| Error::internal(e))
    }
    pub fn run_request(&self) -> Result<RunRequest> {
        serde_json::from_value(self.request.clone()).map_err(Error::internal)
    }
}

/// A run to be queued.
pub struct NewRun {
    pub id: RunId,
    pub job: JobId,
    pub mode: RunMode,
    pub request: RunRequest,
    /// `schedule`, or the actor that asked.
    pub requested_by: String,
}

/// Queues a run. A run of the same job that waits for approval is superseded; one that is queued or running
/// is an error (`run_in_progress`).
pub async fn enqueue(
    tx: &mut Transaction,
    organization: OrganizationId,
    new: &NewRun,
    now: DateTime<Utc>,
) -> Result<RunRow> {
    let superseded: Vec<Uuid> = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(new.job.0))
        .filter(runs::state.eq(RunState::AwaitingApproval.as_str()))
        .select(runs::id)
        .load(tx)
        .await?;
    for id in superseded {
        let error = RunError {
            stage: Some(RunStage::Diff),
            code: "superseded".to_owned(),
            detail: format!("Run {} of the same job was started while this one waited for approval.", new.id),
            graph_code: None,
            assets_code: None,
            request_id: None,
            advice: Some("Nothing was delivered by this run; look at the newer one.".to_owned()),
        };
        end(tx, organization, RunId(id), RunState::Cancelled, Some(&error), now).await?;
    }
    refuse_second(tx, organization, new.job).await?;
    let row = (
        runs::organization_id.eq(organization.0),
        runs::id.eq(new.id.0),
        runs::job_id.eq(new.job.0),
        runs::mode.eq(new.mode.as_str()),
        runs::request.eq(serde_json::to_value(&new.request).map_err(Error::internal)?),
        runs::requested_by.eq(&new.requested_by),
        runs::state.eq(RunState::Queued.as_str()),
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
    add_event(tx, organization, new.id, EventKind::State, &json!({"state": "queued"}), now).await?;
    notify(tx, RUNS, "").await?;
    Ok(inserted)
}

/// Says which run of the job is alive. Of two that come at once the unique index refuses one.
async fn refuse_second(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<()> {
    let live: Option<(Uuid, String)> = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(job.0))
        .filter(runs::state.eq_any([RunState::Queued, RunState::Running].map(RunState::as_str)))
        .select((runs::id, runs::state))
        .first(tx)
        .await
        .optional()?;
    let Some((id, state)) = live else { return Ok(()) };
    let detail = format!("Run {id} of this job is {state}; wait for it or cancel it.");
    Err(Error::new(Code::RunInProgress, detail))
}

pub async fn find(tx: &mut Transaction, organization: OrganizationId, id: RunId) -> Result<RunRow> {
    let found = runs::table.find((organization.0, id.0)).select(RunRow::as_select()).first(tx).await.optional()?;
    found.ok_or_else(|| Error::not_found("run", id))
}

/// Runs, newest first, older than `before`; of one job, in one state, if given.
pub async fn list(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: Option<JobId>,
    state: Option<RunState>,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<RunRow>> {
    let mut query = runs::table.filter(runs::organization_id.eq(organization.0)).into_boxed();
    if let Some(job) = job {
        query = query.filter(runs::job_id.eq(job.0));
    }
    if let Some(state) = state {
        query = query.filter(runs::state.eq(state.as_str()));
    }
    if let Some(before) = before {
        query = query.filter(runs::id.lt(before.0));
    }
    Ok(query.order(runs::id.desc()).limit(limit).select(RunRow::as_select()).load(tx).await?)
}

/// Whether a run of the job is queued, running or waiting for approval.
pub async fn has_live(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<bool> {
    has_any(tx, organization, job, &[RunState::Queued, RunState::Running, RunState::AwaitingApproval]).await
}

/// Whether a run of the job is queued or running, so that no other can begin.
pub async fn has_busy(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<bool> {
    has_any(tx, organization, job, &[RunState::Queued, RunState::Running]).await
}

async fn has_any(tx: &mut Transaction, organization: OrganizationId, job: JobId, states: &[RunState]) -> Result<bool> {
    let query = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(job.0))
        .filter(runs::state.eq_any(states.iter().map(|state| state.as_str())));
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(tx).await?)
}

/// Asks a run to end. One that nobody executes ends here; one that is running ends as soon as its worker
/// sees the request. Who asked (`by`) is kept in `error`, which becomes the terminal record.
pub async fn request_cancel(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    by: &str,
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
    let stage = run.stage.as_deref().and_then(|stage| stage.parse().ok());
    let why = cancelled(stage, &format!("Cancelled by {by} at {}.", now.to_rfc3339_opts(SecondsFormat::Secs, true)));
    // The first who asked is the one.
    let first = match &run.error {
        Some(first) => first.clone(),
        None => serde_json::to_value(&why).map_err(Error::internal)?,
    };
    match run.run_state()? {
        // A queued run that already started an execution must cancel it first: its worker does that.
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
    find(tx, organization, id).await
}

/// The terminal record of a run that was cancelled while it was busy with `stage`.
fn cancelled(stage: Option<RunStage>, detail: &str) -> RunError {
    RunError {
        stage,
        code: "cancelled".to_owned(),
        detail: detail.to_owned(),
        graph_code: None,
        assets_code: None,
        request_id: None,
        advice: Some(
            "Nothing is left half done: what was open in Assets is closed. Start a new run when you want to go on."
                .to_owned(),
        ),
    }
}

/// The terminal record of a run that its worker ends as cancelled: who asked for it, and where it stood.
pub async fn cancellation(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    stage: Option<RunStage>,
) -> Result<RunError> {
    let kept = find(tx, organization, id).await?.error;
    let kept: Option<RunError> = kept.map(serde_json::from_value).transpose().map_err(Error::internal)?;
    let error = kept.unwrap_or_else(|| cancelled(None, "The run was cancelled."));
    Ok(RunError { stage: stage.or(error.stage), ..error })
}

/// Queues a run that waits for approval again, to deliver exactly what its diff found.
pub async fn approve(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    now: DateTime<Utc>,
) -> Result<RunRow> {
    let changed = diesel::update(runs::table.find((organization.0, id.0)))
        .filter(runs::state.eq(RunState::AwaitingApproval.as_str()))
        .set((
            runs::state.eq(RunState::Queued.as_str()),
            runs::approved_at.eq(now),
            runs::approval_expires_at.eq(None::<DateTime<Utc>>),
            runs::run_after.eq(now),
            runs::version.eq(runs::version + 1),
            runs::updated_at.eq(now),
        ))
        .execute(tx)
        .await
        .map_err(|e| match is_unique_violation(&e, "runs_one_live_per_job") {
            true => Error::new(Code::RunInProgress, "A newer run of this job is queued or running."),
            false => e.into(),
        })?;
    let run = find(tx, organization, id).await?;
    if changed == 0 {
        let detail = format!("Run {id} is {}, not awaiting approval.", run.state);
        return Err(Error::new(Code::RunNotAwaitingApproval, detail));
    }
    add_event(tx, organization, id, EventKind::State, &json!({"state": "queued", "approved": true}), now).await?;
    notify(tx, RUNS, "").await?;
    Ok(run)
}

/// Lets the runs that wait for `reason` go on now. Returns how many.
pub async fn resume(
    tx: &mut Transaction,
    organization: OrganizationId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<usize> {
    let resumed = diesel::update(runs::table)
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::state.eq(RunState::Queued.as_str()))
        .filter(runs::wait_reason.eq(reason))
        .set((runs::run_after.eq(now), runs::updated_at.eq(now)))
        .execute(tx)
        .await?;
    if resumed > 0 {
        notify(tx, RUNS, "").await?;
    }
    Ok(resumed)
}

/// Writes the terminal record of a run, whoever holds it. Callers have fenced or locked it.
async fn end(
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
    let error = error.map(serde_json::to_value).transpose().map_err(Error::internal)?;
    diesel::update(runs::table.find((organization.0, id.0)))
        .set((
            runs::state.eq(state.as_str()),
            runs::error.eq(&error),
            runs::lease_token.eq(None::<Uuid>),
            runs::lease_expires_at.eq(None::<DateTime<Utc>>),
            runs::approval_expires_at.eq(None::<DateTime<Utc>>),
            runs::wait_reason.eq(None::<String>),
            runs::finished_at.eq(now),
            runs::version.eq(runs::version + 1),
            runs::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    add_event(tx, organization, id, EventKind::State, &json!({"state": state, "error": error}), now).await?;
    webhooks::announce_run(tx, organization, id, state, now).await
}

/// The stage that a terminal record names: its own, else where the run stood. One that never began stood before the first.
async fn stage_of(tx: &mut Transaction, organization: OrganizationId, id: RunId, error: &RunError) -> Result<RunStage> {
    if let Some(stage) = error.stage {
        return Ok(stage);
    }
    let stored: Option<String> = runs::table.find((organization.0, id.0)).select(runs::stage).first(tx).await?;
    Ok(stored.and_then(|stage| stage.parse().ok()).unwrap_or(RunStage::Collect))
}

/// Ends the runs whose approval nobody gave in time. In `db::system`. Returns how many.
pub async fn expire_approvals(db: &Db, now: DateTime<Utc>) -> Result<usize> {
    db.system(async |tx| {
        let expired: Vec<(Uuid, Uuid)> = runs::table
            .filter(runs::state.eq(RunState::AwaitingApproval.as_str()))
            .filter(runs::approval_expires_at.le(now))
            .for_update()
            .skip_locked()
            .select((runs::organization_id, runs::id))
            .load(tx)
            .await?;
        let error = RunError {
            stage: Some(RunStage::Diff),
            code: "approval_expired".to_owned(),
            detail: "The run stopped at the removal brake and nobody approved it in time.".to_owned(),
            graph_code: None,
            assets_code: None,
            request_id: None,
            advice: Some("Look at the changes of this run, then start a new run.".to_owned()),
        };
        for (organization, id) in &expired {
            let organization = OrganizationId(*organization);
            end(tx, organization, RunId(*id), RunState::Failed, Some(&error), now).await?;
            let event = AuditEventRow::of_service(organization, "service", ("expire", "runs", *id), now);
            audit_events::insert(tx, &event).await?;
        }
        Ok(expired.len())
    })
    .await
}

pub(super) async fn notify(tx: &mut Transaction, channel: &str, payload: &str) -> Result<()> {
    diesel::select(pg_notify(channel, payload)).execute(tx).await?;
    Ok(())
}

define_sql_function! {
    fn pg_notify(channel: Text, payload: Text);
}

/// When the next queued run is due, so that a worker knows how long it may sleep. In `db::system`.
pub async fn next_due(db: &Db) -> Result<Option<DateTime<Utc>>> {
    #[derive(QueryableByName)]
    struct Due {
        #[diesel(sql_type = Nullable<Timestamptz>)]
        at: Option<DateTime<Utc>>,
    }
    const NEXT: &str = "
        SELECT min(CASE state WHEN 'queued' THEN run_after ELSE greatest(run_after, lease_expires_at) END) AS at
        FROM runs WHERE state IN ('queued', 'running')";
    db.system(async |tx| {
        let due: Due = diesel::sql_query(NEXT).get_result(tx).await?;
        Ok(due.at)
    })
    .await
}

/// Ends every live run of an organization that is being deleted: whoever executes one stops at its next write.
pub(super) async fn end_all(tx: &mut Transaction, organization: OrganizationId, now: DateTime<Utc>) -> Result<()> {
    let live = [RunState::Queued, RunState::Running, RunState::AwaitingApproval].map(RunState::as_str);
    let ids: Vec<Uuid> = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::state.eq_any(live))
        .select(runs::id)
        .for_update()
        .load(tx)
        .await?;
    for id in ids {
        let why = cancelled(None, "The organization is being deleted.");
        end(tx, organization, RunId(id), RunState::Cancelled, Some(&why), now).await?;
    }
    Ok(())
}

/// The number of runs in each live state, for metrics. In `db::system`.
pub async fn count_by_state(db: &Db) -> Result<Vec<(String, i64)>> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = Text)]
        state: String,
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    const COUNT: &str = "
        SELECT state, count(*) AS number FROM runs
        WHERE state IN ('queued', 'running', 'awaitingApproval') GROUP BY state";
    db.system(async |tx| {
        let counted: Vec<Counted> = diesel::sql_query(COUNT).load(tx).await?;
        Ok(counted.into_iter().map(|c| (c.state, c.number)).collect())
    })
    .await
}
