//! The deliveries of webhooks: sent, pending or given up.

use super::audit_events::{record, record_with};
use super::auth::Caller;
use super::page::{Page, PageQuery, TimeSortQuery};
use super::webhooks::{KIND, unknown};
use crate::app::App;
use crate::audit::Action;
use crate::db::webhook_deliveries::{self, DeliveryRow, Which, WholeDelivery};
use crate::db::webhooks;
use crate::error::{Error, Result};
use crate::ids::{RunId, WebhookId};
use crate::webhook::DeliveryState;
use actix_web::http::header;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// A delivery of an event to a webhook, in short. `GET /v1/webhooks/{id}/deliveries/{deliveryId}` has its body.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeliveryItem {
    pub id: Uuid,
    pub webhook_id: WebhookId,
    /// What it announces: the state of a run, another event such as `credential.expiring`, or `test`.
    #[schema(example = "failed")]
    pub event: String,
    /// The run that it is about; null if it is about something else.
    #[schema(required = true)]
    pub run_id: Option<RunId>,
    pub state: DeliveryState,
    /// How many attempts have begun.
    pub attempts: i32,
    /// The time of the next attempt; null unless the delivery is pending.
    #[schema(required = true)]
    pub next_attempt_at: Option<DateTime<Utc>>,
    #[schema(required = true)]
    pub delivered_at: Option<DateTime<Utc>>,
    #[schema(required = true)]
    pub failed_at: Option<DateTime<Utc>>,
    /// The last status of the receiver's response.
    #[schema(required = true)]
    pub last_status: Option<i32>,
    /// Why the last attempt failed.
    #[schema(required = true)]
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl From<DeliveryRow> for WebhookDeliveryItem {
    fn from(row: DeliveryRow) -> Self {
        let state = row.state();
        Self {
            id: row.id,
            webhook_id: WebhookId(row.webhook_id),
            event: row.event.to_string(),
            run_id: row.run_id.map(RunId),
            state,
            attempts: row.attempt,
            next_attempt_at: Some(row.run_after).filter(|_| state == DeliveryState::Pending),
            delivered_at: row.delivered_at,
            failed_at: row.failed_at,
            last_status: row.last_status,
            last_error: row.last_error,
            created_at: row.created_at,
        }
    }
}

/// A delivery of an event to a webhook.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeliveryResponse {
    pub id: Uuid,
    pub webhook_id: WebhookId,
    /// What it announces: the state of a run, another event such as `credential.expiring`, or `test`.
    #[schema(example = "failed")]
    pub event: String,
    /// The run that it is about; null if it is about something else.
    #[schema(required = true)]
    pub run_id: Option<RunId>,
    pub state: DeliveryState,
    /// How many attempts have begun.
    pub attempts: i32,
    /// The time of the next attempt; null unless the delivery is pending.
    #[schema(required = true)]
    pub next_attempt_at: Option<DateTime<Utc>>,
    #[schema(required = true)]
    pub delivered_at: Option<DateTime<Utc>>,
    #[schema(required = true)]
    pub failed_at: Option<DateTime<Utc>>,
    /// The last status of the receiver's response.
    #[schema(required = true)]
    pub last_status: Option<i32>,
    /// Why the last attempt failed.
    #[schema(required = true)]
    pub last_error: Option<String>,
    /// The body that is sent.
    #[schema(value_type = Object)]
    pub body: Value,
    pub created_at: DateTime<Utc>,
}

impl From<WholeDelivery> for WebhookDeliveryResponse {
    fn from(row: WholeDelivery) -> Self {
        let item = WebhookDeliveryItem::from(row.delivery);
        Self {
            id: item.id,
            webhook_id: item.webhook_id,
            event: item.event,
            run_id: item.run_id,
            state: item.state,
            attempts: item.attempts,
            next_attempt_at: item.next_attempt_at,
            delivered_at: item.delivered_at,
            failed_at: item.failed_at,
            last_status: item.last_status,
            last_error: item.last_error,
            body: row.body,
            created_at: item.created_at,
        }
    }
}

fn unknown_delivery(id: Uuid) -> Error {
    Error::not_found("delivery", id)
}

