//! Destinations: import sources of Assets.

use super::Transaction;
use super::crud::crud;
use super::jobs::{Refers, users_of};
use super::schema::destinations;
use crate::error::{Result, UsedBy};
use crate::ids::{DestinationId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone)]
#[diesel(table_name = destinations)]
pub struct DestinationRow {
    pub id: Uuid,
    pub name: String,
    pub kind: String,
    pub token_sealed: Option<Vec<u8>>,
    pub workspace_id: Option<String>,
    pub import_id: Option<String>,
    pub missing_objects: String,
    pub empty_values: String,
    pub reference_template: String,
    pub api_site_url: Option<String>,
    pub api_email: Option<String>,
    pub api_token_sealed: Option<Vec<u8>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a caller decides of a destination.
#[derive(Insertable, AsChangeset, Clone)]
#[diesel(table_name = destinations, treat_none_as_null = true)]
pub struct NewDestinationRow {
    pub name: String,
    pub kind: String,
    pub token_sealed: Option<Vec<u8>>,
    pub workspace_id: Option<String>,
    pub import_id: Option<String>,
    pub missing_objects: String,
    pub empty_values: String,
    pub reference_template: String,
    pub api_site_url: Option<String>,
    pub api_email: Option<String>,
    pub api_token_sealed: Option<Vec<u8>>,
}

crud!(destinations, DestinationRow, NewDestinationRow, DestinationId);

/// The job that delivers there; at most one.
pub async fn used_by(tx: &mut Transaction, organization: OrganizationId, id: DestinationId) -> Result<Vec<UsedBy>> {
    users_of(tx, organization, Refers::Destination(id)).await
}
