//! Webhooks and the outbox of their deliveries. A delivery is stored in the transaction of the event that it announces,
//! and claimed like a run: by a lease that fences every later write.

mod of_run;

pub(super) use of_run::announce_run;

use super::crud::crud;
use super::list::{Condition, containing, is, list};
use super::listen::{WEBHOOKS, notify};
use super::schema::{webhook_deliveries, webhooks};
use super::webhook_deliveries::WholeDelivery;
use super::{Db, Transaction};
use crate::error::Result;
use crate::ids::{self, JobId, LeaseToken, OrganizationId, RunId, WebhookId};
use crate::webhook::payload::Subject;
use crate::webhook::{DeliveryEvent, WebhookEvent};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone)]
#[diesel(table_name = webhooks)]
pub struct WebhookRow {
    pub id: Uuid,
    pub name: String,
    pub url: String,
    pub events: Vec<WebhookEvent>,
    /// The jobs that it is told of; `None`: all of them.
    pub job_ids: Option<Vec<Uuid>>,
    pub secret_sealed: Option<Vec<u8>>,
    /// The secret before, which signs too until `previous_secret_until`.
    pub previous_secret_sealed: Option<Vec<u8>>,
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub enabled: bool,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of a webhook that a caller sets.
#[derive(Insertable, AsChangeset, Clone)]
#[diesel(table_name = webhooks, treat_none_as_null = true)]
pub struct NewWebhookRow {
    pub name: String,
    pub url: String,
    pub events: Vec<WebhookEvent>,
    /// The jobs that it is told of; `None`: all of them.
    pub job_ids: Option<Vec<Uuid>>,
    pub secret_sealed: Option<Vec<u8>>,
    pub previous_secret_sealed: Option<Vec<u8>>,
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub enabled: bool,
}

crud!(webhooks, WebhookRow, NewWebhookRow, WebhookId);
list!(webhooks, WebhookRow, by name or time);

/// Which webhooks to list. Conditions combine: a webhook fulfils all of them.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only webhooks that are on, or only those that are off.
    pub enabled: Option<bool>,
    /// Only webhooks that are told of this event.
    #[param(inline)]
    pub event: Option<WebhookEvent>,
    /// Only webhooks whose name contains this text, whatever the case.
    #[param(min_length = 1, max_length = 200)]
    pub search: Option<String>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<webhooks::table>> {
        let found = [
            self.enabled.map(|enabled| is(webhooks::enabled.eq(enabled))),
            self.event.map(|event| is(webhooks::events.contains(vec![event]))),
            self.search.as_deref().map(|text| is(webhooks::name.ilike(containing(text)))),
        ];
        found.into_iter().flatten().collect()
    }
}

/// What a webhook is told.
pub struct Announcement {
    pub event: DeliveryEvent,
    /// What it is about.
    pub subject: Subject,
    /// The run that it is about.
    pub run: Option<RunId>,
}

/// Announces something to the webhooks of the event.
pub async fn announce(
    tx: &mut Transaction,
    organization: OrganizationId,
    event: WebhookEvent,
    announcement: Announcement,
    now: DateTime<Utc>,
) -> Result<()> {
    let listeners: Vec<Uuid> = listening(organization, announcement.subject.job())
        .filter(webhooks::events.contains(vec![event]))
        .select(webhooks::id)
        .load(tx)
        .await?;
    if listeners.is_empty() {
        return Ok(());
    }
    for webhook in listeners {
        queue(tx, organization, WebhookId(webhook), &announcement, now).await?;
    }
    notify(tx, WEBHOOKS, "").await
}

/// The events that enabled webhooks are told of; with `job`, only those that are told of this job.
pub(super) async fn listened(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: Option<JobId>,
) -> Result<HashSet<WebhookEvent>> {
    let lists: Vec<Vec<WebhookEvent>> = listening(organization, job).select(webhooks::events).load(tx).await?;
    Ok(lists.into_iter().flatten().collect())
}

/// The enabled webhooks; with `job`, those that are told of this job.
fn listening(organization: OrganizationId, job: Option<JobId>) -> webhooks::BoxedQuery<'static, Pg> {
    let enabled =
        webhooks::table.filter(webhooks::organization_id.eq(organization.0)).filter(webhooks::enabled.eq(true));
    match job {
        None => enabled.into_boxed(),
        Some(job) => {
            let is_chosen = webhooks::job_ids.assume_not_null().contains(vec![job.0]);
            enabled.filter(webhooks::job_ids.is_null().or(is_chosen)).into_boxed()
        }
    }
}

