//! Credentials in request bodies. They are write-only: no response, log or error contains them.

use crate::app::App;
use crate::error::Faults;
use crate::graph::token::{Credential, normalize_tenant_id, validate_tenant_id};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

const CLIENT_ID_MALFORMED: &str = "must be a GUID: the Application (client) ID on the Overview of the app registration";
const CLIENT_ID_OF_ZEROS: &str = "A client id of zeros names no application. Enter the Application (client) ID from the Overview of the app registration.";

/// The form of a date alone, and a sample of it.
const DATE_FORMAT: &str = "%Y-%m-%d";
const DATE: &str = "2027-01-01";

/// How the application proves who it is.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(untagged)]
pub enum CredentialBody {
    ClientSecret(ClientSecretBody),
    Certificate(CertificateBody),
    Federated(FederatedBody),
    Awaited(AwaitedBody),
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
    /// The expiry date that the portal shows; a date alone stands for its beginning in UTC. A warning begins 30 days
    /// before.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A certificate with its private key.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateBody {
    #[schema(inline)]
    pub kind: CertificateKind,
    /// The certificate in PEM form, as uploaded to the app registration. Of several, the one that belongs to the key is
    /// used. A file with certificate and key is allowed in both fields.
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

/// No credential yet: somebody else enters it, by the link of a handover.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwaitedBody {
    #[schema(inline)]
    pub kind: AwaitedKind,
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

#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub enum AwaitedKind {
    Awaited,
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
            Self::Certificate(body) => Credential::certificate(&body.certificate, &body.private_key),
            Self::Federated(_) => Credential::Federated,
            Self::Awaited(_) => Credential::Awaited,
        }
    }

    /// When the credential expires: as declared for a secret, as written in a certificate.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::ClientSecret(body) => body.expires_at,
            Self::Certificate(_) => self.credential().expires_at(),
            Self::Federated(_) | Self::Awaited(_) => None,
        }
    }
}

/// Writes ids as Entra takes them, without blanks around them and a GUID with hyphens, and the date that the portal
/// shows for a secret as the beginning of that day.
pub fn prepare(body: &mut Value, faults: &mut Faults) {
    if let Some(Value::String(tenant_id)) = body.get_mut("tenantId") {
        *tenant_id = normalize_tenant_id(tenant_id);
    }
    if let Some(Value::String(client_id)) = body.get_mut("clientId") {
        match Uuid::parse_str(client_id.trim()) {
            Ok(id) if id.is_nil() => faults.push("/clientId", "client_malformed", CLIENT_ID_OF_ZEROS),
            Ok(id) => *client_id = id.to_string(),
            Err(_) => faults.push("/clientId", "invalid_format", CLIENT_ID_MALFORMED),
        }
    }
    if let Some(Value::String(expires_at)) = body.pointer_mut("/credential/expiresAt")
        && expires_at.trim().len() == DATE.len()
        && NaiveDate::parse_from_str(expires_at.trim(), DATE_FORMAT).is_ok()
    {
        *expires_at = format!("{}T00:00:00Z", expires_at.trim());
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
        (Some("certificate"), _, Some(certificate), key) => {
            Credential::certificate(&certificate, &key.unwrap_or_default())
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
    fn the_kinds_are_read_and_shown_without_secrets() {
        for (body, kind) in [
            (json!({"kind": "clientSecret", "secret": "abc8Q~x", "expiresAt": "2027-01-01T00:00:00Z"}), "clientSecret"),
            (json!({"kind": "certificate", "certificate": "c", "privateKey": "abc8Q~x"}), "certificate"),
            (json!({"kind": "federated"}), "federated"),
            (json!({"kind": "awaited"}), "awaited"),
        ] {
            let read: CredentialBody = serde_json::from_value(body).unwrap();
            assert_eq!(read.credential().kind().as_str(), kind);
            assert!(!format!("{read:?}").contains("abc8Q"));
        }
        assert!(serde_json::from_value::<CredentialBody>(json!({"kind": "federated", "secret": "x"})).is_err());
    }

    #[test]
    fn ids_and_dates_are_written_as_entra_and_the_document_have_them() {
        let prepared = |body: Value| {
            let (mut body, mut faults) = (body, Faults::default());
            prepare(&mut body, &mut faults);
            (body, faults.into_vec().into_iter().map(|fault| (fault.pointer, fault.code)).collect::<Vec<_>>())
        };
        let id = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        for form in
            [id.to_owned(), format!(" {id}\t"), format!("{{{id}}}"), format!("urn:uuid:{id}"), id.replace('-', "")]
        {
            let body = json!({"tenantId": form, "clientId": form, "credential": {"expiresAt": "2027-01-01"}});
            let expected = json!({"tenantId": id, "clientId": id, "credential": {"expiresAt": "2027-01-01T00:00:00Z"}});
            assert_eq!(prepared(body), (expected, vec![]), "{form}");
        }
        let fault = |code| vec![("/clientId".to_owned(), code)];
        assert_eq!(prepared(json!({"clientId": "my app"})).1, fault("invalid_format"));
        assert_eq!(prepared(json!({"clientId": Uuid::nil()})).1, fault("client_malformed"));
        for other in [json!("2027-13-01"), json!("01.01.2027"), json!("2027-01-01T00:00:00Z"), json!(7)] {
            let body = json!({"credential": {"expiresAt": other}});
            assert_eq!(prepared(body.clone()), (body, vec![]), "left to the document");
        }
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
