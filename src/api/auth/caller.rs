//! A caller who proved who they are, and what they may do.

pub use crate::api_key::Scope;
use crate::audit::Actor;
use crate::error::{Code, Error, Result};
use crate::ids::{ApiKeyId, OrganizationId};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};
use std::future::{Ready, ready};
use std::net::IpAddr;

/// What a caller proved who they are with. It may end while a response to the caller is still open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Credential {
    /// The operator's key. It ends with the process.
    AdminKey,
    ApiKey(ApiKeyId),
    Token {
        ends_at: DateTime<Utc>,
    },
}

/// A caller who proved who they are.
#[derive(Clone, Debug)]
pub struct Caller {
    pub organization: OrganizationId,
    /// As the audit log names them.
    pub actor: Actor,
    pub scopes: Vec<Scope>,
    /// Of a ticket: the credential of the caller who made it.
    pub credential: Credential,
    /// Where the request comes from. `None`: that is not known.
    pub address: Option<IpAddr>,
}

impl Caller {
    pub fn new(organization: OrganizationId, actor: Actor, scopes: Vec<Scope>, credential: Credential) -> Self {
        Self { organization, actor, scopes, credential, address: None }
    }

    /// The caller of a request that came with a ticket of this organization: it may only read.
    pub(super) fn by_ticket(organization: OrganizationId, credential: Credential) -> Self {
        Self::new(organization, Actor::Ticket, vec![Scope::Read], credential)
    }

    /// Whether the request came with a ticket: from a browser, which cannot set the header `Accept`.
    pub fn is_by_ticket(&self) -> bool {
        self.actor == Actor::Ticket
    }

    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        Err(Error::new(
            Code::Forbidden,
            format!("The key or token does not have the scope `{}`, which is required here.", scope.as_str()),
        ))
    }
}

/// `contract::enforce` runs before every handler and puts the caller into the request.
impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(unauthenticated))
    }
}

/// The same for every key or token that is not valid, so that the answer does not reveal which keys exist.
pub(super) fn unauthenticated() -> Error {
    Error::new(
        Code::Unauthenticated,
        "The API key or token is not valid: it is wrong, expired or revoked. Check that it was copied whole.",
    )
}
