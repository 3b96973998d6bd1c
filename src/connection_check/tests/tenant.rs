//! A scripted tenant: the token endpoint and the few Graph paths that a check reads.

use super::super::*;
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::config::{HostSettings, HttpSettings};
use crate::graph::limiter::LARGE_TENANT;
use crate::graph::token::{Federated, Tokens};
use crate::ids::{ConnectionId, OrganizationId};
use crate::permission::catalog;
pub use crate::permission::catalog::PermissionKind;
use base64::Engine as _;
use serde_json::{Value, json};
use uuid::uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
pub const CLIENT: Uuid = uuid!("11111111-2222-4333-8444-555555555555");
pub const SECRET: &str = "abc8Q~very-secret-value";
const PRINCIPAL: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const GRAPH_PRINCIPAL: &str = "cccccccc-0000-4000-8000-000000000001";
const OTHER_PRINCIPAL: &str = "cccccccc-0000-4000-8000-000000000002";
const OUTER: &str = "bbbbbbbb-0000-4000-8000-000000000001";
pub const INNER: &str = "bbbbbbbb-0000-4000-8000-000000000002";

pub fn now() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

pub struct Tenant {
    claims: Value,
    is_opaque: bool,
    sign_in_error: Option<u32>,
    allowed: Vec<String>,
    refused: Vec<String>,
    slow: Option<String>,
    enabled: bool,
    /// Items of the two lists of grants, of which a page has 100.
    assigned: Vec<Value>,
    delegated: Vec<Value>,
    broken_page: Option<usize>,
    origin: String,
    manifest: Option<Vec<Value>>,
}

/// Paths that a permission opens, as far as a check reads them.
fn opens(role: &str) -> &'static [&'static str] {
    match role {
        "User.Read.All" | "User.ReadWrite.All" => &["/users"],
        "GroupMember.Read.All" => &["/groups"],
        "LicenseAssignment.Read.All" => &["/subscribedSkus"],
        "Application.Read.All" => &["/servicePrincipals", "/applications"],
        "Directory.Read.All" => &["/"],
        _ => &[],
    }
}

impl Tenant {
    pub fn with_roles(roles: &[&str]) -> Self {
        let mut claims = json!({
            "aud": "https://graph.microsoft.com", "tid": TENANT, "appid": CLIENT, "oid": PRINCIPAL,
            "app_displayname": "Assets import", "idtyp": "app", "appidacr": "1",
        });
        if !roles.is_empty() {
            claims["roles"] = json!(roles);
        }
        let mut refused = Vec::new();
        if roles.contains(&"Application.Read.All") {
            refused.push("oauth2PermissionGrants".to_owned());
        }
        if !roles.contains(&"AuditLog.Read.All") {
            refused.push("signInActivity".to_owned());
        }
        Self {
            claims,
            is_opaque: false,
            sign_in_error: None,
            allowed: roles.iter().flat_map(|role| opens(role)).map(|path| (*path).to_owned()).collect(),
            refused,
            slow: None,
            enabled: true,
            assigned: Vec::new(),
            delegated: Vec::new(),
            broken_page: None,
            origin: String::new(),
            manifest: Some(Vec::new()),
        }
    }

    pub fn refused_with(aadsts: u32) -> Self {
        Self { sign_in_error: Some(aadsts), ..Self::with_roles(&[]) }
    }

    pub fn claims(mut self, changed: Value) -> Self {
        for (name, value) in changed.as_object().unwrap() {
            self.claims[name] = value.clone();
        }
        self
    }

    pub fn opaque(self) -> Self {
        Self { is_opaque: true, allowed: Vec::new(), ..self }
    }

    pub fn allowing(mut self, path: &str) -> Self {
        self.allowed.push(path.to_owned());
        self
    }

    pub fn refusing(mut self, part: &str) -> Self {
        self.refused.push(part.to_owned());
        self
    }

