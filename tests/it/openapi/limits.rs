//! The service takes what the document allows, up to each limit, and nothing beyond. The values are made from the
//! document, so a limit that is only written down does not pass.

use super::document;
use crate::support::recorder::{fill, key_for};
use crate::support::test_app::TestApp;
use entra_assets::api;
use entra_assets::error::Faults;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;
use uuid::Uuid;

/// Codes of faults of form, which the document alone decides; other faults are about the meaning of a value.
const FORM: [&str; 13] = [
    "wrong_type",
    "unknown_field",
    "unknown_parameter",
    "required",
    "not_one_of",
    "too_short",
    "too_long",
    "too_small",
    "too_large",
    "too_few",
    "too_many",
    "invalid_format",
    "invalid_pattern",
];

/// A value at or beyond a border.
struct Border {
    value: Value,
    is_inside: bool,
}

/// A value of a request, and what the document says of it.
struct Place {
    /// A JSON pointer into the body, `?name` of a query parameter, or a header's name: as faults name it.
    pointer: String,
    schema: Value,
    /// The body that the value is put into.
    body: Value,
}

fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(target) => resolve(document, document.pointer(target.trim_start_matches('#')).unwrap()),
        None => schema,
    }
}

/// Every value that a body of this schema may have, with `body` as the rest of it.
fn places(document: &Value, schema: &Value, pointer: &str, body: &Value, seen: &HashSet<String>) -> Vec<Place> {
    let mut seen = seen.clone();
    if schema["$ref"].as_str().is_some_and(|target| !seen.insert(target.to_owned())) {
        return Vec::new();
    }
    let schema = resolve(document, schema);
    if let Some(variants) = schema["oneOf"].as_array() {
        let real: Vec<&Value> = variants.iter().filter(|variant| variant["type"] != "null").collect();
        if let [only] = real.as_slice() {
            return places(document, only, pointer, body, &seen);
        }
        let mut found = Vec::new();
        for (tag, target) in schema["discriminator"]["mapping"].as_object().into_iter().flatten() {
            let mut body = body.clone();
            let name = schema["discriminator"]["propertyName"].as_str().unwrap();
            set(&mut body, pointer, json!({name: tag}));
            found.extend(places(document, &json!({"$ref": target}), pointer, &body, &seen));
        }
        return found;
    }
    let mut found = vec![Place { pointer: pointer.to_owned(), schema: schema.clone(), body: body.clone() }];
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(places(document, property, &format!("{pointer}/{name}"), body, &seen));
    }
    found
}

/// Puts a value at a pointer, into objects that are made where they are missing.
fn set(body: &mut Value, pointer: &str, value: Value) {
    let mut target = body;
    for name in pointer.split('/').skip(1) {
        if !target.is_object() {
            *target = json!({});
        }
        target = target.as_object_mut().unwrap().entry(name).or_insert(Value::Null);
    }
    *target = value;
}

fn borders(document: &Value, schema: &Value, in_body: bool) -> Vec<Border> {
    let mut found = Vec::new();
    let mut add = |value: Value, is_inside: bool| found.push(Border { value, is_inside });
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    };
    if kinds.contains(&"null") {
        add(Value::Null, true);
    }
    for value in schema["enum"].as_array().into_iter().flatten() {
        add(value.clone(), true);
    }
    match kinds.first() {
        Some(&"string") => {
            texts(schema).into_iter().for_each(|(text, is_inside)| add(json!(text), is_inside));
            if in_body {
                add(json!({}), false);
            }
        }
        Some(&("integer" | "number")) => {
            for (name, outward) in [("minimum", -1), ("maximum", 1)] {
                if let Some(limit) = schema[name].as_i64() {
                    add(json!(limit), true);
                    add(json!(limit + outward), false);
                }
            }
            add(json!("many"), false);
        }
        Some(&"boolean") => add(json!("yes"), false),
        Some(&"array") => {
            let of = resolve(document, &schema["items"]);
            if let Some(most) = schema["maxItems"].as_u64().filter(|_| of["type"] == "string") {
                add((0..most).map(|n| item(of, n)).collect(), true);
                add((0..=most).map(|n| item(of, n)).collect(), false);
            }
            add(json!({}), false);
        }
        Some(&"object") => add(json!(7), false),
        _ => {}
    }
    found
}

/// Texts at and beyond the borders of a schema.
fn texts(schema: &Value) -> Vec<(String, bool)> {
    let pattern = schema["pattern"].as_str().map(|pattern| regex_lite::Regex::new(pattern).unwrap());
    let fits = |text: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
    let mut found = Vec::new();
    let has_form = ["uuid", "date-time", "uri"].iter().any(|format| schema["format"] == *format);
    if !schema["enum"].is_null() || has_form {
        found.push(("no such value".to_owned(), false));
    }
    if let Some(wrong) = [" ", "a", "", "\u{7f}"].into_iter().find(|text| !fits(text)) {
        found.push((wrong.to_owned(), false));
    }
    for (name, outward) in [("minLength", -1), ("maxLength", 1)] {
        let Some(limit) = schema[name].as_i64() else { continue };
        let text = |length: i64| "a".repeat(usize::try_from(length).unwrap());
        if fits(&text(limit)) && !has_form {
            found.push((text(limit), true));
        }
        if limit + outward >= 0 {
            found.push((text(limit + outward), false));
        }
    }
    found
}

fn item(schema: &Value, number: u64) -> Value {
    match schema["enum"].as_array() {
        Some(values) => values[usize::try_from(number).unwrap() % values.len()].clone(),
        None if schema["format"] == "uuid" => json!(Uuid::from_u128(u128::from(number) + 1)),
        None => json!(format!("a{number}")),
    }
}

