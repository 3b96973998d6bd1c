//! How processes share one quota of Graph: the units of an application in a tenant.
//!
//! Each process that is busy holds a share of the quota: units flow into its own bucket at this part of the rate. What
//! nobody has a share of flows into a common rest. A process that needs more takes from the rest what fits into its
//! bucket, and gives back what does not fit any more. So the buckets and the rest are never more than Graph's bucket, and
//! a process that cannot reach the database goes on with its share.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A bucket refills in ten seconds.
pub const REFILL_SECONDS: f64 = 10.0;
/// Only this share of a full bucket is used. Graph's bucket starts to refill a little later than this one, when the
/// first request arrives, and one 429 costs more than the unused rest.
pub const FILL: f64 = 0.99;
/// A process that did not report for so long has no share any more.
const MAX_SILENCE: TimeDelta = TimeDelta::seconds(5);
/// The least share of a process that needs little, so that it can begin to need more.
const MIN_WANT: f64 = 0.05;
/// The part of a process's bucket that it gives at a time for what was spent too much.
const MAX_REPAID: f64 = 0.05;
/// A pause that differs by less is the same one.
const SAME_PAUSE: TimeDelta = TimeDelta::milliseconds(500);

/// The quota of an application in a tenant, for one service behind Graph.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct QuotaKey {
    pub application: uuid::Uuid,
    /// The id of the tenant, in lower case.
    pub tenant: String,
    pub service: &'static str,
}

impl QuotaKey {
    /// A number by which notices name the quota. Two quotas may have the same one; then both are looked at.
    pub fn mark(&self) -> u64 {
        // FNV-1a, which is the same in every version.
        let text = format!("{}/{}/{}", self.application, self.tenant, self.service);
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |mark, byte| (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

/// A process, as the others know it.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// The key of its lock.
    pub id: i64,
    /// It holds the lock as long as it lives. Otherwise only its silence tells that it died.
    pub holds_lock: bool,
}

/// What a process says of its own bucket.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Report {
    /// The size of Graph's bucket, as far as this process has seen.
    pub capacity: f64,
    /// What is in its bucket.
    pub level: f64,
    /// What it gives back. Negative: what it spent before it had a share.
    pub gives: f64,
    /// The part of the quota that it could use now: 1 if its requests wait for units.
    pub wants: f64,
    /// How long Graph wants no requests.
    pub pause: Duration,
    /// It has nothing to do, and gives up its share.
    pub leaves: bool,
}

/// What a process gets.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Grant {
    /// Its part of the quota.
    pub share: f64,
    /// Units out of the common rest. Negative: its part of what was spent too much.
    pub takes: f64,
    /// The size of Graph's bucket, as far as the other processes have seen.
    pub capacity: Option<f64>,
    /// How long Graph wants no requests, whichever process it told.
    pub pause: Duration,
    /// The others should report soon: there is more or less for them than they know of.
    pub concerns_others: bool,
}

/// The state that all processes share.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// Units that nobody has. Below zero: what processes spent before they had a share.
    rest: f64,
    at: DateTime<Utc>,
    paused_until: DateTime<Utc>,
    members: Vec<Member>,
}

/// A process that is busy with the tenant.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(rename_all = "camelCase")]
struct Member {
    #[serde(flatten)]
    process: Process,
    share: f64,
    level: f64,
    capacity: f64,
    wants: f64,
    seen_at: DateTime<Utc>,
}

impl Member {
    /// What its bucket has at most by now.
    fn level(&self, capacity: f64, now: DateTime<Utc>) -> f64 {
        let gained = seconds(now - self.seen_at) * self.share * capacity / REFILL_SECONDS;
        (self.level + gained).min(self.share * capacity * FILL)
    }
}

impl Quota {
    /// A quota that nobody has used yet.
    pub fn new(capacity: f64, now: DateTime<Utc>) -> Self {
        Self { rest: capacity * FILL, at: now, paused_until: now, members: Vec::new() }
    }

    /// The locks of the other processes that hold one.
    pub fn locks_of_others(&self, id: i64) -> Vec<i64> {
        let others = self.members.iter().map(|member| member.process).filter(|process| process.id != id);
        others.filter(|process| process.holds_lock).map(|process| process.id).collect()
    }

    /// Takes the shares of processes that died.
    pub fn forget(&mut self, dead: &[i64]) {
        self.members.retain(|member| !dead.contains(&member.process.id));
    }

