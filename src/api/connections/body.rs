//! Connections in requests and responses.

use crate::api::connection_checks::{CheckResponse, CheckSummary};
use crate::api::credentials::CredentialBody;
use crate::api::patch::Change;
use crate::api::respond::Versioned;
use crate::app::App;
use crate::cloud::Cloud;
use crate::connection::CredentialKind;
use crate::db::connections::ConnectionRow;
use crate::db::{Transaction, connection_checks};
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, OrganizationId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A new connection.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Contoso", "tenantId": "contoso.onmicrosoft.com", "clientId": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "cloud": "global", "credential": {"kind": "clientSecret", "secret": "abc8Q~simulated-secret-value"},
}))]
pub struct CreateConnection {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The id (a GUID) or a verified domain of the tenant.
    #[schema(min_length = 1, max_length = 253)]
    pub tenant_id: String,
    /// Application (client) ID.
    pub client_id: Uuid,
    #[serde(default)]
    pub cloud: Cloud,
    pub credential: CredentialBody,
}

/// Changes to a connection: omitted fields keep their value; null resets to the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"credential": {"secret": "xyz8Q~simulated-secret-value"}}))]
pub struct UpdateConnection {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    pub(super) name: Option<String>,
    #[schema(min_length = 1, max_length = 253, nullable = false)]
    pub(super) tenant_id: Option<String>,
    #[schema(nullable = false)]
    pub(super) client_id: Option<Uuid>,
    #[serde(default)]
    #[schema(value_type = Option<Cloud>)]
    pub(super) cloud: Change<Cloud>,
    #[schema(nullable = false)]
    pub(super) credential: Option<UpdateCredential>,
}

/// Changes to a credential. Another `kind` replaces the whole credential; with the same kind, omitted fields keep their
/// value. A new secret without `expiresAt` has no known expiry date; a certificate contains its own.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateCredential {
    /// The kind of the credential.
    #[schema(nullable = false)]
    pub(super) kind: Option<CredentialKind>,
    #[schema(write_only, min_length = 1, max_length = 4096, nullable = false)]
    pub(super) secret: Option<String>,
    /// Another certificate in PEM.
    #[schema(write_only, min_length = 1, max_length = 65536, nullable = false)]
    pub(super) certificate: Option<String>,
    /// Its private key in PEM.
    #[schema(write_only, min_length = 1, max_length = 65536, nullable = false)]
    pub(super) private_key: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub(super) expires_at: Change<DateTime<Utc>>,
}

/// A credential without its secrets.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CredentialResponse {
    pub kind: CredentialKind,
    #[schema(required = true)]
    pub expires_at: Option<DateTime<Utc>>,
    /// The first three characters of the secret, which the portal shows too, or the certificate's thumbprint.
    #[schema(required = true)]
    pub hint: Option<String>,
}

/// A connection to a tenant, without its credential.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionResponse {
    pub id: ConnectionId,
    pub name: String,
    pub tenant_id: String,
    pub client_id: Uuid,
    pub cloud: Cloud,
    pub credential: CredentialResponse,
    /// The newest check; null before the first. A check of fewer capabilities than the default, without findings, does
    /// not replace a wider one.
    #[schema(required = true)]
    pub last_check: Option<CheckResponse>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A connection in a list, with its newest check in short.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionItem {
    pub id: ConnectionId,
    pub name: String,
    /// The id (a GUID) or a verified domain of the tenant.
    pub tenant_id: String,
    /// Application (client) ID.
    pub client_id: Uuid,
    pub cloud: Cloud,
    pub credential: CredentialResponse,
    /// The newest check; null before the first. `GET /v1/connections/{id}` has it with evidence and remedies.
    #[schema(required = true)]
    pub last_check: Option<CheckSummary>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<ConnectionResponse> for ConnectionItem {
    fn from(whole: ConnectionResponse) -> Self {
        Self {
            id: whole.id,
            name: whole.name,
            tenant_id: whole.tenant_id,
            client_id: whole.client_id,
            cloud: whole.cloud,
            credential: whole.credential,
            last_check: whole.last_check.map(CheckSummary::from),
            version: whole.version,
            created_at: whole.created_at,
            updated_at: whole.updated_at,
        }
    }
}

impl Versioned for ConnectionResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

/// The responses for some connections, each with its newest check.
pub(super) async fn responses(
    tx: &mut Transaction,
    app: &App,
    organization: OrganizationId,
    rows: Vec<ConnectionRow>,
) -> Result<Vec<ConnectionResponse>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut checks = connection_checks::latest(tx, organization, &ids).await?;
    let now = app.clock.now();
    rows.into_iter()
        .map(|row| {
            let check = checks.iter().position(|check| check.connection_id == row.id);
            let check = check.map(|at| checks.swap_remove(at));
            Ok(ConnectionResponse {
                id: ConnectionId(row.id),
                name: row.name,
                tenant_id: row.tenant_id,
                client_id: row.client_id,
                cloud: row.cloud,
                credential: CredentialResponse {
                    kind: row.credential_kind,
                    expires_at: row.credential_expires_at,
                    hint: row.credential_hint,
                },
                last_check: check
                    .map(|check| CheckResponse::from_row(check, row.credential_version, now))
                    .transpose()?,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

pub(super) async fn response(
    tx: &mut Transaction,
    app: &App,
    organization: OrganizationId,
    row: ConnectionRow,
) -> Result<ConnectionResponse> {
    let one = responses(tx, app, organization, vec![row]).await?.pop();
    one.ok_or_else(|| Error::internal("one row has one response"))
}
