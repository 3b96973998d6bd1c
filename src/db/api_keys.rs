//! API keys. Only the hash of a key's secret part is stored.

use super::crud::crud;
use super::schema::api_keys;
use crate::api_key::Scope;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyRow {
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of a key that its creator sets, and its hash.
#[derive(Insertable, AsChangeset, Clone)]
#[diesel(table_name = api_keys)]
pub struct NewApiKeyRow {
    pub name: String,
    pub scopes: Vec<Scope>,
    pub secret_hash: Vec<u8>,
    pub expires_at: Option<DateTime<Utc>>,
}

crud!(api_keys, ApiKeyRow, NewApiKeyRow, ApiKeyId);
