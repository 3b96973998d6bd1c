//! How to set up an application in Entra: before it exists, and for a stored connection.

use super::application_query::ApplicationQuery;
use super::auth::Caller;
use super::capabilities::parse;
use crate::app::App;
use crate::connection_check::setup::place_of;
use crate::connection_check::{self, CheckReport, Setup};
use crate::db::connection_checks::{self, Which};
use crate::db::job_settings::{self, ConnectionPart};
use crate::db::list::{Order, Part};
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, OrganizationId};
use crate::permission::Capability;
use crate::permission::report::CapabilityVerdict;
use actix_web::get;
use actix_web::web::{Data, Json, Path, Query};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// The reports that are valid for the connection's current credential: the newest one, then the last wider one for
/// the capabilities that the newest one left out.
async fn known(app: &App, organization: OrganizationId, connection: &ConnectionPart) -> Result<Vec<CheckReport>> {
    let (id, version) = (ConnectionId(connection.id), connection.credential_version);
    let rows = app
        .db
        .scoped(organization, async move |tx| {
            let of_connection = Which { connection: Some(id), ..Which::default() };
            let newest = Part { order: Order::NEWEST_FIRST, ..Part::first(1) };
            let mut rows = connection_checks::list(tx, organization, &of_connection, &newest).await?;
            rows.extend(connection_checks::latest(tx, organization, &[id.0]).await?);
            Ok(rows)
        })
        .await?;
    let current = rows.into_iter().filter(|row| row.is_of(version));
    current.map(|row| serde_json::from_value(row.report).map_err(Error::internal)).collect()
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct SetupQuery {
    /// Capabilities, separated by commas. Absent: those that a job needs by default (`checkedByDefault` in
    /// `GET /v1/capabilities`).
    #[param(
        value_type = Vec<Capability>, required = false, style = Form, explode = false, max_items = 18,
        example = json!(["users", "groups"])
    )]
    pub capabilities: Option<String>,
}

/// Get the setup of a connection
///
/// The steps in the portal, the consent link, and scripts that grant the *Application* permissions that the last
/// check found missing.
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id"), SetupQuery),
    responses((status = 200, description = "Steps, links and scripts", body = Setup)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/connections/{id}/setup")]
pub async fn get_connection_setup(
    app: Data<App>,
    caller: Caller,
    id: Path<ConnectionId>,
    query: Query<SetupQuery>,
) -> Result<Json<Setup>> {
    let capabilities = parse(query.capabilities.as_deref())?;
    Ok(Json(setup_of(&app, caller.organization, *id, &capabilities).await?))
}

/// The setup of a stored connection, by its last checks.
pub(super) async fn setup_of(
    app: &App,
    organization: OrganizationId,
    id: ConnectionId,
    capabilities: &[Capability],
) -> Result<Setup> {
    let connection =
        app.db.scoped(organization, async move |tx| job_settings::connection(tx, organization, id).await).await?;
    let known = known(app, organization, &connection).await?;
    let mut place = place_of(connection.cloud, Some(&connection.tenant_id), Some(connection.client_id));
    let principal = known.iter().find_map(|report| report.identity.service_principal_id.as_deref());
    place.service_principal = principal.and_then(|id| Uuid::parse_str(id).ok());
    let verdicts: Vec<CapabilityVerdict> = known.into_iter().flat_map(|report| report.capabilities).collect();
    let verdicts = Some(verdicts.as_slice()).filter(|verdicts| !verdicts.is_empty());
    Ok(connection_check::setup(&place, capabilities, verdicts))
}

/// Get the setup of a new application
///
/// For the Azure administrator, before a connection exists: the steps in the portal from «New registration» on, the
/// consent link, and scripts that grant the *Application* permissions.
#[utoipa::path(
    tag = "Connections",
    params(ApplicationQuery),
    responses((status = 200, description = "Steps, links and scripts", body = Setup)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/connections/setup")]
pub async fn get_new_connection_setup(query: Query<ApplicationQuery>) -> Result<Json<Setup>> {
    let (capabilities, place) = query.into_inner().read()?;
    Ok(Json(connection_check::setup_of_new(&place, &capabilities)))
}
