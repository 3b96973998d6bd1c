//! What the functions of a Forge app call for an import source: they know its id only.

use super::audit_events::record;
use super::auth::Caller;
use super::jobs::{self, LastRun};
use super::respond::Deleted;
use super::{destinations, runs};
use crate::app::App;
use crate::audit::Action;
use crate::db::runs::{self as stored_runs, NewRun};
use crate::db::{Transaction, destinations as stored_destinations, jobs as stored_jobs};
use crate::error::{Code, Error, Result};
use crate::ids::{DestinationId, JobId, OrganizationId, RunId};
use crate::run_state::{RunMode, RunRequest};
use crate::text_enum::explained;
use actix_web::web::{Data, Json, Path};
use actix_web::{delete, get, post};
use serde::Serialize;
use utoipa::ToSchema;

explained! {
    /// Whether an import source can be started, in the words of Forge.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    pub enum ForgeImportStatus {
        /// A job delivers to it.
        Ready,
        /// No job delivers to it yet.
        NotConfigured,
    }
}

/// An import source of a Forge app.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgeImportResponse {
    /// The id of the import source.
    pub import_id: String,
    pub status: ForgeImportStatus,
    /// The job that delivers to it; null: none.
    #[schema(required = true)]
    pub job_id: Option<JobId>,
    /// The newest run of the job; null: it never ran.
    #[schema(required = true)]
    pub last_run: Option<LastRun>,
}

/// The job that delivers to an import source of a Forge app.
async fn job_of(tx: &mut Transaction, organization: OrganizationId, import: &str) -> Result<Option<JobId>> {
    let Some(destination) = stored_destinations::of_forge_import(tx, organization, import).await? else {
        return Ok(None);
    };
    let job = stored_jobs::served_by(tx, organization, DestinationId(destination), None).await?;
    Ok(job.map(|job| JobId(job.id)))
}

async fn shown(tx: &mut Transaction, organization: OrganizationId, import: String) -> Result<ForgeImportResponse> {
    let job = job_of(tx, organization, &import).await?;
    let last_run = match job {
        Some(job) => stored_runs::newest(tx, organization, &[job.0]).await?.pop().map(LastRun::from_row).transpose()?,
        None => None,
    };
    let status = if job.is_some() { ForgeImportStatus::Ready } else { ForgeImportStatus::NotConfigured };
    Ok(ForgeImportResponse { import_id: import, status, job_id: job, last_run })
}

fn not_configured(import: &str) -> Error {
    let detail = format!(
        "No job delivers to the import source {import}. Create a destination of the kind `forge` with this `importId`, and a job \
         with it."
    );
    Error::new(Code::NotFound, detail)
}

/// Get the status of a Forge import
///
/// For `importStatus` of the app: `READY` if a job delivers to the import source, otherwise `NOT_CONFIGURED`.
#[utoipa::path(
    tag = "Forge",
    params(("importId" = String, Path, description = "The id of the import source")),
    responses((status = 200, description = "The status, with the newest run", body = ForgeImportResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/forge/imports/{importId}/status")]
pub async fn get_forge_import_status(
    app: Data<App>,
    caller: Caller,
    import: Path<String>,
) -> Result<Json<ForgeImportResponse>> {
    let (organization, import) = (caller.organization, import.into_inner());
    Ok(Json(app.db.scoped(organization, async |tx| shown(tx, organization, import).await).await?))
}

/// Start a Forge import
///
/// For `startImport` of the app: queues an incremental run of the job that delivers to the import source. If a run is queued
/// or running already, nothing is queued.
#[utoipa::path(
    tag = "Forge",
    params(("importId" = String, Path, description = "The id of the import source")),
    responses((status = 200, description = "The status, with the run", body = ForgeImportResponse)),
    security(("bearer" = ["run"]))
)]
#[post("/v1/forge/imports/{importId}/start")]
pub async fn start_forge_import(
    app: Data<App>,
    caller: Caller,
    import: Path<String>,
) -> Result<Json<ForgeImportResponse>> {
    let (organization, import, now) = (caller.organization, import.into_inner(), app.clock.now());
    let started = app
        .db
        .scoped(organization, async |tx| {
            let job = job_of(tx, organization, &import).await?.ok_or_else(|| not_configured(&import))?;
            if !stored_runs::has_busy(tx, organization, job).await? {
                let new = NewRun {
                    id: RunId::new(&app.clock),
                    job,
                    mode: RunMode::Incremental,
                    request: RunRequest::default(),
                    requested_by: caller.actor.clone(),
                };
                runs::refuse_what_cannot_run(tx, organization, &new).await?;
                let row = stored_runs::enqueue(tx, organization, &new, now).await?;
                record(tx, &app, &caller, Action::Create, runs::KIND, row.id).await?;
            }
            shown(tx, organization, import).await
        })
        .await?;
    Ok(Json(started))
}

