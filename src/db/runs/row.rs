//! A run as stored, and the runs of a job.

use crate::db::Transaction;
use crate::db::schema::runs;
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{RunMode, RunRequest, RunStage, RunState, WaitReason};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

/// A run as stored.
#[derive(Queryable, Selectable, QueryableByName, Clone, Debug)]
#[diesel(table_name = runs)]
pub struct RunRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub job_id: Uuid,
    pub mode: RunMode,
    pub request: Value,
    pub requested_by: String,
    pub state: RunState,
    pub stage: Option<RunStage>,
    pub wait_reason: Option<WaitReason>,
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
    /// Whether the run will end as `degraded`.
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
    pub fn run_request(&self) -> Result<RunRequest> {
        serde_json::from_value(self.request.clone()).map_err(Error::internal)
    }
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
        query = query.filter(runs::state.eq(state));
    }
    if let Some(before) = before {
        query = query.filter(runs::id.lt(before.0));
    }
    Ok(query.order(runs::id.desc()).limit(limit).select(RunRow::as_select()).load(tx).await?)
}

/// Whether a run of the job is queued, running or waiting for approval.
pub async fn has_live(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<bool> {
    has_any(tx, organization, job, &RunState::LIVE).await
}

/// Whether a run of the job is queued or running, so that no other can be queued.
pub async fn has_busy(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<bool> {
    has_any(tx, organization, job, &RunState::BUSY).await
}

async fn has_any(tx: &mut Transaction, organization: OrganizationId, job: JobId, states: &[RunState]) -> Result<bool> {
    let query = runs::table
        .filter(runs::organization_id.eq(organization.0))
        .filter(runs::job_id.eq(job.0))
        .filter(runs::state.eq_any(states));
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(tx).await?)
}
