//! Tickets: a URL that works once, for a browser that cannot send a header.

use super::audit_events::record_with;
use super::auth::{Caller, Credential, ticket};
use super::body::Body;
use super::contract::Contract;
use crate::app::App;
use crate::audit::Action;
use crate::db::{Transaction, job_settings, runs, tickets};
use crate::error::{Code, Error, Fault, Faults, Result};
use crate::ids::{self, JobId, OrganizationId, RunId};
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

const KIND: &str = "tickets";
/// How long a ticket is valid.
const LIFE: TimeDelta = TimeDelta::seconds(60);

/// A new ticket.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"path": "/v1/runs/01900000-0000-7000-8000-000000000000/report?format=xlsx"}))]
pub struct CreateTicket {
    /// Path and query of the events or the report of a run, or of the objects of a job.
    #[schema(min_length = 1, max_length = 1000, pattern = "^/v1/[!-~]+$")]
    pub path: String,
}

/// A ticket.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct TicketResponse {
    /// The requested path with the ticket in its query, relative to this service.
    #[schema(format = "uri-reference")]
    pub url: String,
    /// When the ticket expires. It can be used once before.
    pub expires_at: DateTime<Utc>,
}

/// Create a ticket
///
/// The response has a URL that a browser can open once within 60 seconds without a key: an `EventSource` for the
/// events of a run, a link to a report, or an export of a job's objects as NDJSON. The ticket is valid only for this
/// path and query. To resume a stream, create a new ticket with `after` set to the last event.
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
    let (url, hash) = ticket::new_ticket(&path);
    let expires_at = app.clock.now() + LIFE;
    let ends_with = match caller.credential {
        Credential::AdminKey => (None, None),
        Credential::ApiKey(id) => (Some(id), None),
        Credential::Token { ends_at } => (None, Some(ends_at)),
    };
    app.db
        .scoped(organization, async |tx| {
            refuse_unknown(tx, organization, &path).await?;
            tickets::insert(tx, organization, &hash, &path, ends_with, expires_at).await?;
            let id = ids::new_v7(&app.clock);
            record_with(tx, &app, &caller, (Action::Create, KIND, id), json!({"path": path})).await
        })
        .await?;
    Ok(HttpResponse::Created().insert_header((header::LOCATION, url.clone())).json(TicketResponse { url, expires_at }))
}

/// A browser that opens a link shows no reason for a failure, so the resource of the path is looked up now.
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
