//! What the bearer of a handover's link may do: see the connection and the steps in Entra, enter the credential, check.

use super::KIND;
use crate::api::audit_events::record;
use crate::api::auth::Caller;
use crate::api::auth::handover::{Handover, count_attempt, lock_valid};
use crate::api::body::Body;
use crate::api::capabilities::or_default;
use crate::api::connection_checks::{CheckResponse, check_stored, take_turn};
use crate::api::connection_setup::setup_of;
use crate::api::connections::{self, ConnectionResponse, replace_credential};
use crate::api::credentials::{self, CredentialBody};
use crate::app::App;
use crate::audit::Action;
use crate::connection_check::turns::Turn;
use crate::connection_check::{self, Setup};
use crate::db::handovers::{self, NewHandoverRow};
use crate::error::{Faults, Result};
use crate::ids::HandoverId;
use crate::permission::Capability;
use crate::permission::manifest::{self, ManifestReport};
use crate::permission::remedy::Place;
use actix_web::web::{Data, Json};
use actix_web::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What the administrator of Entra sees and needs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandedOver {
    pub connection: ConnectionResponse,
    /// The steps in Entra, with the ids filled in.
    pub setup: Setup,
}

/// The credential of the connection that was handed over.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"credential": {"kind": "clientSecret", "secret": "abc8Q~simulated-secret-value"}}))]
pub struct EnterCredential {
    pub credential: CredentialBody,
}

/// Get what was handed over
///
/// For the bearer of a handover's link: the connection, and the steps in Entra.
#[utoipa::path(
    tag = "Connections",
    responses((status = 200, description = "The connection and the steps", body = HandedOver)),
    security(("bearer" = ["handover"]))
)]
#[get("/v1/handover")]
pub async fn get_handed_over(app: Data<App>, caller: Caller, handover: Handover) -> Result<Json<HandedOver>> {
    let connection = connections::load(&app, caller.organization, handover.connection).await?;
    let setup = match &connection.last_check {
        Some(_) => setup_of(&app, caller.organization, handover.connection, &Capability::DEFAULT).await?,
        // Nothing worked yet, so the application may not exist: the steps begin with its registration.
        None => connection_check::setup_of_new(&place(&connection), &Capability::DEFAULT),
    };
    Ok(Json(HandedOver { connection, setup }))
}

/// Enter the credential of what was handed over
///
/// For the bearer of a handover's link. The credential is stored encrypted and never shown, and the connection is
/// checked with it. It replaces the one that the connection had.
#[utoipa::path(
    tag = "Connections",
    request_body = EnterCredential,
    responses((status = 200, description = "The result of the check", body = CheckResponse)),
    security(("bearer" = ["handover"]))
)]
#[post("/v1/handover/credential")]
pub async fn enter_handed_over_credential(
    app: Data<App>,
    caller: Caller,
    handover: Handover,
    body: Body<EnterCredential>,
) -> Result<Json<CheckResponse>> {
    let (organization, now) = (caller.organization, app.clock.now());
    let turn = begin_attempt(&app, &caller, handover.id).await?;
    let mut faults = Faults::default();
    credentials::check_dates(&body.0.credential, now, &mut faults);
    faults.into_result()?;
    app.db
        .scoped(organization, async |tx| {
            let row = lock_valid(tx, &app, organization, handover.id).await?;
            replace_credential(tx, &app, organization, handover.connection, &body.0.credential).await?;
            let used = NewHandoverRow { used_at: Some(now), ..row.into() };
            handovers::update(tx, organization, handover.id, &used, now).await?;
            record(tx, &app, &caller, Action::Use, KIND, handover.id.0).await?;
            record(tx, &app, &caller, Action::Update, "connections", handover.connection.0).await
        })
        .await?;
    Ok(Json(check_stored(&app, &caller, handover.connection, &or_default(Vec::new()), turn).await?))
}

/// Check what was handed over
///
/// For the bearer of a handover's link. The same check as `POST /v1/connections/{id}/check`, of the capabilities that a
/// job needs by default.
#[utoipa::path(
    tag = "Connections",
    responses((status = 200, description = "The result", body = CheckResponse)),
    security(("bearer" = ["handover"]))
)]
#[post("/v1/handover/check")]
pub async fn check_handed_over(app: Data<App>, caller: Caller, handover: Handover) -> Result<Json<CheckResponse>> {
    let turn = begin_attempt(&app, &caller, handover.id).await?;
    Ok(Json(check_stored(&app, &caller, handover.connection, &or_default(Vec::new()), turn).await?))
}

/// Check the manifest of what was handed over
///
/// For the bearer of a handover's link. The same check as `POST /v1/manifest-checks`, with the ids of the connection. No
/// request to Microsoft is made, and nothing is stored.
#[utoipa::path(
    tag = "Connections",
    request_body(
        content = crate::api::connection_checks::Manifest,
        description = "The manifest, or its `requiredResourceAccess`",
        example = json!({"requiredResourceAccess": [{
            "resourceAppId": "00000003-0000-0000-c000-000000000000",
            "resourceAccess": [{"id": "df021288-bdef-4463-88db-98f22de89214", "type": "Role"}],
        }]})
    ),
    responses((status = 200, description = "The permissions of the manifest", body = ManifestReport)),
    security(("bearer" = ["handover"]))
)]
#[post("/v1/handover/manifest-checks")]
pub async fn check_handed_over_manifest(
    app: Data<App>,
    caller: Caller,
    handover: Handover,
    body: Body<Value>,
) -> Result<Json<ManifestReport>> {
    let connection = connections::load(&app, caller.organization, handover.connection).await?;
    Ok(Json(manifest::check(&body.0, &Capability::DEFAULT, &place(&connection))?))
}

/// A turn for an attempt that counts. One that finds no turn, or whose link has ended, does not count, and one too many takes
/// none.
async fn begin_attempt(app: &App, caller: &Caller, id: HandoverId) -> Result<Turn> {
    let organization = caller.organization;
    app.db
        .scoped(organization, async |tx| {
            lock_valid(tx, app, organization, id).await?;
            count_attempt(tx, organization, id).await?;
            take_turn(app, caller)
        })
        .await
}

fn place(connection: &ConnectionResponse) -> Place {
    connection_check::setup::place_of(connection.cloud, Some(&connection.tenant_id), Some(connection.client_id))
}
