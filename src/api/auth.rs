//! Who is calling, and what they may do. The organization comes from the key or token, never from the
//! request.

mod api_key;
pub mod forge;
pub mod issuers;
mod jwks;
mod jwt;

pub use api_key::new_key;

use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use api_key::PresentedKey;
use issuers::Issuers;
use jwt::UnverifiedJwt;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::future::{Ready, ready};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

/// The actor of a request that came with a ticket.
pub(super) const TICKET: &str = "ticket";

/// What a key or token may do. `admin` includes the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyScope)]
pub enum Scope {
    /// See everything but secrets.
    Read,
    /// Create, change and delete connections, filters, destinations, jobs and webhooks.
    Write,
    /// Start, cancel and approve runs; check connections and destinations.
    Run,
    /// Manage keys and organizations, read the audit log.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Run, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A caller who proved who they are.
#[derive(Clone, Debug)]
pub struct Caller {
    pub organization: OrganizationId,
    /// As the audit log names them: `adminKey`, `apiKey:<id>`, `jwt:<issuer>:<subject>`, `ticket`.
    pub actor: String,
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// The request came with a ticket, by a browser that cannot say in a header what it wants.
    pub fn is_by_ticket(&self) -> bool {
        self.actor == TICKET
    }

    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        Err(Error::new(
            Code::Forbidden,
            format!("This needs the scope `{}`, which the key or token does not have.", scope.as_str()),
        ))
    }
}

/// Put there by `contract::enforce`, which runs before every handler that takes it.
impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(unauthenticated))
    }
}

fn unauthenticated() -> Error {
    Error::new(
        Code::Unauthenticated,
        "This needs an API key or a token: send `Authorization: Bearer <key>`. The one that was sent, if any, is wrong, expired or revoked.",
    )
}

/// The caller of a request.
pub async fn authenticate(app: &App, request: &ServiceRequest) -> Result<Caller> {
    let header = request.headers().get(header::AUTHORIZATION);
    let Some(bearer) = header.and_then(|value| bearer(value.as_bytes())) else { return Err(unauthenticated()) };
    // As bytes: an admin key is any text, in UTF-8.
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

/// Compares the hashes, so that neither content nor length shows in the time it takes.
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
