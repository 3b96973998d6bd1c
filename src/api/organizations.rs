//! Organizations. Admin keys of the organization `default` belong to the operator, who manages all organizations.
//! Other callers see only their own.

use super::audit_events::record;
use super::auth::{Caller, Scope, new_key};
use super::body::Body;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery};
use super::patch::Change;
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::db::api_keys::{self, NewApiKeyRow};
use crate::db::organizations::{self, NewOrganizationRow, OrganizationRow};
use crate::db::{Transaction, TransactionFn, system};
use crate::error::{Code, Error, Faults, Result};
use crate::ids::{ApiKeyId, OrganizationId};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

const KIND: &str = "organizations";

/// A new organization.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Contoso"}))]
pub struct CreateOrganization {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The id by which tokens name this organization, such as a cloud id or a Forge installation.
    #[schema(min_length = 1, max_length = 300)]
    pub external_id: Option<String>,
}

/// Changes to an organization: omitted fields keep their value; null resets to the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Contoso Ltd"}))]
pub struct UpdateOrganization {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 300)]
    external_id: Change<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationResponse {
    pub id: OrganizationId,
    pub name: String,
    #[schema(required = true)]
    pub external_id: Option<String>,
    /// The first admin key. Only the response to the creation has it.
    #[schema(read_only)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_key: Option<String>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Versioned for OrganizationResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl OrganizationResponse {
    fn new(row: OrganizationRow, admin_key: Option<String>) -> Self {
        Self {
            id: OrganizationId(row.organization_id),
            name: row.name,
            external_id: row.external_id,
            admin_key,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The name of the operator's organization in tokens.
const RESERVED: &str = "default";

/// Tokens name an organization by its `externalId` or its id, so no name may stand for another organization or look
/// like the operator's.
async fn check_names(tx: &mut Transaction, new: &NewOrganizationRow, own: OrganizationId) -> Result<()> {
    let mut faults = Faults::default();
    let is_reserved = |text: &str| own != OrganizationId::DEFAULT && text.trim().eq_ignore_ascii_case(RESERVED);
    if is_reserved(&new.name) {
        faults.push("/name", "reserved", "`default` is the name of the operator's organization; choose another name");
    }
    if new.external_id.as_deref().is_some_and(is_reserved) {
        faults.push(
            "/externalId",
            "reserved",
            "`default` names the operator's organization in tokens; choose another id",
        );
    }
    faults.into_result()?;
    let other = new.external_id.as_deref().and_then(|id| Uuid::parse_str(id.trim()).ok()).map(OrganizationId);
    match other.filter(|other| *other != own) {
        Some(other) if organizations::find(tx, other).await?.is_some() => Err(Error::new(
            Code::NameTaken,
            format!(
                "`externalId` is the id of another organization ({other}). Tokens for that one would reach this one."
            ),
        )),
        _ => Ok(()),
    }
}

fn unknown(id: OrganizationId) -> Error {
    Error::not_found("organization", id)
}

/// Whether the caller, who has the scope `admin`, is the operator of the service.
fn is_operator(caller: &Caller) -> bool {
    caller.organization == OrganizationId::DEFAULT
}

/// Refuses every caller but the operator.
pub(super) fn require_operator(caller: &Caller) -> Result<()> {
    match is_operator(caller) {
        true => Ok(()),
        false => Err(Error::new(
            Code::Forbidden,
            "Only the operator may do this: it needs an admin key of the organization `default`.",
        )),
    }
}

/// Runs `work` on what the caller may see: all organizations, or their own.
async fn visible<T, F>(app: &App, caller: &Caller, work: F) -> Result<T>
where
    for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send,
    T: Send,
{
    match is_operator(caller) {
        true => system::for_operator(&app.db, work).await,
        false => app.db.scoped(caller.organization, work).await,
    }
}

/// List organizations
///
/// The operator sees all organizations, other callers only their own.
#[utoipa::path(
    tag = "Administration",
    params(PageQuery),
    responses((status = 200, description = "A page of organizations", body = Page<OrganizationResponse>)),
    security(("bearer" = ["admin"]))
)]
#[get("/v1/organizations")]
pub async fn list_organizations(
    app: Data<App>,
    caller: Caller,
    query: Query<PageQuery>,
) -> Result<Json<Page<OrganizationResponse>>> {
    let window = query.window(KIND)?;
    let rows = visible(&app, &caller, async |tx| organizations::list(tx, window.after, window.rows()).await).await?;
    Ok(Json(window.page(rows, |row| row.organization_id, |row| OrganizationResponse::new(row, None))))
}

/// Create an organization
///
/// For the operator. The response has the organization's first admin key, which is not shown again.
#[utoipa::path(
    tag = "Administration",
    params(IdempotencyKeyHeader),
    request_body = CreateOrganization,
    responses(
        (status = 201, description = "The organization", body = OrganizationResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["admin"]))
)]
#[post("/v1/organizations")]
pub async fn create_organization(
    app: Data<App>,
    caller: Caller,
    once: Once,
    body: Body<CreateOrganization>,
) -> Result<Created<OrganizationResponse>> {
    require_operator(&caller)?;
    let (id, key_id, now) = (OrganizationId::new(&app.clock), ApiKeyId::new(&app.clock), app.clock.now());
    let new = NewOrganizationRow { name: body.0.name, external_id: body.0.external_id };
    let (key, secret_hash) = new_key(key_id);
    let scopes = vec![Scope::Admin.as_str().to_owned()];
    let new_key = NewApiKeyRow { name: "First admin key".to_owned(), scopes, secret_hash, expires_at: None };
    let (row, is_new) = system::for_operator(&app.db, async |tx| {
        if let Some(id) = once.replay(tx, &app, &caller).await?.map(OrganizationId) {
            return Ok((organizations::find(tx, id).await?.ok_or_else(|| unknown(id))?, false));
        }
        check_names(tx, &new, id).await?;
        let row = organizations::insert(tx, id, &new, now).await?;
        api_keys::insert(tx, id, key_id, &new_key, now).await?;
        record(tx, &app, &caller, "create", KIND, id.0).await?;
        once.done(tx, &app, &caller, 201, id.0).await?;
        Ok((row, true))
    })
    .await?;
    let location = format!("/v1/organizations/{}", row.organization_id);
    Ok(Created { location, value: OrganizationResponse::new(row, Some(key).filter(|_| is_new)) })
}

