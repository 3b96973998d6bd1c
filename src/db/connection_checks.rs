//! The history of connection checks.

use super::Transaction;
use super::list::{Condition, is, list};
use super::schema::connection_checks;
use crate::connection::Overall;
use crate::error::Result;
use crate::ids::{CheckId, ConnectionId, OrganizationId};
use crate::permission::Capability;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = connection_checks)]
pub struct ConnectionCheckRow {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub checked_at: DateTime<Utc>,
    pub overall: Overall,
    /// The report as the API returned it, without its id, plus `credentialVersion`: the version of the credential that was checked.
    pub report: Value,
}

impl ConnectionCheckRow {
    /// Whether the check was made with version `version` of the connection's tenant, application and credential.
    pub fn is_of(&self, version: i64) -> bool {
        self.credential_version() == Some(version)
    }

    fn credential_version(&self) -> Option<i64> {
        self.report.get(CREDENTIAL_VERSION).and_then(Value::as_i64)
    }

    /// Whether the check found no problem, but left out capabilities that a job needs by default.
    fn is_partial_success(&self) -> bool {
        let checked: Vec<&str> = self
            .report
            .get("capabilities")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|verdict| verdict.get("capability")?.as_str())
            .collect();
        self.overall == Overall::Ok
            && Capability::DEFAULT.iter().any(|capability| !checked.contains(&capability.as_str()))
    }
}

const CREDENTIAL_VERSION: &str = "credentialVersion";

/// The result of a check, to be stored.
#[derive(Insertable, Clone, Debug)]
#[diesel(table_name = connection_checks)]
pub struct NewConnectionCheckRow {
    pub connection_id: Uuid,
    pub checked_at: DateTime<Utc>,
    pub overall: Overall,
    pub report: Value,
}

impl NewConnectionCheckRow {
    /// Stores which version of the credential was checked: a later version makes the check stale.
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

/// Which checks to list.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only checks with this result.
    #[param(inline)]
    pub overall: Option<Overall>,
    #[serde(skip)]
    #[param(ignore)]
    pub connection: Option<ConnectionId>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<connection_checks::table>> {
        let found = [
            self.connection.map(|id| is(connection_checks::connection_id.eq(id.0))),
            self.overall.map(|overall| is(connection_checks::overall.eq(overall))),
        ];
        found.into_iter().flatten().collect()
    }
}

list!(connection_checks, ConnectionCheckRow, by time);

/// A check of a connection.
pub async fn find(
    tx: &mut Transaction,
    organization: OrganizationId,
    connection: ConnectionId,
    id: CheckId,
) -> Result<Option<ConnectionCheckRow>> {
    let query =
        connection_checks::table.find((organization.0, id.0)).filter(connection_checks::connection_id.eq(connection.0));
    Ok(query.select(ConnectionCheckRow::as_select()).first(tx).await.optional()?)
}

/// How many checks of a connection are looked through for verdicts.
const RECENT: i64 = 20;

/// The newest checks of a connection, the newest first.
pub async fn recent(
    tx: &mut Transaction,
    organization: OrganizationId,
    connection: ConnectionId,
) -> Result<Vec<ConnectionCheckRow>> {
    let rows = connection_checks::table
        .filter(connection_checks::organization_id.eq(organization.0))
        .filter(connection_checks::connection_id.eq(connection.0))
        .order(connection_checks::id.desc())
        .limit(RECENT)
        .select(ConnectionCheckRow::as_select())
        .load(tx)
        .await?;
    Ok(rows)
}

/// The check to show for each of these connections that was ever checked. That is the newest one. If the newest one
/// succeeded but covered fewer capabilities than a job needs by default, it is the newest one that covered them all, if
/// that was made with the same version of the credential.
pub async fn latest(
    tx: &mut Transaction,
    organization: OrganizationId,
    connections: &[Uuid],
) -> Result<Vec<ConnectionCheckRow>> {
    let mut rows = newest(tx, organization, connections, &[]).await?;
    let partial = rows.iter().filter(|row| row.is_partial_success());
    let partial: Vec<Uuid> = partial.map(|row| row.connection_id).collect();
    if !partial.is_empty() {
        for complete in newest(tx, organization, &partial, &Capability::DEFAULT).await? {
            let is_about_the_same = |row: &&mut ConnectionCheckRow| {
                row.connection_id == complete.connection_id && row.credential_version() == complete.credential_version()
            };
            rows.iter_mut().filter(is_about_the_same).for_each(|row| *row = complete.clone());
        }
    }
    Ok(rows)
}

/// The newest check of each connection that covered all `capabilities`.
async fn newest(
    tx: &mut Transaction,
    organization: OrganizationId,
    connections: &[Uuid],
    capabilities: &[Capability],
) -> Result<Vec<ConnectionCheckRow>> {
    let covered: Vec<Value> = capabilities.iter().map(|capability| json!({"capability": capability})).collect();
    let rows = connection_checks::table
        .filter(connection_checks::organization_id.eq(organization.0))
        .filter(connection_checks::connection_id.eq_any(connections))
        .filter(connection_checks::report.contains(json!({"capabilities": covered})))
        .distinct_on(connection_checks::connection_id)
        .order((connection_checks::connection_id, connection_checks::id.desc()))
        .select(ConnectionCheckRow::as_select())
        .load(tx)
        .await?;
    Ok(rows)
}
