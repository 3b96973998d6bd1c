//! The tenant itself.
//! Source: <https://learn.microsoft.com/graph/api/organization-list>, <https://learn.microsoft.com/graph/api/resources/organization>.

use crate::directory::attribute::rows::{LIFECYCLE, REMOVED_ON, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Presence, ValueType};
use crate::directory::object_type::ObjectType;
use crate::directory::properties::{Properties, items};
use crate::directory::type_spec::{ById, Collection, Disabled, Item, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{Boolean, DateTime, Text, Textarea};
use serde_json::Value;

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::Tenants,
    singular: "tenant",
    plural: "tenants",
    external_id: "tenant",
    type_name: "Entra Tenant",
    names: &["entra tenant", "tenant", "tenants"],
    description: "A tenant of Microsoft Entra ID",
    is_default: false,
    rank: 0,
    has_stubs: false,
    capability: Capability::Tenants,
    probe: "/organization?$select=id,displayName",
    collection: Collection { path: "organization", page: None, by_id: ById::Never, item: Item::Object },
    filter: None,
    relations: &[],
    label: &["displayName"],
    is_product: false,
    disabled: Disabled::NEVER,
    never_null: &["displayName"],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: false,
    recycle_bin: None,
};

/// The names of its domains.
fn domains(tenant: &Properties) -> impl Iterator<Item = (&str, &Value)> {
    items(tenant, "verifiedDomains").filter_map(|domain| Some((domain.get("name")?.as_str()?, domain)))
}

fn domain_that_is(tenant: &Properties, what: &str) -> Value {
    domains(tenant).find(|(_, domain)| domain.get(what) == Some(&Value::Bool(true))).map(|(name, _)| name).into()
}

static ATTRIBUTES: &[Attribute] = &[
    row(
        "tenantId",
        "Tenant ID",
        Text,
        AttributeSource::Identity("id"),
        Always,
        "The id of the tenant. Assets recognises the object by it.",
    ),
    row("displayName", "Display Name", Text, AttributeSource::Label, Always, "The name of the organization."),
    row(
        "defaultDomain",
        "Default Domain",
        Text,
        AttributeSource::Derived(&["verifiedDomains"], |tenant| domain_that_is(tenant, "isDefault")),
        Default,
        "The domain that new users get.",
    ),
    row(
        "initialDomain",
        "Initial Domain",
        Text,
        AttributeSource::Derived(&["verifiedDomains"], |tenant| domain_that_is(tenant, "isInitial")),
        Default,
        "The domain that the tenant was created with.",
    ),
    row(
        "domains",
        "Domains",
        Textarea,
        AttributeSource::Derived(&["verifiedDomains"], |tenant| {
            domains(tenant).map(|(name, _)| Value::from(name)).collect()
        }),
        Default,
        "All verified domains, separated by commas.",
    ),
    property("tenantType", "Tenant Type", Text, Default, "AAD, CIAM or AAD B2C."),
    property("countryLetterCode", "Country", Text, Default, "Two-letter code of the country."),
    property("createdDateTime", "Created", DateTime, Default, "When the tenant was created."),
    property(
        "onPremisesSyncEnabled",
        "On-premises Sync",
        Boolean,
        Default,
        "Whether it is synchronised from an on-premises directory.",
    ),
    property(
        "technicalNotificationMails",
        "Technical Notification Mails",
        Textarea,
        OnRequest,
        "Whom Microsoft informs, separated by commas.",
    ),
    LIFECYCLE,
    REMOVED_ON,
];
