//! Where a request comes from.

use crate::app::App;
use crate::config::network::Network;
use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// What was found out of a request, which carries it.
#[derive(Clone, Copy)]
struct Address(Option<IpAddr>);

/// The address of the caller, as far as the trusted proxies tell. `None`: the connection has none.
pub fn address(app: &App, request: &ServiceRequest) -> Option<IpAddr> {
    address_by(&app.settings.security.trusted_proxies, request)
}

/// Looked for once: the limits, the log and the audit events of one request name the same address.
fn address_by(trusted: &[Network], request: &ServiceRequest) -> Option<IpAddr> {
    let known = request.extensions().get::<Address>().copied();
    let Address(address) = known.unwrap_or_else(|| {
        let found = Address(client_address(request.peer_addr().map(|peer| peer.ip()), request.headers(), trusted));
        request.extensions_mut().insert(found);
        found
    });
    address
}

/// Who sent a request: what a trusted proxy says of it, otherwise who is connected. Each proxy adds the address that it
/// saw at the end of `X-Forwarded-For`, so the last one that is no trusted proxy is the sender; what stands before it can
/// be made up.
fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    let peer = peer?.to_canonical();
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let values: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).map(HeaderValue::as_bytes).collect();
    let mut nearest = peer;
    for part in values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b',')) {
        let Some(address) = forwarded(part) else { break };
        nearest = address.to_canonical();
        if !is_trusted(&nearest) {
            break;
        }
    }
    Some(nearest)
}

/// An address of `X-Forwarded-For`. Some proxies add the port.
fn forwarded(part: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(part).ok()?.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;
    use actix_web::test::TestRequest;

    #[test]
    fn the_address_of_a_request_is_looked_for_once() {
        let peer = "10.0.0.1:4711".parse().unwrap();
        let request = TestRequest::default().peer_addr(peer).insert_header((FORWARDED_FOR, "198.51.100.1"));
        let mut request = request.to_srv_request();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let expected = Some("198.51.100.1".parse().unwrap());
        assert_eq!(address_by(&trusted, &request), expected);
        request.headers_mut().clear();
        assert_eq!(address_by(&trusted, &request), expected);
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "::1"].iter().map(|text| text.parse().unwrap()).collect();
        let address = |peer: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in forwarded {
                headers
                    .append(HeaderName::from_static(FORWARDED_FOR), HeaderValue::from_bytes(text.as_bytes()).unwrap());
            }
            client_address(Some(peer.parse().unwrap()), &headers, &trusted).unwrap().to_string()
        };
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, <script>"], "10.0.0.1"),
            ("10.0.0.1", &["é, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, é"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, [2001:db8::7]:4711, 10.0.0.2:80"], "2001:db8::7"),
            ("::1", &["10.0.0.3"], "10.0.0.3"),
            ("::ffff:10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
        ] {
            assert_eq!(address(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }
}