    /// Takes the report of a process, and says what it gets.
    pub fn exchange(&mut self, process: Process, report: &Report, now: DateTime<Utc>) -> Grant {
        self.members.retain(|member| now - member.seen_at < MAX_SILENCE);
        let id = process.id;
        let before = self.members.iter().find(|member| member.process.id == id).map_or(0.0, |member| member.share);
        let held: f64 = self.members.iter().map(|member| member.share).sum();
        self.members.retain(|member| member.process.id != id);
        let of_others = self.members.iter().map(|member| member.capacity).reduce(f64::min);
        let capacity = of_others.map_or(report.capacity, |least| least.min(report.capacity));
        let is_new_pause = self.pause(report, now);
        let free = (1.0 - held).max(0.0);
        let levels: f64 = self.members.iter().map(|member| member.level(capacity, now)).sum();
        let room = (capacity * FILL - levels - report.level).max(0.0);
        let gained = seconds(now - self.at) * free * capacity / REFILL_SECONDS;
        self.rest = (self.rest + gained + report.gives).min(room);
        self.at = self.at.max(now);
        if report.leaves {
            return Grant {
                share: 0.0,
                takes: 0.0,
                capacity: None,
                pause: Duration::ZERO,
                concerns_others: before > 0.0,
            };
        }
        let others: f64 = self.members.iter().map(|member| member.share).sum();
        let fair = self.fair_share(report.wants);
        let share = fair.min(1.0 - others).max(0.0);
        let takes = match self.rest {
            debt if debt < 0.0 => debt.max(-share * capacity * MAX_REPAID),
            rest => rest.min(share * capacity * FILL - report.level).max(0.0),
        };
        self.rest -= takes;
        let level = report.level + takes;
        let (capacity, wants) = (report.capacity, report.wants);
        self.members.push(Member { process, share, level, capacity, wants, seen_at: now });
        let is_short = fair - share > MIN_WANT / 2.0;
        let gave = before - share > MIN_WANT / 2.0;
        Grant {
            share,
            takes,
            capacity: of_others,
            pause: (self.paused_until - now).to_std().unwrap_or_default(),
            concerns_others: !self.members.is_empty() && (is_short || gave || is_new_pause),
        }
    }

    /// Whether the report has a pause that was not known. Graph's bucket is empty then, whatever was reckoned.
    fn pause(&mut self, report: &Report, now: DateTime<Utc>) -> bool {
        let until = now + TimeDelta::from_std(report.pause).unwrap_or_default();
        if until - self.paused_until.max(now) < SAME_PAUSE {
            return false;
        }
        self.paused_until = until;
        self.rest = self.rest.min(0.0);
        for member in &mut self.members {
            member.level = member.level.min(0.0);
            member.seen_at = member.seen_at.max(now);
        }
        true
    }

    /// The part of a process that wants `wants`: what the others leave, but no less than an equal part if it wants that
    /// much. What nobody wants is divided evenly.
    fn fair_share(&self, wants: f64) -> f64 {
        let number = self.members.len() + 1;
        let own = wants.clamp(MIN_WANT, 1.0);
        let mut wanted: Vec<f64> = self.members.iter().map(|member| member.wants.clamp(MIN_WANT, 1.0)).collect();
        wanted.push(own);
        wanted.sort_by(f64::total_cmp);
        let (mut left, mut part) = (1.0, 0.0);
        for (served, wants) in wanted.into_iter().enumerate() {
            let given = f64::min(wants, left / (number - served) as f64);
            left -= given;
            if wants <= own {
                part = given;
            }
        }
        part + left / number as f64
    }
}

