//! A type with fields that a caller may leave out and an answer always has becomes two schemas. In a request, a field with a
//! default may be absent. Generators of clients take `default` for «always there», so the schema of a request describes the
//! default in words.

use super::schemas::name_of;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

type Names = BTreeSet<String>;

/// Gives answers schemas of their own where they share one with defaults with a request.
pub(super) fn separate(document: &mut Value) {
    let (mut asked, mut answered) = (Names::new(), Names::new());
    for operation in operations(document) {
        follow(document, &operation["requestBody"], &mut asked);
        follow(document, &operation["responses"], &mut answered);
    }
    let shared: Names = asked.intersection(&answered).cloned().collect();
    let different = with_defaults(document, &shared);
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let mut answers: Map<String, Value> = Map::new();
    for name in &different {
        let mut answer = schemas.get(name).cloned().unwrap_or_default();
        always_has_its_defaults(&mut answer);
        answers.insert(answer_name(name), answer);
    }
    schemas.extend(answers);
    for (name, schema) in schemas.iter_mut() {
        say_defaults(schema);
        if !asked.contains(name) {
            refer_to_answers(schema, &different);
        }
    }
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()) {
        refer_to_answers(&mut operation["responses"], &different);
    }
}

fn operations(document: &Value) -> Vec<Value> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(_, item)| item.as_object().into_iter().flatten().map(|(_, operation)| operation.clone())).collect()
}

/// `ExcludeBody` is the name in requests, `ExcludeResponse` in answers.
fn answer_name(name: &str) -> String {
    format!("{}Response", name.trim_end_matches("Body"))
}

/// Adds the components that `node` leads to.
fn follow(document: &Value, node: &Value, found: &mut Names) {
    if let Some(name) = name_of(node).filter(|name| found.insert((*name).to_owned())) {
        follow(document, &document["components"]["schemas"][name], found);
    }
    match node {
        Value::Object(fields) => fields.values().for_each(|field| follow(document, field, found)),
        Value::Array(items) => items.iter().for_each(|item| follow(document, item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Those of `names` that have a field with a default, themselves or in a part.
fn with_defaults(document: &Value, names: &Names) -> Names {
    let has_default = |name: &String| {
        let mut parts = Names::new();
        follow(document, &json!({"$ref": format!("#/components/schemas/{name}")}), &mut parts);
        parts.iter().any(|part| {
            let fields = document["components"]["schemas"][part]["properties"].as_object();
            fields.into_iter().flatten().any(|(_, field)| field.get("default").is_some())
        })
    };
    names.iter().filter(|name| has_default(name)).cloned().collect()
}

/// An answer has every field that a request may leave out, and none that is only written.
fn always_has_its_defaults(schema: &mut Value) {
    let is_written = |field: &Value| field["writeOnly"] == true || field["items"]["writeOnly"] == true;
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.retain(|_, field| !is_written(field));
    }
    let mut required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let default = field.as_object_mut().and_then(|field| field.remove("default"));
        // A list may leave out parts that are as they are by default.
        if default.is_some_and(|default| default.as_object().is_none_or(Map::is_empty)) {
            required.push(json!(name));
        }
    }
    if !required.is_empty() {
        schema["required"] = required.into();
    }
}

/// Says in the description of an object what its fields are when they are absent.
fn say_defaults(schema: &mut Value) {
    let mut said = Vec::new();
    for (name, field) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let Some(default) = field.as_object_mut().and_then(|field| field.remove("default")) else { continue };
        // What the default of an object means is in its description.
        if !default.is_object() {
            said.push(format!("`{name}` is `{default}`"));
        }
    }
    if !said.is_empty() {
        let about = schema["description"].as_str().unwrap_or_default().trim_end().to_owned();
        schema["description"] = json!(format!("{about} Where absent, {}.", said.join(", ")).trim_start());
    }
}

fn refer_to_answers(node: &mut Value, different: &Names) {
    if let Some(name) = name_of(node).filter(|name| different.contains(*name)) {
        node["$ref"] = json!(format!("#/components/schemas/{}", answer_name(name)));
    }
    match node {
        Value::Object(fields) => fields.values_mut().for_each(|field| refer_to_answers(field, different)),
        Value::Array(items) => items.iter_mut().for_each(|item| refer_to_answers(item, different)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_always_has_what_a_request_may_leave_out() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let content = |name: &str| json!({"content": {"application/json": {"schema": reference(name)}}});
        let mut document = json!({
            "paths": {"/jobs": {"post": {"requestBody": content("Create"), "responses": {"200": content("Job")}}}},
            "components": {"schemas": {
                "Create": {"properties": {"removal": reference("Removal")}},
                "Job": {"properties": {"removal": reference("Removal"), "name": reference("Name")}},
                "Removal": {"description": "What.", "properties": {
                    "policy": {"default": "keep"}, "note": {"writeOnly": true}, "part": {"default": {"on": false}},
                }},
                "Name": {},
            }},
        });
        separate(&mut document);
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Create"]["properties"]["removal"], reference("Removal"));
        assert_eq!(schemas["Job"]["properties"]["removal"], reference("RemovalResponse"));
        assert_eq!(schemas["Job"]["properties"]["name"], reference("Name"));
        assert_eq!(schemas["Removal"]["description"], "What. Where absent, `policy` is `\"keep\"`.");
        assert_eq!(schemas["Removal"]["properties"]["policy"], json!({}));
        let answer = &schemas["RemovalResponse"];
        assert_eq!(
            (&answer["required"], &answer["properties"]),
            (&json!(["policy"]), &json!({"policy": {}, "part": {}}))
        );
    }
}