/// The faults of an answer that are about the form of the value at `pointer`, or of what is in it.
fn faults_at<'p>(problem: &'p Value, pointer: &str) -> Vec<&'p Value> {
    let faults = problem["errors"].as_array().into_iter().flatten();
    faults
        .filter(|fault| {
            let inside = fault["pointer"].as_str().unwrap().strip_prefix(pointer);
            inside.is_some_and(|inside| inside.is_empty() || inside.starts_with('/'))
        })
        .filter(|fault| FORM.iter().any(|code| fault["code"] == *code))
        .collect()
}

/// Tests the borders of one value.
async fn check(app: &TestApp, document: &Value, key: &str, method: &Method, path: &str, place: &Place) -> usize {
    let in_body = place.pointer.is_empty() || place.pointer.starts_with('/');
    let borders = borders(document, &place.schema, in_body);
    for Border { value, is_inside } in &borders {
        let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let call = match place.pointer.strip_prefix('?') {
            Some(name) => {
                let path = format!("{path}?{name}={}", urlencoding::encode(&text()));
                app.call_with(key, method.clone(), &path).json(&place.body)
            }
            None if in_body => {
                let mut body = place.body.clone();
                set(&mut body, &place.pointer, value.clone());
                app.call_with(key, method.clone(), path).json(&body)
            }
            None => app.call_with(key, method.clone(), path).header(&place.pointer, &text()).json(&place.body),
        };
        let answer = call.send().await;
        let faults = faults_at(&answer.body, &place.pointer);
        let shown: String = text().chars().take(60).collect();
        let place = format!("{method} {path} {}: {shown}…", place.pointer);
        assert!(answer.status < 500, "{place} is answered with {}", answer.text);
        if *is_inside {
            assert!(faults.is_empty(), "{place} is allowed by the document, but refused: {faults:?}");
        } else {
            assert!(answer.status == 422 && !faults.is_empty(), "{place} is beyond the document, but not refused");
        }
    }
    borders.len()
}

/// The values of an operation's parameters and body.
fn places_of(document: &Value, operation: &Value) -> Vec<Place> {
    let media = operation["requestBody"]["content"].as_object().and_then(|types| types.values().next());
    let body = media.map_or(Value::Null, |media| media["example"].clone());
    let mut found: Vec<Place> = media
        .filter(|_| body.is_object())
        .map(|media| places(document, &media["schema"], "", &body, &HashSet::new()))
        .unwrap_or_default();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        let pointer = match parameter["in"].as_str() {
            Some("query") => format!("?{name}"),
            Some("header") => name.to_owned(),
            _ => continue,
        };
        let mut schema = resolve(document, &parameter["schema"]).clone();
        if schema["type"] == "array" {
            // A list in a query is one text; what it is made of is tested where it is in a body.
            schema = json!({});
        }
        found.push(Place { pointer, schema, body: body.clone() });
    }
    found
}

#[tokio::test]
async fn values_are_taken_up_to_their_limits_and_not_beyond() {
    let (app, document) = (TestApp::start().await, document());
    let link = app.hand_over().await;
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (name, operation) in item.as_object().unwrap() {
            let method: Method = name.to_uppercase().parse().unwrap();
            let path = fill(path, &Uuid::max().to_string());
            for place in places_of(&document, operation) {
                count += check(&app, &document, key_for(operation, &link), &method, &path, &place).await;
            }
        }
    }
    assert!(count > 300, "only {count} values");
}

#[tokio::test]
async fn what_is_required_must_be_there_and_what_is_unknown_must_not() {
    let (app, document) = (TestApp::start().await, document());
    let link = app.hand_over().await;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (name, operation) in item.as_object().unwrap() {
            let method: Method = name.to_uppercase().parse().unwrap();
            let path = fill(path, &Uuid::max().to_string());
            for Place { pointer, schema, mut body } in places_of(&document, operation) {
                if schema["additionalProperties"] != false {
                    continue;
                }
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let tag = body.pointer(&pointer).and_then(|of| of.get("kind")).cloned();
                set(
                    &mut body,
                    &pointer,
                    tag.map_or(json!({"noSuchField": 1}), |kind| json!({"kind": kind, "noSuchField": 1})),
                );
                let answer = app.call_with(key_for(operation, &link), method.clone(), &path).json(&body).send().await;
                for field in
                    required.iter().filter_map(Value::as_str).filter(|field| *field != "kind").chain(["noSuchField"])
                {
                    let faults = faults_at(&answer.body, &format!("{pointer}/{field}"));
                    assert_eq!(faults.len(), 1, "{method} {path} {pointer}/{field}: {}", answer.text);
                }
            }
        }
    }
}

/// The service's own check of a body's form says the same as an independent implementation of JSON Schema.
#[test]
fn another_implementation_of_json_schema_agrees() {
    let (contract, document) = (api::contract().unwrap(), document());
    let mut count = 0;
    for operation in document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
    {
        let content = operation["requestBody"]["content"].as_object();
        let Some(schema) = content.and_then(|types| types.values().next()).map(|media| &media["schema"]) else {
            continue;
        };
        let Some(name) = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()) else { continue };
        let whole = json!({"$ref": schema["$ref"], "components": document["components"]});
        let judge = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        for Place { pointer, schema, body } in places_of(&document, operation) {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                continue;
            }
            for Border { value, .. } in borders(&document, &schema, true) {
                let mut body = body.clone();
                set(&mut body, &pointer, value);
                let mut faults = Faults::default();
                contract.check_form(name, &body, "", &mut faults);
                assert_eq!(faults.is_empty(), judge.is_valid(&body), "{name}{pointer}: {body} {faults:?}");
                count += 1;
            }
        }
    }
    assert!(count > 300, "only {count} values");
}
