//! The bucket of one process, where several share a quota: reports of what it needs and gives back, and what it gets.
//! `quota.rs` has the rules.
//!
//! A process that begins has a small advance, so that its first requests need not wait; it counts as spent. One that was
//! idle for a while gives everything back, and begins again.

use super::{Limiter, State};
use crate::clock::Clock;
use crate::quota::{Grant, Report};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;

/// A process that sent nothing for so long leaves.
const IDLE_SECONDS: f64 = 10.0;
/// A pause that is longer by less is the same one.
const SAME_PAUSE_SECONDS: f64 = 0.5;

impl Limiter {
    /// A limiter that has no units but an advance, until [`Limiter::apply`] brings some. It notifies `sharing` when it
    /// needs or knows something that does not wait for the next look.
    pub fn shared(clock: Clock, most: u32, sharing: Arc<Notify>) -> Arc<Self> {
        Self::with(clock, most, Some(sharing))
    }

    /// Whether it has something to report that should not wait for the next look at all of them.
    pub fn is_calling(&self) -> bool {
        self.is_calling.load(Ordering::Relaxed)
    }

    /// What this process needs and gives back. `None`: it does not share the quota, or has not used it. Whoever asks calls
    /// [`Limiter::apply`] or [`Limiter::take_back`] then.
    pub fn report(&self) -> Option<Report> {
        self.sharing.as_ref()?;
        self.is_calling.store(false, Ordering::Relaxed);
        let now = self.seconds();
        let mut state = self.lock();
        state.refill(now);
        if state.part.spent > 0.0 || state.part.is_hungry || state.in_flight > 0 {
            state.part.used_at = now;
        } else if !state.part.is_member {
            return None;
        } else if now - state.part.used_at > IDLE_SECONDS {
            return Some(state.leave(now));
        }
        Some(state.report(now))
    }

    /// The report of a process that stops. `None`: it has no share.
    pub fn leave(&self) -> Option<Report> {
        let now = self.seconds();
        let mut state = self.lock();
        state.refill(now);
        state.part.is_member.then(|| state.leave(now))
    }

    /// Takes what came in return for `report`.
    pub fn apply(&self, report: &Report, grant: &Grant) {
        if report.leaves {
            return;
        }
        let now = self.seconds();
        let mut state = self.lock();
        state.refill(now);
        let before = (state.part.share, state.blocked_until);
        (state.part.is_member, state.part.share, state.part.capacity) = (true, grant.share, grant.capacity);
        state.level += grant.takes;
        let surplus = (state.level - state.full()).max(0.0);
        state.level -= surplus;
        state.part.owed += surplus;
        if now + grant.pause.as_secs_f64() > state.blocked_until.max(now) + SAME_PAUSE_SECONDS {
            // Graph's bucket is empty, whatever the level here.
            state.level = state.level.min(0.0);
            state.block(now, grant.pause);
        }
        if before != (state.part.share, state.blocked_until) || grant.takes > 0.0 {
            self.changed.notify_one();
        }
    }

    /// Keeps what it would have given back: the report did not arrive.
    pub fn take_back(&self, report: &Report) {
        if !report.leaves {
            self.lock().part.owed += report.gives;
        }
    }
}

impl State {
    fn report(&mut self, now: f64) -> Report {
        let capacity = self.capacity;
        Report {
            capacity,
            level: self.level,
            gives: std::mem::take(&mut self.part.owed),
            wants: self.part.wants(now, capacity),
            pause: Duration::from_secs_f64((self.blocked_until - now).max(0.0)),
            leaves: false,
        }
    }

    fn leave(&mut self, now: f64) -> Report {
        let all = self.level + self.part.owed;
        let report = Report { level: 0.0, gives: all, leaves: true, ..self.report(now) };
        self.stay_outside();
        report
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LARGE_TENANT, Lane, Permit};
    use super::*;
    use crate::quota::{Process, Quota};
    use chrono::{DateTime, Utc};
    use futures_util::FutureExt;

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn try_acquire(limiter: &Arc<Limiter>, units: f64) -> Option<Permit> {
        limiter.acquire(&Lane::default(), units, false).now_or_never()
    }

    /// Spends all that there is, in requests of ten units.
    fn spend_all(limiter: &Arc<Limiter>) -> f64 {
        std::iter::from_fn(|| try_acquire(limiter, 10.0)).map(|mut permit| permit.answered(None)).sum()
    }

    struct Processes {
        clock: Clock,
        quota: Quota,
        limiters: Vec<Arc<Limiter>>,
    }

    impl Processes {
        fn new(number: usize) -> Self {
            let clock = Clock::manual(START);
            let new = || Limiter::shared(clock.clone(), LARGE_TENANT, Arc::default());
            let limiters = (0..number).map(|_| new()).collect();
            Self { quota: Quota::new(f64::from(LARGE_TENANT), START), limiters, clock }
        }

