//! What a filter would import according to Graph: a stored filter, or one that is not stored yet.

use super::auth::Caller;
use super::body::Body;
use super::filters::without_name;
use crate::app::App;
use crate::db::{filters, job_settings};
use crate::error::{Code, Error, Fault, Faults, Result};
use crate::filter::body::{ExcludeBody, RuleBody};
use crate::filter::kinds::{self, ByKind};
use crate::filter::{Filter, Limits, Outside, Scope};
use crate::filter_preview::{self, FilterPreview};
use crate::ids::{ConnectionId, FilterId, OrganizationId};
use crate::runs::context;
use actix_web::post;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The connection for the preview.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewStoredFilter {
    pub connection_id: ConnectionId,
}

/// A filter that need not be stored, and the connection for its preview.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "connectionId": "01900000-0000-7000-8000-000000000000",
    "users": {"odata": "accountEnabled eq true"},
    "groups": {"odata": "startswith(displayName,'team')"},
}))]
pub struct PreviewFilter {
    pub connection_id: ConnectionId,
    /// Ignored. It is allowed so that a body for creating a filter can be previewed as it is.
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    #[serde(flatten)]
    #[schema(schema_with = kinds::requested::<RuleBody>)]
    pub rules: ByKind<Option<RuleBody>>,
    pub scope: Option<Scope>,
    pub outside: Option<Outside>,
    pub exclude: Option<ExcludeBody>,
    pub limits: Option<Limits>,
}

/// What the document cannot say of the filter.
pub(super) fn check(body: &Value, faults: &mut Faults) {
    Filter::collect(&filter_of(body.clone()), "", faults);
}

fn filter_of(mut body: Value) -> Value {
    without_name(&mut body);
    if let Value::Object(fields) = &mut body {
        fields.remove("connectionId");
    }
    body
}

async fn look(app: &App, organization: OrganizationId, id: ConnectionId, filter: &Filter) -> Result<FilterPreview> {
    let found = app.db.scoped(organization, async move |tx| job_settings::connection(tx, organization, id).await).await;
    let connection = found.map_err(|error| match error.code {
        Code::NotFound => Error::validation(vec![Fault::new("/connectionId", "unknown_reference", error.detail)]),
        _ => error,
    })?;
    let identity = context::identity(&app.keys, organization, &connection)?;
    filter_preview::preview(app, &identity, filter).await
}

/// Preview a filter
///
/// Asks Graph what a filter would import, without storing it: counts, ten objects of each type, the cost of a full
/// run, and warnings. The response takes at most 20 seconds; `partial` means that a part could not be read.
#[utoipa::path(
    tag = "Filters",
    request_body = PreviewFilter,
    responses(
        (status = 200, description = "What the filter would import", body = FilterPreview),
        (status = 502, response = super::openapi::BadGateway),
        (status = 504, response = super::openapi::GatewayTimeout)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/filters/preview")]
pub async fn preview_filter(app: Data<App>, caller: Caller, body: Body<PreviewFilter>) -> Result<Json<FilterPreview>> {
    let rule = filter_of(serde_json::to_value(&body.0).map_err(Error::internal)?);
    Ok(Json(look(&app, caller.organization, body.0.connection_id, &Filter::from_json(&rule)?).await?))
}

/// Preview a stored filter
///
/// Asks Graph through a connection what the filter would import: counts, ten objects of each type, the cost of a full
/// run, and warnings. The response takes at most 20 seconds; `partial` means that a part could not be read.
#[utoipa::path(
    tag = "Filters",
    params(("id" = FilterId, Path, description = "The filter's id")),
    request_body = PreviewStoredFilter,
    responses(
        (status = 200, description = "What the filter would import", body = FilterPreview),
        (status = 502, response = super::openapi::BadGateway),
        (status = 504, response = super::openapi::GatewayTimeout)
    ),
    security(("bearer" = ["run"]))
)]
#[post("/v1/filters/{id}/preview")]
pub async fn preview_stored_filter(
    app: Data<App>,
    caller: Caller,
    id: Path<FilterId>,
    body: Body<PreviewStoredFilter>,
) -> Result<Json<FilterPreview>> {
    let (organization, id) = (caller.organization, *id);
    let row = app.db.scoped(organization, async |tx| filters::find(tx, organization, id).await).await?;
    let row = row.ok_or_else(|| Error::not_found("filter", id))?;
    Ok(Json(look(&app, organization, body.0.connection_id, &Filter::from_json(&row.rule)?).await?))
}
