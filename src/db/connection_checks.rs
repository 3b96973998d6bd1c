//! The history of connection checks.

use super::Transaction;
use super::schema::connection_checks;
use crate::error::Result;
use crate::ids::{CheckId, ConnectionId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = connection_checks)]
pub struct ConnectionCheckRow {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub checked_at: DateTime<Utc>,
    pub overall: String,
    /// The report as it was answered, without its id.
    pub report: Value,
}

/// What a check found.
#[derive(Insertable, Clone, Debug)]
#[diesel(table_name = connection_checks)]
pub struct NewConnectionCheckRow {
    pub connection_id: Uuid,
    pub checked_at: DateTime<Utc>,
    pub overall: String,
    pub report: Value,
}

pub async fn insert(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: CheckId,
    new: &NewConnectionCheckRow,
) -> Result<ConnectionCheckRow> {
    let row = diesel::insert_into(connection_checks::table)
        .values((new, connection_checks::organization_id.eq(organization.0), connection_checks::id.eq(id.0)))
        .returning(ConnectionCheckRow::as_returning())
        .get_result(tx)
        .await?;
    Ok(row)
}

/// Newest first; `after` is the last id of the page before.
pub async fn list(
    tx: &mut Transaction,
    organization: OrganizationId,
    connection: ConnectionId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ConnectionCheckRow>> {
    let of_connection =
        connection_checks::organization_id.eq(organization.0).and(connection_checks::connection_id.eq(connection.0));
    let mut query = connection_checks::table.filter(of_connection).into_boxed();
    if let Some(after) = after {
        query = query.filter(connection_checks::id.lt(after));
    }
    let query = query.order(connection_checks::id.desc()).limit(limit);
    Ok(query.select(ConnectionCheckRow::as_select()).load(tx).await?)
}

/// The newest check of each of some connections, for those that were ever checked.
pub async fn latest(
    tx: &mut Transaction,
    organization: OrganizationId,
    connections: &[Uuid],
) -> Result<Vec<ConnectionCheckRow>> {
    let rows = connection_checks::table
        .filter(connection_checks::organization_id.eq(organization.0))
        .filter(connection_checks::connection_id.eq_any(connections))
        .distinct_on(connection_checks::connection_id)
        .order((connection_checks::connection_id, connection_checks::id.desc()))
        .select(ConnectionCheckRow::as_select())
        .load(tx)
        .await?;
    Ok(rows)
}
