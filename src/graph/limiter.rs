//! How fast requests may be sent to Graph: a token bucket in resource units and a window of requests in flight. Each
//! application in a tenant has one of each, which all runs of the process share.
//!
//! The bucket starts full, with the size of a large tenant's or of the settings, because a slow start would waste quota;
//! it shrinks when Graph shows that it is smaller. The window grows while it is used up, fast until the first setback
//! and slowly after it, and halves when Graph throttles or fails. A `Retry-After` pauses all requests.
//!
//! Where several processes share a quota, the bucket is a part of Graph's, see [`sharing`].
//! Source: <https://learn.microsoft.com/en-us/graph/throttling-limits>; docs/graph.md, «Throttling».

mod part;
mod sharing;

use super::cost::Kind;
use crate::clock::{Clock, Instant};
use crate::quota::{FILL, REFILL_SECONDS};
use part::Part;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Size of the bucket of a large tenant (over 500 users) in resource units.
pub const LARGE_TENANT: u32 = 8_000;
/// Bucket sizes by tenant: large, over 50 users, fewer. A bucket refills in ten seconds.
const CAPACITIES: [f64; 3] = [LARGE_TENANT as f64, 5_000.0, 3_500.0];
/// The least bucket. It is below the smallest published one, because other users of the application share the quota.
const MIN_CAPACITY: f64 = 500.0;
/// The part of a full bucket that a process may spend before it has a share.
const ADVANCE: f64 = 0.025;
/// After so long without a 429 the bucket grows a little again.
const QUIET_SECONDS_TO_GROW: f64 = 120.0;
/// 429 responses closer together than this mean that Graph's bucket is smaller than assumed.
const STRIKE_SECONDS: f64 = 30.0;

const FIRST_WINDOW: f64 = 16.0;
const MIN_WINDOW: f64 = 2.0;
/// Before the first setback the window doubles with each round trip up to this size, as in TCP: an import of a minute
/// should not start with seconds of caution. The doubling stops here, because requests in flight are throttled when the
/// bucket of a smaller tenant is empty.
const DOUBLES_UNTIL: f64 = 96.0;
/// A large tenant's 400 requests for members a second at 0.4 s each are 160 at once.
/// Source: docs/graph.md, «Reading in parallel».
const MAX_WINDOW: f64 = 192.0;

/// Learned costs at most; there are some dozen kinds of request.
const MAX_LEARNED: usize = 256;
/// Requests in flight of all applications, and responses that are not stored yet.
const IN_FLIGHT: &str = "entra_assets_graph_requests_in_flight";
/// The maximum since the process started: what a crash can lose.
const MAX_IN_FLIGHT: &str = "entra_assets_graph_requests_in_flight_most";

/// For the metrics, which cover the process.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
static MAX_UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

fn count_under_way() {
    let under_way = UNDER_WAY.fetch_add(1, Ordering::Relaxed) + 1;
    let most = MAX_UNDER_WAY.fetch_max(under_way, Ordering::Relaxed).max(under_way);
    metrics::gauge!(IN_FLIGHT).set(under_way as f64);
    metrics::gauge!(MAX_IN_FLIGHT).set(most as f64);
}

/// The queue of one session. Sessions take turns, so that one with hundreds of waiting requests does not block one with a
/// few.
#[derive(Default)]
pub struct Lane {
    next: tokio::sync::Mutex<()>,
    /// The queue of requests for first pages: one at a time may enter `next`. So the next page of a long collection does
    /// not wait behind all collections that have not started.
    begin: tokio::sync::Mutex<()>,
}

pub struct Limiter {
    clock: Clock,
    base: Instant,
    /// Held by the next request: only its holder waits for units or for a place in the window.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    changed: Notify,
    /// Wakes whoever shares the quota with other processes. `None`: the quota is this process's alone.
    sharing: Option<Arc<Notify>>,
    /// It has called for an exchange, and has not reported since.
    is_calling: AtomicBool,
}

struct State {
    /// The size of the bucket at most, by the settings.
    most: f64,
    capacity: f64,
    level: f64,
    /// When `level` was calculated, in seconds since `base`.
    at: f64,
    blocked_until: f64,
    window: f64,
    in_flight: usize,
    /// A request had to wait for a place in the window, and the window has not been half empty since.
    is_wanted: bool,
    /// Number of setbacks. Requests in flight during a setback carry no new information when they fail too.
    epoch: u64,
    strikes: f64,
    struck_at: f64,
    learned: HashMap<u64, f64>,
    part: Part,
}

