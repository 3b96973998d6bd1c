//! Connections: how to reach one Entra tenant.

use super::Transaction;
use super::crud::crud;
use super::jobs::{Refers, users_of};
use super::schema::connections;
use crate::cloud::Cloud;
use crate::connection::CredentialKind;
use crate::error::{Result, UsedBy};
use crate::ids::{ConnectionId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
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
}

crud!(connections, ConnectionRow, NewConnectionRow, ConnectionId);

/// The jobs that use this connection.
pub async fn used_by(tx: &mut Transaction, organization: OrganizationId, id: ConnectionId) -> Result<Vec<UsedBy>> {
    users_of(tx, organization, Refers::Connection(id)).await
}
