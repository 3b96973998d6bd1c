//! Checks a JSON value against a schema of the OpenAPI document and names every fault, so that what the
//! document says and what the service accepts are the same thing. Covers the part of JSON Schema that the
//! document uses.

mod pattern;

use crate::error::Faults;
use serde_json::{Map, Value};

/// Where a check stands: the document for `$ref`s, and where faults go.
pub struct Checker<'a> {
    pub document: &'a Value,
    pub faults: &'a mut Faults,
}

impl<'a> Checker<'a> {
    /// Follows `$ref`s within the document.
    fn resolve(&self, mut schema: &'a Value) -> &'a Value {
        while let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            match self.document.pointer(target.trim_start_matches('#')) {
                Some(found) => schema = found,
                None => return &Value::Null,
            }
        }
        schema
    }

    /// Adds every fault of `value` at `pointer`.
    pub fn check(&mut self, schema: &'a Value, value: &Value, pointer: &str) {
        let schema = self.resolve(schema);
        if let Some(variants) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
            return self.check_variants(variants, value, pointer);
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            for part in all {
                self.check(part, value, pointer);
            }
        }
        if !self.check_type(schema, value, pointer) {
            return;
        }
        self.check_enumeration(schema, value, pointer);
        match value {
            Value::String(text) => self.check_text(schema, text, pointer),
            Value::Number(_) => self.check_number(schema, value, pointer),
            Value::Array(items) => self.check_items(schema, items, pointer),
            Value::Object(fields) => self.check_fields(schema, fields, pointer),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_type(&mut self, schema: &Value, value: &Value, pointer: &str) -> bool {
        let expected: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let is = |name: &&str| match *name {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            other => other == type_name(value),
        };
        if expected.iter().any(is) {
            return true;
        }
        let detail = format!("must be {}, not {}", expected.join(" or "), type_name(value));
        self.faults.push(pointer, "wrong_type", detail);
        false
    }

    fn check_enumeration(&mut self, schema: &Value, value: &Value, pointer: &str) {
        let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
        if !allowed.contains(value) {
            let names: Vec<String> = allowed.iter().filter(|v| !v.is_null()).map(ToString::to_string).collect();
            self.faults.push(pointer, "not_one_of", format!("must be one of {}", names.join(", ")));
        }
    }

    fn check_text(&mut self, schema: &Value, text: &str, pointer: &str) {
        let length = text.chars().count() as u64;
        if let Some(least) = schema.get("minLength").and_then(Value::as_u64)
            && length < least
        {
            self.faults.push(pointer, "too_short", format!("must have at least {least} characters, has {length}"));
        } else if let Some(most) = schema.get("maxLength").and_then(Value::as_u64)
            && length > most
        {
            self.faults.push(pointer, "too_long", format!("must have at most {most} characters, has {length}"));
        } else if text.contains('\0') {
            self.faults.push(pointer, "nul_character", "must not contain the character U+0000");
        } else if let Some(format) = schema.get("format").and_then(Value::as_str)
            && let Some(detail) = format_fault(format, text)
        {
            self.faults.push(pointer, "invalid_format", detail);
        } else if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && !regex_lite::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
        {
            let expectation = schema
                .get("x-expectation")
                .and_then(Value::as_str)
                .map_or_else(|| pattern::words(pattern, text), str::to_owned);
            self.faults.push(pointer, "invalid_pattern", expectation);
        }
    }

    fn check_number(&mut self, schema: &Value, value: &Value, pointer: &str) {
        let number = value.as_f64().unwrap_or_default();
        let (lowest, highest) = match schema.get("format").and_then(Value::as_str) {
            Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
            _ => (None, None),
        };
        if value.is_u64() && !value.is_i64() {
            self.faults.push(pointer, "too_large", format!("must be at most {}, is {value}", i64::MAX));
            return;
        }
        let least = schema.get("minimum").and_then(Value::as_f64).or(lowest);
        let most = schema.get("maximum").and_then(Value::as_f64).or(highest);
        if let Some(least) = least
            && number < least
        {
            self.faults.push(pointer, "too_small", format!("must be at least {least}, is {value}"));
        }
        if let Some(most) = most
            && number > most
        {
            self.faults.push(pointer, "too_large", format!("must be at most {most}, is {value}"));
        }
    }

    fn check_items(&mut self, schema: &'a Value, items: &[Value], pointer: &str) {
        let count = items.len() as u64;
        if let Some(most) = schema.get("maxItems").and_then(Value::as_u64)
            && count > most
        {
            self.faults.push(pointer, "too_many", format!("must have at most {most} entries, has {count}"));
            return;
        }
        if let Some(least) = schema.get("minItems").and_then(Value::as_u64)
            && count < least
        {
            self.faults.push(pointer, "too_few", format!("must have at least {least} entries, has {count}"));
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true))
            && let Some(twice) = items.iter().enumerate().find(|(i, item)| items[..*i].contains(item))
        {
            self.faults.push(format!("{pointer}/{}", twice.0), "duplicate", format!("{} is there twice", twice.1));
        }
        if let Some(of) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.check(of, item, &format!("{pointer}/{index}"));
            }
        }
    }

    fn check_fields(&mut self, schema: &'a Value, fields: &Map<String, Value>, pointer: &str) {
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                self.faults.push(child(pointer, name), "required", "is missing");
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (name, value) in fields {
            match (properties.and_then(|known| known.get(name)), others) {
                (Some(schema), _) => self.check(schema, value, &child(pointer, name)),
                (None, Some(Value::Bool(false))) => {
                    let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                    let detail = format!("is not a field of this object; its fields are {}", known.join(", "));
                    self.faults.push(child(pointer, name), "unknown_field", detail);
                }
                (None, Some(schema @ Value::Object(_))) => self.check(schema, value, &child(pointer, name)),
                (None, _) => {}
            }
        }
    }

    /// `oneOf`: `null`, or the variant that the tag (a property with one allowed value) names, or else any
    /// variant that fits.
    fn check_variants(&mut self, variants: &'a [Value], value: &Value, pointer: &str) {
        let variants: Vec<&'a Value> = variants.iter().map(|variant| self.resolve(variant)).collect();
        let is_null = |variant: &&Value| variant.get("type").and_then(Value::as_str) == Some("null");
        if value.is_null() && variants.iter().any(is_null) {
            return;
        }
        let real: Vec<&'a Value> = variants.into_iter().filter(|variant| !is_null(variant)).collect();
        if let [only] = real.as_slice() {
            return self.check(only, value, pointer);
        }
        if let (Some(tag), Some(fields)) = (common_tag(&real), value.as_object()) {
            let tag_pointer = child(pointer, tag);
            let names: Vec<&str> = real.iter().filter_map(|variant| tag_value(variant, tag)).collect();
            let Some(given) = fields.get(tag) else {
                let detail = format!("is missing; it is one of {}", names.join(", "));
                return self.faults.push(tag_pointer, "required", detail);
            };
            match real.iter().find(|variant| tag_value(variant, tag).is_some_and(|name| given == name)) {
                Some(variant) => self.check(variant, value, pointer),
                None => {
                    self.faults.push(tag_pointer, "not_one_of", format!("must be one of {}", names.join(", ")));
                }
            }
            return;
        }
        let fits = real.iter().any(|variant| {
            let mut faults = Faults::default();
            Checker { document: self.document, faults: &mut faults }.check(variant, value, pointer);
            faults.is_empty()
        });
        if !fits {
            self.faults.push(pointer, "wrong_type", "has none of the forms that are allowed here");
        }
    }
}

