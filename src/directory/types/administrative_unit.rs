//! Administrative units, with their members.
//! Source: <https://learn.microsoft.com/graph/api/directory-list-administrativeunits>,
//! <https://learn.microsoft.com/graph/api/administrativeunit-list-members>.

use crate::directory::attribute::rows::{LIFECYCLE, OBJECT_ID, REMOVED_ON, TENANT_ID, link, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Link, MEMBER_IDS, Presence, ValueType};
use crate::directory::filterable::{Filterable, Type, one};
use crate::directory::object_type::ObjectType;
use crate::directory::type_spec::{ById, Collection, Disabled, Each, Item, Reading, Relation, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{Boolean, Text, Textarea};

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::AdministrativeUnits,
    singular: "administrative unit",
    plural: "administrative units",
    external_id: "administrativeUnit",
    type_name: "Entra Administrative Unit",
    names: &["entra administrative unit", "administrative unit", "administrative units"],
    description: "An administrative unit in Microsoft Entra ID",
    is_default: false,
    rank: 50,
    has_stubs: false,
    capability: Capability::AdministrativeUnits,
    probe: "/directory/administrativeUnits?$top=1&$select=id,displayName",
    collection: Collection {
        path: "directory/administrativeUnits",
        page: Some(999),
        by_id: ById::OneByOne("id"),
        item: Item::Object,
    },
    filter: Some(&FILTER),
    relations: &[Relation {
        name: "members",
        property: MEMBER_IDS,
        read: Reading::Each(Each { path: "directory/administrativeUnits/{id}/members?$top=999&$select=id", id: "id" }),
    }],
    label: &["displayName"],
    is_product: false,
    disabled: Disabled::NEVER,
    never_null: &["displayName"],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: true,
    recycle_bin: Some("directory/deletedItems/microsoft.graph.administrativeUnit"),
};

/// `members` is a relation. Sources: the resource page; docs/graph.md, «Filters», for what works by default.
static FILTER: Filterable = Filterable {
    properties: &[
        one("description", Type::String, b"a-a-"),
        one("displayName", Type::String, b"dada"),
        one("id", Type::String, b"d---"),
    ],
    advanced: true,
    unfilterable: &[
        "isMemberManagementRestricted",
        "membershipRule",
        "membershipRuleProcessingState",
        "membershipType",
        "visibility",
    ],
};

static ATTRIBUTES: &[Attribute] = &[
    OBJECT_ID,
    row("displayName", "Display Name", Text, AttributeSource::Label, Always, "The name of the unit."),
    property("description", "Description", Textarea, Default, "Description."),
    property(
        "isMemberManagementRestricted",
        "Restricted Management",
        Boolean,
        Default,
        "Whether only administrators of the unit can change its members.",
    ),
    property("membershipType", "Membership", Text, Default, "Assigned, or Dynamic (by a rule)."),
    property("membershipRule", "Membership Rule", Textarea, Default, "The rule of a dynamic unit."),
    link("memberUsers", "Members", Link::many(MEMBER_IDS, ObjectType::Users), "The users in the unit."),
    link("memberGroups", "Member Groups", Link::many(MEMBER_IDS, ObjectType::Groups), "The groups in the unit."),
    link("memberDevices", "Member Devices", Link::many(MEMBER_IDS, ObjectType::Devices), "The devices in the unit."),
    property("visibility", "Visibility", Text, OnRequest, "HiddenMembership, or empty for a public unit."),
    property(
        "membershipRuleProcessingState",
        "Rule Processing",
        Text,
        OnRequest,
        "Whether the rule is in force: On or Paused.",
    ),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];
