//! The schema and mapping that a job needs in Assets.

use super::audit_events::record_with;
use super::auth::Caller;
use super::places::LIVE_READS;
use crate::app::App;
use crate::audit::Action;
use crate::error::Result;
use crate::ids::JobId;
use crate::mapping::Difference;
use crate::runs::context::JobContext;
use crate::runs::deliver::schema::{self, JobSchema};
use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The document, and its differences from Assets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSchemaResponse {
    /// The schema and mapping document (version 2023_10_19) that would be sent.
    #[schema(value_type = Object)]
    pub document: Value,
    /// What Assets still lacks, or has otherwise. Null if Assets could not be read; `problem` has the reason.
    #[schema(required = true)]
    pub difference: Option<Difference>,
    /// What this request added and changed in Assets. Null where nothing was built.
    #[schema(required = true)]
    pub built: Option<Difference>,
    /// Why Assets could not be read; null: it was.
    #[schema(required = true)]
    pub problem: Option<String>,
}

impl From<JobSchema> for JobSchemaResponse {
    fn from(schema: JobSchema) -> Self {
        Self { document: schema.document, difference: schema.difference, built: schema.built, problem: schema.problem }
    }
}

/// Show the schema of a job
///
/// The document that would be sent, and its differences from Assets. Nothing is changed. Without a destination, or if
/// Assets does not answer within 18 seconds, the response has only the document. An organization may have eight requests at
/// once that ask Microsoft or Atlassian (`rate_limited`).
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses((status = 200, description = "The document and the difference", body = JobSchemaResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/schema")]
pub async fn get_job_schema(app: Data<App>, caller: Caller, id: Path<JobId>) -> Result<Json<JobSchemaResponse>> {
    let _place = LIVE_READS.take(caller.organization)?;
    let context = JobContext::load(&app, caller.organization, *id).await?;
    Ok(Json(schema::show(&app, &context).await?.into()))
}

/// Build object types and attributes
///
/// Sends the document to Assets: the whole document the first time, later only what is new. Existing names and types
/// do not change.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The document that was sent, and the remaining differences", body = JobSchemaResponse),
        (status = 409, response = super::openapi::Conflict),
        (status = 502, response = super::openapi::BadGateway),
        (status = 504, response = super::openapi::GatewayTimeout)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/jobs/{id}/schema")]
pub async fn build_job_schema(app: Data<App>, caller: Caller, id: Path<JobId>) -> Result<Json<JobSchemaResponse>> {
    let (organization, id) = (caller.organization, *id);
    let context = JobContext::load(&app, organization, id).await?;
    if context.destination.is_none() {
        return Err(schema::no_destination());
    }
    let built = schema::build(&app, &context).await;
    // Also of one that failed: Assets may have taken a part of it.
    let detail = json!({"succeeded": built.is_ok()});
    app.db
        .scoped(organization, async |tx| {
            record_with(tx, &app, &caller, (Action::Build, "jobs", id.0), detail.clone()).await
        })
        .await?;
    Ok(Json(built?.into()))
}
