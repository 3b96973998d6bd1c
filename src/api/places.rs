//! How many responses of a kind an organization may have at once, in this process, where each takes something of which
//! all organizations have only so much together.

use super::descriptors;
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// When somebody who found no place should come again.
const BUSY: Duration = Duration::from_secs(10);
const MAX_WORKBOOKS: u32 = 2;
const MAX_SEARCHES: u32 = 4;
const MAX_LIVE_READS: u32 = 8;

/// Workbooks are temporary files until their last byte is sent, and whoever reads slowly keeps them. Otherwise one
/// organization could fill the folder of temporary files.
pub static WORKBOOKS: Places = Places::new(
    || MAX_WORKBOOKS,
    "Excel reports of this organization are being written or sent. Wait until one ends, or ask for CSV.",
);

/// Searches look at every object of a mirror, each with a connection of the database. Otherwise one organization could take
/// the connections of all.
pub static SEARCHES: Places =
    Places::new(|| MAX_SEARCHES, "searches in mirrors of this organization are in progress. Wait until one ends.");

/// What asks Microsoft or Atlassian although it only reads: the quota of the application there is shared with the runs.
pub static LIVE_READS: Places = Places::new(
    || MAX_LIVE_READS,
    "requests of this organization that ask Microsoft or Atlassian are in progress. Wait until one ends.",
);

/// Event streams stay open for as long as a run, each with one of the connections that this process accepts.
pub static STREAMS: Places = Places::new(
    descriptors::streams,
    "event streams of this organization are open. Close one, or ask for the events as JSON.",
);

/// The places of one kind.
pub struct Places {
    /// The most of an organization.
    at_once: fn() -> u32,
    /// What there are too many of, and what to do; the number stands before it.
    too_many: &'static str,
    taken: Mutex<BTreeMap<OrganizationId, u32>>,
}

/// A place for one response; it is free again when this is dropped.
#[must_use]
pub struct Place {
    organization: OrganizationId,
    of: &'static Places,
}

impl Places {
    const fn new(at_once: fn() -> u32, too_many: &'static str) -> Self {
        Self { at_once, too_many, taken: Mutex::new(BTreeMap::new()) }
    }

    /// # Errors
    /// `rate_limited`.
    pub fn take(&'static self, organization: OrganizationId) -> Result<Place> {
        let most = (self.at_once)();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let number = taken.get(&organization).copied().unwrap_or_default();
        if number >= most {
            let detail = format!("{most} {}", self.too_many);
            return Err(Error::new(Code::RateLimited, detail).with_retry_after(BUSY));
        }
        taken.insert(organization, number + 1);
        Ok(Place { organization, of: self })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = taken.get_mut(&self.organization) {
            *number -= 1;
            if *number == 0 {
                taken.remove(&self.organization);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_organization_has_two_workbooks_at_once() {
        let (one, other) = (OrganizationId(Uuid::from_u128(71)), OrganizationId(Uuid::from_u128(72)));
        let held = [WORKBOOKS.take(one).ok(), WORKBOOKS.take(one).ok()];
        assert!(held.iter().all(Option::is_some));
        let refused = WORKBOOKS.take(one).err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(BUSY)));
        assert!(WORKBOOKS.take(other).is_ok());
        assert!(SEARCHES.take(one).is_ok(), "another kind");
        drop(held);
        assert!(WORKBOOKS.take(one).is_ok());
        assert!(!WORKBOOKS.taken.lock().unwrap().contains_key(&one), "nothing is left of it");
    }
}
