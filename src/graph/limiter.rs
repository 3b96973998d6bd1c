//! How fast Graph may be asked: a token bucket in resource units and a window of requests in flight, one
//! of each for an application in a tenant, shared by all runs of the process.
//!
//! The bucket starts full and as large as a large tenant's, or as the settings say, because a slow start would waste
//! what Graph gives; it shrinks when Graph says that it is smaller. The window rises while it is used up, fast until the
//! first setback and slowly after it, and halves when Graph refuses or fails. A `Retry-After` stops everybody.
//! Source: <https://learn.microsoft.com/en-us/graph/throttling-limits>; docs/graph.md, «Throttling».

use super::cost::Kind;
use crate::clock::{Clock, Instant};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Resource units that the bucket of a large tenant holds: over 500 users.
pub const LARGE_TENANT: u32 = 8_000;
/// Per kind of tenant: large, over 50 users, fewer. A bucket refills in ten seconds.
const CAPACITIES: [f64; 3] = [LARGE_TENANT as f64, 5_000.0, 3_500.0];
const REFILL_SECONDS: f64 = 10.0;
/// Of a full bucket this share is used: Graph's begins to refill a little later than ours, when the first
/// request arrives, and one refusal costs more than the rest.
const FILL: f64 = 0.99;
/// Below the smallest published bucket only other users of the same application can push us.
const LEAST_CAPACITY: f64 = 500.0;
/// So long without a refusal, and the bucket is taken to be a little larger again.
const QUIET_SECONDS_TO_GROW: f64 = 120.0;
/// Refusals closer together than this say that the bucket is smaller than we take it to be.
const STRIKE_SECONDS: f64 = 30.0;

const FIRST_WINDOW: f64 = 16.0;
const LEAST_WINDOW: f64 = 2.0;
/// Before the first setback the window doubles in the time of an answer up to here, as TCP's does: an import of a
/// minute should not begin with seconds of caution. What is in flight when the bucket of a smaller tenant is empty is
/// refused, so it does not go on like this to the end.
const DOUBLES_UNTIL: f64 = 96.0;
/// A large tenant's 400 requests for members a second at 0.4 s each are 160 at once.
/// Source: docs/graph.md, «Reading in parallel».
const MOST_WINDOW: f64 = 192.0;

/// Learned costs kept at most; there are some dozen kinds of request.
const LEARNED_MOST: usize = 256;
/// Requests under way of all applications, with those whose answers wait to be stored.
const IN_FLIGHT: &str = "entra_assets_graph_requests_in_flight";
/// The most of them since the process began: what a kill can lose.
const IN_FLIGHT_MOST: &str = "entra_assets_graph_requests_in_flight_most";

/// For the metrics, which are of the process.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
static UNDER_WAY_MOST: AtomicUsize = AtomicUsize::new(0);

fn count_under_way() {
    let under_way = UNDER_WAY.fetch_add(1, Ordering::Relaxed) + 1;
    let most = UNDER_WAY_MOST.fetch_max(under_way, Ordering::Relaxed).max(under_way);
    metrics::gauge!(IN_FLIGHT).set(under_way as f64);
    metrics::gauge!(IN_FLIGHT_MOST).set(most as f64);
}

/// The queue of one run. Runs take turns, so that a run with hundreds of requests waiting does not push
/// aside one that has a few.
#[derive(Default)]
pub struct Lane {
    next: tokio::sync::Mutex<()>,
    /// Where those wait that begin something new: one at a time joins the others. So a collection of a thousand
    /// pages, each of which has to wait for the one before, does not queue behind all that could begin.
    begin: tokio::sync::Mutex<()>,
}

pub struct Limiter {
    clock: Clock,
    base: Instant,
    /// Whoever is next; only the holder waits for units or for a place in the window.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// What the bucket holds at most, whatever Graph would give.
    most: f64,
    capacity: f64,
    level: f64,
    /// Seconds since `base` at which `level` was right.
    at: f64,
    blocked_until: f64,
    window: f64,
    in_flight: usize,
    /// Somebody had to wait for a place in the window, and it has not been half empty since.
    is_wanted: bool,
    /// Counts setbacks. What was under way when one came tells nothing new when it fails too.
    epoch: u64,
    strikes: f64,
    struck_at: f64,
    learned: HashMap<u64, f64>,
}

