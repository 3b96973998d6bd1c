//! Filters: which users and groups to import.

use super::Transaction;
use super::crud::crud;
use super::jobs::{Refers, users_of};
use super::schema::filters;
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
    pub id: Uuid,
    pub name: String,
    /// The rule with its defaults: users, groups, devices, scope, outside, exclude, limits.
    pub rule: Value,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of a filter that a caller sets.
#[derive(Insertable, AsChangeset, Clone, Debug)]
#[diesel(table_name = filters)]
pub struct NewFilterRow {
    pub name: String,
    pub rule: Value,
}

crud!(filters, FilterRow, NewFilterRow, FilterId);

/// The jobs that use this filter.
pub async fn used_by(tx: &mut Transaction, organization: OrganizationId, id: FilterId) -> Result<Vec<UsedBy>> {
    users_of(tx, organization, Refers::Filter(id)).await
}
