//! `openapi/released.json` is the document that callers rely on. Every incompatible change of the current document
//! must be listed word for word in `openapi/breaking-changes.md`. `make openapi-release` starts the next release.

use super::{committed, document};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

#[test]
fn nothing_is_taken_away_without_a_note() {
    let released: Value = serde_json::from_str(&committed("openapi/released.json")).unwrap();
    let notes = committed("openapi/breaking-changes.md");
    let noted: Vec<&str> = notes.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    let found = breaks(&released, &document());
    let surprises: Vec<&String> = found.iter().filter(|found| !noted.contains(&found.as_str())).collect();
    assert!(
        surprises.is_empty(),
        "callers of the released API would break. Undo it, or note it in openapi/breaking-changes.md:\n- {}",
        surprises.iter().map(|found| found.as_str()).collect::<Vec<_>>().join("\n- ")
    );
    let stale: Vec<&&str> = noted.iter().filter(|noted| !found.iter().any(|found| found == **noted)).collect();
    assert!(stale.is_empty(), "openapi/breaking-changes.md notes what does not happen: {stale:#?}");
}

/// What a caller of `old` can no longer rely on in `new`, one line each.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, seen: HashSet::new(), breaks: Vec::new() };
    for (path, item) in fields(&old["paths"]) {
        for (method, operation) in fields(item) {
            let name = format!("{} {path}", method.to_uppercase());
            match new["paths"][path].get(method) {
                Some(now) => comparison.operation(&name, operation, now),
                None => comparison.add(&name, "is gone"),
            }
        }
    }
    comparison.breaks
}

/// Who makes the value that a schema describes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Request,
    Answer,
}

struct Comparison<'d> {
    old: &'d Value,
    new: &'d Value,
    /// Components that were compared already.
    seen: HashSet<(String, Side)>,
    breaks: Vec<String>,
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    }
}

fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(target) => resolve(document, document.pointer(target.trim_start_matches('#')).unwrap()),
        None => value,
    }
}

/// The only thing that a value of such a schema can be besides null.
fn alone(schema: &Value) -> Option<&Value> {
    let variants = schema["oneOf"].as_array()?;
    let mut real = variants.iter().filter(|variant| variant["type"] != "null");
    real.next().filter(|_| real.next().is_none())
}

impl<'d> Comparison<'d> {
    fn add(&mut self, place: &str, what: impl std::fmt::Display) {
        self.breaks.push(format!("{place} {what}"));
    }

    fn operation(&mut self, name: &str, old: &'d Value, new: &'d Value) {
        if old["operationId"] != new["operationId"] {
            self.add(name, format_args!("is no longer called {}", old["operationId"]));
        }
        if old["security"] != new["security"] {
            self.add(name, format_args!("needs {} instead of {}", new["security"], old["security"]));
        }
        self.parameters(name, old, new);
        self.contents(&format!("{name} body"), &old["requestBody"], &new["requestBody"], Side::Request);
        let is_required = |operation: &Value| operation["requestBody"]["required"] == true;
        if is_required(new) && !is_required(old) {
            self.add(name, "needs a body");
        }
        for (status, answer) in fields(&old["responses"]).filter(|(status, _)| status.starts_with('2')) {
            let name = format!("{name} {status}");
            match new["responses"].get(status) {
                Some(now) => self.contents(&name, answer, now, Side::Answer),
                None => self.add(&name, "is gone"),
            }
        }
    }

    fn parameters(&mut self, name: &str, old: &'d Value, new: &'d Value) {
        let list = |operation: &'d Value| operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let same = |a: &Value, b: &Value| a["name"] == b["name"] && a["in"] == b["in"];
        for parameter in list(old) {
            let place = format!("{name} parameter {}", parameter["name"]);
            match list(new).iter().find(|now| same(parameter, now)) {
                Some(now) => {
                    if now["required"] == true && parameter["required"] != true {
                        self.add(&place, "is required");
                    }
                    self.schema(&place, &parameter["schema"], &now["schema"], Side::Request);
                }
                None => self.add(&place, "is gone"),
            }
        }
        for parameter in list(new).iter().filter(|now| now["required"] == true) {
            if !list(old).iter().any(|before| same(before, parameter)) {
                self.add(&format!("{name} parameter {}", parameter["name"]), "is new and required");
            }
        }
    }

    fn contents(&mut self, place: &str, old: &'d Value, new: &'d Value, side: Side) {
        let (old, new) = (resolve(self.old, old), resolve(self.new, new));
        for (media_type, media) in fields(&old["content"]) {
            match new["content"].get(media_type) {
                Some(now) => self.schema(place, &media["schema"], &now["schema"], side),
                None => self.add(place, format_args!("is no longer {media_type}")),
            }
        }
    }

