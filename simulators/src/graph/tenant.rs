//! A tenant: its directory, its app registrations and the granted permissions.

use super::permission::{self, GRAPH_APP_ID};
use crate::seed::Directory;
use chrono::{DateTime, Utc};
use std::sync::{Arc, RwLock};
use uuid::Uuid;

/// How the tail of a token error is written: docs/graph.md, «Sign-in errors».
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tail {
    /// `… Trace ID: x Correlation ID: y Timestamp: z`, since about 2024.
    #[default]
    Spaces,
    /// Each on a line of its own, `\r\n`.
    Lines,
}

/// A token error that a tenant answers whatever is asked: any row of docs/graph.md, «Sign-in errors».
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenError {
    pub aadsts: u32,
}

#[derive(Clone)]
pub struct Tenant {
    pub id: Uuid,
    pub name: String,
    pub domains: Vec<String>,
    pub directory: Arc<RwLock<Directory>>,
    pub apps: Vec<App>,
    /// Every token request ends in this error.
    pub token_error: Option<TokenError>,
    pub tail: Tail,
    /// Without a P1 or P2 licence `signInActivity` is refused.
    pub premium: bool,
    /// The service principal of Microsoft Graph in this tenant.
    pub graph_principal: Uuid,
    /// The service principal of SharePoint Online in this tenant.
    pub sharepoint_principal: Uuid,
}

/// An app registration and, where there is one, its service principal (enterprise application).
#[derive(Clone, Debug)]
pub struct App {
    /// The application (client) id.
    pub app_id: Uuid,
    /// The object id of the registration, often pasted by mistake.
    pub object_id: Uuid,
    pub name: String,
    /// False: registered in another tenant, so `/applications` does not have it here.
    pub home: bool,
    pub public: bool,
    pub secrets: Vec<Secret>,
    pub certificates: Vec<Certificate>,
    pub federated: Vec<Federated>,
    /// What was added in the portal: `(resource application, permission id, is it an Application permission)`.
    pub required: Vec<Required>,
    pub principal: Option<Principal>,
    /// A workload identity policy that blocks sign-in.
    pub blocked_by: Option<Uuid>,
    /// Holds the directory role Directory Readers: Graph answers without any `roles` in the token.
    pub directory_reader: bool,
    /// For a moment after consent tokens have no `oid`, and Graph does not know the caller.
    pub identity_unknown: bool,
}

#[derive(Clone, Debug)]
pub struct Secret {
    pub id: Uuid,
    pub value: String,
    pub expires: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct Certificate {
    /// DER.
    pub der: Vec<u8>,
}

/// A federated identity credential.
#[derive(Clone, Debug)]
pub struct Federated {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
}

/// One entry of `requiredResourceAccess`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Required {
    pub resource: Uuid,
    pub id: Uuid,
    pub application: bool,
}

#[derive(Clone, Debug)]
pub struct Principal {
    pub id: Uuid,
    pub enabled: bool,
    pub assignments: Vec<Assignment>,
    /// Delegated permissions of Microsoft Graph that an administrator consented to for everybody.
    pub delegated: Vec<&'static str>,
    /// Those of SharePoint Online.
    pub delegated_of_sharepoint: Vec<&'static str>,
}

/// An API whose permissions can be granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Api {
    MicrosoftGraph,
    SharePoint,
}

/// A granted Application permission.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub id: String,
    pub api: Api,
    pub role: Uuid,
    pub created: DateTime<Utc>,
    /// Tokens carry it from then on.
    pub effective: DateTime<Utc>,
}

impl App {
    /// The names of the Application permissions that a token issued now carries.
    pub fn roles(&self, now: DateTime<Utc>) -> Vec<&'static str> {
        let assignments = self.principal.iter().flat_map(|principal| &principal.assignments);
        let of_graph = assignments.filter(|assignment| assignment.api == Api::MicrosoftGraph);
        let effective = of_graph.filter(|assignment| assignment.effective <= now);
        effective.filter_map(|assignment| Some(permission::by_role(assignment.role)?.name)).collect()
    }

    /// Adds permissions to the registration, as the portal does, without consent.
    pub fn require(&mut self, names: &[&str], application: bool) {
        for permission in names.iter().filter_map(|name| permission::by_name(name)) {
            let id = if application { permission.role } else { Some(permission.scope) };
            let Some(id) = id else { continue };
            let required = Required { resource: GRAPH_APP_ID, id, application };
            if !self.required.contains(&required) {
                self.required.push(required);
            }
        }
    }

    /// Replaces the Application permissions, consent included, at once.
    pub fn grant(&mut self, names: &[&str], now: DateTime<Utc>) {
        self.required.retain(|required| !required.application);
        if let Some(principal) = &mut self.principal {
            principal.assignments.clear();
        }
        self.require(names, true);
        self.consent(now, now);
    }

    /// «Grant admin consent»: everything that was added is granted.
    pub fn consent(&mut self, now: DateTime<Utc>, effective: DateTime<Utc>) {
        let Some(principal) = &mut self.principal else { return };
        for required in self.required.iter().filter(|r| r.resource == GRAPH_APP_ID) {
            if required.application {
                principal.assign(Api::MicrosoftGraph, required.id, now, effective);
            } else if let Some(permission) = permission::by_scope(required.id)
                && !principal.delegated.contains(&permission.name)
            {
                principal.delegated.push(permission.name);
            }
        }
    }
}

impl Principal {
    /// Grants one Application permission; `None` when it is granted already.
    pub fn assign(
        &mut self,
        api: Api,
        role: Uuid,
        now: DateTime<Utc>,
        effective: DateTime<Utc>,
    ) -> Option<&Assignment> {
        if self.assignments.iter().any(|assignment| (assignment.api, assignment.role) == (api, role)) {
            return None;
        }
        let mixed = Uuid::from_u128(self.id.as_u128() ^ role.as_u128().rotate_left(32) ^ api as u128);
        let id = format!("sim-{}", mixed.simple());
        self.assignments.push(Assignment { id, api, role, created: now, effective });
        self.assignments.last()
    }
}

impl Tenant {
    pub fn app(&self, app_id: Uuid) -> Option<&App> {
        self.apps.iter().find(|app| app.app_id == app_id)
    }

    pub fn app_mut(&mut self, app_id: Uuid) -> Option<&mut App> {
        self.apps.iter_mut().find(|app| app.app_id == app_id)
    }

    /// Whether the text in a URL names this tenant: its id or one of its domains.
    pub fn is_named(&self, text: &str) -> bool {
        Uuid::parse_str(text).is_ok_and(|id| id == self.id)
            || self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(text))
    }
}
