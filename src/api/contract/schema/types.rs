//! The types of JSON, as schemas name them and as people read them.

use serde_json::Value;

pub(super) const NAMES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// The types that a schema allows; none: it allows every type.
pub fn allowed(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn is(value: &Value, name: &str) -> bool {
    match name {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        _ => false,
    }
}

/// «must be true or false», «must be a text or null».
pub(super) fn must_be(names: &[&str]) -> String {
    let words = names.iter().map(|name| match *name {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "object" => "an object",
        "string" => "a text",
        other => other,
    });
    format!("must be {}", words.collect::<Vec<_>>().join(" or "))
}
