//! Time and jitter, passed to whoever needs them: the system clock in production, a clock that is set by hand in tests.

use crate::random::random_bytes;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Cheap to clone; all clones share one time.
#[derive(Clone)]
pub struct Clock(Inner);

#[derive(Clone)]
enum Inner {
    /// By how many microseconds it is ahead of the machine's.
    System(Arc<AtomicI64>),
    Manual(Arc<Manual>),
}

struct Manual {
    now: watch::Sender<DateTime<Utc>>,
    /// A sleep advances the clock to its own end instead of waiting for [`Clock::advance`].
    sleeps_advance: bool,
    jitter: Mutex<u64>,
}

impl Clock {
    pub fn system() -> Self {
        Self(Inner::System(Arc::default()))
    }

    /// A clock that only [`Clock::advance`] advances.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::new_manual(start, false)
    }

    /// A clock on which each sleep returns at once and advances the time to its end: waiting happens in simulated time.
    pub fn manual_sleepless(start: DateTime<Utc>) -> Self {
        Self::new_manual(start, true)
    }

    fn new_manual(start: DateTime<Utc>, sleeps_advance: bool) -> Self {
        let manual = Manual { now: watch::Sender::new(start), sleeps_advance, jitter: Mutex::new(1) };
        Self(Inner::Manual(Arc::new(manual)))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Inner::System(ahead) => Utc::now() + TimeDelta::microseconds(ahead.load(Ordering::Relaxed)),
            Inner::Manual(manual) => *manual.now.borrow(),
        }
    }

    /// Sets the system clock forward, or back, for all its clones: processes that work together go by one clock. Durations
    /// and sleeps stay as they are. Has no effect on a manual clock.
    pub fn adjust(&self, by: TimeDelta) {
        if let Inner::System(ahead) = &self.0 {
            ahead.fetch_add(by.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
        }
    }

    /// Time for measuring durations: monotonic on the system clock, the set time on a manual clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Inner::System(_) => Instant(InstantInner::System(std::time::Instant::now())),
            Inner::Manual(_) => Instant(InstantInner::Manual(self.now())),
        }
    }

    pub fn elapsed_since(&self, start: Instant) -> Duration {
        match (start.0, self.instant().0) {
            (InstantInner::System(a), InstantInner::System(b)) => b.saturating_duration_since(a),
            (InstantInner::Manual(a), InstantInner::Manual(b)) => (b - a).to_std().unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Waits for `duration`. On a manual clock, waits until [`Clock::advance`] has advanced it that far.
    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Inner::System(_) => tokio::time::sleep(duration).await,
            Inner::Manual(manual) => {
                let until = self.now() + duration;
                if manual.sleeps_advance {
                    manual.now.send_modify(|now| *now = (*now).max(until));
                    tokio::task::yield_now().await;
                } else {
                    let mut changes = manual.now.subscribe();
                    // The sender lives as long as `self`, so this returns only when the time has come.
                    let _ = changes.wait_for(|now| *now >= until).await;
                }
            }
        }
    }

    /// The outcome of `work`; `None` if it lasts longer than `time`. A manual clock is not advanced by this wait, so `work`
    /// lasts as long as its own sleeps and [`Clock::advance`] say.
    #[expect(clippy::disallowed_methods, reason = "beside `sleep` the one place that waits")]
    pub async fn within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        let start = self.now();
        let over = async {
            match &self.0 {
                Inner::System(_) => tokio::time::sleep(time).await,
                Inner::Manual(manual) => {
                    let mut changes = manual.now.subscribe();
                    let _ = changes.wait_for(|now| *now >= start + time).await;
                }
            }
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = over => None,
        }
    }

    /// Advances a manual clock. Has no effect on the system clock.
    pub fn advance(&self, by: Duration) {
        if let Inner::Manual(manual) = &self.0 {
            manual.now.send_modify(|now| *now += by);
        }
    }

    /// A random duration between zero and `max`, so that many things do not happen at the same moment. A manual clock
    /// always returns the same sequence.
    pub fn jitter(&self, max: Duration) -> Duration {
        let part = match &self.0 {
            Inner::System(_) => f64::from(u32::from_le_bytes(random_bytes())) / f64::from(u32::MAX),
            Inner::Manual(manual) => {
                let mut state = manual.jitter.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((*state >> 33) as f64) / f64::from(1u32 << 31)
            }
        };
        max.mul_f64(part.clamp(0.0, 1.0))
    }
}

/// A point in time for measuring durations, see [`Clock::instant`].
#[derive(Clone, Copy, Debug)]
pub struct Instant(InstantInner);

#[derive(Clone, Copy, Debug)]
enum InstantInner {
    System(std::time::Instant),
    Manual(DateTime<Utc>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_ends_when_the_clock_was_moved_far_enough() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(10)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
    }

    #[tokio::test]
    async fn work_ends_with_its_time_on_every_clock() {
        for clock in [Clock::manual(DateTime::UNIX_EPOCH), Clock::manual_sleepless(DateTime::UNIX_EPOCH)] {
            let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
            assert_eq!(clock.within(Duration::ZERO, std::future::ready(7)).await, Some(7));
            let waiting = clock.within(hour, std::future::pending::<()>());
            let passing = async {
                clock.advance(hour - second);
                tokio::task::yield_now().await;
                clock.advance(second);
            };
            assert_eq!(tokio::join!(waiting, passing).0, None);
            assert_eq!(clock.now(), DateTime::UNIX_EPOCH + hour, "the wait advances no clock");
        }
        let clock = Clock::manual_sleepless(DateTime::UNIX_EPOCH);
        let sleeps = async |times: u32| {
            for _ in 0..times {
                clock.sleep(Duration::from_secs(10)).await;
            }
        };
        assert_eq!(clock.within(Duration::from_secs(35), sleeps(3)).await, Some(()));
        assert_eq!(clock.within(Duration::from_secs(35), sleeps(9)).await, None);
        let system = Clock::system();
        assert_eq!(system.within(Duration::from_millis(1), std::future::pending::<()>()).await, None);
        assert_eq!(system.within(Duration::from_secs(3600), std::future::ready(7)).await, Some(7));
    }

    #[test]
    fn an_adjusted_clock_shows_another_time_to_all_its_clones_and_measures_as_before() {
        let (right, clock) = (Clock::system(), Clock::system());
        let start = clock.instant();
        clock.adjust(TimeDelta::minutes(10));
        let shown = clock.clone().now() - right.now();
        assert!((TimeDelta::minutes(9)..TimeDelta::minutes(11)).contains(&shown), "{shown}");
        assert!(clock.elapsed_since(start) < Duration::from_secs(300));
        clock.adjust(TimeDelta::minutes(-20));
        assert!(clock.now() < right.now());
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        assert!((0..1000).all(|_| clock.jitter(Duration::from_secs(2)) <= Duration::from_secs(2)));
    }
}
