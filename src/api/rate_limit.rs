//! How many requests are answered: of a caller, of all callers of an organization, and of an address without a valid key.
//! Each API process counts on its own.

mod buckets;
mod quota;
mod strangers;

pub use quota::{Of, Quota};
pub use strangers::{Fingerprint, Found, Strangers, fingerprint};

use super::auth::Caller;
use crate::audit::Actor;
use crate::clock::Clock;
use crate::config::Settings;
use crate::ids::OrganizationId;
use buckets::Buckets;
use uuid::Uuid;

/// So many audit events a minute say that an attempt with one credential failed.
const RECORDED_A_MINUTE: u32 = 3;

/// The limits of a process.
pub struct RateLimiter {
    callers: Buckets<(OrganizationId, Actor)>,
    organizations: Buckets<OrganizationId>,
    pub strangers: Strangers,
    recorded: Buckets<Uuid>,
}

impl RateLimiter {
    pub fn new(settings: &Settings) -> Self {
        Self {
            callers: Buckets::new(settings.rate_limit, Of::Caller),
            organizations: Buckets::new(settings.organization_rate_limit(), Of::Organization),
            strangers: Strangers::new(settings.address_rate_limit),
            recorded: Buckets::new(RECORDED_A_MINUTE, Of::Caller),
        }
    }

    /// Whether another audit event may say that an attempt with a credential failed.
    pub fn may_record(&self, credential: Uuid, clock: &Clock) -> bool {
        self.recorded.take(credential, clock).is_some_and(|quota| quota.retry_after.is_none())
    }

    /// Counts a request of `caller`: the limit that ends first. `None`: there is none.
    pub fn count(&self, caller: &Caller, clock: &Clock) -> Option<Quota> {
        let own = self.callers.take((caller.organization, caller.actor.clone()), clock);
        if own.is_some_and(|quota| quota.retry_after.is_some()) {
            return own;
        }
        // An issuer names as many callers as it likes, and an administrator makes as many keys.
        let all = self.organizations.take(caller.organization, clock);
        match (own, all) {
            (Some(own), Some(all)) if all.retry_after.is_none() && own.remaining <= all.remaining => Some(own),
            (own, all) => all.or(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::Credential;
    use chrono::DateTime;
    use std::time::Duration;

    fn caller(organization: OrganizationId, actor: &str) -> Caller {
        Caller::new(organization, actor.into(), Vec::new(), Credential::AdminKey)
    }

    #[test]
    fn the_limit_that_ends_first_is_the_one_that_counts() {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        let limiter = RateLimiter {
            callers: Buckets::new(60, Of::Caller),
            organizations: Buckets::new(120, Of::Organization),
            strangers: Strangers::new(0),
            recorded: Buckets::new(RECORDED_A_MINUTE, Of::Caller),
        };
        let (one, other) = (OrganizationId::DEFAULT, OrganizationId(uuid::Uuid::from_u128(7)));
        let count = |organization, actor: &str| limiter.count(&caller(organization, actor), &clock).unwrap();
        for left in (0..60).rev() {
            let quota = count(one, "jwt:issuer:a");
            assert_eq!((quota.of, quota.remaining), (Of::Caller, left));
        }
        let refused = count(one, "jwt:issuer:a");
        assert_eq!((refused.of, refused.retry_after), (Of::Caller, Some(Duration::from_secs(1))));
        assert!(refused.refusal().unwrap().detail.contains("this key is 60 requests a minute"));
        for number in 0..60 {
            assert_eq!(count(one, &format!("jwt:issuer:{number}")).retry_after, None);
        }
        let refused = count(one, "jwt:issuer:another");
        assert_eq!((refused.of, refused.remaining, refused.retry_after.is_some()), (Of::Organization, 0, true));
        assert!(refused.refusal().unwrap().detail.contains("of this organization together is 120 requests"));
        assert_eq!(count(other, "jwt:issuer:a").remaining, 59, "another organization has its own");
    }
}
