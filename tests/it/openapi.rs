//! The committed document and page of errors are what the program says, and the document's references lead
//! somewhere.

mod breaking;
mod codes;
mod complete;
mod limits;

use entra_assets::api::{self, openapi};
use entra_assets::error::Code;
use serde_json::Value;
use std::fs;

fn committed(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn document() -> Value {
    api::contract().unwrap().document().clone()
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_committed_document_is_current() {
    let document = document();
    assert!(committed("openapi/openapi.json") == openapi::to_json(&document), "openapi.json: run `make openapi`");
    assert!(committed("openapi/openapi.yaml") == openapi::to_yaml(&document), "openapi.yaml: run `make openapi`");
}

#[test]
fn the_committed_page_of_errors_is_current() {
    assert!(committed("docs/errors.md") == openapi::errors_page(), "docs/errors.md: run `make openapi`");
}

#[test]
fn every_code_is_in_the_document() {
    let document = document();
    let codes = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    for code in Code::ALL {
        assert!(codes.as_array().unwrap().iter().any(|known| known == code.as_str()), "{code}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn fields_of_bodies_and_answers_are_camel_case() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut nodes: Vec<&Value> = schemas.values().collect();
    while let Some(node) = nodes.pop() {
        match node {
            Value::Object(fields) => {
                let properties = fields.get("properties").and_then(Value::as_object);
                for name in properties.into_iter().flat_map(|properties| properties.keys()) {
                    assert!(!name.contains('_'), "{name}");
                }
                nodes.extend(fields.values());
            }
            Value::Array(items) => nodes.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
