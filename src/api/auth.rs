//! Authentication: who sends a request, and what they may do. The organization comes from the key or token, never
//! from the request.

mod api_key;
mod caller;
pub mod forge;
pub mod handover;
pub mod issuers;
mod jwks;
mod jwt;
mod refused;
mod secret;
pub mod ticket;

pub use api_key::new_key;
pub use caller::{Caller, Credential, Scope};

use crate::app::App;
use crate::audit::Actor;
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use actix_web::{HttpMessage, web};
use caller::unauthenticated;
use issuers::Issuers;
use jwt::UnverifiedJwt;
use secrecy::ExposeSecret;
use secret::PresentedSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The caller of a request.
pub async fn authenticate(app: &App, request: &ServiceRequest) -> Result<Caller> {
    let header = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let bearer = bearer(header).map_err(|detail| Error::new(Code::Unauthenticated, detail))?;
    // Compared as bytes: an admin key may have any UTF-8 text.
    if let Some(admin) = &app.settings.security.admin_key
        && same(bearer, admin.expose_secret().as_bytes())
    {
        let scopes = Scope::ALL.to_vec();
        return Ok(Caller::new(OrganizationId::DEFAULT, Actor::AdminKey, scopes, Credential::AdminKey));
    }
    let Ok(bearer) = std::str::from_utf8(bearer) else { return Err(unauthenticated()) };
    if let Some(key) = PresentedSecret::parse(api_key::PREFIX, bearer) {
        return api_key::authenticate(app, request, &key).await;
    }
    if let Some(link) = PresentedSecret::parse(handover::PREFIX, bearer) {
        let (caller, handed_over) = handover::authenticate(app, request, &link).await?;
        request.extensions_mut().insert(handed_over);
        return Ok(caller);
    }
    let Some(jwt) = UnverifiedJwt::parse(bearer) else { return Err(unauthenticated()) };
    let issuers = request.app_data::<web::Data<Issuers>>().ok_or_else(|| Error::internal("no issuers"))?;
    let verified = issuers.verify(&jwt).await?;
    if !verified.issuer.is_forge() {
        return issuers::caller(app, &verified).await;
    }
    let (caller, carried) = forge::caller(app, request, &verified.claims).await?;
    request.extensions_mut().insert(forge::Invocation { brought: None });
    if let Some(carried) = carried {
        request.extensions_mut().insert(carried);
    }
    Ok(caller)
}

/// Whether a credential that was valid still is: what stays open, and a ticket, end with it.
pub async fn is_still_valid(app: &App, credential: Credential) -> Result<bool> {
    match credential {
        Credential::AdminKey => Ok(true),
        Credential::ApiKey(id) => api_key::is_still_valid(app, id).await,
        Credential::Token { ends_at } => Ok(app.clock.now() < ends_at),
    }
}

/// The token of `Bearer <token>`, or what is wrong with the header. The header itself is not repeated: it has a secret.
fn bearer(header: Option<&[u8]>) -> Result<&[u8], &'static str> {
    let header = header.map(<[u8]>::trim_ascii).filter(|header| !header.is_empty());
    let header = header
        .ok_or("Authentication required: send an API key or a token in the header `Authorization: Bearer <key>`.")?;
    let space = header.iter().position(|byte| *byte == b' ').unwrap_or(header.len());
    let (scheme, token) = header.split_at(space);
    let token = token.trim_ascii();
    match (scheme.eq_ignore_ascii_case(b"bearer"), token.is_empty()) {
        (true, false) => Ok(token),
        (true, true) => Err("The header `Authorization` has no key after `Bearer`."),
        (false, true) => {
            Err("The header `Authorization` must have `Bearer` before the key: `Authorization: Bearer <key>`.")
        }
        (false, false) if scheme.eq_ignore_ascii_case(b"basic") => {
            Err("User name and password (`Basic`) are not accepted. Send an API key: `Authorization: Bearer <key>`.")
        }
        (false, false) => {
            Err("The scheme of the header `Authorization` must be `Bearer`: `Authorization: Bearer <key>`.")
        }
    }
}

/// Compares hashes in constant time, so that the duration reveals neither content nor length.
fn same(given: &[u8], expected: &[u8]) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_bearer_scheme_is_not_case_sensitive() {
        assert_eq!(bearer(Some(b"bearer abc")), Ok(b"abc".as_slice()));
        assert_eq!(bearer(Some(b"Bearer  a b ")), Ok(b"a b".as_slice()));
    }

    #[test]
    fn each_wrong_header_has_a_sentence_of_its_own() {
        let headers = [None, Some(b"Bearer ".as_slice()), Some(b"eak_key"), Some(b"Basic abc"), Some(b"Digest abc")];
        let sentences: HashSet<&str> = headers.iter().map(|header| bearer(*header).unwrap_err()).collect();
        assert_eq!(sentences.len(), headers.len());
        assert!(!sentences.contains(unauthenticated().detail.as_str()), "a key that is not valid is another case");
        assert_eq!(bearer(Some(b" ")), bearer(None));
    }
}
