//! Requests that were refused for who sent them: counted, and told to the log, so that somebody who tries keys is seen.
//!
//! The log has a few lines for each minute and a number for the rest: otherwise everybody could fill it.

use crate::clock::{Clock, Instant};
use crate::config::network::Network;
use crate::error::{Code, Error};
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// The lines of one minute.
const MAX_LINES: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// The refusals of this process.
#[derive(Default)]
pub struct Refusals {
    minute: Mutex<Option<Minute>>,
}

struct Minute {
    since: Instant,
    refused: u32,
}

/// What is to be said of one refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Saying {
    line: bool,
    /// How many of the last minute got no line.
    unsaid: u32,
}

impl Refusals {
    /// Notes why a request was refused, if it was for who sent it. `operation`: the path as the document has it.
    pub fn note(&self, error: &Error, operation: &str, request: &ServiceRequest, trusted: &[Network], clock: &Clock) {
        let Some(reason) = reason(error.code) else { return };
        metrics::counter!("entra_assets_refused_requests_total", "reason" => reason).increment(1);
        let saying = self.count(clock);
        if saying.unsaid > 0 {
            tracing::warn!(
                requests = saying.unsaid,
                "more requests were refused in the minute before, without a line each"
            );
        }
        if saying.line {
            let address = client_address(request.peer_addr().map(|peer| peer.ip()), request.headers(), trusted);
            let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
            tracing::warn!(client.address = address, reason, operation, "a request was refused: {}", error.detail);
        }
    }

    fn count(&self, clock: &Clock) -> Saying {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        match minute.take() {
            Some(Minute { since, refused }) if clock.elapsed_since(since) < MINUTE => {
                *minute = Some(Minute { since, refused: refused.saturating_add(1) });
                Saying { line: refused < MAX_LINES, unsaid: 0 }
            }
            before => {
                *minute = Some(Minute { since: clock.instant(), refused: 1 });
                let unsaid = before.map_or(0, |minute| minute.refused.saturating_sub(MAX_LINES));
                Saying { line: true, unsaid }
            }
        }
    }
}

/// A word for the metric: few, whatever callers send.
fn reason(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthenticated => Some("unauthenticated"),
        Code::TicketInvalid => Some("ticket_invalid"),
        Code::Forbidden => Some("forbidden"),
        _ => None,
    }
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
        let Some(address) = address(part) else { break };
        nearest = address.to_canonical();
        if !is_trusted(&nearest) {
            break;
        }
    }
    Some(nearest)
}

/// An address of `X-Forwarded-For`. Some proxies add the port.
fn address(part: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(part).ok()?.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;
    use chrono::DateTime;

    #[test]
    fn the_log_has_a_few_lines_a_minute_and_the_number_of_the_rest() {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        let refusals = Refusals::default();
        let lines = (0..MAX_LINES + 5).filter(|_| refusals.count(&clock).line).count();
        assert_eq!(lines, MAX_LINES as usize);
        clock.advance(MINUTE);
        assert_eq!(refusals.count(&clock), Saying { line: true, unsaid: 5 });
        assert_eq!(refusals.count(&clock), Saying { line: true, unsaid: 0 });
        clock.advance(MINUTE);
        assert_eq!(refusals.count(&clock), Saying { line: true, unsaid: 0 });
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "::1"].iter().map(|text| text.parse().unwrap()).collect();
        let address = |peer: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in forwarded {
                headers.append(HeaderName::from_static(FORWARDED_FOR), HeaderValue::from_bytes(text.as_bytes()).unwrap());
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
