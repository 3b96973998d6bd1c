//! What the tenant has granted and what the app registration requests, read with the connection's own token where
//! that is allowed. Graph denies this to a token without roles; that is not a finding.
//!
//! Source: docs/graph.md, «Grants» (calls and the permissions they need).

use super::reader::{self, Answer, Listing};
use crate::graph::Session;
use crate::graph::error::Result;
use crate::permission::catalog::{self, MICROSOFT_GRAPH, PermissionKind};
use crate::permission::manifest::{self, Added};
use crate::permission::remedy::Place;
use serde_json::Value;
use uuid::Uuid;

/// What could be read. `None` means «unknown».
#[derive(Clone, Debug, Default)]
pub struct Introspection {
    pub service_principal: Option<Uuid>,
    /// Whether the enterprise application is enabled for sign-in.
    pub enabled: Option<bool>,
    pub graph_service_principal: Option<Uuid>,
    /// Application permissions of Microsoft Graph that are granted.
    pub assigned: Option<Granted>,
    /// Delegated permissions of Microsoft Graph that are granted, for all users or for one.
    pub delegated: Option<Granted>,
    /// What is added in the app registration. Readable only in the application's home tenant.
    pub manifest: Option<Vec<Added>>,
    pub request_ids: RequestIds,
    pub out_of_time: bool,
}

/// What the tenant has granted, of one kind.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// Names of permissions of Microsoft Graph.
    pub names: Vec<String>,
    /// Permissions of other APIs whose names Microsoft Graph has too: name, and API.
    pub of_other_apis: Vec<(String, String)>,
    /// Whether the list was read to its end. If not, what is not in `names` is unknown.
    pub is_complete: bool,
}

#[derive(Clone, Debug, Default)]
pub struct RequestIds {
    pub assigned: Option<String>,
    pub delegated: Option<String>,
    pub manifest: Option<String>,
}

impl Introspection {
    /// Adds the object ids that were found to the values for remedies.
    pub fn place(&self, place: Place) -> Place {
        Place {
            service_principal: self.service_principal.or(place.service_principal),
            graph_service_principal: self.graph_service_principal.or(place.graph_service_principal),
            ..place
        }
    }
}

/// Reads what it may. If Graph denies the first call it ends: the others need the same permission or more.
/// `principal` is the service principal that the token names.
pub async fn introspect(session: &Session, client: Uuid, principal: Option<Uuid>) -> Introspection {
    let path = format!("/servicePrincipals(appId='{client}')?$select=id,appId,displayName,accountEnabled");
    let first = reader::get(session, &path).await;
    let mut found = Introspection { out_of_time: is_out_of_time(&first), ..Introspection::default() };
    let id = match &first {
        Ok(Answer { body, .. }) => {
            found.enabled = body.get("accountEnabled").and_then(Value::as_bool);
            guid(body, "id").or(principal)
        }
        // Graph answered, and not that this may not be read.
        Err(error) if error.status.is_some_and(|status| !matches!(status, 200 | 401 | 403)) => principal,
        Err(_) => None,
    };
    let Some(id) = id else { return found };
    found.service_principal = Some(id);
    let (assigned, delegated, application, graph) = futures_util::join!(
        reader::list(session, format!("/servicePrincipals/{id}/appRoleAssignments")),
        delegated_grants(session, id),
        reader::get(session, format!("/applications(appId='{client}')?$select=requiredResourceAccess")),
        reader::get(session, format!("/servicePrincipals(appId='{MICROSOFT_GRAPH}')?$select=id")),
    );
    found.out_of_time = [&application, &graph].into_iter().any(is_out_of_time)
        || [&assigned, &delegated].into_iter().any(is_list_out_of_time);
    if let Ok(graph) = &graph {
        found.graph_service_principal = guid(&graph.body, "id");
    }
    // Without Graph's own id nothing shows which API a permission belongs to.
    if let Some(graph) = found.graph_service_principal {
        if let Ok(assigned) = assigned {
            found.assigned = Some(granted(&assigned, graph, |item| granted_name(item).into_iter().collect()));
            found.request_ids.assigned = assigned.request_id;
        }
        if let Ok(delegated) = delegated {
            found.delegated = Some(granted(&delegated, graph, scopes));
            found.request_ids.delegated = delegated.request_id;
        }
    }
    if let Ok(application) = application {
        found.manifest = manifest::read(&application.body).ok().map(|manifest| manifest.added);
        found.request_ids.manifest = application.request_id;
    }
    found
}

fn is_out_of_time(answer: &Result<Answer>) -> bool {
    matches!(answer, Err(error) if error.is_cancelled())
}

fn is_list_out_of_time(answer: &Result<Listing>) -> bool {
    match answer {
        Ok(listing) => listing.is_out_of_time,
        Err(error) => error.is_cancelled(),
    }
}

/// Sorts the items of a list by the API that they belong to. `graph` is Graph's service principal in the tenant.
fn granted(listing: &Listing, graph: Uuid, names: impl Fn(&Value) -> Vec<String>) -> Granted {
    let mut granted = Granted { is_complete: listing.is_complete, ..Granted::default() };
    for item in &listing.items {
        if guid(item, "resourceId").is_none_or(|resource| resource == graph) {
            granted.names.extend(names(item));
        } else {
            let api = item.get("resourceDisplayName").and_then(Value::as_str).unwrap_or("another API");
            granted.of_other_apis.extend(names(item).into_iter().map(|name| (name, api.to_owned())));
        }
    }
    granted
}

fn scopes(grant: &Value) -> Vec<String> {
    let scope = grant.get("scope").and_then(Value::as_str).unwrap_or_default();
    scope.split_whitespace().map(str::to_owned).collect()
}

/// Microsoft documents both forms of this query, but not which permission each needs.
async fn delegated_grants(session: &Session, id: Uuid) -> Result<Listing> {
    match reader::list(session, &format!("/servicePrincipals/{id}/oauth2PermissionGrants")).await {
        Err(error) if error.status.is_some_and(|status| status != 200) => {
            reader::list(session, &format!("/oauth2PermissionGrants?$filter=clientId eq '{id}'")).await
        }
        answer => answer,
    }
}

fn guid(body: &Value, name: &str) -> Option<Uuid> {
    body.get(name).and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok())
}

/// The name behind an assignment's `appRoleId`; its kind is Application by nature.
fn granted_name(assignment: &Value) -> Option<String> {
    catalog::name(guid(assignment, "appRoleId")?, PermissionKind::Application).map(str::to_owned)
}
