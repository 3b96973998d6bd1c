//! Filters: which users and groups to import.

use super::audit_events::record;
use super::auth::Caller;
use super::body::{Body, MergePatch};
use super::contract::Contract;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{Page, PageQuery};
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::db::filters::{self, FilterRow, NewFilterRow};
use crate::error::{Code, Error, Result};
use crate::ids::FilterId;
use actix_web::{delete, get, patch, post};
use actix_web::web::{Data, Json, Path, Query};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

const KIND: &str = "filters";

/// Which objects of one kind: an OData `$filter`, or the same as a tree of conditions; not both.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selection {
    /// A `$filter` of Microsoft Graph.
    #[schema(min_length = 1, max_length = 8192, example = "accountEnabled eq true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odata: Option<String>,
    /// A tree of conditions.
    #[schema(value_type = Option<Object>)]
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Value>,
}

/// Whose users are imported.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub enum UserScope {
    /// Every user that `users` selects.
    #[default]
    All,
    /// Only members of the groups in `groupIds`.
    MembersOf,
    /// Only members of the groups that `groups` selects.
    MembersOfFilteredGroups,
}

#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub enum GroupScope {
    /// Every group that `groups` selects.
    #[default]
    All,
    /// Only groups that have an imported user as a member.
    ContainingFilteredUsers,
}

#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilterScope {
    #[serde(default)]
    #[schema(inline)]
    pub users: UserScope,
    /// The groups of `users: membersOf`.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub group_ids: Vec<Uuid>,
    /// Whether members of nested groups count.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub transitive: bool,
    #[serde(default)]
    #[schema(inline)]
    pub groups: GroupScope,
}

fn yes() -> bool {
    true
}

/// What becomes of references to objects outside the filter.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub enum Outside {
    /// The reference is left out.
    #[default]
    Drop,
    /// The object is imported with its name only.
    Stub,
}

/// What is never imported, whatever else selects it.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exclude {
    #[serde(default)]
    #[schema(max_items = 10000)]
    pub user_ids: Vec<Uuid>,
    #[serde(default)]
    #[schema(max_items = 10000)]
    pub group_ids: Vec<Uuid>,
    /// Patterns of user principal names; `*` stands for any text.
    #[serde(default)]
    #[schema(max_items = 1000, example = json!(["svc-*"]))]
    pub user_names: Vec<String>,
    /// Patterns of display names of groups.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub group_names: Vec<String>,
}

#[derive(Serialize, Deserialize, ToSchema, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Import at most this many users; null: all.
    #[schema(minimum = 1, maximum = 100000000)]
    pub max_users: Option<u32>,
    #[schema(minimum = 1, maximum = 100000000)]
    pub max_groups: Option<u32>,
}

/// A filter to be made. Every part but the name is optional; what is left out does not restrict.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Active members",
    "users": {"odata": "accountEnabled eq true"},
    "groups": {"odata": "startswith(displayName,'team')"},
}))]
pub struct CreateFilter {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    pub users: Option<Selection>,
    pub groups: Option<Selection>,
    pub devices: Option<Selection>,
    pub scope: Option<FilterScope>,
    #[serde(default)]
    pub outside: Option<Outside>,
    pub exclude: Option<Exclude>,
    pub limits: Option<Limits>,
}