fn tag_value<'v>(variant: &'v Value, tag: &str) -> Option<&'v str> {
    match variant.pointer(&format!("/properties/{tag}/enum"))?.as_array()?.as_slice() {
        [Value::String(one)] => Some(one),
        _ => None,
    }
}

fn common_tag<'v>(variants: &[&'v Value]) -> Option<&'v str> {
    let first = variants.first()?.get("properties")?.as_object()?;
    let tag = first.keys().find(|name| variants.iter().all(|variant| tag_value(variant, name).is_some()))?;
    Some(tag)
}

/// The pointer to a field, escaped as RFC 6901 §3 says.
pub fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn format_fault(format: &str, text: &str) -> Option<String> {
    let (fits, expectation) = match format {
        "uuid" => (is_uuid(text), "must be a UUID like 01900000-0000-7000-8000-000000000001"),
        "date-time" => (
            chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            "must be a time in RFC 3339 with an offset, like 2027-01-01T00:00:00Z",
        ),
        "uri" => (url::Url::parse(text).is_ok(), "must be a URL"),
        _ => return None,
    };
    (!fits).then(|| expectation.to_owned())
}

/// A UUID in its usual form with hyphens.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(schema: &Value, value: &Value) -> Vec<(String, &'static str)> {
        let document = json!({"components": {"schemas": {"Name": {"type": "string", "minLength": 1, "maxLength": 3}}}});
        let mut faults = Faults::default();
        Checker { document: &document, faults: &mut faults }.check(schema, value, "");
        let error = faults.into_result().err();
        error.map(|e| e.faults.into_iter().map(|f| (f.pointer, f.code)).collect()).unwrap_or_default()
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["name", "id"],
            "properties": {
                "name": {"$ref": "#/components/schemas/Name"},
                "id": {"type": "string", "format": "uuid"},
                "count": {"type": ["integer", "null"], "minimum": 1},
                "list": {"type": "array", "items": {"type": "boolean"}},
            },
        });
        let value = json!({"name": "long", "count": 0, "list": [true, 1], "a/b": 1});
        let found = faults(&schema, &value);
        assert_eq!(
            found,
            [
                ("/id".to_owned(), "required"),
                ("/a~1b".to_owned(), "unknown_field"),
                ("/count".to_owned(), "too_small"),
                ("/list/1".to_owned(), "wrong_type"),
                ("/name".to_owned(), "too_long"),
            ]
        );
        assert_eq!(faults(&schema, &json!({"name": "a", "id": uuid::Uuid::nil(), "count": null})), []);
    }

    #[test]
    fn the_tag_chooses_the_variant() {
        let variant = |kind: &str, field: &str| {
            json!({"type": "object", "required": ["kind", field], "additionalProperties": false,
                   "properties": {"kind": {"type": "string", "enum": [kind]}, field: {"type": "string"}}})
        };
        let schema = json!({"oneOf": [{"type": "null"}, variant("a", "x"), variant("b", "y")]});
        assert_eq!(faults(&schema, &json!({"kind": "a"})), [("/x".to_owned(), "required")]);
        assert_eq!(faults(&schema, &json!({"kind": "c"})), [("/kind".to_owned(), "not_one_of")]);
        assert_eq!(faults(&schema, &json!({})), [("/kind".to_owned(), "required")]);
        assert_eq!(faults(&schema, &json!({"kind": "b", "y": "1"})), []);
        assert_eq!(faults(&schema, &Value::Null), []);
    }
}
