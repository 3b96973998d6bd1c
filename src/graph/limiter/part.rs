//! The part of a quota that a process has, and what it needs of it.

use crate::quota::REFILL_SECONDS;

/// Over shorter times it says nothing how much was spent.
const MIN_SECONDS: f64 = 0.5;
/// A process that needs more from one second to the next finds more than it spent.
const HEADROOM: f64 = 1.5;

/// The part of the quota that a process has, and what it needs of it.
pub(super) struct Part {
    /// 1: all of it. 0: none, or none yet.
    pub share: f64,
    /// It has reported, and not left since.
    pub is_member: bool,
    /// The size of Graph's bucket as other processes have seen it.
    pub capacity: Option<f64>,
    /// Units to give back with the next report.
    pub owed: f64,
    /// What was spent since `since`, and whether a request had to wait for units.
    pub spent: f64,
    pub is_hungry: bool,
    since: f64,
    wants: f64,
    pub used_at: f64,
}

impl Part {
    pub const WHOLE: Self = Self {
        share: 1.0,
        is_member: false,
        capacity: None,
        owed: 0.0,
        spent: 0.0,
        is_hungry: false,
        since: 0.0,
        wants: 1.0,
        used_at: 0.0,
    };

    /// None yet, but an advance.
    pub fn outside(advance: f64) -> Self {
        Self { share: 0.0, owed: -advance, ..Self::WHOLE }
    }

    /// What could be used now, of a quota of `capacity`.
    pub fn wants(&mut self, now: f64, capacity: f64) -> f64 {
        let time = now - self.since;
        if self.is_member && (self.is_hungry || time >= MIN_SECONDS) {
            let rate = capacity / REFILL_SECONDS;
            self.wants = if self.is_hungry { 1.0 } else { (HEADROOM * self.spent / time / rate).min(1.0) };
            (self.spent, self.is_hungry, self.since) = (0.0, false, now);
        }
        self.wants
    }
}
