//! The names of resources, for those that refer to them.

use super::Transaction;
use crate::error::Result;
use crate::ids::OrganizationId;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use uuid::Uuid;

/// A collection whose items have names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    ApiKeys,
    Connections,
    Destinations,
    Filters,
    Jobs,
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
}

/// The names of those of these ids that exist.
pub async fn names(
    tx: &mut Transaction,
    organization: OrganizationId,
    of: Named,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, String>> {
    let table = match of {
        Named::ApiKeys => "api_keys",
        Named::Connections => "connections",
        Named::Destinations => "destinations",
        Named::Filters => "filters",
        Named::Jobs => "jobs",
    };
    let hidden = match of {
        Named::Jobs => "AND deleting_at IS NULL",
        Named::ApiKeys => "AND revoked_at IS NULL",
        Named::Connections | Named::Destinations | Named::Filters => "",
    };
    let query = format!("SELECT id, name FROM {table} WHERE organization_id = $1 AND id = ANY($2) {hidden}");
    let query = diesel::sql_query(query).bind::<SqlUuid, _>(organization.0).bind::<Array<SqlUuid>, _>(ids);
    let rows: Vec<NameRow> = query.load(tx).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
