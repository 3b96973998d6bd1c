//! Credentials in request bodies. They are write-only: no response, log or error contains them.

use crate::app::App;
use crate::error::Faults;
use crate::graph::token::{Credential, validate_tenant_id};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use utoipa::ToSchema;

/// How the application proves who it is.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(untagged)]
pub enum CredentialBody {
    ClientSecret(ClientSecretBody),
    Certificate(CertificateBody),
    Federated(FederatedBody),
}

/// A client secret.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientSecretBody {
    #[schema(inline)]
    pub kind: ClientSecretKind,
    /// The Value of a client secret, not its Secret ID.
    #[schema(write_only, min_length = 1, max_length = 4096, example = "abc8Q~simulated-secret-value")]
    pub secret: String,
    /// The expiry date that the portal shows. A warning begins 30 days before.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A certificate with its private key.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateBody {
    #[schema(inline)]
    pub kind: CertificateKind,
    /// The certificate in PEM form, as uploaded to the app registration.
    #[schema(write_only, min_length = 1, max_length = 65536)]
    pub certificate: String,
    /// The RSA private key in PEM form, without a passphrase.
    #[schema(write_only, min_length = 1, max_length = 65536)]
    pub private_key: String,
}

/// The service's own workload identity, if the operator allows it for this organization, tenant and client.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederatedBody {
    #[schema(inline)]
    pub kind: FederatedKind,
}

#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub enum ClientSecretKind {
    ClientSecret,
}

#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub enum CertificateKind {
    Certificate,
}

#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub enum FederatedKind {
    Federated,
}

impl fmt::Debug for CredentialBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialBody").field(&self.credential().kind()).finish()
    }
}

impl CredentialBody {
    pub fn credential(&self) -> Credential {
        match self {
            Self::ClientSecret(body) => Credential::ClientSecret(body.secret.clone().into()),
            Self::Certificate(body) => Credential::Certificate {
                certificate_pem: body.certificate.clone(),
                private_key_pem: body.private_key.clone().into(),
            },
            Self::Federated(_) => Credential::Federated,
        }
    }

    /// When the credential expires: as declared for a secret, as written in a certificate.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::ClientSecret(body) => body.expires_at,
            Self::Certificate(_) => self.credential().expires_at(),
            Self::Federated(_) => None,
        }
    }
}

/// What the document cannot say of a body with `tenantId` and `credential`: the tenant is a single tenant, the secret
/// is no Secret ID, certificate and key are readable and belong together. [`check_dates`] checks the dates, which
/// needs the clock.
pub fn check(body: &Value, faults: &mut Faults) {
    if let Some(tenant_id) = body.get("tenantId").and_then(Value::as_str) {
        validate_tenant_id(tenant_id, "/tenantId", faults);
    }
    if let Some(credential) = read(body) {
        credential.validate(None, "/credential", faults);
    }
}

/// What only the service can say of such a body: the certificate is valid today.
pub(super) fn check_now(app: &App, body: &Value, faults: &mut Faults) {
    if let Some(credential) = read(body) {
        credential.validate(Some(app.clock.now()), "/credential", faults);
    }
}

/// Reads each field alone, so that a fault of one does not hide the faults of the others.
fn read(body: &Value) -> Option<Credential> {
    let text = |name: &str| body.pointer(&format!("/credential/{name}")).and_then(Value::as_str).map(str::to_owned);
    Some(match (text("kind").as_deref(), text("secret"), text("certificate"), text("privateKey")) {
        (Some("clientSecret"), Some(secret), _, _) => Credential::ClientSecret(secret.into()),
        (Some("certificate"), _, Some(certificate_pem), key) => {
            Credential::Certificate { certificate_pem, private_key_pem: key.unwrap_or_default().into() }
        }
        _ => return None,
    })
}

/// Adds a fault if the certificate has expired or is not valid yet.
pub fn check_dates(credential: &CredentialBody, now: DateTime<Utc>, faults: &mut Faults) {
    credential.credential().validate(Some(now), "/credential", faults);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_three_kinds_are_read_and_shown_without_secrets() {
        for (body, kind) in [
            (json!({"kind": "clientSecret", "secret": "abc8Q~x", "expiresAt": "2027-01-01T00:00:00Z"}), "clientSecret"),
            (json!({"kind": "certificate", "certificate": "c", "privateKey": "abc8Q~x"}), "certificate"),
            (json!({"kind": "federated"}), "federated"),
        ] {
            let read: CredentialBody = serde_json::from_value(body).unwrap();
            assert_eq!(read.credential().kind().as_str(), kind);
            assert!(!format!("{read:?}").contains("abc8Q"));
        }
        assert!(serde_json::from_value::<CredentialBody>(json!({"kind": "federated", "secret": "x"})).is_err());
    }

    #[test]
    fn every_fault_is_named_where_it_is() {
        let body =
            json!({"tenantId": "common", "credential": {"kind": "certificate", "certificate": "x", "privateKey": "y"}});
        let mut faults = Faults::default();
        check(&body, &mut faults);
        let pointers: Vec<String> =
            faults.into_result().unwrap_err().faults.into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/tenantId", "/credential/certificate", "/credential/privateKey"]);
    }
}
