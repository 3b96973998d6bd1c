//! The properties that a filter can use, for forms that build conditions.

use super::auth::Caller;
use super::page::{Page, WholeListQuery};
use crate::error::Result;
use crate::filter::EntityKind;
use crate::filter::form::{self, FilterProperty};
use actix_web::get;
use actix_web::web::{Json, Query};
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct FilterPropertiesQuery {
    /// Only properties of this kind of object.
    #[param(inline)]
    pub object_type: Option<EntityKind>,
}

/// List the properties that a filter can use
///
/// By kind of object and name, each with the operators that Graph supports on it, whether they need an advanced query, the
/// values that are known, a valid condition as an example, and the permission that it needs. Directory extensions
/// (`extension_<32 hexadecimal digits>_<name>`), schema extensions and custom security attributes can be used too; their
/// names are those of the tenant. The response has the whole list unless `limit` is set.
#[utoipa::path(
    tag = "Filters",
    params(FilterPropertiesQuery, WholeListQuery),
    responses((status = 200, description = "The properties", body = Page<FilterProperty>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/filter-properties")]
pub async fn list_filter_properties(
    _: Caller,
    query: Query<FilterPropertiesQuery>,
    part: Query<WholeListQuery>,
) -> Result<Json<Page<FilterProperty>>> {
    let kinds = EntityKind::ALL.into_iter().filter(|kind| query.object_type.is_none_or(|wanted| wanted == *kind));
    let list = format!("filter-properties/{:?}", query.object_type);
    Ok(Json(part.into_inner().page(&list, kinds.flat_map(form::properties))?))
}
