//! Every operation is completely described, and every example is valid.

use super::document;
use jsonschema::Draft;
use serde_json::{Value, json};
use std::collections::BTreeSet;

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

/// The schemas that say what a value is: the schema itself, or those that it refers to.
fn described<'d>(document: &'d Value, schema: &'d Value) -> bool {
    let says = |schema: &Value| schema["description"].as_str().is_some_and(|text| !text.is_empty());
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    says(schema) || says(resolve(document, schema)) || {
        let mut others = variants.filter(|variant| variant["type"] != "null").peekable();
        others.peek().is_some() && others.all(|variant| says(resolve(document, variant)))
    }
}

/// Every schema of the document with its place, the nested ones too.
fn schemas(document: &Value) -> Vec<(String, &Value)> {
    let components = document["components"]["schemas"].as_object().unwrap();
    let mut nodes: Vec<(String, &Value)> = components.iter().map(|(name, schema)| (name.clone(), schema)).collect();
    for (name, operation) in operations(document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            nodes.push((format!("{name} {}", parameter["name"]), &parameter["schema"]));
        }
    }
    let mut found = Vec::new();
    while let Some((place, node)) = nodes.pop() {
        found.push((place.clone(), node));
        for (name, property) in node["properties"].as_object().into_iter().flatten() {
            nodes.push((format!("{place}.{name}"), property));
        }
        for list in ["oneOf", "anyOf", "allOf", "prefixItems"] {
            nodes.extend(node[list].as_array().into_iter().flatten().map(|part| (place.clone(), part)));
        }
        for part in ["items", "additionalProperties"] {
            nodes.extend(node.get(part).map(|part| (format!("{place}[]"), part)));
        }
    }
    found
}

#[test]
fn every_schema_property_and_parameter_is_described() {
    let document = document();
    let mut missing = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if !described(&document, schema) {
            missing.push(name.clone());
        }
    }
    let mut properties = 0;
    for (place, schema) in schemas(&document) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            properties += 1;
            if !described(&document, property) {
                missing.push(format!("{place}.{name}"));
            }
        }
    }
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if !described(&document, parameter) {
                missing.push(format!("{name}: {}", parameter["name"]));
            }
        }
    }
    assert!(properties > 900, "only {properties} properties");
    assert!(missing.is_empty(), "write a comment above each of these fields: {missing:#?}");
}

/// Generators show the description of a schema, and nothing that stands beside its words.
#[test]
fn every_word_of_an_enum_is_explained_in_its_description() {
    let document = document();
    let (mut words, mut missing) = (0, Vec::new());
    for (place, schema) in schemas(&document) {
        let several = schema["enum"].as_array().filter(|several| several.len() > 1);
        let text = schema["description"].as_str().unwrap_or_default();
        for word in several.into_iter().flatten().filter_map(Value::as_str) {
            words += 1;
            let said = text.lines().any(|line| line.starts_with(&format!("- `{word}`: ")) && line.ends_with('.'));
            if !said {
                missing.push(format!("{place}: {word}"));
            }
        }
    }
    assert!(words > 300, "only {words} words");
    assert!(missing.is_empty(), "explain each of these in `src/api/words.rs`: {missing:#?}");
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

/// The recorded deliveries of `tests/it/api/webhooks.rs` are held against these schemas.
#[test]
fn every_event_of_a_webhook_is_described() {
    let document = document();
    let mut words: Vec<&Value> = Vec::new();
    for (kind, item) in document["webhooks"].as_object().unwrap() {
        let body = resolve(&document, &item["post"]["requestBody"]["content"]["application/json"]["schema"]);
        assert_eq!(body["properties"]["type"]["enum"], json!([kind]));
        words.push(&body["properties"]["event"]["enum"][0]);
    }
    let parameters = document["paths"]["/v1/webhooks/{id}/deliveries"]["get"]["parameters"].as_array().unwrap();
    let events = &parameters.iter().find(|parameter| parameter["name"] == "event").unwrap()["schema"]["enum"];
    let known = events.as_array().unwrap();
    assert!(known.len() == words.len() && known.iter().all(|word| words.contains(&word)), "{words:?}");
}

/// A generator makes one file of each tag, of operations or of webhooks, and the second would take the place of the first.
#[test]
fn no_webhook_has_the_tag_of_an_operation() {
    let document = document();
    let tags = |section: &str| -> BTreeSet<String> {
        let items = document[section].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let tags = items.flat_map(|operation| operation["tags"].as_array().into_iter().flatten());
        tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
    };
    let (of_operations, of_webhooks) = (tags("paths"), tags("webhooks"));
    assert!(of_operations.is_disjoint(&of_webhooks), "{of_webhooks:?}");
    let named = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap().to_owned());
    assert_eq!(named.collect::<BTreeSet<_>>(), &of_operations | &of_webhooks);
}

/// Generators take a field with a default for one that is always there.
#[test]
fn no_schema_has_a_default_for_a_field() {
    let document = document();
    for (place, schema) in schemas(&document) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            assert!(field.get("default").is_none(), "{place}.{name}");
        }
    }
}
