//! What the check understands of JSON Schema. A document that says more fails at start: the service would seem to
//! keep a rule that it does not.

use super::reference::{is_grammar, resolve};
use super::union::Union;
use super::{pattern, types};
use regex_lite::Regex;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Keywords that [`super::Schemas::check`] keeps.
const CHECKED: [&str; 17] = [
    "$ref",
    "additionalProperties",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "propertyNames",
    "required",
    "type",
];
/// Keywords that only inform the reader of the document.
const INFORMATIVE: [&str; 9] =
    ["default", "deprecated", "description", "discriminator", "example", "examples", "readOnly", "title", "writeOnly"];
/// The last two only bound numbers.
const FORMATS: [&str; 5] = ["date-time", "uri", "uuid", "int32", "int64"];

/// Reads every schema that a request is checked against. Answers with its patterns, compiled.
pub(super) fn read(document: &Value) -> Result<HashMap<String, Regex>, String> {
    let mut reader = Reader { document, seen: HashSet::new(), patterns: HashMap::new() };
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for operation in item.as_object().into_iter().flat_map(|item| item.values()) {
            let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
            let media = operation.pointer("/requestBody/content").and_then(Value::as_object);
            let media = media.into_iter().flat_map(|types| types.values());
            for schema in parameters.chain(media).filter_map(|holder| holder.get("schema")) {
                reader.schema(schema, path)?;
            }
        }
    }
    Ok(reader.patterns)
}

struct Reader<'d> {
    document: &'d Value,
    /// References that were followed.
    seen: HashSet<&'d str>,
    patterns: HashMap<String, Regex>,
}

impl<'d> Reader<'d> {
    /// `place` is for the error.
    fn schema(&mut self, schema: &'d Value, place: &str) -> Result<(), String> {
        let Some(keywords) = schema.as_object() else { return Err(format!("{place}: a schema must be an object")) };
        for (keyword, value) in keywords {
            let place = format!("{place}/{keyword}");
            match keyword.as_str() {
                "$ref" => self.reference(schema, value, &place)?,
                "oneOf" => self.union(value, &place)?,
                "properties" => {
                    for (name, field) in value.as_object().into_iter().flatten() {
                        self.schema(field, &format!("{place}/{name}"))?;
                    }
                }
                "items" | "propertyNames" => self.schema(value, &place)?,
                "additionalProperties" if value.is_boolean() => {}
                "additionalProperties" => self.schema(value, &place)?,
                "pattern" => self.pattern(value, &place)?,
                "format" => known(&FORMATS, value, &place)?,
                "type" => match value {
                    Value::Array(several) => several.iter().try_for_each(|one| known(&types::NAMES, one, &place))?,
                    one => known(&types::NAMES, one, &place)?,
                },
                other if CHECKED.contains(&other) || INFORMATIVE.contains(&other) => {}
                _ => return Err(format!("{place}: this keyword is not supported")),
            }
        }
        Ok(())
    }

    fn reference(&mut self, schema: &'d Value, target: &'d Value, place: &str) -> Result<(), String> {
        let found = resolve(self.document, schema).ok_or_else(|| format!("{place}: {target} leads nowhere"))?;
        let is_new = target.as_str().is_some_and(|target| self.seen.insert(target));
        if is_new && !is_grammar(schema) { self.schema(found, place) } else { Ok(()) }
    }

    fn union(&mut self, variants: &'d Value, place: &str) -> Result<(), String> {
        let variants = variants.as_array().map(Vec::as_slice).unwrap_or_default();
        for variant in variants {
            self.schema(variant, place)?;
        }
        let resolved = variants.iter().filter_map(|variant| resolve(self.document, variant));
        match Union::read(resolved) {
            Some(_) => Ok(()),
            None => Err(format!("{place}: nothing tells the variants apart, neither a field nor their types")),
        }
    }

    fn pattern(&mut self, value: &Value, place: &str) -> Result<(), String> {
        let text = value.as_str().unwrap_or_default();
        let compiled = Regex::new(text).map_err(|e| format!("{place}: {e}"))?;
        if !pattern::has_words(text) {
            return Err(format!("{place}: {text} has no words for people"));
        }
        self.patterns.insert(text.to_owned(), compiled);
        Ok(())
    }
}

fn known(names: &[&str], value: &Value, place: &str) -> Result<(), String> {
    match value.as_str() {
        Some(name) if names.contains(&name) => Ok(()),
        _ => Err(format!("{place}: {value} is not supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_body(schema: &Value) -> Result<HashMap<String, Regex>, String> {
        read(&json!({"paths": {"/v1/things": {"post": {
            "requestBody": {"content": {"application/json": {"schema": schema}}},
        }}}}))
    }

    #[test]
    fn what_the_check_does_not_keep_is_refused() {
        for (schema, fault) in [
            (json!({"type": "string", "contentEncoding": "base64"}), "contentEncoding: this keyword"),
            (json!({"properties": {"a": {"items": {"exclusiveMinimum": 1}}}}), "exclusiveMinimum: this keyword"),
            (json!({"additionalProperties": {"not": {}}}), "not: this keyword"),
            (json!({"minProperties": 1}), "minProperties: this keyword"),
            (json!({"propertyNames": {"const": "a"}}), "const: this keyword"),
            (json!({"anyOf": [{"type": "object"}]}), "anyOf: this keyword"),
            (json!({"type": "text"}), "\"text\" is not supported"),
            (json!({"type": ["string", "nil"]}), "\"nil\" is not supported"),
            (json!({"format": "email"}), "\"email\" is not supported"),
            (json!({"pattern": "("}), "pattern: "),
            (json!({"pattern": "^new$"}), "has no words"),
            (json!({"$ref": "#/components/schemas/None"}), "leads nowhere"),
            (json!({"oneOf": [{"type": "object"}, {"type": "object"}]}), "nothing tells the variants apart"),
        ] {
            let refused = read_body(&schema).unwrap_err();
            assert!(refused.starts_with("/v1/things/") && refused.contains(fault), "{schema}: {refused}");
        }
    }

    #[test]
    fn patterns_are_compiled_once() {
        let names = json!({"propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"}, "items": {"pattern": "^[A-Za-z0-9_-]+$"}});
        assert_eq!(read_body(&names).unwrap().len(), 1);
        assert_eq!(read_body(&json!({"oneOf": [{"type": "null"}, {"type": "object"}]})).unwrap().len(), 0);
    }
}
