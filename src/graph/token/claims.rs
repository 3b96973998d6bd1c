//! The claims of a Graph access token. They are decoded for diagnosis only. Graph tokens are opaque to clients, so
//! every claim is optional, and an unknown format means «unknown».
//!
//! Source: <https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference>;
//! docs/graph.md, «Access tokens».

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The claims that matter here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claims {
    /// Whether the token could be decoded. If not, a missing claim means nothing.
    pub readable: bool,
    /// Granted Application permissions. A token without any has no such claim.
    pub roles: Vec<String>,
    /// Delegated permissions. Only user tokens have them.
    pub scp: Option<String>,
    /// Tenant that issued the token.
    pub tid: Option<String>,
    /// Object id of the service principal (enterprise application); absent as long as it does not exist.
    pub oid: Option<String>,
    /// The application (client) id: `appid` of a v1.0 token, `azp` of a v2.0 one.
    pub appid: Option<String>,
    pub aud: Option<String>,
    pub app_displayname: Option<String>,
    /// Template ids of directory roles, and one id that every app-only token has.
    pub wids: Vec<String>,
    /// How the application authenticated: `1` secret, `2` certificate.
    pub appidacr: Option<String>,
    /// `app` in app-only tokens.
    pub idtyp: Option<String>,
    /// Seconds since 1970.
    pub exp: Option<i64>,
    /// Seconds since 1970; about five minutes before the token was issued.
    pub iat: Option<i64>,
}

/// This id is in every app-only token. It is not a directory role.
const WIDS_OF_EVERY_APP: &str = "0997a1d0-0d1d-4acb-b408-d5ca73121e90";

impl Claims {
    /// Reads the payload of a JWT without verifying it.
    pub fn decode(token: &str) -> Self {
        let payload = token.split('.').nth(1).unwrap_or_default().trim_end_matches('=');
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(payload) else { return Self::default() };
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(claims)) => Self::from_object(&claims),
            Ok(_) | Err(_) => Self::default(),
        }
    }

    fn from_object(claims: &Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| claims.get(name).and_then(Value::as_i64);
        Self {
            readable: true,
            roles: texts(claims.get("roles")),
            scp: text("scp"),
            tid: text("tid"),
            oid: text("oid"),
            appid: text("appid").or_else(|| text("azp")),
            aud: text("aud"),
            app_displayname: text("app_displayname"),
            wids: texts(claims.get("wids")),
            appidacr: text("appidacr").or_else(|| text("azpacr")),
            idtyp: text("idtyp"),
            exp: number("exp"),
            iat: number("iat"),
        }
    }

    pub fn has_role(&self, permission: &str) -> bool {
        self.roles.iter().any(|role| role.eq_ignore_ascii_case(permission))
    }

    /// Template ids of the directory roles that the application holds.
    pub fn directory_roles(&self) -> impl Iterator<Item = &str> {
        self.wids.iter().map(String::as_str).filter(|id| !id.eq_ignore_ascii_case(WIDS_OF_EVERY_APP))
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => one.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(payload: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload.to_string()))
    }

    #[test]
    fn an_app_only_token_is_read() {
        let claims = Claims::decode(&token(&json!({
            "aud": "https://graph.microsoft.com", "appid": "a", "appidacr": "2", "idtyp": "app", "oid": "o", "tid": "t",
            "roles": ["User.Read.All"], "exp": 1_772_331_385, "wids": [WIDS_OF_EVERY_APP, "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"],
        })));
        assert!(claims.readable && claims.has_role("user.read.all") && !claims.has_role("Group.Read.All"));
        assert_eq!(claims.directory_roles().collect::<Vec<_>>(), ["88d8e3e3-8f55-4a1e-953a-9b9898b8876b"]);
        assert_eq!(claims.exp, Some(1_772_331_385));
    }

    #[test]
    fn a_token_of_unknown_form_tells_nothing() {
        for opaque in ["", "opaque", "a.b.c", "e30.W10.x", "EwB4A8l6BAAU."] {
            assert!(!Claims::decode(opaque).readable, "{opaque}");
        }
    }

    #[test]
    fn claims_of_an_unexpected_type_are_absent() {
        let claims = Claims::decode(&token(&json!({"roles": 7, "oid": [], "azp": "v2"})));
        assert_eq!((claims.roles.len(), claims.oid, claims.appid.as_deref()), (0, None, Some("v2")));
    }
}
