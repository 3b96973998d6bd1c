//! Organizations. The admin keys of the organization `default` are the operator's: they manage the others. Everybody
//! else sees their own.

use super::audit_events::record;
use super::auth::{Caller, Scope, new_key};
use super::body::{Body, MergePatch};
use super::contract::Contract;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery};
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

/// An organization to be made.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Contoso"}))]
pub struct CreateOrganization {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// What tokens of this organization name it by, such as a cloud id or a Forge installation.
    #[schema(min_length = 1, max_length = 300)]
    pub external_id: Option<String>,
}

/// Changes to an organization: absent fields stay, null is the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Contoso Ltd"}))]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateOrganization {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 300)]
    external_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationResponse {
    pub id: OrganizationId,
    pub name: String,
    #[schema(required = true)]
    pub external_id: Option<String>,
    /// Its first admin key, in the answer to the request that made it and never again.
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

/// The word by which tokens name the operator's organization.
const RESERVED: &str = "default";

/// Tokens name an organization by its `externalId` or its id, so one must not pass for another; and people should not
/// take one for the operator's.
async fn check_names(tx: &mut Transaction, new: &NewOrganizationRow, own: OrganizationId) -> Result<()> {
    let mut faults = Faults::default();
    let is_reserved = |text: &str| own != OrganizationId::DEFAULT && text.trim().eq_ignore_ascii_case(RESERVED);
    if is_reserved(&new.name) {
        faults.push("/name", "reserved", "`default` is the operator's own organization; choose another name");
    }
    if new.external_id.as_deref().is_some_and(is_reserved) {
        faults.push("/externalId", "reserved", "tokens name the operator's own organization by `default`");
    }
    faults.into_result()?;
    let other = new.external_id.as_deref().and_then(|id| Uuid::parse_str(id.trim()).ok()).map(OrganizationId);
    match other.filter(|other| *other != own) {
        Some(other) if organizations::find(tx, other).await?.is_some() => Err(Error::new(
            Code::NameTaken,
            format!(
                "`externalId` is the id of another organization ({other}): tokens that name that one would reach this one."
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

/// Refuses whoever is not the operator.
pub(super) fn require_operator(caller: &Caller) -> Result<()> {
    match is_operator(caller) {
        true => Ok(()),
        false => Err(Error::new(
            Code::Forbidden,
            "This is the operator's: it needs an admin key of the organization `default`.",
        )),
    }
}

/// Runs `work` over what the caller may see: every organization, or their own.
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
/// The operator sees all, everybody else their own.
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
/// For the operator. The answer has the organization's first admin key, which is not shown again.
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
/// Its name, and its id outside, such as that of a Forge installation.
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
/// For the operator. JSON merge patch: absent fields stay, null is the default.
#[utoipa::path(
    tag = "Administration",
    params(("id" = OrganizationId, Path, description = "The organization's id"), IfMatchHeader),
    request_body(
        content((UpdateOrganization = "application/json"), (UpdateOrganization = "application/merge-patch+json"))
    ),
    responses(
        (status = 200, description = "The organization as it is now", body = OrganizationResponse),
        (status = 409, response = super::openapi::Conflict)
    ),
    security(("bearer" = ["admin"]))
)]
#[patch("/v1/organizations/{id}")]
pub async fn update_organization(
    app: Data<App>,
    contract: Data<Contract>,
    caller: Caller,
    id: Path<OrganizationId>,
    if_match: IfMatch,
    patch: MergePatch,
) -> Result<Found<OrganizationResponse>> {
    require_operator(&caller)?;
    let id = *id;
    let row = system::for_operator(&app.db, async |tx| {
        let current = organizations::lock(tx, id).await?.ok_or_else(|| unknown(id))?;
        if_match.check(current.version)?;
        let current = CreateOrganization { name: current.name, external_id: current.external_id };
        let changed: CreateOrganization = patch.apply(&contract, "CreateOrganization", &current)?;
        let new = NewOrganizationRow { name: changed.name, external_id: changed.external_id };
        check_names(tx, &new, id).await?;
        record(tx, &app, &caller, "update", KIND, id.0).await?;
        organizations::update(tx, id, &new, app.clock.now()).await
    })
    .await?;
    Ok(Found(OrganizationResponse::new(row, None)))
}

/// Delete an organization
///
/// For the operator. Its keys, secrets and webhooks are gone when this is answered, and its runs are ended; the rest
/// is removed by a worker soon after, to the last audit event. Never touches Assets. `default` cannot be deleted.
#[utoipa::path(
    tag = "Administration",
    params(("id" = OrganizationId, Path, description = "The organization's id"), IfMatchHeader),
    responses((status = 204, description = "It is deleted"), (status = 409, response = super::openapi::Conflict)),
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
        return Err(Error::new(Code::InUse, "The organization `default` is the operator's own and cannot be deleted."));
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
