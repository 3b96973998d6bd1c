//! Connections: how to reach one Entra tenant.

use super::audit_events::record;
use super::auth::Caller;
use super::body::{Body, MergePatch};
use super::capabilities::or_default;
use super::connection_checks::{CheckResponse, check_stored};
use super::contract::Contract;
use super::credentials::{CredentialBody, check_dates};
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::db::connections::{self, ConnectionRow, NewConnectionRow};
use crate::db::{Transaction, connection_checks};
use crate::error::{Code, Error, Faults, Result};
use crate::graph::cloud::Cloud;
use crate::graph::token::Credential;
use crate::ids::{ConnectionId, OrganizationId};
use crate::seal::Place;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const KIND: &str = "connections";

/// A connection to be made.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Contoso", "tenantId": "contoso.onmicrosoft.com", "clientId": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "cloud": "global", "credential": {"kind": "clientSecret", "secret": "abc8Q~simulated-secret-value"},
}))]
pub struct CreateConnection {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The tenant's id (a GUID) or a domain that is verified in it.
    #[schema(min_length = 1, max_length = 253)]
    pub tenant_id: String,
    /// Application (client) ID.
    pub client_id: Uuid,
    #[serde(default)]
    pub cloud: Cloud,
    pub credential: CredentialBody,
}

/// Changes to a connection: absent fields stay, so a credential stays unless it is given.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"credential": {"secret": "xyz8Q~simulated-secret-value"}}))]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateConnection {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 253, nullable = false)]
    tenant_id: Option<String>,
    #[schema(nullable = false)]
    client_id: Option<Uuid>,
    cloud: Option<Cloud>,
    #[schema(nullable = false)]
    credential: Option<UpdateCredential>,
}

/// Changes to a credential. Another `kind` starts anew; the same kind keeps what is absent. But a new secret has an end of
/// its own: without `expiresAt` beside it, none is known. A certificate says its end itself.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateCredential {
    #[schema(nullable = false)]
    kind: Option<CredentialKind>,
    #[schema(write_only, min_length = 1, max_length = 4096, nullable = false)]
    secret: Option<String>,
    #[schema(write_only, min_length = 1, max_length = 65536, nullable = false)]
    certificate: Option<String>,
    #[schema(write_only, min_length = 1, max_length = 65536, nullable = false)]
    private_key: Option<String>,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub enum CredentialKind {
    ClientSecret,
    Certificate,
    Federated,
}

