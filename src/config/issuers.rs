//! The issuers whose JWTs are accepted: OpenID Connect issuers, and Forge apps as a preset.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::str::FromStr;
use url::Url;

/// `iss` of a Forge invocation token, see docs/assets.md, «Forge».
const FORGE_ISSUER: &str = "forge/invocation-token";
const FORGE_JWKS_URL: &str = "https://forge.cdn.prod.atlassian-dev.net/.well-known/jwks.json";
/// `aud` of a Forge invocation token starts with this; the id of the app follows.
const FORGE_APP: &str = "ari:cloud:ecosystem::app/";

/// The scopes that `scopes` can list, as `api_key.rs` has them.
const SCOPES: [&str; 4] = ["read", "write", "run", "admin"];

/// One issuer of tokens.
#[derive(Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtIssuer {
    /// `iss`, compared exactly.
    pub issuer: String,
    /// Accepted values of `aud`.
    #[serde(deserialize_with = "one_or_more")]
    pub audience: Vec<String>,
    /// URL of its public keys. Default: `jwks_uri` of `{issuer}/.well-known/openid-configuration`.
    #[serde(default, deserialize_with = "url")]
    pub jwks_url: Option<Url>,
    /// The claim with the organization; write a nested claim as `app.tenant`. Default: all tokens belong to the
    /// organization `default`.
    #[serde(default)]
    pub organization_claim: Option<String>,
    /// The claim with the scopes, as a list or separated by spaces. Default: `scope`.
    #[serde(default)]
    pub scopes_claim: Option<String>,
    /// The organizations that its tokens may name, as they name them. Default: every organization.
    #[serde(default)]
    pub organizations: Option<Vec<String>>,
    /// The scopes that its tokens may have. Default: all.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

impl JwtIssuer {
    /// The preset for the invocation tokens of a Forge app.
    fn forge(app: String) -> Self {
        Self {
            issuer: FORGE_ISSUER.to_owned(),
            audience: vec![app],
            jwks_url: None,
            organization_claim: None,
            scopes_claim: None,
            organizations: None,
            scopes: None,
        }
        .with_presets()
    }

    fn with_presets(mut self) -> Self {
        if self.is_forge() && self.jwks_url.is_none() {
            self.jwks_url = Url::parse(FORGE_JWKS_URL).ok();
        }
        self
    }

    /// Whether its tokens may name this organization.
    pub fn may_name(&self, organization: &str) -> bool {
        self.organizations.as_ref().is_none_or(|listed| listed.iter().any(|name| name == organization))
    }

    /// Whether its tokens may have this scope.
    pub fn may_have(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|listed| listed.iter().any(|name| name == scope))
    }

    /// Whether its tokens name the organization themselves, and nothing bounds which, or with which scopes.
    pub fn is_unbounded(&self) -> bool {
        self.organization_claim.is_some() && (self.organizations.is_none() || self.scopes.is_none())
    }

    /// Whether its tokens come from a Forge app. They contain an installation instead of the configured claims.
    pub fn is_forge(&self) -> bool {
        self.issuer == FORGE_ISSUER
    }

    fn check(&self) -> Result<(), String> {
        let issuer = &self.issuer;
        if issuer.is_empty() || self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            return Err("`issuer` and `audience` must not be empty".to_owned());
        }
        let sets_claims = self.organization_claim.is_some() || self.scopes_claim.is_some();
        if self.is_forge() && (sets_claims || self.organizations.is_some() || self.scopes.is_some()) {
            return Err(format!(
                "the claims of `{FORGE_ISSUER}` are fixed: remove `organizationClaim`, `scopesClaim`, `organizations` and `scopes`"
            ));
        }
        if self.organizations.is_some() && self.organization_claim.is_none() {
            return Err(format!("`organizations` of `{issuer}` needs `organizationClaim`"));
        }
        let unknown = self.scopes.iter().flatten().find(|scope| !SCOPES.contains(&scope.as_str()));
        if let Some(unknown) = unknown {
            return Err(format!("`scopes` of `{issuer}` has the unknown scope `{unknown}`"));
        }
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        match &self.jwks_url {
            Some(url) if !is_http(url) => Err(format!("`jwksUrl` of `{issuer}` is not an http or https URL")),
            None if !self.is_forge() && !Url::parse(issuer).is_ok_and(|url| is_http(&url)) => {
                Err(format!("`{issuer}` is not an http or https URL, so it needs a `jwksUrl`"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(more) => more,
    })
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| Url::parse(&text).map_err(|e| D::Error::custom(format!("`{text}` is not a URL: {e}")))).transpose()
}

