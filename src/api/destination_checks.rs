//! Checks of destinations, and how to set one up in Assets.

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
/// Asks Assets whether the token is good, in which state the import source is, whether somebody else's execution
/// is under way, and whether the mapping is as the job needs it; and, apart from that, whether `api` reaches
/// objects. Nothing is changed. Answers within 20 seconds; `partial` says that time ran out.
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

/// Get how to set a destination up
///
/// The steps in Assets, and what its settings for missing objects and empty values mean here.
#[utoipa::path(
    tag = "Destinations",
    responses((status = 200, description = "Steps and choices", body = DestinationSetup)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/destinations/setup")]
pub async fn get_destination_setup() -> Json<DestinationSetup> {
    Json(setup::setup())
}