/// What a request costs and how full things are, for progress and metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauge {
    /// Resource units that could be spent at once.
    pub units_left: f64,
    pub units_per_second: f64,
    pub in_flight: usize,
    /// Requests allowed in flight.
    pub window: usize,
}

/// Leave to send one request. Dropping it gives the place in the window back, not the units: the request
/// may have reached Graph. Whoever keeps it after the answer, until what it brought is stored, bounds what a crash can
/// lose by the window.
pub struct Permit {
    limiter: Arc<Limiter>,
    charged: f64,
    epoch: u64,
}

enum Take {
    Taken {
        epoch: u64,
    },
    /// Until units are there or the block is over.
    In(Duration),
    /// Until a request in flight ends.
    OnRelease,
}

impl Take {
    /// Never a wait of nothing, which rounding could make and which would never end.
    fn in_seconds(seconds: f64) -> Self {
        Self::In(Duration::from_secs_f64(seconds.max(1e-6)))
    }
}

impl Limiter {
    /// `most`: units that are spent in ten seconds at most.
    pub fn new(clock: Clock, most: u32) -> Arc<Self> {
        let most = f64::from(most);
        let state = State {
            most,
            capacity: most,
            level: most * FILL,
            at: 0.0,
            blocked_until: 0.0,
            window: FIRST_WINDOW,
            in_flight: 0,
            is_wanted: false,
            epoch: 0,
            strikes: 0.0,
            struck_at: f64::NEG_INFINITY,
            learned: HashMap::new(),
        };
        let base = clock.instant();
        Arc::new(Self {
            clock,
            base,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
            changed: Notify::new(),
        })
    }

    /// Waits for this caller's turn, for `units` and for a place in the window. `goes_on`: it is the next page of
    /// something begun. May be dropped at any time.
    pub async fn acquire(self: &Arc<Self>, lane: &Lane, units: f64, goes_on: bool) -> Permit {
        let _begin = if goes_on { None } else { Some(lane.begin.lock().await) };
        let _next = lane.next.lock().await;
        let _turn = self.turn.lock().await;
        loop {
            let taken = self.lock().take(self.seconds(), units);
            match taken {
                Take::Taken { epoch } => {
                    count_under_way();
                    return Permit { limiter: self.clone(), charged: units, epoch };
                }
                Take::In(wait) => tokio::select! {
                    () = self.clock.sleep(wait) => {}
                    () = self.changed.notified() => {}
                },
                Take::OnRelease => self.changed.notified().await,
            }
        }
    }

    /// What a request of this kind costs: as Graph said last time, else as its table says.
    pub fn units_of(&self, kind: Kind) -> f64 {
        self.lock().learned.get(&kind.key).copied().unwrap_or(kind.estimate)
    }

    /// Remembers what Graph charged for a request of this kind.
    pub fn learn(&self, kind: Kind, units: f64) {
        let mut state = self.lock();
        if state.learned.len() < LEARNED_MOST || state.learned.contains_key(&kind.key) {
            state.learned.insert(kind.key, units.max(0.0));
        }
    }

    /// Everybody waits: an item inside a batch was throttled. Returns by how much the stop got longer.
    pub fn stop(&self, wait: Duration) -> Duration {
        let now = self.seconds();
        let mut state = self.lock();
        state.refill(now);
        let epoch = state.epoch;
        if now >= state.blocked_until && state.setback(epoch) {
            state.level = state.level.min(0.0);
        }
        state.block(now, wait)
    }

    pub fn gauge(&self) -> Gauge {
        let now = self.seconds();
        let mut state = self.lock();
        state.refill(now);
        Gauge {
            units_left: state.level.max(0.0),
            units_per_second: state.capacity / REFILL_SECONDS,
            in_flight: state.in_flight,
            window: state.window as usize,
        }
    }

