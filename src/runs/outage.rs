//! Log lines about repeated work that fails while the database is away: one at the beginning, one a minute, and one when it is
//! over.

use crate::clock::{Clock, Instant};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(60);

/// One kind of work, and whether it fails.
#[derive(Default)]
pub struct Outage(Option<Failing>);

struct Failing {
    since: Instant,
    said: Instant,
}

/// What is worth a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Saying {
    Nothing,
    Begins,
    GoesOn(Duration),
    IsOver(Duration),
}

impl Outage {
    /// Notes how the work went. `what`: what cannot be done, as a sentence without its end. `failed`: why it failed.
    pub fn note(&mut self, clock: &Clock, what: &str, failed: Option<&str>) {
        let saying = self.next(clock, failed.is_some());
        let error = failed.unwrap_or_default();
        match saying {
            Saying::Nothing => {}
            Saying::Begins => tracing::warn!("{what}: {error}"),
            Saying::GoesOn(long) => tracing::warn!(seconds = long.as_secs(), "still: {what}: {error}"),
            Saying::IsOver(long) => tracing::info!(seconds = long.as_secs(), "this is over: {what}"),
        }
    }

    fn next(&mut self, clock: &Clock, fails: bool) -> Saying {
        let now = clock.instant();
        match (fails, &mut self.0) {
            (false, None) => Saying::Nothing,
            (false, Some(failing)) => {
                let long = clock.elapsed_since(failing.since);
                self.0 = None;
                Saying::IsOver(long)
            }
            (true, None) => {
                self.0 = Some(Failing { since: now, said: now });
                Saying::Begins
            }
            (true, Some(failing)) if clock.elapsed_since(failing.said) >= EVERY => {
                failing.said = now;
                Saying::GoesOn(clock.elapsed_since(failing.since))
            }
            (true, Some(_)) => Saying::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn what_fails_is_said_once_then_once_a_minute_and_when_it_is_over() {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        let mut outage = Outage::default();
        assert_eq!(outage.next(&clock, false), Saying::Nothing);
        let mut said = Vec::new();
        for second in 0..150 {
            match outage.next(&clock, true) {
                Saying::Nothing => {}
                saying => said.push((second, saying)),
            }
            clock.advance(Duration::from_secs(1));
        }
        let minute = |minutes: u64| Saying::GoesOn(Duration::from_secs(60 * minutes));
        assert_eq!(said, [(0, Saying::Begins), (60, minute(1)), (120, minute(2))]);
        assert_eq!(outage.next(&clock, false), Saying::IsOver(Duration::from_secs(150)));
        assert_eq!(outage.next(&clock, false), Saying::Nothing);
        assert_eq!(outage.next(&clock, true), Saying::Begins);
    }
}
