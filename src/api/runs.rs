//! Runs: executions of a job.

use super::audit_events::record;
use super::auth::Caller;
use super::body::Body;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery};
use super::respond::{Accepted, Found, Versioned};
use crate::app::App;
use crate::db::job_settings::JobSettings;
use crate::db::mirror::{self, MirrorRow};
use crate::db::runs::{self, NewRun, RunRow};
use crate::db::{Transaction, job_settings};
use crate::error::{Code, Error, Faults, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{
    Counts, Deliver, Progress, RunError, RunMode, RunRequest, RunStage, RunState, RunWarning, TypeCounts,
};
use crate::runs::checkpoint::Checkpoint;
use crate::runs::context::JobContext;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const KIND: &str = "runs";

/// What a run should do.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"mode": "full"}))]
pub struct CreateRun {
    pub mode: RunMode,
    /// Users that a `test` reads; 100 if absent. Only with mode `test`.
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit: Option<u32>,
    /// What is sent, for this run only; absent: as the job says. It has no effect with mode `dryRun`, which sends nothing.
    pub deliver: Option<Deliver>,
    /// Accept that the connection reaches another tenant than before: the mirror starts anew. Only with the modes
    /// `full` and `incremental`.
    pub reset_mirror: Option<bool>,
}

/// What the document cannot say of a run to be made: which options go with its mode.
pub(super) fn check(body: &Value, faults: &mut Faults) {
    let Some(mode) = body.get("mode").and_then(Value::as_str).and_then(|mode| mode.parse::<RunMode>().ok()) else {
        return;
    };
    if body.get("limit").is_some_and(|limit| !limit.is_null()) && mode != RunMode::Test {
        let detail = format!(
            "`limit` is for mode `test` only; mode `{mode}` reads everything that the filter takes. Leave it out."
        );
        faults.push("/limit", "not_for_mode", detail);
    }
    if body.get("resetMirror") == Some(&Value::Bool(true)) && matches!(mode, RunMode::Test | RunMode::DryRun) {
        let detail = format!(
            "mode `{mode}` leaves the mirror as it is, and `resetMirror` throws it away. Use mode `full`, or leave it out."
        );
        faults.push("/resetMirror", "not_for_mode", detail);
    }
}

/// One execution of a job.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01900000-0000-7000-8000-000000000001", "jobId": "01900000-0000-7000-8000-000000000002",
    "mode": "full", "limit": null, "deliver": null, "resetMirror": false, "requestedBy": "schedule",
    "state": "running", "stage": "collect", "waitReason": null, "attempt": 1, "cancelRequested": false,
    "progress": {
        "stage": "collect", "done": 1200, "total": 2000, "objectsPerSecond": 5400.0, "etaSeconds": 3,
        "resourceUnits": 310, "resourceUnitsLeft": 7690, "throttledMs": 0,
    },
    "counts": {"users": {
        "read": 1200, "created": 0, "updated": 0, "unchanged": 0, "missing": 0, "removed": 0, "ignored": 0,
    }},
    "error": null, "warnings": [], "approvalExpiresAt": null, "queuedAt": "2027-01-01T05:00:00Z",
    "startedAt": "2027-01-01T05:00:01Z", "finishedAt": null, "version": 3,
    "createdAt": "2027-01-01T05:00:00Z", "updatedAt": "2027-01-01T05:00:02Z",
}))]
pub struct RunResponse {
    pub id: RunId,
    pub job_id: JobId,
    pub mode: RunMode,
    #[schema(required = true)]
    pub limit: Option<u32>,
    #[schema(required = true)]
    pub deliver: Option<Deliver>,
    pub reset_mirror: bool,
    /// `schedule`, or who asked for it.
    pub requested_by: String,
    pub state: RunState,
    /// What it is busy with, or was when it ended; null before it began.
    #[schema(required = true)]
    pub stage: Option<RunStage>,
    /// Why a queued run waits: `forgeToken`, …
    #[schema(required = true)]
    pub wait_reason: Option<String>,
    /// How often a process took it up.
    pub attempt: i32,
    pub cancel_requested: bool,
    #[schema(required = true)]
    pub progress: Option<Progress>,
    /// By object type: `users`, `groups`, `licenses`, `devices`, and `memberships`.
    #[schema(value_type = BTreeMap<String, TypeCounts>)]
    pub counts: Counts,
    /// Why it failed, or who cancelled it and when; null otherwise.
    #[schema(required = true)]
    pub error: Option<RunError>,
    pub warnings: Vec<RunWarning>,
    /// Until when it can be approved; null unless it awaits approval.
    #[schema(required = true)]
    pub approval_expires_at: Option<DateTime<Utc>>,
    pub queued_at: DateTime<Utc>,
    #[schema(required = true)]
    pub started_at: Option<DateTime<Utc>>,
    #[schema(required = true)]
    pub finished_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Versioned for RunResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl RunResponse {
    pub(super) fn from_row(row: RunRow) -> Result<Self> {
        let (mode, state, request) = (row.run_mode()?, row.run_state()?, row.run_request()?);
        let mut counts: Counts = read(row.counts)?;
        for object_type in ["users", "groups", "licenses", "memberships"] {
            counts.entry(object_type.to_owned()).or_default();
        }
        Ok(Self {
            id: RunId(row.id),
            job_id: JobId(row.job_id),
            mode,
            limit: request.limit,
            deliver: request.deliver,
            reset_mirror: request.reset_mirror,
            requested_by: row.requested_by,
            state,
            stage: row.stage.map(|stage| stage.parse()).transpose().map_err(|e: String| Error::internal(e))?,
            wait_reason: row.wait_reason,
            attempt: row.attempt,
            cancel_requested: row.cancel_requested_at.is_some(),
            progress: row.progress.map(read).transpose()?,
            counts,
            // Who asked for the end of a run that still lives is not why it ended.
            error: row.error.filter(|_| state.is_terminal()).map(read).transpose()?,
            warnings: read(row.warnings)?,
            approval_expires_at: row.approval_expires_at,
            queued_at: row.queued_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            version: row.version,
            created_at: row.queued_at,
            updated_at: row.updated_at,
        })
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(Error::internal)
}

/// Start a run
///
/// Queues an execution of the job. It is executed by a worker as soon as one is free; follow it by its events.
#[utoipa::path(
    tag = "Runs",
    params(("id" = JobId, Path, description = "The job's id"), IdempotencyKeyHeader),
    request_body = CreateRun,
    responses(
        (status = 202, description = "The run, queued", body = RunResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/jobs/{id}/runs")]
pub async fn create_run(
    app: Data<App>,
    caller: Caller,
    job: Path<JobId>,
    once: Once,
    body: Body<CreateRun>,
) -> Result<Accepted<RunResponse>> {
    let (organization, job, body) = (caller.organization, *job, body.0);
    let new = NewRun {
        id: RunId::new(&app.clock),
        job,
        mode: body.mode,
        request: RunRequest {
            limit: body.limit,
            deliver: body.deliver.filter(|_| body.mode != RunMode::DryRun),
            reset_mirror: body.reset_mirror.unwrap_or(false),
        },
        requested_by: caller.actor.clone(),
    };
    let row = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await? {
                return runs::find(tx, organization, RunId(id)).await;
            }
            let settings = job_settings::load(tx, organization, new.job).await?;
            let mirror = mirror::find(tx, organization, new.job).await?;
            refuse_another_tenant(&settings, &mirror, &new)?;
            refuse_test_that_would_remove(&settings, &mirror, &new)?;
            let row = runs::enqueue(tx, organization, &new, app.clock.now()).await?;
            record(tx, &app, &caller, "create", KIND, row.id).await?;
            once.done(tx, &app, &caller, 202, row.id).await?;
            Ok(row)
        })
        .await?;
    Ok(Accepted { location: format!("/v1/runs/{}", row.id), value: RunResponse::from_row(row)? })
}

/// A mirror that holds one tenant is not filled from another. Where the connection names its tenant by a domain, the
/// run finds out by its token.
fn refuse_another_tenant(settings: &JobSettings, mirror: &MirrorRow, new: &NewRun) -> Result<()> {
    let keeps_mirror = matches!(new.mode, RunMode::Full | RunMode::Incremental) && !new.request.reset_mirror;
    let wanted = Uuid::parse_str(&settings.connection.tenant_id).ok();
    match (mirror.tenant_id, wanted) {
        (Some(known), Some(wanted)) if known != wanted && keeps_mirror => Err(Error::new(
            Code::TenantChanged,
            format!(
                "The connection now reaches the tenant {wanted}, but the mirror of this job holds {known}. If the change is \
                 wanted, start the run with `resetMirror: true`; otherwise correct the connection's `tenantId`."
            ),
        )),
        _ => Ok(()),
    }
}

/// A test sends a part. Unless Assets ignores what is missing, that is safe only while the destination is
/// empty.
fn refuse_test_that_would_remove(settings: &JobSettings, mirror: &MirrorRow, new: &NewRun) -> Result<()> {
    let Some(destination) = settings.destination.as_ref().filter(|_| new.mode == RunMode::Test) else { return Ok(()) };
    let has_delivered = mirror.delivered_to == Some(destination.id) && mirror.delivered_at.is_some();
    // Also what another job left there.
    let has_objects = has_delivered || destination.delivered_at.is_some();
    if has_objects && destination.missing_objects != "ignore" {
        return Err(Error::new(
            Code::TestWouldRemove,
            "The destination already has objects, and a test sends only a part of them: Assets could treat the rest as \
             missing. Use mode `dryRun`; or set the destination's `missingObjects` to `ignore` once it is so in Assets.",
        ));
    }
    Ok(())
}

/// Which runs to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunsQuery {
    /// Only runs in this state, such as `awaitingApproval`.
    #[param(inline)]
    pub state: Option<RunState>,
}

/// List the runs of a job
///
/// Newest first.
#[utoipa::path(
    tag = "Runs",
    params(("id" = JobId, Path, description = "The job's id"), RunsQuery, PageQuery),
    responses((status = 200, description = "A page of runs", body = Page<RunResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/runs")]
pub async fn list_job_runs(
    app: Data<App>,
    caller: Caller,
    job: Path<JobId>,
    which: Query<RunsQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<RunResponse>>> {
    let (organization, job, state) = (caller.organization, *job, which.state);
    let window = query.window(&format!("jobs/{job}/runs/{state:?}"))?;
    let rows = app
        .db
        .scoped(organization, async |tx| {
            job_settings::load(tx, organization, job).await?;
            runs::list(tx, organization, Some(job), state, window.after.map(RunId), window.rows()).await
        })
        .await?;
    Ok(Json(window.try_page(rows, |row| row.id, RunResponse::from_row)?))
}

/// List runs
///
/// Of all jobs, newest first.
#[utoipa::path(
    tag = "Runs",
    params(RunsQuery, PageQuery),
    responses((status = 200, description = "A page of runs", body = Page<RunResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/runs")]
pub async fn list_runs(
    app: Data<App>,
    caller: Caller,
    which: Query<RunsQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<RunResponse>>> {
    let (organization, state) = (caller.organization, which.state);
    let window = query.window(&format!("{KIND}/{state:?}"))?;
    let rows = app
        .db
        .scoped(organization, async |tx| {
            runs::list(tx, organization, None, state, window.after.map(RunId), window.rows()).await
        })
        .await?;
    Ok(Json(window.try_page(rows, |row| row.id, RunResponse::from_row)?))
}

/// Get a run
///
/// Its state, progress and counts; when it has ended, its result, warnings and error.
#[utoipa::path(
    tag = "Runs",
    params(("id" = RunId, Path, description = "The run's id")),
    responses((status = 200, description = "The run", body = RunResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/runs/{id}")]
pub async fn get_run(app: Data<App>, caller: Caller, id: Path<RunId>) -> Result<Found<RunResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app.db.scoped(organization, async |tx| runs::find(tx, organization, id).await).await?;
    Ok(Found(RunResponse::from_row(row)?))
}

/// Cancel a run
///
/// A queued run ends at once. A running one closes what it has open in Assets and ends soon after; if Assets
/// already processes its data, it ends as if it had not been cancelled.
#[utoipa::path(
    tag = "Runs",
    params(("id" = RunId, Path, description = "The run's id")),
    responses(
        (status = 200, description = "The run as it is now", body = RunResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/runs/{id}/cancel")]
pub async fn cancel_run(app: Data<App>, caller: Caller, id: Path<RunId>) -> Result<Found<RunResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            record(tx, &app, &caller, "cancel", KIND, id.0).await?;
            runs::request_cancel(tx, organization, id, &caller.actor, app.clock.now()).await
        })
        .await?;
    Ok(Found(RunResponse::from_row(row)?))
}

/// Approve a run that the removal brake stopped
///
/// It delivers exactly what its changes say, unless the job or the mirror changed since.
#[utoipa::path(
    tag = "Runs",
    params(("id" = RunId, Path, description = "The run's id")),
    responses(
        (status = 200, description = "The run, queued again", body = RunResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/runs/{id}/approve")]
pub async fn approve_run(app: Data<App>, caller: Caller, id: Path<RunId>) -> Result<Found<RunResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            let run = runs::find(tx, organization, id).await?;
            if run.run_state()? == RunState::AwaitingApproval {
                refuse_outdated(tx, &app, organization, &run).await?;
            }
            record(tx, &app, &caller, "approve", KIND, id.0).await?;
            runs::approve(tx, organization, id, app.clock.now()).await
        })
        .await?;
    Ok(Found(RunResponse::from_row(row)?))
}

/// What would be approved is what was found then; it must still be what would happen.
async fn refuse_outdated(tx: &mut Transaction, app: &App, organization: OrganizationId, run: &RunRow) -> Result<()> {
    let checkpoint = Checkpoint::of(run)?;
    let settings = job_settings::load(tx, organization, run.job()).await?;
    let settings = JobContext::new(app, organization, settings)?.settings();
    let mirror = mirror::find(tx, organization, run.job()).await?;
    if checkpoint.diffed.is_some_and(|found| found.settings == settings && found.generation == mirror.generation) {
        return Ok(());
    }
    Err(Error::new(
        Code::ApprovalOutdated,
        "The job, its filter, its destination or its mirror changed after the run stopped; cancel it and start a new one.",
    ))
}
