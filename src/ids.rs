//! Typed identifiers: UUID version 7, so that rows created later sort later.

use crate::clock::Clock;
use crate::random::random_bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// The last time and counter given, as milliseconds and twelve bits.
static LAST: AtomicU64 = AtomicU64::new(0);
const COUNTER_BITS: u32 = 12;

/// A new UUIDv7 with the clock's time, a counter and random bits from the operating system. Of two ids that this
/// process makes the later one is greater, also within a millisecond (RFC 9562 §6.2).
pub fn new_v7(clock: &Clock) -> Uuid {
    new_v7_at(clock.now())
}

/// As [`new_v7`], at a time that was read before.
pub fn new_v7_at(now: DateTime<Utc>) -> Uuid {
    let now = (now.timestamp_millis().max(0) as u64) << COUNTER_BITS;
    let next = |last: u64| now.max(last + 1);
    let place = next(LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last))).unwrap_or(now));
    let mut random = random_bytes::<10>();
    random[0] = (place >> 8) as u8 & 0x0f;
    random[1] = place as u8;
    uuid::Builder::from_unix_timestamp_millis(place >> COUNTER_BITS, &random).into_uuid()
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
    /// The owner of every row.
    OrganizationId,
    ApiKeyId,
    ConnectionId,
    CheckId,
    FilterId,
    DestinationId,
    JobId,
    RunId,
    WebhookId,
    WorkerId,
    /// Proof of a claim on a run: every write of a worker carries it.
    LeaseToken,
    AuditEventId,
}

impl OrganizationId {
    /// The organization `default`, made by the first migration.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
}
