//! Connections: how to reach one Entra tenant.

mod body;
mod row;

use super::audit_events::{record, record_update};
use super::auth::Caller;
use super::body::Body;
use super::capabilities::or_default;
use super::connection_checks::{check_stored, count_credential, take_turn};
use super::contract::Contract;
use super::credentials::CredentialBody;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{NameSortQuery, Page, PageQuery};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, in_use};
use crate::app::App;
use crate::audit::Action;
use crate::db::{Transaction, connections};
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, OrganizationId};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
pub(super) use body::ConnectionResponse;
use body::{ConnectionItem, CreateConnection, UpdateConnection, response, responses};
use serde::Deserialize;
use utoipa::IntoParams;

const KIND: &str = "connections";

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CreateConnectionQuery {
    /// Check the connection after it is stored («Save & check»); `lastCheck` of the response is the result. A connection
    /// that fails the check is stored too.
    #[param(default = false)]
    pub check: Option<bool>,
}

fn unknown(id: ConnectionId) -> Error {
    Error::not_found("connection", id)
}

/// A connection as the API shows it.
pub(super) async fn load(app: &App, organization: OrganizationId, id: ConnectionId) -> Result<ConnectionResponse> {
    app.db
        .scoped(organization, async move |tx| {
            let row = connections::find(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            response(tx, app, organization, row).await
        })
        .await
}

/// List connections
///
/// Oldest first, unless `sort` says otherwise, each with its newest check in short.
#[utoipa::path(
    tag = "Connections",
    params(connections::Which, NameSortQuery, PageQuery),
    responses((status = 200, description = "A page of connections", body = Page<ConnectionItem>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/connections")]
pub async fn list_connections(
    app: Data<App>,
    caller: Caller,
    which: Query<connections::Which>,
    sort: Query<NameSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<ConnectionItem>>> {
    let (organization, window) = (caller.organization, query.sorted(KIND, &which, sort.order())?);
    let (next_cursor, items) = app
        .db
        .scoped(organization, async |tx| {
            let rows = connections::list(tx, organization, &which, &window.part()).await?;
            let page = window.cut(rows, |row| (row.id, &row.name));
            let items = responses(tx, &app, organization, page.items).await?;
            Ok((page.next_cursor, items))
        })
        .await?;
    Ok(Json(Page { items, next_cursor }.map(ConnectionItem::from)))
}

/// Create a connection
///
/// The credential is stored encrypted and never shown again. A client secret that looks like a *Secret ID* is refused. It
/// counts as a check: an organization may check connections and store credentials a limited number of times a minute
/// (`rate_limited`).
#[utoipa::path(
    tag = "Connections",
    params(CreateConnectionQuery, IdempotencyKeyHeader),
    request_body = CreateConnection,
    responses((status = 201, description = "The connection", body = ConnectionResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/connections")]
pub async fn create_connection(
    app: Data<App>,
    caller: Caller,
    once: Once,
    query: Query<CreateConnectionQuery>,
    body: Body<CreateConnection>,
) -> Result<Created<ConnectionResponse>> {
    let organization = caller.organization;
    let checks = query.check == Some(true);
    let (id, turn) = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await? {
                return Ok((ConnectionId(id), None));
            }
            let id = ConnectionId::new(&app.clock);
            let new = row::new(&app, organization, id, &body.0)?;
            // Before anything is stored. A check counts for the credential too.
            let turn = if checks {
                Some(take_turn(&app, &caller)?)
            } else {
                count_credential(&app, &caller)?;
                None
            };
            connections::insert(tx, organization, id, &new, app.clock.now()).await?;
            record(tx, &app, &caller, Action::Create, KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            Ok((id, turn))
        })
        .await?;
    // A repeated request makes up for the check of one that stopped between storing and checking.
    if checks && load(&app, organization, id).await?.last_check.is_none() {
        let turn = turn.map_or_else(|| take_turn(&app, &caller), Ok)?;
        check_stored(&app, &caller, id, &or_default(Vec::new()), turn).await?;
    }
    Ok(Created { location: format!("/v1/connections/{id}"), value: load(&app, organization, id).await? })
}

/// Get a connection
///
/// Includes its newest check. Secrets are never shown.
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id")),
    responses((status = 200, description = "The connection", body = ConnectionResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/connections/{id}")]
pub async fn get_connection(
    app: Data<App>,
    caller: Caller,
    id: Path<ConnectionId>,
) -> Result<Found<ConnectionResponse>> {
    Ok(Found(load(&app, caller.organization, *id).await?))
}

/// Change a connection
///
/// JSON merge patch: omitted fields keep their value; null resets to the default. An omitted credential keeps its
/// value too. Another credential, tenant, application or cloud counts as a check: an organization may check connections
/// and store credentials a limited number of times a minute (`rate_limited`).
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id"), IfMatchHeader),
    request_body(content((UpdateConnection = "application/json"), (UpdateConnection = "application/merge-patch+json"))),
    responses((status = 200, description = "The changed connection", body = ConnectionResponse)),
    security(("bearer" = ["write"]))
)]
#[patch("/v1/connections/{id}")]
pub async fn update_connection(
    app: Data<App>,
    contract: Data<Contract>,
    caller: Caller,
    id: Path<ConnectionId>,
    if_match: IfMatch,
    body: Body<UpdateConnection>,
) -> Result<Found<ConnectionResponse>> {
    let (organization, id) = (caller.organization, *id);
    let value = app
        .db
        .scoped(organization, async |tx| {
            let current = connections::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let new = row::changed(&app, &contract, organization, current.clone(), body.0)?;
            // It signs in with something else from now on, or elsewhere.
            if new.credential_version != current.credential_version {
                count_credential(&app, &caller)?;
            }
            let row = connections::update(tx, organization, id, &new, app.clock.now()).await?;
            let sealed = (current.credential_sealed.clone(), row.credential_sealed.clone());
            let secrets = [("credential", sealed.0.as_deref(), sealed.1.as_deref())];
            let before = response(tx, &app, organization, current).await?;
            let after = response(tx, &app, organization, row).await?;
            record_update(tx, &app, &caller, (KIND, id.0), (&before, &after), &secrets).await?;
            Ok(after)
        })
        .await?;
    Ok(Found(value))
}

/// Delete a connection
///
/// Also deletes its credential and its checks. A connection that jobs use cannot be deleted: 409 `in_use` names the jobs.
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id"), IfMatchHeader),
    responses((status = 204, description = "Deleted"), (status = 409, response = super::openapi::Conflict)),
    security(("bearer" = ["write"]))
)]
#[delete("/v1/connections/{id}")]
pub async fn delete_connection(
    app: Data<App>,
    caller: Caller,
    id: Path<ConnectionId>,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (organization, id) = (caller.organization, *id);
    app.db
        .scoped(organization, async |tx| {
            let current = connections::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let users = connections::used_by(tx, organization, id).await?;
            if !users.is_empty() {
                return Err(in_use("connection", &current.name, users));
            }
            record(tx, &app, &caller, Action::Delete, KIND, id.0).await?;
            connections::delete(tx, organization, id).await
        })
        .await?;
    Ok(Deleted)
}

/// Replaces the credential of a connection, in the transaction of the caller.
pub(super) async fn replace_credential(
    tx: &mut Transaction,
    app: &App,
    organization: OrganizationId,
    id: ConnectionId,
    credential: &CredentialBody,
) -> Result<()> {
    let current = connections::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
    let new = row::with_credential(app, organization, current, credential)?;
    connections::update(tx, organization, id, &new, app.clock.now()).await?;
    Ok(())
}