/// Get an organization
///
/// Its name and its external id, such as that of a Forge installation.
#[utoipa::path(
    tag = "Administration",
    params(("id" = OrganizationId, Path, description = "The organization's id")),
    responses((status = 200, description = "The organization", body = OrganizationResponse)),
    security(("bearer" = ["admin"]))
)]
#[get("/v1/organizations/{id}")]
pub async fn get_organization(
    app: Data<App>,
    caller: Caller,
    id: Path<OrganizationId>,
) -> Result<Found<OrganizationResponse>> {
    let id = *id;
    let row = visible(&app, &caller, async |tx| organizations::find(tx, id).await).await?;
    Ok(Found(OrganizationResponse::new(row.ok_or_else(|| unknown(id))?, None)))
}

/// Change an organization
///
/// For the operator. JSON merge patch: omitted fields keep their value; null resets to the default.
#[utoipa::path(
    tag = "Administration",
    params(("id" = OrganizationId, Path, description = "The organization's id"), IfMatchHeader),
    request_body(
        content((UpdateOrganization = "application/json"), (UpdateOrganization = "application/merge-patch+json"))
    ),
    responses(
        (status = 200, description = "The changed organization", body = OrganizationResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["admin"]))
)]
#[patch("/v1/organizations/{id}")]
pub async fn update_organization(
    app: Data<App>,
    caller: Caller,
    id: Path<OrganizationId>,
    if_match: IfMatch,
    body: Body<UpdateOrganization>,
) -> Result<Found<OrganizationResponse>> {
    require_operator(&caller)?;
    let (id, change) = (*id, body.0);
    let row = system::for_operator(&app.db, async |tx| {
        let current = organizations::lock(tx, id).await?.ok_or_else(|| unknown(id))?;
        if_match.check(current.version)?;
        let new = NewOrganizationRow {
            name: change.name.unwrap_or(current.name),
            external_id: change.external_id.of_optional(current.external_id),
        };
        check_names(tx, &new, id).await?;
        record(tx, &app, &caller, "update", KIND, id.0).await?;
        organizations::update(tx, id, &new, app.clock.now()).await
    })
    .await?;
    Ok(Found(OrganizationResponse::new(row, None)))
}

/// Delete an organization
///
/// For the operator. The response is sent when its keys, secrets and webhooks are deleted and its runs have ended. A
/// worker deletes all other data soon after, including the audit events. Changes nothing in Assets. `default` cannot
/// be deleted.
#[utoipa::path(
    tag = "Administration",
    params(("id" = OrganizationId, Path, description = "The organization's id"), IfMatchHeader),
    responses((status = 204, description = "Deleted"), (status = 409, response = super::openapi::Conflict)),
    security(("bearer" = ["admin"]))
)]
#[delete("/v1/organizations/{id}")]
pub async fn delete_organization(
    app: Data<App>,
    caller: Caller,
    id: Path<OrganizationId>,
    if_match: IfMatch,
) -> Result<Deleted> {
    require_operator(&caller)?;
    let (id, now) = (*id, app.clock.now());
    if id == OrganizationId::DEFAULT {
        return Err(Error::new(
            Code::InUse,
            "The organization `default` belongs to the operator and cannot be deleted.",
        ));
    }
    system::for_operator(&app.db, async |tx| {
        let current = organizations::lock(tx, id).await?.ok_or_else(|| unknown(id))?;
        if_match.check(current.version)?;
        record(tx, &app, &caller, "delete", KIND, id.0).await?;
        organizations::begin_deletion(tx, id, now).await
    })
    .await?;
    // If this fails, a worker does it: the organization is marked.
    system::wipe_organization(&app.db, id, now).await?;
    Ok(Deleted)
}
