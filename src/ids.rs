//! Typed identifiers: UUID version 7, so that rows created later sort later.

use crate::clock::Clock;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use uuid::{ContextV7, Timestamp, Uuid};

/// Orders the ids that are made in the same millisecond, or after the clock was set back.
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new UUIDv7 with the time of the clock. Of two ids that this process makes, the later one is greater, even within
/// a millisecond (RFC 9562 §6.2).
pub fn new_v7(clock: &Clock) -> Uuid {
    new_v7_at(clock.now())
}

/// Like [`new_v7`], with a time that was read before.
pub fn new_v7_at(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(&ORDER, seconds, now.timestamp_subsec_nanos()))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            pub fn new(clock: &Clock) -> Self {
                Self(new_v7(clock))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    )*};
}

ids! {
    /// The id of an organization: the owner of every row.
    OrganizationId,
    /// The id of an API key.
    ApiKeyId,
    /// The id of a connection.
    ConnectionId,
    /// The id of a check of a connection.
    CheckId,
    /// The id of a handover.
    HandoverId,
    /// The id of a filter.
    FilterId,
    /// The id of a destination.
    DestinationId,
    /// The id of a job.
    JobId,
    /// The id of a run.
    RunId,
    /// The id of a webhook.
    WebhookId,
    /// The id of a worker.
    WorkerId,
    /// Proof of a claim on a run: every write of a worker carries it.
    LeaseToken,
    AuditEventId,
}

impl OrganizationId {
    /// The organization `default`, made by the first migration.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn ids_ascend_within_a_millisecond_and_when_the_clock_is_set_back() {
        let now: DateTime<Utc> = "2026-01-31T08:00:00.123Z".parse().unwrap();
        let mut ids: Vec<Uuid> = (0..10_000).map(|_| new_v7_at(now)).collect();
        ids.push(new_v7_at(now - TimeDelta::seconds(5)));
        ids.push(new_v7_at(now + TimeDelta::milliseconds(1)));
        assert!(ids.is_sorted_by(|a, b| a < b));
        let (seconds, nanos) = ids[0].get_timestamp().unwrap().to_unix();
        assert!(seconds * 1000 + u64::from(nanos) / 1_000_000 >= now.timestamp_millis() as u64);
        assert_eq!(ids[0].get_version_num(), 7);
    }
}
