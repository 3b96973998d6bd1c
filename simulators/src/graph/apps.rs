//! App registrations and service principals: what a connection check looks at, and the writes that remedies make.
//! Source: docs/graph.md, «Grants». Writes take the administrator's token (`simulated-admin.{tenant id}`), or an
//! application's that has the `ReadWrite` permission.

mod entity;
mod write;

use super::answer::{Answer, Answered, Problem};
use super::permission as may;
use super::request::Request;
use super::sim::Sim;
use super::tenant::{App, Principal, Tenant};
use crate::seed::Record;
use entity::{Key, all_principals, application, assignment, grants_of};
use serde_json::{Map, Value, json};

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

/// The app registrations and service principals of the tenant, as a list shows them.
pub fn as_records(sim: &Sim, request: &Request<'_>, path: &str) -> Result<Vec<Record>, Problem> {
    let values = with_tenant(sim, request, |tenant| {
        Ok(match path {
            "applications" => tenant.apps.iter().filter(|app| app.home).map(application).collect(),
            "servicePrincipals" => all_principals(tenant),
            _ => Vec::new(),
        })
    })?;
    Ok(values.into_iter().filter_map(Record::of).collect())
}

fn principals(sim: &Sim, request: &Request<'_>, key: Option<Key>, rest: &[&str]) -> Answered {
    if request.method != "GET" {
        return write::principals(sim, request, key, rest);
    }
    request.token.needs(may::APPLICATIONS)?;
    with_tenant(sim, request, |tenant| match (key, rest) {
        (Some(key), []) => {
            let found = all_principals(tenant).into_iter().find(|value| is_keyed(value, key));
            entity(request, "servicePrincipals", found)
        }
        (Some(key), ["appRoleAssignments"]) => {
            let (app, principal) = find_principal(tenant, key)?;
            let items = principal.assignments.iter().map(|a| assignment(tenant, app, principal, a));
            request.value_page("appRoleAssignments", &request.select_members(items.collect()))
        }
        (Some(key), ["oauth2PermissionGrants"]) => {
            request.token.needs(may::GRANTS)?;
            let (_, principal) = find_principal(tenant, key)?;
            request.value_page("oauth2PermissionGrants", &grants_of(tenant, principal))
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
        let items: Vec<Value> = kept.flat_map(|principal| grants_of(tenant, principal)).collect();
        request.value_page("oauth2PermissionGrants", &items)
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
    let mut found = request.select_members(found.into_iter().collect());
    let Some(Value::Object(members)) = found.pop() else { return Err(Problem::not_found(&request.path)) };
    let mut whole = Map::new();
    let context = format!("{}/{}/$metadata#{context}/$entity", request.origin, request.version());
    whole.insert("@odata.context".into(), json!(context));
    whole.extend(members);
    Ok(Answer::value(200, &Value::Object(whole)))
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
