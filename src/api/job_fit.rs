//! Whether what a job would import fits into Assets.

use super::auth::Caller;
use super::places::LIVE_READS;
use crate::app::App;
use crate::error::Result;
use crate::ids::JobId;
use crate::runs::context::JobContext;
use crate::runs::fit::{self, JobFit};
use actix_web::get;
use actix_web::web::{Data, Json, Path};

/// Compare a job with the limits of Assets
///
/// Counts with Graph what the job would import, and compares it with the objects that Atlassian includes, and with the
/// attributes, references and values that it recommends. Proposals are requests that can be sent as they are. The
/// response takes at most 20 seconds; `partial` means that a part could not be counted. An organization may have eight
/// requests at once that ask Microsoft or Atlassian (`rate_limited`).
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses(
        (status = 200, description = "What fits, and what does not", body = JobFit),
        (status = 409, response = super::openapi::Conflict),
        (status = 502, response = super::openapi::BadGateway),
        (status = 504, response = super::openapi::GatewayTimeout)
    ),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/fit")]
pub async fn get_job_fit(app: Data<App>, caller: Caller, id: Path<JobId>) -> Result<Json<JobFit>> {
    let _place = LIVE_READS.take(caller.organization)?;
    let context = JobContext::load(&app, caller.organization, *id).await?;
    Ok(Json(fit::fit(&app, &context).await?))
}
