//! Tickets: each lets a bearer without a key make one request. Only the hash is stored; `system::take_ticket`
//! redeems one.

use super::Transaction;
use super::schema::tickets;
use crate::error::Result;
use crate::ids::{ApiKeyId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// Stores a ticket for one request of `path`, the query included. `api_key` and `token_ends_at`: what it ends with; neither
/// for the admin key.
pub async fn insert(
    tx: &mut Transaction,
    organization: OrganizationId,
    hash: &[u8],
    path: &str,
    (api_key, token_ends_at): (Option<ApiKeyId>, Option<DateTime<Utc>>),
    expires_at: DateTime<Utc>,
) -> Result<()> {
    let row = (
        tickets::organization_id.eq(organization.0),
        tickets::hash.eq(hash),
        tickets::path.eq(path),
        tickets::expires_at.eq(expires_at),
        tickets::api_key_id.eq(api_key.map(|id| id.0)),
        tickets::token_ends_at.eq(token_ends_at),
    );
    diesel::insert_into(tickets::table).values(row).execute(tx).await?;
    Ok(())
}