/// The value of ENTRA_ASSETS_JWT_ISSUERS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JwtIssuers(Vec<JwtIssuer>);

impl FromStr for JwtIssuers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let issuers: Vec<JwtIssuer> = serde_json::from_str(text).map_err(|e| format!("must be a JSON list: {e}"))?;
        issuers.iter().try_for_each(JwtIssuer::check)?;
        Ok(Self(issuers.into_iter().map(JwtIssuer::with_presets).collect()))
    }
}

impl JwtIssuers {
    /// These issuers, and the preset of a Forge app if it is not among them.
    pub(super) fn with_forge(&self, app: Option<&ForgeAppId>) -> Vec<JwtIssuer> {
        let mut issuers = self.0.clone();
        if let Some(ForgeAppId(app)) = app
            && !issuers.iter().any(|issuer| issuer.is_forge() && issuer.audience.contains(app))
        {
            issuers.push(JwtIssuer::forge(app.clone()));
        }
        issuers
    }
}

/// The id of a Forge app as in its manifest: `ari:cloud:ecosystem::app/<id>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForgeAppId(String);

impl FromStr for ForgeAppId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = text.strip_prefix(FORGE_APP).unwrap_or(text);
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(format!("must be the id in the manifest of the app: {FORGE_APP}<id>"));
        }
        Ok(Self(format!("{FORGE_APP}{id}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<JwtIssuers, String> {
        text.parse()
    }

    #[test]
    fn an_issuer_has_one_audience_or_more() {
        let one = parse(r#"[{"issuer":"https://id.example","audience":"a"}]"#).unwrap();
        let more = parse(r#"[{"issuer":"https://id.example","audience":["a","b"]}]"#).unwrap();
        assert_eq!((one.0[0].audience.len(), more.0[0].audience.len()), (1, 2));
    }

    #[test]
    fn what_cannot_work_is_rejected_at_start() {
        for (text, part) in [
            ("{}", "JSON list"),
            (r#"[{"issuer":"https://id.example"}]"#, "audience"),
            (r#"[{"issuer":"https://id.example","audience":[]}]"#, "empty"),
            (r#"[{"issuer":"https://id.example","audience":"a","jwks":"x"}]"#, "jwks"),
            (r#"[{"issuer":"own","audience":"a"}]"#, "jwksUrl"),
            (r#"[{"issuer":"own","audience":"a","jwksUrl":"file:///keys"}]"#, "jwksUrl"),
            (r#"[{"issuer":"https://id.example","audience":"a","organizations":["x"]}]"#, "organizationClaim"),
            (r#"[{"issuer":"https://id.example","audience":"a","scopes":["all"]}]"#, "all"),
            (r#"[{"issuer":"forge/invocation-token","audience":"a","scopesClaim":"s"}]"#, "fixed"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn an_issuer_that_may_name_any_organization_is_found() {
        for (more, is_unbounded) in [
            ("", false),
            (r#","organizationClaim":"tenant""#, true),
            (r#","organizationClaim":"tenant","organizations":["x"]"#, true),
            (r#","organizationClaim":"tenant","scopes":["read"]"#, true),
            (r#","organizationClaim":"tenant","organizations":["x"],"scopes":["read"]"#, false),
        ] {
            let issuers = parse(&format!(r#"[{{"issuer":"https://id.example","audience":"a"{more}}}]"#)).unwrap();
            assert_eq!(issuers.0[0].is_unbounded(), is_unbounded, "{more}");
        }
    }

    #[test]
    fn a_forge_app_is_an_issuer_with_the_keys_of_atlassian() {
        let app: ForgeAppId = "ari:cloud:ecosystem::app/1-2".parse().unwrap();
        assert_eq!("1-2".parse::<ForgeAppId>().unwrap(), app);
        assert!("ari:cloud:ecosystem::app/".parse::<ForgeAppId>().is_err());
        let issuers = JwtIssuers::default().with_forge(Some(&app));
        assert_eq!(issuers[0].jwks_url.as_ref().unwrap().as_str(), FORGE_JWKS_URL);
        let other = r#"[{"issuer":"forge/invocation-token","audience":"ari:cloud:ecosystem::app/1-2","jwksUrl":"http://127.0.0.1:1/"}]"#;
        let issuers = parse(other).unwrap().with_forge(Some(&app));
        assert_eq!((issuers.len(), issuers[0].jwks_url.as_ref().unwrap().as_str()), (1, "http://127.0.0.1:1/"));
    }
}
