//! Handovers: a link with which an administrator of Entra, who has no key, sets up one connection. So the secret never
//! passes through the hands of the administrator of Assets.

mod visit;

pub use visit::{check_handed_over, check_handed_over_manifest, enter_handed_over_credential, get_handed_over};

use super::audit_events::record;
use super::auth::{Caller, handover};
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery, TimeSortQuery};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::audit::Action;
use crate::db::handovers::{self, HandoverRow, NewHandoverRow};
use crate::db::job_settings;
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, HandoverId};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) const KIND: &str = "handovers";
/// How long a link is valid.
const LIFE: TimeDelta = TimeDelta::days(7);

/// A handover of a connection to an administrator of Entra.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandoverResponse {
    pub id: HandoverId,
    pub connection_id: ConnectionId,
    /// The link, relative to this service, with its secret behind `#`, which browsers do not send. Only the response to
    /// its creation has it.
    #[schema(read_only, format = "uri-reference", example = "/console/#/handover/eah_simulated")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub expires_at: DateTime<Utc>,
    /// When it was revoked; null: it was not.
    #[schema(required = true)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// When a credential was last entered through it; null: never.
    #[schema(required = true)]
    pub used_at: Option<DateTime<Utc>>,
    /// How often a credential was entered or the connection checked through it. A link works for 100 attempts.
    pub attempts: i32,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Versioned for HandoverResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl HandoverResponse {
    fn new(row: HandoverRow, secret: Option<String>) -> Self {
        Self {
            id: HandoverId(row.id),
            connection_id: ConnectionId(row.connection_id),
            url: secret.map(|secret| format!("/console/#/handover/{secret}")),
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            used_at: row.used_at,
            attempts: row.attempts,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

fn unknown(id: HandoverId) -> Error {
    Error::not_found("handover", id)
}

/// List handovers
///
/// Newest first, unless `sort` says otherwise, without their links.
#[utoipa::path(
    tag = "Connections",
    params(handovers::Which, TimeSortQuery, PageQuery),
    responses((status = 200, description = "A page of handovers", body = Page<HandoverResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/handovers")]
pub async fn list_handovers(
    app: Data<App>,
    caller: Caller,
    which: Query<handovers::Which>,
    sort: Query<TimeSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<HandoverResponse>>> {
    let (organization, window) = (caller.organization, query.sorted(KIND, &which, sort.order())?);
    let rows =
        app.db.scoped(organization, async |tx| handovers::list(tx, organization, &which, &window.part()).await).await?;
    Ok(Json(window.page(rows, |row| row.id, |row| HandoverResponse::new(row, None))))
}

/// Create a handover
///
/// The response has a link to a page of the console, which is valid for seven days. Whoever opens it sees the steps in
/// Entra for this connection, enters the credential and checks the connection. The link can do nothing else, and shows
/// no secret. Uses and refused uses are in the audit log.
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id"), IdempotencyKeyHeader),
    responses((status = 201, description = "The handover", body = HandoverResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/connections/{id}/handovers")]
pub async fn create_handover(
    app: Data<App>,
    caller: Caller,
    once: Once,
    connection: Path<ConnectionId>,
) -> Result<Created<HandoverResponse>> {
    let (organization, connection, id) = (caller.organization, *connection, HandoverId::new(&app.clock));
    let (secret, secret_hash) = handover::new_link(id);
    let now = app.clock.now();
    let new = NewHandoverRow {
        connection_id: connection.0,
        secret_hash,
        expires_at: now + LIFE,
        revoked_at: None,
        used_at: None,
    };
    let (row, is_new) = app
        .db
        .scoped(organization, async |tx| {
            job_settings::connection(tx, organization, connection).await?;
            if let Some(id) = once.replay(tx, &app, &caller).await?.map(HandoverId) {
                return Ok((handovers::find(tx, organization, id).await?.ok_or_else(|| unknown(id))?, false));
            }
            let row = handovers::insert(tx, organization, id, &new, now).await?;
            record(tx, &app, &caller, Action::Create, KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            Ok((row, true))
        })
        .await?;
    let location = format!("/v1/handovers/{}", row.id);
    Ok(Created { location, value: HandoverResponse::new(row, Some(secret).filter(|_| is_new)) })
}

/// Get a handover
///
/// When it ends, and whether it was used. The link is shown only when it is created.
#[utoipa::path(
    tag = "Connections",
    params(("id" = HandoverId, Path, description = "The handover's id")),
    responses((status = 200, description = "The handover", body = HandoverResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/handovers/{id}")]
pub async fn get_handover(app: Data<App>, caller: Caller, id: Path<HandoverId>) -> Result<Found<HandoverResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app.db.scoped(organization, async |tx| handovers::find(tx, organization, id).await).await?;
    Ok(Found(HandoverResponse::new(row.ok_or_else(|| unknown(id))?, None)))
}

/// Revoke a handover
///
/// The link stops working at once. A credential that was entered through it stays.
#[utoipa::path(
    tag = "Connections",
    params(("id" = HandoverId, Path, description = "The handover's id"), IfMatchHeader),
    responses((status = 204, description = "Revoked")),
    security(("bearer" = ["write"]))
)]
#[delete("/v1/handovers/{id}")]
pub async fn revoke_handover(
    app: Data<App>,
    caller: Caller,
    id: Path<HandoverId>,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (organization, id) = (caller.organization, *id);
    app.db
        .scoped(organization, async |tx| {
            let current = handovers::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let now = app.clock.now();
            let revoked_at = current.revoked_at.or(Some(now));
            let new = NewHandoverRow { revoked_at, ..current.into() };
            handovers::update(tx, organization, id, &new, now).await?;
            record(tx, &app, &caller, Action::Revoke, KIND, id.0).await
        })
        .await?;
    Ok(Deleted)
}
