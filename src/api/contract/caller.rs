//! Who sends a request, and whether they may: the limit of their address, authentication or a ticket, the limit of the caller,
//! then the scope.

use super::operation::{Access, Operation};
use crate::api::auth::forge;
use crate::api::auth::handover::Handover;
use crate::api::auth::ticket::PresentedTicket;
use crate::api::auth::{self, Caller};
use crate::api::rate_limit::{Fingerprint, Found, RateLimiter, fingerprint};
use crate::api::refusals::Refusals;
use crate::api::{client, problem};
use crate::app::App;
use crate::error::{Code, Error, Result};
use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use actix_web::{HttpMessage, web};

/// Puts the caller of an operation into the request. Answers with the query without its ticket.
pub(super) async fn identify(app: &App, operation: &Operation, request: &mut ServiceRequest) -> Result<String> {
    let identified = find(app, operation, request).await;
    if let Err(error) = &identified {
        note(app, error, &operation.template, request);
    }
    identified
}

fn note(app: &App, error: &Error, operation: &str, request: &ServiceRequest) {
    if let Some(refusals) = request.app_data::<web::Data<Refusals>>() {
        refusals.note(error, operation, client::address(app, request), &app.clock);
    }
}

/// Counts a request for something that is no operation, such as a page, against the limit of its address.
pub(super) fn count_other(app: &App, request: &ServiceRequest) -> Result<()> {
    let counted = count_stranger(app, request);
    if let Err(error) = &counted {
        note(app, error, "other", request);
    }
    counted
}

fn count_stranger(app: &App, request: &ServiceRequest) -> Result<()> {
    match limiter(request) {
        Some(limiter) => limiter.strangers.count(client::address(app, request), &app.clock),
        None => Ok(()),
    }
}

fn limiter(request: &ServiceRequest) -> Option<&RateLimiter> {
    request.app_data::<web::Data<RateLimiter>>().map(|limiter| limiter.get_ref())
}

async fn find(app: &App, operation: &Operation, request: &mut ServiceRequest) -> Result<String> {
    let query = request.query_string().to_owned();
    if operation.access == Access::Open {
        if operation.is_limited {
            count_stranger(app, request)?;
        }
        return Ok(query);
    }
    let ticket = if operation.takes_tickets { PresentedTicket::parse(&query) } else { None };
    let caller = authenticate(app, ticket.as_ref(), request).await?;
    count(app, &caller, request)?;
    match operation.access {
        Access::Scope(scope) => caller.require(scope)?,
        Access::Handover => require_handover(request)?,
        Access::Open => {}
    }
    forge::bring(app, &caller, request).await?;
    request.extensions_mut().insert(caller);
    Ok(ticket.map_or(query.clone(), |ticket| ticket.rest))
}

/// The caller, whom nobody looks for where too many requests without a valid key came from the same address.
async fn authenticate(app: &App, ticket: Option<&PresentedTicket<'_>>, request: &ServiceRequest) -> Result<Caller> {
    let address = client::address(app, request);
    let header = request.headers().get(header::AUTHORIZATION).filter(|_| ticket.is_none());
    let credential: Option<Fingerprint> = header.map(|header| fingerprint(header.as_bytes()));
    let strangers = limiter(request).map(|limiter| &limiter.strangers);
    let admitted = strangers.map(|strangers| strangers.admit(address, credential, &app.clock)).transpose()?;
    let caller = match ticket {
        Some(ticket) => ticket.redeem(app, request).await,
        None => auth::authenticate(app, request).await,
    };
    if let (Some(strangers), Some(admitted)) = (strangers, admitted) {
        let found = match &caller {
            Ok(_) => Found::Valid,
            Err(error) if error.code == Code::IssuerUnreachable => Found::Unverified,
            Err(error) if problem::status(error.code).is_client_error() => Found::Invalid,
            Err(_) => Found::Nothing,
        };
        strangers.note(admitted, found, &app.clock);
    }
    caller.map(|caller| Caller { address, ..caller })
}

/// No key has this scope, not even an administrator's.
fn require_handover(request: &ServiceRequest) -> Result<()> {
    if request.extensions().get::<Handover>().is_some() {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden, "Only the bearer of a link has the scope `handover`, which is required here."))
}

/// Counts a request against its caller's limit. The quota stays in the request, for the headers of the answer.
fn count(app: &App, caller: &Caller, request: &ServiceRequest) -> Result<()> {
    let Some(quota) = limiter(request).and_then(|limiter| limiter.count(caller, &app.clock)) else { return Ok(()) };
    request.extensions_mut().insert(quota);
    quota.refusal().map_or(Ok(()), Err)
}