fn seconds(time: TimeDelta) -> f64 {
    time.to_std().unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: f64 = 8_000.0;
    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn hungry(level: f64) -> Report {
        Report { capacity: CAPACITY, level, gives: 0.0, wants: 1.0, pause: Duration::ZERO, leaves: false }
    }

    fn process(id: i64) -> Process {
        Process { id, holds_lock: id % 2 == 1 }
    }

    fn at(millis: i64) -> DateTime<Utc> {
        NOW + TimeDelta::milliseconds(millis)
    }

    #[test]
    fn a_process_that_is_alone_has_the_whole_bucket() {
        let mut quota = Quota::new(CAPACITY, NOW);
        let grant = quota.exchange(process(1), &hungry(0.0), NOW);
        assert_eq!((grant.share, grant.takes), (1.0, 7_920.0));
        assert!(!grant.concerns_others);
        let grant = quota.exchange(process(1), &Report { wants: 0.0, ..hungry(7_920.0) }, at(1_000));
        assert_eq!((grant.share, grant.takes), (1.0, 0.0), "also while it needs little");
    }

    #[test]
    fn a_second_process_waits_until_the_first_has_given_back() {
        let mut quota = Quota::new(CAPACITY, NOW);
        quota.exchange(process(1), &hungry(0.0), NOW);
        let second = quota.exchange(process(2), &hungry(0.0), at(100));
        assert_eq!((second.share, second.takes), (0.0, 0.0));
        assert!(second.concerns_others, "the first is told");
        let first = quota.exchange(process(1), &hungry(7_920.0), at(110));
        assert_eq!(first.share, 0.5);
        // What does not fit into the half comes back with the next report.
        quota.exchange(process(1), &Report { gives: 3_960.0, ..hungry(3_960.0) }, at(120));
        let second = quota.exchange(process(2), &hungry(0.0), at(130));
        assert_eq!(second.share, 0.5);
        assert!((3_960.0..3_961.0).contains(&second.takes), "{second:?}");
    }

    #[test]
    fn shares_and_units_are_never_more_than_the_quota() {
        let mut quota = Quota::new(CAPACITY, NOW);
        let mut levels = [0.0; 4];
        let mut owed = [0.0; 4];
        let mut shares = [0.0; 4];
        let mut spent = 0.0;
        for step in 0..4_000_i64 {
            // Processes report in turns, and each spends what it has, in some phases only.
            let (id, now) = ((step % 4) as usize, at(step * 50));
            let is_busy = (step / 400 + id as i64) % 3 != 0;
            levels[id] = f64::min(
                levels[id] + shares[id] * 0.2 * CAPACITY / 10.0,
                f64::max(shares[id] * CAPACITY * FILL, levels[id]),
            );
            if is_busy {
                spent += levels[id];
                levels[id] = 0.0;
            }
            let wants = if is_busy { 1.0 } else { 0.0 };
            let grant =
                quota.exchange(process(id as i64), &Report { gives: owed[id], wants, ..hungry(levels[id]) }, now);
            levels[id] += grant.takes;
            shares[id] = grant.share;
            owed[id] = f64::max(levels[id] - grant.share * CAPACITY * FILL, 0.0);
            levels[id] -= owed[id];
            assert!(shares.iter().sum::<f64>() <= 1.0 + 1e-9, "step {step}: {shares:?}");
            let allowed = CAPACITY * FILL + (step + 1) as f64 * 0.05 * CAPACITY / 10.0;
            assert!(spent <= allowed + 1.0, "step {step}: {spent} spent, {allowed} allowed");
        }
        let allowed = CAPACITY * FILL + 200.0 * CAPACITY / 10.0;
        assert!(spent >= 0.9 * allowed, "{spent} of {allowed} were used");
    }

    #[test]
    fn who_needs_little_leaves_the_rest_to_the_others() {
        let mut quota = Quota::new(CAPACITY, NOW);
        quota.exchange(process(1), &Report { wants: 0.1, ..hungry(0.0) }, NOW);
        for step in 1..4 {
            quota.exchange(process(2), &hungry(0.0), at(step * 100));
            quota.exchange(process(1), &Report { wants: 0.1, ..hungry(0.0) }, at(step * 100 + 50));
        }
        let mut percent = |id, millis| (quota.exchange(process(id), &hungry(0.0), at(millis)).share * 100.0).round();
        assert_eq!(percent(2, 500), 90.0);
        assert_eq!(percent(1, 510), 10.0, "until the other has given back");
        assert_eq!(percent(2, 520), 50.0);
        assert_eq!(percent(1, 530), 50.0);
    }

    #[test]
    fn a_process_that_leaves_or_falls_silent_leaves_its_share() {
        let mut quota = Quota::new(CAPACITY, NOW);
        quota.exchange(process(1), &hungry(0.0), NOW);
        quota.exchange(process(1), &Report { leaves: true, gives: 5_000.0, ..hungry(0.0) }, at(100));
        let grant = quota.exchange(process(2), &hungry(0.0), at(100));
        assert_eq!((grant.share, grant.takes), (1.0, 5_000.0));
        assert_eq!(quota.exchange(process(3), &hungry(0.0), at(4_000)).share, 0.0);
        assert_eq!(quota.exchange(process(3), &hungry(0.0), at(5_200)).share, 1.0);
    }

    #[test]
    fn the_share_of_a_process_that_lost_its_lock_is_free_at_once() {
        let mut quota = Quota::new(CAPACITY, NOW);
        quota.exchange(process(1), &hungry(0.0), NOW);
        quota.exchange(process(2), &hungry(0.0), at(10));
        assert_eq!(quota.locks_of_others(2), [1]);
        assert!(quota.locks_of_others(1).is_empty(), "the second holds none");
        quota.forget(&[1]);
        assert_eq!(quota.exchange(process(2), &hungry(0.0), at(20)).share, 1.0);
    }

    #[test]
    fn a_pause_that_graph_asks_of_one_holds_for_all_and_empties_the_bucket() {
        let mut quota = Quota::new(CAPACITY, NOW);
        quota.exchange(process(1), &Report { wants: 0.0, ..hungry(0.0) }, NOW);
        quota.exchange(process(2), &hungry(0.0), NOW);
        let told = quota.exchange(process(1), &Report { pause: Duration::from_secs(7), ..hungry(0.0) }, at(1_000));
        assert!(told.concerns_others);
        let other = quota.exchange(process(2), &hungry(0.0), at(1_000));
        assert_eq!((other.pause, other.takes), (Duration::from_secs(7), 0.0));
        let again = quota.exchange(process(1), &Report { pause: Duration::from_secs(5), ..hungry(0.0) }, at(3_000));
        assert!(!again.concerns_others, "it is the same pause");
    }

    #[test]
    fn what_one_has_learnt_of_the_size_of_the_bucket_all_know() {
        let mut quota = Quota::new(CAPACITY, NOW);
        quota.exchange(process(1), &Report { capacity: 3_500.0, ..hungry(0.0) }, NOW);
        let grant = quota.exchange(process(2), &hungry(0.0), at(100));
        assert_eq!(grant.capacity, Some(3_500.0));
    }
}
