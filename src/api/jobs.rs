//! Jobs: what to import from where to where, and when.

mod body;
mod expand;
mod last_run;
mod row;
mod warnings;

use super::audit_events::{record, record_update};
use super::auth::Caller;
use super::body::Body;
use super::contract::Contract;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{NameSortQuery, Page, PageQuery};
use super::patch::{Change, Patch};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader};
use crate::app::App;
use crate::audit::Action;
use crate::db::{jobs, runs};
use crate::directory::ObjectType;
use crate::error::{Code, Error, Faults, Result};
use crate::ids::JobId;
use crate::job::RemovalPolicy;
use crate::mapping::Selection;
use crate::schedule::{Schedule, ScheduleFault};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
pub use body::JobResponse;
use body::{CreateJob, UpdateJob};
pub(super) use expand::ExpandJob;
use expand::ExpandQuery;
pub(super) use last_run::LastRun;
use serde_json::{Value, json};

pub(super) const KIND: &str = "jobs";

/// What null in a change stands for, where that is not nothing. A type that is named is imported, but devices are off by
/// default.
pub fn defaults() -> Value {
    json!({"objects": Selection::default()})
}

/// The body of a job as it is stored: with the defaults of what is absent, and without short forms.
pub fn stored(body: Value) -> serde_json::Result<Value> {
    let job: CreateJob = serde_json::from_value(body)?;
    serde_json::to_value(job.with_defaults())
}

/// What the document cannot say of a job: the attributes exist and the schedule is valid.
pub(super) fn check(body: &Value, faults: &mut Faults) {
    if let Some(objects) = body.get("objects").filter(|objects| !objects.is_null())
        && let Ok(selection) = serde_json::from_value::<Selection>(objects.clone())
    {
        selection.check("/objects", faults);
        if body.pointer("/removal/policy").and_then(Value::as_str) == Some(RemovalPolicy::Mark.as_str()) {
            check_marks(&selection, faults);
        }
    }
    // Each field alone, so that a fault of one does not hide the faults of the other.
    let of_schedule = |name: &str| body.get("schedule").and_then(|schedule| schedule.get(name)).and_then(Value::as_str);
    let mut is_timezone_named = false;
    for field in ["cron", "fullCron"] {
        let Some(cron) = of_schedule(field) else { continue };
        let found = Schedule::parse(cron, of_schedule("timezone").unwrap_or("UTC")).err().unwrap_or_default();
        for fault in found {
            match fault {
                ScheduleFault::Cron(detail) => faults.push(format!("/schedule/{field}"), "invalid_cron", detail),
                ScheduleFault::Timezone(_) if is_timezone_named => {}
                ScheduleFault::Timezone(detail) => {
                    is_timezone_named = true;
                    faults.push("/schedule/timezone", "unknown_timezone", detail);
                }
            }
        }
    }
}

/// Objects are marked as removed in the attribute for `lifecycle`.
fn check_marks(selection: &Selection, faults: &mut Faults) {
    for object_type in ObjectType::ALL {
        let Some(existing) = selection.of(object_type).existing.as_ref() else { continue };
        if selection.of(object_type).enabled && !existing.attributes.contains_key("lifecycle") {
            let detail =
                "The policy mark writes Removed into the attribute for `lifecycle`: map it, or use another policy.";
            faults.push(format!("/objects/{object_type}/existing/attributes"), "lifecycle_not_mapped", detail);
        }
    }
}

pub(super) fn unknown(id: JobId) -> Error {
    Error::not_found("job", id)
}

/// List jobs
///
/// Oldest first, unless `sort` says otherwise, each with the next time of its schedule. With
/// `expand=connection,filter,destination,lastRun` one call has all that an overview shows.
#[utoipa::path(
    tag = "Jobs",
    params(jobs::Which, ExpandQuery, NameSortQuery, PageQuery),
    responses((status = 200, description = "A page of jobs", body = Page<JobResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs")]
pub async fn list_jobs(
    app: Data<App>,
    caller: Caller,
    which: Query<jobs::Which>,
    expand: Query<ExpandQuery>,
    sort: Query<NameSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<JobResponse>>> {
    let organization = caller.organization;
    let window = query.sorted(KIND, &which, sort.order())?;
    let page = app
        .db
        .scoped(organization, async |tx| {
            let rows = jobs::list(tx, organization, &which, &window.part()).await?;
            let page = window.cut(rows, |row| (row.id, &row.name)).try_map(JobResponse::listed)?;
            expand.apply(tx, organization, page).await
        })
        .await?;
    Ok(Json(page))
}

/// Create a job
///
/// The job imports every object that its filter selects, unless `objects` restricts it. It runs on request and by its
/// schedule.
#[utoipa::path(
    tag = "Jobs",
    params(IdempotencyKeyHeader),
    request_body = CreateJob,
    responses(
        (status = 201, description = "The job", body = JobResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["write"]))
)]
#[post("/v1/jobs")]
pub async fn create_job(
    app: Data<App>,
    caller: Caller,
    once: Once,
    body: Body<CreateJob>,
) -> Result<Created<JobResponse>> {
    let (organization, job) = (caller.organization, body.0);
    let job = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await? {
                let row = jobs::find(tx, organization, JobId(id)).await?.ok_or_else(|| unknown(JobId(id)))?;
                return JobResponse::whole(tx, organization, row, app.clock.now()).await;
            }
            job.check_references(tx, organization, None).await?;
            let (id, now) = (JobId::new(&app.clock), app.clock.now());
            let row = jobs::insert(tx, organization, id, &job.row(None, true, now)?, now).await?;
            record(tx, &app, &caller, Action::Create, KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            JobResponse::whole(tx, organization, row, now).await
        })
        .await?;
    Ok(Created { location: format!("/v1/jobs/{}", job.id), value: job })
}

