//! Checks a JSON value against a schema of the OpenAPI document and names every fault. This is the only check of a
//! body's form: what the document says and what the service accepts are the same.
//!
//! The crate `jsonschema` is not used here, because it would take as many lines to translate its errors:
//! - For a choice of variants it reports one error with the errors of every variant inside. A caller needs those of the
//!   variant that was meant: the one that the tag names.
//! - The text of a fault needs the rest of the schema: the known fields, the words for a pattern.
//! - JSON Schema has no rule against U+0000 or integers of more than 64 bits.
//!
//! The tests use that crate as an independent judge of every example and answer. It could not be one if it also decided
//! what the service accepts.

mod pattern;
pub mod reference;
pub mod types;
mod union;
mod vocabulary;

use crate::error::{Error, Faults, Result};
use crate::filter::property::nearest;
use crate::plural::counted;
use reference::is_grammar;
use regex_lite::Regex;
use serde_json::{Map, Value};
use std::collections::HashMap;
use union::{Union, is_null, tag_value};

/// The schemas of a document, with their patterns compiled.
pub struct Schemas {
    document: Value,
    patterns: HashMap<String, Regex>,
}

impl Schemas {
    /// Fails if the document describes a request with a keyword that [`Schemas::check`] does not keep.
    pub fn new(document: Value) -> Result<Self> {
        let patterns = vocabulary::read(&document).map_err(Error::internal)?;
        Ok(Self { document, patterns })
    }

    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The schema that a chain of references leads to.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        reference::resolve(&self.document, schema).unwrap_or(&Value::Null)
    }

    /// The schema of a field, without the alternative null. `None`: the document does not name the field.
    pub fn field<'a>(&'a self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        let field = self.resolve(schema).get("properties")?.get(name)?;
        let variants = field.get("oneOf").and_then(Value::as_array);
        Some(variants.and_then(|variants| variants.iter().find(|variant| !is_null(variant))).unwrap_or(field))
    }

    /// Adds every fault of `value`, which is at `pointer`, to `faults`.
    pub fn check(&self, schema: &Value, value: &Value, pointer: &str, faults: &mut Faults) {
        Checker { schemas: self, faults }.check(schema, value, pointer);
    }
}

struct Checker<'a> {
    schemas: &'a Schemas,
    faults: &'a mut Faults,
}

