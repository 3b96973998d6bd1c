//! A run as stored, and the runs of a job.

use crate::audit::Actor;
use crate::db::Transaction;
use crate::db::list::{Condition, is, list};
use crate::db::schema::runs;
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{RunMode, RunRequest, RunStage, RunState, WaitReason};
use crate::text_enum::Words;
use crate::trace;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

/// The field of a stored request with the trace that it belongs to.
const TRACEPARENT: &str = "traceparent";

/// A run as stored.
#[derive(Queryable, Selectable, QueryableByName, Clone, Debug)]
#[diesel(table_name = runs)]
pub struct RunRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub job_id: Uuid,
    pub mode: RunMode,
    pub request: Value,
    pub requested_by: Actor,
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

    /// The `traceparent` of what started the run, if somebody collects traces.
    pub fn traceparent(&self) -> Option<&str> {
        self.request.get(TRACEPARENT)?.as_str()
    }
}

/// What is stored of a request: with the trace that it belongs to, which the run goes on with.
pub(super) fn stored_request(request: &RunRequest) -> Result<Value> {
    let mut stored = serde_json::to_value(request).map_err(Error::internal)?;
    if let Some(traceparent) = trace::current() {
        stored[TRACEPARENT] = traceparent.into();
    }
    Ok(stored)
}

pub async fn find(tx: &mut Transaction, organization: OrganizationId, id: RunId) -> Result<RunRow> {
    let found = runs::table.find((organization.0, id.0)).select(RunRow::as_select()).first(tx).await.optional()?;
    found.ok_or_else(|| Error::not_found("run", id))
}

/// Which runs to list. Conditions combine: a run fulfils all of them.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only runs of this mode.
    #[param(inline)]
    pub mode: Option<RunMode>,
    /// Only runs in one of these states, separated by commas: `awaitingApproval`, or `failed,degraded`.
    #[param(value_type = Vec<RunState>, required = false, style = Form, explode = false, max_items = 7)]
    pub state: Option<Words<RunState>>,
    /// Only runs that were created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only runs that were created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only runs with this `requestedBy`: `schedule`, `adminKey`, `apiKey:<id>`, …
    #[param(min_length = 1, max_length = 500)]
    pub triggered_by: Option<String>,
    #[serde(skip)]
    #[param(ignore)]
    pub job: Option<JobId>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<runs::table>> {
        let found = [
            self.job.map(|job| is(runs::job_id.eq(job.0))),
            self.mode.map(|mode| is(runs::mode.eq(mode))),
            self.state.clone().map(|states| is(runs::state.eq_any(states.0))),
            self.created_after.map(|after| is(runs::queued_at.ge(after))),
            self.created_before.map(|before| is(runs::queued_at.lt(before))),
            self.triggered_by.clone().map(|actor| is(runs::requested_by.eq(actor))),
        ];
        found.into_iter().flatten().collect()
    }
}

list!(runs, RunRow, by time);

/// What a list of jobs shows of a run.
#[derive(QueryableByName, Clone, Debug)]
pub struct LastRunRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub job_id: Uuid,
    #[diesel(sql_type = Text)]
    pub mode: RunMode,
    #[diesel(sql_type = Text)]
    pub state: RunState,
    #[diesel(sql_type = Nullable<Text>)]
    pub stage: Option<RunStage>,
    #[diesel(sql_type = Text)]
    pub requested_by: Actor,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub progress: Option<Value>,
    #[diesel(sql_type = Jsonb)]
    pub counts: Value,
    #[diesel(sql_type = Integer)]
    pub warnings: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub error_code: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub error_detail: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub queued_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub started_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// The newest run of each job that has one.
pub async fn newest(tx: &mut Transaction, organization: OrganizationId, jobs: &[Uuid]) -> Result<Vec<LastRunRow>> {
    // One look into the index for each job, however many runs it has.
    const NEWEST: &str = "
        SELECT r.* FROM unnest($2) AS j(id) CROSS JOIN LATERAL (
            SELECT id, job_id, mode, state, stage, requested_by, progress, counts,
                jsonb_array_length(warnings) AS warnings, error->>'code' AS error_code,
                error->>'detail' AS error_detail, queued_at, started_at, finished_at
            FROM runs WHERE organization_id = $1 AND job_id = j.id ORDER BY id DESC LIMIT 1) r";
    let query = diesel::sql_query(NEWEST).bind::<SqlUuid, _>(organization.0).bind::<Array<SqlUuid>, _>(jobs);
    Ok(query.load(tx).await?)
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
