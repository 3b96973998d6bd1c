//! Holds every answer against the OpenAPI document, and notes which operations some test calls with success.

use super::world::ADMIN_KEY;
use entra_assets::api;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Headers that clients act on. A response has only those that the document names.
const DOCUMENTED_HEADERS: [&str; 10] = [
    "allow",
    "content-disposition",
    "etag",
    "link",
    "location",
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
];

/// The document, with objects closed: a field that it does not name is a fault.
fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut document = api::contract().unwrap().document().clone();
        close(&mut document["components"]["schemas"]);
        document
    })
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let is_open = fields.get("type") == Some(&json!("object"))
                && fields.contains_key("properties")
                && !["additionalProperties", "allOf", "oneOf", "anyOf"].iter().any(|name| fields.contains_key(*name));
            if is_open {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            // The parts of an `allOf` know only their own fields.
            fields.iter_mut().filter(|(name, _)| *name != "allOf").for_each(|(_, value)| close(value));
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An operation of the document.
pub struct Operation {
    pub method: Method,
    pub template: String,
    pub value: &'static Value,
}

/// What may call an operation: the key of an administrator, or the link of a handover where only its bearer may.
pub fn key_for<'k>(operation: &Value, link: &'k str) -> &'k str {
    if operation.pointer("/security/0/bearer/0") == Some(&json!("handover")) { link } else { ADMIN_KEY }
}

impl Operation {
    pub fn id(&self) -> &'static str {
        self.value["operationId"].as_str().unwrap()
    }

    /// The scope that it needs; none: it is open to everybody.
    pub fn scope(&self) -> Option<&'static str> {
        self.value.pointer("/security/0/bearer/0").and_then(Value::as_str)
    }

    pub fn key<'k>(&self, link: &'k str) -> &'k str {
        key_for(self.value, link)
    }

    pub fn has_parameter(&self, place: &str, name: &str) -> bool {
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        parameters.into_iter().any(|parameter| parameter["in"] == place && parameter["name"] == name)
    }

    /// The schema of its body, if it takes one.
    pub fn body(&self) -> Option<&'static Value> {
        self.value.pointer("/requestBody/content/application~1json/schema").map(resolve)
    }

    /// An example of its body from the document.
    pub fn example(&self) -> Option<&'static Value> {
        let content = self.value.pointer("/requestBody/content/application~1json")?;
        let first = |examples: &'static Value| match examples {
            Value::Object(named) => named.values().next().map(|one| one.get("value").unwrap_or(one)),
            Value::Array(list) => list.first(),
            _ => None,
        };
        let of_schema = resolve(&content["schema"]);
        content
            .get("example")
            .or_else(|| content.get("examples").and_then(first))
            .or_else(|| of_schema.get("example"))
            .or_else(|| of_schema.get("examples").and_then(first))
    }

    /// Its path with `id` in every place, and the parameters that it must have.
    pub fn path(&self, id: &str) -> String {
        let path = fill(&self.template, id);
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        let required: Vec<String> = parameters
            .filter(|parameter| parameter["in"] == "query" && parameter["required"] == true)
            .map(|parameter| {
                let schema = resolve(&parameter["schema"]);
                format!("{}={}", parameter["name"].as_str().unwrap(), schema["enum"][0].as_str().unwrap())
            })
            .collect();
        if required.is_empty() { path } else { format!("{path}?{}", required.join("&")) }
    }
}

/// A path with `id` in every place.
pub fn fill(template: &str, id: &str) -> String {
    let parts = template.split('/').map(|part| if part.starts_with('{') { id } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Every operation of the document.
pub fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (template, item) in document()["paths"].as_object().unwrap() {
        for (method, value) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            operations.push(Operation { method, template: template.clone(), value });
        }
    }
    operations
}

/// Follows references within the document.
pub fn resolve(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(target) => resolve(document().pointer(target.trim_start_matches('#')).unwrap()),
        None => value,
    }
}

