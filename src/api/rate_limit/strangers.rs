//! The limit of requests without a valid key, for each address from which they come. Such a request costs a look at the
//! database, the check of a signature, or a page. A request is counted before anything is looked up for it, so that no more
//! guesses than the limit are looked up at the same time. If its credential turns out to be valid, the request is no longer
//! counted.
//!
//! If an address has used up its limit, nothing is looked up for it any more, except for a credential that was valid a while
//! ago. So somebody who shares the address, as behind a proxy that is not trusted, does not lock out others who use the same key
//! or token again. A new token and a ticket have to wait like a guess.

use super::buckets::Buckets;
use super::quota::{Of, Quota};
use crate::clock::Clock;
use crate::error::Result;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many credentials are remembered: at least this many of the last ones, at most twice as many.
const MAX_KNOWN: usize = 5_000;

/// What is remembered of a credential.
pub type Fingerprint = [u8; 32];

pub struct Strangers {
    buckets: Buckets<IpAddr>,
    known: Mutex<RememberedCredentials>,
}

/// A request whose credential may be looked up. One of which nothing is noted, because its caller left, stays counted.
#[derive(Debug)]
pub struct Admitted {
    network: IpAddr,
    credential: Option<Fingerprint>,
    is_counted: bool,
}

/// What was found of a credential.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    Valid,
    Invalid,
    /// Nobody can say, because its issuer does not answer: a guess costs as much as a valid token.
    Unverified,
    /// This side failed to look.
    Nothing,
}

#[derive(Default)]
struct RememberedCredentials {
    newer: HashSet<Fingerprint>,
    older: HashSet<Fingerprint>,
}

/// The fingerprint of a header `Authorization`.
pub fn fingerprint(header: &[u8]) -> Fingerprint {
    Sha256::digest(header).into()
}

/// What has one limit. Whoever has an address of IPv6 has the 2^64 addresses beside it.
fn network(address: Option<IpAddr>) -> IpAddr {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        Some(address) => address,
        None => Ipv6Addr::UNSPECIFIED.into(),
    }
}

impl Strangers {
    pub fn new(limit: u32) -> Self {
        Self { buckets: Buckets::new(limit, Of::Address), known: Mutex::default() }
    }

    /// Counts a request without a valid key, and refuses it if there were too many.
    pub fn count(&self, address: Option<IpAddr>, clock: &Clock) -> Result<()> {
        let quota = self.buckets.take(network(address), clock);
        quota.as_ref().and_then(Quota::refusal).map_or(Ok(()), Err)
    }

    /// Counts a request before its credential is looked up, and refuses it if there were too many from its address. One with a
    /// credential that was valid is let through uncounted.
    pub fn admit(&self, address: Option<IpAddr>, credential: Option<Fingerprint>, clock: &Clock) -> Result<Admitted> {
        let is_counted = !credential.is_some_and(|credential| self.known().has(&credential));
        if is_counted {
            self.count(address, clock)?;
        }
        Ok(Admitted { network: network(address), credential, is_counted })
    }

    /// Notes what was found of the credential of an admitted request.
    pub fn note(&self, admitted: Admitted, found: Found, clock: &Clock) {
        let Admitted { network, credential, is_counted } = admitted;
        if let Some(credential) = credential {
            match found {
                Found::Valid => self.known().add(credential),
                Found::Invalid => self.known().forget(&credential),
                Found::Unverified | Found::Nothing => {}
            }
        }
        match (found, is_counted) {
            (Found::Valid | Found::Nothing, true) => self.buckets.give_back(network, clock),
            // It is answered with what was wrong with it; the next one may be refused.
            (Found::Invalid, false) => {
                let _ = self.buckets.take(network, clock);
            }
            (Found::Valid | Found::Nothing, false) | (Found::Invalid, true) | (Found::Unverified, _) => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, RememberedCredentials> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RememberedCredentials {
    fn has(&self, credential: &Fingerprint) -> bool {
        self.newer.contains(credential) || self.older.contains(credential)
    }

    fn add(&mut self, credential: Fingerprint) {
        if self.newer.len() >= MAX_KNOWN && !self.newer.contains(&credential) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(credential);
    }

    fn forget(&mut self, credential: &Fingerprint) {
        self.newer.remove(credential);
        self.older.remove(credential);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use chrono::DateTime;
    use std::time::Duration;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn too_many_from_one_address_are_refused_before_anything_is_looked_up() {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        let strangers = Strangers::new(60);
        let (one, other) = (address("203.0.113.9"), address("198.51.100.1"));
        let (valid, guess) = (fingerprint(b"Bearer valid"), fingerprint(b"Bearer guess"));
        let ask = |address, credential, found| {
            strangers.admit(address, credential, &clock).map(|admitted| strangers.note(admitted, found, &clock))
        };
        for _ in 0..100 {
            ask(one, Some(valid), Found::Valid).unwrap();
            ask(one, Some(fingerprint(b"Bearer another")), Found::Valid).unwrap();
            ask(one, None, Found::Valid).unwrap();
            ask(one, Some(guess), Found::Nothing).unwrap();
        }
        // All at the same time: nothing was found yet.
        let asked: Vec<_> = (0..60).map(|_| strangers.admit(one, Some(guess), &clock).unwrap()).collect();
        let refused = ask(one, Some(guess), Found::Invalid).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(Duration::from_secs(1))));
        for admitted in asked {
            strangers.note(admitted, Found::Invalid, &clock);
        }
        assert!(ask(one, None, Found::Valid).is_err() && strangers.count(one, &clock).is_err());
        ask(one, Some(valid), Found::Nothing).unwrap();
        ask(other, Some(guess), Found::Invalid).unwrap();
        ask(one, Some(valid), Found::Invalid).unwrap();
        assert!(ask(one, Some(valid), Found::Valid).is_err(), "it is not valid any more");
        clock.advance(Duration::from_secs(1));
        strangers.count(one, &clock).unwrap();
    }

    #[test]
    fn guesses_count_while_their_issuer_does_not_answer() {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        let strangers = Strangers::new(60);
        let (from, known) = (address("203.0.113.9"), fingerprint(b"Bearer known"));
        let ask = |credential, found| {
            strangers.admit(from, Some(credential), &clock).map(|admitted| strangers.note(admitted, found, &clock))
        };
        ask(known, Found::Valid).unwrap();
        for number in 0..60_u8 {
            ask(fingerprint(&[number]), Found::Unverified).unwrap();
        }
        assert!(ask(fingerprint(b"Bearer guess"), Found::Unverified).is_err());
        ask(known, Found::Unverified).unwrap();
        ask(known, Found::Valid).unwrap();
    }

    #[test]
    fn addresses_that_belong_to_one_have_one_limit() {
        for (one, other, is_same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            assert_eq!(network(address(one)) == network(address(other)), is_same, "{one} {other}");
        }
    }

    #[test]
    fn the_credentials_that_are_remembered_are_bounded() {
        let mut known = RememberedCredentials::default();
        let credential = |number: usize| fingerprint(&number.to_le_bytes());
        (0..3 * MAX_KNOWN).for_each(|number| known.add(credential(number)));
        assert!(known.newer.len() + known.older.len() <= 2 * MAX_KNOWN);
        assert!(known.has(&credential(3 * MAX_KNOWN - 1)) && known.has(&credential(2 * MAX_KNOWN)));
        assert!(!known.has(&credential(0)));
    }
}
