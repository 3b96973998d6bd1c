//! Directory roles and who has them: a user, a group, a service principal, and one that was deleted since.

use crate::seed::directory::Directory;
use crate::seed::random::Random;
use crate::seed::record::Record;
use serde_json::json;
use uuid::Uuid;

/// Names and template ids of built-in roles.
/// Source: <https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference>.
const BUILT_IN: [(&str, &str); 7] = [
    ("Global Administrator", "62e90394-69f5-4237-9190-012177145e10"),
    ("Application Administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"),
    ("Helpdesk Administrator", "729827e3-9c14-49f7-bb1b-9608f156bbb8"),
    ("User Administrator", "fe930be7-5e62-47db-91af-98c3a49a38b1"),
    ("Reports Reader", "4a5d8f65-41da-4de4-8968-e035b65339cf"),
    ("Message Center Reader", "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b"),
    ("Directory Readers", "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"),
];

/// The roles, and their assignments.
pub fn generate(directory: &Directory, principals: &[Record], random: &mut Random) -> (Vec<Record>, Vec<Record>) {
    let mut roles: Vec<Record> = Vec::new();
    for (name, template) in BUILT_IN {
        let id = Uuid::parse_str(template).unwrap_or_default();
        roles.push(role(id, name, true, true));
    }
    roles.push(role(random.uuid(), "Badge office", false, true));
    roles.push(role(random.uuid(), "Former project office", false, false));
    let mut assignments = Vec::new();
    let mut assign = |role: &Record, principal: Option<Uuid>, scope: &str| {
        let Some(principal) = principal else { return };
        let id = random.uuid();
        let properties = json!({
            "id": id, "roleDefinitionId": role.id, "principalId": principal, "directoryScopeId": scope, "appScopeId": null,
        });
        assignments.push(Record::new(id, properties));
    };
    let user = |n: usize| directory.users.get(n).map(|user| user.id);
    assign(&roles[0], user(0), "/");
    assign(&roles[0], user(1), "/");
    assign(&roles[1], principals.first().map(|principal| principal.id), "/");
    assign(&roles[1], user(2), "/");
    assign(&roles[2], directory.groups.get(1).map(|group| group.id), "/");
    // The same principal has the role twice, for two scopes.
    assign(&roles[3], user(3), "/");
    assign(&roles[3], user(3), "/administrativeUnits/1");
    assign(&roles[4], Some(Uuid::from_u128(0xDE1E_7ED0)), "/");
    assign(&roles[7], user(4), "/");
    (roles, assignments)
}

fn role(id: Uuid, name: &str, is_built_in: bool, is_enabled: bool) -> Record {
    Record::new(
        id,
        json!({
            "id": id, "displayName": name, "description": format!("Members of {name} have its permissions."),
            "isBuiltIn": is_built_in, "isEnabled": is_enabled, "templateId": id, "version": "1", "resourceScopes": ["/"],
            "rolePermissions": [{"allowedResourceActions": ["microsoft.directory/users/basic/read"], "condition": null}],
        }),
    )
}
