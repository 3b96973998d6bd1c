//! Authentication: who sends a request, and what they may do. The organization comes from the key or token, never
//! from the request.

mod api_key;
mod caller;
pub mod forge;
pub mod issuers;
mod jwks;
mod jwt;
pub mod ticket;

pub use api_key::new_key;
pub use caller::{Caller, Scope};

use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::OrganizationId;
use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use actix_web::{HttpMessage, web};
use api_key::PresentedKey;
use caller::unauthenticated;
use issuers::Issuers;
use jwt::UnverifiedJwt;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The caller of a request.
pub async fn authenticate(app: &App, request: &ServiceRequest) -> Result<Caller> {
    let header = request.headers().get(header::AUTHORIZATION);
    let Some(bearer) = header.and_then(|value| bearer(value.as_bytes())) else { return Err(unauthenticated()) };
    // Compared as bytes: an admin key may have any UTF-8 text.
    if let Some(admin) = &app.settings.security.admin_key
        && same(bearer, admin.expose_secret().as_bytes())
    {
        return Ok(Caller {
            organization: OrganizationId::DEFAULT,
            actor: "adminKey".to_owned(),
            scopes: Scope::ALL.to_vec(),
        });
    }
    let Ok(bearer) = std::str::from_utf8(bearer) else { return Err(unauthenticated()) };
    if let Some(key) = PresentedKey::parse(bearer) {
        return api_key::authenticate(app, &key).await;
    }
    let Some(jwt) = UnverifiedJwt::parse(bearer) else { return Err(unauthenticated()) };
    let issuers = request.app_data::<web::Data<Issuers>>().ok_or_else(|| Error::internal("no issuers"))?;
    let verified = issuers.verify(&jwt).await?;
    if !verified.issuer.is_forge() {
        return issuers::caller(app, &verified).await;
    }
    let (caller, invocation) = forge::caller(app, &verified.claims, request.headers()).await?;
    request.extensions_mut().insert(invocation);
    Ok(caller)
}

/// The token of `Bearer <token>`.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let space = header.iter().position(|byte| *byte == b' ')?;
    let (scheme, token) = header.split_at(space);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}

/// Compares hashes in constant time, so that the duration reveals neither content nor length.
fn same(given: &[u8], expected: &[u8]) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bearer_scheme_is_not_case_sensitive() {
        assert_eq!(bearer(b"bearer abc"), Some(b"abc".as_slice()));
        assert_eq!(bearer(b"Bearer  a b "), Some(b"a b".as_slice()));
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer(b"Bearer "), None);
    }
}
