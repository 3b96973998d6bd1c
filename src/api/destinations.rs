//! Destinations: import sources of Assets.

use super::audit_events::record;
use super::auth::Caller;
use super::body::{Body, MergePatch};
use super::contract::Contract;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::db::destinations::{self, DestinationRow, NewDestinationRow};
use crate::error::{Code, Error, Fault, Faults, Result};
use crate::ids::{DestinationId, OrganizationId};
use crate::mapping::ReferenceTemplate;
use crate::runs::context::{EmptyValues, MissingObjects};
use crate::seal::Place;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

const KIND: &str = "destinations";
/// Stands for a secret that a patch does not touch. It is never stored.
const KEPT: &str = "kept";

/// Access to the object API, needed only by the removal policy `remove` and to clear values.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectApiBody {
    /// The site's address; where the operator set ENTRA_ASSETS_ASSETS_URL, that origin is good too.
    #[schema(
        pattern = "^https?://[A-Za-z0-9.:\\[\\]-]+/?$",
        max_length = 300,
        example = "https://example.atlassian.net"
    )]
    pub site_url: String,
    #[schema(min_length = 3, max_length = 254, pattern = "^[^\\s@]+@[^\\s@]+$", example = "importer@example.com")]
    pub email: String,
    /// An API token of that account.
    #[schema(write_only, min_length = 1, max_length = 8192, pattern = "^[!-~]+$")]
    pub api_token: String,
}

/// A destination to be made.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Assets", "kind": "assetsImport", "token": "ATCTT3xFfGN0-simulated", "missingObjects": "unknown"}))]
pub enum CreateDestination {
    /// An import source of the type External import, reached by its container token.
    #[serde(rename_all = "camelCase")]
    #[schema(title = "AssetsImport")]
    AssetsImport {
        #[schema(min_length = 1, max_length = 200)]
        name: String,
        /// The token that the import source generated.
        #[schema(write_only, min_length = 1, max_length = 8192, pattern = "^[!-~]+$")]
        token: String,
        #[serde(default)]
        missing_objects: MissingObjects,
        #[serde(default)]
        empty_values: EmptyValues,
        #[serde(default)]
        reference_template: ReferenceTemplate,
        api: Option<ObjectApiBody>,
    },
    /// An import type of a Forge app, reached by the app's own token.
    #[serde(rename_all = "camelCase")]
    #[schema(title = "Forge")]
    Forge {
        #[schema(min_length = 1, max_length = 200)]
        name: String,
        #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9:._-]+$")]
        workspace_id: String,
        #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9:._-]+$")]
        import_id: String,
        #[serde(default)]
        missing_objects: MissingObjects,
        #[serde(default)]
        empty_values: EmptyValues,
        #[serde(default)]
        reference_template: ReferenceTemplate,
        api: Option<ObjectApiBody>,
    },
}

