//! The attributes that can be imported.

use super::page::{Page, WholeListQuery};
use crate::directory::{self, ObjectType};
use crate::error::Result;
use actix_web::get;
use actix_web::web::{Json, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct AttributesQuery {
    /// Only attributes of this object type.
    #[param(inline)]
    pub object_type: Option<ObjectType>,
}

/// An attribute of an object type. Directory extensions (`extension_<32 hexadecimal digits>_<name>`) can be imported
/// too, and custom security attributes of users (`customSecurityAttributes_<set>_<attribute>`).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeResponse {
    /// The object type that it belongs to.
    pub object_type: ObjectType,
    /// The key that a job uses for it.
    pub key: String,
    /// Its default name in Assets; a job can change it.
    pub name: String,
    pub description: String,
    /// The type of the attribute in Assets.
    #[schema(example = "text")]
    pub assets_type: String,
    /// Whether an object can have several values.
    pub many: bool,
    /// `always`, `default` or `onRequest`.
    pub presence: String,
    /// The capability that it needs beyond that of its object type; null: none.
    #[schema(required = true)]
    pub capability: Option<String>,
}

/// List the attributes that can be imported
///
/// By object type, with the name and type of each attribute in Assets. A job selects attributes by `key`. The
/// response has the whole list unless `limit` is set.
#[utoipa::path(
    tag = "Jobs",
    params(AttributesQuery, WholeListQuery),
    responses((status = 200, description = "The attributes", body = Page<AttributeResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/attributes")]
pub async fn list_attributes(
    _: Caller,
    query: Query<AttributesQuery>,
    part: Query<WholeListQuery>,
) -> Result<Json<Page<AttributeResponse>>> {
    let types = ObjectType::ALL.into_iter().filter(|t| query.object_type.is_none_or(|wanted| wanted == *t));
    let items = types
        .flat_map(|object_type| directory::attributes::attributes(object_type).iter().map(move |a| (object_type, a)));
    let items = items.map(|(object_type, attribute)| AttributeResponse {
        object_type,
        key: attribute.key.to_string(),
        name: attribute.name.to_string(),
        description: attribute.description.to_string(),
        assets_type: attribute.value_type.as_str().to_owned(),
        many: attribute.is_many(),
        presence: match attribute.presence {
            directory::Presence::Always => "always",
            directory::Presence::Default => "default",
            directory::Presence::OnRequest => "onRequest",
        }
        .to_owned(),
        capability: attribute.capability().map(str::to_owned),
    });
    Ok(Json(part.into_inner().page(&format!("attributes/{:?}", query.object_type), items)?))
}
