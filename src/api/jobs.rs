//! Jobs: what to import from where to where, and when.

use super::audit_events::record;
use super::auth::Caller;
use super::body::{Body, MergePatch};
use super::contract::Contract;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::db::jobs::{self, JobRow, NewJobRow, References};
use crate::db::{Transaction, runs};
use crate::error::{Code, Error, Faults, Result};
use crate::ids::{ConnectionId, DestinationId, FilterId, JobId, OrganizationId};
use crate::mapping::{Memberships, Selection};
use crate::run_state::Deliver;
use crate::runs::context::RemovalPolicy;
use crate::schedule::{Schedule, ScheduleFault};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

const KIND: &str = "jobs";

/// What happens to objects that are gone from the directory or from the scope.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Removal {
    pub policy: RemovalPolicy,
    /// Complete runs in a row that must miss an object first.
    #[schema(minimum = 1, maximum = 1000)]
    pub after_missing_runs: i32,
    /// The share of a type's objects that may go at once, in percent; more stops the run for approval.
    #[schema(minimum = 0, maximum = 100)]
    pub brake_percent: i32,
}

impl Default for Removal {
    fn default() -> Self {
        Self { policy: RemovalPolicy::Keep, after_missing_runs: 3, brake_percent: 20 }
    }
}

/// When the job runs by itself.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobSchedule {
    /// Minute, hour, day of month, month, day of week.
    #[schema(min_length = 1, max_length = 200, example = "0 5 * * *")]
    pub cron: String,
    /// An IANA time zone.
    #[serde(default = "utc")]
    #[schema(min_length = 1, max_length = 100, default = "UTC", example = "Europe/Berlin")]
    pub timezone: String,
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn yes() -> bool {
    true
}

/// A job to be made. Everything but the name and the connection has a default.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Nightly", "connectionId": "01900000-0000-7000-8000-000000000010",
    "schedule": {"cron": "0 5 * * *", "timezone": "Europe/Berlin", "enabled": true},
}))]
pub struct CreateJob {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    pub connection_id: ConnectionId,
    /// Null: everything.
    pub filter_id: Option<FilterId>,
    /// Null: keep the mirror only. A destination serves one job.
    pub destination_id: Option<DestinationId>,
    pub objects: Option<Selection>,
    pub memberships: Option<Memberships>,
    pub deliver: Option<Deliver>,
    pub removal: Option<Removal>,
    /// Null: only when asked.
    pub schedule: Option<JobSchedule>,
}

