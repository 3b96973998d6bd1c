//! Token buckets that refill evenly and hold the requests of one minute, in bounded memory.

use super::quota::{Of, Quota};
use crate::clock::{Clock, Instant};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// The most buckets kept. Full buckets are discarded first: they have the same effect as none.
const MAX_BUCKETS: usize = 10_000;
/// Full buckets are looked for at most this often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// One bucket for each `K`. Those for which there is no place share one.
pub struct Buckets<K> {
    /// Requests per minute; 0: no limit.
    limit: u32,
    of: Of,
    kept: Mutex<BucketMap<K>>,
}

struct BucketMap<K> {
    /// `None`: of all for which there is no place.
    buckets: HashMap<Option<K>, Bucket>,
    swept: Option<Instant>,
}

struct Bucket {
    /// Requests left, at `at`.
    left: f64,
    at: Instant,
}

impl<K: Eq + Hash> Buckets<K> {
    pub fn new(limit: u32, of: Of) -> Self {
        Self { limit, of, kept: Mutex::new(BucketMap { buckets: HashMap::new(), swept: None }) }
    }

    /// Counts a request of `key`. `None`: there is no limit.
    pub fn take(&self, key: K, clock: &Clock) -> Option<Quota> {
        if self.limit == 0 {
            return None;
        }
        let mut kept = self.kept();
        let key = self.place(&mut kept, key, clock);
        let left = kept.buckets.get(&key).map_or(f64::from(self.limit), |bucket| self.filled(bucket, clock));
        let is_taken = left >= 1.0;
        let left = if is_taken { left - 1.0 } else { left };
        kept.buckets.insert(key, Bucket { left, at: clock.instant() });
        Some(self.quota(left, is_taken))
    }

    /// Takes back that a request of `key` was counted.
    pub fn give_back(&self, key: K, clock: &Clock) {
        let mut kept = self.kept();
        let key = self.place(&mut kept, key, clock);
        if let Some(bucket) = kept.buckets.get_mut(&key) {
            let left = (self.filled(bucket, clock) + 1.0).min(f64::from(self.limit));
            *bucket = Bucket { left, at: clock.instant() };
        }
    }

    fn kept(&self) -> MutexGuard<'_, BucketMap<K>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bucket that `key` has, or gets.
    fn place(&self, kept: &mut BucketMap<K>, key: K, clock: &Clock) -> Option<K> {
        let key = Some(key);
        if kept.buckets.len() < MAX_BUCKETS || kept.buckets.contains_key(&key) {
            return key;
        }
        if kept.swept.is_none_or(|at| clock.elapsed_since(at) >= SWEEP_EVERY) {
            kept.swept = Some(clock.instant());
            kept.buckets.retain(|_, bucket| self.filled(bucket, clock) < f64::from(self.limit));
        }
        key.filter(|_| kept.buckets.len() < MAX_BUCKETS)
    }

    fn rate(&self) -> f64 {
        f64::from(self.limit) / MINUTE.as_secs_f64()
    }

    fn filled(&self, bucket: &Bucket, clock: &Clock) -> f64 {
        let since = clock.elapsed_since(bucket.at).as_secs_f64();
        (bucket.left + since * self.rate()).min(f64::from(self.limit))
    }

    fn quota(&self, left: f64, is_taken: bool) -> Quota {
        Quota {
            of: self.of,
            limit: self.limit,
            remaining: left as u32,
            reset: Duration::from_secs_f64((f64::from(self.limit) - left) / self.rate()),
            retry_after: (!is_taken).then(|| Duration::from_secs_f64((1.0 - left) / self.rate())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn clock() -> Clock {
        Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap())
    }

    #[test]
    fn each_has_a_bucket_that_fills_evenly() {
        let (clock, buckets) = (clock(), Buckets::new(60, Of::Caller));
        for left in (0..60).rev() {
            let quota = buckets.take("a", &clock).unwrap();
            assert_eq!((quota.remaining, quota.retry_after), (left, None));
        }
        let refused = buckets.take("a", &clock).unwrap();
        assert_eq!((refused.remaining, refused.retry_after), (0, Some(Duration::from_secs(1))));
        buckets.give_back("a", &clock);
        assert_eq!(buckets.take("a", &clock).map(|quota| quota.retry_after), Some(None));
        assert_eq!(buckets.take("a", &clock), Some(refused));
        assert!(buckets.take("b", &clock).unwrap().retry_after.is_none(), "another's bucket is full");
        (0..3).for_each(|_| buckets.give_back("b", &clock));
        assert_eq!(buckets.take("b", &clock).unwrap().remaining, 59, "a bucket holds no more than a minute's worth");
        clock.advance(Duration::from_secs(2));
        assert_eq!(buckets.take("a", &clock).unwrap().remaining, 1);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(buckets.take("a", &clock).unwrap().remaining, 59, "a bucket holds a minute's worth");
        let none = Buckets::new(0, Of::Caller);
        none.give_back("a", &clock);
        assert!(none.take("a", &clock).is_none(), "there is no limit");
    }

    #[test]
    fn memory_is_bounded_and_those_without_a_place_share_one() {
        let (clock, buckets) = (clock(), Buckets::new(60, Of::Address));
        for key in 0..MAX_BUCKETS {
            assert!(buckets.take(key, &clock).is_some());
        }
        for left in (0..60).rev() {
            assert_eq!(buckets.take(MAX_BUCKETS + left as usize, &clock).unwrap().remaining, left);
        }
        let is_refused = |key| buckets.take(key, &clock).unwrap().retry_after.is_some();
        assert!(is_refused(MAX_BUCKETS + 100));
        assert!(!is_refused(0), "who has a place keeps it");
        buckets.give_back(0, &clock);
        assert_eq!(buckets.kept().buckets.len(), MAX_BUCKETS + 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(buckets.take(MAX_BUCKETS + 100, &clock).unwrap().remaining, 59, "full buckets have made way");
    }
}