    pub fn slow(self, path: &str) -> Self {
        Self { slow: Some(path.to_owned()), ..self }
    }

    pub fn disabled(self) -> Self {
        Self { enabled: false, ..self }
    }

    pub fn added(mut self, name: &str, kind: PermissionKind) -> Self {
        let letter = if kind == PermissionKind::Application { "Role" } else { "Scope" };
        let entry = json!({"id": catalog::id(name, kind).unwrap(), "type": letter});
        self.manifest.get_or_insert_default().push(entry);
        self
    }

    pub fn without_manifest(self) -> Self {
        Self { manifest: None, ..self }
    }

    pub fn assigned(self, name: &str) -> Self {
        self.assigned_of(name, GRAPH_PRINCIPAL, "Microsoft Graph")
    }

    /// Granted, but as a permission of another API with the same id.
    pub fn assigned_elsewhere(self, name: &str) -> Self {
        self.assigned_of(name, OTHER_PRINCIPAL, "Office 365 SharePoint Online")
    }

    fn assigned_of(mut self, name: &str, resource: &str, display_name: &str) -> Self {
        let id = catalog::id(name, PermissionKind::Application).unwrap();
        let item = json!({"appRoleId": id, "resourceId": resource, "resourceDisplayName": display_name});
        self.assigned.push(item);
        self
    }

    pub fn granted_delegated(self, scope: &str) -> Self {
        self.delegated_of(scope, GRAPH_PRINCIPAL)
    }

    pub fn granted_delegated_elsewhere(self, scope: &str) -> Self {
        self.delegated_of(scope, OTHER_PRINCIPAL)
    }

    fn delegated_of(mut self, scope: &str, resource: &str) -> Self {
        self.delegated.push(json!({"consentType": "AllPrincipals", "scope": scope, "resourceId": resource}));
        self
    }

    /// Both lists of grants begin with so many entries that have nothing to do with an import.
    pub fn behind(mut self, entries: usize) -> Self {
        let foreign = |n: usize| json!({"appRoleId": Uuid::from_u128(n as u128), "resourceId": GRAPH_PRINCIPAL, "scope": "Tasks.Read"});
        self.assigned.splice(0..0, (0..entries).map(foreign));
        self.delegated.splice(0..0, (0..entries).map(foreign));
        self
    }

    /// This page of the lists of grants cannot be read.
    pub fn broken_page(self, page: usize) -> Self {
        Self { broken_page: Some(page), ..self }
    }

    fn page(&self, items: &[Value], path: &str, url: &str) -> (u16, Value) {
        let page: usize = url.split("$skiptoken=").nth(1).map_or(0, |token| token.parse().unwrap());
        if self.broken_page == Some(page) {
            return (400, json!({"error": {"code": "Request_BadRequest", "message": "The page cannot be read."}}));
        }
        let mut body = json!({"value": items.iter().skip(page * 100).take(100).collect::<Vec<_>>()});
        if items.len() > (page + 1) * 100 {
            body["@odata.nextLink"] = json!(format!("{}/v1.0{path}?$skiptoken={}", self.origin, page + 1));
        }
        (200, body)
    }

    pub async fn check(self, capabilities: &[Capability]) -> CheckReport {
        self.check_until(capabilities, None, DEADLINE).await
    }

    pub async fn check_until(
        self,
        capabilities: &[Capability],
        declared: Option<DateTime<Utc>>,
        deadline: Duration,
    ) -> CheckReport {
        let clock = if self.slow.is_some() { Clock::system() } else { Clock::manual_sleepless(now()) };
        let server = MockServer::start().await;
        let tenant = Self { origin: server.uri(), ..self };
        Mock::given(any()).respond_with(tenant).mount(&server).await;
        let origin: url::Url = server.uri().parse().unwrap();
        let hosts = HostSettings { login_url: Some(origin.clone()), graph_url: Some(origin), assets_url: None };
        let http = crate::http::client(&HttpSettings::default()).unwrap();
        let tokens = Tokens::new(http.clone(), clock.clone(), hosts.clone(), Federated::default());
        let graph = Client::new(http, clock, &hosts, tokens, LARGE_TENANT);
        let identity = Identity {
            organization: OrganizationId::DEFAULT,
            connection: ConnectionId(Uuid::from_u128(1)),
            credential_version: 1,
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT,
            cloud: Cloud::Global,
            credential: Credential::ClientSecret(SECRET.to_owned().into()),
        };
        check(&graph, &identity, capabilities, declared, deadline).await
    }

