//! App registrations. Their credentials are a type of their own.
//! Source: <https://learn.microsoft.com/graph/api/application-list>, <https://learn.microsoft.com/graph/api/resources/application>.

use crate::directory::attribute::rows::{LIFECYCLE, OBJECT_ID, REMOVED_ON, TENANT_ID, expiry, link, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Link, Presence, ValueType};
use crate::directory::filterable::{Filterable, Type, one, texts};
use crate::directory::object_type::ObjectType;
use crate::directory::properties::{Properties, items, text};
use crate::directory::type_spec::{ById, Collection, Disabled, Each, Item, Reading, Relation, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{Boolean, DateTime, Integer, Text, Textarea};
use serde_json::Value;

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::Applications,
    singular: "application",
    plural: "applications",
    external_id: "application",
    type_name: "Entra Application",
    names: &["entra application", "entra applications", "app registration", "app registrations"],
    description: "An app registration in Microsoft Entra ID",
    is_default: false,
    rank: 35,
    has_stubs: false,
    capability: Capability::Applications,
    probe: "/applications?$top=1&$select=id,displayName",
    collection: Collection { path: "applications", page: Some(999), by_id: ById::Filter, item: Item::Object },
    filter: Some(&FILTER),
    relations: &[Relation {
        name: "owners",
        property: "ownerIds",
        read: Reading::ExpandOrEach(
            "owners($select=id)",
            Each { path: "applications/{id}/owners?$top=999&$select=id", id: "id" },
        ),
    }],
    label: &["displayName", "appId"],
    is_product: false,
    disabled: Disabled {
        by: &["disabledByMicrosoftStatus"],
        when: |application| {
            text(application, "disabledByMicrosoftStatus")
                .is_some_and(|status| status.starts_with("DisabledDueToViolation"))
        },
    },
    never_null: &["appId"],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: true,
    recycle_bin: Some("directory/deletedItems/microsoft.graph.application"),
};

/// The secrets and certificates of an application or a service principal.
fn credentials(application: &Properties) -> impl Iterator<Item = &Value> {
    items(application, "passwordCredentials").chain(items(application, "keyCredentials"))
}

/// When the first of them expires, or expired.
fn first_expiry(application: &Properties) -> Value {
    let ends = credentials(application).filter_map(|credential| credential.get("endDateTime"));
    // Times of Graph are all in the same form and in UTC, so their order is that of their texts.
    ends.filter_map(Value::as_str).min().into()
}

const CREDENTIALS: &[&str] = &["passwordCredentials", "keyCredentials"];

/// `owners` is a relation. Sources: the resource page; docs/graph.md, «Filters», for what works by default.
static FILTER: Filterable = Filterable {
    properties: &[
        one("appId", Type::String, b"d---"),
        one("createdDateTime", Type::DateTime, b"aa-a"),
        one("description", Type::String, b"aaa-"),
        one("disabledByMicrosoftStatus", Type::String, b"a---"),
        one("displayName", Type::String, b"dada"),
        one("id", Type::String, b"d---"),
        texts("identifierUris", b"daa-"),
        one("publisherDomain", Type::String, b"aaa-"),
        one("signInAudience", Type::String, b"a---"),
        texts("tags", b"aaa-"),
    ],
    advanced: true,
    unfilterable: &[
        "api",
        "appRoles",
        "isFallbackPublicClient",
        "keyCredentials",
        "notes",
        "passwordCredentials",
        "requiredResourceAccess",
        "serviceManagementReference",
        "web",
    ],
};

static ATTRIBUTES: &[Attribute] = &[
    OBJECT_ID,
    row("displayName", "Display Name", Text, AttributeSource::Label, Always, "The name of the application."),
    property("appId", "Application ID", Text, Default, "The application (client) id."),
    property("createdDateTime", "Created", DateTime, Default, "When the application was registered."),
    property(
        "signInAudience",
        "Sign-in Audience",
        Text,
        Default,
        "Who can sign in: AzureADMyOrg (this tenant), AzureADMultipleOrgs and others.",
    ),
    property("publisherDomain", "Publisher Domain", Text, Default, "The verified domain of the publisher."),
    row(
        "credentialCount",
        "Credentials",
        Integer,
        AttributeSource::Derived(CREDENTIALS, |application| credentials(application).count().into()),
        Default,
        "How many secrets and certificates it has.",
    ),
    row(
        "firstExpiry",
        "First Expiry",
        DateTime,
        AttributeSource::Derived(CREDENTIALS, first_expiry),
        Default,
        "When the first of its secrets and certificates expires, or expired.",
    ),
    expiry(
        "credentialStatus",
        "Credential Status",
        CREDENTIALS,
        first_expiry,
        "Expired or Expires soon, if one of its secrets and certificates is so; else Valid. Empty without any.",
    ),
    link("owners", "Owners", Link::OWNERS, "The users who own the application."),
    link(
        "servicePrincipal",
        "Service Principal",
        Link::Same { property: "appId", target: ObjectType::ServicePrincipals, theirs: "appId" },
        "The enterprise application in this tenant.",
    ),
    property("description", "Description", Textarea, OnRequest, "Description."),
    property("notes", "Notes", Textarea, OnRequest, "Notes of those who manage the application."),
    property(
        "serviceManagementReference",
        "Service Management Reference",
        Text,
        OnRequest,
        "What the application is called in a system for service management.",
    ),
    property("identifierUris", "Identifier URIs", Textarea, OnRequest, "Its URIs, separated by commas."),
    property("tags", "Tags", Textarea, OnRequest, "Tags, separated by commas."),
    property(
        "isFallbackPublicClient",
        "Public Client",
        Boolean,
        OnRequest,
        "Whether it counts as a public client, such as an app on a device.",
    ),
    property(
        "disabledByMicrosoftStatus",
        "Disabled by Microsoft",
        Text,
        OnRequest,
        "Whether Microsoft has disabled the application.",
    ),
    row(
        "homePage",
        "Home Page",
        Textarea,
        AttributeSource::Field("web", "homePageUrl"),
        OnRequest,
        "The home page of the application.",
    ),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];