/// Changes to a filter: absent parts stay, null is the default.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"users": {"odata": "userType eq 'Member'"}, "groups": null}))]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateFilter {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    users: Option<Selection>,
    groups: Option<Selection>,
    devices: Option<Selection>,
    scope: Option<FilterScope>,
    outside: Option<Outside>,
    exclude: Option<Exclude>,
    limits: Option<Limits>,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct FilterResponse {
    pub id: FilterId,
    pub name: String,
    #[schema(required = true)]
    pub users: Option<Selection>,
    #[schema(required = true)]
    pub groups: Option<Selection>,
    #[schema(required = true)]
    pub devices: Option<Selection>,
    #[schema(required = true)]
    pub scope: Option<FilterScope>,
    pub outside: Outside,
    #[schema(required = true)]
    pub exclude: Option<Exclude>,
    #[schema(required = true)]
    pub limits: Option<Limits>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Versioned for FilterResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl CreateFilter {
    fn row(&self) -> Result<NewFilterRow> {
        let mut rule = serde_json::to_value(self).map_err(Error::internal)?;
        if let Value::Object(fields) = &mut rule {
            fields.remove("name");
            fields.retain(|_, part| !part.is_null());
        }
        Ok(NewFilterRow { name: self.name.clone(), rule })
    }

    fn from_row(row: &FilterRow) -> Result<Self> {
        let mut document = row.rule.clone();
        if let Value::Object(fields) = &mut document {
            fields.insert("name".to_owned(), Value::String(row.name.clone()));
        }
        serde_json::from_value(document).map_err(Error::internal)
    }
}

impl FilterResponse {
    fn from_row(row: FilterRow) -> Result<Self> {
        let filter = CreateFilter::from_row(&row)?;
        Ok(Self {
            id: FilterId(row.id),
            name: filter.name,
            users: filter.users,
            groups: filter.groups,
            devices: filter.devices,
            scope: filter.scope,
            outside: filter.outside.unwrap_or_default(),
            exclude: filter.exclude,
            limits: filter.limits,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn unknown(id: FilterId) -> Error {
    Error::not_found("filter", id)
}

/// List filters
#[utoipa::path(
    tag = "Filters",
    params(PageQuery),
    responses((status = 200, description = "A page of filters", body = Page<FilterResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/filters")]
pub async fn list_filters(app: Data<App>, caller: Caller, query: Query<PageQuery>) -> Result<Json<Page<FilterResponse>>> {
    let (organization, window) = (caller.organization, query.window(KIND)?);
    let rows = app
        .db
        .scoped(organization, async |tx| filters::list(tx, organization, window.after, window.rows()).await)
        .await?;
    Ok(Json(window.try_page(rows, |row| row.id, FilterResponse::from_row)?))
}

/// Create a filter
#[utoipa::path(
    tag = "Filters",
    params(IdempotencyKeyHeader),
    request_body = CreateFilter,
    responses((status = 201, description = "The filter", body = FilterResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/filters")]
pub async fn create_filter(
    app: Data<App>,
    caller: Caller,
    once: Once,
    body: Body<CreateFilter>,
) -> Result<Created<FilterResponse>> {
    let (organization, new) = (caller.organization, body.0.row()?);
    let row = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await? {
                return filters::find(tx, organization, FilterId(id)).await?.ok_or_else(|| unknown(FilterId(id)));
            }
            let row = filters::insert(tx, organization, FilterId::new(&app.clock), &new, app.clock.now()).await?;
            record(tx, &app, &caller, "create", KIND, row.id).await?;
            once.done(tx, &app, &caller, 201, row.id).await?;
            Ok(row)
        })
        .await?;
    Ok(Created { location: format!("/v1/filters/{}", row.id), value: FilterResponse::from_row(row)? })
}

/// Get a filter
#[utoipa::path(
    tag = "Filters",
    params(("id" = FilterId, Path, description = "The filter's id")),
    responses((status = 200, description = "The filter", body = FilterResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/filters/{id}")]
pub async fn get_filter(app: Data<App>, caller: Caller, id: Path<FilterId>) -> Result<Found<FilterResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app.db.scoped(organization, async |tx| filters::find(tx, organization, id).await).await?;
    Ok(Found(FilterResponse::from_row(row.ok_or_else(|| unknown(id))?)?))
}

/// Change a filter
///
/// JSON merge patch: absent parts stay, null is the default. Jobs that use the filter read everything anew in
/// their next run.
#[utoipa::path(
    tag = "Filters",
    params(("id" = FilterId, Path, description = "The filter's id"), IfMatchHeader),
    request_body(content((UpdateFilter = "application/json"), (UpdateFilter = "application/merge-patch+json"))),
    responses((status = 200, description = "The filter as it is now", body = FilterResponse)),
    security(("bearer" = ["write"]))
)]
#[patch("/v1/filters/{id}")]
pub async fn update_filter(
    app: Data<App>,
    contract: Data<Contract>,
    caller: Caller,
    id: Path<FilterId>,
    if_match: IfMatch,
    patch: MergePatch,
) -> Result<Found<FilterResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            let current = filters::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let new = patch.apply(&contract, "CreateFilter", &CreateFilter::from_row(&current)?)?.row()?;
            record(tx, &app, &caller, "update", KIND, id.0).await?;
            filters::update(tx, organization, id, &new, app.clock.now()).await
        })
        .await?;
    Ok(Found(FilterResponse::from_row(row)?))
}

/// Delete a filter
#[utoipa::path(
    tag = "Filters",
    params(("id" = FilterId, Path, description = "The filter's id"), IfMatchHeader),
    responses((status = 204, description = "It is deleted"), (status = 409, response = super::openapi::Conflict)),
    security(("bearer" = ["write"]))
)]
#[delete("/v1/filters/{id}")]
pub async fn delete_filter(app: Data<App>, caller: Caller, id: Path<FilterId>, if_match: IfMatch) -> Result<Deleted> {
    let (organization, id) = (caller.organization, *id);
    app.db
        .scoped(organization, async |tx| {
            let current = filters::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let users = filters::used_by(tx, organization, id).await?;
            if !users.is_empty() {
                let detail = format!("The filter «{}» is used by {} job(s).", current.name, users.len());
                return Err(Error::new(Code::InUse, detail).with_used_by(users));
            }
            record(tx, &app, &caller, "delete", KIND, id.0).await?;
            filters::delete(tx, organization, id).await
        })
        .await?;
    Ok(Deleted)
}