/// The operation that a request is for, and whether its path is known at all.
pub fn find(method: &Method, path: &str) -> (Option<Operation>, bool) {
    let fits = |template: &str| {
        let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        wanted.len() == given.len()
            && wanted.iter().zip(&given).all(|(w, g)| w == g || (w.starts_with('{') && !g.is_empty()))
    };
    let mut fitting: Vec<Operation> = operations().into_iter().filter(|operation| fits(&operation.template)).collect();
    let is_known = !fitting.is_empty();
    fitting.retain(|operation| operation.method == *method);
    fitting.sort_by_key(|operation| operation.template.matches('{').count());
    (fitting.into_iter().next(), is_known)
}

/// Fails the test unless the document describes this answer.
pub fn check(method: &Method, path: &str, status: u16, headers: &HeaderMap, text: &str) {
    let path = path.split('?').next().unwrap_or(path);
    let what = format!("{method} {path} → {status}: {text:.500}");
    let (operation, is_known) = find(method, path);
    let Some(operation) = operation else {
        assert_eq!(status, if is_known { 405 } else { 404 }, "not in the document: {what}");
        return;
    };
    let response = operation.value["responses"].get(status.to_string());
    let response = resolve(response.unwrap_or_else(|| panic!("the document has no such status: {what}")));
    check_headers(response, status, headers, &what);
    check_content(response, headers, text, &what);
    if status < 400 {
        fs::create_dir_all(called()).unwrap();
        fs::write(called().join(operation.id()), "").unwrap();
    }
}

fn check_headers(response: &Value, status: u16, headers: &HeaderMap, what: &str) {
    let documented: Vec<String> = response["headers"]
        .as_object()
        .into_iter()
        .flat_map(|headers| headers.keys())
        .map(|name| name.to_ascii_lowercase())
        .collect();
    for name in DOCUMENTED_HEADERS {
        let is_documented = documented.iter().any(|known| known == name);
        assert!(is_documented || !headers.contains_key(name), "the document has no header {name}: {what}");
    }
    if status < 300 {
        for name in ["etag", "location"].iter().filter(|name| documented.iter().any(|known| known == *name)) {
            assert!(headers.contains_key(*name), "the header {name} is missing: {what}");
        }
    }
    assert!(headers.contains_key("x-request-id"), "{what}");
}

fn check_content(response: &'static Value, headers: &HeaderMap, text: &str, what: &str) {
    let Some(content) = response["content"].as_object() else {
        assert!(text.is_empty(), "the document has no body: {what}");
        return;
    };
    let media_type = headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    let media_type = media_type.split(';').next().unwrap_or_default();
    let described = content.get(media_type).unwrap_or_else(|| panic!("the document has no {media_type}: {what}"));
    if media_type != "application/json" && !media_type.ends_with("+json") {
        return;
    }
    let body = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {what}"));
    check_schema(described["schema"].clone(), &body, what);
}

/// Fails the test unless the document describes this body of a delivery of a webhook.
pub fn check_delivery(kind: &str, body: &Value) {
    let request = document()["webhooks"].get(kind).unwrap_or_else(|| panic!("the document has no webhook {kind}"));
    let schema = &request["post"]["requestBody"]["content"]["application/json"]["schema"];
    check_schema(schema.clone(), body, &format!("webhook {kind}: {body:.500}"));
}

fn check_schema(mut schema: Value, body: &Value, what: &str) {
    schema["components"] = document()["components"].clone();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(body).map(|fault| format!("{}: {fault:.300}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "the body is not as the document says: {faults:#?}\n{what}");
}

/// Where a file stands for each operation that a test called with success.
fn called() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("operations")
}

/// `scripts/test.sh` runs it when all other tests have been run.
#[test]
#[ignore = "looks at what the other tests did"]
fn every_operation_was_called() {
    let called: BTreeSet<String> =
        fs::read_dir(called()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let operations = operations();
    let missing: Vec<&str> =
        operations.iter().map(Operation::id).filter(|operation| !called.contains(*operation)).collect();
    assert!(missing.is_empty(), "no test calls these operations with success: {missing:?}");
}
