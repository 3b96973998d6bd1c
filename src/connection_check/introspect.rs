//! What the tenant has granted and what the app registration asks for, read with the connection's own token
//! where that is allowed. A role-less token is refused here, which is no fault of its own.
//!
//! Source: docs/graph.md, «Grants» (calls and the permissions they need).

use super::reader::{Answer, Reader};
use crate::permission::catalog::{self, Kind, MICROSOFT_GRAPH};
use crate::permission::manifest::{self, Added};
use crate::permission::remedy::Place;
use serde_json::Value;
use uuid::Uuid;

/// What could be read; `None` means that it could not, and nothing follows from it.
#[derive(Clone, Debug, Default)]
pub struct Introspection {
    pub service_principal: Option<Uuid>,
    /// Whether the enterprise application is enabled for sign-in.
    pub enabled: Option<bool>,
    pub graph_service_principal: Option<Uuid>,
    /// Names of Application permissions that are granted on Microsoft Graph.
    pub assigned: Option<Vec<String>>,
    /// Names of Delegated permissions that are granted, for everybody or for one person.
    pub delegated: Option<Vec<String>>,
    /// What is added in the app registration. Readable only in the application's home tenant.
    pub manifest: Option<Vec<Added>>,
    pub request_ids: RequestIds,
    pub out_of_time: bool,
}

#[derive(Clone, Debug, Default)]
pub struct RequestIds {
    pub assigned: Option<String>,
    pub delegated: Option<String>,
    pub manifest: Option<String>,
}

impl Introspection {
    /// The place of the remedies, with the object ids that were found.
    pub fn place(&self, place: Place) -> Place {
        Place {
            service_principal: self.service_principal.or(place.service_principal),
            graph_service_principal: self.graph_service_principal.or(place.graph_service_principal),
            ..place
        }
    }
}

/// Reads what it may. A refusal of the first call ends it: the others need the same permission or more.
/// `principal` is the service principal that the token names.
pub async fn introspect(reader: &Reader<'_>, client: Uuid, principal: Option<Uuid>) -> Introspection {
    let path = format!("/servicePrincipals(appId='{client}')?$select=id,appId,displayName,accountEnabled");
    let first = reader.get(&path).await;
    let mut found = Introspection { out_of_time: first.is_out_of_time(), ..Introspection::default() };
    let id = match &first {
        Answer::Ok { body, .. } => {
            found.enabled = body.get("accountEnabled").and_then(Value::as_bool);
            guid(body, "id").or(principal)
        }
        Answer::Error { status: 401 | 403, .. } | Answer::None { .. } | Answer::OutOfTime => None,
        Answer::Error { .. } => principal,
    };
    let Some(id) = id else { return found };
    found.service_principal = Some(id);
    let (assigned, delegated, application, graph) = futures_util::join!(
        read(reader, format!("/servicePrincipals/{id}/appRoleAssignments")),
        delegated_grants(reader, id),
        read(reader, format!("/applications(appId='{client}')?$select=requiredResourceAccess")),
        read(reader, format!("/servicePrincipals(appId='{MICROSOFT_GRAPH}')?$select=id")),
    );
    found.out_of_time = [&assigned, &delegated, &application, &graph].into_iter().any(Answer::is_out_of_time);
    if let Answer::Ok { body, .. } = &graph {
        found.graph_service_principal = guid(body, "id");
    }
    if let Answer::Ok { request_id, .. } = &assigned {
        found.assigned = Some(assigned.items().iter().filter_map(granted_name).collect());
        found.request_ids.assigned.clone_from(request_id);
    }
    if let Answer::Ok { request_id, .. } = &delegated {
        let scopes = delegated.items().iter().filter_map(|grant| grant.get("scope").and_then(Value::as_str));
        found.delegated = Some(scopes.flat_map(str::split_whitespace).map(str::to_owned).collect());
        found.request_ids.delegated.clone_from(request_id);
    }
    if let Answer::Ok { body, request_id } = &application {
        found.manifest = manifest::read(body).ok();
        found.request_ids.manifest.clone_from(request_id);
    }
    found
}

/// Both forms of the question are documented; which permission each needs is not.
async fn delegated_grants(reader: &Reader<'_>, id: Uuid) -> Answer {
    match reader.get(&format!("/servicePrincipals/{id}/oauth2PermissionGrants")).await {
        Answer::Error { .. } => reader.get(&format!("/oauth2PermissionGrants?$filter=clientId eq '{id}'")).await,
        answer @ (Answer::Ok { .. } | Answer::None { .. } | Answer::OutOfTime) => answer,
    }
}

async fn read(reader: &Reader<'_>, path: String) -> Answer {
    reader.get(&path).await
}

fn guid(body: &Value, name: &str) -> Option<Uuid> {
    body.get(name).and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok())
}

/// The name behind an assignment's `appRoleId`; its kind is Application by nature.
fn granted_name(assignment: &Value) -> Option<String> {
    catalog::name(guid(assignment, "appRoleId")?, Kind::Application).map(str::to_owned)
}