        /// All report once.
        fn exchange(&mut self) {
            for (id, limiter) in self.limiters.iter().enumerate() {
                let Some(report) = limiter.report() else { continue };
                let grant =
                    self.quota.exchange(Process { id: id as i64, holds_lock: false }, &report, self.clock.now());
                limiter.apply(&report, &grant);
            }
        }
    }

    #[test]
    fn a_process_that_is_alone_has_the_quota_as_if_it_were_not_shared() {
        let mut processes = Processes::new(1);
        let limiter = processes.limiters[0].clone();
        try_acquire(&limiter, 100.0).unwrap().answered(None);
        processes.exchange();
        assert_eq!(spend_all(&limiter), 7_820.0);
        for _ in 0..100 {
            processes.clock.advance(Duration::from_secs(1));
            assert_eq!(spend_all(&limiter), 800.0);
            processes.exchange();
        }
    }

    #[test]
    fn before_its_first_exchange_a_process_has_an_advance_only() {
        let mut processes = Processes::new(1);
        let limiter = processes.limiters[0].clone();
        assert!(limiter.report().is_none(), "it has not used the quota");
        assert_eq!(spend_all(&limiter), 200.0);
        processes.clock.advance(Duration::from_secs(60));
        assert_eq!(spend_all(&limiter), 0.0);
        processes.exchange();
        assert_eq!(spend_all(&limiter), 7_920.0, "what it spent has come back since");
    }

    #[test]
    fn a_process_without_a_share_sends_nothing_until_the_others_have_given_back() {
        let mut processes = Processes::new(2);
        try_acquire(&processes.limiters[0], 1.0).unwrap().answered(None);
        processes.exchange();
        try_acquire(&processes.limiters[1], 1.0).unwrap().answered(None);
        processes.exchange();
        assert!(try_acquire(&processes.limiters[1], 1.0).is_none());
        processes.clock.advance(Duration::from_secs(1));
        assert!(try_acquire(&processes.limiters[1], 1.0).is_none(), "time brings nothing");
        processes.exchange();
        processes.exchange();
        assert!(try_acquire(&processes.limiters[1], 1.0).is_some());
    }

    #[test]
    fn three_processes_spend_no_more_than_one_and_leave_nothing_unused() {
        let mut processes = Processes::new(3);
        let mut spent = [0.0; 3];
        for tenth in 0..600 {
            for (spent, limiter) in spent.iter_mut().zip(&processes.limiters) {
                *spent += spend_all(limiter);
            }
            let total: f64 = spent.iter().sum();
            let allowed = 7_920.0 + f64::from(tenth) * 80.0;
            assert!(total <= allowed + 600.0, "{total} of {allowed}");
            if tenth % 10 < 3 {
                processes.exchange();
            }
            processes.clock.advance(Duration::from_millis(100));
        }
        let (total, allowed) = (spent.iter().sum::<f64>(), 7_920.0 + 59.9 * 800.0);
        assert!(total <= allowed && total > 0.98 * allowed, "{total} of {allowed}");
        // What the first spent before the others came was not to be divided any more.
        assert!(spent.iter().all(|spent| *spent > 0.25 * total), "{spent:?}");
    }

    #[test]
    fn who_ends_leaves_its_share_to_the_others() {
        let mut processes = Processes::new(2);
        for _ in 0..5 {
            for limiter in &processes.limiters {
                spend_all(limiter);
            }
            processes.exchange();
            processes.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(processes.limiters[0].gauge().units_per_second, 400.0);
        for _ in 0..14 {
            spend_all(&processes.limiters[0]);
            processes.exchange();
            processes.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(processes.limiters[0].gauge().units_per_second, 800.0);
        assert!(processes.limiters[1].report().is_none(), "it has left");
    }

    #[test]
    fn a_process_that_cannot_report_goes_on_with_its_share() {
        let mut processes = Processes::new(2);
        for _ in 0..3 {
            for limiter in &processes.limiters {
                spend_all(limiter);
            }
            processes.exchange();
            processes.clock.advance(Duration::from_millis(100));
        }
        let limiter = processes.limiters[1].clone();
        spend_all(&limiter);
        let report = limiter.report().unwrap();
        limiter.take_back(&report);
        processes.clock.advance(Duration::from_secs(2));
        assert_eq!(spend_all(&limiter), 800.0);
        assert_eq!(limiter.report().unwrap().gives, report.gives, "it is not lost");
    }

    #[test]
    fn a_refusal_that_one_gets_stops_all() {
        let mut processes = Processes::new(2);
        for _ in 0..3 {
            processes.limiters.iter().for_each(|limiter| drop(try_acquire(limiter, 1.0)));
            processes.exchange();
        }
        let permit = try_acquire(&processes.limiters[0], 1.0).unwrap();
        let _ = permit.throttled(Duration::from_secs(7), true);
        processes.exchange();
        for _ in 0..7 {
            assert!(try_acquire(&processes.limiters[1], 1.0).is_none());
            processes.clock.advance(Duration::from_secs(1));
            processes.exchange();
        }
        assert!(try_acquire(&processes.limiters[1], 1.0).is_some());
    }
}
