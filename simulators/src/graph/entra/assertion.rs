//! Client assertions: of an own certificate, verified; of another issuer, matched with the federated credentials.
//! Source: docs/graph.md, «Sign-in», certificate-credentials of the identity platform.

use super::failure::Failure;
use crate::graph::tenant::{App, Certificate, Federated, Tenant};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Clocks may differ by this many seconds.
const SKEW: i64 = 300;

pub fn check(text: &str, tenant: &Tenant, app: &App, now: DateTime<Utc>) -> Result<(), Failure> {
    let malformed = |reason: &str| Failure::new(50_027).with("reason", reason);
    let parts: Vec<&str> = text.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        return Err(malformed("JWT is not well formed: there must be three segments."));
    };
    let json = |part: &str| URL_SAFE_NO_PAD.decode(part).ok().and_then(|b| serde_json::from_slice::<Value>(&b).ok());
    let header_value = json(header).ok_or_else(|| malformed("The header cannot be read."))?;
    let claims_value = json(claims).ok_or_else(|| malformed("The claims cannot be read."))?;
    let client = app.app_id.to_string();
    let claim = |name: &str| claims_value.get(name).and_then(Value::as_str).unwrap_or_default();
    check_time(&claims_value, now)?;
    if claim("iss") != client && !app.federated.is_empty() {
        return check_federated(&app.federated, &claims_value);
    }
    if claim("iss") != client || claim("sub") != client {
        return Err(Failure::new(700_021));
    }
    check_audience(claim("aud"), tenant)?;
    let signed = format!("{header}.{claims}");
    check_signature(&header_value, &signed, signature, app, now)
}

fn check_time(claims: &Value, now: DateTime<Utc>) -> Result<(), Failure> {
    let number = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_i64()),
        Some(_) => Err(Failure::new(50_027).with("reason", &format!("The claim '{name}' must be a number."))),
    };
    let (from, until) = (number("nbf")?, number("exp")?);
    let until = until.ok_or_else(|| Failure::new(50_027).with("reason", "The claim 'exp' is missing."))?;
    let now = now.timestamp();
    if until + SKEW < now || from.is_some_and(|from| from - SKEW > now) {
        return Err(Failure::new(700_024));
    }
    Ok(())
}

fn check_federated(known: &[Federated], claims: &Value) -> Result<(), Failure> {
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => vec![claim("aud")],
    };
    let issued: Vec<_> = known.iter().filter(|f| f.issuer == claim("iss")).collect();
    if issued.is_empty() {
        return Err(Failure::new(700_211).with("issuer", claim("iss")));
    }
    let subject: Vec<_> = issued.into_iter().filter(|f| f.subject == claim("sub")).collect();
    if subject.is_empty() {
        return Err(Failure::new(700_213).with("subject", claim("sub")));
    }
    if !subject.iter().any(|f| audiences.contains(&f.audience.as_str())) {
        return Err(Failure::new(700_212).with("audience", &audiences.join(" ")));
    }
    Ok(())
}

/// The token endpoint of this tenant, whatever the cloud; the tenant by id or domain.
fn check_audience(audience: &str, tenant: &Tenant) -> Result<(), Failure> {
    let path = url::Url::parse(audience).ok().map(|url| url.path().to_owned()).unwrap_or_default();
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let (name, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if tenant.is_named(name) && matches!(rest, "oauth2/v2.0/token" | "oauth2/token" | "v2.0") {
        return Ok(());
    }
    Err(Failure::new(50_027).with("reason", &format!("The audience '{audience}' is not this token endpoint.")))
}

fn check_signature(
    header: &Value,
    signed: &str,
    signature: &str,
    app: &App,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let client = app.app_id.to_string();
    let invalid = |reason: &str| Failure::new(700_027).with("reason", reason).with("appid", &client);
    let algorithm = match header.get("alg").and_then(Value::as_str) {
        Some("PS256") => Algorithm::PS256,
        Some("RS256") => Algorithm::RS256,
        Some(_) | None => return Err(invalid("The signature algorithm is not supported.")),
    };
    let named = |name: &str| header.get(name).and_then(Value::as_str);
    let found = app.certificates.iter().find(|certificate| match (named("x5t#S256"), named("x5t")) {
        (Some(thumbprint), _) => thumbprint == sha256_thumbprint(certificate),
        (None, Some(thumbprint)) => thumbprint == sha1_thumbprint(certificate),
        (None, None) => false,
    });
    let certificate = found.ok_or_else(|| invalid("The key was not found."))?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate.der)
        .map_err(|_| invalid("The registered certificate cannot be read."))?;
    if parsed.validity().not_after.timestamp() < now.timestamp() {
        return Err(invalid("The key used is expired."));
    }
    let key = DecodingKey::from_rsa_der(&parsed.public_key().subject_public_key.data);
    match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, algorithm) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(invalid("The signature does not fit.")),
    }
}

/// base64url of the SHA-256 of the DER: `x5t#S256`.
pub fn sha256_thumbprint(certificate: &Certificate) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate.der))
}

/// base64url of the SHA-1 of the DER: the older `x5t`.
fn sha1_thumbprint(certificate: &Certificate) -> String {
    let algorithm = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(algorithm, &certificate.der))
}