/// Queues a delivery that only tests the webhook.
pub async fn enqueue_test(
    tx: &mut Transaction,
    organization: OrganizationId,
    webhook: WebhookId,
    now: DateTime<Utc>,
) -> Result<WholeDelivery> {
    let test = Announcement { event: DeliveryEvent::Test, subject: Subject::Nothing, run: None };
    let delivery = queue(tx, organization, webhook, &test, now).await?;
    notify(tx, WEBHOOKS, "").await?;
    Ok(delivery)
}

/// Queues a delivery. Its body has the fields of Standard Webhooks (`type`, `timestamp`, `data`) beside those of before.
async fn queue(
    tx: &mut Transaction,
    organization: OrganizationId,
    webhook: WebhookId,
    announcement: &Announcement,
    now: DateTime<Utc>,
) -> Result<WholeDelivery> {
    let (id, event) = (ids::new_v7_at(now), announcement.event);
    let mut body = json!({
        "id": id, "type": event.kind(), "event": event, "createdAt": now, "timestamp": now,
        "organizationId": organization, "text": announcement.subject.text(now), "data": {},
    });
    if let (Some((field, _)), Some(value)) = (event.subject(), announcement.subject.value()?) {
        body["data"] = json!({field: &value});
        body[field] = value;
    }
    let row = (
        webhook_deliveries::organization_id.eq(organization.0),
        webhook_deliveries::id.eq(id),
        webhook_deliveries::webhook_id.eq(webhook.0),
        webhook_deliveries::event.eq(event),
        webhook_deliveries::run_id.eq(announcement.run.map(|run| run.0)),
        webhook_deliveries::body.eq(body),
        webhook_deliveries::run_after.eq(now),
        webhook_deliveries::created_at.eq(now),
    );
    let insert = diesel::insert_into(webhook_deliveries::table).values(row);
    Ok(insert.returning(WholeDelivery::as_returning()).get_result(tx).await?)
}