/// The state of the limiter, for progress and metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauge {
    /// Resource units that can be spent at once.
    pub units_left: f64,
    pub units_per_second: f64,
    pub in_flight: usize,
    /// Requests in flight at most.
    pub window: usize,
}

/// Permission to send one request. Dropping it frees the place in the window, but does not return the units, because the
/// request may have reached Graph. A caller that holds it until the response is stored limits what a crash can lose to
/// the window.
pub struct Permit {
    limiter: Arc<Limiter>,
    charged: f64,
    epoch: u64,
}

enum Take {
    Taken {
        epoch: u64,
    },
    /// Until there are units, or the pause is over.
    In(Duration),
    /// Until a request in flight ends, or the process gets a share of the quota.
    OnRelease,
}

impl Take {
    /// A wait greater than zero: rounding could give a wait of zero, which would never end.
    fn in_seconds(seconds: f64) -> Self {
        Self::In(Duration::from_secs_f64(seconds.max(1e-6)))
    }
}

impl Limiter {
    /// `most`: resource units in ten seconds at most.
    pub fn new(clock: Clock, most: u32) -> Arc<Self> {
        Self::with(clock, most, None)
    }

    fn with(clock: Clock, most: u32, sharing: Option<Arc<Notify>>) -> Arc<Self> {
        let most = f64::from(most);
        let mut state = State {
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
            part: Part::WHOLE,
        };
        if sharing.is_some() {
            state.stay_outside();
        }
        let base = clock.instant();
        Arc::new(Self {
            clock,
            base,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
            changed: Notify::new(),
            sharing,
            is_calling: AtomicBool::new(false),
        })
    }

