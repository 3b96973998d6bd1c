//! Idempotency keys: which request a key belongs to and what came of it. Written in the transaction of the
//! write itself, so both exist or neither does.

use super::Transaction;
use super::schema::idempotency_keys::{self, dsl};
use crate::error::Result;
use crate::ids::OrganizationId;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// How long a key is remembered.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// A request that may be repeated.
#[derive(Clone, Debug)]
pub struct Request {
    pub key: String,
    pub method: String,
    pub path: String,
    pub body_hash: Vec<u8>,
}

/// What is known of a request's key.
#[derive(PartialEq, Eq, Debug)]
pub enum Known {
    /// Nothing: carry it out, then [`insert`].
    Nothing,
    /// It was carried out: this is what came of it.
    Answer { status: u16, resource_id: Uuid },
    /// The key was used for another body.
    OtherBody,
    /// Another transaction carries it out right now.
    Running,
}

define_sql_function! {
    #[sql_name = "pg_try_advisory_xact_lock"]
    fn try_advisory_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}
define_sql_function! {
    #[sql_name = "hashtextextended"]
    fn hash_text(text: diesel::sql_types::Text, seed: diesel::sql_types::BigInt) -> diesel::sql_types::BigInt;
}

/// What is known of the key; takes it until the end of the transaction.
pub async fn begin(
    tx: &mut Transaction,
    organization: OrganizationId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Known> {
    let name = format!("idempotency {organization} {} {} {}", request.key, request.method, request.path);
    if !diesel::select(try_advisory_lock(hash_text(name, 0))).get_result::<bool>(tx).await? {
        return Ok(Known::Running);
    }
    let key = (organization.0, &request.key, &request.method, &request.path);
    let found: Option<(Vec<u8>, Option<i32>, Option<Uuid>)> = dsl::idempotency_keys
        .find(key)
        .filter(dsl::created_at.gt(now - KEPT))
        .select((dsl::body_hash, dsl::status, dsl::resource_id))
        .first(tx)
        .await
        .optional()?;
    Ok(match found {
        Some((hash, ..)) if hash != request.body_hash => Known::OtherBody,
        Some((_, Some(status), Some(resource_id))) => {
            Known::Answer { status: u16::try_from(status).unwrap_or(200), resource_id }
        }
        Some((_, _, _)) | None => Known::Nothing,
    })
}

/// Remembers what came of the request.
pub async fn insert(
    tx: &mut Transaction,
    organization: OrganizationId,
    request: &Request,
    status: u16,
    resource_id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
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
