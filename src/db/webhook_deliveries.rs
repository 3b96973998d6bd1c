//! The deliveries of webhooks, as the API shows them.

use super::Transaction;
use super::list::{Condition, is, list};
use super::schema::webhook_deliveries;
use crate::error::Result;
use crate::ids::{OrganizationId, WebhookId};
use crate::webhook::{DeliveryEvent, DeliveryState};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

/// A delivery of an event to a webhook, without its body.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = webhook_deliveries)]
pub struct DeliveryRow {
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub event: DeliveryEvent,
    pub run_id: Option<Uuid>,
    pub attempt: i32,
    pub run_after: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
    pub last_status: Option<i32>,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl DeliveryRow {
    pub fn state(&self) -> DeliveryState {
        match (self.delivered_at, self.failed_at) {
            (Some(_), _) => DeliveryState::Delivered,
            (None, Some(_)) => DeliveryState::Failed,
            (None, None) => DeliveryState::Pending,
        }
    }
}

/// A delivery with the body that is sent.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = webhook_deliveries)]
pub struct WholeDelivery {
    #[diesel(embed)]
    pub delivery: DeliveryRow,
    pub body: Value,
}

/// A delivery of a webhook.
pub async fn find(
    tx: &mut Transaction,
    organization: OrganizationId,
    webhook: WebhookId,
    id: Uuid,
) -> Result<Option<WholeDelivery>> {
    let of_webhook =
        webhook_deliveries::table.find((organization.0, id)).filter(webhook_deliveries::webhook_id.eq(webhook.0));
    Ok(of_webhook.select(WholeDelivery::as_select()).first(tx).await.optional()?)
}

/// Which deliveries to list. Conditions combine: a delivery fulfils all of them.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only deliveries in this state.
    #[param(inline)]
    pub state: Option<DeliveryState>,
    /// Only deliveries of this event.
    #[param(inline)]
    pub event: Option<DeliveryEvent>,
    #[serde(skip)]
    #[param(ignore)]
    pub webhook: Option<WebhookId>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<webhook_deliveries::table>> {
        let (delivered, failed) = (webhook_deliveries::delivered_at, webhook_deliveries::failed_at);
        let found = [
            self.webhook.map(|webhook| is(webhook_deliveries::webhook_id.eq(webhook.0))),
            self.event.map(|event| is(webhook_deliveries::event.eq(event))),
            self.state.map(|state| match state {
                DeliveryState::Delivered => is(delivered.is_not_null()),
                DeliveryState::Failed => is(delivered.is_null().and(failed.is_not_null())),
                DeliveryState::Pending => is(delivered.is_null().and(failed.is_null())),
            }),
        ];
        found.into_iter().flatten().collect()
    }
}

list!(webhook_deliveries, DeliveryRow, by time);
