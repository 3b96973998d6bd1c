//! The secrets, certificates and federated credentials of app registrations. Graph has them within the applications.
//! Source: <https://learn.microsoft.com/graph/api/application-list>, with the resources `passwordCredential`, `keyCredential`
//! and `federatedIdentityCredential`.

use crate::directory::attribute::rows::{LIFECYCLE, REMOVED_ON, TENANT_ID, expiry, link, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Link, Presence, ValueType};
use crate::directory::object_type::ObjectType;
use crate::directory::properties::{Properties, items, text};
use crate::directory::type_spec::{ById, Collection, Disabled, Expanded, Item, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{DateTime, Text, Textarea};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::AppCredentials,
    singular: "application credential",
    plural: "application credentials",
    external_id: "appCredential",
    type_name: "Entra App Credential",
    names: &["entra app credential", "app credential", "app credentials", "app secrets"],
    description: "A secret, certificate or federated credential of an app registration in Microsoft Entra ID",
    is_default: false,
    rank: 40,
    has_stubs: false,
    capability: Capability::Applications,
    probe: "/applications?$top=1&$select=id,passwordCredentials,keyCredentials",
    collection: Collection {
        path: "applications",
        page: Some(999),
        by_id: ById::OneByOne("applicationId"),
        item: Item::Parts {
            select: &["id", "appId", "displayName", "passwordCredentials", "keyCredentials"],
            // An application has at most twenty of them, so none is left out.
            expand: Some(Expanded {
                property: FEDERATED.0,
                path: "applications/{id}/federatedIdentityCredentials",
                holds: |credential| text(credential, "kind") == Some(FEDERATED.1),
            }),
            of: credentials_of,
        },
    },
    filter: None,
    relations: &[],
    label: &["label"],
    is_product: false,
    disabled: Disabled::NEVER,
    never_null: &[],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: false,
    recycle_bin: None,
};

const FEDERATED: (&str, &str, &str) = ("federatedIdentityCredentials", "Federated", "id");

/// The lists of an application with its credentials, what they are, and what each is called by.
const KINDS: [(&str, &str, &str); 3] =
    [("passwordCredentials", "Secret", "keyId"), ("keyCredentials", "Certificate", "keyId"), FEDERATED];

fn credentials_of(application: &Properties) -> Vec<(Uuid, Properties)> {
    let Some(of) = text(application, "id").and_then(|id| Uuid::parse_str(id).ok()) else { return Vec::new() };
    let all = KINDS.iter().flat_map(|(list, kind, key)| items(application, list).map(move |item| (item, *kind, *key)));
    all.filter_map(|(item, kind, key)| credential(application, of, item.as_object()?, kind, key)).collect()
}

fn credential(
    application: &Properties,
    of: Uuid,
    found: &Properties,
    kind: &str,
    key: &str,
) -> Option<(Uuid, Properties)> {
    let key_id = text(found, key)?;
    let mut made = found.clone();
    // The value of a secret never comes; a certificate is long, and public.
    ["key", "secretText", "id"].iter().for_each(|name| drop(made.remove(*name)));
    let named = text(found, "displayName").or_else(|| text(found, "name")).or_else(|| text(found, "hint"));
    let whose = text(application, "displayName").or_else(|| text(application, "appId")).unwrap_or_default();
    made.insert("label".to_owned(), format!("{whose}: {}", named.unwrap_or(kind)).into());
    made.insert("kind".to_owned(), kind.into());
    made.insert("keyId".to_owned(), key_id.into());
    made.insert("applicationId".to_owned(), of.to_string().into());
    Some((id_of(of, key_id), made))
}

/// A key id is unique within its application only: whoever adds a certificate can choose it.
fn id_of(application: Uuid, key_id: &str) -> Uuid {
    let digest = Sha256::digest([application.as_bytes(), key_id.to_ascii_lowercase().as_bytes()].concat());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

static ATTRIBUTES: &[Attribute] = &[
    row(
        "credentialId",
        "Credential ID",
        Text,
        AttributeSource::Identity("id"),
        Always,
        "An id made of those of the application and of the key. Assets recognises the credential by it.",
    ),
    row(
        "name",
        "Name",
        Text,
        AttributeSource::Label,
        Always,
        "The application's name and the credential's, or how the secret begins.",
    ),
    property("kind", "Kind", Text, Default, "Secret, Certificate or Federated."),
    property("keyId", "Key ID", Text, Default, "The id that Entra ID shows."),
    property("hint", "Hint", Text, Default, "The first characters of a secret."),
    property("startDateTime", "Starts", DateTime, Default, "From when it is valid."),
    property("endDateTime", "Expires", DateTime, Default, "Until when it is valid."),
    expiry(
        "status",
        "Status",
        &["endDateTime"],
        |credential| credential.get("endDateTime").cloned().unwrap_or(Value::Null),
        "Valid, Expires soon (within 30 days) or Expired. Empty for a federated credential, which does not expire.",
    ),
    link(
        "application",
        "Application",
        Link::one("applicationId", ObjectType::Applications),
        "The application that it belongs to.",
    ),
    property("usage", "Usage", Text, OnRequest, "What a certificate is for: Verify or Sign."),
    property("type", "Type", Text, OnRequest, "The type of a certificate, such as AsymmetricX509Cert."),
    property("customKeyIdentifier", "Custom Key Identifier", Textarea, OnRequest, "The thumbprint of a certificate."),
    property("issuer", "Issuer", Textarea, OnRequest, "The identity provider that a federated credential trusts."),
    property("subject", "Subject", Textarea, OnRequest, "Whom a federated credential trusts there."),
    property("audiences", "Audiences", Textarea, OnRequest, "The audiences of a federated credential."),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(application: Value) -> Vec<(Uuid, Properties)> {
        credentials_of(application.as_object().unwrap())
    }

    #[test]
    fn every_credential_of_an_application_is_an_object() {
        let application = json!({
            "id": Uuid::from_u128(1), "displayName": "Payroll",
            "passwordCredentials": [{"keyId": Uuid::from_u128(2), "displayName": "old", "hint": "q7P", "endDateTime": "2026-01-01T00:00:00Z"},
                                    {"keyId": Uuid::from_u128(3), "hint": "abc"}],
            "keyCredentials": [{"keyId": Uuid::from_u128(4), "key": "MII…", "usage": "Verify"}],
            "federatedIdentityCredentials": [{"id": Uuid::from_u128(5), "name": "pipeline", "issuer": "https://x"}],
        });
        let labels: Vec<String> = made(application.clone()).iter().map(|(_, made)| made["label"].to_string()).collect();
        assert_eq!(
            labels,
            [r#""Payroll: old""#, r#""Payroll: abc""#, r#""Payroll: Certificate""#, r#""Payroll: pipeline""#]
        );
        let all = made(application);
        assert!(all.iter().all(|(_, made)| made["applicationId"] == json!(Uuid::from_u128(1))));
        assert!(!all[2].1.contains_key("key") && all[3].1["keyId"] == json!(Uuid::from_u128(5)));
    }

    #[test]
    fn the_same_key_in_two_applications_is_two_objects_and_always_the_same_two() {
        let of = |application: u128| {
            let credential = json!([{"keyId": Uuid::from_u128(9)}]);
            made(json!({"id": Uuid::from_u128(application), "keyCredentials": credential}))[0].0
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
