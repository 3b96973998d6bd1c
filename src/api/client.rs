//! Where a request comes from.

use super::refusals::client_address;
use crate::app::App;
use actix_web::dev::ServiceRequest;
use std::net::IpAddr;

/// The address of the caller, as far as the trusted proxies tell. `None`: the connection has none.
pub fn address(app: &App, request: &ServiceRequest) -> Option<IpAddr> {
    let peer = request.peer_addr().map(|peer| peer.ip());
    client_address(peer, request.headers(), &app.settings.security.trusted_proxies)
}
