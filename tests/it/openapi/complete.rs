//! Every operation is completely described, and every example is valid.

use super::document;
use jsonschema::Draft;
use serde_json::{Value, json};

/// The operations of the document, by «METHOD path».
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |o| (path, o)));
    operations.map(|(path, (method, of))| (format!("{} {path}", method.to_uppercase()), of)).collect()
}

/// The component that `value` refers to, or itself.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value["$ref"].as_str();
    target.map_or(value, |target| document.pointer(target.trim_start_matches('#')).unwrap())
}

/// Everything that has a `schema` and may have an example, with its place.
fn examples(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (name, operation) in operations(document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            found.push((format!("{name} parameter {}", parameter["name"]), parameter));
        }
        let answers = operation["responses"].as_object().unwrap();
        let bodies = answers.iter().map(|(status, answer)| (format!("{name} {status}"), resolve(document, answer)));
        let body = operation.get("requestBody").map(|body| (format!("{name} body"), body));
        for (place, body) in bodies.chain(body) {
            for (media_type, media) in body["content"].as_object().into_iter().flatten() {
                found.push((format!("{place} {media_type}"), media));
            }
        }
    }
    found
}

#[test]
fn every_operation_is_described() {
    let document = document();
    for (name, operation) in operations(&document) {
        for field in ["operationId", "summary", "description"] {
            let is_there = operation[field].as_str().is_some_and(|text| !text.is_empty());
            assert!(
                is_there,
                "{name} has no {field}: the handler's comment has a summary, an empty line, a description"
            );
        }
        let tags = document["tags"].as_array().unwrap();
        assert!(
            tags.iter().any(|tag| tag["name"] == operation["tags"][0]),
            "{name} has no tag that the document lists"
        );
        assert!(operation["security"].is_array(), "{name} does not say who may call it");
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let answer = resolve(&document, answer);
            assert!(answer["headers"]["X-Request-Id"].is_object(), "{name} {status} has no X-Request-Id");
            let needs_location = name.starts_with("POST") && matches!(status.as_str(), "201" | "202");
            assert!(!needs_location || answer["headers"]["Location"].is_object(), "{name} {status} has no Location");
        }
    }
}

#[test]
fn every_body_has_an_example() {
    let document = document();
    for (place, of) in examples(&document).iter().filter(|(place, _)| !place.contains(" parameter ")) {
        let is_binary = of["schema"]["format"] == "binary";
        assert!(is_binary || of.get("example").is_some() || of.get("examples").is_some(), "{place} has no example");
    }
}

#[test]
fn every_example_fits_its_schema() {
    let document = document();
    let mut checked: Vec<(String, Value, &Value)> = Vec::new();
    for (place, of) in examples(&document) {
        let several = of["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
        for example in of.get("example").into_iter().chain(several) {
            checked.push((place.clone(), of["schema"].clone(), example));
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let own = std::iter::once((name, schema));
        for (name, of) in own.chain(properties).filter(|(_, of)| of.get("example").is_some()) {
            checked.push((name.clone(), of.clone(), &of["example"]));
        }
    }
    assert!(checked.len() > 100, "only {} examples", checked.len());
    // All at once, since the components are compiled once then.
    let schemas: Vec<&Value> = checked.iter().map(|(_, schema, _)| schema).collect();
    let schema = json!({"prefixItems": schemas, "components": document["components"]});
    let instance: Value = checked.iter().map(|(_, _, example)| (*example).clone()).collect();
    let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    let faults: Vec<String> = options
        .build(&schema)
        .unwrap()
        .iter_errors(&instance)
        .map(|fault| {
            let path = fault.instance_path().to_string();
            let number: usize = path.split('/').nth(1).unwrap().parse().unwrap();
            format!("the example of {}: {path}: {fault}", checked[number].0)
        })
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
