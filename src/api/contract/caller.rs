//! Who sends a request, and whether they may: authentication or a ticket, then the rate limit, then the scope.

use super::operation::{Access, Operation};
use crate::api::auth::handover::Handover;
use crate::api::auth::ticket::PresentedTicket;
use crate::api::auth::{self, Caller};
use crate::api::rate_limit::RateLimiter;
use crate::api::refusals::Refusals;
use crate::app::App;
use crate::error::{Code, Error, Result};
use actix_web::dev::ServiceRequest;
use actix_web::{HttpMessage, web};

/// Puts the caller of an operation into the request. Answers with the query without its ticket.
pub(super) async fn identify(app: &App, operation: &Operation, request: &mut ServiceRequest) -> Result<String> {
    let identified = find(app, operation, request).await;
    if let (Err(error), Some(refusals)) = (&identified, request.app_data::<web::Data<Refusals>>()) {
        refusals.note(error, &operation.template, request, &app.settings.security.trusted_proxies, &app.clock);
    }
    identified
}

async fn find(app: &App, operation: &Operation, request: &mut ServiceRequest) -> Result<String> {
    let query = request.query_string().to_owned();
    if operation.access == Access::Open {
        return Ok(query);
    }
    let ticket = if operation.takes_tickets { PresentedTicket::parse(&query) } else { None };
    let caller = match &ticket {
        Some(ticket) => ticket.redeem(app, request.path()).await?,
        None => auth::authenticate(app, request).await?,
    };
    count(app, &caller, request)?;
    match operation.access {
        Access::Scope(scope) => caller.require(scope)?,
        Access::Handover => require_handover(request)?,
        Access::Open => {}
    }
    request.extensions_mut().insert(caller);
    Ok(ticket.map_or(query.clone(), |ticket| ticket.rest))
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
    let limiter = request.app_data::<web::Data<RateLimiter>>();
    let Some(quota) = limiter.and_then(|limiter| limiter.count(caller, &app.clock)) else { return Ok(()) };
    request.extensions_mut().insert(quota);
    quota.refusal().map_or(Ok(()), Err)
}
