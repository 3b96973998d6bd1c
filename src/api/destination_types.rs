//! The object types in the object schema of a destination.

use super::auth::Caller;
use super::places::LIVE_READS;
use crate::app::App;
use crate::error::Result;
use crate::ids::DestinationId;
use crate::mapping::proposal::SchemaTypes;
use crate::runs::deliver::types;
use actix_web::get;
use actix_web::web::{Data, Json, Path};

/// List object types in Assets
///
/// The object types and attributes of the object schema that the import source belongs to, as Assets shows them to an
/// import, and a proposal how a job could fill those that are there instead of building its own. Nothing is changed. An
/// organization may have eight requests at once that ask Microsoft or Atlassian (`rate_limited`).
#[utoipa::path(
    tag = "Destinations",
    params(("id" = DestinationId, Path, description = "The destination's id")),
    responses(
        (status = 200, description = "The object types, with proposals", body = SchemaTypes),
        (status = 409, response = super::openapi::Conflict),
        (status = 502, response = super::openapi::BadGateway),
        (status = 504, response = super::openapi::GatewayTimeout)
    ),
    security(("bearer" = ["read"]))
)]
#[get("/v1/destinations/{id}/types")]
pub async fn list_destination_types(
    app: Data<App>,
    caller: Caller,
    id: Path<DestinationId>,
) -> Result<Json<SchemaTypes>> {
    let _place = LIVE_READS.take(caller.organization)?;
    Ok(Json(types::list(&app, caller.organization, *id).await?))
}