/// What may be shown of a credential.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CredentialResponse {
    pub kind: CredentialKind,
    #[schema(required = true)]
    pub expires_at: Option<DateTime<Utc>>,
    /// The first three characters of the secret, which the portal shows too, or the certificate's thumbprint.
    #[schema(required = true)]
    pub hint: Option<String>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionResponse {
    pub id: ConnectionId,
    pub name: String,
    pub tenant_id: String,
    pub client_id: Uuid,
    pub cloud: Cloud,
    pub credential: CredentialResponse,
    /// The newest check; null before the first. One that looked at less than a check without a body does, and found
    /// nothing wrong, does not take the place of a wider one.
    #[schema(required = true)]
    pub last_check: Option<CheckResponse>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Versioned for ConnectionResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CreateConnectionQuery {
    /// Check the connection once it is stored («Save & check»); the answer's `lastCheck` is the result. A
    /// connection that fails the check is stored all the same.
    #[param(default = false)]
    pub check: Option<bool>,
}

fn unknown(id: ConnectionId) -> Error {
    Error::not_found("connection", id)
}

fn place(organization: OrganizationId, id: ConnectionId) -> Place {
    Place { table: "connections", column: "credential_sealed", organization, row: id.0 }
}

/// The columns of a new connection, or of one whose settings were all given anew.
fn new_row(
    app: &App,
    organization: OrganizationId,
    id: ConnectionId,
    body: &CreateConnection,
) -> Result<NewConnectionRow> {
    let mut faults = Faults::default();
    check_dates(&body.credential, app.clock.now(), &mut faults);
    faults.into_result()?;
    let credential = body.credential.credential();
    let seal = |secret: &SecretString| app.keys.seal(place(organization, id), secret.expose_secret());
    let (sealed, certificate_pem) = match &credential {
        Credential::ClientSecret(secret) => (Some(seal(secret)?), None),
        Credential::Certificate { certificate_pem, private_key_pem } => {
            (Some(seal(private_key_pem)?), Some(certificate_pem.clone()))
        }
        Credential::Federated => {
            app.graph.tokens().federated().require(organization, &body.tenant_id, body.client_id)?;
            (None, None)
        }
    };
    Ok(NewConnectionRow {
        name: body.name.clone(),
        tenant_id: body.tenant_id.clone(),
        client_id: body.client_id,
        cloud: body.cloud.as_str().to_owned(),
        credential_kind: credential.kind().to_owned(),
        credential_sealed: sealed,
        certificate_pem,
        credential_hint: credential.hint(),
        credential_expires_at: body.credential.expires_at(),
        credential_version: 1,
    })
}

/// The columns of `row` with `patch` applied.
fn patched_row(
    app: &App,
    contract: &Contract,
    organization: OrganizationId,
    row: &ConnectionRow,
    patch: &MergePatch,
) -> Result<NewConnectionRow> {
    let id = ConnectionId(row.id);
    let mut current = json!({
        "name": row.name, "tenantId": row.tenant_id, "clientId": row.client_id, "cloud": row.cloud,
    });
    // A credential that is not touched is not opened either: the master key may be gone.
    let touches_credential = patch.0.get("credential").is_some();
    current["credential"] = match touches_credential {
        true => current_credential(app, organization, row, &patch.0["credential"])?,
        false => json!({"kind": "federated"}),
    };
    let body: CreateConnection = patch.apply_to(contract, "CreateConnection", current)?;
    let mut new = match touches_credential {
        true => new_row(app, organization, id, &body)?,
        false => NewConnectionRow {
            name: body.name,
            tenant_id: body.tenant_id,
            client_id: body.client_id,
            cloud: body.cloud.as_str().to_owned(),
            credential_kind: row.credential_kind.clone(),
            credential_sealed: row.credential_sealed.clone(),
            certificate_pem: row.certificate_pem.clone(),
            credential_hint: row.credential_hint.clone(),
            credential_expires_at: row.credential_expires_at,
            credential_version: row.credential_version,
        },
    };
    let reaches_elsewhere = (&new.tenant_id, new.client_id, &new.cloud) != (&row.tenant_id, row.client_id, &row.cloud);
    if reaches_elsewhere && new.credential_kind == "federated" {
        app.graph.tokens().federated().require(organization, &new.tenant_id, new.client_id)?;
    }
    new.credential_version = row.credential_version + i64::from(touches_credential || reaches_elsewhere);
    Ok(new)
}

/// What a change of the credential starts from: its parts, with those secrets opened that the change keeps.
fn current_credential(app: &App, organization: OrganizationId, row: &ConnectionRow, change: &Value) -> Result<Value> {
    let kind = change.get("kind").and_then(Value::as_str).unwrap_or(&row.credential_kind);
    if kind != row.credential_kind {
        return Ok(json!({"kind": kind}));
    }
    let secret_name = match kind {
        "clientSecret" => "secret",
        "certificate" => "privateKey",
        _ => return Ok(json!({"kind": kind})),
    };
    let mut current = json!({"kind": kind});
    if kind == "certificate" {
        current["certificate"] = json!(row.certificate_pem);
    } else {
        // The end that was declared for one secret says nothing of the next.
        current["expiresAt"] =
            if change.get("secret").is_some() { Value::Null } else { json!(row.credential_expires_at) };
    }
    if change.get(secret_name).is_none()
        && let Some(sealed) = &row.credential_sealed
    {
        let opened = app.keys.open(place(organization, ConnectionId(row.id)), sealed)?;
        current[secret_name] = json!(opened.expose_secret());
    }
    Ok(current)
}

/// Connections as they are answered, each with its newest check.
async fn responses(
    tx: &mut Transaction,
    app: &App,
    organization: OrganizationId,
    rows: Vec<ConnectionRow>,
) -> Result<Vec<ConnectionResponse>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut checks = connection_checks::latest(tx, organization, &ids).await?;
    let now = app.clock.now();
    let word = |text: &str| serde_json::from_value(json!(text)).map_err(Error::internal);
    rows.into_iter()
        .map(|row| {
            let check = checks.iter().position(|check| check.connection_id == row.id);
            let check = check.map(|at| checks.swap_remove(at));
            Ok(ConnectionResponse {
                id: ConnectionId(row.id),
                name: row.name,
                tenant_id: row.tenant_id,
                client_id: row.client_id,
                cloud: row.cloud.parse().map_err(Error::internal)?,
                credential: CredentialResponse {
                    kind: word(&row.credential_kind)?,
                    expires_at: row.credential_expires_at,
                    hint: row.credential_hint,
                },
                last_check: check
                    .map(|check| CheckResponse::from_row(check, row.credential_version, now))
                    .transpose()?,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

async fn response(
    tx: &mut Transaction,
    app: &App,
    organization: OrganizationId,
    row: ConnectionRow,
) -> Result<ConnectionResponse> {
    let one = responses(tx, app, organization, vec![row]).await?.pop();
    one.ok_or_else(|| Error::internal("one row has one answer"))
}

async fn load(app: &App, organization: OrganizationId, id: ConnectionId) -> Result<ConnectionResponse> {
    app.db
        .scoped(organization, async move |tx| {
            let row = connections::find(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            response(tx, app, organization, row).await
        })
        .await
}

/// List connections
///
/// Oldest first, each with its newest check.
#[utoipa::path(
    tag = "Connections",
    params(PageQuery),
    responses((status = 200, description = "A page of connections", body = Page<ConnectionResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/connections")]
pub async fn list_connections(
    app: Data<App>,
    caller: Caller,
    query: Query<PageQuery>,
) -> Result<Json<Page<ConnectionResponse>>> {
    let (organization, window) = (caller.organization, query.window(KIND)?);
    let (page, items) = app
        .db
        .scoped(organization, async |tx| {
            let rows = connections::list(tx, organization, window.after, window.rows()).await?;
            let page = window.page(rows, |row| row.id, |row| row);
            let items = responses(tx, &app, organization, page.items).await?;
            Ok((page.next_cursor, items))
        })
        .await?;
    Ok(Json(Page { items, next_cursor: page }))
}

/// Create a connection
///
/// The credential is sealed and never shown again. A client secret that looks like a *Secret ID* is refused.
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
    let (id, is_new) = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await? {
                return Ok((ConnectionId(id), false));
            }
            let id = ConnectionId::new(&app.clock);
            let new = new_row(&app, organization, id, &body.0)?;
            connections::insert(tx, organization, id, &new, app.clock.now()).await?;
            record(tx, &app, &caller, "create", KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            Ok((id, true))
        })
        .await?;
    if is_new && query.check == Some(true) {
        check_stored(&app, &caller, id, &or_default(Vec::new())).await?;
    }
    Ok(Created { location: format!("/v1/connections/{id}"), value: load(&app, organization, id).await? })
}

/// Get a connection
///
/// With its newest check; of the credential only what may be shown.
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
/// JSON merge patch: absent fields stay, null is the default. The credential stays unless it is given.
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id"), IfMatchHeader),
    request_body(content((UpdateConnection = "application/json"), (UpdateConnection = "application/merge-patch+json"))),
    responses((status = 200, description = "The connection as it is now", body = ConnectionResponse)),
    security(("bearer" = ["write"]))
)]
#[patch("/v1/connections/{id}")]
pub async fn update_connection(
    app: Data<App>,
    contract: Data<Contract>,
    caller: Caller,
    id: Path<ConnectionId>,
    if_match: IfMatch,
    patch: MergePatch,
) -> Result<Found<ConnectionResponse>> {
    let (organization, id) = (caller.organization, *id);
    let value = app
        .db
        .scoped(organization, async |tx| {
            let current = connections::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let new = patched_row(&app, &contract, organization, &current, &patch)?;
            record(tx, &app, &caller, "update", KIND, id.0).await?;
            let row = connections::update(tx, organization, id, &new, app.clock.now()).await?;
            response(tx, &app, organization, row).await
        })
        .await?;
    Ok(Found(value))
}

/// Delete a connection
///
/// Its credential and its checks go with it. A connection that jobs use is kept: 409 `in_use` names them.
#[utoipa::path(
    tag = "Connections",
    params(("id" = ConnectionId, Path, description = "The connection's id"), IfMatchHeader),
    responses((status = 204, description = "It is deleted"), (status = 409, response = super::openapi::Conflict)),
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
                let detail = format!("The connection «{}» is used by {} job(s).", current.name, users.len());
                return Err(Error::new(Code::InUse, detail).with_used_by(users));
            }
            record(tx, &app, &caller, "delete", KIND, id.0).await?;
            connections::delete(tx, organization, id).await
        })
        .await?;
    Ok(Deleted)
}
