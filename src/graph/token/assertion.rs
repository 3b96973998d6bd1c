//! The signed client assertion with which an application with a certificate requests a token.
//!
//! Source: <https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials>;
//! docs/graph.md, «Sign-in».

use super::credential::{Certificate, CredentialFault, signing_key};
use crate::clock::Clock;
use crate::ids::new_v7;
use jsonwebtoken::{Algorithm, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

/// Seconds that an assertion is good for.
const LIFE_SECONDS: i64 = 300;

/// Times are seconds since 1970 and JSON numbers: Entra rejects strings.
#[derive(Serialize)]
struct AssertionClaims<'a> {
    aud: &'a str,
    iss: Uuid,
    sub: Uuid,
    jti: Uuid,
    nbf: i64,
    iat: i64,
    exp: i64,
}

/// A JWT signed with PS256 whose header names the certificate as `x5t#S256`. `audience` is the token
/// endpoint of the tenant in its cloud.
pub fn sign(
    clock: &Clock,
    audience: &str,
    client_id: Uuid,
    certificate_pem: &str,
    private_key_pem: &SecretString,
) -> Result<SecretString, CredentialFault> {
    let certificate = Certificate::parse(certificate_pem)?;
    let key = signing_key(private_key_pem.expose_secret())?;
    let now = clock.now().timestamp();
    let mut header = Header::new(Algorithm::PS256);
    header.x5t_s256 = Some(certificate.x5t_s256);
    let claims = AssertionClaims {
        aud: audience,
        iss: client_id,
        sub: client_id,
        jti: new_v7(clock),
        nbf: now,
        iat: now,
        exp: now + LIFE_SECONDS,
    };
    jsonwebtoken::encode(&header, &claims, &key).map(SecretString::from).map_err(|_| CredentialFault {
        code: "key_unreadable",
        detail: "The private key cannot sign. Enter the certificate and its key again.",
    })
}

#[cfg(test)]
mod tests {
    use super::super::credential::tests::{certificate, now, rsa};
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;

    #[test]
    fn an_assertion_has_the_documented_header_and_numbers_that_are_numbers() {
        let (key, clock, client) = (rsa(), Clock::manual(now()), Uuid::from_u128(7));
        let pem = certificate(&key, 2027);
        let token =
            sign(&clock, "https://login.example/t/oauth2/v2.0/token", client, &pem, &key.serialize_pem().into())
                .unwrap();
        let token = token.expose_secret();
        let part = |n: usize| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
        };
        let (header, claims) = (part(0), part(1));
        assert_eq!((&header["alg"], &header["typ"]), (&"PS256".into(), &"JWT".into()));
        assert_eq!(header["x5t#S256"], Certificate::parse(&pem).unwrap().x5t_s256);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(), 300);
        assert_eq!(claims["nbf"], now().timestamp());
        assert_eq!((&claims["iss"], &claims["sub"]), (&client.to_string().into(), &client.to_string().into()));
        assert!(Uuid::parse_str(claims["jti"].as_str().unwrap()).is_ok());
    }

    #[test]
    fn the_signature_verifies_with_the_certificates_public_key() {
        let (key, clock) = (rsa(), Clock::manual(now()));
        let pem = certificate(&key, 2027);
        let token = sign(&clock, "aud", Uuid::nil(), &pem, &key.serialize_pem().into()).unwrap();
        let mut validation = jsonwebtoken::Validation::new(Algorithm::PS256);
        validation.validate_exp = false;
        validation.set_audience(&["aud"]);
        let public = jsonwebtoken::DecodingKey::from_rsa_pem(key.public_key_pem().as_bytes()).unwrap();
        jsonwebtoken::decode::<Value>(token.expose_secret(), &public, &validation).unwrap();
    }
}
