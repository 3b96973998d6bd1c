//! Organizations. Admin keys of the organization `default` belong to the operator, who manages all organizations.
//! Other callers see only their own.

use super::audit_events;
use super::auth::{Caller, Scope, new_key};
use super::body::Body;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery};
use super::patch::Change;
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::audit::Action;
use crate::db::api_keys::NewApiKeyRow;
use crate::db::audit_events::AuditEventRow;
use crate::db::organizations::{self, NewOrganizationRow, OrganizationRow};
use crate::db::system::{self, Creation};
use crate::error::{Code, Error, Faults, Result};
use crate::ids::{ApiKeyId, OrganizationId};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) const KIND: &str = "organizations";

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

/// An organization: the owner of everything that a key sees.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationResponse {
    pub id: OrganizationId,
    pub name: String,
    /// The id by which tokens name this organization; null: they do not.
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

/// Nobody but the operator may have a name that people or tokens take for the operator's.
fn refuse_reserved(new: &NewOrganizationRow, own: OrganizationId) -> Result<()> {
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
    faults.into_result()
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
    let (own, after, limit) = (caller.organization, window.after, window.rows());
    let rows = match is_operator(&caller) {
        true => system::list_organizations(&app.db, after, limit).await?,
        false => app.db.scoped(own, async move |tx| organizations::list(tx, after, limit).await).await?,
    };
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
    refuse_reserved(&new, id)?;
    let (key, secret_hash) = new_key(key_id);
    let name = "First admin key".to_owned();
    let creation = Creation {
        id,
        organization: new,
        key_id,
        key: NewApiKeyRow { name, scopes: vec![Scope::Admin], secret_hash, expires_at: None },
        audit: audit_events::event(&app, &caller, (Action::Create, KIND, id.0)),
        request: once.request(),
        status: 201,
    };
    let (row, is_new) = system::create_organization(&app.db, &creation, now).await?;
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
    let row = match is_operator(&caller) {
        true => system::organization(&app.db, id).await?,
        false => app.db.scoped(caller.organization, async move |tx| organizations::find(tx, id).await).await?,
    };
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
    let row = loop {
        let current = system::organization(&app.db, id).await?.ok_or_else(|| unknown(id))?;
        if_match.check(current.version)?;
        let new = NewOrganizationRow {
            name: change.name.clone().unwrap_or(current.name),
            external_id: change.external_id.clone().of_optional(current.external_id),
        };
        refuse_reserved(&new, id)?;
        let audit = audit_events::event(&app, &caller, (Action::Update, KIND, id.0));
        // Read again if somebody else changed it since.
        if let Some(row) =
            system::update_organization(&app.db, (id, current.version), &new, &audit, app.clock.now()).await?
        {
            break row;
        }
    };
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
    let id = *id;
    if id == OrganizationId::DEFAULT {
        return Err(Error::new(
            Code::InUse,
            "The organization `default` belongs to the operator and cannot be deleted.",
        ));
    }
    remove(&app, id, &audit_events::event(&app, &caller, (Action::Delete, KIND, id.0)), |row| {
        if_match.check(row.version)
    })
    .await?;
    Ok(Deleted)
}

/// Ends every access to an organization, then removes its secrets and webhooks and ends its runs. A worker removes the rest.
/// `check` may refuse.
pub(super) async fn remove(
    app: &App,
    id: OrganizationId,
    audit: &AuditEventRow,
    check: impl Fn(&OrganizationRow) -> Result<()>,
) -> Result<()> {
    let now = app.clock.now();
    loop {
        let current = system::organization(&app.db, id).await?.ok_or_else(|| unknown(id))?;
        check(&current)?;
        // Read again if somebody else changed it since.
        if system::begin_deletion(&app.db, (id, current.version), audit, now).await? {
            break;
        }
    }
    // If this fails, a worker does it: the organization is marked.
    system::wipe_organization(&app.db, id, now).await
}