    /// Waits for the caller's turn, for `units` and for a place in the window. `goes_on`: the request is for a later page.
    /// The future can be dropped at any time.
    pub async fn acquire(self: &Arc<Self>, lane: &Lane, units: f64, goes_on: bool) -> Permit {
        let _begin = if goes_on { None } else { Some(lane.begin.lock().await) };
        let _next = lane.next.lock().await;
        let _turn = self.turn.lock().await;
        loop {
            let (taken, is_outside) = {
                let mut state = self.lock();
                (state.take(self.seconds(), units), state.part.share <= 0.0)
            };
            if is_outside {
                self.call_for_exchange();
            }
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

    /// The price of a request of this kind: what Graph charged last time, else the price in the table.
    pub fn units_of(&self, kind: Kind) -> f64 {
        self.lock().learned.get(&kind.key).copied().unwrap_or(kind.estimate)
    }

    /// Stores what Graph charged for a request of this kind.
    pub fn learn(&self, kind: Kind, units: f64) {
        let mut state = self.lock();
        if state.learned.len() < MAX_LEARNED || state.learned.contains_key(&kind.key) {
            state.learned.insert(kind.key, units.max(0.0));
        }
    }

    /// Pauses all requests, because an item inside a batch was throttled. Returns by how much the pause got longer.
    pub fn stop(&self, wait: Duration) -> Duration {
        let now = self.seconds();
        let mut state = self.lock();
        state.refill(now);
        let epoch = state.epoch;
        if now >= state.blocked_until && state.setback(epoch) {
            state.level = state.level.min(0.0);
        }
        self.call_for_exchange();
        state.block(now, wait)
    }

    pub fn gauge(&self) -> Gauge {
        let now = self.seconds();
        let mut state = self.lock();
        state.refill(now);
        Gauge {
            units_left: state.level.max(0.0),
            units_per_second: state.size() / REFILL_SECONDS,
            in_flight: state.in_flight,
            window: state.window as usize,
        }
    }

    /// Asks for an exchange with the other processes, because of something that should not wait.
    fn call_for_exchange(&self) {
        if let Some(sharing) = &self.sharing {
            self.is_calling.store(true, Ordering::Relaxed);
            sharing.notify_one();
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
    /// The size of this process's bucket.
    fn size(&self) -> f64 {
        self.part.capacity.map_or(self.capacity, |others| others.min(self.capacity)) * self.part.share
    }

    /// The most that is kept in it. Without a share it keeps the advance.
    fn full(&self) -> f64 {
        if self.part.share <= 0.0 && !self.part.is_member { f64::INFINITY } else { self.size() * FILL }
    }

    /// Has no share, only an advance.
    fn stay_outside(&mut self) {
        self.level = self.capacity * ADVANCE;
        self.part = Part::outside(self.level);
    }

    fn refill(&mut self, now: f64) {
        if self.capacity < self.most && now - self.struck_at > QUIET_SECONDS_TO_GROW {
            self.capacity = (self.capacity * 1.1).min(self.most);
            self.struck_at = now;
        }
        let gained = (now - self.at).max(0.0) * self.size() / REFILL_SECONDS;
        self.level = (self.level + gained).min(self.full());
        self.at = self.at.max(now);
    }

    fn take(&mut self, now: f64, units: f64) -> Take {
        self.refill(now);
        // A request that costs more than the whole bucket is sent when the bucket is full.
        let needed = if self.size() > 0.0 { units.min(self.full()) } else { units };
        if now < self.blocked_until {
            return Take::in_seconds(self.blocked_until - now);
        }
        if self.in_flight as f64 >= self.window.floor() {
            self.is_wanted = true;
            return Take::OnRelease;
        }
        // Slightly less than needed is enough, so that rounding cannot give a wait of zero.
        if self.level + 1e-6 < needed {
            self.part.is_hungry = true;
            if self.size() <= 0.0 {
                return Take::OnRelease;
            }
            return Take::in_seconds((needed - self.level) * REFILL_SECONDS / self.size());
        }
        self.level -= units;
        self.part.spent += units;
        self.in_flight += 1;
        self.is_wanted &= self.in_flight as f64 > self.window / 2.0;
        Take::Taken { epoch: self.epoch }
    }

    /// Pauses all requests until then. Returns by how much the pause got longer.
    fn block(&mut self, now: f64, wait: Duration) -> Duration {
        let until = now + wait.as_secs_f64();
        let longer = until - self.blocked_until.max(now);
        self.blocked_until = self.blocked_until.max(until);
        Duration::from_secs_f64(longer.max(0.0))
    }

    /// Records a 429 or a failure. Returns whether it is new information.
    fn setback(&mut self, epoch: u64) -> bool {
        let is_news = epoch == self.epoch;
        if is_news {
            self.epoch += 1;
            self.window = (self.window / 2.0).max(MIN_WINDOW);
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
            self.capacity = smaller.unwrap_or(self.capacity * 0.7).max(MIN_CAPACITY);
        }
    }
}

impl Permit {
    /// The number of requests in flight, with this one.
    pub fn in_flight(&self) -> usize {
        self.limiter.lock().in_flight
    }

    /// Records a response. `units` is what Graph charged, if it is known. Returns what was charged.
    pub fn answered(&mut self, units: Option<f64>) -> f64 {
        let units = units.unwrap_or(self.charged);
        let now = self.limiter.seconds();
        let mut state = self.limiter.lock();
        state.refill(now);
        state.level = (state.level + self.charged - units).min(state.full());
        if state.is_wanted {
            let doubles = state.epoch == 0 && state.window < DOUBLES_UNTIL;
            let step = if doubles { 1.0 } else { 1.0 / state.window };
            state.window = (state.window + step).min(MAX_WINDOW);
        }
        units
    }

    /// Records a 429: pauses all requests for `wait`. `is_quota`: Graph named the quota of units as the reason. Returns by
    /// how much the pause got longer.
    pub fn throttled(self, wait: Duration, is_quota: bool) -> Duration {
        let now = self.limiter.seconds();
        let mut state = self.limiter.lock();
        state.refill(now);
        let longer = state.block(now, wait);
        if state.setback(self.epoch) {
            // Graph's bucket is empty, whatever the level here.
            state.level = state.level.min(0.0);
            state.strike(now, if is_quota { 1.0 } else { 0.5 });
        }
        self.limiter.call_for_exchange();
        longer
    }

    /// Records a 5xx or no response. `wait` is `Retry-After`.
    pub fn failed(self, wait: Option<Duration>) -> Duration {
        let now = self.limiter.seconds();
        let mut state = self.limiter.lock();
        state.setback(self.epoch);
        let Some(wait) = wait else { return Duration::ZERO };
        self.limiter.call_for_exchange();
        state.block(now, wait)
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