impl Checker<'_> {
    fn check(&mut self, schema: &Value, value: &Value, pointer: &str) {
        let schemas = self.schemas;
        if is_grammar(schema) {
            self.check_type(&["object"], value, pointer);
            return;
        }
        let schema = schemas.resolve(schema);
        if let Some(variants) = schema.get("oneOf").and_then(Value::as_array) {
            return self.check_variants(variants, value, pointer);
        }
        if !self.check_type(&types::allowed(schema), value, pointer) {
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

    fn check_type(&mut self, names: &[&str], value: &Value, pointer: &str) -> bool {
        let fits = names.is_empty() || names.iter().any(|name| types::is(value, name));
        if !fits {
            self.faults.push(pointer, "wrong_type", types::must_be(names));
        }
        fits
    }

    fn check_enumeration(&mut self, schema: &Value, value: &Value, pointer: &str) {
        let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
        if !allowed.contains(value) {
            let names = allowed.iter().filter(|name| !name.is_null());
            let names: Vec<String> =
                names.map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)).collect();
            self.faults.push(pointer, "not_one_of", format!("must be one of {}", names.join(", ")));
        }
    }

    fn check_text(&mut self, schema: &Value, text: &str, pointer: &str) {
        let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
        let length = text.chars().count() as u64;
        let fault = if let Some(least) = limit("minLength").filter(|least| length < *least) {
            ("too_short", format!("must have at least {}, has {length}", counted(least, "character", "characters")))
        } else if let Some(most) = limit("maxLength").filter(|most| length > *most) {
            ("too_long", format!("must have at most {}, has {length}", counted(most, "character", "characters")))
        } else if text.contains('\0') {
            ("nul_character", "must not contain the character U+0000".to_owned())
        } else if let Some(detail) = schema.get("format").and_then(Value::as_str).and_then(|of| format_fault(of, text))
        {
            ("invalid_format", detail.to_owned())
        } else if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && !self.schemas.patterns.get(pattern).is_some_and(|compiled| compiled.is_match(text))
        {
            ("invalid_pattern", pattern::words(pattern, text))
        } else {
            return;
        };
        self.faults.push(pointer, fault.0, fault.1);
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
        if let Some(least) = least.filter(|least| number < *least) {
            self.faults.push(pointer, "too_small", format!("must be at least {least}, is {value}"));
        }
        if let Some(most) = most.filter(|most| number > *most) {
            self.faults.push(pointer, "too_large", format!("must be at most {most}, is {value}"));
        }
    }

    fn check_items(&mut self, schema: &Value, items: &[Value], pointer: &str) {
        let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
        let count = items.len() as u64;
        if let Some(most) = limit("maxItems").filter(|most| count > *most) {
            let detail = format!("must have at most {}, has {count}", counted(most, "entry", "entries"));
            self.faults.push(pointer, "too_many", detail);
            return;
        }
        if let Some(least) = limit("minItems").filter(|least| count < *least) {
            let detail = format!("must have at least {}, has {count}", counted(least, "entry", "entries"));
            self.faults.push(pointer, "too_few", detail);
        }
        if let Some(of) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                if self.faults.is_full() {
                    return;
                }
                self.check(of, item, &format!("{pointer}/{index}"));
            }
        }
    }

    fn check_fields(&mut self, schema: &Value, fields: &Map<String, Value>, pointer: &str) {
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                self.faults.push(child(pointer, name), "required", format!("`{name}` is required"));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (name, value) in fields {
            if self.faults.is_full() {
                return;
            }
            if let Some(of_names) = schema.get("propertyNames") {
                self.check(of_names, &Value::from(name.as_str()), &child(pointer, name));
            }
            match (properties.and_then(|known| known.get(name)), others) {
                (Some(schema), _) => self.check(schema, value, &child(pointer, name)),
                (None, Some(Value::Bool(false))) => {
                    let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                    let fields = known.join(", ");
                    let detail = match nearest(name, known.into_iter()) {
                        Some(near) => {
                            format!("`{name}` is not a field here. Did you mean `{near}`? The fields are {fields}")
                        }
                        None => format!("`{name}` is not a field here; the fields are {fields}"),
                    };
                    self.faults.push(child(pointer, name), "unknown_field", detail);
                }
                (None, Some(schema @ Value::Object(_))) => self.check(schema, value, &child(pointer, name)),
                (None, _) => {}
            }
        }
    }

    fn check_variants(&mut self, variants: &[Value], value: &Value, pointer: &str) {
        let schemas = self.schemas;
        if value.is_null() && variants.iter().any(is_null) {
            return;
        }
        let mut grammars = variants.iter().filter(|variant| is_grammar(variant));
        if let Some(grammar) = grammars.next() {
            return self.check(grammar, value, pointer);
        }
        match Union::read(variants.iter().map(|variant| schemas.resolve(variant))) {
            Some(Union::One(only)) => self.check(only, value, pointer),
            Some(Union::Tagged(tag, variants)) => self.check_tagged(tag, &variants, value, pointer),
            Some(Union::Typed(variants)) => {
                let names: Vec<&str> = variants.iter().flat_map(|variant| types::allowed(variant)).collect();
                let of_type = |variant: &&&Value| types::allowed(variant).iter().any(|name| types::is(value, name));
                match variants.iter().find(of_type) {
                    Some(variant) => self.check(variant, value, pointer),
                    None => {
                        self.check_type(&names, value, pointer);
                    }
                }
            }
            // Refused at start.
            None => {}
        }
    }

    fn check_tagged(&mut self, tag: &str, variants: &[&Value], value: &Value, pointer: &str) {
        let Some(fields) = value.as_object() else {
            self.check_type(&["object"], value, pointer);
            return;
        };
        let names: Vec<&str> = variants.iter().filter_map(|variant| tag_value(variant, tag)).collect();
        let (tag_pointer, names) = (child(pointer, tag), names.join(", "));
        let Some(given) = fields.get(tag) else {
            let detail = format!("`{tag}` is required; it is one of {names}");
            return self.faults.push(tag_pointer, "required", detail);
        };
        match variants.iter().find(|variant| tag_value(variant, tag).is_some_and(|name| given == name)) {
            Some(variant) => self.check(variant, value, pointer),
            None => self.faults.push(tag_pointer, "not_one_of", format!("must be one of {names}")),
        }
    }
}

