//! Idempotency keys: the request that a key belongs to, and its result. A key is stored in the transaction that carries
//! the request out, so that either both are stored or neither is.

use super::Transaction;
use super::schema::idempotency_keys::{self, dsl};
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// How long a key is remembered.
const REMEMBERED_FOR: TimeDelta = TimeDelta::hours(24);

/// A request with an idempotency key.
#[derive(Clone, Debug)]
pub struct Request {
    pub key: String,
    pub method: String,
    pub path: String,
    pub body_hash: Vec<u8>,
}

define_sql_function! {
    #[sql_name = "pg_try_advisory_xact_lock"]
    fn try_advisory_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}
define_sql_function! {
    #[sql_name = "hashtextextended"]
    fn hash_text(text: diesel::sql_types::Text, seed: diesel::sql_types::BigInt) -> diesel::sql_types::BigInt;
}

/// The id of what the first request with this key created. `None`: this is the first request, or it has no key; the
/// caller carries it out and calls [`insert`]. The key stays locked until the transaction ends.
pub async fn replay(
    tx: &mut Transaction,
    organization: OrganizationId,
    request: Option<&Request>,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    let Some(request) = request else { return Ok(None) };
    let name = format!("idempotency {organization} {} {} {}", request.key, request.method, request.path);
    if !diesel::select(try_advisory_lock(hash_text(name, 0))).get_result::<bool>(tx).await? {
        return Err(Error::new(
            Code::IdempotencyKeyInProgress,
            "The first request with this idempotency key is still running. Repeat the request in a moment.",
        ));
    }
    let key = (organization.0, &request.key, &request.method, &request.path);
    let found: Option<(Vec<u8>, Option<Uuid>)> = dsl::idempotency_keys
        .find(key)
        .filter(dsl::created_at.gt(now - REMEMBERED_FOR))
        .select((dsl::body_hash, dsl::resource_id))
        .first(tx)
        .await
        .optional()?;
    match found {
        Some((hash, _)) if hash != request.body_hash => Err(Error::new(
            Code::IdempotencyKeyReused,
            "This idempotency key was used with another body. Use a new key for a new request.",
        )),
        Some((_, resource_id)) => Ok(resource_id),
        None => Ok(None),
    }
}

/// Stores what the request created, if it has a key.
pub async fn insert(
    tx: &mut Transaction,
    organization: OrganizationId,
    request: Option<&Request>,
    status: u16,
    resource_id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(request) = request else { return Ok(()) };
    let values = (
        dsl::organization_id.eq(organization.0),
        dsl::key.eq(&request.key),
        dsl::method.eq(&request.method),
        dsl::path.eq(&request.path),
        dsl::body_hash.eq(&request.body_hash),
        dsl::status.eq(i32::from(status)),
        dsl::resource_id.eq(resource_id),
        dsl::created_at.eq(now),
    );
    diesel::insert_into(idempotency_keys::table)
        .values(values)
        .on_conflict((dsl::organization_id, dsl::key, dsl::method, dsl::path))
        .do_update()
        .set((
            dsl::body_hash.eq(&request.body_hash),
            dsl::status.eq(i32::from(status)),
            dsl::resource_id.eq(resource_id),
            dsl::created_at.eq(now),
        ))
        .execute(tx)
        .await?;
    Ok(())
}
