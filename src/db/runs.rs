//! The queue: rows of `runs` are claimed by a lease, and every write of the holder is fenced by its token.
//! One predicate finds what is new, what is due again and what a dead process left, so nothing reaps.

use super::listen::{RUN_EVENTS, RUNS};
use super::schema::{run_changes, run_events, runs};
use super::{Db, Transaction, is_unique_violation, webhooks};
use crate::error::{Code, Error, Result};
use crate::ids::{JobId, LeaseToken, OrganizationId, RunId, WorkerId};
use crate::run_state::{Counts, EventKind, RunError, RunMode, RunRequest, RunStage, RunState, RunWarning};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
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

pub async fn find(tx: &mut Transaction, organization: OrganizationId, id: RunId) -> Result<RunRow> {
    let found = runs::table.find((organization.0, id.0)).select(RunRow::as_select()).first(tx).await.optional()?;
    found.ok_or_else(|| Error::not_found("run", id))
}

/// Runs, newest first, older than `before`; of one job if given.
pub async fn list(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: Option<JobId>,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<RunRow>> {
    let mut query = runs::table.filter(runs::organization_id.eq(organization.0)).into_boxed();
    if let Some(job) = job {
        query = query.filter(runs::job_id.eq(job.0));
    }
    if let Some(before) = before {
        query = query.filter(runs::id.lt(before.0));
    }
    Ok(query.order(runs::id.desc()).limit(limit).select(RunRow::as_select()).load(tx).await?)
}

/// Whether a run of the job is queued, running or waiting for approval.
pub async fn has_live(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<bool> {
    let live = [RunState::Queued, RunState::Running, RunState::AwaitingApproval].map(RunState::as_str);
    let query = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(job.0))
        .filter(runs::state.eq_any(live));
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(tx).await?)
}

