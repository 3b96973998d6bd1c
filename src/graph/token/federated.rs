//! The service's own workload identity, which the operator allows for single connections.

use super::identity::{Identity, is_tenant_id, normalize_tenant_id};
use crate::codes::FindingCode;
use crate::config::SecuritySettings;
use crate::error::{Code, Error, Result};
use crate::graph::sign_in_error::{SignInError, SignInErrorKind};
use crate::ids::OrganizationId;
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// The longest token file that is read, in bytes.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// Which connections may use the workload identity, and where its token is. By default none may.
#[derive(Clone, Debug, Default)]
pub struct Federated {
    allowed: Arc<Vec<Allowed>>,
    token_file: Option<PathBuf>,
}

#[derive(Debug)]
struct Allowed {
    organization: OrganizationId,
    tenant: String,
    client: Uuid,
}

impl Federated {
    /// From ENTRA_ASSETS_FEDERATED_ALLOW (`organization/tenant/client,…`; the organization is an id or
    /// `default`) and AZURE_FEDERATED_TOKEN_FILE.
    pub fn from_settings(settings: &SecuritySettings) -> Result<Self> {
        let entries = settings.federated_allow.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty());
        let allowed = entries.map(Allowed::parse).collect::<Result<Vec<_>>>()?;
        Ok(Self { allowed: Arc::new(allowed), token_file: settings.federated_token_file.clone() })
    }

    pub fn allows(&self, organization: OrganizationId, tenant_id: &str, client_id: Uuid) -> bool {
        self.allowed.iter().any(|entry| {
            entry.organization == organization
                && entry.client == client_id
                && entry.tenant.eq_ignore_ascii_case(tenant_id)
        })
    }

    /// 403 `federated_not_allowed` unless the operator lists this organization, tenant and client.
    pub fn require(&self, organization: OrganizationId, tenant_id: &str, client_id: Uuid) -> Result<()> {
        if self.allows(organization, tenant_id, client_id) {
            return Ok(());
        }
        Err(Error::new(Code::FederatedNotAllowed, not_allowed(organization, tenant_id, client_id)))
    }

    /// The operator's token. It is read again each time, because the platform replaces it every few minutes.
    pub(super) async fn token(&self, identity: &Identity) -> Result<SecretString, SignInError> {
        let (organization, tenant, client) = (identity.organization, identity.tenant_id.as_str(), identity.client_id);
        if !self.allows(organization, tenant, client) {
            let text = not_allowed(organization, tenant, client);
            return Err(SignInError::of(SignInErrorKind::NotSent, FindingCode::FederatedNotAllowed, text));
        }
        let missing =
            |text: String| SignInError::of(SignInErrorKind::NotSent, FindingCode::FederatedTokenMissing, text);
        let Some(path) = &self.token_file else {
            return Err(missing(
                "AZURE_FEDERATED_TOKEN_FILE is not set, so there is no workload identity token.".to_owned(),
            ));
        };
        let unreadable = |why: &dyn std::fmt::Display| {
            missing(format!("the workload identity token in AZURE_FEDERATED_TOKEN_FILE cannot be read: {why}"))
        };
        let size = tokio::fs::metadata(path).await.map_err(|e| unreadable(&e))?.len();
        if size > MAX_TOKEN_BYTES {
            return Err(unreadable(&format!("the file has {size} bytes, which is too large for a token")));
        }
        let text = tokio::fs::read_to_string(path).await.map_err(|e| unreadable(&e))?;
        match text.trim() {
            "" => Err(unreadable(&"the file is empty")),
            token => Ok(token.to_owned().into()),
        }
    }
}

fn not_allowed(organization: OrganizationId, tenant_id: &str, client_id: Uuid) -> String {
    format!(
        "This connection is not allowed to use the service's own workload identity. Ask the operator to add \
         `{organization}/{tenant_id}/{client_id}` to ENTRA_ASSETS_FEDERATED_ALLOW, or use a secret or a certificate."
    )
}

impl Allowed {
    fn parse(entry: &str) -> Result<Self> {
        let wrong = || {
            Error::new(
                Code::ConfigurationInvalid,
                format!(
                    "ENTRA_ASSETS_FEDERATED_ALLOW: «{entry}» is not `organization/tenant/client` (an organization is an id or `default`)"
                ),
            )
        };
        let parts: Vec<&str> = entry.split('/').map(str::trim).collect();
        let [organization, tenant, client] = parts[..] else { return Err(wrong()) };
        let organization = match organization {
            "default" => OrganizationId::DEFAULT,
            id => id.parse().map_err(|_| wrong())?,
        };
        let tenant = normalize_tenant_id(tenant);
        if !is_tenant_id(&tenant) {
            return Err(wrong());
        }
        Ok(Self { organization, tenant, client: Uuid::parse_str(client).map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(allow: &[&str]) -> SecuritySettings {
        SecuritySettings {
            federated_allow: allow.iter().map(|entry| (*entry).to_owned()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn only_a_listed_organization_tenant_and_client_may_use_it() {
        let client = Uuid::from_u128(5);
        let federated = Federated::from_settings(&settings(&[&format!("default/contoso.com/{client}")])).unwrap();
        assert!(federated.require(OrganizationId::DEFAULT, "Contoso.com", client).is_ok());
        assert!(!federated.allows(OrganizationId(Uuid::from_u128(1)), "contoso.com", client));
        assert!(!federated.allows(OrganizationId::DEFAULT, "fabrikam.com", client));
        let refused = Federated::default().require(OrganizationId::DEFAULT, "contoso.com", client).unwrap_err();
        assert_eq!(refused.code, Code::FederatedNotAllowed);
    }

    #[test]
    fn a_malformed_entry_stops_the_start() {
        for wrong in ["default", "default/contoso.com", "x/contoso.com/5", "default//5"] {
            assert!(Federated::from_settings(&settings(&[wrong])).is_err(), "{wrong}");
        }
    }
}
