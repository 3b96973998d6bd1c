//! The few queries that work across organizations. Each is named here, and nothing else may.

use super::Db;
use super::schema::api_keys;
use crate::error::Result;
use crate::ids::{ApiKeyId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// What authentication needs of an API key.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<String>,
    /// SHA-256 of the secret part.
    pub secret_hash: Vec<u8>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The key that a caller presents, before its organization is known.
pub async fn find_api_key(db: &Db, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    db.system(async |tx| {
        let key = api_keys::table.filter(api_keys::id.eq(id.0)).select(ApiKeyRow::as_select()).first(tx).await;
        Ok(key.optional()?)
    })
    .await
}

/// Notes that a key was used. Callers do so at most once a minute per key.
pub async fn touch_api_key(db: &Db, organization: OrganizationId, id: ApiKeyId, at: DateTime<Utc>) -> Result<()> {
    db.system(async |tx| {
        diesel::update(api_keys::table.find((organization.0, id.0)))
            .set(api_keys::last_used_at.eq(at))
            .execute(tx)
            .await?;
        Ok(())
    })
    .await
}
