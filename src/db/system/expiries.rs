//! Credentials that expire: their webhooks are told 30, 7 and 1 days before.

use crate::db::webhooks::{self, Announcement};
use crate::db::{Db, Transaction};
use crate::error::Result;
use crate::ids::{ConnectionId, OrganizationId};
use crate::webhook::WebhookEvent;
use crate::webhook::payload::{ExpiringConnection, Subject};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(QueryableByName)]
struct Expiring {
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    days: i32,
}

/// Tells webhooks of the credentials that expire within 30, 7 or 1 days, each time once. Returns how many.
pub async fn announce_expiries(db: &Db, now: DateTime<Utc>) -> Result<usize> {
    const DUE: &str = "
        UPDATE connections c SET expiry_announced = d.days
        FROM (SELECT organization_id, id, CASE
                WHEN credential_expires_at <= $1 + interval '1 day' THEN 1
                WHEN credential_expires_at <= $1 + interval '7 days' THEN 7
                ELSE 30 END AS days
            FROM connections WHERE credential_expires_at <= $1 + interval '30 days') d
        WHERE c.organization_id = d.organization_id AND c.id = d.id
            AND (c.expiry_announced IS NULL OR c.expiry_announced > d.days)
        RETURNING c.organization_id, c.id, c.name, c.credential_expires_at AS expires_at, d.days";
    db.system(async |tx| {
        let expiring: Vec<Expiring> = diesel::sql_query(DUE).bind::<Timestamptz, _>(now).load(tx).await?;
        for one in &expiring {
            announce(tx, one, now).await?;
        }
        Ok(expiring.len())
    })
    .await
}

async fn announce(tx: &mut Transaction, one: &Expiring, now: DateTime<Utc>) -> Result<()> {
    let event = WebhookEvent::CredentialExpiring;
    let announcement = Announcement {
        event: event.into(),
        subject: Subject::ExpiringConnection(ExpiringConnection {
            id: ConnectionId(one.id),
            name: one.name.clone(),
            credential_expires_at: one.expires_at,
            days: one.days,
        }),
        run: None,
    };
    webhooks::announce(tx, OrganizationId(one.organization_id), event, announcement, now).await
}
