//! What a run changed of an object, and what that means in the directory.

use crate::directory::ObjectType;
use crate::error::{Code, Error, Result};
use crate::run_state::ChangeAction;
use crate::text_enum::explained;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// The attributes of a user that say where somebody works.
const PLACE: [&str; 3] = ["department", "manager", "companyName"];
/// The attribute of a licence that says how many units are left.
const LEFT: &str = "availableUnits";

/// Stands in the place of the state after, once an object is removed from Assets.
pub const REMOVED: &str = "removed";

/// A value that a run changed.
#[derive(Serialize, ToSchema, Clone, PartialEq, Debug)]
pub struct ValueChange {
    /// The key of the attribute.
    pub name: String,
    /// The value before; null if there was none.
    pub before: Value,
    /// The value after; null if there is none.
    pub after: Value,
}

/// The values that differ, by name. Without an object after, nothing was sent in its place.
pub fn changes(before: Option<&str>, after: Option<&str>) -> Vec<ValueChange> {
    let object =
        |text: Option<&str>| -> Option<Map<String, Value>> { text.and_then(|text| serde_json::from_str(text).ok()) };
    let Some(mut now) = object(after) else { return Vec::new() };
    let mut changes: Vec<ValueChange> = object(before)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, before)| {
            let after = now.remove(&name).unwrap_or_default();
            ValueChange { name, before, after }
        })
        .filter(|change| change.before != change.after)
        .collect();
    changes.extend(now.into_iter().map(|(name, after)| ValueChange { name, before: Value::Null, after }));
    changes.sort_by(|a, b| a.name.cmp(&b.name));
    changes
}

explained! {
    /// What happened in the directory.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum DirectoryEvent {
        /// A user is new, or came back.
        #[serde(rename = "user.joined")]
        UserJoined,
        /// A user was deleted or left the scope.
        #[serde(rename = "user.left")]
        UserLeft,
        /// The department, manager or company of a user changed.
        #[serde(rename = "user.moved")]
        UserMoved,
        /// No unit of a licence is left.
        #[serde(rename = "license.exhausted")]
        LicenseExhausted,
        /// A group is new, or came back.
        #[serde(rename = "group.created")]
        GroupCreated,
        /// A group was deleted or left the scope.
        #[serde(rename = "group.deleted")]
        GroupDeleted,
    }
}

impl DirectoryEvent {
    pub const ALL: [Self; 6] = [
        Self::UserJoined,
        Self::UserLeft,
        Self::UserMoved,
        Self::LicenseExhausted,
        Self::GroupCreated,
        Self::GroupDeleted,
    ];

    /// The type of the objects that it happens to.
    pub const fn object_type(self) -> ObjectType {
        match self {
            Self::UserJoined | Self::UserLeft | Self::UserMoved => ObjectType::Users,
            Self::LicenseExhausted => ObjectType::Licenses,
            Self::GroupCreated | Self::GroupDeleted => ObjectType::Groups,
        }
    }

    /// What such a change means, whatever the values are; `None`: they decide.
    pub fn of_action(object_type: ObjectType, action: ChangeAction) -> Option<Self> {
        let came = matches!(action, ChangeAction::Create | ChangeAction::Restore);
        let left = matches!(action, ChangeAction::Missing | ChangeAction::Mark | ChangeAction::Remove);
        match object_type {
            ObjectType::Users if came => Some(Self::UserJoined),
            ObjectType::Users if left => Some(Self::UserLeft),
            ObjectType::Groups if came => Some(Self::GroupCreated),
            ObjectType::Groups if left => Some(Self::GroupDeleted),
            _ => None,
        }
    }

