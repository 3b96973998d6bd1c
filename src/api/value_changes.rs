//! Which values of an object a run changed.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A value that a run changed.
#[derive(Serialize, ToSchema, PartialEq, Debug)]
pub struct ValueChange {
    /// The key of the attribute.
    pub name: String,
    /// The value before; null if there was none.
    pub before: Value,
    /// The value after; null if there is none.
    pub after: Value,
}

/// The values that differ, by name. Without a state after, nothing was sent in its place.
pub fn changes(before: Option<&str>, after: Option<&str>) -> Vec<ValueChange> {
    let object = |text: Option<&str>| -> Map<String, Value> {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (Some(_), before, mut now) = (after, object(before), object(after)) else { return Vec::new() };
    let mut changes: Vec<ValueChange> = before
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_name_each_value_that_differs() {
        let change = |name: &str, before: Value, after: Value| ValueChange { name: name.to_owned(), before, after };
        let found = changes(Some(r#"{"a":1,"b":2,"c":3}"#), Some(r#"{"a":1,"b":4,"d":5}"#));
        assert_eq!(
            found,
            [change("b", json!(2), json!(4)), change("c", json!(3), Value::Null), change("d", Value::Null, json!(5)),]
        );
        assert_eq!(changes(None, Some(r#"{"a":1}"#)).len(), 1);
        assert_eq!(changes(Some(r#"{"a":1}"#), None), []);
    }
}
