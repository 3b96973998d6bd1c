//! Service principals: what the Entra admin center calls enterprise applications, and managed identities.
//! Source: <https://learn.microsoft.com/graph/api/serviceprincipal-list>,
//! <https://learn.microsoft.com/graph/api/resources/serviceprincipal>.

use crate::directory::attribute::rows::{LIFECYCLE, OBJECT_ID, REMOVED_ON, TENANT_ID, expiry, link, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Link, Presence, ValueType};
use crate::directory::filterable::{Filterable, Type, one, texts};
use crate::directory::object_type::ObjectType;
use crate::directory::properties::{Properties, items, text};
use crate::directory::type_spec::{ById, Collection, Disabled, Each, Item, Reading, Relation, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{Boolean, DateTime, Text, Textarea};
use serde_json::Value;

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::ServicePrincipals,
    singular: "service principal",
    plural: "service principals",
    external_id: "servicePrincipal",
    type_name: "Entra Service Principal",
    names: &["entra service principal", "service principal", "service principals", "enterprise application"],
    description: "An enterprise application or managed identity in Microsoft Entra ID",
    is_default: false,
    rank: 30,
    has_stubs: false,
    capability: Capability::ServicePrincipals,
    probe: "/servicePrincipals?$top=1&$select=id,displayName",
    collection: Collection { path: "servicePrincipals", page: Some(999), by_id: ById::Filter, item: Item::Object },
    filter: Some(&FILTER),
    relations: &[Relation {
        name: "owners",
        property: "ownerIds",
        read: Reading::ExpandOrEach(
            "owners($select=id)",
            Each { path: "servicePrincipals/{id}/owners?$top=999&$select=id", id: "id" },
        ),
    }],
    label: &["displayName", "appDisplayName", "appId"],
    is_product: false,
    disabled: Disabled::BY_ACCOUNT,
    never_null: &["accountEnabled", "appId", "servicePrincipalType"],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: true,
    recycle_bin: Some("directory/deletedItems/microsoft.graph.servicePrincipal"),
};

/// The end of the newest certificate that signs SAML tokens: older ones stay beside it.
fn saml_expiry(principal: &Properties) -> Value {
    if text(principal, "preferredSingleSignOnMode") != Some("saml") {
        return Value::Null;
    }
    let signs = |key: &&Value| key.get("usage").and_then(Value::as_str) == Some("Sign");
    let ends = items(principal, "keyCredentials").filter(signs).filter_map(|key| key.get("endDateTime"));
    // Times of Graph are all in the same form and in UTC, so their order is that of their texts.
    ends.filter_map(Value::as_str).max().into()
}

const SAML: &[&str] = &["preferredSingleSignOnMode", "keyCredentials"];

/// `owners` is a relation. Sources: the resource page; docs/graph.md, «Filters», for what works by default.
static FILTER: Filterable = Filterable {
    properties: &[
        one("accountEnabled", Type::Boolean, b"a---"),
        texts("alternativeNames", b"aaa-"),
        one("appId", Type::String, b"d-a-"),
        one("appOwnerOrganizationId", Type::Guid, b"aa--"),
        one("appRoleAssignmentRequired", Type::Boolean, b"a---"),
        one("description", Type::String, b"aaa-"),
        one("disabledByMicrosoftStatus", Type::String, b"a---"),
        one("displayName", Type::String, b"dada"),
        one("id", Type::String, b"d---"),
        texts("servicePrincipalNames", b"daa-"),
        one("servicePrincipalType", Type::String, b"d---"),
        texts("tags", b"daa-"),
    ],
    advanced: true,
    unfilterable: &[
        "appDisplayName",
        "appRoles",
        "homepage",
        "keyCredentials",
        "loginUrl",
        "notes",
        "notificationEmailAddresses",
        "passwordCredentials",
        "preferredSingleSignOnMode",
        "signInAudience",
        "verifiedPublisher",
    ],
};

static ATTRIBUTES: &[Attribute] = &[
    OBJECT_ID,
    row("displayName", "Display Name", Text, AttributeSource::Label, Always, "The name of the service principal."),
    property("appId", "Application ID", Text, Default, "The application (client) id."),
    property("servicePrincipalType", "Kind", Text, Default, "Application, ManagedIdentity, Legacy or SocialIdp."),
    property("accountEnabled", "Account Enabled", Boolean, Default, "Whether users can sign in to it."),
    property(
        "appRoleAssignmentRequired",
        "Assignment Required",
        Boolean,
        Default,
        "Whether only those who are assigned to it can sign in.",
    ),
    property(
        "preferredSingleSignOnMode",
        "Single Sign-on",
        Text,
        Default,
        "How users sign in: saml, oidc, password or notSupported.",
    ),
    row(
        "samlExpiry",
        "SAML Certificate Expires",
        DateTime,
        AttributeSource::Derived(SAML, saml_expiry),
        Default,
        "Until when the newest certificate that signs SAML tokens is valid.",
    ),
    expiry(
        "samlStatus",
        "SAML Certificate Status",
        SAML,
        saml_expiry,
        "Valid, Expires soon (within 30 days) or Expired. Empty without a SAML certificate.",
    ),
    row(
        "publisher",
        "Publisher",
        Text,
        AttributeSource::Field("verifiedPublisher", "displayName"),
        Default,
        "The verified publisher.",
    ),
    link("owners", "Owners", Link::OWNERS, "The users who own the service principal."),
    link(
        "application",
        "Application",
        Link::Same { property: "appId", target: ObjectType::Applications, theirs: "appId" },
        "The app registration, if it is in this tenant.",
    ),
    property(
        "appOwnerOrganizationId",
        "Publisher Tenant ID",
        Text,
        OnRequest,
        "The tenant in which the application is registered.",
    ),
    property("appDisplayName", "Application Name", Text, OnRequest, "The name that the application was registered by."),
    property("description", "Description", Textarea, OnRequest, "Description for those who use it."),
    property("notes", "Notes", Textarea, OnRequest, "Notes of those who manage it."),
    property("homepage", "Home Page", Textarea, OnRequest, "The home page of the application."),
    property("loginUrl", "Sign-on URL", Textarea, OnRequest, "Where users sign in."),
    property("signInAudience", "Sign-in Audience", Text, OnRequest, "Who can sign in to the application."),
    property("tags", "Tags", Textarea, OnRequest, "Tags, separated by commas."),
    property(
        "notificationEmailAddresses",
        "Notification Mails",
        Textarea,
        OnRequest,
        "Who is told when a SAML certificate expires, separated by commas.",
    ),
    property(
        "servicePrincipalNames",
        "Service Principal Names",
        Textarea,
        OnRequest,
        "Its identifier URIs and names, separated by commas.",
    ),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_saml_certificate_counts() {
        let key = |usage: &str, end: &str| json!({"usage": usage, "endDateTime": end});
        let keys = json!([
            key("Sign", "2025-01-01T00:00:00Z"),
            key("Sign", "2027-05-01T00:00:00Z"),
            key("Verify", "2030-01-01T00:00:00Z")
        ]);
        let of = |mode: &str| {
            saml_expiry(json!({"preferredSingleSignOnMode": mode, "keyCredentials": keys}).as_object().unwrap())
        };
        assert_eq!((of("saml"), of("oidc")), (json!("2027-05-01T00:00:00Z"), Value::Null));
    }
}
