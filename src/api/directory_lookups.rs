//! Objects of the directory to pick from.

use super::auth::Caller;
use super::body::Body;
use crate::app::App;
use crate::db::job_settings;
use crate::directory_lookup::{self, DirectoryMatches};
use crate::error::{Code, Error, Fault, Result};
use crate::filter::EntityKind;
use crate::ids::ConnectionId;
use crate::runs::context;
use actix_web::post;
use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::ToSchema;

/// What to look for.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "connectionId": "01900000-0000-7000-8000-000000000000", "kind": "groups", "search": "sales",
}))]
pub struct LookUpDirectory {
    /// The connection to the tenant.
    pub connection_id: ConnectionId,
    pub kind: EntityKind,
    /// An object id; or the beginning of a display name or of a word in it; of users also of the user principal name or mail
    /// address, of groups also of the mail address.
    #[schema(min_length = 1, max_length = 120)]
    pub search: String,
}

/// Look up objects in the directory
///
/// Asks Graph for up to ten objects by name, mail address or id, so that a person can pick one: a group for
/// `scope.groupIds`, or a user to exclude. The response takes at most five seconds; `partial` means that Graph did not
/// answer all requests in that time.
#[utoipa::path(
    tag = "Filters",
    request_body = LookUpDirectory,
    responses(
        (status = 200, description = "The objects that were found", body = DirectoryMatches),
        (status = 502, response = super::openapi::BadGateway),
        (status = 504, response = super::openapi::GatewayTimeout)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/directory-lookups")]
pub async fn look_up_directory(
    app: Data<App>,
    caller: Caller,
    body: Body<LookUpDirectory>,
) -> Result<Json<DirectoryMatches>> {
    let (organization, id) = (caller.organization, body.0.connection_id);
    let found = app.db.scoped(organization, async |tx| job_settings::connection(tx, organization, id).await).await;
    let connection = found.map_err(|error| match error.code {
        Code::NotFound => Error::validation(vec![Fault::new("/connectionId", "unknown_reference", error.detail)]),
        _ => error,
    })?;
    let identity = context::identity(&app.keys, organization, &connection)?;
    Ok(Json(directory_lookup::find(&app, identity, body.0.kind, &body.0.search).await?))
}
