//! API keys of an organization. A key is shown once, when it is created.

use super::audit_events::record;
use super::auth::{Caller, Scope, new_key};
use super::body::Body;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{NameSortQuery, Page, PageQuery};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::audit::Action;
use crate::db::api_keys::{self, ApiKeyRow, NewApiKeyRow};
use crate::error::{Error, Faults, Result};
use crate::ids::ApiKeyId;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

const KIND: &str = "api-keys";

/// A new API key.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Nightly script", "scopes": ["read", "run"]}))]
pub struct CreateApiKey {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// What the key may do; `admin` includes the other scopes.
    #[schema(min_items = 1, max_items = 4)]
    pub scopes: Vec<Scope>,
    /// When the key expires; null: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// An API key without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyResponse {
    pub id: ApiKeyId,
    pub name: String,
    pub scopes: Vec<Scope>,
    #[schema(required = true)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When the key was last used, to the minute; null: never.
    #[schema(required = true)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// The key itself. Only the response to its creation has it.
    #[schema(read_only)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Versioned for ApiKeyResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl ApiKeyResponse {
    fn new(row: ApiKeyRow, key: Option<String>) -> Self {
        Self {
            id: ApiKeyId(row.id),
            name: row.name,
            scopes: row.scopes,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            key,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

fn unknown(id: ApiKeyId) -> Error {
    Error::not_found("API key", id)
}

/// Without this check, a key that has already expired would show only as a 401 at its first use.
fn check_end(expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>, faults: &mut Faults) {
    if let Some(at) = expires_at.filter(|at| *at <= now) {
        let detail = format!("{} is in the past; `expiresAt` must be in the future", at.to_rfc3339());
        faults.push("/expiresAt", "in_the_past", detail);
    }
}

/// What only the service can say of a new key: it expires in the future.
pub(super) fn check_now(app: &App, body: &Value, faults: &mut Faults) {
    let end = body.get("expiresAt").and_then(Value::as_str).and_then(|end| end.parse().ok());
    check_end(end, app.clock.now(), faults);
}

/// List API keys
///
/// Oldest first, unless `sort` says otherwise, without the keys themselves.
#[utoipa::path(
    tag = "Administration",
    params(api_keys::Which, NameSortQuery, PageQuery),
    responses((status = 200, description = "A page of keys, without the keys themselves", body = Page<ApiKeyResponse>)),
    security(("bearer" = ["admin"]))
)]
#[get("/v1/api-keys")]
pub async fn list_api_keys(
    app: Data<App>,
    caller: Caller,
    which: Query<api_keys::Which>,
    sort: Query<NameSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<ApiKeyResponse>>> {
    let (organization, window) = (caller.organization, query.sorted(KIND, &which, sort.order())?);
    let rows =
        app.db.scoped(organization, async |tx| api_keys::list(tx, organization, &which, &window.part()).await).await?;
    let page = window.cut(rows, |row| (row.id, &row.name));
    Ok(Json(page.map(|row| ApiKeyResponse::new(row, None))))
}

/// Create an API key
///
/// The response has the key, which is not shown again.
#[utoipa::path(
    tag = "Administration",
    params(IdempotencyKeyHeader),
    request_body = CreateApiKey,
    responses((status = 201, description = "The key", body = ApiKeyResponse)),
    security(("bearer" = ["admin"]))
)]
#[post("/v1/api-keys")]
pub async fn create_api_key(
    app: Data<App>,
    caller: Caller,
    once: Once,
    body: Body<CreateApiKey>,
) -> Result<Created<ApiKeyResponse>> {
    let (organization, id) = (caller.organization, ApiKeyId::new(&app.clock));
    let (key, secret_hash) = new_key(id);
    let new = NewApiKeyRow { name: body.0.name, scopes: body.0.scopes, secret_hash, expires_at: body.0.expires_at };
    let (row, is_new) = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await?.map(ApiKeyId) {
                return Ok((api_keys::find(tx, organization, id).await?.ok_or_else(|| unknown(id))?, false));
            }
            let mut faults = Faults::default();
            check_end(new.expires_at, app.clock.now(), &mut faults);
            faults.into_result()?;
            let row = api_keys::insert(tx, organization, id, &new, app.clock.now()).await?;
            record(tx, &app, &caller, Action::Create, KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            Ok((row, true))
        })
        .await?;
    let location = format!("/v1/api-keys/{}", row.id);
    Ok(Created { location, value: ApiKeyResponse::new(row, Some(key).filter(|_| is_new)) })
}

/// Get an API key
///
/// Its name, scopes and last use. The key itself is shown only when it is created.
#[utoipa::path(
    tag = "Administration",
    params(("id" = ApiKeyId, Path, description = "The key's id")),
    responses((status = 200, description = "The key's settings", body = ApiKeyResponse)),
    security(("bearer" = ["admin"]))
)]
#[get("/v1/api-keys/{id}")]
pub async fn get_api_key(app: Data<App>, caller: Caller, id: Path<ApiKeyId>) -> Result<Found<ApiKeyResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app.db.scoped(organization, async |tx| api_keys::find(tx, organization, id).await).await?;
    Ok(Found(ApiKeyResponse::new(row.ok_or_else(|| unknown(id))?, None)))
}

/// Revoke an API key
///
/// The key stops working at once.
#[utoipa::path(
    tag = "Administration",
    params(("id" = ApiKeyId, Path, description = "The key's id"), IfMatchHeader),
    responses((status = 204, description = "Revoked")),
    security(("bearer" = ["admin"]))
)]
#[delete("/v1/api-keys/{id}")]
pub async fn delete_api_key(app: Data<App>, caller: Caller, id: Path<ApiKeyId>, if_match: IfMatch) -> Result<Deleted> {
    let (organization, id) = (caller.organization, *id);
    app.db
        .scoped(organization, async |tx| {
            let current = api_keys::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            record(tx, &app, &caller, Action::Delete, KIND, id.0).await?;
            api_keys::revoke(tx, organization, id, app.clock.now()).await
        })
        .await?;
    Ok(Deleted)
}
