//! Tickets: a URL that is good once, for what a browser cannot send a header to. An operation takes tickets when
//! the document says so in its `security`.

use super::audit_events::record_with;
use super::auth::{Caller, Scope, TICKET};
use super::body::Body;
use super::contract::Contract;
use crate::app::App;
use crate::db::{Transaction, job_settings, runs, system, tickets};
use crate::error::{Code, Error, Fault, Faults, Result};
use crate::ids::{self, JobId, OrganizationId, RunId};
use crate::random::random_bytes;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

const KIND: &str = "tickets";
/// How long a ticket is good.
const LIFE: TimeDelta = TimeDelta::seconds(60);
/// The query parameter that carries a ticket.
const PARAMETER: &str = "ticket=";

/// What a ticket is wanted for.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"path": "/v1/runs/01900000-0000-7000-8000-000000000000/report?format=xlsx"}))]
pub struct CreateTicket {
    /// Path and query of the events or the report of a run, or of the objects of a job.
    #[schema(min_length = 1, max_length = 1000, pattern = "^/v1/[!-~]+$")]
    pub path: String,
}

#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct TicketResponse {
    /// The path asked for with the ticket in its query, relative to this service.
    #[schema(format = "uri-reference")]
    pub url: String,
    /// It is good once, and not after this.
    pub expires_at: DateTime<Utc>,
}

/// Get a ticket
///
/// Gives a URL that a browser can open without a key, once, within 60 seconds: an `EventSource` for the events of a
/// run, a link to a report, or an export of a job's objects as NDJSON. It is good for exactly this path and query.
/// A stream that breaks off needs a new ticket, with `after` set to the last event.
#[utoipa::path(
    tag = "Runs",
    request_body = CreateTicket,
    responses((status = 201, description = "The URL", body = TicketResponse)),
    security(("bearer" = ["read"]))
)]
#[post("/v1/tickets")]
pub async fn create_ticket(
    app: Data<App>,
    contract: Data<Contract>,
    caller: Caller,
    body: Body<CreateTicket>,
) -> Result<HttpResponse> {
    let (organization, path) = (caller.organization, body.0.path);
    let mut faults = Faults::default();
    contract.check_ticket_path(&path, "/path", &mut faults);
    faults.into_result()?;
    let ticket = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
    let expires_at = app.clock.now() + LIFE;
    app.db
        .scoped(organization, async |tx| {
            refuse_unknown(tx, organization, &path).await?;
            tickets::insert(tx, organization, &hash(&ticket), &path, expires_at).await?;
            let id = ids::new_v7(&app.clock);
            record_with(tx, &app, &caller, ("create", KIND, id), json!({"path": path})).await
        })
        .await?;
    let separator = if path.contains('?') { '&' } else { '?' };
    let url = format!("{path}{separator}{PARAMETER}{ticket}");
    Ok(HttpResponse::Created().insert_header((header::LOCATION, url.clone())).json(TicketResponse { url, expires_at }))
}

/// A browser that opens a link cannot say why it shows nothing, so what the path names is looked for now.
async fn refuse_unknown(tx: &mut Transaction, organization: OrganizationId, path: &str) -> Result<()> {
    let mut parts = path.split(['/', '?']).skip(2);
    let (collection, id) = (parts.next(), parts.next().and_then(|id| Uuid::parse_str(id).ok()));
    let found = match (collection, id) {
        (Some("runs"), Some(id)) => runs::find(tx, organization, RunId(id)).await.map(|_| ()),
        (Some("jobs"), Some(id)) => job_settings::load(tx, organization, JobId(id)).await.map(|_| ()),
        _ => Ok(()),
    };
    found.map_err(|error| match error.code {
        Code::NotFound => Error::validation(vec![Fault::new("/path", "unknown_reference", error.detail)]),
        _ => error,
    })
}

fn hash(ticket: &str) -> Vec<u8> {
    Sha256::digest(ticket).to_vec()
}

/// A query that carries a ticket.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Presented<'a> {
    ticket: &'a str,
    /// The query without the ticket.
    pub rest: String,
}

impl<'a> Presented<'a> {
    pub fn find(query: &'a str) -> Option<Self> {
        let (tickets, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|part| part.starts_with(PARAMETER));
        // Of several none is good.
        let ticket = tickets.first()?.strip_prefix(PARAMETER).filter(|_| tickets.len() == 1).unwrap_or_default();
        Some(Self { ticket, rest: rest.join("&") })
    }

    /// Uses the ticket up. The caller is its organization, and may only read.
    pub async fn redeem(&self, app: &App, path: &str) -> Result<Caller> {
        let separator = if self.rest.is_empty() { "" } else { "?" };
        let asked = format!("{path}{separator}{}", self.rest);
        let taken = system::take_ticket(&app.db, &hash(self.ticket), &asked, app.clock.now()).await?;
        let organization = taken.ok_or_else(|| {
            Error::new(
                Code::TicketInvalid,
                "The ticket was used before, is older than 60 seconds, or was made for another path or query. Ask for \
                 a new one with POST /v1/tickets.",
            )
        })?;
        Ok(Caller { organization, actor: TICKET.to_owned(), scopes: vec![Scope::Read] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_told_from_the_rest_of_the_query() {
        let found = |query| Presented::find(query).map(|found| (found.ticket, found.rest));
        assert_eq!(found("format=csv&ticket=abc"), Some(("abc", "format=csv".to_owned())));
        assert_eq!(found("ticket=abc"), Some(("abc", String::new())));
        assert_eq!(found("ticket=abc&ticket=def"), Some(("", String::new())), "two are none");
        assert_eq!(found("format=csv"), None);
    }
}
