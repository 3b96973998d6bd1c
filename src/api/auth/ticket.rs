//! Tickets: a URL that works once, for a browser that cannot send a header. An operation takes tickets when the
//! document says so in its `security`.

use super::caller::{Caller, Credential};
use super::is_still_valid;
use super::refused::{self, Refused};
use crate::app::App;
use crate::audit::Actor;
use crate::db::system::{self, TakenTicket};
use crate::error::{Code, Error, Result};
use crate::random::random_bytes;
use actix_web::dev::ServiceRequest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

const KIND: &str = "tickets";
/// The query parameter that carries a ticket.
const PARAMETER: &str = "ticket=";

/// A new ticket for a path with its query: the URL that shows it once, and the hash that is stored.
pub fn new_ticket(path: &str) -> (String, Vec<u8>) {
    let ticket = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
    let separator = if path.contains('?') { '&' } else { '?' };
    (format!("{path}{separator}{PARAMETER}{ticket}"), hash(&ticket))
}

fn hash(ticket: &str) -> Vec<u8> {
    Sha256::digest(ticket).to_vec()
}

/// A ticket as it was presented in a query.
#[derive(PartialEq, Eq, Debug)]
pub struct PresentedTicket<'a> {
    ticket: &'a str,
    /// The query without the ticket.
    pub rest: String,
}

impl<'a> PresentedTicket<'a> {
    pub fn parse(query: &'a str) -> Option<Self> {
        let (tickets, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|part| part.starts_with(PARAMETER));
        // Of two tickets neither is valid.
        let ticket = tickets.first()?.strip_prefix(PARAMETER).filter(|_| tickets.len() == 1).unwrap_or_default();
        Some(Self { ticket, rest: rest.join("&") })
    }

    /// Uses up the ticket. The caller belongs to the ticket's organization and may only read.
    pub async fn redeem(&self, app: &App, request: &ServiceRequest) -> Result<Caller> {
        let separator = if self.rest.is_empty() { "" } else { "?" };
        let asked = format!("{}{separator}{}", request.path(), self.rest);
        let taken = system::take_ticket(&app.db, &hash(self.ticket), &asked, app.clock.now()).await?;
        let taken = taken.map(|ticket| (ticket.organization, credential_of(&ticket)));
        let invalid = || {
            Error::new(
                Code::TicketInvalid,
                "The ticket was used before, is older than 60 seconds, or is for another path or query. Create a new \
                 one with POST /v1/tickets.",
            )
        };
        let (organization, credential) = taken.ok_or_else(invalid)?;
        // A ticket ends with the key or token of whoever made it.
        if !is_still_valid(app, credential).await? {
            let in_vain =
                Refused { organization, actor: Actor::Ticket, kind: KIND, id: None, reason: "credentialEnded" };
            refused::record(app, request, in_vain).await?;
            return Err(invalid());
        }
        Ok(Caller::by_ticket(organization, credential))
    }
}

/// The credential of the caller who made a ticket, as it is stored.
fn credential_of(ticket: &TakenTicket) -> Credential {
    match (ticket.api_key, ticket.token_ends_at) {
        (Some(id), _) => Credential::ApiKey(id),
        (None, Some(ends_at)) => Credential::Token { ends_at },
        (None, None) => Credential::AdminKey,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_separated_from_the_rest_of_the_query() {
        let found = |query| PresentedTicket::parse(query).map(|found| (found.ticket, found.rest));
        assert_eq!(found("format=csv&ticket=abc"), Some(("abc", "format=csv".to_owned())));
        assert_eq!(found("ticket=abc"), Some(("abc", String::new())));
        assert_eq!(found("ticket=abc&ticket=def"), Some(("", String::new())), "two are none");
        assert_eq!(found("format=csv"), None);
    }
}
