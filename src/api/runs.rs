//! Runs: executions of a job.

mod actor;
mod body;
mod expand;
mod people;
mod refusal;

pub(super) use actor::ActorKind;
pub use body::RunResponse;
pub(super) use refusal::check;

use super::audit_events::record;
use super::auth::Caller;
use super::body::Body;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery, TimeSortQuery};
use super::respond::{Accepted, Found};
use super::run_events;
use crate::app::App;
use crate::audit::Action;
use crate::db::runs::{self, NewRun};
use crate::db::{Transaction, job_settings, mirror};
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{RunMode, RunRequest, RunState};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{get, post};
use body::CreateRun;
use expand::ExpandQuery;
use people::{add_names, single};
use refusal::{refuse_another_tenant, refuse_outdated, refuse_test_that_would_remove};
use serde::Deserialize;
use std::time::Duration;
use utoipa::IntoParams;

pub(super) const KIND: &str = "runs";

/// Refuses a run whose connection reaches another tenant than the mirror holds, and a test that would remove the rest.
pub(super) async fn refuse_what_cannot_run(
    tx: &mut Transaction,
    organization: OrganizationId,
    new: &NewRun,
) -> Result<()> {
    let settings = job_settings::load(tx, organization, new.job).await?;
    let mirror = mirror::find(tx, organization, new.job).await?;
    refuse_another_tenant(&settings, &mirror, new)?;
    refuse_test_that_would_remove(&settings, &mirror, new)
}

/// Start a run
///
/// Queues an execution of the job. The next free worker executes it; its events show the progress. With `wait`, the
/// response is sent when the run ends or awaits approval, or when the time is over: `state` tells which.
#[utoipa::path(
    tag = "Runs",
    params(("id" = JobId, Path, description = "The job's id"), WaitQuery, IdempotencyKeyHeader),
    request_body = CreateRun,
    responses(
        (status = 202, description = "The run, queued; with `wait` as it is then", body = RunResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/jobs/{id}/runs")]
pub async fn create_run(
    app: Data<App>,
    caller: Caller,
    job: Path<JobId>,
    wait: Query<WaitQuery>,
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
            refuse_what_cannot_run(tx, organization, &new).await?;
            let row = runs::enqueue(tx, organization, &new, app.clock.now()).await?;
            record(tx, &app, &caller, Action::Create, KIND, row.id).await?;
            once.done(tx, &app, &caller, 202, row.id).await?;
            Ok(row)
        })
        .await?;
    let id = RunId(row.id);
    if let Some(seconds) = wait.wait.filter(|seconds| *seconds > 0) {
        run_events::until_it_rests(&app, organization, id, Duration::from_secs(u64::from(seconds))).await?;
    }
    let value = app.db.scoped(organization, async |tx| single(tx, organization, id).await).await?;
    Ok(Accepted { location: format!("/v1/runs/{id}"), value })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// How many seconds to wait at most until the run ends or awaits approval. Absent: the response is sent at once.
    #[param(minimum = 0, maximum = 20)]
    pub wait: Option<u8>,
}

