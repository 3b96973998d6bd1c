//! Groups. Their members and nested groups are read by code of their own.
//! Source: <https://learn.microsoft.com/graph/api/resources/group>.

use crate::directory::attribute::rows::{LIFECYCLE, OBJECT_ID, REMOVED_ON, TENANT_ID, link, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Link, Presence, ValueType};
use crate::directory::filterable::table;
use crate::directory::object_type::ObjectType;
use crate::directory::properties::{Properties, flag, has};
use crate::directory::type_spec::{ById, Collection, Disabled, Item, Reading, Relation, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{Boolean, DateTime, Text, Textarea};

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::Groups,
    singular: "group",
    plural: "groups",
    external_id: "group",
    type_name: "Entra Group",
    names: &[
        "entra group",
        "entra groups",
        "azure ad group",
        "azure ad groups",
        "aad group",
        "group",
        "groups",
        "security group",
        "security groups",
    ],
    description: "A group in Microsoft Entra ID",
    is_default: true,
    rank: 15,
    has_stubs: true,
    capability: Capability::Groups,
    probe: "/groups?$top=1&$select=id,displayName",
    collection: Collection { path: "groups", page: Some(999), by_id: ById::Filter, item: Item::Object },
    filter: Some(&table::GROUPS),
    relations: &[Relation { name: "owners", property: "ownerIds", read: Reading::Expand("owners($select=id)") }],
    label: &["displayName", "mail"],
    is_product: false,
    disabled: Disabled::NEVER,
    never_null: &["createdDateTime", "displayName", "mailEnabled", "mailNickname", "securityEnabled"],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: true,
    recycle_bin: Some("directory/deletedItems/microsoft.graph.group"),
};

/// Microsoft 365, Security, Mail-enabled security or Distribution.
/// Source: learn.microsoft.com/graph/api/resources/groups-overview, "Group types in Microsoft Entra ID".
fn group_kind(group: &Properties) -> &'static str {
    let is = |key: &str| flag(group, key) == Some(true);
    if has(group, "groupTypes", "Unified") {
        "Microsoft 365"
    } else if is("mailEnabled") && is("securityEnabled") {
        "Mail-enabled security"
    } else if is("mailEnabled") {
        "Distribution"
    } else {
        "Security"
    }
}

/// Assigned, or Dynamic (by a rule).
fn group_membership(group: &Properties) -> &'static str {
    if has(group, "groupTypes", "DynamicMembership") { "Dynamic" } else { "Assigned" }
}

/// Whether the group is a team in Microsoft Teams.
fn is_team(group: &Properties) -> bool {
    has(group, "resourceProvisioningOptions", "Team")
}

