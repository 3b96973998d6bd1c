//! API keys. Only the hash of a key's secret part is stored. One that was revoked is invisible here.

use super::Transaction;
use super::list::{Condition, containing, is, list};
use super::schema::api_keys;
use crate::api_key::Scope;
use crate::error::Result;
use crate::ids::{ApiKeyId, OrganizationId};
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

pub async fn insert(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: ApiKeyId,
    new: &NewApiKeyRow,
    now: DateTime<Utc>,
) -> Result<ApiKeyRow> {
    let meta = (
        api_keys::organization_id.eq(organization.0),
        api_keys::id.eq(id.0),
        api_keys::created_at.eq(now),
        api_keys::updated_at.eq(now),
    );
    let insert = diesel::insert_into(api_keys::table).values((new, meta)).returning(ApiKeyRow::as_returning());
    Ok(insert.get_result(tx).await?)
}

pub async fn find(tx: &mut Transaction, organization: OrganizationId, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    let query = api_keys::table.find((organization.0, id.0)).filter(api_keys::revoked_at.is_null());
    Ok(query.select(ApiKeyRow::as_select()).first(tx).await.optional()?)
}

/// As [`find`], with a lock on the row until the transaction ends.
pub async fn lock(tx: &mut Transaction, organization: OrganizationId, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    let query = api_keys::table.find((organization.0, id.0)).filter(api_keys::revoked_at.is_null());
    Ok(query.select(ApiKeyRow::as_select()).for_update().first(tx).await.optional()?)
}

/// Ends a key. Its row stays until retention removes it, so that the audit log can say whose key is tried.
pub async fn revoke(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: ApiKeyId,
    now: DateTime<Utc>,
) -> Result<()> {
    let change = (api_keys::revoked_at.eq(now), api_keys::updated_at.eq(now));
    diesel::update(api_keys::table.find((organization.0, id.0))).set(change).execute(tx).await?;
    Ok(())
}

list!(api_keys, ApiKeyRow, by name or time);

/// Whether an organization has a key that was not revoked, expired ones too.
pub async fn has_any(tx: &mut Transaction, organization: OrganizationId) -> Result<bool> {
    let own =
        api_keys::table.filter(api_keys::organization_id.eq(organization.0)).filter(api_keys::revoked_at.is_null());
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
        let search = self.search.as_deref().map(|text| is(api_keys::name.ilike(containing(text))));
        search.into_iter().chain([is(api_keys::revoked_at.is_null())]).collect()
    }
}
