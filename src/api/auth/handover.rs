//! The bearer of a handover's link: `eah_<id>_<secret>`. They may set up one connection, and nothing else.

use super::caller::{Caller, Credential};
use super::refused::{self, Refused};
use super::secret::{PresentedSecret, new_secret};
use crate::app::App;
use crate::audit::Actor;
use crate::db::Transaction;
use crate::db::handovers::{self, HandoverRow};
use crate::db::system;
use crate::error::{Code, Error, Result};
use crate::ids::{ConnectionId, HandoverId, OrganizationId};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use std::future::{Ready, ready};

pub(super) const PREFIX: &str = "eah_";
/// How often a link may be used to enter a credential or to check the connection.
pub const MAX_ATTEMPTS: i32 = 100;
const KIND: &str = "handovers";

/// What the bearer of a link may set up.
#[derive(Clone, Debug)]
pub struct Handover {
    pub id: HandoverId,
    pub connection: ConnectionId,
}

/// A new link: its secret text, which is shown once, and the hash to store.
pub fn new_link(id: HandoverId) -> (String, Vec<u8>) {
    new_secret(PREFIX, id.0)
}

/// Why a link is not valid any more; `None`: it is.
fn why_dead(app: &App, row: &HandoverRow) -> Option<&'static str> {
    match row.revoked_at {
        Some(_) => Some("revoked"),
        None if row.expires_at <= app.clock.now() => Some("expired"),
        None => None,
    }
}

pub(super) async fn authenticate(
    app: &App,
    request: &ServiceRequest,
    presented: &PresentedSecret,
) -> Result<(Caller, Handover)> {
    let id = HandoverId(presented.id);
    let Some((organization, row)) = system::find_handover(&app.db, id).await? else { return Err(invalid()) };
    let reason = if presented.is(&row.secret_hash) { why_dead(app, &row) } else { Some("wrongSecret") };
    if let Some(reason) = reason {
        let actor = Actor::Handover(id);
        refused::record(app, request, Refused { organization, actor, kind: KIND, id: Some(id.0), reason }).await?;
        return Err(invalid());
    }
    let credential = Credential::Token { ends_at: row.expires_at };
    let caller = Caller::new(organization, Actor::Handover(id), Vec::new(), credential);
    Ok((caller, Handover { id, connection: ConnectionId(row.connection_id) }))
}

/// The link, locked, if it is still valid: between the authentication of its bearer and this it may have been revoked, and
/// with the lock it stays as it is.
pub async fn lock_valid(
    tx: &mut Transaction,
    app: &App,
    organization: OrganizationId,
    id: HandoverId,
) -> Result<HandoverRow> {
    let row = handovers::lock(tx, organization, id).await?;
    row.filter(|row| why_dead(app, row).is_none()).ok_or_else(invalid)
}

/// The same for every link that is not valid, so that the answer does not reveal which links exist.
fn invalid() -> Error {
    Error::new(
        Code::Unauthenticated,
        "The link is not valid: it is incomplete, older than seven days, or revoked. Ask the person who sent it for a new one.",
    )
}

/// Counts an attempt of the bearer, or refuses it.
pub async fn count_attempt(tx: &mut Transaction, organization: OrganizationId, id: HandoverId) -> Result<()> {
    if handovers::count_attempt(tx, organization, id).await? > MAX_ATTEMPTS {
        let detail = format!("This link was used {MAX_ATTEMPTS} times. Ask the person who sent it for a new one.");
        return Err(Error::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// `contract::enforce` lets only the bearer of a link come here.
impl FromRequest for Handover {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(|| {
            Error::new(
                Code::Forbidden,
                "This is for the bearer of a handover's link: the secret in its URL is the key.",
            )
        }))
    }
}
