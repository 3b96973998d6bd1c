//! Access tokens by client credentials: asked for, kept until five minutes before their end, and never
//! shared between organizations, connections or versions of a credential.
//!
//! Source: <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>;
//! docs/graph.md, «Sign-in».

pub mod assertion;
mod cache;
pub mod claims;
pub mod credential;
pub mod federated;
mod request;

pub use cache::Tokens;
pub use claims::Claims;
pub use credential::{Credential, looks_like_secret_id};
pub use federated::Federated;

use super::cloud::Cloud;
use crate::error::Faults;
use crate::ids::{ConnectionId, OrganizationId};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;

/// Who asks for a token, and where. A changed credential has another `credential_version`.
#[derive(Clone, Debug)]
pub struct Identity {
    pub organization: OrganizationId,
    pub connection: ConnectionId,
    pub credential_version: i64,
    /// GUID or verified domain, see [`validate_tenant_id`].
    pub tenant_id: String,
    pub client_id: Uuid,
    pub cloud: Cloud,
    pub credential: Credential,
}

/// A token that Entra gave.
#[derive(Clone)]
pub struct AccessToken {
    /// Goes only into the `Authorization` header of requests to Graph.
    pub secret: SecretString,
    pub claims: Claims,
    pub expires_at: DateTime<Utc>,
    pub obtained_at: DateTime<Utc>,
    /// `x-ms-request-id` of the answer.
    pub request_id: Option<String>,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken").field("expires_at", &self.expires_at).field("roles", &self.claims.roles).finish()
    }
}

/// Tenant names that stand for any tenant; a client-credentials request cannot use them.
const ANY_TENANT: [&str; 3] = ["common", "organizations", "consumers"];

/// Whether a text can name one tenant: a GUID or a DNS name. It becomes part of a URL path.
pub fn is_tenant_id(text: &str) -> bool {
    Uuid::parse_str(text).is_ok() || is_domain(text)
}

/// Adds a fault at `pointer` (`/tenantId`) unless the text names one tenant.
pub fn validate_tenant_id(text: &str, pointer: &str, faults: &mut Faults) {
    if text.trim().is_empty() {
        faults.push(pointer, "required", "The tenant id is empty. It is on the Overview of Microsoft Entra ID.");
    } else if ANY_TENANT.iter().any(|any| any.eq_ignore_ascii_case(text)) {
        let detail =
            format!("«{text}» stands for any tenant. Enter the Tenant ID from the Overview of Microsoft Entra ID.");
        faults.push(pointer, "tenant_not_specific", detail);
    } else if !is_tenant_id(text) {
        faults.push(
            pointer,
            "tenant_malformed",
            "This is neither a tenant id (a GUID) nor a domain name. The Tenant ID is on the Overview of Microsoft Entra ID.",
        );
    }
}

/// A DNS name with at least one dot: labels of 1-63 letters, digits and hyphens, 253 bytes in all.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_a_guid_or_a_domain() {
        for good in ["72f988bf-86f1-41af-91ab-2d7cd011db47", "contoso.onmicrosoft.com", "xn--bcher-kva.example"] {
            assert!(is_tenant_id(good), "{good}");
        }
        for bad in ["common", "contoso", "a..b", "-a.b", "a.b/../c", "a.b?c", "contoso.com ", "", &"a.".repeat(200)] {
            let mut faults = Faults::default();
            validate_tenant_id(bad, "/tenantId", &mut faults);
            assert!(!faults.is_empty(), "{bad}");
        }
    }
}
