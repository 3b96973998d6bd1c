//! App registrations, service principals, assignments and grants: how a path names them and how Graph writes them.

use crate::graph::permission::{GRAPH_APP_ID, PERMISSIONS, SHAREPOINT_APP_ID};
use crate::graph::tenant::{Api, App, Assignment, Principal, Tenant};
use serde_json::{Value, json};
use uuid::Uuid;

/// An object in a path: named by its id, or by the application id as alternate key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    Id(Uuid),
    AppId(Uuid),
    Unknown,
}

impl Key {
    pub fn parse(text: &str) -> Self {
        Uuid::parse_str(text).map_or(Self::Unknown, Self::Id)
    }

    /// `appId='…'` within parentheses, with or without quotes.
    pub fn alternate(text: &str) -> Self {
        let value = text.trim_end_matches(')').trim().strip_prefix("appId=").map(|text| text.trim_matches('\''));
        value.and_then(|value| Uuid::parse_str(value).ok()).map_or(Self::Unknown, Self::AppId)
    }
}

pub fn application(app: &App) -> Value {
    let mut resources: Vec<Uuid> = Vec::new();
    for required in &app.required {
        if !resources.contains(&required.resource) {
            resources.push(required.resource);
        }
    }
    let access = resources.into_iter().map(|resource| {
        let items = app.required.iter().filter(|required| required.resource == resource);
        let items = items.map(|r| json!({"id": r.id, "type": if r.application { "Role" } else { "Scope" }}));
        json!({"resourceAppId": resource, "resourceAccess": items.collect::<Vec<_>>()})
    });
    let secrets = app.secrets.iter().map(|secret| {
        let hint: String = secret.value.chars().take(3).collect();
        json!({"keyId": secret.id, "displayName": "import", "endDateTime": secret.expires, "hint": hint, "secretText": null})
    });
    json!({
        "id": app.object_id,
        "appId": app.app_id,
        "displayName": app.name,
        "signInAudience": "AzureADMyOrg",
        "requiredResourceAccess": access.collect::<Vec<_>>(),
        "passwordCredentials": secrets.collect::<Vec<_>>(),
        "keyCredentials": [],
    })
}

pub fn all_principals(tenant: &Tenant) -> Vec<Value> {
    let own = tenant.apps.iter().filter_map(|app| Some((app, app.principal.as_ref()?)));
    let own = own.map(|(app, principal)| {
        json!({
            "id": principal.id,
            "appId": app.app_id,
            "displayName": app.name,
            "accountEnabled": principal.enabled,
            "appOwnerOrganizationId": tenant.id,
            "servicePrincipalType": "Application",
            "appRoles": [],
            "oauth2PermissionScopes": [],
        })
    });
    own.chain([graph_principal(tenant), sharepoint_principal(tenant)]).collect()
}

/// Its `User.Read.All` has the id of Graph's.
fn sharepoint_principal(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.sharepoint_principal,
        "appId": SHAREPOINT_APP_ID,
        "displayName": "Office 365 SharePoint Online",
        "accountEnabled": true,
        "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
        "servicePrincipalType": "Application",
        "appRoles": [{
            "id": "df021288-bdef-4463-88db-98f22de89214", "value": "User.Read.All", "displayName": "User.Read.All",
            "isEnabled": true, "allowedMemberTypes": ["Application"], "origin": "Application",
        }],
        "oauth2PermissionScopes": [],
    })
}

fn graph_principal(tenant: &Tenant) -> Value {
    let roles = PERMISSIONS.iter().filter_map(|permission| {
        let id = permission.role?;
        Some(json!({
            "id": id, "value": permission.name, "displayName": permission.name, "isEnabled": true,
            "allowedMemberTypes": ["Application"], "origin": "Application",
        }))
    });
    let scopes = PERMISSIONS.iter().map(
        |permission| json!({"id": permission.scope, "value": permission.name, "isEnabled": true, "type": "Admin"}),
    );
    json!({
        "id": tenant.graph_principal,
        "appId": GRAPH_APP_ID,
        "displayName": "Microsoft Graph",
        "accountEnabled": true,
        "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
        "servicePrincipalType": "Application",
        "appRoles": roles.collect::<Vec<_>>(),
        "oauth2PermissionScopes": scopes.collect::<Vec<_>>(),
    })
}

pub fn assignment(tenant: &Tenant, app: &App, principal: &Principal, assignment: &Assignment) -> Value {
    let (resource, display_name) = match assignment.api {
        Api::MicrosoftGraph => (tenant.graph_principal, "Microsoft Graph"),
        Api::SharePoint => (tenant.sharepoint_principal, "Office 365 SharePoint Online"),
    };
    json!({
        "id": assignment.id,
        "deletedDateTime": null,
        "appRoleId": assignment.role,
        "createdDateTime": assignment.created,
        "principalDisplayName": app.name,
        "principalId": principal.id,
        "principalType": "ServicePrincipal",
        "resourceDisplayName": display_name,
        "resourceId": resource,
    })
}

/// All delegated permissions of one API that were consented to for everybody are one grant, the names with spaces
/// between.
pub fn grants_of(tenant: &Tenant, principal: &Principal) -> Vec<Value> {
    let apis = [
        (tenant.graph_principal, &principal.delegated),
        (tenant.sharepoint_principal, &principal.delegated_of_sharepoint),
    ];
    let granted = apis.into_iter().filter(|(_, names)| !names.is_empty());
    let grant = |(resource, names): (Uuid, &Vec<&str>)| {
        json!({
            "id": format!("grant-{}-{}", principal.id.simple(), resource.simple()),
            "clientId": principal.id,
            "consentType": "AllPrincipals",
            "principalId": null,
            "resourceId": resource,
            "scope": names.join(" "),
        })
    };
    granted.map(grant).collect()
}
