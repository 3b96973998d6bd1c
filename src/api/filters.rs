//! Filters: which users and groups to import.

use super::audit_events::{record, record_update};
use super::auth::Caller;
use super::body::Body;
use super::contract::Contract;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{NameSortQuery, Page, PageQuery};
use super::patch::Patch;
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned, in_use};
use crate::app::App;
use crate::audit::Action;
use crate::db::filters::{self, FilterRow, NewFilterRow};
use crate::error::{Error, Faults, Result};
use crate::filter::body::{ExcludeBody, RuleBody};
use crate::filter::kinds::{self, ByKind};
use crate::filter::{EntityKind, Filter, Limits, Outside, Scope, where_tree};
use crate::ids::FilterId;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

const KIND: &str = "filters";

/// A new filter. Every field but the name is optional; an omitted field does not restrict. A condition on
/// `applications` decides their credentials too.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "Active members",
    "users": {"odata": "accountEnabled eq true"},
    "groups": {"odata": "startswith(displayName,'team')"},
}))]
pub struct CreateFilter {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    #[serde(flatten)]
    #[schema(schema_with = kinds::requested::<RuleBody>)]
    pub rules: ByKind<Option<RuleBody>>,
    pub scope: Option<Scope>,
    pub outside: Option<Outside>,
    pub exclude: Option<ExcludeBody>,
    pub limits: Option<Limits>,
}

/// Changes to a filter: omitted fields keep their value; null resets to the default.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"users": {"odata": "userType eq 'Member'"}, "groups": null}))]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateFilter {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[serde(flatten)]
    #[schema(schema_with = kinds::requested::<RuleBody>)]
    rules: ByKind<Option<RuleBody>>,
    scope: Option<Scope>,
    outside: Option<Outside>,
    exclude: Option<ExcludeBody>,
    limits: Option<Limits>,
}

/// A filter. A kind of object that is off by default is absent without a condition on it.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct FilterResponse {
    pub id: FilterId,
    pub name: String,
    #[serde(flatten)]
    #[schema(schema_with = kinds::nullable::<RuleBody>)]
    pub rules: ByKind<Option<RuleBody>>,
    pub scope: Scope,
    pub outside: Outside,
    pub exclude: ExcludeBody,
    pub limits: Limits,
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
        let mut body = serde_json::to_value(self).map_err(Error::internal)?;
        without_name(&mut body);
        Ok(NewFilterRow { name: self.name.clone(), rule: Filter::from_json(&body)?.to_json() })
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
            rules: kinds::shown(|kind| filter.rules.get(&kind).cloned().flatten()),
            scope: filter.scope.unwrap_or_default(),
            outside: filter.outside.unwrap_or_default(),
            exclude: filter.exclude.unwrap_or_default(),
            limits: filter.limits.unwrap_or_default(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub(super) fn without_name(body: &mut Value) {
    if let Value::Object(fields) = body {
        fields.remove("name");
    }
}

/// What the document cannot say of a filter: its conditions are valid, and a scope has its groups.
pub(super) fn check(body: &Value, faults: &mut Faults) {
    let mut rule = body.clone();
    without_name(&mut rule);
    Filter::collect(&rule, "", faults);
}

/// What the document cannot say of a change: a tree of conditions replaces the old one as a whole, so it is valid by
/// itself.
pub(super) fn check_change(body: &Value, faults: &mut Faults) {
    for kind in EntityKind::ALL {
        let name = kind.as_str();
        if let Some(tree) = body.get(name).and_then(|rule| rule.get("where")).filter(|tree| !tree.is_null()) {
            where_tree::parse(kind, tree, &format!("/{name}/where"), faults);
        }
    }
}

fn unknown(id: FilterId) -> Error {
    Error::not_found("filter", id)
}

/// List filters
///
/// Oldest first, unless `sort` says otherwise.
#[utoipa::path(
    tag = "Filters",
    params(filters::Which, NameSortQuery, PageQuery),
    responses((status = 200, description = "A page of filters", body = Page<FilterResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/filters")]
pub async fn list_filters(
    app: Data<App>,
    caller: Caller,
    which: Query<filters::Which>,
    sort: Query<NameSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<FilterResponse>>> {
    let (organization, window) = (caller.organization, query.sorted(KIND, &which, sort.order())?);
    let rows =
        app.db.scoped(organization, async |tx| filters::list(tx, organization, &which, &window.part()).await).await?;
    let page = window.cut(rows, |row| (row.id, &row.name));
    Ok(Json(page.try_map(FilterResponse::from_row)?))
}

/// Create a filter
///
/// Every field but the name is optional; a filter without conditions selects every object. The response names all
/// faults of the conditions at once.
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
            record(tx, &app, &caller, Action::Create, KIND, row.id).await?;
            once.done(tx, &app, &caller, 201, row.id).await?;
            Ok(row)
        })
        .await?;
    Ok(Created { location: format!("/v1/filters/{}", row.id), value: FilterResponse::from_row(row)? })
}

/// Get a filter
///
/// The filter as it was written, with the defaults of omitted fields.
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
/// JSON merge patch: omitted fields keep their value; null resets to the default. Jobs that use the filter read the
/// whole directory in their next run.
#[utoipa::path(
    tag = "Filters",
    params(("id" = FilterId, Path, description = "The filter's id"), IfMatchHeader),
    request_body(content((UpdateFilter = "application/json"), (UpdateFilter = "application/merge-patch+json"))),
    responses((status = 200, description = "The changed filter", body = FilterResponse)),
    security(("bearer" = ["write"]))
)]
#[patch("/v1/filters/{id}")]
pub async fn update_filter(
    app: Data<App>,
    contract: Data<Contract>,
    caller: Caller,
    id: Path<FilterId>,
    if_match: IfMatch,
    patch: Patch<CreateFilter>,
) -> Result<Found<FilterResponse>> {
    let (organization, id) = (caller.organization, *id);
    let filter = app
        .db
        .scoped(organization, async |tx| {
            let current = filters::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let new = patch.apply(&contract, &CreateFilter::from_row(&current)?, &Value::Null)?.row()?;
            let before = FilterResponse::from_row(current)?;
            let row = filters::update(tx, organization, id, &new, app.clock.now()).await?;
            let after = FilterResponse::from_row(row)?;
            record_update(tx, &app, &caller, (KIND, id.0), (&before, &after), &[]).await?;
            Ok(after)
        })
        .await?;
    Ok(Found(filter))
}

/// Delete a filter
///
/// A filter that jobs use cannot be deleted: 409 `in_use` names the jobs.
#[utoipa::path(
    tag = "Filters",
    params(("id" = FilterId, Path, description = "The filter's id"), IfMatchHeader),
    responses((status = 204, description = "Deleted"), (status = 409, response = super::openapi::Conflict)),
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
                return Err(in_use("filter", &current.name, users));
            }
            record(tx, &app, &caller, Action::Delete, KIND, id.0).await?;
            filters::delete(tx, organization, id).await
        })
        .await?;
    Ok(Deleted)
}
