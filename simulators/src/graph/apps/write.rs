//! The writes that remedies make: add permissions, consent, create or switch on a service principal, a new secret.

use super::entity::{Key, application, assignment};
use crate::graph::answer::{Answer, Answered, Problem};
use crate::graph::permission::{AnyOf, by_role};
use crate::graph::request::Request;
use crate::graph::sim::Sim;
use crate::graph::tenant::{Api, App, Principal, Required, Secret, Tenant};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

const APPLICATIONS: AnyOf = &["Application.ReadWrite.All", "Directory.ReadWrite.All"];
const ASSIGNMENTS: AnyOf = &["AppRoleAssignment.ReadWrite.All"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAssignment {
    principal_id: Uuid,
    resource_id: Uuid,
    app_role_id: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPrincipal {
    app_id: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatchPrincipal {
    account_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatchApplication {
    required_resource_access: Vec<ResourceAccess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceAccess {
    resource_app_id: Uuid,
    resource_access: Vec<Access>,
}

#[derive(Deserialize)]
struct Access {
    id: Uuid,
    #[serde(rename = "type")]
    kind: String,
}

fn body<'a, T: Deserialize<'a>>(request: &Request<'a>) -> Result<T, Problem> {
    serde_json::from_slice(request.body)
        .map_err(|error| Problem::new(400, "BadRequest", format!("Unable to read JSON request payload: {error}.")))
}

fn change<T>(
    sim: &Sim,
    request: &Request<'_>,
    change: impl FnOnce(&mut Tenant) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut tenants = sim.write_tenants();
    let tenant = tenants.iter_mut().find(|tenant| tenant.id == request.token.tenant);
    change(tenant.ok_or_else(|| Problem::not_found("organization"))?)
}

fn not_allowed() -> Problem {
    Problem::new(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
}

pub fn principals(sim: &Sim, request: &Request<'_>, key: Option<Key>, rest: &[&str]) -> Answered {
    match (request.method, key, rest) {
        ("POST", None, []) => {
            request.token.needs(APPLICATIONS)?;
            create_principal(sim, request)
        }
        ("PATCH", Some(key), []) => {
            request.token.needs(APPLICATIONS)?;
            let patch: PatchPrincipal = body(request)?;
            change(sim, request, |tenant| {
                let (_, principal) = find_mut(tenant, key)?;
                principal.enabled = patch.account_enabled.unwrap_or(principal.enabled);
                Ok(Answer::empty(204))
            })
        }
        ("POST", Some(_), ["appRoleAssignments" | "appRoleAssignedTo"]) => {
            request.token.needs(ASSIGNMENTS)?;
            assign(sim, request)
        }
        ("DELETE", Some(key), ["appRoleAssignments", id]) => {
            request.token.needs(ASSIGNMENTS)?;
            change(sim, request, |tenant| {
                let (_, principal) = find_mut(tenant, key)?;
                let before = principal.assignments.len();
                principal.assignments.retain(|assignment| assignment.id != *id);
                if principal.assignments.len() == before {
                    return Err(Problem::not_found(id));
                }
                Ok(Answer::empty(204))
            })
        }
        _ => Err(not_allowed()),
    }
}

fn find_mut(tenant: &mut Tenant, key: Key) -> Result<(Uuid, &mut Principal), Problem> {
    let found = tenant.apps.iter_mut().find(|app| match key {
        Key::Id(id) => app.principal.as_ref().is_some_and(|principal| principal.id == id),
        Key::AppId(id) => app.app_id == id,
        Key::Unknown => false,
    });
    let found = found.and_then(|app| Some((app.app_id, app.principal.as_mut()?)));
    found.ok_or_else(|| Problem::not_found("servicePrincipal"))
}

fn create_principal(sim: &Sim, request: &Request<'_>) -> Answered {
    let new: NewPrincipal = body(request)?;
    // A service principal can be created for an app that is registered in another tenant.
    let foreign: Option<App> = {
        let tenants = sim.read_tenants();
        tenants.iter().find_map(|tenant| tenant.app(new.app_id)).cloned()
    };
    let id = sim.new_id();
    change(sim, request, |tenant| {
        if tenant.app(new.app_id).is_none() {
            let app = foreign.ok_or_else(|| {
                let message = "When using this permission, the backing application of the service principal being \
                               created must in the local tenant";
                Problem::new(400, "Request_BadRequest", message)
            })?;
            tenant.apps.push(App { home: false, principal: None, ..app });
        }
        let app = tenant.app_mut(new.app_id).ok_or_else(|| Problem::not_found("application"))?;
        if app.principal.is_some() {
            let message = "The service principal cannot be created, updated, or restored because the service principal \
                           name is already in use.";
            return Err(Problem::new(409, "Request_MultipleObjectsWithSameKeyValue", message));
        }
        app.principal = Some(Principal {
            id,
            enabled: true,
            assignments: Vec::new(),
            delegated: Vec::new(),
            delegated_of_sharepoint: Vec::new(),
        });
        let value = json!({"id": id, "appId": app.app_id, "displayName": app.name, "accountEnabled": true});
        Ok(Answer::value(201, &value))
    })
}

fn assign(sim: &Sim, request: &Request<'_>) -> Answered {
    let new: NewAssignment = body(request)?;
    let now = sim.now();
    change(sim, request, |tenant| {
        if new.resource_id != tenant.graph_principal || by_role(new.app_role_id).is_none() {
            return Err(Problem::bad_request("Permission being assigned was not found on application"));
        }
        let (app_id, principal) = find_mut(tenant, Key::Id(new.principal_id))?;
        let made = principal.assign(Api::MicrosoftGraph, new.app_role_id, now, now).cloned();
        let made =
            made.ok_or_else(|| Problem::bad_request("Permission being assigned already exists on the object"))?;
        let principal = principal.clone();
        let app = tenant.app(app_id).ok_or_else(|| Problem::not_found("application"))?;
        Ok(Answer::value(201, &assignment(tenant, app, &principal, &made)))
    })
}

pub fn applications(sim: &Sim, request: &Request<'_>, key: Option<Key>, rest: &[&str]) -> Answered {
    request.token.needs(APPLICATIONS)?;
    let now = sim.now();
    let new_id = sim.new_id();
    let key = key.ok_or_else(not_allowed)?;
    change(sim, request, |tenant| {
        let app = tenant.apps.iter_mut().filter(|app| app.home).find(|app| match key {
            Key::Id(id) => app.object_id == id,
            Key::AppId(id) => app.app_id == id,
            Key::Unknown => false,
        });
        let app = app.ok_or_else(|| Problem::not_found("application"))?;
        match (request.method, rest) {
            ("PATCH", []) => {
                let patch: PatchApplication = body(request)?;
                app.required = required(&patch);
                Ok(Answer::empty(204))
            }
            ("POST", ["addPassword"]) => {
                let value = format!("new8Q~{}", new_id.simple());
                let expires = now + TimeDelta::days(180);
                app.secrets.push(Secret { id: new_id, value: value.clone(), expires });
                let hint = &value[..3];
                Ok(Answer::value(
                    200,
                    &json!({"keyId": new_id, "secretText": value, "endDateTime": expires, "hint": hint}),
                ))
            }
            ("POST", ["consent"]) => {
                app.consent(now, now);
                Ok(Answer::value(200, &application(app)))
            }
            _ => Err(not_allowed()),
        }
    })
}

/// `requiredResourceAccess` replaces what was there, as a PATCH of Graph does.
fn required(patch: &PatchApplication) -> Vec<Required> {
    let resources = patch.required_resource_access.iter();
    resources
        .flat_map(|resource| {
            resource.resource_access.iter().map(|access| Required {
                resource: resource.resource_app_id,
                id: access.id,
                application: access.kind.eq_ignore_ascii_case("Role"),
            })
        })
        .collect()
}
