//! Checks of destinations, and how to set up a destination in Assets.

use super::auth::Caller;
use crate::app::App;
use crate::error::Result;
use crate::ids::DestinationId;
use crate::runs::deliver::check::{self, DestinationCheck};
use crate::runs::deliver::setup::{self, DestinationSetup};
use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};

/// Check a destination
///
/// Checks in Assets whether the token is valid, the state of the import source, whether another execution is in
/// progress, whether the mapping is as the job needs it, whether `api` can read objects, and whether what the job would
/// bring fits into Assets (`GET /v1/jobs/{id}/fit`). Nothing is changed. The
/// response takes at most 20 seconds; `partial` means that the time was not enough.
#[utoipa::path(
    tag = "Destinations",
    params(("id" = DestinationId, Path, description = "The destination's id")),
    responses((status = 200, description = "The result", body = DestinationCheck)),
    security(("bearer" = ["run"]))
)]
#[post("/v1/destinations/{id}/check")]
pub async fn check_destination(
    app: Data<App>,
    caller: Caller,
    id: Path<DestinationId>,
) -> Result<Json<DestinationCheck>> {
    Ok(Json(check::check(&app, caller.organization, *id).await?))
}

/// Get the setup of a destination
///
/// The steps in Assets, and the meaning of its settings for missing objects and empty values.
#[utoipa::path(
    tag = "Destinations",
    responses((status = 200, description = "Steps and choices", body = DestinationSetup)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/destinations/setup")]
pub async fn get_destination_setup() -> Json<DestinationSetup> {
    Json(setup::setup())
}
