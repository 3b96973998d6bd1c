//! The properties of an object, and how they are looked at.

use serde_json::{Map, Value};

/// The Graph properties of one object by name; properties that are null are absent.
pub type Properties = Map<String, Value>;

/// A text property that is not blank.
pub fn text<'a>(properties: &'a Properties, key: &str) -> Option<&'a str> {
    properties.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

pub fn flag(properties: &Properties, key: &str) -> Option<bool> {
    properties.get(key).and_then(Value::as_bool)
}

/// The values of a list; none, if there is no such property.
pub fn items<'a>(properties: &'a Properties, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    properties.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a list property contains a value. Graph ignores case.
pub fn has(properties: &Properties, key: &str, wanted: &str) -> bool {
    items(properties, key).filter_map(Value::as_str).any(|value| value.eq_ignore_ascii_case(wanted))
}
