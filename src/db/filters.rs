//! Filters: which users and groups to import.

use super::Transaction;
use super::crud::crud;
use super::jobs::{Refers, users_of};
use super::list::{Condition, containing, is, list};
use super::schema::filters;
use crate::error::{Result, UsedBy};
use crate::ids::{FilterId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
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
list!(filters, FilterRow, by name or time);

/// Which filters to list. Conditions combine: a filter fulfils all of them.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only filters with exactly this name.
    #[param(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// Only filters whose name contains this text, whatever the case.
    #[param(min_length = 1, max_length = 200)]
    pub search: Option<String>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<filters::table>> {
        let found = [
            self.name.clone().map(|name| is(filters::name.eq(name))),
            self.search.as_deref().map(|text| is(filters::name.ilike(containing(text)))),
        ];
        found.into_iter().flatten().collect()
    }
}

/// The jobs that use this filter.
pub async fn used_by(tx: &mut Transaction, organization: OrganizationId, id: FilterId) -> Result<Vec<UsedBy>> {
    users_of(tx, organization, Refers::Filter(id)).await
}
