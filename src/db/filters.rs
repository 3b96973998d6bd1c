//! Filters: which users and groups to import.

use super::Transaction;
use super::schema::{filters, jobs};
use crate::error::{Result, UsedBy};
use crate::ids::{FilterId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = filters)]
pub struct FilterRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub name: String,
    /// The rule as its owner wrote it: users, groups, devices, scope, outside, exclude, limits.
    pub rule: Value,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a caller decides of a filter.
#[derive(Insertable, AsChangeset, Clone, Debug)]
#[diesel(table_name = filters)]
pub struct NewFilterRow {
    pub name: String,
    pub rule: Value,
}

pub async fn insert(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: FilterId,
    new: &NewFilterRow,
    now: DateTime<Utc>,
) -> Result<FilterRow> {
    let meta = (
        filters::organization_id.eq(organization.0),
        filters::id.eq(id.0),
        filters::created_at.eq(now),
        filters::updated_at.eq(now),
    );
    let row = diesel::insert_into(filters::table)
        .values((new, meta))
        .returning(FilterRow::as_returning())
        .get_result(tx)
        .await?;
    Ok(row)
}

pub async fn find(tx: &mut Transaction, organization: OrganizationId, id: FilterId) -> Result<Option<FilterRow>> {
    Ok(filters::table.find((organization.0, id.0)).select(FilterRow::as_select()).first(tx).await.optional()?)
}

/// As [`find`], and nobody else changes it until the transaction ends.
pub async fn lock(tx: &mut Transaction, organization: OrganizationId, id: FilterId) -> Result<Option<FilterRow>> {
    let query = filters::table.find((organization.0, id.0)).select(FilterRow::as_select()).for_update();
    Ok(query.first(tx).await.optional()?)
}

/// Oldest first; `after` is the last id of the page before.
pub async fn list(
    tx: &mut Transaction,
    organization: OrganizationId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<FilterRow>> {
    let mut query = filters::table.filter(filters::organization_id.eq(organization.0)).into_boxed();
    if let Some(after) = after {
        query = query.filter(filters::id.gt(after));
    }
    Ok(query.order(filters::id.asc()).limit(limit).select(FilterRow::as_select()).load(tx).await?)
}

pub async fn update(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: FilterId,
    new: &NewFilterRow,
    now: DateTime<Utc>,
) -> Result<FilterRow> {
    let row = diesel::update(filters::table.find((organization.0, id.0)))
        .set((new, filters::version.eq(filters::version + 1), filters::updated_at.eq(now)))
        .returning(FilterRow::as_returning())
        .get_result(tx)
        .await?;
    Ok(row)
}

pub async fn delete(tx: &mut Transaction, organization: OrganizationId, id: FilterId) -> Result<()> {
    diesel::delete(filters::table.find((organization.0, id.0))).execute(tx).await?;
    Ok(())
}

/// The jobs that import by this filter.
pub async fn used_by(tx: &mut Transaction, organization: OrganizationId, id: FilterId) -> Result<Vec<UsedBy>> {
    let rows: Vec<(Uuid, String)> = jobs::table
        .filter(jobs::organization_id.eq(organization.0).and(jobs::filter_id.eq(id.0)))
        .order(jobs::id)
        .select((jobs::id, jobs::name))
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|(id, name)| UsedBy { kind: "jobs", id, name }).collect())
}
