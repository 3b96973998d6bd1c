//! How many checks an organization may have at once, and in a minute. Each check signs in to Entra with a credential that
//! the caller may choose, so without a limit it would be a way to guess the secrets of any tenant. A credential that is
//! stored counts as much: whatever uses the connection afterwards signs in with it.

use crate::clock::{Clock, Instant};
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most checks of an organization at the same time, in this process.
const AT_ONCE: u32 = 8;
/// When somebody who found all turns taken should come again.
const BUSY: Duration = Duration::from_secs(5);
/// A check counts as so many requests.
const REQUESTS: u32 = 50;
const MINUTE: Duration = Duration::from_secs(60);
/// One check, but for what is lost in rounding.
const WHOLE: f64 = 1.0 - 1e-6;
/// The most organizations that are remembered. Those that have all of their turns are forgotten first.
const MAX_ORGANIZATIONS: usize = 10_000;

/// The turns of all organizations in this process. Cheap to clone.
#[derive(Clone)]
pub struct Turns {
    /// Checks per minute; `None`: no limit.
    per_minute: Option<u32>,
    taken: Arc<Mutex<HashMap<OrganizationId, Taken>>>,
}

struct Taken {
    now: u32,
    /// Checks that are left of the minute, at `at`.
    left: f64,
    at: Instant,
}

/// A check that goes on; it ends when this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Turn {
    organization: OrganizationId,
    turns: Turns,
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turns").field("per_minute", &self.per_minute).finish_non_exhaustive()
    }
}

impl Turns {
    /// `rate_limit`: the requests per minute of each caller; 0: no limit.
    pub fn new(rate_limit: u32) -> Self {
        let per_minute = (rate_limit > 0).then_some((rate_limit / REQUESTS).max(1));
        Self { per_minute, taken: Arc::default() }
    }

    /// A turn for a check of this organization.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn take(&self, organization: OrganizationId, clock: &Clock) -> Result<Turn> {
        self.with(organization, clock, |taken| {
            if taken.now >= AT_ONCE {
                let detail = format!(
                    "{AT_ONCE} checks of this organization are in progress. Wait until one ends, and check again."
                );
                return Err(Error::new(Code::RateLimited, detail).with_retry_after(BUSY));
            }
            self.spend(taken)?;
            taken.now += 1;
            Ok(Turn { organization, turns: self.clone() })
        })
    }

    /// Counts a credential that this organization stores as one of the checks of the minute.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn count(&self, organization: OrganizationId, clock: &Clock) -> Result<()> {
        self.with(organization, clock, |taken| self.spend(taken))
    }

    /// The most checks that can be left of a minute.
    fn full(&self) -> f64 {
        f64::from(self.per_minute.unwrap_or(1))
    }

    /// How many checks come back in a second.
    fn rate(&self) -> f64 {
        self.full() / MINUTE.as_secs_f64()
    }

    /// What an organization has taken, as it is now.
    fn with<T>(
        &self,
        organization: OrganizationId,
        clock: &Clock,
        work: impl FnOnce(&mut Taken) -> Result<T>,
    ) -> Result<T> {
        let (now, full, rate) = (clock.instant(), self.full(), self.rate());
        let filled = |taken: &Taken| (taken.left + clock.elapsed_since(taken.at).as_secs_f64() * rate).min(full);
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_ORGANIZATIONS {
            all.retain(|_, taken| taken.now > 0 || filled(taken) < full);
        }
        let taken = all.entry(organization).or_insert(Taken { now: 0, left: full, at: now });
        (taken.left, taken.at) = (filled(taken), now);
        work(taken)
    }

    /// Takes one check of the minute.
    fn spend(&self, taken: &mut Taken) -> Result<()> {
        let Some(per_minute) = self.per_minute else { return Ok(()) };
        if taken.left < WHOLE {
            let wait = Duration::from_secs_f64(((1.0 - taken.left) / self.rate()).ceil());
            let detail = format!(
                "An organization may check connections or store credentials {per_minute} times a minute, so that nobody guesses secrets. Wait {} s.",
                wait.as_secs()
            );
            return Err(Error::new(Code::RateLimited, detail).with_retry_after(wait));
        }
        taken.left -= 1.0;
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.turns.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = all.get_mut(&self.organization) {
            taken.now = taken.now.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use uuid::Uuid;

    fn clock() -> Clock {
        Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap())
    }

    #[test]
    fn an_organization_has_a_few_checks_at_once_and_others_have_theirs() {
        let (turns, clock) = (Turns::new(0), clock());
        let (one, other) = (OrganizationId(Uuid::from_u128(1)), OrganizationId(Uuid::from_u128(2)));
        let mut held: Vec<Turn> = (0..AT_ONCE).map(|_| turns.take(one, &clock).unwrap()).collect();
        let refused = turns.take(one, &clock).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(BUSY)));
        assert!(turns.take(other, &clock).is_ok());
        held.pop();
        assert!(turns.take(one, &clock).is_ok(), "one has ended");
    }

    #[test]
    fn an_organization_has_so_many_checks_in_a_minute() {
        let (turns, clock) = (Turns::new(600), clock());
        let organization = OrganizationId::DEFAULT;
        for _ in 0..12 {
            drop(turns.take(organization, &clock).unwrap());
        }
        let refused = turns.take(organization, &clock).unwrap_err();
        assert_eq!(refused.retry_after, Some(Duration::from_secs(5)));
        assert!(refused.detail.contains("12 times a minute"), "{refused}");
        clock.advance(Duration::from_secs(5));
        drop(turns.take(organization, &clock).unwrap());
        assert!(turns.take(organization, &clock).is_err());
    }

    #[test]
    fn a_stored_credential_counts_as_a_check_of_the_minute_and_waits_for_none() {
        let (turns, clock) = (Turns::new(600), clock());
        let organization = OrganizationId::DEFAULT;
        let held: Vec<Turn> = (0..AT_ONCE).map(|_| turns.take(organization, &clock).unwrap()).collect();
        for _ in AT_ONCE..12 {
            turns.count(organization, &clock).unwrap();
        }
        drop(held);
        assert_eq!(turns.count(organization, &clock).unwrap_err().code, Code::RateLimited);
        assert_eq!(turns.take(organization, &clock).unwrap_err().code, Code::RateLimited);
    }
}
