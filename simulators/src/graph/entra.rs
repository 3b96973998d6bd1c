//! The sign-in service: the v2.0 token endpoint for client credentials, tenant metadata, admin consent.
//! Source: docs/graph.md, «Sign-in».

mod assertion;
mod failure;

use super::answer::Answer;
use super::sim::Sim;
use super::tenant::{App, Tenant};
use super::token::Issued;
pub use failure::{Failure, statuses};
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// The resources that a token can be asked for: Graph in every cloud, by URL or application id.
const GRAPH_RESOURCES: &[&str] = &[
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    "00000003-0000-0000-c000-000000000000",
];
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The fields of a token request; the credential may have come by HTTP Basic.
struct Form(HashMap<String, String>);

impl Form {
    fn parse(body: &[u8], authorization: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(body);
        let mut fields: HashMap<String, String> = pairs.map(|(name, value)| (name.into(), value.into())).collect();
        if let Some((id, secret)) = authorization.and_then(basic) {
            fields.entry("client_id".into()).or_insert(id);
            fields.entry("client_secret".into()).or_insert(secret);
        }
        Self(fields)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| Failure::new(900144).with("name", name))
    }
}

/// RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
fn basic(header: &str) -> Option<(String, String)> {
    use base64::Engine;
    let text = header.strip_prefix("Basic ")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| urlencoding::decode(part).map(std::borrow::Cow::into_owned).ok();
    Some((decode(id)?, decode(secret)?))
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub fn token(sim: &Sim, tenant_text: &str, body: &[u8], authorization: Option<&str>) -> Answer {
    let form = Form::parse(body, authorization);
    let tenants = sim.read_tenants();
    let tenant = tenants.iter().find(|tenant| tenant.is_named(tenant_text));
    match issue(sim, tenant_text, tenant, &form) {
        Ok(issued) => success(sim, &issued),
        Err(failure) => {
            let tail = tenant.map(|tenant| tenant.tail).unwrap_or_default();
            failure.answer(sim, tail)
        }
    }
}

fn success(sim: &Sim, issued: &Issued) -> Answer {
    let body = json!({
        "token_type": "Bearer",
        "expires_in": 3599,
        "ext_expires_in": 3599,
        "access_token": issued.text,
    });
    let mut answer = Answer::value(200, &body);
    answer.content_type = "application/json; charset=utf-8";
    answer.headers = failure::headers(&sim.new_id().to_string());
    answer
}

/// Whether the text in the URL could name a tenant at all, and does.
fn find<'t>(text: &str, tenant: Option<&'t Tenant>) -> Result<&'t Tenant, Failure> {
    match text.to_ascii_lowercase().as_str() {
        "common" | "consumers" => return Err(Failure::new(9_001_023)),
        "organizations" => return Err(Failure::new(50_059)),
        _ => {}
    }
    match Uuid::parse_str(text) {
        Ok(id) if id.is_nil() => return Err(Failure::new(900_021).with("tenant", text)),
        // Entra takes the form with hyphens alone.
        Ok(_) if text.len() != 36 => return Err(Failure::new(900_023).with("tenant", text)),
        Ok(_) | Err(_) => {}
    }
    let is_domain = text.contains('.') && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if Uuid::parse_str(text).is_err() && !is_domain {
        return Err(Failure::new(900_023).with("tenant", text));
    }
    tenant.ok_or_else(|| Failure::new(90_002).with("tenant", text))
}

fn issue(sim: &Sim, text: &str, tenant: Option<&Tenant>, form: &Form) -> Result<Issued, Failure> {
    let tenant = find(text, tenant)?;
    let grant = form.required("grant_type")?;
    if grant != "client_credentials" {
        return Err(Failure::new(70_003).with("grant", grant));
    }
    let client = form.required("client_id")?;
    let scope = form.required("scope")?;
    if let Some(error) = tenant.token_error {
        return Err(Failure::new(error.aadsts)
            .with("appid", client)
            .with("tenant", text)
            .with("tenantId", &tenant.id.to_string())
            .with("scope", scope));
    }
    let app = Uuid::parse_str(client).ok().and_then(|id| tenant.app(id));
    let app = app.ok_or_else(|| Failure::new(700_016).with("appid", client).with("tenant", &tenant.name))?;
    check_scope(scope, tenant)?;
    check_credential(sim, tenant, app, form)?;
    check_principal(tenant, app)?;
    let certificate = form.get("client_secret").is_none();
    Ok(sim.issue(tenant, app, certificate))
}

