//! App registrations and service principals: what a connection check looks at, and the writes that remedies make.
//! Source: docs/graph.md, «Grants». Writes take the administrator's token (`simulated-admin.{tenant id}`), or an
//! application's that has the `ReadWrite` permission.

mod write;

use super::Sim;
use super::answer::{Answer, Answered, Problem};
use super::permission::{self as may, GRAPH_APP_ID, PERMISSIONS};
use super::request::Request;
use super::route::value_list;
use super::tenant::{App, Assignment, Principal, Tenant};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How a path names an object: by its id, or by the application id as alternate key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    Id(Uuid),
    AppId(Uuid),
    Unknown,
}

impl Key {
    fn parse(text: &str) -> Self {
        Uuid::parse_str(text).map_or(Self::Unknown, Self::Id)
    }

    /// `appId='…'` within parentheses, with or without quotes.
    fn alternate(text: &str) -> Self {
        let value = text.trim_end_matches(')').trim().strip_prefix("appId=").map(|text| text.trim_matches('\''));
        value.and_then(|value| Uuid::parse_str(value).ok()).map_or(Self::Unknown, Self::AppId)
    }
}

/// The answer, if the path is about applications.
pub fn route(sim: &Sim, request: &Request<'_>, parts: &[&str]) -> Option<Answered> {
    let (first, rest) = parts.split_first()?;
    let (collection, key, rest) = match (first.split_once('('), rest) {
        (Some((collection, key)), rest) => (collection, Some(Key::alternate(key)), rest),
        (None, [key, rest @ ..]) => (*first, Some(Key::parse(key)), rest),
        (None, []) => (*first, None, rest),
    };
    match collection {
        "servicePrincipals" => Some(principals(sim, request, key, rest)),
        "applications" => Some(applications(sim, request, key, rest)),
        "oauth2PermissionGrants" => Some(grants(sim, request)),
        _ => None,
    }
}

fn with_tenant<T>(
    sim: &Sim,
    request: &Request<'_>,
    look: impl FnOnce(&Tenant) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let tenants = sim.read_tenants();
    let tenant = tenants.iter().find(|tenant| tenant.id == request.token.tenant);
    look(tenant.ok_or_else(|| Problem::not_found("organization"))?)
}

fn principals(sim: &Sim, request: &Request<'_>, key: Option<Key>, rest: &[&str]) -> Answered {
    if request.method != "GET" {
        return write::principals(sim, request, key, rest);
    }
    request.token.needs(may::APPLICATIONS)?;
    with_tenant(sim, request, |tenant| match (key, rest) {
        (None, []) => {
            let all = all_principals(tenant);
            let wanted = filter_value(request, "appId");
            let kept = all.into_iter().filter(|value| wanted.as_ref().is_none_or(|id| value["appId"] == json!(id)));
            Ok(value_list(request, "servicePrincipals", &selected(request, kept.collect())))
        }
        (Some(key), []) => {
            let found = all_principals(tenant).into_iter().find(|value| is_keyed(value, key));
            entity(request, "servicePrincipals", found)
        }
        (Some(key), ["appRoleAssignments"]) => {
            let (app, principal) = find_principal(tenant, key)?;
            let items = principal.assignments.iter().map(|a| assignment(tenant, app, principal, a));
            Ok(value_list(request, "appRoleAssignments", &selected(request, items.collect())))
        }
        (Some(key), ["oauth2PermissionGrants"]) => {
            request.token.needs(may::GRANTS)?;
            let (_, principal) = find_principal(tenant, key)?;
            Ok(value_list(request, "oauth2PermissionGrants", &grant(tenant, principal)))
        }
        _ => Err(Problem::new(400, "BadRequest", "Resource not found for the segment.")),
    })
}

fn applications(sim: &Sim, request: &Request<'_>, key: Option<Key>, rest: &[&str]) -> Answered {
    if request.method != "GET" {
        return write::applications(sim, request, key, rest);
    }
    request.token.needs(may::APPLICATIONS)?;
    with_tenant(sim, request, |tenant| {
        let all = tenant.apps.iter().filter(|app| app.home).map(application);
        match (key, rest) {
            (None, []) => {
                let wanted = filter_value(request, "appId");
                let kept = all.filter(|value| wanted.as_ref().is_none_or(|id| value["appId"] == json!(id)));
                Ok(value_list(request, "applications", &selected(request, kept.collect())))
            }
            (Some(key), []) => {
                let found = { all }.find(|value| is_keyed(value, key));
                entity(request, "applications", found)
            }
            _ => Err(Problem::new(400, "BadRequest", "Resource not found for the segment.")),
        }
    })
}

