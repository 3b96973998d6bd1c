//! Executions of Assets imports that a run started or meant to start, so that any process can go on with
//! them.

use super::Transaction;
use super::runs::{Lease, fence};
use super::schema::{executions, runs};
use crate::error::{Code, Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::RunState;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = executions)]
pub struct ExecutionRow {
    pub id: Uuid,
    pub state: String,
    pub links_sealed: Option<Vec<u8>>,
    pub execution_id: Option<String>,
    /// Everything up to here was acknowledged by Assets.
    pub acknowledged_seq: i64,
    /// The chunk under way: its last row and its id.
    pub sending_seq: Option<i64>,
    pub sending_id: Option<String>,
    pub chunks: i32,
    pub result: Option<Value>,
    pub created_at: DateTime<Utc>,
}

/// What is said of an execution; `None` leaves a column as it is.
#[derive(AsChangeset, Default, Clone, Debug)]
#[diesel(table_name = executions)]
pub struct Change {
    pub state: Option<&'static str>,
    pub links_sealed: Option<Vec<u8>>,
    pub execution_id: Option<String>,
    pub acknowledged_seq: Option<i64>,
    pub sending_seq: Option<i64>,
    pub sending_id: Option<String>,
    pub chunks: Option<i32>,
    pub result: Option<Value>,
}

/// The newest execution of a run that was not cancelled.
pub async fn current(tx: &mut Transaction, organization: OrganizationId, run: RunId) -> Result<Option<ExecutionRow>> {
    Ok(executions::table
        .filter(executions::organization_id.eq(organization.0))
        .filter(executions::run_id.eq(run.0))
        .filter(executions::state.ne("cancelled"))
        .order(executions::id.desc())
        .select(ExecutionRow::as_select())
        .first(tx)
        .await
        .optional()?)
}

/// Notes the intention to start one, before Assets is asked: the answer may get lost. Fenced.
pub async fn insert(tx: &mut Transaction, lease: &Lease, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    fence(tx, lease).await?;
    diesel::insert_into(executions::table)
        .values((
            executions::organization_id.eq(lease.organization.0),
            executions::run_id.eq(lease.run.0),
            executions::id.eq(id),
            executions::state.eq("starting"),
            executions::created_at.eq(now),
            executions::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    Ok(())
}

/// Changes what is known of an execution. Fenced.
pub async fn update(tx: &mut Transaction, lease: &Lease, id: Uuid, change: &Change, now: DateTime<Utc>) -> Result<()> {
    fence(tx, lease).await?;
    let changed = diesel::update(executions::table.find((lease.organization.0, lease.run.0, id)))
        .set((change, executions::updated_at.eq(now)))
        .execute(tx)
        .await?;
    if changed == 1 { Ok(()) } else { Err(Error::new(Code::Internal, format!("execution {id} is gone"))) }
}

/// Whether a live run of a job has an execution that Assets accepts data for or works on.
pub async fn is_under_way(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<bool> {
    let ended = [RunState::Succeeded, RunState::Degraded, RunState::Failed, RunState::Cancelled].map(RunState::as_str);
    let live = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(job.0))
        .filter(runs::state.ne_all(ended))
        .select(runs::id);
    let open = executions::table
        .filter(executions::organization_id.eq(organization.0))
        .filter(executions::run_id.eq_any(live))
        .filter(executions::state.eq_any(["starting", "ingesting", "completed"]));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(tx).await?)
}

/// Executions that other, ended runs of a job left open.
pub async fn left_open(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    except: RunId,
) -> Result<Vec<ExecutionRow>> {
    let ended = [RunState::Succeeded, RunState::Degraded, RunState::Failed, RunState::Cancelled].map(RunState::as_str);
    let of_job = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(job.0))
        .filter(runs::state.eq_any(ended))
        .select(runs::id);
    Ok(executions::table
        .filter(executions::organization_id.eq(organization.0))
        .filter(executions::run_id.eq_any(of_job))
        .filter(executions::run_id.ne(except.0))
        .filter(executions::state.eq_any(["starting", "ingesting"]))
        .order(executions::id)
        .select(ExecutionRow::as_select())
        .load(tx)
        .await?)
}

/// Writes down that an execution of another run, see [`left_open`], is over. Fenced by this run's lease.
pub async fn give_up(tx: &mut Transaction, lease: &Lease, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    fence(tx, lease).await?;
    diesel::update(executions::table)
        .filter(executions::organization_id.eq(lease.organization.0))
        .filter(executions::id.eq(id))
        .set((executions::state.eq("cancelled"), executions::updated_at.eq(now)))
        .execute(tx)
        .await?;
    Ok(())
}
