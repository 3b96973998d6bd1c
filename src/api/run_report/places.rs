//! How many workbooks an organization may have at once: each is a temporary file until its last byte is sent, and whoever
//! reads slowly keeps it. Otherwise one organization could fill the folder of temporary files.

use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The most workbooks of an organization at the same time, in this process.
const AT_ONCE: u32 = 2;
/// When somebody who found no place should come again.
const BUSY: Duration = Duration::from_secs(10);

static TAKEN: Mutex<BTreeMap<OrganizationId, u32>> = Mutex::new(BTreeMap::new());

/// A place for one workbook; it is free again when this is dropped.
#[must_use]
pub(in crate::api) struct Place(OrganizationId);

/// # Errors
/// `rate_limited`.
pub(in crate::api) fn take(organization: OrganizationId) -> Result<Place> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let number = taken.entry(organization).or_default();
    if *number >= AT_ONCE {
        let detail = format!(
            "{AT_ONCE} Excel reports of this organization are being written or sent. Wait until one ends, or ask for CSV."
        );
        return Err(Error::new(Code::RateLimited, detail).with_retry_after(BUSY));
    }
    *number += 1;
    Ok(Place(organization))
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = taken.get_mut(&self.0) {
            *number -= 1;
            if *number == 0 {
                taken.remove(&self.0);
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
        let held = [take(one).ok(), take(one).ok()];
        assert!(held.iter().all(Option::is_some));
        let refused = take(one).err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(BUSY)));
        assert!(take(other).is_ok());
        drop(held);
        assert!(take(one).is_ok());
        assert!(!TAKEN.lock().unwrap().contains_key(&one), "nothing is left of it");
    }
}
