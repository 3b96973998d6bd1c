//! Directory roles, with those who have them. Who could take a role for a time is not among them.
//! Source: <https://learn.microsoft.com/graph/api/rbacapplication-list-roledefinitions>,
//! <https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments>.

use crate::directory::attribute::rows::{LIFECYCLE, OBJECT_ID, REMOVED_ON, TENANT_ID, link, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Link, MEMBER_IDS, Presence, ValueType};
use crate::directory::filterable::{Filterable, Type, one};
use crate::directory::object_type::ObjectType;
use crate::directory::properties::{Properties, flag, text};
use crate::directory::type_spec::{ById, Collection, Disabled, Each, Item, Reading, Relation, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{Boolean, Text, Textarea};
use serde_json::Value;

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::Roles,
    singular: "role",
    plural: "roles",
    external_id: "role",
    type_name: "Entra Role",
    names: &["entra role", "entra roles", "directory role", "directory roles"],
    description: "A directory role in Microsoft Entra ID",
    is_default: false,
    rank: 45,
    has_stubs: false,
    capability: Capability::Roles,
    probe: "/roleManagement/directory/roleDefinitions?$select=id,displayName",
    collection: Collection {
        path: "roleManagement/directory/roleDefinitions",
        // `$top` is not among the options of its list.
        page: None,
        by_id: ById::OneByOne("id"),
        item: Item::Object,
    },
    filter: Some(&FILTER),
    // By role, because a list of all assignments was not always allowed. Source: docs/graph.md, «Other collections».
    relations: &[Relation {
        name: "members",
        property: MEMBER_IDS,
        read: Reading::Each(Each {
            path: "roleManagement/directory/roleAssignments?$filter=roleDefinitionId eq '{id}'&$select=id,principalId",
            id: "principalId",
        }),
    }],
    label: &["displayName"],
    is_product: false,
    disabled: Disabled { by: &["isEnabled"], when: |role| flag(role, "isEnabled") == Some(false) },
    never_null: &["displayName", "isBuiltIn", "isEnabled"],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: false,
    recycle_bin: None,
};

/// `eq` and `in` on these three, and nothing else. Source: the page of the list, «Optional query parameters».
static FILTER: Filterable = Filterable {
    properties: &[
        one("displayName", Type::String, b"d---"),
        one("id", Type::String, b"d---"),
        one("isBuiltIn", Type::Boolean, b"d---"),
    ],
    advanced: false,
    unfilterable: &["description", "isEnabled", "resourceScopes", "rolePermissions", "templateId", "version"],
};

/// The template ids of the built-in roles that Microsoft calls privileged.
/// Source: <https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference>, January 2026.
const PRIVILEGED: [&str; 29] = [
    "db506228-d27e-4b7d-95e5-295956d6615f", // Agent ID Administrator
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", // Application Administrator
    "cf1c38e5-3621-4004-a7cb-879624dced7c", // Application Developer
    "ecb2c6bf-0ab6-418e-bd87-7986f8d63bbe", // Attribute Provisioning Administrator
    "422218e4-db15-4ef9-bbe0-8afb41546d79", // Attribute Provisioning Reader
    "c4e39bd9-1100-46d3-8c65-fb160da0071f", // Authentication Administrator
    "25a516ed-2fa0-40ea-a2d0-12923a21473a", // Authentication Extensibility Administrator
    "aaf43236-0c0d-4d5f-883a-6955382ac081", // B2C IEF Keyset Administrator
    "158c047a-c907-4556-b7ef-446551a6b5f7", // Cloud Application Administrator
    "7698a772-787b-4ac8-901f-60d6b08affd2", // Cloud Device Administrator
    "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", // Conditional Access Administrator
    "9360feb5-f418-4baa-8175-e2a00bac4301", // Directory Writers
    "8329153b-31d0-4727-b945-745eb3bc5f31", // Domain Name Administrator
    "be2f45a1-457d-42af-a067-6ec1fa63bc45", // External Identity Provider Administrator
    "62e90394-69f5-4237-9190-012177145e10", // Global Administrator
    "f2ef992c-3afb-46b9-b7cf-a126ee74c451", // Global Reader
    "729827e3-9c14-49f7-bb1b-9608f156bbb8", // Helpdesk Administrator
    "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", // Hybrid Identity Administrator
    "3a2c62db-5318-420d-8d74-23affee5d9d5", // Intune Administrator
    "59d46f88-662b-457b-bceb-5c3809e5908f", // Lifecycle Workflows Administrator
    "4ba39ca4-527c-499a-b93d-d9b492c50246", // Partner Tier1 Support
    "e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8", // Partner Tier2 Support
    "966707d0-3269-4727-9be2-8c3a10f19b9d", // Password Administrator
    "7be44c8a-adaf-4e2a-84d6-ab2649e08a13", // Privileged Authentication Administrator
    "e8611ab8-c189-46e8-94e1-60213ab1f814", // Privileged Role Administrator
    "194ae4cb-b126-40b2-bd5b-6091b380977d", // Security Administrator
    "5f2222b1-57c3-48ba-8ad5-d4759f1fde6f", // Security Operator
    "5d6b6bb7-de71-4623-b4af-96380a352509", // Security Reader
    "fe930be7-5e62-47db-91af-98c3a49a38b1", // User Administrator
];

/// Whether a built-in role is privileged. What a role of the tenant's own allows is not known here.
fn is_privileged(role: &Properties) -> Value {
    match (flag(role, "isBuiltIn"), text(role, "templateId")) {
        (Some(true), Some(template)) => PRIVILEGED.iter().any(|known| known.eq_ignore_ascii_case(template)).into(),
        _ => Value::Null,
    }
}

static ATTRIBUTES: &[Attribute] = &[
    OBJECT_ID,
    row("displayName", "Display Name", Text, AttributeSource::Label, Always, "The name of the role."),
    property("description", "Description", Textarea, Default, "What the role is for."),
    property(
        "isBuiltIn",
        "Built-in",
        Boolean,
        Default,
        "Whether it is one of Microsoft's roles, or one of the tenant's own.",
    ),
    property("isEnabled", "Enabled", Boolean, Default, "Whether the role can be assigned."),
    row(
        "privileged",
        "Privileged",
        Boolean,
        AttributeSource::Derived(&["isBuiltIn", "templateId"], is_privileged),
        Default,
        "Whether Microsoft calls the built-in role privileged. Empty for a role of the tenant's own.",
    ),
    link("memberUsers", "Members", Link::many(MEMBER_IDS, ObjectType::Users), "The users who have the role."),
    link(
        "memberGroups",
        "Member Groups",
        Link::many(MEMBER_IDS, ObjectType::Groups),
        "The groups whose members have the role.",
    ),
    link(
        "memberServicePrincipals",
        "Member Service Principals",
        Link::many(MEMBER_IDS, ObjectType::ServicePrincipals),
        "The service principals that have the role.",
    ),
    property("templateId", "Template ID", Text, OnRequest, "The id of a built-in role in every tenant."),
    property("version", "Version", Text, OnRequest, "The version of the role definition."),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_built_in_role_is_privileged_or_not_and_of_others_it_is_not_known() {
        let of = |is_built_in: bool, template: &str| {
            is_privileged(json!({"isBuiltIn": is_built_in, "templateId": template}).as_object().unwrap())
        };
        assert_eq!(of(true, "62E90394-69F5-4237-9190-012177145E10"), json!(true));
        assert_eq!(of(true, "4a5d8f65-41da-4de4-8968-e035b65339cf"), json!(false));
        assert_eq!(of(false, "62e90394-69f5-4237-9190-012177145e10"), Value::Null);
    }
}
