//! Executions of Assets imports that a run started or was about to start, so that any process can continue them.

use super::Transaction;
use super::runs::{Lease, fence};
use super::schema::{executions, runs};
use crate::error::{Code, Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{ExecutionStep, RunState};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = executions)]
pub struct ExecutionRow {
    pub run_id: Uuid,
    pub id: Uuid,
    pub state: ExecutionStep,
    pub links_sealed: Option<Vec<u8>>,
    pub execution_id: Option<String>,
    /// Everything up to here was acknowledged by Assets.
    pub acknowledged_seq: i64,
    /// The chunk that is being sent: its last row and its id.
    pub sending_seq: Option<i64>,
    pub sending_id: Option<String>,
    pub chunks: i32,
    pub result: Option<Value>,
    pub created_at: DateTime<Utc>,
    /// Entries by type that were sent again because the answer to their chunk was lost.
    pub repeated: Value,
    /// Where it was started; `None`: a version before did not note it.
    pub destination_id: Option<Uuid>,
}

impl ExecutionRow {
    /// Whether Assets has received it completely.
    pub fn is_completed(&self) -> bool {
        matches!(self.state, ExecutionStep::Completed | ExecutionStep::Done)
    }

    /// The last row of a chunk of which it is not known whether Assets took it.
    pub fn unanswered(&self) -> Option<i64> {
        self.sending_seq.filter(|seq| self.state == ExecutionStep::Ingesting && *seq > self.acknowledged_seq)
    }
}

/// A change to an execution; `None` leaves a column unchanged.
#[derive(AsChangeset, Default, Clone, Debug)]
#[diesel(table_name = executions)]
pub struct Change {
    pub state: Option<ExecutionStep>,
    pub links_sealed: Option<Vec<u8>>,
    pub execution_id: Option<String>,
    pub acknowledged_seq: Option<i64>,
    pub sending_seq: Option<i64>,
    pub sending_id: Option<String>,
    pub chunks: Option<i32>,
    pub result: Option<Value>,
    pub repeated: Option<Value>,
}

/// The newest execution of a run that was not cancelled.
pub async fn current(tx: &mut Transaction, organization: OrganizationId, run: RunId) -> Result<Option<ExecutionRow>> {
    Ok(executions::table
        .filter(executions::organization_id.eq(organization.0))
        .filter(executions::run_id.eq(run.0))
        .filter(executions::state.ne(ExecutionStep::Cancelled))
        .order(executions::id.desc())
        .select(ExecutionRow::as_select())
        .first(tx)
        .await
        .optional()?)
}

/// Stores that an execution is about to be started, before Assets is asked: the answer may get lost. Fenced.
pub async fn insert(
    tx: &mut Transaction,
    lease: &Lease,
    id: Uuid,
    destination: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    fence(tx, lease).await?;
    diesel::insert_into(executions::table)
        .values((
            executions::organization_id.eq(lease.organization.0),
            executions::run_id.eq(lease.run.0),
            executions::id.eq(id),
            executions::destination_id.eq(destination),
            executions::state.eq(ExecutionStep::Starting),
            executions::created_at.eq(now),
            executions::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    Ok(())
}

/// Changes an execution. Fenced.
pub async fn update(tx: &mut Transaction, lease: &Lease, id: Uuid, change: &Change, now: DateTime<Utc>) -> Result<()> {
    fence(tx, lease).await?;
    let changed = diesel::update(executions::table.find((lease.organization.0, lease.run.0, id)))
        .set((change, executions::updated_at.eq(now)))
        .execute(tx)
        .await?;
    if changed == 1 { Ok(()) } else { Err(Error::new(Code::Internal, format!("execution {id} does not exist"))) }
}

/// Whether a run of the job that has not ended has an execution that Assets accepts data for or processes.
pub async fn is_under_way(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<bool> {
    let live = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(job.0))
        .filter(runs::state.eq_any(RunState::LIVE))
        .select(runs::id);
    let open = executions::table
        .filter(executions::organization_id.eq(organization.0))
        .filter(executions::run_id.eq_any(live))
        .filter(executions::state.eq_any([
            ExecutionStep::Starting,
            ExecutionStep::Ingesting,
            ExecutionStep::Completed,
        ]));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(tx).await?)
}

/// Executions that runs left open in a destination when they ended, whichever job had it then, and the starts of this run
/// that were not answered. Of those that a version before noted, only the job is known.
pub async fn left_open(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    destination: Uuid,
) -> Result<Vec<ExecutionRow>> {
    let organization = lease.organization.0;
    let of_job =
        runs::table.filter(runs::organization_id.eq(organization)).filter(runs::job_id.eq(job.0)).select(runs::id);
    let live = runs::table
        .filter(runs::organization_id.eq(organization))
        .filter(runs::state.eq_any(RunState::LIVE))
        .select(runs::id);
    let is_here = executions::destination_id.is_not_distinct_from(destination);
    let is_of_job = executions::destination_id.is_null().and(executions::run_id.eq_any(of_job));
    let is_lost = executions::run_id.eq(lease.run.0).and(executions::state.eq(ExecutionStep::Starting));
    Ok(executions::table
        .filter(executions::organization_id.eq(organization))
        .filter(executions::state.eq_any([ExecutionStep::Starting, ExecutionStep::Ingesting]))
        .filter(is_here.or(is_of_job))
        .filter(executions::run_id.ne_all(live).or(is_lost))
        .order(executions::id)
        .select(ExecutionRow::as_select())
        .load(tx)
        .await?)
}

/// Stores that executions which were left open are over, see [`left_open`]. Fenced by this run's lease.
pub async fn give_up(tx: &mut Transaction, lease: &Lease, ids: &[Uuid], now: DateTime<Utc>) -> Result<()> {
    fence(tx, lease).await?;
    diesel::update(executions::table)
        .filter(executions::organization_id.eq(lease.organization.0))
        .filter(executions::id.eq_any(ids))
        .set((executions::state.eq(ExecutionStep::Cancelled), executions::updated_at.eq(now)))
        .execute(tx)
        .await?;
    Ok(())
}
