//! Connection checks: of a stored connection, of settings before they are stored, and of a manifest.

mod body;
mod summary;

pub use body::CheckResponse;
pub use summary::CheckSummary;

use super::application_query::ApplicationQuery;
use super::audit_events::record;
use super::auth::Caller;
use super::body::Body;
use super::capabilities::or_default;
use super::credentials::{self, CredentialBody};
use super::page::{Page, PageQuery, TimeSortQuery};
use crate::app::App;
use crate::audit::Action;
use crate::cloud::Cloud;
use crate::connection_check::turns::Turn;
use crate::connection_check::{self, CheckReport, DEADLINE, Overall};
use crate::db::connection_checks::{self, NewConnectionCheckRow, Which};
use crate::db::webhooks::{self, Announcement};
use crate::db::{Transaction, job_settings};
use crate::error::{Error, Faults, Result};
use crate::graph::token::{Credential, Identity};
use crate::ids::{CheckId, ConnectionId, OrganizationId};
use crate::permission::Capability;
use crate::permission::manifest::{self, ManifestReport};
use crate::runs::context;
use crate::webhook::WebhookEvent;
use crate::webhook::payload::{FailedConnection, Subject};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

const KIND: &str = "connections";

/// What to check.
#[derive(Deserialize, ToSchema, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckConnection {
    /// Absent or empty: the capabilities that a job needs by default (`checkedByDefault` in `GET /v1/capabilities`).
    #[serde(default)]
    #[schema(max_items = 18)]
    pub capabilities: Vec<Capability>,
}

/// Settings of a connection to check without storing them.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckConnectionSettings {
    /// Ignored. It is allowed so that a body for creating a connection can be checked as it is.
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The id (a GUID) or a verified domain of the tenant.
    #[schema(min_length = 1, max_length = 253, example = "contoso.onmicrosoft.com")]
    pub tenant_id: String,
    /// Application (client) ID.
    pub client_id: Uuid,
    #[serde(default)]
    pub cloud: Cloud,
    pub credential: CredentialBody,
    /// Absent or empty: the capabilities that a job needs by default (`checkedByDefault` in `GET /v1/capabilities`).
    #[serde(default)]
    #[schema(max_items = 18)]
    pub capabilities: Vec<Capability>,
}

/// Checks a stored connection and stores the result. «Save & check» uses it too. It takes as long as `_turn`.
pub(super) async fn check_stored(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
    capabilities: &[Capability],
    _turn: Turn,
) -> Result<CheckResponse> {
    let organization = caller.organization;
    let connection =
        app.db.scoped(organization, async move |tx| job_settings::connection(tx, organization, id).await).await?;
    let identity = context::identity(&app.keys, organization, &connection)?;
    let report = check(app, &identity, capabilities, connection.credential_expires_at).await;
    let summary = connection_check::summary(&report);
    let new = NewConnectionCheckRow {
        connection_id: id.0,
        checked_at: report.checked_at,
        overall: report.overall,
        report: serde_json::to_value(&report).map_err(Error::internal)?,
    }
    .of_credential(connection.credential_version);
    let check = CheckId::new(&app.clock);
    let (row, now) = app
        .db
        .scoped(organization, async |tx| {
            // It may have been changed or deleted while Microsoft answered.
            let now = job_settings::connection(tx, organization, id).await?;
            let row = connection_checks::insert(tx, organization, check, &new).await?;
            if new.overall == Overall::Failed {
                announce_failure(tx, organization, (id, &now.name), summary.as_str(), app.clock.now()).await?;
            }
            record(tx, app, caller, Action::Check, KIND, id.0).await?;
            Ok((row, now))
        })
        .await?;
    CheckResponse::from_row(row, now.credential_version, app.clock.now())
}

/// Announces to webhooks that a check failed.
async fn announce_failure(
    tx: &mut Transaction,
    organization: OrganizationId,
    (id, name): (ConnectionId, &str),
    summary: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let event = WebhookEvent::CheckFailed;
    let announcement = Announcement {
        event: event.into(),
        subject: Subject::FailedConnection(FailedConnection { id, name: name.to_owned(), summary: summary.to_owned() }),
        run: None,
    };
    webhooks::announce(tx, organization, event, announcement, now).await
}

/// A turn for a check; it comes before anything is stored.
pub(super) fn take_turn(app: &App, caller: &Caller) -> Result<Turn> {
    app.check_turns.take(caller.organization, &app.clock)
}

/// Counts a credential that is stored as a check: what uses the connection next signs in with it, so storing one after
/// another would be a way to guess.
pub(super) fn count_credential(app: &App, caller: &Caller) -> Result<()> {
    app.check_turns.count(caller.organization, &app.clock)
}

async fn check(
    app: &App,
    identity: &Identity,
    capabilities: &[Capability],
    declared: Option<DateTime<Utc>>,
) -> CheckReport {
    connection_check::check(&app.graph, identity, capabilities, declared, DEADLINE).await
}

/// Check a connection
///
/// Requests a new token from Entra, reads its permissions and those that the tenant has granted, and makes one live
/// request per capability. The response takes at most 20 seconds; `partial` means that the time was not enough. The
/// result is added to the connection's checks. A check of fewer capabilities than the default, without findings, does
/// not replace a wider `lastCheck`.
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id")),
    request_body(content = Option<CheckConnection>, example = json!({"capabilities": ["users", "groups", "memberships"]})),
    responses((status = 200, description = "The result", body = CheckResponse)),
    security(("bearer" = ["run"]))
)]
#[post("/v1/connections/{id}/check")]
pub async fn check_connection(
    app: Data<App>,
    caller: Caller,
    id: Path<ConnectionId>,
    body: Body<CheckConnection>,
) -> Result<Json<CheckResponse>> {
    let capabilities = or_default(body.0.capabilities);
    let turn = take_turn(&app, &caller)?;
    Ok(Json(check_stored(&app, &caller, *id, &capabilities, turn).await?))
}