static ATTRIBUTES: &[Attribute] = &[
    OBJECT_ID,
    row(
        "displayName",
        "Display Name",
        Text,
        AttributeSource::Label,
        Always,
        "The name shown; where it is empty, the mail address or id.",
    ),
    property("description", "Description", Textarea, Default, "Description."),
    property("mail", "Mail", Text, Default, "The SMTP address."),
    row(
        "groupKind",
        "Group Kind",
        Text,
        AttributeSource::Derived(&["groupTypes", "mailEnabled", "securityEnabled"], |group| group_kind(group).into()),
        Default,
        "Microsoft 365, Security, Mail-enabled security or Distribution.",
    ),
    row(
        "membership",
        "Membership",
        Text,
        AttributeSource::Derived(&["groupTypes"], |group| group_membership(group).into()),
        Default,
        "Assigned, or Dynamic: by a rule.",
    ),
    property("membershipRule", "Membership Rule", Textarea, Default, "The rule of a dynamic group."),
    property("visibility", "Visibility", Text, Default, "Public, Private or HiddenMembership."),
    row(
        "teams",
        "Teams",
        Boolean,
        AttributeSource::Derived(&["resourceProvisioningOptions"], |group| is_team(group).into()),
        Default,
        "Whether the group is a team in Microsoft Teams.",
    ),
    property("createdDateTime", "Created", DateTime, Default, "When the group was created in Entra ID."),
    property(
        "onPremisesSyncEnabled",
        "On-premises Sync",
        Boolean,
        Default,
        "Whether the group is synchronised from an on-premises directory.",
    ),
    link("parentGroups", "Parent Groups", Link::ParentGroups, "The groups this group is a member of."),
    link("owners", "Owners", Link::OWNERS, "The users who own the group."),
    link("members", "Members", Link::Members, "The users in the group."),
    link("licenses", "Licenses", Link::LICENSES, "The licences assigned to the group's members through it."),
    property("mailNickname", "Mail Nickname", Text, OnRequest, "The mail alias."),
    property(
        "classification",
        "Classification",
        Text,
        OnRequest,
        "Classification, such as low or high business impact.",
    ),
    property("expirationDateTime", "Expires", DateTime, OnRequest, "When the group expires."),
    property("renewedDateTime", "Renewed", DateTime, OnRequest, "When the group was last renewed."),
    property(
        "proxyAddresses",
        "Proxy Addresses",
        Textarea,
        OnRequest,
        "All addresses of the group, separated by commas.",
    ),
    property("securityIdentifier", "Security Identifier", Text, OnRequest, "The SID in Entra ID."),
    property(
        "isAssignableToRole",
        "Assignable to Role",
        Boolean,
        OnRequest,
        "Whether directory roles can be assigned to the group.",
    ),
    property("mailEnabled", "Mail Enabled", Boolean, OnRequest, "Whether the group receives mail."),
    property(
        "securityEnabled",
        "Security Enabled",
        Boolean,
        OnRequest,
        "Whether the group can be used to grant access.",
    ),
    property("membershipRuleProcessingState", "Membership Rule State", Text, OnRequest, "On or Paused."),
    property(
        "preferredDataLocation",
        "Preferred Data Location",
        Text,
        OnRequest,
        "Where the group's data should be kept.",
    ),
    property("preferredLanguage", "Preferred Language", Text, OnRequest, "Language tag such as en-US."),
    property("theme", "Theme", Text, OnRequest, "Colour theme of a Microsoft 365 group."),
    property("uniqueName", "Unique Name", Text, OnRequest, "An immutable name given when the group was created."),
    property(
        "onPremisesSamAccountName",
        "SAM Account Name",
        Text,
        OnRequest,
        "The sAMAccountName in the on-premises directory.",
    ),
    property(
        "onPremisesDomainName",
        "On-premises Domain",
        Text,
        OnRequest,
        "The DNS domain of the on-premises directory.",
    ),
    property(
        "onPremisesSecurityIdentifier",
        "On-premises Security Identifier",
        Text,
        OnRequest,
        "The SID in the on-premises directory.",
    ),
    property(
        "onPremisesLastSyncDateTime",
        "On-premises Last Sync",
        DateTime,
        OnRequest,
        "When the group was last synchronised.",
    ),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_kind_of_a_group_follows_its_flags() {
        let kind = |types: Value, mail: bool, security: bool| {
            group_kind(&properties(json!({"groupTypes": types, "mailEnabled": mail, "securityEnabled": security})))
        };
        assert_eq!(kind(json!(["Unified"]), true, false), "Microsoft 365");
        assert_eq!(kind(json!(["DynamicMembership", "Unified"]), true, true), "Microsoft 365");
        assert_eq!(kind(json!([]), false, true), "Security");
        assert_eq!(kind(json!([]), true, true), "Mail-enabled security");
        assert_eq!(kind(json!([]), true, false), "Distribution");
        assert_eq!(group_membership(&properties(json!({"groupTypes": ["DynamicMembership"]}))), "Dynamic");
        assert_eq!(group_membership(&properties(json!({}))), "Assigned");
        assert!(is_team(&properties(json!({"resourceProvisioningOptions": ["Team"]}))));
    }
}
