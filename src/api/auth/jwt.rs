//! The form of a JWT and the checks of its claims. Source: RFC 7519; RFC 8725.

use crate::error::{Code, Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

pub(super) type Claims = Map<String, Value>;

/// Longer tokens are refused without parsing them; no issuer makes such.
const MAX_BYTES: usize = 16 * 1024;
/// The tolerated difference between clocks. A Forge invocation token lives 25 seconds.
const LEEWAY_SECONDS: f64 = 10.0;
/// Only asymmetric signatures: whoever can read the public keys cannot sign a token.
const ASYMMETRIC: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// A token whose claims are not verified yet.
pub(super) struct UnverifiedJwt<'a> {
    text: &'a str,
    header: Claims,
    claims: Claims,
}

impl<'a> UnverifiedJwt<'a> {
    /// `None`: it is not a JWT.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('.');
        let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || text.len() > MAX_BYTES {
            return None;
        }
        Some(Self { text, header: object(header)?, claims: object(claims)? })
    }

    pub(super) fn issuer(&self) -> &str {
        text(&self.claims, "iss").unwrap_or_default()
    }

    pub(super) fn is_for(&self, audiences: &[String]) -> bool {
        is_for(&self.claims, audiences)
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        text(&self.header, "kid")
    }

    /// The algorithm of the signature, if it is allowed.
    pub(super) fn algorithm(&self, is_forge: bool) -> Result<Algorithm> {
        if self.header.contains_key("crit") {
            return Err(refused("its header has unsupported extensions (`crit`)"));
        }
        let named: Option<Algorithm> = text(&self.header, "alg").and_then(|name| name.parse().ok());
        let taken: &[Algorithm] = if is_forge { &[Algorithm::RS256] } else { &ASYMMETRIC };
        named
            .filter(|algorithm| taken.contains(algorithm))
            .ok_or_else(|| refused("its algorithm (`alg`) is not supported: only asymmetric algorithms are"))
    }

    /// The claims, if the signature was made with `key`.
    pub(super) fn verify(&self, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims> {
        let mut validation = Validation::new(algorithm);
        // Times by our own clock, audience by our own rule: see `check_times` and `is_for`.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let verified = jsonwebtoken::decode::<Claims>(self.text, key, &validation);
        verified.map(|token| token.claims).map_err(|e| refused("its signature is wrong").with_source(e))
    }
}

/// The JSON of one part of a JWT.
fn object(part: &str) -> Option<Claims> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The expiry of a token, if it is a JWT with one. For foreign tokens that are only passed on.
pub(super) fn unverified_end(token: &str) -> Option<DateTime<Utc>> {
    let jwt = UnverifiedJwt::parse(token)?;
    DateTime::from_timestamp(seconds(&jwt.claims, "exp")? as i64, 0)
}

pub(super) fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

fn seconds(claims: &Claims, name: &str) -> Option<f64> {
    claims.get(name)?.as_f64()
}

/// Whether `aud`, one text or a list, names one of `audiences`.
pub(super) fn is_for(claims: &Claims, audiences: &[String]) -> bool {
    let is_ours = |value: &Value| value.as_str().is_some_and(|text| audiences.iter().any(|audience| audience == text));
    match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(is_ours),
        Some(one) => is_ours(one),
        None => false,
    }
}

/// `exp` is required and must be in the future; `nbf` and `iat` are optional and must be in the past.
pub(super) fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<()> {
    let now = now.timestamp_millis() as f64 / 1000.0;
    match seconds(claims, "exp") {
        None => return Err(refused("it has no expiry (`exp`)")),
        Some(end) if end + LEEWAY_SECONDS <= now => return Err(refused("it has expired (`exp`)")),
        Some(_) => {}
    }
    for name in ["nbf", "iat"] {
        match claims.get(name) {
            None => {}
            Some(value) if value.as_f64().is_some_and(|begin| begin - LEEWAY_SECONDS <= now) => {}
            Some(_) => return Err(refused(&format!("it is not valid yet (`{name}`)"))),
        }
    }
    Ok(())
}

/// When a token was issued, if it says so.
pub(super) fn issued_at(claims: &Claims) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds(claims, "iat")? as i64, 0)
}

/// When a token with valid times is no longer accepted.
pub(super) fn ends_at(claims: &Claims) -> DateTime<Utc> {
    let end = seconds(claims, "exp").unwrap_or_default() + LEEWAY_SECONDS;
    // A token that ends beyond the calendar never ends.
    DateTime::from_timestamp(end as i64, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The error for a token that fails a check.
pub(super) fn refused(why: &str) -> Error {
    let detail =
        format!("The token is not valid: {why}. Get a new one from its issuer and send it as `Bearer <token>`.");
    Error::new(Code::Unauthenticated, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn times_are_held_against_the_clock_with_some_leeway() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let check = |value| check_times(&claims(value), now).is_ok();
        assert!(check(json!({"exp": 1_001, "nbf": 999, "iat": 999})));
        assert!(check(json!({"exp": 991, "nbf": 1_010})));
        for wrong in [
            json!({}),
            json!({"exp": "1001"}),
            json!({"exp": 990}),
            json!({"exp": 2_000, "nbf": 1_011}),
            json!({"exp": 2_000, "nbf": null}),
            json!({"exp": 2_000, "iat": 1_011}),
        ] {
            assert!(!check(wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn an_audience_is_one_text_or_a_list() {
        let ours = ["a".to_owned(), "b".to_owned()];
        assert!(is_for(&claims(json!({"aud": "b"})), &ours));
        assert!(is_for(&claims(json!({"aud": ["x", "a"]})), &ours));
        for wrong in [json!({}), json!({"aud": "ab"}), json!({"aud": []}), json!({"aud": {"a": "a"}})] {
            assert!(!is_for(&claims(wrong.clone()), &ours), "{wrong}");
        }
    }

    #[test]
    fn only_three_parts_of_json_are_a_jwt() {
        let part = URL_SAFE_NO_PAD.encode("{}");
        assert!(UnverifiedJwt::parse(&format!("{part}.{part}.")).is_some());
        for wrong in ["", "a.b.c", &format!("{part}.{part}"), &format!("{part}.{part}.s.t"), &"a.".repeat(20_000)] {
            assert!(UnverifiedJwt::parse(wrong).is_none());
        }
    }
}
