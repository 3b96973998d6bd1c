//! Numbers of a mirror that would otherwise be counted row by row: a run that changes little adds to them what it changed.

use super::stored_as::StoredAs;
use crate::directory::ObjectType;
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
    #[serde(deserialize_with = "known_words")]
    pub held: BTreeMap<ObjectType, u64>,
    /// References that the last comparison left out.
    #[serde(deserialize_with = "known_words")]
    pub dropped: BTreeMap<ObjectType, u64>,
}

/// A number after so many more or fewer.
pub fn moved(number: u64, by: i64) -> u64 {
    number.saturating_add_signed(by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counters_are_stored_by_the_names_of_rows_and_types() {
        let stored = json!({
            "generation": 3, "read": {"users": 5, "stub:users": 2}, "memberships": 7, "held": {"users": 4},
            "dropped": {"groups": 1},
        });
        let counters: Counters = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(counters.read[&StoredAs::Stub(ObjectType::Users)], 2);
        assert_eq!(serde_json::to_value(&counters).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Counters>(json!({})).unwrap(), Counters::default());
    }
}
