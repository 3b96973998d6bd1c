//! The report of a check.

use crate::connection::Overall;
use crate::permission::report::{CapabilityVerdict, Finding, Remedy};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The identity of the connection, as Entra reports it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckIdentity {
    /// The application's name, from the token.
    pub app_display_name: Option<String>,
    /// The tenant of the token; without a token, the tenant of the connection (GUID or domain).
    pub tenant_id: String,
    pub client_id: Uuid,
    /// Object id of the enterprise application in the tenant.
    pub service_principal_id: Option<String>,
    /// `clientSecret`, `certificate` or `federated`.
    pub credential_kind: String,
    /// When the certificate expires, or the secret according to its declared end.
    pub credential_expires_at: Option<DateTime<Utc>>,
}

/// The report of a check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    pub checked_at: DateTime<Utc>,
    pub overall: Overall,
    /// Time ran out before the check was complete.
    pub partial: bool,
    pub identity: CheckIdentity,
    /// About the connection as a whole.
    pub findings: Vec<Finding>,
    /// One verdict for each requested capability, in the order of the request.
    pub capabilities: Vec<CapabilityVerdict>,
    /// Remedies that grant everything that is missing at once. The remedies of a capability grant only that one.
    #[serde(default)]
    pub remedies: Vec<Remedy>,
}
