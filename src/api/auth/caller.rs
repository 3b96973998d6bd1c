//! A caller who proved who they are, and what they may do.

use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::{Deserialize, Serialize};
use std::future::{Ready, ready};
use utoipa::ToSchema;

/// The actor of a request that came with a ticket.
const TICKET: &str = "ticket";

/// What a key or token may do. `admin` includes the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyScope)]
pub enum Scope {
    /// Read everything but secrets.
    Read,
    /// Create, change and delete connections, filters, destinations, jobs and webhooks.
    Write,
    /// Start, cancel and approve runs; check connections and destinations.
    Run,
    /// Manage keys and organizations, and read the audit log.
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
    /// The name in the audit log: `adminKey`, `apiKey:<id>`, `jwt:<issuer>:<subject>`, `ticket`.
    pub actor: String,
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// The caller of a request that came with a ticket of this organization: it may only read.
    pub(super) fn by_ticket(organization: OrganizationId) -> Self {
        Self { organization, actor: TICKET.to_owned(), scopes: vec![Scope::Read] }
    }

    /// Whether the request came with a ticket: from a browser, which cannot set the header `Accept`.
    pub fn is_by_ticket(&self) -> bool {
        self.actor == TICKET
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

pub(super) fn unauthenticated() -> Error {
    Error::new(
        Code::Unauthenticated,
        "Send a valid API key or token: `Authorization: Bearer <key>`. The credentials are missing, wrong, expired or revoked.",
    )
}
