//! Connections: how to reach one Entra tenant.

use super::Transaction;
use super::crud::crud;
use super::jobs::{Refers, users_of};
use super::list::{Condition, containing, is, list};
use super::schema::connections;
use crate::cloud::Cloud;
use crate::connection::{CredentialKind, Overall};
use crate::error::{Result, UsedBy};
use crate::ids::{ConnectionId, OrganizationId};
use crate::permission::Capability;
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Jsonb, Text};
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone)]
#[diesel(table_name = connections)]
pub struct ConnectionRow {
    pub id: Uuid,
    pub name: String,
    /// GUID or verified domain.
    pub tenant_id: String,
    pub client_id: Uuid,
    pub cloud: Cloud,
    pub credential_kind: CredentialKind,
    /// The secret, or the private key.
    pub credential_sealed: Option<Vec<u8>>,
    pub certificate_pem: Option<String>,
    /// First three characters of the secret, or the certificate's thumbprint.
    pub credential_hint: Option<String>,
    pub credential_expires_at: Option<DateTime<Utc>>,
    pub credential_version: i64,
    /// The smallest number of days before its end that webhooks were told of.
    pub expiry_announced: Option<i32>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of a connection that a caller sets.
#[derive(Insertable, AsChangeset, Clone, PartialEq, Eq)]
#[diesel(table_name = connections, treat_none_as_null = true)]
pub struct NewConnectionRow {
    pub name: String,
    pub tenant_id: String,
    pub client_id: Uuid,
    pub cloud: Cloud,
    pub credential_kind: CredentialKind,
    pub credential_sealed: Option<Vec<u8>>,
    pub certificate_pem: Option<String>,
    pub credential_hint: Option<String>,
    pub credential_expires_at: Option<DateTime<Utc>>,
    /// Rises with every change of tenant, application, cloud or credential: cached tokens of an older version are not used.
    pub credential_version: i64,
    pub expiry_announced: Option<i32>,
}

crud!(connections, ConnectionRow, NewConnectionRow, ConnectionId);
list!(connections, ConnectionRow, by name or time);

/// Which connections to list. Conditions combine: a connection fulfils all of them.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only connections to this tenant, as it was entered: the id or a domain.
    #[param(min_length = 1, max_length = 253)]
    pub tenant_id: Option<String>,
    /// Only connections whose `lastCheck` has this result.
    #[param(inline)]
    pub overall: Option<Overall>,
    /// Only connections with exactly this name.
    #[param(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// Only connections whose name contains this text, whatever the case.
    #[param(min_length = 1, max_length = 200)]
    pub search: Option<String>,
}

/// The result of the check that a connection shows, by the rule of [`super::connection_checks::latest`]: the newest one,
/// or the newest complete one of the same credential if the newest found nothing and was not complete.
const OVERALL: [&str; 4] = [
    "(SELECT CASE WHEN n.overall = 'ok' AND NOT n.report @> ",
    " THEN coalesce((SELECT c.overall FROM connection_checks c
            WHERE c.organization_id = n.organization_id AND c.connection_id = n.connection_id
                AND c.report @> ",
    " AND c.report->'credentialVersion' = n.report->'credentialVersion' ORDER BY c.id DESC LIMIT 1), n.overall)
        ELSE n.overall END
        FROM connection_checks n
        WHERE n.organization_id = connections.organization_id AND n.connection_id = connections.id
        ORDER BY n.id DESC LIMIT 1) = ",
    "",
];

fn overall_is(overall: Overall) -> Condition<connections::table> {
    let covered: Vec<Value> = Capability::DEFAULT.iter().map(|capability| json!({"capability": capability})).collect();
    let complete = json!({"capabilities": covered});
    let [begin, then, otherwise, end] = OVERALL;
    let condition = sql::<Bool>(begin).bind::<Jsonb, _>(complete.clone()).sql(then).bind::<Jsonb, _>(complete);
    is(condition.sql(otherwise).bind::<Text, _>(overall).sql(end))
}

impl Which {
    fn conditions(&self) -> Vec<Condition<connections::table>> {
        let found = [
            self.tenant_id.clone().map(|tenant| is(connections::tenant_id.eq(tenant))),
            self.overall.map(overall_is),
            self.name.clone().map(|name| is(connections::name.eq(name))),
            self.search.as_deref().map(|text| is(connections::name.ilike(containing(text)))),
        ];
        found.into_iter().flatten().collect()
    }
}

/// The jobs that use this connection.
pub async fn used_by(tx: &mut Transaction, organization: OrganizationId, id: ConnectionId) -> Result<Vec<UsedBy>> {
    users_of(tx, organization, Refers::Connection(id)).await
}
