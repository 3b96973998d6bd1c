//! Destinations: import sources of Assets.

mod body;
mod row;

use super::audit_events::{record, record_update};
use super::auth::Caller;
use super::body::Body;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{NameSortQuery, Page, PageQuery};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, in_use};
use crate::app::App;
use crate::audit::Action;
use crate::db::Transaction;
use crate::db::destinations::{self, LeadsTo};
use crate::error::{Error, Faults, Result};
use crate::ids::{DestinationId, OrganizationId};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
use body::{CreateDestination, DestinationResponse, UpdateDestination};
use row::{Sealer, check_site, check_token, leads_elsewhere, leads_to};
use serde_json::Value;

pub(super) const KIND: &str = "destinations";

/// What the document cannot say of a destination: its token is one of an import source.
pub(super) fn check(body: &Value, faults: &mut Faults) {
    check_token(body.get("token").and_then(Value::as_str), faults);
}

/// What only the service can say of a new destination: tokens may be sent to its site.
pub(super) fn check_now(app: &App, body: &Value, faults: &mut Faults) {
    check_site(app, body.pointer("/api/siteUrl").and_then(Value::as_str), faults);
}

/// Stores where a destination leads, unless a job delivers there through another destination.
async fn lead(tx: &mut Transaction, organization: OrganizationId, id: DestinationId, to: &LeadsTo) -> Result<()> {
    destinations::set_leads_to(tx, organization, id, to).await?;
    match destinations::same_source(tx, organization, id, None).await? {
        Some(other) => Err(other.refusal()),
        None => Ok(()),
    }
}

pub(super) fn unknown(id: DestinationId) -> Error {
    Error::not_found("destination", id)
}

/// List destinations
///
/// Oldest first, unless `sort` says otherwise; tokens are never shown.
#[utoipa::path(
    tag = "Destinations",
    params(destinations::Which, NameSortQuery, PageQuery),
    responses((status = 200, description = "A page of destinations", body = Page<DestinationResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/destinations")]
pub async fn list_destinations(
    app: Data<App>,
    caller: Caller,
    which: Query<destinations::Which>,
    sort: Query<NameSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<DestinationResponse>>> {
    let (organization, window) = (caller.organization, query.sorted(KIND, &which, sort.order())?);
    let rows = app
        .db
        .scoped(organization, async |tx| destinations::list(tx, organization, &which, &window.part()).await)
        .await?;
    Ok(Json(window.cut(rows, |row| (row.id, &row.name)).map(DestinationResponse::from_row)))
}

/// Create a destination
///
/// Tokens are stored encrypted and never shown again. An import source to which a job delivers through another destination
/// is refused: 409 `destination_in_use`.
#[utoipa::path(
    tag = "Destinations",
    params(IdempotencyKeyHeader),
    request_body = CreateDestination,
    responses(
        (status = 201, description = "The destination", body = DestinationResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["write"]))
)]
#[post("/v1/destinations")]
pub async fn create_destination(
    app: Data<App>,
    caller: Caller,
    once: Once,
    body: Body<CreateDestination>,
) -> Result<Created<DestinationResponse>> {
    let organization = caller.organization;
    let stored = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await? {
                let id = DestinationId(id);
                return destinations::find(tx, organization, id).await?.ok_or_else(|| unknown(id));
            }
            let id = DestinationId::new(&app.clock);
            let new = row::new(Sealer { app: &app, organization, id }, body.0.clone())?;
            let stored = destinations::insert(tx, organization, id, &new, app.clock.now()).await?;
            lead(tx, organization, id, &leads_to(organization, &body.0)).await?;
            record(tx, &app, &caller, Action::Create, KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            Ok(stored)
        })
        .await?;
    Ok(Created { location: format!("/v1/destinations/{}", stored.id), value: DestinationResponse::from_row(stored) })
}

/// Get a destination
///
/// Its tokens are never shown.
#[utoipa::path(
    tag = "Destinations",
    params(("id" = DestinationId, Path, description = "The destination's id")),
    responses((status = 200, description = "The destination", body = DestinationResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/destinations/{id}")]
pub async fn get_destination(
    app: Data<App>,
    caller: Caller,
    id: Path<DestinationId>,
) -> Result<Found<DestinationResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app.db.scoped(organization, async |tx| destinations::find(tx, organization, id).await).await?;
    Ok(Found(DestinationResponse::from_row(row.ok_or_else(|| unknown(id))?)))
}

/// Change a destination
///
/// JSON merge patch: omitted fields keep their value, also tokens; null resets to the default.
#[utoipa::path(
    tag = "Destinations",
    params(("id" = DestinationId, Path, description = "The destination's id"), IfMatchHeader),
    request_body(content((UpdateDestination = "application/json"), (UpdateDestination = "application/merge-patch+json"))),
    responses(
        (status = 200, description = "The changed destination", body = DestinationResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["write"]))
)]
#[patch("/v1/destinations/{id}")]
pub async fn update_destination(
    app: Data<App>,
    caller: Caller,
    id: Path<DestinationId>,
    if_match: IfMatch,
    body: Body<UpdateDestination>,
) -> Result<Found<DestinationResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            let current = destinations::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let elsewhere = leads_elsewhere(organization, &body.0);
            let new = row::changed(Sealer { app: &app, organization, id }, current.clone(), body.0)?;
            if let Some(elsewhere) = elsewhere {
                lead(tx, organization, id, &elsewhere).await?;
            }
            let row = destinations::update(tx, organization, id, &new, app.clock.now()).await?;
            let secrets = [
                ("token", current.token_sealed.as_deref(), row.token_sealed.as_deref()),
                ("api.apiToken", current.api_token_sealed.as_deref(), row.api_token_sealed.as_deref()),
            ];
            let shown = (&DestinationResponse::from_row(current.clone()), &DestinationResponse::from_row(row.clone()));
            record_update(tx, &app, &caller, (KIND, id.0), shown, &secrets).await?;
            Ok(row)
        })
        .await?;
    Ok(Found(DestinationResponse::from_row(row)))
}

/// Delete a destination
///
/// Also deletes its tokens, and changes nothing in Assets. A destination that a job uses cannot be deleted: 409 `in_use`
/// names the job.
#[utoipa::path(
    tag = "Destinations",
    params(("id" = DestinationId, Path, description = "The destination's id"), IfMatchHeader),
    responses((status = 204, description = "Deleted"), (status = 409, response = super::openapi::Conflict)),
    security(("bearer" = ["write"]))
)]
#[delete("/v1/destinations/{id}")]
pub async fn delete_destination(
    app: Data<App>,
    caller: Caller,
    id: Path<DestinationId>,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (organization, id) = (caller.organization, *id);
    app.db
        .scoped(organization, async |tx| {
            let current = destinations::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let users = destinations::used_by(tx, organization, id).await?;
            if !users.is_empty() {
                return Err(in_use("destination", &current.name, users));
            }
            record(tx, &app, &caller, Action::Delete, KIND, id.0).await?;
            destinations::delete(tx, organization, id).await
        })
        .await?;
    Ok(Deleted)
}
