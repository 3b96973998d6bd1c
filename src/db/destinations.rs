//! Destinations: import sources of Assets.

use super::Transaction;
use super::crud::crud;
use super::jobs::{Refers, users_of};
use super::schema::destinations;
use crate::destination::{DestinationKind, EmptyValues, MissingObjects};
use crate::error::{Result, UsedBy};
use crate::ids::{DestinationId, OrganizationId};
use crate::mapping::ReferenceTemplate;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone)]
#[diesel(table_name = destinations)]
pub struct DestinationRow {
    pub id: Uuid,
    pub name: String,
    pub kind: DestinationKind,
    pub token_sealed: Option<Vec<u8>>,
    pub workspace_id: Option<String>,
    pub import_id: Option<String>,
    pub missing_objects: MissingObjects,
    pub empty_values: EmptyValues,
    pub reference_template: ReferenceTemplate,
    pub api_site_url: Option<String>,
    pub api_email: Option<String>,
    pub api_token_sealed: Option<Vec<u8>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of a destination that a caller sets.
#[derive(Insertable, AsChangeset, Clone)]
#[diesel(table_name = destinations, treat_none_as_null = true)]
pub struct NewDestinationRow {
    pub name: String,
    pub kind: DestinationKind,
    pub token_sealed: Option<Vec<u8>>,
    pub workspace_id: Option<String>,
    pub import_id: Option<String>,
    pub missing_objects: MissingObjects,
    pub empty_values: EmptyValues,
    pub reference_template: ReferenceTemplate,
    pub api_site_url: Option<String>,
    pub api_email: Option<String>,
    pub api_token_sealed: Option<Vec<u8>>,
}

crud!(destinations, DestinationRow, NewDestinationRow, DestinationId);

/// The job that delivers to this destination; at most one.
pub async fn used_by(tx: &mut Transaction, organization: OrganizationId, id: DestinationId) -> Result<Vec<UsedBy>> {
    users_of(tx, organization, Refers::Destination(id)).await
}
