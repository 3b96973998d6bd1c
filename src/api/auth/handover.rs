//! The bearer of a handover's link: `eah_<id>_<secret>`. They may set up one connection, and nothing else.

use super::caller::{Caller, Credential};
use super::secret::{PresentedSecret, new_secret};
use crate::api::client;
use crate::app::App;
use crate::audit::{Action, Actor};
use crate::db::Transaction;
use crate::db::audit_events::{self, AuditEventRow};
use crate::db::handovers::{self, HandoverRow};
use crate::db::system;
use crate::error::{Code, Error, Result};
use crate::ids::{self, ConnectionId, HandoverId, OrganizationId};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde_json::json;
use std::future::{Ready, ready};

pub(super) const PREFIX: &str = "eah_";
/// How often a link may be used to enter a credential, to check the connection, or in vain.
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

/// Neither expired nor revoked.
fn is_alive(app: &App, row: &HandoverRow) -> bool {
    row.revoked_at.is_none() && app.clock.now() < row.expires_at
}

pub(super) async fn authenticate(
    app: &App,
    request: &ServiceRequest,
    presented: &PresentedSecret,
) -> Result<(Caller, Handover)> {
    let id = HandoverId(presented.id);
    let Some((organization, row)) = system::find_handover(&app.db, id).await? else { return Err(invalid()) };
    if !presented.is(&row.secret_hash) || !is_alive(app, &row) {
        refuse(app, request, organization, id).await?;
        return Err(invalid());
    }
    let credential = Credential::Token { ends_at: row.expires_at };
    let caller = Caller::new(organization, Actor::Handover(id), Vec::new(), credential);
    Ok((caller, Handover { id, connection: ConnectionId(row.connection_id) }))
}

/// Notes a use in vain. There are at most [`MAX_ATTEMPTS`] such notes, however often a link is tried.
async fn refuse(app: &App, request: &ServiceRequest, organization: OrganizationId, id: HandoverId) -> Result<()> {
    let event = AuditEventRow {
        organization_id: organization.0,
        id: ids::new_v7(&app.clock),
        at: app.clock.now(),
        actor: Actor::Handover(id),
        action: Action::Refuse.into(),
        resource_kind: KIND.to_owned(),
        resource_id: Some(id.0),
        detail: json!({}),
        address: client::address(app, request).map(|address| address.to_string()),
    };
    app.db
        .scoped(organization, async |tx| {
            if handovers::count_attempt(tx, organization, id).await? <= MAX_ATTEMPTS {
                audit_events::insert(tx, &event).await?;
            }
            Ok(())
        })
        .await
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

/// `contract::enforce` lets only the bearer of a link, or an administrator, come here.
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