fn check_scope(scope: &str, tenant: &Tenant) -> Result<(), Failure> {
    let scopes: Vec<&str> = scope.split_whitespace().collect();
    let [scope] = scopes.as_slice() else {
        return Err(Failure::new(70_022).with("scope", scope));
    };
    let Some(resource) = scope.strip_suffix("/.default") else {
        return Err(Failure::new(1_002_012).with("scope", scope));
    };
    let resource = resource.trim_end_matches('/');
    if GRAPH_RESOURCES.iter().any(|known| known.eq_ignore_ascii_case(resource)) {
        return Ok(());
    }
    Err(Failure::new(500_011).with("resource", resource).with("tenant", &tenant.name))
}

fn check_credential(sim: &Sim, tenant: &Tenant, app: &App, form: &Form) -> Result<(), Failure> {
    let client = app.app_id.to_string();
    if app.public {
        return Err(Failure::new(700_025).with("appid", &client));
    }
    if let Some(assertion) = form.get("client_assertion").filter(|text| !text.is_empty()) {
        if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(Failure::new(900_144).with("name", "client_assertion_type"));
        }
        return assertion::check(assertion, tenant, app, sim.now());
    }
    match form.get("client_secret") {
        None => Err(Failure::new(7_000_218)),
        Some("") => Err(Failure::new(7_000_216)),
        Some(value) => match app.secrets.iter().find(|secret| secret.value == value) {
            None => Err(Failure::new(7_000_215).with("appid", &client)),
            Some(secret) if secret.expires <= sim.now() => Err(Failure::new(7_000_222).with("appid", &client)),
            Some(_) => Ok(()),
        },
    }
}

fn check_principal(tenant: &Tenant, app: &App) -> Result<(), Failure> {
    let client = app.app_id.to_string();
    if app.identity_unknown {
        return Ok(());
    }
    let Some(principal) = &app.principal else {
        return Err(Failure::new(7_000_229).with("appid", &client).with("tenantId", &tenant.id.to_string()));
    };
    if !principal.enabled {
        return Err(Failure::new(7_000_112).with("appid", &client).with("name", &app.name));
    }
    match app.blocked_by {
        Some(policy) => Err(Failure::new(53_003).with("policy", &policy.to_string())),
        None => Ok(()),
    }
}

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`: needs no credential.
pub fn metadata(sim: &Sim, tenant_text: &str, host: &str) -> Answer {
    let tenants = sim.read_tenants();
    let tenant = tenants.iter().find(|tenant| tenant.is_named(tenant_text));
    match find(tenant_text, tenant) {
        Ok(tenant) => {
            let id = tenant.id;
            let mut answer = Answer::value(
                200,
                &json!({
                    "token_endpoint": format!("http://{host}/{id}/oauth2/v2.0/token"),
                    "issuer": format!("https://login.microsoftonline.com/{id}/v2.0"),
                    "authorization_endpoint": format!("http://{host}/{id}/oauth2/v2.0/authorize"),
                    "jwks_uri": format!("http://{host}/{id}/discovery/v2.0/keys"),
                    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
                    "tenant_region_scope": "EU",
                    "cloud_instance_name": "microsoftonline.com",
                    "msgraph_host": "graph.microsoft.com",
                }),
            );
            answer.content_type = "application/json; charset=utf-8";
            answer
        }
        Err(failure) => failure.with_error("invalid_tenant").answer(sim, Default::default()),
    }
}

/// `GET /{tenant}/adminconsent?client_id=…&redirect_uri=…&state=…`: the administrator agrees at once.
pub fn admin_consent(sim: &Sim, tenant_text: &str, query: &str) -> Answer {
    let fields: HashMap<String, String> =
        url::form_urlencoded::parse(query.as_bytes()).map(|(n, v)| (n.into(), v.into())).collect();
    let client = fields.get("client_id").and_then(|id| Uuid::parse_str(id).ok());
    let now = sim.now();
    let done = client.is_some_and(|client| {
        let mut tenants = sim.write_tenants();
        let tenant = tenants.iter_mut().find(|tenant| tenant.is_named(tenant_text));
        tenant.and_then(|tenant| tenant.app_mut(client)).map(|app| app.consent(now, now)).is_some()
    });
    let mut outcome = url::form_urlencoded::Serializer::new(String::new());
    if done {
        outcome.append_pair("admin_consent", "True").append_pair("tenant", tenant_text);
    } else {
        outcome.append_pair("error", "unauthorized_client").append_pair(
            "error_description",
            &format!("AADSTS700016: Application was not found in the directory '{tenant_text}'."),
        );
    }
    if let Some(state) = fields.get("state") {
        outcome.append_pair("state", state);
    }
    let outcome = outcome.finish();
    match fields.get("redirect_uri") {
        Some(to) => {
            let mut answer = Answer::empty(302);
            answer.headers.push(("location", format!("{to}?{outcome}")));
            answer
        }
        None => Answer { content_type: "text/html; charset=utf-8", ..Answer::text(200, format!("<p>{outcome}</p>")) },
    }
}