/// Makes a delivery due now, whatever became of it before. It keeps its id, so that its receiver can tell that it had it.
/// `None`: there is no such delivery of the webhook.
pub async fn resend(
    tx: &mut Transaction,
    organization: OrganizationId,
    webhook: WebhookId,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<WholeDelivery>> {
    let of_webhook =
        webhook_deliveries::table.find((organization.0, id)).filter(webhook_deliveries::webhook_id.eq(webhook.0));
    let resent: Option<WholeDelivery> = diesel::update(of_webhook)
        .set((
            webhook_deliveries::attempt.eq(0),
            webhook_deliveries::run_after.eq(now),
            webhook_deliveries::lease_token.eq(None::<Uuid>),
            webhook_deliveries::delivered_at.eq(None::<DateTime<Utc>>),
            webhook_deliveries::failed_at.eq(None::<DateTime<Utc>>),
        ))
        .returning(WholeDelivery::as_returning())
        .get_result(tx)
        .await
        .optional()?;
    notify(tx, WEBHOOKS, "").await?;
    Ok(resent)
}

/// A delivery that this process has claimed to send.
#[derive(QueryableByName, Clone, Debug)]
#[diesel(table_name = webhook_deliveries)]
pub struct Claimed {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub event: DeliveryEvent,
    pub body: Value,
    /// The attempts so far, including this one.
    pub attempt: i32,
    pub lease_token: Option<Uuid>,
}

/// How many deliveries of one organization, and of one webhook, are sent at the same time by all processes together.
/// Otherwise one with a slow receiver would keep all others waiting.
const MAX_OF_AN_ORGANIZATION: i64 = 4;
const MAX_OF_A_WEBHOOK: i64 = 2;
/// Deliveries that are tried in one claim. Later ones get their turn only if others claim all of these at this very moment.
const MAX_TRIED: i64 = 256;

/// Claims up to `most` deliveries that are due, or whose sender died. Across organizations, which take turns, and within
/// each its webhooks.
pub async fn claim(
    db: &Db,
    token: LeaseToken,
    most: i64,
    lease_for: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>> {
    // A delivery that is being sent has a lease that has not run out. One look into an index for each webhook that has
    // deliveries to send, however many these are. The conditions are repeated where the rows are locked, because another
    // process may have claimed them in between; there in a form that the index of what waits does not have, so that the
    // rows are found by their keys.
    const CLAIM: &str = "
        WITH RECURSIVE waiting AS (
            (SELECT organization_id, webhook_id FROM webhook_deliveries
                WHERE delivered_at IS NULL AND failed_at IS NULL ORDER BY organization_id, webhook_id LIMIT 1)
            UNION ALL
            SELECT later.organization_id, later.webhook_id FROM waiting CROSS JOIN LATERAL (
                SELECT organization_id, webhook_id FROM webhook_deliveries
                WHERE delivered_at IS NULL AND failed_at IS NULL
                    AND (organization_id, webhook_id) > (waiting.organization_id, waiting.webhook_id)
                ORDER BY organization_id, webhook_id LIMIT 1) later
        ), sending AS MATERIALIZED (
            SELECT waiting.organization_id, waiting.webhook_id, held.number,
                sum(held.number) OVER (PARTITION BY waiting.organization_id) AS of_organization
            FROM waiting CROSS JOIN LATERAL (
                SELECT count(*) AS number FROM webhook_deliveries
                WHERE organization_id = waiting.organization_id AND webhook_id = waiting.webhook_id
                    AND delivered_at IS NULL AND failed_at IS NULL AND lease_token IS NOT NULL
                    AND run_after > $3 AND run_after <= $2) held
        ), of_webhooks AS (
            SELECT sending.organization_id, sending.of_organization, next.id, next.run_after,
                next.place + sending.number AS place
            FROM sending CROSS JOIN LATERAL (
                SELECT id, run_after, row_number() OVER (ORDER BY run_after, id) AS place FROM webhook_deliveries
                WHERE organization_id = sending.organization_id AND webhook_id = sending.webhook_id
                    AND delivered_at IS NULL AND failed_at IS NULL AND run_after <= $3
                ORDER BY run_after, id LIMIT $5) next
        ), of_organizations AS (
            SELECT organization_id, id, run_after, of_organization
                + row_number() OVER (PARTITION BY organization_id ORDER BY place, run_after, id) AS turn
            FROM of_webhooks WHERE place <= $5
        ), next AS MATERIALIZED (
            SELECT organization_id, id, turn, run_after FROM of_organizations
            WHERE turn <= $6 ORDER BY turn, run_after LIMIT $7
        )
        UPDATE webhook_deliveries SET attempt = attempt + 1, lease_token = $1, run_after = $2
        WHERE (organization_id, id) IN (
            SELECT due.organization_id, due.id FROM webhook_deliveries due
            JOIN next ON next.organization_id = due.organization_id AND next.id = due.id
            WHERE coalesce(due.delivered_at, due.failed_at) IS NULL AND due.run_after <= $3
            ORDER BY next.turn, next.run_after LIMIT $4 FOR UPDATE OF due SKIP LOCKED)
        RETURNING organization_id, id, webhook_id, event, body, attempt, lease_token";
    db.system(async |tx| {
        Ok(diesel::sql_query(CLAIM)
            .bind::<SqlUuid, _>(token.0)
            .bind::<Timestamptz, _>(now + lease_for)
            .bind::<Timestamptz, _>(now)
            .bind::<BigInt, _>(most)
            .bind::<BigInt, _>(MAX_OF_A_WEBHOOK)
            .bind::<BigInt, _>(MAX_OF_AN_ORGANIZATION)
            .bind::<BigInt, _>(MAX_TRIED)
            .load(tx)
            .await?)
    })
    .await
}

/// The result of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    Delivered {
        status: u16,
    },
    Failed {
        status: Option<u16>,
        error: String,
        /// `None`: the delivery is given up.
        again_at: Option<DateTime<Utc>>,
    },
}

/// Stores the result of an attempt, unless another process has claimed the delivery.
pub async fn settle(tx: &mut Transaction, claimed: &Claimed, attempt: &Attempt, now: DateTime<Utc>) -> Result<()> {
    let held = webhook_deliveries::table
        .find((claimed.organization_id, claimed.id))
        .filter(webhook_deliveries::lease_token.eq(claimed.lease_token));
    let free = webhook_deliveries::lease_token.eq(None::<Uuid>);
    let status = |status: u16| webhook_deliveries::last_status.eq(Some(i32::from(status)));
    match attempt {
        Attempt::Delivered { status: answered } => {
            let delivered = webhook_deliveries::delivered_at.eq(now);
            let no_error = webhook_deliveries::last_error.eq(None::<String>);
            diesel::update(held).set((free, delivered, no_error, status(*answered))).execute(tx).await?;
        }
        Attempt::Failed { status, error, again_at } => {
            let failed = webhook_deliveries::failed_at.eq(again_at.is_none().then_some(now));
            let again = webhook_deliveries::run_after.eq(again_at.unwrap_or(now));
            let status = webhook_deliveries::last_status.eq(status.map(i32::from));
            let error = webhook_deliveries::last_error.eq(error);
            diesel::update(held).set((free, failed, again, status, error)).execute(tx).await?;
        }
    }
    Ok(())
}