fn grants(sim: &Sim, request: &Request<'_>) -> Answered {
    if request.method != "GET" {
        return Err(Problem::forbidden());
    }
    request.token.needs(may::GRANTS)?;
    with_tenant(sim, request, |tenant| {
        let wanted = filter_value(request, "clientId");
        let principals = tenant.apps.iter().filter_map(|app| app.principal.as_ref());
        let kept = principals.filter(|p| wanted.as_ref().is_none_or(|id| *id == p.id.to_string()));
        let items: Vec<Value> = kept.flat_map(|principal| grant(tenant, principal)).collect();
        Ok(value_list(request, "oauth2PermissionGrants", &items))
    })
}

/// The value of `name eq '…'`, the one filter that these lists take; as it stands, in lower case.
fn filter_value(request: &Request<'_>, name: &str) -> Option<String> {
    let (left, right) = request.query.get("$filter")?.split_once(" eq ")?;
    (left.trim() == name).then(|| right.trim().trim_matches('\'').to_ascii_lowercase())
}

fn is_keyed(value: &Value, key: Key) -> bool {
    match key {
        Key::Id(id) => value["id"] == json!(id),
        Key::AppId(id) => value["appId"] == json!(id),
        Key::Unknown => false,
    }
}

fn entity(request: &Request<'_>, context: &str, found: Option<Value>) -> Answered {
    let mut found = selected(request, found.into_iter().collect());
    let Some(Value::Object(members)) = found.pop() else { return Err(Problem::not_found(&request.path)) };
    let mut whole = Map::new();
    let context = format!("{}/{}/$metadata#{context}/$entity", request.origin, request.version());
    whole.insert("@odata.context".into(), json!(context));
    whole.extend(members);
    Ok(Answer::value(200, &Value::Object(whole)))
}

fn selected(request: &Request<'_>, items: Vec<Value>) -> Vec<Value> {
    let Some(names) = request.query.select() else { return items };
    let keep = |item: Value| match item {
        Value::Object(members) => Value::Object(members.into_iter().filter(|(name, _)| names.contains(name)).collect()),
        other => other,
    };
    items.into_iter().map(keep).collect()
}

fn find_principal(tenant: &Tenant, key: Key) -> Result<(&App, &Principal), Problem> {
    let found = tenant.apps.iter().filter_map(|app| Some((app, app.principal.as_ref()?)));
    let found = { found }.find(|(app, principal)| match key {
        Key::Id(id) => principal.id == id,
        Key::AppId(id) => app.app_id == id,
        Key::Unknown => false,
    });
    found.ok_or_else(|| Problem::not_found("servicePrincipal"))
}

fn application(app: &App) -> Value {
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

fn all_principals(tenant: &Tenant) -> Vec<Value> {
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
    own.chain(std::iter::once(graph_principal(tenant))).collect()
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

fn assignment(tenant: &Tenant, app: &App, principal: &Principal, assignment: &Assignment) -> Value {
    json!({
        "id": assignment.id,
        "deletedDateTime": null,
        "appRoleId": assignment.role,
        "createdDateTime": assignment.created,
        "principalDisplayName": app.name,
        "principalId": principal.id,
        "principalType": "ServicePrincipal",
        "resourceDisplayName": "Microsoft Graph",
        "resourceId": tenant.graph_principal,
    })
}

/// All delegated permissions that were consented to for everybody are one grant, the names with spaces between.
fn grant(tenant: &Tenant, principal: &Principal) -> Vec<Value> {
    if principal.delegated.is_empty() {
        return Vec::new();
    }
    vec![json!({
        "id": format!("grant-{}", principal.id.simple()),
        "clientId": principal.id,
        "consentType": "AllPrincipals",
        "principalId": null,
        "resourceId": tenant.graph_principal,
        "scope": principal.delegated.join(" "),
    })]
}