/// Get a job
///
/// Includes the next time of its schedule.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), ExpandQuery),
    responses((status = 200, description = "The job", body = JobResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}")]
pub async fn get_job(
    app: Data<App>,
    caller: Caller,
    id: Path<JobId>,
    expand: Query<ExpandQuery>,
) -> Result<Found<JobResponse>> {
    let (organization, id) = (caller.organization, *id);
    let job = app
        .db
        .scoped(organization, async |tx| {
            let row = jobs::find(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            let page = Page {
                items: vec![JobResponse::whole(tx, organization, row, app.clock.now()).await?],
                next_cursor: None,
            };
            let page = expand.apply(tx, organization, page).await?;
            page.items.into_iter().next().ok_or_else(|| Error::internal("one job has one response"))
        })
        .await?;
    Ok(Found(job))
}

/// Change a job
///
/// JSON merge patch: omitted fields keep their value; null resets to the default. A run that is in progress keeps the
/// settings with which it began; if another process has to resume it, it compares and sends with the settings current at
/// that time.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), IfMatchHeader),
    request_body(content((UpdateJob = "application/json"), (UpdateJob = "application/merge-patch+json"))),
    responses(
        (status = 200, description = "The changed job", body = JobResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["write"]))
)]
#[patch("/v1/jobs/{id}")]
pub async fn update_job(
    app: Data<App>,
    contract: Data<Contract>,
    caller: Caller,
    id: Path<JobId>,
    if_match: IfMatch,
    patch: Patch<CreateJob>,
    body: Body<UpdateJob>,
) -> Result<Found<JobResponse>> {
    let (organization, id) = (caller.organization, *id);
    let defaults = defaults();
    let changes_schedule = !matches!(body.0.schedule, Change::Keep);
    let job = app
        .db
        .scoped(organization, async |tx| {
            let current = jobs::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let job = patch.apply(&contract, &CreateJob::from_row(&current)?, &defaults)?;
            job.check_references(tx, organization, Some(&current)).await?;
            let now = app.clock.now();
            let new = job.row(Some(&current), changes_schedule, now)?;
            let before = JobResponse::from_row(current)?;
            let row = jobs::update(tx, organization, id, &new, now).await?;
            let after = JobResponse::from_row(row.clone())?;
            record_update(tx, &app, &caller, (KIND, id.0), (&before, &after), &[]).await?;
            JobResponse::whole(tx, organization, row, now).await
        })
        .await?;
    Ok(Found(job))
}

/// Delete a job
///
/// Deletes its mirror and the changes and events of its runs. The audit log and the records of the runs stay, without
/// names. Changes nothing in Assets.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), IfMatchHeader),
    responses((status = 204, description = "Deleted"), (status = 409, response = super::openapi::Conflict)),
    security(("bearer" = ["write"]))
)]
#[delete("/v1/jobs/{id}")]
pub async fn delete_job(app: Data<App>, caller: Caller, id: Path<JobId>, if_match: IfMatch) -> Result<Deleted> {
    let (organization, id) = (caller.organization, *id);
    app.db
        .scoped(organization, async |tx| {
            let current = jobs::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            if runs::has_live(tx, organization, id).await? {
                let detail = format!("A run of the job «{}» has not ended; cancel it first.", current.name);
                return Err(Error::new(Code::RunInProgress, detail));
            }
            record(tx, &app, &caller, Action::Delete, KIND, id.0).await?;
            jobs::begin_deletion(tx, organization, id, app.clock.now()).await
        })
        .await?;
    Ok(Deleted)
}
