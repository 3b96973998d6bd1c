//! API keys. Only the hash of a key's secret part is stored.

use super::Transaction;
use super::crud::crud;
use super::list::{Condition, containing, is, list};
use super::schema::api_keys;
use crate::api_key::Scope;
use crate::error::Result;
use crate::ids::OrganizationId;
use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use utoipa::IntoParams;
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
list!(api_keys, ApiKeyRow, by name or time);

/// Whether an organization has a key, of whatever use it still is.
pub async fn has_any(tx: &mut Transaction, organization: OrganizationId) -> Result<bool> {
    let own = api_keys::table.filter(api_keys::organization_id.eq(organization.0));
    Ok(diesel::select(exists(own)).get_result(tx).await?)
}

/// Which keys to list.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only keys whose name contains this text, whatever the case.
    #[param(min_length = 1, max_length = 200)]
    pub search: Option<String>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<api_keys::table>> {
        self.search.as_deref().map(|text| is(api_keys::name.ilike(containing(text)))).into_iter().collect()
    }
}