/// Changes to a job: absent fields stay, null is the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"removal": {"policy": "mark"}}))]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateJob {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    connection_id: Option<ConnectionId>,
    filter_id: Option<FilterId>,
    destination_id: Option<DestinationId>,
    objects: Option<Selection>,
    memberships: Option<Memberships>,
    deliver: Option<Deliver>,
    removal: Option<Removal>,
    schedule: Option<UpdateSchedule>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateSchedule {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    cron: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    timezone: Option<String>,
    enabled: Option<bool>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct JobResponse {
    pub id: JobId,
    pub name: String,
    pub connection_id: ConnectionId,
    #[schema(required = true)]
    pub filter_id: Option<FilterId>,
    #[schema(required = true)]
    pub destination_id: Option<DestinationId>,
    pub objects: Selection,
    pub memberships: Memberships,
    pub deliver: Deliver,
    pub removal: Removal,
    #[schema(required = true)]
    pub schedule: Option<ScheduleResponse>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleResponse {
    pub cron: String,
    pub timezone: String,
    pub enabled: bool,
    /// The next time; null while it is off or paused.
    #[schema(required = true)]
    pub next_run_at: Option<DateTime<Utc>>,
    /// Why the service itself paused the schedule. A change of the schedule, also to the same, starts it again.
    #[schema(required = true)]
    pub paused_reason: Option<String>,
}

impl Versioned for JobResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(Error::internal)
}

impl JobResponse {
    fn from_row(row: JobRow) -> Result<Self> {
        let schedule = match (row.schedule_cron, row.schedule_timezone) {
            (Some(cron), Some(timezone)) => Some(ScheduleResponse {
                cron,
                timezone,
                enabled: row.schedule_enabled,
                next_run_at: row.schedule_next_at,
                paused_reason: row.schedule_paused_reason,
            }),
            _ => None,
        };
        Ok(Self {
            id: JobId(row.id),
            name: row.name,
            connection_id: ConnectionId(row.connection_id),
            filter_id: row.filter_id.map(FilterId),
            destination_id: row.destination_id.map(DestinationId),
            objects: read(row.objects)?,
            memberships: read(json!(row.memberships))?,
            deliver: read(json!(row.deliver))?,
            removal: Removal {
                policy: read(json!(row.removal_policy))?,
                after_missing_runs: row.removal_after_missing_runs,
                brake_percent: row.brake_percent,
            },
            schedule,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl CreateJob {
    fn from_row(row: &JobRow) -> Result<Self> {
        let job = JobResponse::from_row(row.clone())?;
        Ok(Self {
            name: job.name,
            connection_id: job.connection_id,
            filter_id: job.filter_id,
            destination_id: job.destination_id,
            objects: Some(job.objects),
            memberships: Some(job.memberships),
            deliver: Some(job.deliver),
            removal: Some(job.removal),
            schedule: job.schedule.map(|schedule| JobSchedule {
                cron: schedule.cron,
                timezone: schedule.timezone,
                enabled: schedule.enabled || schedule.paused_reason.is_some(),
            }),
        })
    }

    /// The columns of the job. `current`: what was stored before; its schedule goes on unless it is changed.
    fn row(&self, current: Option<&JobRow>, changes_schedule: bool, now: DateTime<Utc>) -> Result<NewJobRow> {
        fn word(value: Value) -> String {
            value.as_str().unwrap_or_default().to_owned()
        }
        let removal = self.removal.clone().unwrap_or_default();
        let mut new = NewJobRow {
            name: self.name.clone(),
            connection_id: self.connection_id.0,
            filter_id: self.filter_id.map(Uuid::from),
            destination_id: self.destination_id.map(Uuid::from),
            objects: serde_json::to_value(self.objects.clone().unwrap_or_default()).map_err(Error::internal)?,
            memberships: word(json!(self.memberships.unwrap_or_default())),
            deliver: self.deliver.unwrap_or(Deliver::Full).as_str().to_owned(),
            removal_policy: word(json!(removal.policy)),
            removal_after_missing_runs: removal.after_missing_runs,
            brake_percent: removal.brake_percent,
            schedule_cron: None,
            schedule_timezone: None,
            schedule_enabled: false,
            schedule_next_at: None,
            schedule_paused_reason: None,
        };
        if let Some(schedule) = &self.schedule {
            let next = Schedule::parse(&schedule.cron, &schedule.timezone).ok().and_then(|s| s.next_after(now));
            new.schedule_cron = Some(schedule.cron.clone());
            new.schedule_timezone = Some(schedule.timezone.clone());
            new.schedule_enabled = schedule.enabled;
            new.schedule_next_at = next.filter(|_| schedule.enabled);
        }
        if let Some(current) = current.filter(|_| !changes_schedule) {
            new.schedule_enabled = current.schedule_enabled;
            new.schedule_next_at = current.schedule_next_at;
            new.schedule_paused_reason = current.schedule_paused_reason.clone();
        }
        Ok(new)
    }

    /// What the job refers to exists, and the destination is free.
    async fn check_references(
        &self,
        tx: &mut Transaction,
        organization: OrganizationId,
        own_id: Option<JobId>,
    ) -> Result<()> {
        let References { has_connection, has_filter, destination_api } =
            jobs::references(tx, organization, self.connection_id, self.filter_id, self.destination_id).await?;
        let mut faults = Faults::default();
        let mut unknown = |pointer: &str, what: &str, id: Uuid| {
            faults.push(pointer, "unknown_reference", format!("There is no {what} with the id {id}."));
        };
        if !has_connection {
            unknown("/connectionId", "connection", self.connection_id.0);
        }
        if let Some(id) = self.filter_id.filter(|_| !has_filter) {
            unknown("/filterId", "filter", id.0);
        }
        if let Some(id) = self.destination_id.filter(|_| destination_api.is_none()) {
            unknown("/destinationId", "destination", id.0);
        }
        let removes = self.removal.as_ref().is_some_and(|removal| removal.policy == RemovalPolicy::Remove);
        if removes && destination_api == Some(false) {
            let detail = "Removing objects needs the object API: give the destination `api`, or use `mark`.";
            faults.push("/removal/policy", "api_required", detail);
        }
        faults.into_result()?;
        let Some(destination) = self.destination_id else { return Ok(()) };
        match jobs::served_by(tx, organization, destination, own_id).await? {
            None => Ok(()),
            Some(job) => {
                let detail = format!("The destination already serves the job «{}» ({}).", job.name, job.id);
                Err(Error::new(Code::DestinationInUse, detail).with_used_by(vec![job]))
            }
        }
    }
}

/// Devices that are named are imported, and the patch names them only to set `enabled` back to its default, which is off.
fn with_default_of_devices(mut patch: MergePatch) -> MergePatch {
    if let Some(enabled) = patch.0.pointer_mut("/objects/devices/enabled").filter(|enabled| enabled.is_null()) {
        *enabled = json!(false);
    }
    patch
}

/// What the document cannot say of a job: attributes exist, the schedule can be carried out.
pub(super) fn check(body: &Value, faults: &mut Faults) {
    if let Some(objects) = body.get("objects").filter(|objects| !objects.is_null())
        && let Ok(selection) = serde_json::from_value::<Selection>(objects.clone())
    {
        selection.check("/objects", faults);
    }
    // Field by field, so that a fault of one does not hide those of the other.
    let of_schedule = |name: &str| body.get("schedule").and_then(|schedule| schedule.get(name)).and_then(Value::as_str);
    if let Some(cron) = of_schedule("cron") {
        let found = Schedule::parse(cron, of_schedule("timezone").unwrap_or("UTC")).err().unwrap_or_default();
        for fault in found {
            match fault {
                ScheduleFault::Cron(detail) => faults.push("/schedule/cron", "invalid_cron", detail),
                ScheduleFault::Timezone(detail) => faults.push("/schedule/timezone", "unknown_timezone", detail),
            }
        }
    }
}

fn unknown(id: JobId) -> Error {
    Error::not_found("job", id)
}

/// List jobs
///
/// Oldest first, each with the next time it runs by itself.
#[utoipa::path(
    tag = "Jobs",
    params(PageQuery),
    responses((status = 200, description = "A page of jobs", body = Page<JobResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs")]
pub async fn list_jobs(app: Data<App>, caller: Caller, query: Query<PageQuery>) -> Result<Json<Page<JobResponse>>> {
    let (organization, window) = (caller.organization, query.window(KIND)?);
    let rows =
        app.db.scoped(organization, async |tx| jobs::list(tx, organization, window.after, window.rows()).await).await?;
    Ok(Json(window.try_page(rows, |row| row.id, JobResponse::from_row)?))
}

/// Create a job
///
/// It imports everything that its filter takes, unless `objects` says less. It runs when it is asked to, and by
/// its schedule.
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
    let row = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await? {
                return jobs::find(tx, organization, JobId(id)).await?.ok_or_else(|| unknown(JobId(id)));
            }
            job.check_references(tx, organization, None).await?;
            let (id, now) = (JobId::new(&app.clock), app.clock.now());
            let row = jobs::insert(tx, organization, id, &job.row(None, true, now)?, now).await?;
            record(tx, &app, &caller, "create", KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            Ok(row)
        })
        .await?;
    Ok(Created { location: format!("/v1/jobs/{}", row.id), value: JobResponse::from_row(row)? })
}

/// Get a job
///
/// With the next time that its schedule runs it.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = JobResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}")]
pub async fn get_job(app: Data<App>, caller: Caller, id: Path<JobId>) -> Result<Found<JobResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app.db.scoped(organization, async |tx| jobs::find(tx, organization, id).await).await?;
    Ok(Found(JobResponse::from_row(row.ok_or_else(|| unknown(id))?)?))
}

/// Change a job
///
/// JSON merge patch: absent fields stay, null is the default. A run that is under way goes on as it began; if it has to be
/// taken up by another process, it compares and sends by the settings of then.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), IfMatchHeader),
    request_body(content((UpdateJob = "application/json"), (UpdateJob = "application/merge-patch+json"))),
    responses(
        (status = 200, description = "The job as it is now", body = JobResponse),
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
    patch: MergePatch,
) -> Result<Found<JobResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            let current = jobs::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let patch = with_default_of_devices(patch);
            let job: CreateJob = patch.apply(&contract, "CreateJob", &CreateJob::from_row(&current)?)?;
            job.check_references(tx, organization, Some(id)).await?;
            let now = app.clock.now();
            let new = job.row(Some(&current), patch.0.get("schedule").is_some(), now)?;
            record(tx, &app, &caller, "update", KIND, id.0).await?;
            jobs::update(tx, organization, id, &new, now).await
        })
        .await?;
    Ok(Found(JobResponse::from_row(row)?))
}

/// Delete a job
///
/// Removes its mirror, and the changes and events of its runs; keeps the audit log and the runs' records without
/// names. Never touches Assets.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), IfMatchHeader),
    responses((status = 204, description = "It is deleted"), (status = 409, response = super::openapi::Conflict)),
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
                let detail = format!("A run of the job «{}» is still alive; cancel it first.", current.name);
                return Err(Error::new(Code::RunInProgress, detail));
            }
            record(tx, &app, &caller, "delete", KIND, id.0).await?;
            jobs::begin_deletion(tx, organization, id, app.clock.now()).await
        })
        .await?;
    Ok(Deleted)
}