    fn seconds(&self) -> f64 {
        self.clock.elapsed_since(self.base).as_secs_f64()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refill(&mut self, now: f64) {
        if self.capacity < self.most && now - self.struck_at > QUIET_SECONDS_TO_GROW {
            self.capacity = (self.capacity * 1.1).min(self.most);
            self.struck_at = now;
        }
        let gained = (now - self.at).max(0.0) * self.capacity / REFILL_SECONDS;
        self.level = (self.level + gained).min(self.capacity * FILL);
        self.at = self.at.max(now);
    }

    fn take(&mut self, now: f64, units: f64) -> Take {
        self.refill(now);
        // What costs more than the bucket holds goes when it is full.
        let needed = units.min(self.capacity * FILL);
        if now < self.blocked_until {
            return Take::in_seconds(self.blocked_until - now);
        }
        if self.in_flight as f64 >= self.window.floor() {
            self.is_wanted = true;
            return Take::OnRelease;
        }
        // A hair less than needed is enough: rounding must not make a wait of nothing.
        if self.level + 1e-6 < needed {
            return Take::in_seconds((needed - self.level) * REFILL_SECONDS / self.capacity);
        }
        self.level -= units;
        self.in_flight += 1;
        self.is_wanted &= self.in_flight as f64 > self.window / 2.0;
        Take::Taken { epoch: self.epoch }
    }

    /// Everybody waits until then. Returns by how much the stop got longer.
    fn block(&mut self, now: f64, wait: Duration) -> Duration {
        let until = now + wait.as_secs_f64();
        let longer = until - self.blocked_until.max(now);
        self.blocked_until = self.blocked_until.max(until);
        Duration::from_secs_f64(longer.max(0.0))
    }

    /// A refusal or failure. Returns whether it was news.
    fn setback(&mut self, epoch: u64) -> bool {
        let is_news = epoch == self.epoch;
        if is_news {
            self.epoch += 1;
            self.window = (self.window / 2.0).max(LEAST_WINDOW);
        }
        is_news
    }

    fn strike(&mut self, now: f64, weight: f64) {
        if now - self.struck_at > STRIKE_SECONDS {
            self.strikes = 0.0;
        }
        self.struck_at = self.blocked_until.max(now);
        self.strikes += weight;
        if self.strikes >= 2.0 {
            self.strikes = 1.0;
            let smaller = CAPACITIES.into_iter().find(|capacity| *capacity < self.capacity);
            self.capacity = smaller.unwrap_or(self.capacity * 0.7).max(LEAST_CAPACITY);
        }
    }
}

impl Permit {
    /// How many requests are under way, this one among them.
    pub fn in_flight(&self) -> usize {
        self.limiter.lock().in_flight
    }

    /// The request was answered. `units` is what Graph charged, if it said so. Returns what was charged.
    pub fn answered(&mut self, units: Option<f64>) -> f64 {
        let units = units.unwrap_or(self.charged);
        let now = self.limiter.seconds();
        let mut state = self.limiter.lock();
        state.refill(now);
        state.level = (state.level + self.charged - units).min(state.capacity * FILL);
        if state.is_wanted {
            let doubles = state.epoch == 0 && state.window < DOUBLES_UNTIL;
            let step = if doubles { 1.0 } else { 1.0 / state.window };
            state.window = (state.window + step).min(MOST_WINDOW);
        }
        units
    }

    /// 429: everybody stops for `wait`. `is_quota`: Graph named the units' limit as the reason. Returns by
    /// how much the stop got longer.
    pub fn throttled(self, wait: Duration, is_quota: bool) -> Duration {
        let now = self.limiter.seconds();
        let mut state = self.limiter.lock();
        state.refill(now);
        let longer = state.block(now, wait);
        if state.setback(self.epoch) {
            // Graph's bucket is empty, whatever ours says.
            state.level = state.level.min(0.0);
            state.strike(now, if is_quota { 1.0 } else { 0.5 });
        }
        longer
    }

    /// 5xx, or no answer. `wait`: what `Retry-After` said.
    pub fn failed(self, wait: Option<Duration>) -> Duration {
        let now = self.limiter.seconds();
        let mut state = self.limiter.lock();
        state.setback(self.epoch);
        wait.map_or(Duration::ZERO, |wait| state.block(now, wait))
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("charged", &self.charged).finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.lock().in_flight -= 1;
        let under_way = UNDER_WAY.fetch_sub(1, Ordering::Relaxed) - 1;
        metrics::gauge!(IN_FLIGHT).set(under_way as f64);
        self.limiter.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