    /// The attributes whose values decide; empty: the action does.
    pub const fn deciding(self) -> &'static [&'static str] {
        match self {
            Self::UserMoved => &PLACE,
            Self::LicenseExhausted => &[LEFT],
            Self::UserJoined | Self::UserLeft | Self::GroupCreated | Self::GroupDeleted => &[],
        }
    }

    pub fn of(object_type: ObjectType, action: ChangeAction, changes: &[ValueChange]) -> Option<Self> {
        let is_out =
            |change: &ValueChange| change.name == LEFT && change.after.as_i64().is_some_and(|units| units <= 0);
        let has_moved = |change: &ValueChange| PLACE.contains(&change.name.as_str());
        Self::of_action(object_type, action).or_else(|| match object_type {
            ObjectType::Users if changes.iter().any(has_moved) => Some(Self::UserMoved),
            ObjectType::Licenses if changes.iter().any(is_out) => Some(Self::LicenseExhausted),
            _ => None,
        })
    }
}

/// A place in the feed of a job's changes: behind this change of this run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedPlace {
    pub run: Uuid,
    pub seq: i64,
}

impl FeedPlace {
    pub fn write(self) -> String {
        URL_SAFE_NO_PAD.encode([self.run.as_bytes().as_slice(), &self.seq.to_be_bytes()].concat())
    }

    pub fn read(after: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(after).unwrap_or_default();
        let place = bytes.split_first_chunk::<16>().and_then(|(run, seq)| {
            Some(Self { run: Uuid::from_bytes(*run), seq: i64::from_be_bytes(seq.try_into().ok()?) })
        });
        place.ok_or_else(|| {
            Error::new(Code::InvalidCursor, "This `after` is not valid here. Start again without it, or with `latest`.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(name: &str, before: Value, after: Value) -> ValueChange {
        ValueChange { name: name.to_owned(), before, after }
    }

    #[test]
    fn changes_name_each_value_that_differs() {
        let found = changes(Some(r#"{"a":1,"b":2,"c":3}"#), Some(r#"{"a":1,"b":4,"d":5}"#));
        assert_eq!(
            found,
            [change("b", json!(2), json!(4)), change("c", json!(3), Value::Null), change("d", Value::Null, json!(5)),]
        );
        assert_eq!(changes(None, Some(r#"{"a":1}"#)).len(), 1);
        for gone in [None, Some(REMOVED)] {
            assert_eq!(changes(Some(r#"{"a":1}"#), gone), []);
        }
    }

    #[test]
    fn each_event_happens_to_its_type_by_its_action_or_its_values() {
        use ChangeAction::{Create, Missing, Update};
        for (object_type, action, name, after, expected) in [
            (ObjectType::Users, Create, "department", json!("A"), Some(DirectoryEvent::UserJoined)),
            (ObjectType::Users, Missing, "", json!(null), Some(DirectoryEvent::UserLeft)),
            (ObjectType::Users, Update, "department", json!("A"), Some(DirectoryEvent::UserMoved)),
            (ObjectType::Users, Update, "city", json!("A"), None),
            (ObjectType::Licenses, Update, "availableUnits", json!(0), Some(DirectoryEvent::LicenseExhausted)),
            (ObjectType::Licenses, Create, "availableUnits", json!(1), None),
            (ObjectType::Groups, Create, "", json!(null), Some(DirectoryEvent::GroupCreated)),
            (ObjectType::Groups, Missing, "", json!(null), Some(DirectoryEvent::GroupDeleted)),
            (ObjectType::Devices, Create, "", json!(null), None),
        ] {
            let found = DirectoryEvent::of(object_type, action, &[change(name, Value::Null, after)]);
            assert_eq!(found, expected, "{object_type} {action} {name}");
            assert!(found.is_none_or(|event| event.object_type() == object_type));
        }
    }

    #[test]
    fn a_place_reads_back() {
        let place = FeedPlace { run: Uuid::from_u128(7), seq: 9 };
        assert_eq!(FeedPlace::read(&place.write()).unwrap(), place);
        assert_eq!(FeedPlace::read("AAAA").unwrap_err().code, Code::InvalidCursor);
    }
}
