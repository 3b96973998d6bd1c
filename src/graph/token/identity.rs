//! Who asks for a token: a tenant, an application and its credential.

use super::credential::Credential;
use crate::cloud::Cloud;
use crate::error::Faults;
use crate::ids::{ConnectionId, OrganizationId};
use uuid::Uuid;

/// Who asks for a token, and where. A changed credential has another `credential_version`.
#[derive(Clone, Debug)]
pub struct Identity {
    pub organization: OrganizationId,
    pub connection: ConnectionId,
    pub credential_version: i64,
    /// GUID or verified domain, see [`is_tenant_id`].
    pub tenant_id: String,
    pub client_id: Uuid,
    pub cloud: Cloud,
    pub credential: Credential,
}

/// Names that stand for any tenant. A client-credentials request cannot use them.
const ANY_TENANT: [&str; 3] = ["common", "organizations", "consumers"];

/// Whether the text can name one tenant as Entra takes it: a GUID with hyphens, or a DNS name. It becomes part of a URL
/// path.
pub fn is_tenant_id(text: &str) -> bool {
    match Uuid::parse_str(text) {
        Ok(id) => text.len() == 36 && !id.is_nil(),
        Err(_) => is_domain(text),
    }
}

/// A tenant id as Entra takes it: without blanks around it, and a GUID with hyphens and nothing else.
pub fn normalize_tenant_id(text: &str) -> String {
    let text = text.trim();
    match Uuid::parse_str(text) {
        Ok(id) if text.len() != 36 => id.to_string(),
        Ok(_) | Err(_) => text.to_owned(),
    }
}

/// Adds a fault at `pointer` (`/tenantId`) unless the text, once normalized, names one tenant.
pub fn validate_tenant_id(text: &str, pointer: &str, faults: &mut Faults) {
    let text = normalize_tenant_id(text);
    if text.is_empty() {
        faults.push(
            pointer,
            "required",
            "The tenant id is required. It is the Tenant ID on the Overview of Microsoft Entra ID.",
        );
    } else if ANY_TENANT.iter().any(|any| any.eq_ignore_ascii_case(&text)) {
        let detail = format!(
            "«{text}» does not name one particular tenant. Enter the Tenant ID from the Overview of Microsoft Entra ID."
        );
        faults.push(pointer, "tenant_not_specific", detail);
    } else if Uuid::parse_str(&text).is_ok_and(|id| id.is_nil()) {
        faults.push(
            pointer,
            "tenant_malformed",
            "A tenant id of zeros names no tenant. Enter the Tenant ID from the Overview of Microsoft Entra ID.",
        );
    } else if !is_tenant_id(&text) {
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
        let spelled = "72f988bf86f141af91ab2d7cd011db47";
        for other in
            ["{72f988bf-86f1-41af-91ab-2d7cd011db47}", "urn:uuid:72f988bf-86f1-41af-91ab-2d7cd011db47", spelled]
        {
            assert!(!is_tenant_id(other), "Entra does not take {other}");
            assert_eq!(normalize_tenant_id(&format!(" {other}\n")), "72f988bf-86f1-41af-91ab-2d7cd011db47");
        }
        assert_eq!(normalize_tenant_id("\tcontoso.com "), "contoso.com");
        let zeros = "00000000-0000-0000-0000-000000000000";
        for bad in [
            zeros,
            "{00000000-0000-0000-0000-000000000000}",
            "contoso .com",
            "common",
            "contoso",
            "a..b",
            "-a.b",
            "a.b/../c",
            "a.b?c",
            " ",
            "",
            &"a.".repeat(200),
        ] {
            let mut faults = Faults::default();
            validate_tenant_id(bad, "/tenantId", &mut faults);
            assert!(!faults.is_empty(), "{bad}");
        }
    }
}