/// Asks a run to end. One that nobody executes ends here; one that is running ends as soon as its worker
/// sees the request.
pub async fn request_cancel(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
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
    match run.run_state()? {
        // A queued run that already started an execution must cancel it first: its worker does that.
        RunState::Queued if run.attempt > 0 => {
            diesel::update(runs::table.find((organization.0, id.0)))
                .set((runs::cancel_requested_at.eq(now), runs::run_after.eq(now), runs::updated_at.eq(now)))
                .execute(tx)
                .await?;
            notify(tx, RUNS, "").await?;
        }
        RunState::Queued | RunState::AwaitingApproval => {
            end(tx, organization, id, RunState::Cancelled, None, now).await?;
        }
        RunState::Running => {
            diesel::update(runs::table.find((organization.0, id.0)))
                .set((runs::cancel_requested_at.eq(now), runs::updated_at.eq(now)))
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

/// A claim on a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    pub organization: OrganizationId,
    pub run: RunId,
    pub token: LeaseToken,
}

/// Takes the run that has waited longest: queued and due, or running with an expired lease. In
/// `db::system`, because the organization is not known before.
pub async fn claim(
    db: &Db,
    token: LeaseToken,
    worker: WorkerId,
    now: DateTime<Utc>,
    lease_for: TimeDelta,
) -> Result<Option<(Lease, RunRow)>> {
    const CLAIM: &str = "
        UPDATE runs SET state = 'running', lease_token = $1, worker_id = $2, lease_expires_at = $3,
            attempt = attempt + 1, started_at = coalesce(started_at, $4), wait_reason = NULL,
            version = version + 1, updated_at = $4
        WHERE (organization_id, id) = (
            SELECT organization_id, id FROM runs
            WHERE state IN ('queued', 'running') AND run_after <= $4
              AND (state = 'queued' OR lease_expires_at <= $4)
            ORDER BY run_after LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING *";
    db.system(async |tx| {
        let run: Option<RunRow> = diesel::sql_query(CLAIM)
            .bind::<SqlUuid, _>(token.0)
            .bind::<SqlUuid, _>(worker.0)
            .bind::<Timestamptz, _>(now + lease_for)
            .bind::<Timestamptz, _>(now)
            .get_result(tx)
            .await
            .optional()?;
        let Some(run) = run else { return Ok(None) };
        let lease = Lease { organization: run.organization(), run: run.run_id(), token };
        let data = json!({"state": "running", "attempt": run.attempt});
        add_event(tx, lease.organization, lease.run, EventKind::State, &data, now).await?;
        Ok(Some((lease, run)))
    })
    .await
}

/// What a renewal tells the holder of a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Renewed {
    pub cancel_requested: bool,
}

/// Extends a lease. An error `lease_lost` when another process has the run now.
pub async fn renew(db: &Db, lease: &Lease, until: DateTime<Utc>) -> Result<Renewed> {
    let lease = *lease;
    db.scoped(lease.organization, async move |tx| {
        let requested: Option<Option<DateTime<Utc>>> = diesel::update(held(&lease))
            .set(runs::lease_expires_at.eq(until))
            .returning(runs::cancel_requested_at)
            .get_result(tx)
            .await
            .optional()?;
        let requested = requested.ok_or_else(|| lease_lost(&lease))?;
        Ok(Renewed { cancel_requested: requested.is_some() })
    })
    .await
}

/// The first statement of every transaction in which the holder of a lease writes: fails when the lease is
/// lost, and keeps others from claiming the run until the transaction ends (a claim skips locked rows). Notes
/// and renewals of the same holder are not held up: a key share lock lets other columns change.
pub async fn fence(tx: &mut Transaction, lease: &Lease) -> Result<()> {
    let held: Option<Uuid> = runs::table
        .find((lease.organization.0, lease.run.0))
        .filter(runs::lease_token.eq(lease.token.0))
        .for_key_share()
        .select(runs::id)
        .first(tx)
        .await
        .optional()?;
    held.map(|_| ()).ok_or_else(|| lease_lost(lease))
}

#[diesel::dsl::auto_type]
fn held(lease: &Lease) -> _ {
    let organization: Uuid = lease.organization.0;
    let run: Uuid = lease.run.0;
    let token: Uuid = lease.token.0;
    runs::table.filter(runs::organization_id.eq(organization).and(runs::id.eq(run)).and(runs::lease_token.eq(token)))
}

fn lease_lost(lease: &Lease) -> Error {
    Error::new(Code::LeaseLost, format!("Run {} is executed by another process now.", lease.run))
}

/// What a worker writes down while it goes on.
#[derive(Default)]
pub struct Note<'a> {
    pub stage: Option<RunStage>,
    pub checkpoint: Option<&'a Value>,
    pub progress: Option<&'a Value>,
    pub counts: Option<&'a Counts>,
    pub warnings: Option<&'a [RunWarning]>,
}

/// Writes down how far the run is. Fenced.
pub async fn note(tx: &mut Transaction, lease: &Lease, note: &Note<'_>, now: DateTime<Utc>) -> Result<()> {
    const NOTE: &str = "
        UPDATE runs SET stage = coalesce($4, stage), checkpoint = coalesce($5, checkpoint),
            progress = coalesce($6, progress), counts = coalesce($7, counts), warnings = coalesce($8, warnings),
            updated_at = $9
        WHERE organization_id = $1 AND id = $2 AND lease_token = $3";
    let json = |value: Option<serde_json::Result<Value>>| value.transpose().map_err(Error::internal);
    let counts = json(note.counts.map(serde_json::to_value))?;
    let warnings = json(note.warnings.map(serde_json::to_value))?;
    let changed = diesel::sql_query(NOTE)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(lease.token.0)
        .bind::<Nullable<Text>, _>(note.stage.map(RunStage::as_str))
        .bind::<Nullable<Jsonb>, _>(note.checkpoint)
        .bind::<Nullable<Jsonb>, _>(note.progress)
        .bind::<Nullable<Jsonb>, _>(counts)
        .bind::<Nullable<Jsonb>, _>(warnings)
        .bind::<Timestamptz, _>(now)
        .execute(tx)
        .await?;
    if changed == 1 { Ok(()) } else { Err(lease_lost(lease)) }
}

/// Ends a run that this lease holds.
pub async fn finish(
    tx: &mut Transaction,
    lease: &Lease,
    state: RunState,
    error: Option<&RunError>,
    now: DateTime<Utc>,
) -> Result<()> {
    fence(tx, lease).await?;
    end(tx, lease.organization, lease.run, state, error, now).await
}

/// Stops at the removal brake: no lease, until somebody approves, cancels or `expires_at` comes.
pub async fn await_approval(
    tx: &mut Transaction,
    lease: &Lease,
    detail: &Value,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let changed = diesel::update(held(lease))
        .set((
            runs::state.eq(RunState::AwaitingApproval.as_str()),
            runs::lease_token.eq(None::<Uuid>),
            runs::lease_expires_at.eq(None::<DateTime<Utc>>),
            runs::approval_expires_at.eq(expires_at),
            runs::version.eq(runs::version + 1),
            runs::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    if changed != 1 {
        return Err(lease_lost(lease));
    }
    let data = json!({"state": RunState::AwaitingApproval.as_str(), "brake": detail});
    add_event(tx, lease.organization, lease.run, EventKind::State, &data, now).await?;
    webhooks::announce_run(tx, lease.organization, lease.run, RunState::AwaitingApproval, now).await
}

/// Gives a run back to the queue, to be taken up again at `run_after`.
pub async fn release(
    tx: &mut Transaction,
    lease: &Lease,
    run_after: DateTime<Utc>,
    wait_reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let changed = diesel::update(held(lease))
        .set((
            runs::state.eq(RunState::Queued.as_str()),
            runs::lease_token.eq(None::<Uuid>),
            runs::lease_expires_at.eq(None::<DateTime<Utc>>),
            runs::run_after.eq(run_after),
            runs::wait_reason.eq(wait_reason),
            runs::version.eq(runs::version + 1),
            runs::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    if changed != 1 {
        return Err(lease_lost(lease));
    }
    let data = json!({"state": "queued", "waitReason": wait_reason, "runAfter": run_after});
    add_event(tx, lease.organization, lease.run, EventKind::State, &data, now).await?;
    notify(tx, RUNS, "").await
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
            end(tx, OrganizationId(*organization), RunId(*id), RunState::Failed, Some(&error), now).await?;
        }
        Ok(expired.len())
    })
    .await
}

/// An event of a run.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = run_events)]
pub struct EventRow {
    pub id: i64,
    pub event: String,
    pub data: Value,
    pub at: DateTime<Utc>,
}

/// Adds an event with the run's next number, and wakes those who wait for it.
pub async fn add_event(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    kind: EventKind,
    data: &Value,
    now: DateTime<Utc>,
) -> Result<()> {
    const ADD: &str = "
        WITH numbered AS (
            UPDATE runs SET last_event_id = last_event_id + 1
            WHERE organization_id = $1 AND id = $2 RETURNING last_event_id)
        INSERT INTO run_events (organization_id, run_id, id, event, data, at)
        SELECT $1, $2, last_event_id, $3, $4, $5 FROM numbered";
    diesel::sql_query(ADD)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<Text, _>(kind.as_str())
        .bind::<Jsonb, _>(data)
        .bind::<Timestamptz, _>(now)
        .execute(tx)
        .await?;
    notify(tx, RUN_EVENTS, &run.to_string()).await
}

/// Events after `after`, oldest first.
pub async fn events(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    after: i64,
    limit: i64,
) -> Result<Vec<EventRow>> {
    Ok(run_events::table
        .filter(run_events::organization_id.eq(organization.0))
        .filter(run_events::run_id.eq(run.0))
        .filter(run_events::id.gt(after))
        .order(run_events::id)
        .limit(limit)
        .select(EventRow::as_select())
        .load(tx)
        .await?)
}

/// A change of a run.
#[derive(Queryable, Selectable, QueryableByName, Clone, Debug)]
#[diesel(table_name = run_changes)]
pub struct ChangeRow {
    pub seq: i64,
    pub object_type: String,
    pub object_id: Uuid,
    pub label: Option<String>,
    pub action: String,
    pub reason: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Changes after `after` in their order, without what is only sent again.
pub async fn changes(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    after: i64,
    limit: i64,
) -> Result<Vec<ChangeRow>> {
    Ok(run_changes::table
        .filter(run_changes::organization_id.eq(organization.0))
        .filter(run_changes::run_id.eq(run.0))
        .filter(run_changes::seq.gt(after))
        .filter(run_changes::action.ne("unchanged"))
        .order(run_changes::seq)
        .limit(limit)
        .select(ChangeRow::as_select())
        .load(tx)
        .await?)
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
        end(tx, organization, RunId(id), RunState::Cancelled, None, now).await?;
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