/// Stop a Forge import
///
/// For `stopImport` of the app: cancels the run of the job that delivers to the import source. Without a run nothing changes.
#[utoipa::path(
    tag = "Forge",
    params(("importId" = String, Path, description = "The id of the import source")),
    responses((status = 200, description = "The status, with the run", body = ForgeImportResponse)),
    security(("bearer" = ["run"]))
)]
#[post("/v1/forge/imports/{importId}/stop")]
pub async fn stop_forge_import(
    app: Data<App>,
    caller: Caller,
    import: Path<String>,
) -> Result<Json<ForgeImportResponse>> {
    let (organization, import, now) = (caller.organization, import.into_inner(), app.clock.now());
    let stopped = app
        .db
        .scoped(organization, async |tx| {
            let job = job_of(tx, organization, &import).await?.ok_or_else(|| not_configured(&import))?;
            let newest = stored_runs::newest(tx, organization, &[job.0]).await?.pop();
            if let Some(run) = newest.filter(|run| !run.state.is_terminal()) {
                record(tx, &app, &caller, Action::Cancel, runs::KIND, run.id).await?;
                stored_runs::request_cancel(tx, organization, RunId(run.id), &caller.actor, now).await?;
            }
            shown(tx, organization, import).await
        })
        .await?;
    Ok(Json(stopped))
}

/// Deletes the destinations of the kind `forge`, or those of them that lead to one import source, with the jobs that deliver
/// there, and ends the runs of these. Without the import source, no run of it could end well, and nothing of Assets is left to
/// tidy up. Answers with how many there were.
pub(super) async fn forget(tx: &mut Transaction, app: &App, caller: &Caller, import: Option<&str>) -> Result<usize> {
    let organization = caller.organization;
    let mut forgotten = 0;
    for destination in stored_destinations::of_forge(tx, organization, import).await? {
        forgotten += usize::from(forget_one(tx, app, caller, DestinationId(destination)).await?);
    }
    Ok(forgotten)
}

/// `false`: somebody else deleted it meanwhile.
async fn forget_one(tx: &mut Transaction, app: &App, caller: &Caller, destination: DestinationId) -> Result<bool> {
    let (organization, now) = (caller.organization, app.clock.now());
    // Jobs before their destination, as whoever changes a job locks them. A job that begins to deliver there in between keeps
    // the destination: the answer is `in_use`.
    for job in stored_destinations::used_by(tx, organization, destination).await? {
        let id = JobId(job.id);
        if stored_jobs::lock(tx, organization, id).await?.is_none() {
            continue;
        }
        stored_runs::end_of_job(tx, organization, id, now).await?;
        record(tx, app, caller, Action::Delete, jobs::KIND, job.id).await?;
        stored_jobs::begin_deletion(tx, organization, id, now).await?;
    }
    if stored_destinations::lock(tx, organization, destination).await?.is_none() {
        return Ok(false);
    }
    record(tx, app, caller, Action::Delete, destinations::KIND, destination.0).await?;
    stored_destinations::delete(tx, organization, destination).await?;
    Ok(true)
}

/// Delete a Forge import
///
/// For `onDeleteImport` of the app, when the import source is deleted in Assets: deletes the destinations of the kind `forge` that
/// lead there and their jobs, and ends their runs. Connections and filters stay. Where there is nothing, nothing changes.
#[utoipa::path(
    tag = "Forge",
    params(("importId" = String, Path, description = "The id of the import source")),
    responses((status = 204, description = "Nothing leads to the import source any more")),
    security(("bearer" = ["write"]))
)]
#[delete("/v1/forge/imports/{importId}")]
pub async fn delete_forge_import(app: Data<App>, caller: Caller, import: Path<String>) -> Result<Deleted> {
    let organization = caller.organization;
    app.db.scoped(organization, async |tx| forget(tx, &app, &caller, Some(&import)).await).await?;
    Ok(Deleted)
}