    fn schema(&mut self, place: &str, old: &'d Value, new: &'d Value, side: Side) {
        let component = old["$ref"].as_str().and_then(|target| target.rsplit('/').next());
        let place = component.unwrap_or(place);
        if component.is_some_and(|name| !self.seen.insert((name.to_owned(), side))) {
            return;
        }
        let (old, mut new) = (resolve(self.old, old), resolve(self.new, new));
        if side == Side::Request && old.get("oneOf").is_none() {
            // A caller who sends no null need not know that one could.
            new = alone(new).map_or(new, |one| resolve(self.new, one));
        }
        self.types(place, old, new, side);
        self.variants(place, old, new, side);
        match new["oneOf"].as_array().filter(|_| side == Side::Answer && !old["properties"].is_null()) {
            Some(kinds) => self.kinds(place, old, new, kinds),
            None => self.properties(place, old, new, side),
        }
        if side == Side::Request {
            self.limits(place, old, new);
        }
        for inner in ["items", "additionalProperties"] {
            if let (Some(old @ Value::Object(_)), Some(new @ Value::Object(_))) = (old.get(inner), new.get(inner)) {
                self.schema(&format!("{place}[]"), old, new, side);
            }
        }
    }

    /// A caller may send each type and value that was allowed, and gets no type that was not possible. An enum of
    /// an answer may grow, but a value that callers wait for does not go.
    fn types(&mut self, place: &str, old: &Value, new: &Value, side: Side) {
        let (before, now) = (texts(&old["type"]), texts(&new["type"]));
        let (narrow, wide) = if side == Side::Request { (&now, &before) } else { (&before, &now) };
        for name in wide.iter().filter(|name| !narrow.is_empty() && !narrow.contains(name)) {
            let change = if side == Side::Request { "can no longer be" } else { "can now be" };
            self.add(place, format_args!("{change} {name}"));
        }
        let (before, now) = (texts(&old["enum"]), texts(&new["enum"]));
        for value in before.iter().filter(|value| !now.contains(value)) {
            self.add(place, format_args!("is never {value:?}"));
        }
        if side == Side::Request && before.is_empty() && !now.is_empty() {
            self.add(place, "is one of a few values only");
        }
        if old["format"] != new["format"] && (side == Side::Answer || !new["format"].is_null()) {
            self.add(place, format_args!("has the format {} instead of {}", new["format"], old["format"]));
        }
    }

    fn variants(&mut self, place: &str, old: &'d Value, new: &'d Value, side: Side) {
        let list = |schema: &'d Value| {
            let variants = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
            variants.map_or(&[][..], Vec::as_slice)
        };
        let key = |variant: &Value| variant.get("$ref").or(variant.get("type")).cloned();
        let (narrow, wide) = if side == Side::Request { (new, old) } else { (old, new) };
        for variant in list(wide).iter().filter(|_| !list(narrow).is_empty()) {
            let other = list(narrow).iter().find(|other| key(other) == key(variant));
            // The one thing that is not null is compared by what it is, whatever it is called.
            let other = other.or_else(|| alone(wide).filter(|one| *one == variant).and_then(|_| alone(narrow)));
            match (other, side) {
                (Some(other), Side::Request) => self.schema(place, variant, other, side),
                (Some(other), Side::Answer) => self.schema(place, other, variant, side),
                (None, Side::Request) => self.add(place, format_args!("can no longer be {}", key(variant).unwrap())),
                (None, Side::Answer) => self.add(place, format_args!("can now be {}", key(variant).unwrap())),
            }
        }
    }

    fn properties(&mut self, place: &str, old: &'d Value, new: &'d Value, side: Side) {
        let is_required = |schema: &Value, name: &str| texts(&schema["required"]).contains(&name);
        for (name, property) in fields(&old["properties"]) {
            let place = format!("{place}.{name}");
            let Some(now) = new["properties"].get(name) else {
                self.add(&place, "is gone");
                continue;
            };
            if side == Side::Answer && is_required(old, name) && !is_required(new, name) {
                self.add(&place, "can be absent");
            }
            self.schema(&place, property, now, side);
        }
        for name in texts(&new["required"]).into_iter().filter(|_| side == Side::Request) {
            if !is_required(old, name) {
                self.add(&format!("{place}.{name}"), "is required");
            }
        }
    }

    /// An answer that is one of several kinds has everything that it had, whichever kind it is.
    fn kinds(&mut self, place: &str, old: &'d Value, new: &'d Value, kinds: &'d [Value]) {
        let kinds: Vec<&Value> = kinds.iter().map(|kind| resolve(self.new, kind)).collect();
        for (name, property) in fields(&old["properties"]) {
            let place = format!("{place}.{name}");
            if new["discriminator"]["propertyName"] == **name {
                let words = |property: &'d Value| texts(&resolve(self.old, property)["enum"]);
                let now: Vec<&str> = kinds.iter().flat_map(|kind| texts(&kind["properties"][name]["enum"])).collect();
                for word in words(property).into_iter().filter(|word| !now.contains(word)) {
                    self.breaks.push(format!("{place} is never {word:?}"));
                }
                continue;
            }
            for kind in &kinds {
                let Some(now) = kind["properties"].get(name) else {
                    self.add(&place, format_args!("is gone from {}", kind["title"]));
                    continue;
                };
                if texts(&old["required"]).contains(&name.as_str())
                    && !texts(&kind["required"]).contains(&name.as_str())
                {
                    self.add(&place, "can be absent");
                }
                self.schema(&place, property, now, Side::Answer);
            }
        }
    }

    fn limits(&mut self, place: &str, old: &Value, new: &Value) {
        for (name, is_upper) in [
            ("maxLength", true),
            ("maximum", true),
            ("maxItems", true),
            ("minLength", false),
            ("minimum", false),
            ("minItems", false),
        ] {
            let (before, now) = (old[name].as_f64(), new[name].as_f64());
            let is_tighter =
                now.is_some_and(|now| before.is_none_or(|before| (now < before) == is_upper && now != before));
            if is_tighter {
                self.add(place, format_args!("has {name} {} instead of {}", new[name], old[name]));
            }
        }
        if !new["pattern"].is_null() && old["pattern"] != new["pattern"] {
            self.add(place, format_args!("has the pattern {} instead of {}", new["pattern"], old["pattern"]));
        }
    }
}

