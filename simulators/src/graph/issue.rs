//! Issues and checks access tokens: JWTs with the claims of docs/graph.md, «Access tokens», stored by their text.

use super::answer::Problem;
use super::sim::Sim;
use super::tenant::{App, Tenant};
use super::token::{Issued, Token};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// The `aud` of every token.
const AUDIENCE: &str = "https://graph.microsoft.com";

impl Sim {
    pub(super) fn issue(&self, tenant: &Tenant, app: &App, certificate: bool) -> Issued {
        let now = self.now();
        let roles = app.roles(now);
        let expires = now + TimeDelta::seconds(3_600);
        let known = app.principal.is_some() && !app.identity_unknown;
        let begun = (now - TimeDelta::seconds(300)).timestamp();
        let mut claims = json!({
            "aud": AUDIENCE,
            "iss": format!("https://sts.windows.net/{}/", tenant.id),
            "iat": begun,
            "nbf": begun,
            "exp": expires.timestamp(),
            "aio": format!("k2RgYJ{}", self.new_id().simple()),
            "app_displayname": app.name,
            "appid": app.app_id,
            "appidacr": if certificate { "2" } else { "1" },
            "idp": format!("https://sts.windows.net/{}/", tenant.id),
            "idtyp": "app",
            "rh": "1.AAAA.",
            "tenant_region_scope": "EU",
            "tid": tenant.id,
            "uti": self.new_id().simple().to_string(),
            "ver": "1.0",
            "wids": ["0997a1d0-0d1d-4acb-b408-d5ca73121e90"],
            "xms_idrel": "7 22",
            "xms_tcdt": 1_752_658_764,
        });
        if !roles.is_empty() && known {
            claims["roles"] = json!(roles);
        }
        if app.directory_reader {
            // The template id of Directory Readers.
            claims["wids"] = json!(["0997a1d0-0d1d-4acb-b408-d5ca73121e90", "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"]);
        }
        if let Some(principal) = app.principal.as_ref().filter(|_| known) {
            claims["oid"] = json!(principal.id);
            claims["sub"] = json!(principal.id);
        }
        let key = EncodingKey::from_secret(&self.signing_key);
        // HS256 with a key of the process cannot fail.
        let text = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap_or_default();
        let token = Token {
            tenant: tenant.id,
            app: app.app_id,
            roles,
            expires,
            directory: tenant.directory.clone(),
            premium: tenant.premium,
            admin: false,
            directory_reader: app.directory_reader,
            known,
        };
        self.remember(text.clone(), token);
        Issued { text }
    }

    /// The token of a request, or the 401 that Graph answers.
    pub(super) fn authenticate(&self, authorization: Option<&str>) -> Result<Arc<Token>, Problem> {
        let invalid = |message: &str| Problem::new(401, "InvalidAuthenticationToken", message);
        let text = authorization.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim).unwrap_or_default();
        if text.is_empty() {
            return Err(invalid("Access token is empty."));
        }
        if let Some(tenant) = text.strip_prefix("simulated-admin.") {
            return self.admin(tenant).ok_or_else(|| invalid("There is no such tenant."));
        }
        let token = self.recall(text).ok_or_else(|| match text.split('.').count() {
            3 => invalid("Access token validation failure. Invalid audience."),
            _ => invalid("CompactToken parsing failed with error code: 80049217"),
        })?;
        if token.expires <= self.now() {
            return Err(invalid("Lifetime validation failed, the token is expired."));
        }
        if !token.known {
            let message = "The identity of the calling application could not be established.";
            return Err(Problem::new(401, "Authorization_IdentityNotFound", message));
        }
        Ok(token)
    }

    fn admin(&self, tenant: &str) -> Option<Arc<Token>> {
        let tenants = self.read_tenants();
        let tenant = tenants.iter().find(|known| known.is_named(tenant))?;
        Some(Arc::new(Token {
            tenant: tenant.id,
            app: Uuid::nil(),
            roles: Vec::new(),
            expires: DateTime::<Utc>::MAX_UTC,
            directory: tenant.directory.clone(),
            premium: tenant.premium,
            admin: true,
            directory_reader: true,
            known: true,
        }))
    }
}