/// Answers that a delivery was queued.
fn queued(row: WholeDelivery) -> HttpResponse {
    let delivery = WebhookDeliveryResponse::from(row);
    let location = format!("/v1/webhooks/{}/deliveries/{}", delivery.webhook_id, delivery.id);
    HttpResponse::Accepted().insert_header((header::LOCATION, location)).json(delivery)
}

/// List the deliveries of a webhook
///
/// Newest first, in short.
#[utoipa::path(
    tag = "Administration",
    params(("id" = WebhookId, Path, description = "The webhook's id"), Which, TimeSortQuery, PageQuery),
    responses((status = 200, description = "A page of deliveries", body = Page<WebhookDeliveryItem>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/webhooks/{id}/deliveries")]
pub async fn list_webhook_deliveries(
    app: Data<App>,
    caller: Caller,
    id: Path<WebhookId>,
    which: Query<Which>,
    sort: Query<TimeSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<WebhookDeliveryItem>>> {
    let (organization, id) = (caller.organization, *id);
    let which = Which { webhook: Some(id), ..which.into_inner() };
    let window = query.sorted("webhook-deliveries", &which, sort.order())?;
    let rows = app
        .db
        .scoped(organization, async |tx| {
            webhooks::find(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            webhook_deliveries::list(tx, organization, &which, &window.part()).await
        })
        .await?;
    Ok(Json(window.page(rows, |row| row.id, WebhookDeliveryItem::from)))
}

/// Get a delivery
///
/// With the body that is sent.
#[utoipa::path(
    tag = "Administration",
    params(
        ("id" = WebhookId, Path, description = "The webhook's id"),
        ("deliveryId" = Uuid, Path, description = "The delivery's id")
    ),
    responses((status = 200, description = "The delivery", body = WebhookDeliveryResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/webhooks/{id}/deliveries/{deliveryId}")]
pub async fn get_webhook_delivery(
    app: Data<App>,
    caller: Caller,
    path: Path<(WebhookId, Uuid)>,
) -> Result<Json<WebhookDeliveryResponse>> {
    let (organization, (id, delivery)) = (caller.organization, *path);
    let row =
        app.db.scoped(organization, async |tx| webhook_deliveries::find(tx, organization, id, delivery).await).await?;
    Ok(Json(row.ok_or_else(|| unknown_delivery(delivery))?.into()))
}

/// Test a webhook
///
/// Queues a delivery with the event `test`, which a worker sends at once. `GET` of its `Location` shows its result.
#[utoipa::path(
    tag = "Administration",
    params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 202, description = "The delivery, queued", body = WebhookDeliveryResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/webhooks/{id}/test")]
pub async fn test_webhook(app: Data<App>, caller: Caller, id: Path<WebhookId>) -> Result<HttpResponse> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            webhooks::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            record(tx, &app, &caller, Action::Test, KIND, id.0).await?;
            webhooks::enqueue_test(tx, organization, id, app.clock.now()).await
        })
        .await?;
    Ok(queued(row))
}

/// Resend a delivery
///
/// Whatever became of it. It keeps its id and its body, so that a receiver can tell that it had it already. Its attempts
/// are counted again, from the start, and a worker sends it at once.
#[utoipa::path(
    tag = "Administration",
    params(
        ("id" = WebhookId, Path, description = "The webhook's id"),
        ("deliveryId" = Uuid, Path, description = "The delivery's id")
    ),
    responses((status = 202, description = "The delivery, queued", body = WebhookDeliveryResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/webhooks/{id}/deliveries/{deliveryId}/resend")]
pub async fn resend_webhook_delivery(
    app: Data<App>,
    caller: Caller,
    path: Path<(WebhookId, Uuid)>,
) -> Result<HttpResponse> {
    let (organization, (id, delivery)) = (caller.organization, *path);
    let row = app
        .db
        .scoped(organization, async |tx| {
            webhooks::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            let row = webhooks::resend(tx, organization, id, delivery, app.clock.now()).await?;
            let row = row.ok_or_else(|| unknown_delivery(delivery))?;
            record_with(tx, &app, &caller, (Action::Resend, KIND, id.0), json!({"delivery": delivery})).await?;
            Ok(row)
        })
        .await?;
    Ok(queued(row))
}
