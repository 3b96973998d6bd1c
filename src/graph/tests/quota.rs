//! The limiter against a bucket like Graph's, in simulated time: how much of the quota is used, and how
//! often it is passed.

use super::*;
use crate::graph::limiter::{Lane, Limiter};
use std::sync::atomic::{AtomicU32, Ordering};

/// A tenant's bucket on Graph's side.
struct Bucket {
    capacity: f64,
    level: f64,
    at: DateTime<Utc>,
    refused: u32,
}

impl Bucket {
    /// The time to wait when there are not enough units.
    fn take(&mut self, now: DateTime<Utc>, units: f64) -> Result<(), Duration> {
        let rate = self.capacity / 10.0;
        self.level = (self.level + (now - self.at).as_seconds_f64() * rate).min(self.capacity);
        self.at = now;
        if self.level < units {
            self.refused += 1;
            return Err(Duration::from_secs(((units - self.level) / rate).ceil().max(1.0) as u64));
        }
        self.level -= units;
        Ok(())
    }
}

struct Outcome {
    seconds: f64,
    refused: u32,
}

/// Spends `requests` of `units` each, as fast as the limiter lets many tasks go.
async fn spend(capacity: f64, requests: u32, units: f64, latency_ms: u64) -> Outcome {
    let clock = Clock::manual(start());
    let limiter = Limiter::new(clock.clone(), LARGE_TENANT);
    let bucket = Arc::new(Mutex::new(Bucket { capacity, level: capacity, at: start(), refused: 0 }));
    let (left, lane) = (Arc::new(AtomicU32::new(requests)), Arc::new(Lane::default()));
    let half = Duration::from_millis(latency_ms / 2);
    let tasks: Vec<_> = (0..150)
        .map(|_| {
            let (clock, limiter, bucket) = (clock.clone(), limiter.clone(), bucket.clone());
            let (left, lane) = (left.clone(), lane.clone());
            tokio::spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    loop {
                        let mut permit = limiter.acquire(&lane, units, false).await;
                        clock.sleep(half).await;
                        let taken = bucket.lock().unwrap().take(clock.now(), units);
                        clock.sleep(half).await;
                        let Err(wait) = taken else {
                            permit.answered(Some(units));
                            break;
                        };
                        let _ = permit.throttled(wait, true);
                    }
                }
            })
        })
        .collect();
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        for _ in 0..40 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(5));
    }
    let refused = bucket.lock().unwrap().refused;
    Outcome { seconds: (clock.now() - start()).as_seconds_f64(), refused }
}

/// The least time for so many units from a bucket that starts full.
fn floor(capacity: f64, units: f64) -> f64 {
    (units - capacity) / (capacity / 10.0)
}

#[tokio::test]
async fn the_quota_of_a_large_tenant_is_used_up_and_not_passed() {
    let (requests, units) = (10_000, 2.0);
    let outcome = spend(8_000.0, requests, units, 80).await;
    let floor = floor(8_000.0, f64::from(requests) * units);
    assert!(outcome.seconds <= 1.1 * floor, "{} s, floor {floor} s", outcome.seconds);
    assert_eq!(outcome.refused, 0);
}

#[tokio::test]
async fn a_smaller_tenant_is_found_out_with_few_refusals() {
    for capacity in [5_000.0, 3_500.0] {
        let (requests, units) = (8_000, 2.0);
        let outcome = spend(capacity, requests, units, 80).await;
        let floor = floor(capacity, f64::from(requests) * units);
        assert!(outcome.seconds <= 1.3 * floor, "{} s, floor {floor} s", outcome.seconds);
        assert!(outcome.refused <= requests / 50, "{} refused", outcome.refused);
    }
}
