//! The audit log: every write leaves an event.

use super::auth::Caller;
use super::page::{Page, PageQuery, TimeSortQuery};
use crate::app::App;
use crate::db::Transaction;
use crate::db::audit_events::{self, AuditEventRow, Which};
use crate::error::Result;
use crate::ids;
use actix_web::get;
use actix_web::web::{Data, Json, Query};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AuditEventResponse {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    /// Who acted: `adminKey`, `apiKey:<id>`, `jwt:<issuer>:<subject>`, or a part of the service, such as `schedule`.
    pub actor: String,
    #[schema(example = "create")]
    pub action: String,
    /// The collection of the changed resource in the API.
    #[schema(example = "filters")]
    pub resource_kind: String,
    #[schema(required = true)]
    pub resource_id: Option<Uuid>,
    /// Details of the action; never a secret.
    #[schema(value_type = Object)]
    pub detail: Value,
}

impl From<AuditEventRow> for AuditEventResponse {
    fn from(row: AuditEventRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor,
            action: row.action,
            resource_kind: row.resource_kind,
            resource_id: row.resource_id,
            detail: row.detail,
        }
    }
}

/// Records an action of `caller`, in the transaction of the action.
pub(super) async fn record(
    tx: &mut Transaction,
    app: &App,
    caller: &Caller,
    action: &str,
    kind: &str,
    id: Uuid,
) -> Result<()> {
    record_with(tx, app, caller, (action, kind, id), json!({})).await
}

/// As [`record`], with details. `detail` must hold no secret.
pub(super) async fn record_with(
    tx: &mut Transaction,
    app: &App,
    caller: &Caller,
    (action, kind, id): (&str, &str, Uuid),
    detail: Value,
) -> Result<()> {
    audit_events::insert(tx, &AuditEventRow { detail, ..event(app, caller, (action, kind, id)) }).await
}

/// The event that [`record`] stores.
pub(super) fn event(app: &App, caller: &Caller, (action, kind, id): (&str, &str, Uuid)) -> AuditEventRow {
    AuditEventRow {
        organization_id: caller.organization.0,
        id: ids::new_v7(&app.clock),
        at: app.clock.now(),
        actor: caller.actor.clone(),
        action: action.to_owned(),
        resource_kind: kind.to_owned(),
        resource_id: Some(id),
        detail: json!({}),
    }
}

/// List audit events
///
/// Who did what, newest first, unless `sort` says otherwise.
#[utoipa::path(
    tag = "Administration",
    params(Which, TimeSortQuery, PageQuery),
    responses((status = 200, description = "A page of events", body = Page<AuditEventResponse>)),
    security(("bearer" = ["admin"]))
)]
#[get("/v1/audit-events")]
pub async fn list_audit_events(
    app: Data<App>,
    caller: Caller,
    which: Query<Which>,
    sort: Query<TimeSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<AuditEventResponse>>> {
    let window = query.sorted("audit-events", &which, sort.order())?;
    let organization = caller.organization;
    let rows = app
        .db
        .scoped(organization, async |tx| audit_events::list(tx, organization, &which, &window.part()).await)
        .await?;
    Ok(Json(window.page(rows, |row| row.id, AuditEventResponse::from)))
}
