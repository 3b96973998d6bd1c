//! Requests that were refused for who sent them: counted, and told to the log, so that somebody who tries keys is seen.
//!
//! The log has a few lines for each minute and a number for the rest: otherwise everybody could fill it.

use crate::clock::{Clock, Instant};
use crate::config::network::Network;
use crate::error::{Code, Error};
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use chrono::{DateTime, Utc};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    began: DateTime<Utc>,
    refused: u32,
}

/// Refusals of one minute that got no line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Unsaid {
    requests: u32,
    began: DateTime<Utc>,
}

/// What is to be said of one refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Saying {
    line: bool,
    /// Those of a minute that is over.
    before: Option<Unsaid>,
}

impl Refusals {
    /// Notes why a request was refused, if it was for who sent it. `operation`: the path as the document has it.
    pub fn note(&self, error: &Error, operation: &str, request: &ServiceRequest, trusted: &[Network], clock: &Clock) {
        let Some(reason) = reason(error.code) else { return };
        metrics::counter!("entra_assets_refused_requests_total", "reason" => reason).increment(1);
        let saying = self.count(clock);
        tell(saying.before);
        if saying.line {
            let address = client_address(request.peer_addr().map(|peer| peer.ip()), request.headers(), trusted);
            let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
            tracing::warn!(client.address = address, reason, operation, "a request was refused: {}", error.detail);
        }
    }

    /// Tells of those without a line whose minute is over. The next refusal may come much later, or never.
    pub fn tell_unsaid(&self, clock: &Clock) {
        tell(take_over(&mut self.minute(), clock));
    }

    /// Tells of all without a line: the process ends.
    pub fn tell_rest(&self) {
        tell(self.minute().take().and_then(Minute::unsaid));
    }

    fn count(&self, clock: &Clock) -> Saying {
        let mut minute = self.minute();
        let before = take_over(&mut minute, clock);
        let new = || Minute { since: clock.instant(), began: clock.now(), refused: 0 };
        let minute = minute.get_or_insert_with(new);
        let line = minute.refused < MAX_LINES;
        minute.refused = minute.refused.saturating_add(1);
        Saying { line, before }
    }

    fn minute(&self) -> MutexGuard<'_, Option<Minute>> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    fn unsaid(self) -> Option<Unsaid> {
        let requests = self.refused.saturating_sub(MAX_LINES);
        (requests > 0).then_some(Unsaid { requests, began: self.began })
    }
}

/// Ends a minute that is over.
fn take_over(minute: &mut Option<Minute>, clock: &Clock) -> Option<Unsaid> {
    minute.take_if(|minute| clock.elapsed_since(minute.since) >= MINUTE)?.unsaid()
}

fn tell(unsaid: Option<Unsaid>) {
    if let Some(Unsaid { requests, began }) = unsaid {
        tracing::warn!(requests, %began, "more requests were refused within a minute, without a line each");
    }
}

/// A word for the metric: few, whatever callers send.
fn reason(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthenticated => Some("unauthenticated"),
        Code::TicketInvalid => Some("ticket_invalid"),
        Code::Forbidden => Some("forbidden"),
        Code::RateLimited => Some("rate_limited"),
        _ => None,
    }
}

/// Who sent a request: what a trusted proxy says of it, otherwise who is connected. Each proxy adds the address that it
/// saw at the end of `X-Forwarded-For`, so the last one that is no trusted proxy is the sender; what stands before it can
/// be made up.
pub(super) fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
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

    #[test]
    fn the_log_has_a_few_lines_a_minute_and_the_number_of_the_rest() {
        let began = DateTime::from_timestamp(1_780_300_000, 0).unwrap();
        let clock = Clock::manual(began);
        let refusals = Refusals::default();
        let lines = (0..MAX_LINES + 5).filter(|_| refusals.count(&clock).line).count();
        assert_eq!(lines, MAX_LINES as usize);
        clock.advance(MINUTE);
        let before = Some(Unsaid { requests: 5, began });
        assert_eq!(refusals.count(&clock), Saying { line: true, before });
        assert_eq!(refusals.count(&clock), Saying { line: true, before: None });
        clock.advance(MINUTE);
        assert_eq!(refusals.count(&clock), Saying { line: true, before: None });
    }

    #[test]
    fn the_number_of_the_rest_does_not_wait_for_another_refusal() {
        let began = DateTime::from_timestamp(1_780_300_000, 0).unwrap();
        let clock = Clock::manual(began);
        let refusals = Refusals::default();
        let over = || take_over(&mut refusals.minute(), &clock);
        let refuse = |times: u32| (0..times).filter(|_| refusals.count(&clock).line).count();
        refuse(MAX_LINES + 5);
        clock.advance(MINUTE - Duration::from_secs(1));
        assert_eq!(over(), None);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(over(), Some(Unsaid { requests: 5, began }), "of its own minute, whenever it is told");
        assert_eq!(over(), None, "once");
        refuse(MAX_LINES + 1);
        let rest = refusals.minute().take().and_then(Minute::unsaid);
        assert_eq!(rest, Some(Unsaid { requests: 1, began: clock.now() }));
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
