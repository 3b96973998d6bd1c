//! The rate limit of each key: a token bucket that refills evenly and holds the requests of one minute. Each API
//! process counts on its own.

use super::auth::Caller;
use crate::clock::{Clock, Instant};
use crate::error::{Code, Error};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const MINUTE: Duration = Duration::from_secs(60);
/// The most buckets kept. Full buckets are discarded first: they have the same effect as none.
const MAX_BUCKETS: usize = 10_000;

/// The buckets of a process, by caller.
pub struct RateLimiter {
    /// Requests per minute; 0: no limit.
    limit: u32,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    /// Requests left, at `at`.
    left: f64,
    at: Instant,
}

/// The quota of a caller after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    pub limit: u32,
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset: Duration,
    /// Set if the request exceeds the limit: when the next one is allowed.
    pub retry_after: Option<Duration>,
}

impl RateLimiter {
    pub fn new(limit: u32) -> Self {
        Self { limit, buckets: Mutex::default() }
    }

    /// Counts a request of `caller`. `None`: there is no limit.
    pub fn count(&self, caller: &Caller, clock: &Clock) -> Option<Quota> {
        if self.limit == 0 {
            return None;
        }
        let (full, now) = (f64::from(self.limit), clock.instant());
        let rate = full / MINUTE.as_secs_f64();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = |bucket: &Bucket| (bucket.left + clock.elapsed_since(bucket.at).as_secs_f64() * rate).min(full);
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, bucket| filled(bucket) < full);
        }
        let key = format!("{} {}", caller.organization, caller.actor);
        let bucket = buckets.entry(key).or_insert(Bucket { left: full, at: now });
        let left = filled(bucket);
        let is_taken = left >= 1.0;
        *bucket = Bucket { left: if is_taken { left - 1.0 } else { left }, at: now };
        Some(Quota {
            limit: self.limit,
            remaining: bucket.left as u32,
            reset: Duration::from_secs_f64((full - bucket.left) / rate),
            retry_after: (!is_taken).then(|| Duration::from_secs_f64((1.0 - left) / rate)),
        })
    }
}

impl Quota {
    /// The refusal, if the request exceeds the limit.
    pub fn refusal(&self) -> Option<Error> {
        let wait = seconds(self.retry_after?);
        let detail =
            format!("The limit of this key is {} requests a minute to this process. Wait {wait} s.", self.limit);
        Some(Error::new(Code::RateLimited, detail))
    }

    pub fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(seconds(self.reset)));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
    }
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs_f64().ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::Credential;
    use crate::ids::OrganizationId;
    use chrono::DateTime;

    fn caller(actor: &str) -> Caller {
        let credential = Credential::AdminKey;
        Caller { organization: OrganizationId::DEFAULT, actor: actor.into(), scopes: Vec::new(), credential }
    }

    #[test]
    fn each_caller_has_a_bucket_that_fills_evenly() {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        let limiter = RateLimiter::new(60);
        for left in (0..60).rev() {
            let quota = limiter.count(&caller("a"), &clock).unwrap();
            assert_eq!((quota.remaining, quota.retry_after), (left, None));
        }
        let refused = limiter.count(&caller("a"), &clock).unwrap();
        assert_eq!((refused.remaining, refused.retry_after), (0, Some(Duration::from_secs(1))));
        assert!(refused.refusal().unwrap().detail.contains("60 requests a minute"));
        assert!(limiter.count(&caller("b"), &clock).unwrap().retry_after.is_none(), "another's bucket is full");
        clock.advance(Duration::from_secs(2));
        assert_eq!(limiter.count(&caller("a"), &clock).unwrap().remaining, 1);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(limiter.count(&caller("a"), &clock).unwrap().remaining, 59, "a bucket holds a minute's worth");
        assert!(RateLimiter::new(0).count(&caller("a"), &clock).is_none());
    }
}
