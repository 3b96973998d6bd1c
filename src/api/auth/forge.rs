//! Callers from a Forge app: the invocation token names the installation, which is the organization, and the call may
//! carry the app's system token for Assets. Source: docs/assets.md, «Forge»;
//! developer.atlassian.com/platform/forge/remote/essentials.

use super::caller::{Caller, Credential, Scope};
use super::issuers::actor;
use super::jwt::{self, Claims, refused};
use crate::api::client;
use crate::app::App;
use crate::audit::Actor;
use crate::db::system;
use crate::error::{Error, Fault, Result};
use crate::ids::OrganizationId;
use crate::runs::forge_token::{self, StoredToken};
use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

/// The header of the app's token for Atlassian's APIs. Never logged.
pub const SYSTEM_TOKEN_HEADER: &str = "x-forge-oauth-system";
const MAX_SYSTEM_TOKEN_BYTES: usize = 16 * 1024;
/// An installation never has the scope `admin`.
const SCOPES: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Run];
const MAX_INSTALLATION_BYTES: usize = 500;
/// The longest name of an installation's organization.
const MAX_NAME_CHARACTERS: usize = 200;

/// Marks a call from a Forge app. It is in the request's extensions together with the [`Caller`].
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// What happened to the system token, if the call carried one.
    pub brought: Option<StoredToken>,
}

/// The system token of a call that is not stored yet.
pub(super) struct Carried {
    installation: String,
    token: SecretString,
    api_base_url: Url,
}

/// The caller that a verified invocation token names, and the system token of the call. The first call of an installation
/// creates its organization.
pub(super) async fn caller(app: &App, request: &ServiceRequest, claims: &Claims) -> Result<(Caller, Option<Carried>)> {
    let installation = claims.get("app").and_then(|of| of.get("installationId")).and_then(Value::as_str);
    let installation = installation
        .filter(|id| !id.is_empty() && id.len() <= MAX_INSTALLATION_BYTES && id.bytes().all(|b| b.is_ascii_graphic()))
        .ok_or_else(|| refused("it has no installation (`app.installationId`)"))?;
    let api_base_url = api_base_url(app, claims)?;
    let token = system_token(request.headers())?;
    let subject = jwt::text(claims, "principal").unwrap_or(installation);
    let actor = actor(jwt::text(claims, "iss").unwrap_or_default(), subject);
    let organization = organization(app, request, (installation, claims), &actor).await?;
    let carried = match (token, api_base_url) {
        (None, _) => None,
        (Some(_), None) => return Err(refused("it has a system token but no `app.apiBaseUrl`")),
        (Some(token), Some(api_base_url)) => {
            Some(Carried { installation: installation.to_owned(), token: token.into(), api_base_url })
        }
    };
    let credential = Credential::Token { ends_at: jwt::ends_at(claims) };
    Ok((Caller::new(organization, actor, SCOPES.to_vec(), credential), carried))
}

/// Stores the system token of a call from a Forge app, which replaces the one before. To be called once the call is known to
/// be within the limits and the scopes of its caller.
pub async fn bring(app: &App, caller: &Caller, request: &ServiceRequest) -> Result<()> {
    let Some(carried) = request.extensions_mut().remove::<Carried>() else { return Ok(()) };
    let Carried { installation, token, api_base_url } = carried;
    let token = token.expose_secret();
    let ends_at = jwt::unverified_end(token);
    let brought = forge_token::bring(app, caller.organization, &installation, token, &api_base_url, ends_at).await?;
    request.extensions_mut().insert(Invocation { brought: Some(brought) });
    Ok(())
}

/// The base URL of the installation's APIs: a site of Atlassian, or the operator's own origin.
fn api_base_url(app: &App, claims: &Claims) -> Result<Option<Url>> {
    let Some(text) = claims.get("app").and_then(|of| of.get("apiBaseUrl")) else { return Ok(None) };
    let url = text.as_str().and_then(|text| Url::parse(text).ok());
    let url = url.filter(|url| app.assets.is_api_base_url(url));
    url.map(Some).ok_or_else(|| refused("its `app.apiBaseUrl` is not a Jira site of Atlassian's API"))
}

fn system_token(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(value) = headers.get(SYSTEM_TOKEN_HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text.is_empty() || text.len() > MAX_SYSTEM_TOKEN_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let fault = Fault::new(SYSTEM_TOKEN_HEADER, "invalid_format", "is not a token");
        return Err(Error::validation(vec![fault]));
    }
    Ok(Some(text))
}

async fn organization(
    app: &App,
    request: &ServiceRequest,
    (installation, claims): (&str, &Claims),
    actor: &Actor,
) -> Result<OrganizationId> {
    let site = claims.get("context").and_then(|of| of.get("siteUrl")).and_then(Value::as_str).unwrap_or(installation);
    let name: String = format!("Forge {site}").chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARACTERS).collect();
    let address = client::address(app, request).map(|address| address.to_string());
    let id = OrganizationId::new(&app.clock);
    let new = system::NewOrganization {
        id,
        external_id: installation,
        name: &name,
        issued_at: jwt::issued_at(claims),
        actor,
        address,
    };
    let found = system::ensure_organization(&app.db, new, crate::ids::new_v7(&app.clock), app.clock.now()).await?;
    found.ok_or_else(|| refused("its installation was removed since it was issued"))
}
