//! Query and headers: their texts are read as the types that the document names, then checked like the body.

use super::operation::Operation;
use super::schema::{Schemas, types};
use crate::error::Faults;
use actix_web::http::header;
use serde_json::Value;

/// Adds every fault of the query to `faults`.
pub(super) fn check_query(operation: &Operation, schemas: &Schemas, query: &str, faults: &mut Faults) {
    let mut seen: Vec<String> = Vec::new();
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        let pointer = format!("?{name}");
        let Some((_, parameter)) = operation.parameters_in("query").find(|(known, _)| *known == name) else {
            let known: Vec<&str> = operation.parameters_in("query").map(|(known, _)| known).collect();
            let detail = if known.is_empty() {
                "is not a parameter of this operation, which has none".to_owned()
            } else {
                format!("is not a parameter of this operation; its parameters are {}", known.join(", "))
            };
            faults.push(pointer, "unknown_parameter", detail);
            continue;
        };
        if seen.iter().any(|other| *other == name) {
            faults.push(pointer, "duplicate", "is given twice");
            continue;
        }
        seen.push(name.clone().into_owned());
        let schema = parameter.get("schema").unwrap_or(&Value::Null);
        schemas.check(schema, &from_text(schemas, schema, &text), &pointer, faults);
    }
    for (name, parameter) in operation.parameters_in("query") {
        if parameter.get("required") == Some(&Value::Bool(true)) && !seen.iter().any(|other| other == name) {
            faults.push(format!("?{name}"), "required", format!("`{name}` is required"));
        }
    }
}

/// Adds every fault of the headers that the document names to `faults`.
pub(super) fn check_headers(
    operation: &Operation,
    schemas: &Schemas,
    headers: &header::HeaderMap,
    faults: &mut Faults,
) {
    for (name, parameter) in operation.parameters_in("header") {
        let Some(value) = headers.get(name) else { continue };
        let schema = parameter.get("schema").unwrap_or(&Value::Null);
        match value.to_str() {
            Ok(text) => schemas.check(schema, &from_text(schemas, schema, text), name, faults),
            Err(_) => faults.push(name, "invalid_format", "must be printable ASCII"),
        }
    }
}

/// The value that the text of a query parameter or header stands for, given its type.
fn from_text(schemas: &Schemas, schema: &Value, text: &str) -> Value {
    let names = types::allowed(schemas.resolve(schema));
    let is = |name: &str| names.contains(&name);
    if is("array") {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        return parts.map(Value::from).collect();
    }
    let is_plain_number = text.bytes().enumerate().all(|(i, b)| b.is_ascii_digit() || (i == 0 && b == b'-'));
    if is("integer") && is_plain_number {
        return text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from);
    }
    match text {
        "true" if is("boolean") => Value::Bool(true),
        "false" if is("boolean") => Value::Bool(false),
        _ => Value::String(text.to_owned()),
    }
}