/// A small document, changed at `pointer`.
fn changed(pointer: &str, change: &Value) -> Vec<String> {
    let old = json!({
        "paths": {"/v1/filters": {"post": {
            "operationId": "create_filter",
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Create"}}}},
            "responses": {"201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}}},
        }}},
        "components": {"schemas": {
            "Create": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "maxLength": 9}, "kind": {"type": ["string", "null"], "enum": ["a", "b"]},
            }},
            "Answer": {"type": "object", "required": ["id"], "properties": {
                "id": {"type": "string"}, "kind": {"type": "string", "enum": ["a", "b"]},
            }},
        }},
    });
    let mut new = old.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent: &mut Map<String, Value> = new.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if change.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.to_owned(), change.clone());
    }
    breaks(&old, &new)
}

#[test]
fn what_callers_rely_on_is_missed() {
    const CREATE: &str = "/components/schemas/Create";
    const ANSWER: &str = "/components/schemas/Answer";
    for (pointer, change, expected) in [
        ("/paths/~1v1~1filters/post".to_owned(), Value::Null, "POST /v1/filters is gone"),
        (format!("{CREATE}/required"), json!(["name", "kind"]), "Create.kind is required"),
        (format!("{CREATE}/properties/kind"), Value::Null, "Create.kind is gone"),
        (format!("{CREATE}/properties/kind/type"), json!("string"), "Create.kind can no longer be null"),
        (format!("{CREATE}/properties/kind/enum"), json!(["a"]), "Create.kind is never \"b\""),
        (format!("{CREATE}/properties/name/maxLength"), json!(8), "Create.name has maxLength 8 instead of 9"),
        (format!("{ANSWER}/properties/id"), Value::Null, "Answer.id is gone"),
        (format!("{ANSWER}/required"), json!([]), "Answer.id can be absent"),
        (format!("{ANSWER}/properties/id/type"), json!(["string", "null"]), "Answer.id can now be null"),
        (format!("{ANSWER}/properties/kind/enum"), json!(["a"]), "Answer.kind is never \"b\""),
    ] {
        assert_eq!(changed(&pointer, &change), [expected], "{pointer}");
    }
}

#[test]
fn an_answer_may_become_one_of_several_kinds_that_have_all_it_had() {
    let kind = |word: &str, properties: Value| {
        let mut kind = json!({"type": "object", "title": word, "required": ["id"], "properties": properties});
        kind["properties"]["kind"] = json!({"type": "string", "enum": [word]});
        kind
    };
    let union = |kinds: &[Value]| json!({"oneOf": kinds, "discriminator": {"propertyName": "kind"}});
    let id = json!({"id": {"type": "string"}});
    let whole = union(&[kind("a", id.clone()), kind("b", id.clone())]);
    assert_eq!(changed("/components/schemas/Answer", &whole), [] as [String; 0]);
    let without = union(&[kind("a", id.clone()), kind("b", json!({}))]);
    assert_eq!(changed("/components/schemas/Answer", &without), ["Answer.id is gone from \"b\""]);
    let fewer = union(&[kind("a", id)]);
    assert_eq!(changed("/components/schemas/Answer", &fewer), ["Answer.kind is never \"b\""]);
}

#[test]
fn what_is_added_breaks_nobody() {
    for (pointer, change) in [
        ("/components/schemas/Create/properties/note", json!({"type": "string"})),
        ("/components/schemas/Create/properties/name/maxLength", json!(10)),
        ("/components/schemas/Create/required", json!([])),
        ("/components/schemas/Answer/properties/note", json!({"type": "string"})),
        ("/components/schemas/Answer/properties/kind/enum", json!(["a", "b", "c"])),
        ("/components/schemas/Create/properties/name/type", json!(["string", "null"])),
        (
            "/components/schemas/Create/properties/name",
            json!({"oneOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}),
        ),
        ("/paths/~1v1~1runs", json!({"get": {"operationId": "list_runs"}})),
    ] {
        assert_eq!(changed(pointer, &change), [] as [String; 0], "{pointer}");
    }
}
