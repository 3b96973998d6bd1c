//! Numbers of a mirror that would otherwise be counted row by row: a run that changes little adds to them what it changed.

use super::stored_as::StoredAs;
use crate::text_enum::known_words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the mirror and the delivered rows have, by object type.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counters {
    /// The generation of the mirror that `read` and `memberships` are about.
    pub generation: i64,
    #[serde(deserialize_with = "known_words")]
    pub read: BTreeMap<StoredAs, u64>,
    pub memberships: u64,
    /// Delivered objects that are not marked as removed, as the last comparison's delivery left them.
    pub held: BTreeMap<String, u64>,
    /// References that the last comparison left out.
    pub dropped: BTreeMap<String, u64>,
}

/// A number after so many more or fewer.
pub fn moved(number: u64, by: i64) -> u64 {
    number.saturating_add_signed(by)
}