/// List the checks of a connection
///
/// Newest first, in short.
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id"), Which, TimeSortQuery, PageQuery),
    responses((status = 200, description = "A page of results", body = Page<CheckSummary>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/connections/{id}/checks")]
pub async fn list_connection_checks(
    app: Data<App>,
    caller: Caller,
    id: Path<ConnectionId>,
    which: Query<Which>,
    sort: Query<TimeSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<CheckSummary>>> {
    let (organization, id) = (caller.organization, *id);
    let which = Which { connection: Some(id), ..which.into_inner() };
    let window = query.sorted("connection-checks", &which, sort.order())?;
    let (version, rows) = app
        .db
        .scoped(organization, async |tx| {
            let version = job_settings::connection(tx, organization, id).await?.credential_version;
            Ok((version, connection_checks::list(tx, organization, &which, &window.part()).await?))
        })
        .await?;
    let now = app.clock.now();
    let summary = |row| CheckResponse::from_row(row, version, now).map(CheckSummary::from);
    Ok(Json(window.try_page(rows, |row| row.id, summary)?))
}

/// Get a check of a connection
///
/// With its evidence and its remedies.
#[utoipa::path(
    tag = "Connections",
    params(
        ("id" = ConnectionId, Path, description = "The connection's id"),
        ("checkId" = CheckId, Path, description = "The check's id")
    ),
    responses((status = 200, description = "The result", body = CheckResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/connections/{id}/checks/{checkId}")]
pub async fn get_connection_check(
    app: Data<App>,
    caller: Caller,
    path: Path<(ConnectionId, CheckId)>,
) -> Result<Json<CheckResponse>> {
    let (organization, (id, check)) = (caller.organization, *path);
    let (version, row) = app
        .db
        .scoped(organization, async |tx| {
            let version = job_settings::connection(tx, organization, id).await?.credential_version;
            Ok((version, connection_checks::find(tx, organization, id, check).await?))
        })
        .await?;
    let row = row.ok_or_else(|| Error::not_found("check", check))?;
    Ok(Json(CheckResponse::from_row(row, version, app.clock.now())?))
}

/// Check settings of a connection
///
/// The same check for settings that are not stored. Neither the settings nor the result are stored.
#[utoipa::path(
    tag = "Connections",
    request_body = CheckConnectionSettings,
    responses((status = 200, description = "The result", body = CheckResponse)),
    security(("bearer" = ["run"]))
)]
#[post("/v1/connection-checks")]
pub async fn check_connection_settings(
    app: Data<App>,
    caller: Caller,
    body: Body<CheckConnectionSettings>,
) -> Result<Json<CheckResponse>> {
    let settings = body.0;
    let mut faults = Faults::default();
    credentials::check_dates(&settings.credential, app.clock.now(), &mut faults);
    faults.into_result()?;
    let tokens = app.graph.tokens();
    let credential = settings.credential.credential();
    if matches!(credential, Credential::Federated) {
        tokens.federated().require(caller.organization, &settings.tenant_id, settings.client_id)?;
    }
    let identity = Identity {
        organization: caller.organization,
        connection: ConnectionId::new(&app.clock),
        credential_version: 0,
        tenant_id: settings.tenant_id,
        client_id: settings.client_id,
        cloud: settings.cloud,
        credential,
    };
    let capabilities = or_default(settings.capabilities);
    let _turn = take_turn(&app, &caller)?;
    let report = check(&app, &identity, &capabilities, settings.credential.expires_at()).await;
    tokens.forget(&identity);
    Ok(Json(CheckResponse::new(CheckId::new(&app.clock), None, report, app.clock.now())))
}

/// The manifest of an app registration, or only its list of permissions. Nothing else is read from a manifest.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Manifest {
    #[schema(value_type = Object)]
    Whole(Value),
    #[schema(value_type = Vec<Object>)]
    Permissions(Vec<Value>),
}

/// Check a manifest
///
/// Takes the manifest of an app registration (portal → App registrations → the app → Manifest, in either format), only
/// the list under `requiredResourceAccess`, or the application as Microsoft Graph, the Azure CLI or PowerShell shows it.
/// The response names every permission with its kind, marks those that were added as Delegated, and tells which
/// capabilities will work after consent. No request to Microsoft is made.
#[utoipa::path(
    tag = "Connections",
    params(ApplicationQuery),
    request_body(
        content = Manifest,
        description = "The manifest, or its `requiredResourceAccess`",
        example = json!({"requiredResourceAccess": [{
            "resourceAppId": "00000003-0000-0000-c000-000000000000",
            "resourceAccess": [{"id": "df021288-bdef-4463-88db-98f22de89214", "type": "Role"}],
        }]})
    ),
    responses((status = 200, description = "The permissions of the manifest", body = ManifestReport)),
    security(("bearer" = ["read"]))
)]
#[post("/v1/manifest-checks")]
pub async fn check_manifest(query: Query<ApplicationQuery>, body: Body<Value>) -> Result<Json<ManifestReport>> {
    let (capabilities, place) = query.into_inner().read()?;
    Ok(Json(manifest::check(&body.0, &capabilities, &place)?))
}