/// The pointer to a field, escaped as RFC 6901 §3 says.
pub fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", crate::error::pointer_part(name))
}

fn format_fault(format: &str, text: &str) -> Option<&'static str> {
    let (fits, expectation) = match format {
        "uuid" => (is_uuid(text), "must be a UUID like 01900000-0000-7000-8000-000000000001"),
        "date-time" => (
            chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            "must be a time with its offset (RFC 3339), like 2027-01-01T00:00:00Z",
        ),
        "uri" => (url::Url::parse(text).is_ok(), "must be a URL"),
        _ => return None,
    };
    (!fits).then_some(expectation)
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
        Schemas::new(document).unwrap().check(schema, value, "", &mut faults);
        let error = faults.into_result().err();
        error.map(|e| e.faults.into_iter().map(|f| (f.pointer, f.code)).collect()).unwrap_or_default()
    }

    fn details(schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Faults::default();
        Schemas::new(Value::Null).unwrap().check(schema, value, "", &mut faults);
        faults.into_vec().into_iter().map(|fault| fault.detail).collect()
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
    fn a_field_in_another_spelling_names_the_field_that_was_meant() {
        let schema = json!({"type": "object", "additionalProperties": false,
            "properties": {"tenantId": {"type": "string"}, "name": {"type": "string"}}});
        for (written, meant) in [("tenant_id", "tenantId"), ("tenantID", "tenantId"), ("Name", "name")] {
            let [detail] = &details(&schema, &json!({ written: "x" }))[..] else { panic!("one fault") };
            assert!(detail.contains(&format!("Did you mean `{meant}`?")), "{detail}");
        }
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

    #[test]
    fn the_type_chooses_the_variant() {
        let schema = json!({"oneOf": [
            {"type": "object", "required": ["list"]},
            {"type": "array", "items": {"type": "object"}},
        ]});
        assert_eq!(faults(&schema, &json!({})), [("/list".to_owned(), "required")]);
        assert_eq!(faults(&schema, &json!([{}, 7])), [("/1".to_owned(), "wrong_type")]);
        assert_eq!(faults(&schema, &json!("text")), [(String::new(), "wrong_type")]);
    }

    #[test]
    fn names_of_fields_are_checked_too() {
        let schema = json!({"type": "object", "additionalProperties": {"type": "string"},
                            "propertyNames": {"$ref": "#/components/schemas/Name"}});
        assert_eq!(faults(&schema, &json!({"abc": "x"})), []);
        assert_eq!(
            faults(&schema, &json!({"abcd": "x", "ab": 1})),
            [("/ab".to_owned(), "wrong_type"), ("/abcd".to_owned(), "too_long"),]
        );
    }

    #[test]
    fn faults_are_plain_sentences() {
        let schema = json!({"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
            "name": {"type": "string"}, "on": {"type": ["boolean", "null"]}, "few": {"type": "array", "maxItems": 1},
            "mode": {"type": "string", "enum": ["full", "test"]},
        }});
        let value = json!({"on": "yes", "few": [1, 2], "mode": "fast", "nam": "x"});
        assert_eq!(
            details(&schema, &value),
            [
                "`name` is required",
                "must have at most 1 entry, has 2",
                "must be one of full, test",
                "`nam` is not a field here. Did you mean `name`? The fields are few, mode, name, on",
                "must be true or false or null",
            ]
        );
    }
}