/// Changes to a destination: absent fields stay, so tokens stay unless they are given; null is the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"missingObjects": "ignore"}))]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateDestination {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// As it is: it cannot change.
    #[schema(nullable = false)]
    kind: Option<DestinationKind>,
    #[schema(write_only, min_length = 1, max_length = 8192, pattern = "^[!-~]+$", nullable = false)]
    token: Option<String>,
    #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9:._-]+$", nullable = false)]
    workspace_id: Option<String>,
    #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9:._-]+$", nullable = false)]
    import_id: Option<String>,
    missing_objects: Option<MissingObjects>,
    empty_values: Option<EmptyValues>,
    reference_template: Option<ReferenceTemplate>,
    api: Option<UpdateObjectApi>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateObjectApi {
    #[schema(pattern = "^https?://[A-Za-z0-9.:\\[\\]-]+/?$", max_length = 300, nullable = false)]
    site_url: Option<String>,
    #[schema(min_length = 3, max_length = 254, pattern = "^[^\\s@]+@[^\\s@]+$", nullable = false)]
    email: Option<String>,
    #[schema(write_only, min_length = 1, max_length = 8192, pattern = "^[!-~]+$", nullable = false)]
    api_token: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub enum DestinationKind {
    AssetsImport,
    Forge,
}

/// Tokens are never shown.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DestinationResponse {
    pub id: DestinationId,
    pub name: String,
    pub kind: DestinationKind,
    /// Of a Forge destination.
    #[schema(required = true)]
    pub workspace_id: Option<String>,
    /// Of a Forge destination.
    #[schema(required = true)]
    pub import_id: Option<String>,
    /// What Assets does with objects that an import leaves out, as the administrator says or as it was observed.
    pub missing_objects: MissingObjects,
    pub empty_values: EmptyValues,
    pub reference_template: ReferenceTemplate,
    /// Access to the object API, without its token; null: none.
    #[schema(required = true)]
    pub api: Option<ObjectApiResponse>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ObjectApiResponse {
    pub site_url: String,
    pub email: String,
}

impl Versioned for DestinationResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl DestinationResponse {
    fn from_row(row: DestinationRow) -> Result<Self> {
        fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
            serde_json::from_value(json!(text)).map_err(Error::internal)
        }
        Ok(Self {
            id: DestinationId(row.id),
            name: row.name,
            kind: word(&row.kind)?,
            workspace_id: row.workspace_id,
            import_id: row.import_id,
            missing_objects: word(&row.missing_objects)?,
            empty_values: word(&row.empty_values)?,
            reference_template: word(&row.reference_template)?,
            api: row.api_site_url.zip(row.api_email).map(|(site_url, email)| ObjectApiResponse { site_url, email }),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Which secrets of a destination stay as they are stored.
#[derive(Default)]
struct Kept {
    token: Option<Vec<u8>>,
    api_token: Option<Vec<u8>>,
}

/// The columns of a destination; secrets are sealed unless they are kept.
fn row(
    app: &App,
    organization: OrganizationId,
    id: DestinationId,
    body: CreateDestination,
    kept: Kept,
) -> Result<NewDestinationRow> {
    let seal = |column: &'static str, secret: &str| {
        app.keys.seal(Place { table: "destinations", column, organization, row: id.0 }, secret)
    };
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, token, workspace_id, import_id, name, choices, api) = match body {
        CreateDestination::AssetsImport { name, token, missing_objects, empty_values, reference_template, api } => {
            let sealed = kept.token.map_or_else(|| seal("token_sealed", &token), Ok)?;
            ("assetsImport", Some(sealed), None, None, name, (missing_objects, empty_values, reference_template), api)
        }
        CreateDestination::Forge {
            name,
            workspace_id,
            import_id,
            missing_objects,
            empty_values,
            reference_template,
            api,
        } => {
            let choices = (missing_objects, empty_values, reference_template);
            ("forge", None, Some(workspace_id), Some(import_id), name, choices, api)
        }
    };
    let mut faults = Faults::default();
    check_site(app, api.as_ref().map(|api| api.site_url.as_str()), &mut faults);
    faults.into_result()?;
    let api_token = match &api {
        Some(api) => Some(kept.api_token.map_or_else(|| seal("api_token_sealed", &api.api_token), Ok)?),
        None => None,
    };
    Ok(NewDestinationRow {
        name,
        kind: kind.to_owned(),
        token_sealed: token,
        workspace_id,
        import_id,
        missing_objects: word(json!(choices.0)),
        empty_values: word(json!(choices.1)),
        reference_template: word(json!(choices.2)),
        api_site_url: api.as_ref().map(|api| api.site_url.trim_end_matches('/').to_owned()),
        api_email: api.map(|api| api.email),
        api_token_sealed: api_token,
    })
}

fn patched_row(
    app: &App,
    contract: &Contract,
    organization: OrganizationId,
    current: &DestinationRow,
    patch: &MergePatch,
) -> Result<NewDestinationRow> {
    let has = |pointer: &str| patch.0.pointer(pointer).is_some_and(|value| !value.is_null());
    let moves = has("/api/siteUrl") || has("/api/email");
    if current.api_token_sealed.is_some() && moves && !has("/api/apiToken") {
        // A stored token is never sent to another place than the one it was given for.
        let detail = "Give the API token again: it was stored for another site or person.";
        return Err(Error::validation(vec![Fault::new("/api/apiToken", "required", detail)]));
    }
    if patch.0.get("kind").is_some_and(|kind| *kind != current.kind) {
        let detail = format!("It is `{}` and cannot change; create another destination instead.", current.kind);
        return Err(Error::validation(vec![Fault::new("/kind", "cannot_change", detail)]));
    }
    let mut document = json!({
        "kind": current.kind, "name": current.name, "missingObjects": current.missing_objects,
        "emptyValues": current.empty_values, "referenceTemplate": current.reference_template,
        "workspaceId": current.workspace_id, "importId": current.import_id,
        "token": current.token_sealed.as_ref().map(|_| KEPT),
    });
    if let (Some(site_url), Some(email)) = (&current.api_site_url, &current.api_email) {
        document["api"] = json!({"siteUrl": site_url, "email": email, "apiToken": KEPT});
    }
    let body: CreateDestination = patch.apply_to(contract, "CreateDestination", document)?;
    let kept = Kept {
        token: current.token_sealed.clone().filter(|_| patch.0.get("token").is_none()),
        api_token: current.api_token_sealed.clone().filter(|_| patch.0.pointer("/api/apiToken").is_none()),
    };
    row(app, organization, DestinationId(current.id), body, kept)
}

fn check_site(app: &App, site_url: Option<&str>, faults: &mut Faults) {
    if let Some(fault) = site_url.and_then(|site_url| app.assets.site_url_fault(site_url)) {
        faults.push("/api/siteUrl", "invalid_site", fault);
    }
}

/// What only the service can say of a destination to be made: its site is one that tokens may be sent to.
pub(super) fn check_now(app: &App, body: &Value, faults: &mut Faults) {
    check_site(app, body.pointer("/api/siteUrl").and_then(Value::as_str), faults);
}

pub(super) fn unknown(id: DestinationId) -> Error {
    Error::not_found("destination", id)
}

/// List destinations
///
/// Oldest first; tokens are never shown.
#[utoipa::path(
    tag = "Destinations",
    params(PageQuery),
    responses((status = 200, description = "A page of destinations", body = Page<DestinationResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/destinations")]
pub async fn list_destinations(
    app: Data<App>,
    caller: Caller,
    query: Query<PageQuery>,
) -> Result<Json<Page<DestinationResponse>>> {
    let (organization, window) = (caller.organization, query.window(KIND)?);
    let rows = app
        .db
        .scoped(organization, async |tx| destinations::list(tx, organization, window.after, window.rows()).await)
        .await?;
    Ok(Json(window.try_page(rows, |row| row.id, DestinationResponse::from_row)?))
}

/// Create a destination
///
/// Tokens are sealed and never shown again.
#[utoipa::path(
    tag = "Destinations",
    params(IdempotencyKeyHeader),
    request_body = CreateDestination,
    responses((status = 201, description = "The destination", body = DestinationResponse)),
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
            let new = row(&app, organization, id, body.0.clone(), Kept::default())?;
            let stored = destinations::insert(tx, organization, id, &new, app.clock.now()).await?;
            record(tx, &app, &caller, "create", KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            Ok(stored)
        })
        .await?;
    Ok(Created { location: format!("/v1/destinations/{}", stored.id), value: DestinationResponse::from_row(stored)? })
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
    Ok(Found(DestinationResponse::from_row(row.ok_or_else(|| unknown(id))?)?))
}

/// Change a destination
///
/// JSON merge patch: absent fields stay, so tokens stay unless they are given; null is the default.
#[utoipa::path(
    tag = "Destinations",
    params(("id" = DestinationId, Path, description = "The destination's id"), IfMatchHeader),
    request_body(content((UpdateDestination = "application/json"), (UpdateDestination = "application/merge-patch+json"))),
    responses((status = 200, description = "The destination as it is now", body = DestinationResponse)),
    security(("bearer" = ["write"]))
)]
#[patch("/v1/destinations/{id}")]
pub async fn update_destination(
    app: Data<App>,
    contract: Data<Contract>,
    caller: Caller,
    id: Path<DestinationId>,
    if_match: IfMatch,
    patch: MergePatch,
) -> Result<Found<DestinationResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            let current = destinations::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let new = patched_row(&app, &contract, organization, &current, &patch)?;
            record(tx, &app, &caller, "update", KIND, id.0).await?;
            destinations::update(tx, organization, id, &new, app.clock.now()).await
        })
        .await?;
    Ok(Found(DestinationResponse::from_row(row)?))
}

/// Delete a destination
///
/// Its tokens go with it; what is in Assets stays. A destination that a job uses is kept: 409 `in_use` names
/// it.
#[utoipa::path(
    tag = "Destinations",
    params(("id" = DestinationId, Path, description = "The destination's id"), IfMatchHeader),
    responses((status = 204, description = "It is deleted"), (status = 409, response = super::openapi::Conflict)),
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
                let detail = format!("The destination «{}» is used by {} job(s).", current.name, users.len());
                return Err(Error::new(Code::InUse, detail).with_used_by(users));
            }
            record(tx, &app, &caller, "delete", KIND, id.0).await?;
            destinations::delete(tx, organization, id).await
        })
        .await?;
    Ok(Deleted)
}