    fn token(&self) -> ResponseTemplate {
        if let Some(number) = self.sign_in_error {
            let text = format!(
                "AADSTS{number}: Microsoft's sentence. Trace ID: trace Correlation ID: correlation Timestamp: 2026-06-01 00:00:00Z"
            );
            let body = json!({"error": "invalid_client", "error_description": text, "error_codes": [number],
                "trace_id": "trace", "correlation_id": "correlation"});
            return ResponseTemplate::new(401).set_body_json(body);
        }
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.claims.to_string());
        let token = if self.is_opaque { "opaque".to_owned() } else { format!("eyJ.{payload}.sig") };
        ResponseTemplate::new(200)
            .set_body_json(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}))
    }

    fn graph(&self, path: &str, url: &str) -> (u16, Value) {
        let is_allowed = self.allowed.iter().any(|allowed| path.starts_with(allowed.as_str()));
        if !is_allowed || self.refused.iter().any(|part| url.contains(part.as_str())) {
            let error = json!({"code": "Authorization_RequestDenied", "message": "Insufficient privileges to complete the operation."});
            return (403, json!({"error": error}));
        }
        let members = json!([{"@odata.type": "#microsoft.graph.group", "id": INNER}]);
        let own = format!("/servicePrincipals/{PRINCIPAL}");
        let body = match path {
            "/users" => json!({"value": [{"id": PRINCIPAL}]}),
            "/groups" => json!({"value": [{"id": OUTER, "displayName": "Outer"}]}),
            "/subscribedSkus" => json!({"value": []}),
            _ if path == format!("/groups/{OUTER}/members") => json!({"value": members}),
            _ if path.starts_with("/groups/") => json!({"value": []}),
            _ if path == format!("/servicePrincipals(appId='{CLIENT}')") => {
                json!({"id": PRINCIPAL, "appId": CLIENT, "accountEnabled": self.enabled})
            }
            _ if path == format!("{own}/appRoleAssignments") => return self.page(&self.assigned, path, url),
            _ if path == format!("{own}/oauth2PermissionGrants") => return self.page(&self.delegated, path, url),
            _ if path == format!("/servicePrincipals(appId='{}')", catalog::MICROSOFT_GRAPH) => {
                json!({"id": GRAPH_PRINCIPAL})
            }
            _ if path.starts_with("/applications") => match &self.manifest {
                Some(access) => {
                    json!({"requiredResourceAccess": [{"resourceAppId": catalog::MICROSOFT_GRAPH, "resourceAccess": access}]})
                }
                None => {
                    return (
                        404,
                        json!({"error": {"code": "Request_ResourceNotFound", "message": "Resource does not exist."}}),
                    );
                }
            },
            _ => json!({"id": PRINCIPAL}),
        };
        (200, body)
    }
}

impl Respond for Tenant {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = request.url.path().replace("%27", "'");
        let Some(path) = path.strip_prefix("/v1.0") else { return self.token() };
        let (status, body) = self.graph(path, &request.url.as_str().replace("%27", "'"));
        let answer = ResponseTemplate::new(status).insert_header("request-id", "graph-request").set_body_json(body);
        match &self.slow {
            Some(slow) if path.starts_with(slow.as_str()) => answer.set_delay(Duration::from_secs(30)),
            _ => answer,
        }
    }
}
