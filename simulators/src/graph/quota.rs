//! Resource units: what a request costs, and the token bucket of each application in each tenant.
//! Source: docs/graph.md, «Throttling».

use super::query::Query;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// How many units an application may spend in a tenant within ten seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quota {
    /// 3,500 below 50 users, 5,000 up to 500, 8,000 above.
    ByTenantSize,
    Units(u32),
}

impl Quota {
    pub fn units(self, users: usize) -> u32 {
        match self {
            Self::ByTenantSize => match users {
                0..50 => 3_500,
                50..=500 => 5_000,
                _ => 8_000,
            },
            Self::Units(units) => units,
        }
    }
}

/// How a 429 for spent units says when to come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfterForm {
    #[default]
    Seconds,
    /// `2.128`.
    Decimal,
    /// An HTTP date.
    Date,
    Absent,
    /// Always `1`, whatever the wait really is.
    One,
}

impl RetryAfterForm {
    pub fn print(self, wait: Duration, now: DateTime<Utc>) -> Option<String> {
        let seconds = wait.as_secs_f64();
        match self {
            Self::Seconds => Some(format!("{}", seconds.ceil().max(1.0))),
            Self::Decimal => Some(format!("{:.3}", seconds.max(0.001))),
            Self::Date => Some(http_date(now + Duration::from_secs(seconds.ceil() as u64 + 1))),
            Self::Absent => None,
            Self::One => Some("1".into()),
        }
    }
}

/// RFC 9110: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

struct Bucket {
    level: f64,
    at: DateTime<Utc>,
}

#[derive(Default)]
pub struct Buckets(Mutex<HashMap<Key, Bucket>>);

/// An application, a tenant, and who answers.
type Key = (Uuid, Uuid, Service);

/// A service that throttles apart from the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Service {
    Directory,
    Intune,
}

/// Requests to Intune in ten seconds. Source: docs/graph.md, «Throttling».
pub const INTUNE: u32 = 1_000;

impl Service {
    /// Who answers a path below the version.
    pub fn of(path: &[&str]) -> Self {
        if path.first() == Some(&"deviceManagement") { Self::Intune } else { Self::Directory }
    }
}

impl Buckets {
    /// Spends units, or says how long until there are enough. `Ok` is the share of the limit in use, 0 to 1.
    pub fn spend(&self, key: Key, units: u32, capacity: u32, now: DateTime<Utc>) -> Result<f64, Duration> {
        let capacity = f64::from(capacity);
        let per_second = capacity / 10.0;
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key).or_insert(Bucket { level: capacity, at: now });
        let passed = (now - bucket.at).to_std().unwrap_or_default().as_secs_f64();
        bucket.level = (bucket.level + passed * per_second).min(capacity);
        bucket.at = bucket.at.max(now);
        let units = f64::from(units);
        if bucket.level >= units {
            bucket.level -= units;
            return Ok(1.0 - bucket.level / capacity);
        }
        // Requests sent while throttled still count, a little.
        bucket.level = (bucket.level - 1.0).max(-capacity / 20.0);
        Err(Duration::from_secs_f64((units - bucket.level) / per_second))
    }
}

/// The units of a request by its path below the version, with the modifiers of its options.
pub fn units(method: &str, path: &[&str], query: &Query) -> u32 {
    if path.contains(&"delta") || path.contains(&"microsoft.graph.delta") {
        return 5;
    }
    // Intune does not count in units.
    if Service::of(path) == Service::Intune {
        return 0;
    }
    let base = match path {
        ["users", _, "memberOf" | "transitiveMemberOf" | "ownedObjects" | "licenseDetails", ..] => 2,
        ["users", _, "manager" | "directReports", ..] => 1,
        ["users", ..] => 2,
        ["groups", _, "members", ..] => 3,
        ["groups", _, "transitiveMembers", ..] => 5,
        ["groups", _, "memberOf" | "transitiveMemberOf", ..] => 2,
        ["subscribedSkus", ..] => 3,
        ["applications" | "oauth2PermissionGrants", ..] => 2,
        ["servicePrincipals", _, "appRoleAssignments" | "oauth2PermissionGrants", ..] => 2,
        ["directoryObjects", "getByIds"] => 5,
        [first, ..] if first.starts_with("applications") => 2,
        _ => 1,
    };
    if method != "GET" && path.last() != Some(&"getByIds") {
        return base;
    }
    let body_select = path.last() == Some(&"getByIds");
    let less = u32::from(query.has("$select")) * if body_select { 3 } else { 1 };
    let few = query.get("$top").and_then(|top| top.parse::<u32>().ok()).is_some_and(|top| top < 20);
    (base + u32::from(query.has("$expand"))).saturating_sub(less + u32::from(few)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_the_table_and_its_modifiers() {
        let units = |path: &[&str], query: &str| units("GET", path, &Query::parse(query));
        assert_eq!(units(&["users"], ""), 2);
        assert_eq!(units(&["users"], "$select=id&$top=999"), 1);
        assert_eq!(units(&["users"], "$select=id&$top=999&$expand=manager($select=id)"), 2);
        assert_eq!(units(&["groups", "x", "members"], "$select=id&$top=999"), 2);
        assert_eq!(units(&["groups", "x", "members"], "$select=id&$top=19"), 1);
        assert_eq!(units(&["groups", "x", "transitiveMembers"], ""), 5);
        assert_eq!(units(&["subscribedSkus"], "$select=skuId"), 2);
        assert_eq!(units(&["groups", "delta"], "$select=members"), 5);
    }

    #[test]
    fn a_bucket_starts_full_and_fills_in_ten_seconds() {
        let buckets = Buckets::default();
        let now = DateTime::UNIX_EPOCH;
        let key = (Uuid::nil(), Uuid::nil(), Service::Directory);
        assert_eq!(buckets.spend(key, 50, 100, now), Ok(0.5));
        assert_eq!(buckets.spend(key, 50, 100, now), Ok(1.0));
        let wait = buckets.spend(key, 10, 100, now).unwrap_err();
        assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_millis(1_200), "{wait:?}");
        assert!(buckets.spend(key, 10, 100, now + wait).is_ok());
        assert!(buckets.spend((Uuid::max(), Uuid::nil(), Service::Directory), 100, 100, now).is_ok());
    }
}