/// List the runs of a job
///
/// Newest first, unless `sort` says otherwise.
#[utoipa::path(
    tag = "Runs",
    params(
        ("id" = JobId, Path, description = "The job's id"), runs::Which, ExpandQuery, TimeSortQuery, PageQuery
    ),
    responses((status = 200, description = "A page of runs", body = Page<RunResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/runs")]
pub async fn list_job_runs(
    app: Data<App>,
    caller: Caller,
    job: Path<JobId>,
    which: Query<runs::Which>,
    expand: Query<ExpandQuery>,
    sort: Query<TimeSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<RunResponse>>> {
    let (organization, job) = (caller.organization, *job);
    let which = runs::Which { job: Some(job), ..which.into_inner() };
    let window = query.sorted(KIND, &which, sort.order())?;
    let page = app
        .db
        .scoped(organization, async |tx| {
            job_settings::load(tx, organization, job).await?;
            let rows = runs::list(tx, organization, &which, &window.part()).await?;
            let mut page = window.try_page(rows, |row| row.id, RunResponse::listed)?;
            add_names(tx, organization, &mut page.items).await?;
            expand.apply(tx, organization, page).await
        })
        .await?;
    Ok(Json(page))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct JobQuery {
    /// Only runs of this job.
    pub job_id: Option<JobId>,
}

/// List runs
///
/// Runs of all jobs, newest first, unless `sort` says otherwise.
#[utoipa::path(
    tag = "Runs",
    params(JobQuery, runs::Which, ExpandQuery, TimeSortQuery, PageQuery),
    responses((status = 200, description = "A page of runs", body = Page<RunResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/runs")]
pub async fn list_runs(
    app: Data<App>,
    caller: Caller,
    job: Query<JobQuery>,
    which: Query<runs::Which>,
    expand: Query<ExpandQuery>,
    sort: Query<TimeSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<RunResponse>>> {
    let organization = caller.organization;
    let which = runs::Which { job: job.job_id, ..which.into_inner() };
    let window = query.sorted(KIND, &which, sort.order())?;
    let page = app
        .db
        .scoped(organization, async |tx| {
            let rows = runs::list(tx, organization, &which, &window.part()).await?;
            let mut page = window.try_page(rows, |row| row.id, RunResponse::listed)?;
            add_names(tx, organization, &mut page.items).await?;
            expand.apply(tx, organization, page).await
        })
        .await?;
    Ok(Json(page))
}

/// Get a run
///
/// Its state, progress and counts, and its warnings and error when it has ended.
#[utoipa::path(
    tag = "Runs",
    params(("id" = RunId, Path, description = "The run's id"), ExpandQuery),
    responses((status = 200, description = "The run", body = RunResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/runs/{id}")]
pub async fn get_run(
    app: Data<App>,
    caller: Caller,
    id: Path<RunId>,
    expand: Query<ExpandQuery>,
) -> Result<Found<RunResponse>> {
    let (organization, id) = (caller.organization, *id);
    let run = app
        .db
        .scoped(organization, async |tx| {
            let run = single(tx, organization, id).await?;
            let page = expand.apply(tx, organization, Page { items: vec![run], next_cursor: None }).await?;
            page.items.into_iter().next().ok_or_else(|| Error::internal("one run has one response"))
        })
        .await?;
    Ok(Found(run))
}

/// Cancel a run
///
/// A queued run ends at once. A running one closes its import in Assets and ends soon after. If Assets already processes
/// its data, the run ends as if it had not been cancelled.
#[utoipa::path(
    tag = "Runs",
    params(("id" = RunId, Path, description = "The run's id")),
    responses(
        (status = 200, description = "The changed run", body = RunResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/runs/{id}/cancel")]
pub async fn cancel_run(app: Data<App>, caller: Caller, id: Path<RunId>) -> Result<Found<RunResponse>> {
    let (organization, id) = (caller.organization, *id);
    let run = app
        .db
        .scoped(organization, async |tx| {
            record(tx, &app, &caller, Action::Cancel, KIND, id.0).await?;
            runs::request_cancel(tx, organization, id, &caller.actor, app.clock.now()).await?;
            single(tx, organization, id).await
        })
        .await?;
    Ok(Found(run))
}

/// Approve a run that waits for approval
///
/// The run delivers exactly its listed changes. Refused if the job or the mirror changed since it stopped.
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
    let run = app
        .db
        .scoped(organization, async |tx| {
            let run = runs::find(tx, organization, id).await?;
            if run.state == RunState::AwaitingApproval {
                refuse_outdated(tx, &app, organization, &run).await?;
            }
            record(tx, &app, &caller, Action::Approve, KIND, id.0).await?;
            runs::approve(tx, organization, id, app.clock.now()).await?;
            single(tx, organization, id).await
        })
        .await?;
    Ok(Found(run))
}
