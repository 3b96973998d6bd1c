//! Requests that were refused because of their sender. They are counted and logged, so that somebody who tries keys is noticed.
//!
//! The log has a few lines for each minute and a number for the rest: otherwise everybody could fill it.

use crate::clock::{Clock, Instant};
use crate::error::{Code, Error};
use chrono::{DateTime, Utc};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// Notes why a request was refused, if it was for who sent it. `operation`: the path as the document has it. `address`:
    /// where the request comes from, if that is known.
    pub fn note(&self, error: &Error, operation: &str, address: Option<IpAddr>, clock: &Clock) {
        let Some(reason) = reason(error.code) else { return };
        metrics::counter!("entra_assets_refused_requests_total", "reason" => reason).increment(1);
        let saying = self.count(clock);
        tell(saying.before);
        if saying.line {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
