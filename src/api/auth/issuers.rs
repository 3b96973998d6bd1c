//! Callers with a JWT of an issuer that the operator configured.

use super::caller::{Caller, Credential, Scope};
use super::jwks::KeySet;
use super::jwt::{self, Claims, UnverifiedJwt, refused};
use crate::app::App;
use crate::audit::Actor;
use crate::config::issuers::JwtIssuer;
use crate::db::system;
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use serde_json::Value;

/// The claim of the scopes, unless the operator configured another. Source: RFC 9068 §2.2.3.
const SCOPES_CLAIM: &str = "scope";
/// The name of the admin key's organization in tokens.
const DEFAULT_ORGANIZATION: &str = "default";
/// A longer subject is cut off: it is written to the audit log.
const MAX_SUBJECT_CHARACTERS: usize = 200;

/// The issuers whose tokens are accepted, with their keys.
pub struct Issuers {
    clock: crate::clock::Clock,
    issuers: Vec<(JwtIssuer, KeySet)>,
}

/// A token that passed every check.
pub(super) struct VerifiedJwt<'a> {
    pub(super) issuer: &'a JwtIssuer,
    pub(super) claims: Claims,
}

impl Issuers {
    pub fn new(app: &App) -> Self {
        let issuers = app.settings.security.issuers().into_iter().map(|issuer| {
            let keys = KeySet::new(app.http.clone(), app.clock.clone(), &issuer);
            (issuer, keys)
        });
        Self { clock: app.clock.clone(), issuers: issuers.collect() }
    }

    /// Issuer, algorithm, key, signature, audience, times, in this order.
    pub(super) async fn verify(&self, token: &UnverifiedJwt<'_>) -> Result<VerifiedJwt<'_>> {
        let of_issuer = || self.issuers.iter().filter(|(issuer, _)| issuer.issuer == token.issuer());
        // An issuer may be listed once for each audience.
        let (issuer, keys) = of_issuer()
            .find(|(issuer, _)| token.is_for(&issuer.audience))
            .or_else(|| of_issuer().next())
            .ok_or_else(|| refused("this service does not accept its issuer (`iss`)"))?;
        let algorithm = token.algorithm(issuer.is_forge())?;
        let key = keys.find(token.key_id(), algorithm).await?;
        let key = key.ok_or_else(|| refused("its issuer has no key with its id (`kid`) for its algorithm"))?;
        let claims = token.verify(&key, algorithm)?;
        if !jwt::is_for(&claims, &issuer.audience) {
            return Err(refused("it is for another audience (`aud`)"));
        }
        jwt::check_times(&claims, self.clock.now())?;
        Ok(VerifiedJwt { issuer, claims })
    }
}

/// The caller that a verified token of an OpenID Connect issuer names.
pub(super) async fn caller(app: &App, token: &VerifiedJwt<'_>) -> Result<Caller> {
    let VerifiedJwt { issuer, claims } = token;
    let organization = match &issuer.organization_claim {
        None => OrganizationId::DEFAULT,
        Some(claim) => organization(app, issuer, claims, claim).await?,
    };
    let may_have = |scope: &Scope| issuer.may_have(scope.as_str());
    let scopes = issuer.scopes_claim.as_deref().unwrap_or(SCOPES_CLAIM);
    let actor = actor(&issuer.issuer, jwt::text(claims, "sub").unwrap_or_default());
    let scopes = scopes_in(find(claims, scopes)).into_iter().filter(may_have).collect();
    Ok(Caller::new(organization, actor, scopes, Credential::Token { ends_at: jwt::ends_at(claims) }))
}

pub(super) fn actor(issuer: &str, subject: &str) -> Actor {
    let subject: String = subject.chars().filter(|c| !c.is_control()).take(MAX_SUBJECT_CHARACTERS).collect();
    Actor::Token(format!("{issuer}:{subject}"))
}

/// The organization that a claim names by its id, its external id, or `default`.
async fn organization(app: &App, issuer: &JwtIssuer, claims: &Claims, claim: &str) -> Result<OrganizationId> {
    let refused = |what: &str| {
        let detail = format!("The token's claim `{claim}` {what}. Ask the operator which organization it should name.");
        Error::new(Code::Forbidden, detail)
    };
    match find(claims, claim).and_then(Value::as_str) {
        None | Some("") => Err(refused("is missing or is not a text, so it names no organization")),
        Some(name) if !issuer.may_name(name) => Err(refused("names an organization that this issuer may not name")),
        Some(DEFAULT_ORGANIZATION) => Ok(OrganizationId::DEFAULT),
        Some(name) => {
            let found = system::find_organization(&app.db, name).await?;
            found.ok_or_else(|| refused("names an unknown organization"))
        }
    }
}

/// The claim with this name. If there is none, `app.tenant` is the claim `tenant` inside the claim `app`.
fn find<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let mut parts = name.split('.');
        let outer = claims.get(parts.next()?)?;
        parts.try_fold(outer, |value, part| value.get(part))
    })
}

/// The known scopes in a list or in a text separated by spaces. Other scopes are ignored.
fn scopes_in(claim: Option<&Value>) -> Vec<Scope> {
    let mut names: Vec<&str> = match claim {
        Some(Value::String(text)) => text.split_whitespace().collect(),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    };
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_can_be_listed_for_an_issuer() {
        let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        let issuers = serde_json::json!([{"issuer": "https://id.example", "audience": "a", "scopes": scopes}]);
        issuers.to_string().parse::<crate::config::issuers::JwtIssuers>().unwrap();
    }
    use serde_json::json;

    #[test]
    fn a_claim_may_lie_inside_another() {
        let claims = json!({"a.b": 1, "app": {"tenant": {"id": 2}}});
        let claims = claims.as_object().unwrap();
        assert_eq!(find(claims, "a.b"), Some(&json!(1)));
        assert_eq!(find(claims, "app.tenant.id"), Some(&json!(2)));
        assert_eq!(find(claims, "app.none"), None);
    }

    #[test]
    fn scopes_are_a_list_or_a_text_and_foreign_ones_are_left_out() {
        assert_eq!(scopes_in(Some(&json!("openid run read read"))), [Scope::Read, Scope::Run]);
        assert_eq!(scopes_in(Some(&json!(["write", "x", 1]))), [Scope::Write]);
        assert_eq!(scopes_in(Some(&json!({"read": true}))), []);
        assert_eq!(scopes_in(None), []);
    }
}
