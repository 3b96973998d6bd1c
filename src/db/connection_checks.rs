//! The history of connection checks.

use super::Transaction;
use super::schema::connection_checks;
use crate::error::Result;
use crate::ids::{CheckId, ConnectionId, OrganizationId};
use crate::permission::Capability;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = connection_checks)]
pub struct ConnectionCheckRow {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub checked_at: DateTime<Utc>,
    pub overall: String,
    /// The report as it was answered, without its id; beside it `credentialVersion`, the connection's at that time.
    pub report: Value,
}

impl ConnectionCheckRow {
    /// Whether it is about the tenant, application and credential that the connection has in `version`.
    pub fn is_of(&self, version: i64) -> bool {
        self.credential_version() == Some(version)
    }

    fn credential_version(&self) -> Option<i64> {
        self.report.get(CREDENTIAL_VERSION).and_then(Value::as_i64)
    }

    /// Whether it found nothing wrong, but did not look at everything that a job imports by default.
    fn is_good_news_of_a_part(&self) -> bool {
        let checked: Vec<&str> = self
            .report
            .get("capabilities")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|verdict| verdict.get("capability")?.as_str())
            .collect();
        self.overall == "ok" && Capability::DEFAULT.iter().any(|capability| !checked.contains(&capability.as_str()))
    }
}

const CREDENTIAL_VERSION: &str = "credentialVersion";

/// What a check found.
#[derive(Insertable, Clone, Debug)]
#[diesel(table_name = connection_checks)]
pub struct NewConnectionCheckRow {
    pub connection_id: Uuid,
    pub checked_at: DateTime<Utc>,
    pub overall: String,
    pub report: Value,
}

impl NewConnectionCheckRow {
    /// Notes which credential was checked, so that a later change of it shows.
    pub fn of_credential(mut self, version: i64) -> Self {
        self.report[CREDENTIAL_VERSION] = json!(version);
        self
    }
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

/// The check that speaks for each of some connections, for those that were ever checked: the newest one. Where that
/// looked at a part only and found nothing wrong, it says nothing of the rest, so the newest one that looked at
/// everything a job imports by default goes before it, if it is about the same tenant, application and credential.
pub async fn latest(
    tx: &mut Transaction,
    organization: OrganizationId,
    connections: &[Uuid],
) -> Result<Vec<ConnectionCheckRow>> {
    let mut rows = newest(tx, organization, connections, &[]).await?;
    let partial = rows.iter().filter(|row| row.is_good_news_of_a_part());
    let partial: Vec<Uuid> = partial.map(|row| row.connection_id).collect();
    if !partial.is_empty() {
        for wide in newest(tx, organization, &partial, &Capability::DEFAULT).await? {
            let is_about_the_same = |row: &&mut ConnectionCheckRow| {
                row.connection_id == wide.connection_id && row.credential_version() == wide.credential_version()
            };
            rows.iter_mut().filter(is_about_the_same).for_each(|row| *row = wide.clone());
        }
    }
    Ok(rows)
}

/// The newest check of each connection among those that looked at all `capabilities`.
async fn newest(
    tx: &mut Transaction,
    organization: OrganizationId,
    connections: &[Uuid],
    capabilities: &[Capability],
) -> Result<Vec<ConnectionCheckRow>> {
    let looked_at: Vec<Value> = capabilities.iter().map(|capability| json!({"capability": capability})).collect();
    let rows = connection_checks::table
        .filter(connection_checks::organization_id.eq(organization.0))
        .filter(connection_checks::connection_id.eq_any(connections))
        .filter(connection_checks::report.contains(json!({"capabilities": looked_at})))
        .distinct_on(connection_checks::connection_id)
        .order((connection_checks::connection_id, connection_checks::id.desc()))
        .select(ConnectionCheckRow::as_select())
        .load(tx)
        .await?;
    Ok(rows)
}
