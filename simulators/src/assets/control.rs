//! `/_sim/*`: what a test or a person may ask and change from outside, without authentication.

use super::answer::Answer;
use super::by_hand::{self, AttributeByHand};
use super::execution;
use super::mapping;
use super::objects;
use super::state::State;
use super::store::{AttributeKind, Store, TypeIx};
use super::traffic::AssetsFault;
use super::truth::{self, AssetsObject};
use chrono::TimeDelta;
use serde_json::{Map, Value, json};

/// Everything below `/_sim/`.
pub(super) fn route(state: &mut State, method: &str, path: &[&str], body: &[u8]) -> Answer {
    state.settle();
    let body: Value = match body.trim_ascii() {
        [] => Value::Null,
        text => match serde_json::from_slice(text) {
            Ok(body) => body,
            Err(error) => return Answer::refused(400, format!("The body is not JSON: {error}")),
        },
    };
    let text = |key: &str| body[key].as_str().unwrap_or("");
    match (method, path) {
        ("GET", []) => Answer::json(200, access(state)),
        ("GET", ["truth"]) => Answer::json(200, whole_truth(state)),
        ("GET", ["counts"]) => Answer::json(200, json!(truth::counts(&state.store))),
        ("GET", ["behaviour"]) => Answer::json(200, json!(state.behaviour)),
        ("PATCH", ["behaviour"]) => patch_behaviour(state, body),
        ("POST", ["faults"]) => match serde_json::from_value::<AssetsFault>(body) {
            Ok(fault) => {
                state.traffic.faults.push(fault);
                Answer::empty(204)
            }
            Err(error) => Answer::refused(400, error.to_string()),
        },
        ("DELETE", ["faults"]) => {
            state.traffic.faults.clear();
            Answer::empty(204)
        }
        ("GET", ["requests"]) => Answer::json(200, json!(state.traffic.requests)),
        ("DELETE", ["requests"]) => {
            state.traffic.requests.clear();
            state.traffic.chunks.clear();
            Answer::empty(204)
        }
        ("GET", ["chunks"]) => Answer::json(200, json!(state.traffic.chunks)),
        ("GET", ["executions"]) => Answer::json(200, json!(views(state))),
        ("POST", ["sources"]) => {
            let at = state.add_source(text("name"), None, None);
            Answer::json(201, described_source(state, at))
        }
        ("POST", ["sources", id, "replace"]) => match state.source(id) {
            Some(at) => {
                let at = state.replace_source(at);
                Answer::json(201, described_source(state, at))
            }
            None => Answer::not_found("The import source"),
        },
        ("POST", ["sources", id, "token"]) => match state.source(id) {
            Some(at) => Answer::json(200, json!({"token": state.rotate_token(at)})),
            None => Answer::not_found("The import source"),
        },
        ("POST", ["forge-tokens"]) => {
            let (token, expires_at) = state.mint_forge_token(forge_life(&body["lifeSeconds"]));
            Answer::json(201, json!({"token": token, "expiresAt": expires_at}))
        }
        ("PATCH", ["sources", id]) => match state.source(id) {
            Some(at) => {
                state.sources[at].disabled = body["disabled"] == true;
                Answer::json(200, described_source(state, at))
            }
            None => Answer::not_found("The import source"),
        },
        ("POST", ["objects"]) => match add_object(state, text("objectType"), &pairs(&body["values"])) {
            Ok(id) => Answer::json(201, json!({"id": id})),
            Err(message) => Answer::refused(400, message),
        },
        ("POST", ["types"]) => {
            let source = body["source"].as_str().map_or_else(|| state.sources[0].id.to_string(), str::to_owned);
            let made = serde_json::from_value(body["attributes"].clone()).map_err(|error| error.to_string());
            let made = made.and_then(|attributes: Vec<AttributeByHand>| {
                by_hand::add_type(state, &source, text("name"), body["parent"].as_str(), &attributes)
            });
            match made {
                Ok(()) => Answer::empty(201),
                Err(message) => Answer::refused(400, message),
            }
        }
        ("POST", ["accounts"]) => match serde_json::from_value(body) {
            Ok(account) => {
                state.accounts.push(account);
                Answer::empty(201)
            }
            Err(error) => Answer::refused(400, error.to_string()),
        },
        ("POST", ["attributes"]) => match add_attribute(state, text("objectType"), text("name"), text("type")) {
            Ok(id) => Answer::json(201, json!({"id": id})),
            Err(message) => Answer::refused(400, message),
        },
        _ => Answer::not_found("The path"),
    }
}

/// How long a new app system token is good: as asked, else as long as Forge promises (docs/assets.md, «Forge»).
fn forge_life(seconds: &Value) -> TimeDelta {
    seconds.as_u64().map_or(TimeDelta::minutes(55), |seconds| TimeDelta::seconds(i64::try_from(seconds).unwrap_or(0)))
}

fn patch_behaviour(state: &mut State, patch: Value) -> Answer {
    let mut merged = json!(state.behaviour);
    if let (Value::Object(all), Value::Object(patch)) = (&mut merged, patch) {
        all.extend(patch);
    }
    match serde_json::from_value(merged) {
        Ok(behaviour) => {
            state.behaviour = behaviour;
            Answer::json(200, json!(state.behaviour))
        }
        Err(error) => Answer::refused(400, error.to_string()),
    }
}

/// How to reach everything: for a person at the terminal.
fn access(state: &State) -> Value {
    let sources: Vec<Value> = (0..state.sources.len()).map(|at| described_source(state, at)).collect();
    json!({
        "origin": state.origin,
        "workspaceId": state.workspace,
        "cloudId": state.cloud,
        "email": state.email,
        "apiToken": state.api_token,
        "forgeToken": state.forge_tokens.last().map(|known| &known.token),
        "sources": sources,
    })
}

fn described_source(state: &State, at: usize) -> Value {
    let source = &state.sources[at];
    let schema = state.store.schemas[source.schema].id.to_string();
    json!({"id": source.id, "name": source.name, "token": source.token, "objectSchemaId": schema, "disabled": source.disabled})
}

fn pairs(values: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let texts = |value: &Value| match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => vec![text(one)],
    };
    values.as_object().map_or_else(Vec::new, |fields| fields.iter().map(|(key, v)| (key.clone(), texts(v))).collect())
}

fn type_named(store: &Store, name: &str) -> Result<TypeIx, String> {
    store.types.iter().position(|of| of.name == name).ok_or_else(|| format!("there is no object type `{name}`"))
}

/// An object made by hand; gives its id. A reference takes ids or keys.
pub(super) fn add_object(state: &mut State, of: &str, values: &[(String, Vec<String>)]) -> Result<String, String> {
    let of = type_named(&state.store, of)?;
    let mut flat = Vec::new();
    for (name, texts) in values {
        let at = state.store.types[of].attribute(name).ok_or_else(|| format!("there is no attribute `{name}`"))?;
        flat.extend(objects::stored(&mut state.store, of, at as usize, texts)?.into_iter().map(|value| (at, value)));
    }
    flat.sort_unstable();
    flat.dedup();
    let now = state.clock.now();
    Ok(Store::id(state.store.add(of, flat, now)))
}

/// An attribute that an administrator adds to a type by hand; gives its id.
pub(super) fn add_attribute(state: &mut State, of: &str, name: &str, kind: &str) -> Result<u32, String> {
    let of = type_named(&state.store, of)?;
    let kind = AttributeKind::parse(if kind.is_empty() { "text" } else { kind });
    let kind = kind.filter(|kind| *kind != AttributeKind::Reference).ok_or("that is not a plain attribute type")?;
    if state.store.types[of].attribute(name).is_some() {
        return Err(format!("there already is an attribute `{name}`"));
    }
    let new = mapping::attribute(&mut state.store, name, kind);
    let id = new.id;
    state.store.types[of].attributes.push(new);
    Ok(id)
}

/// The attribute that is part of the external id, by the mappings of all sources; else the label.
pub(super) fn identity(state: &State, of: TypeIx) -> Option<u16> {
    let mappings = state.sources.iter().filter_map(|source| source.mappings.as_ref()).flatten();
    let mapped = mappings.filter(|mapping| mapping.of == of).find_map(|mapping| {
        let part = mapping.part.attributes.iter().position(|attribute| attribute.identity)?;
        mapping.attributes.get(part).copied()
    });
    mapped.or_else(|| state.store.types[of].label())
}

pub(super) fn objects_of(state: &State, name: &str) -> Vec<AssetsObject> {
    let types: Vec<Option<u16>> = (0..state.store.types.len()).map(|of| identity(state, of)).collect();
    let named = (0..state.store.types.len()).filter(|of| state.store.types[*of].name == name);
    named.flat_map(|of| truth::objects(&state.store, of, &|target| types[target])).collect()
}

fn whole_truth(state: &State) -> Value {
    let counts = truth::counts(&state.store);
    let mut types = Map::new();
    for (name, count) in &counts.objects {
        types.insert(name.clone(), json!({"count": count, "objects": objects_of(state, name)}));
    }
    json!({"types": types, "references": counts.references})
}

pub(super) fn views(state: &State) -> Vec<execution::ExecutionView> {
    let views = state.executions.iter();
    views.map(|execution| execution::view(execution, state.sources[execution.source].id, &state.store)).collect()
}

/// A value that a person sets by hand.
pub(super) fn set_value(state: &mut State, id: &str, attribute: &str, value: &str) -> Result<(), String> {
    let ix = state.store.by_id(id).ok_or_else(|| format!("there is no object {id}"))?;
    let of = state.store.get(ix).map_or(0, |object| object.of);
    let at =
        state.store.types[of].attribute(attribute).ok_or_else(|| format!("there is no attribute `{attribute}`"))?;
    let values = objects::stored(&mut state.store, of, at as usize, &[value.to_owned()])?;
    let now = state.clock.now();
    state.store.set(ix, at, &values, now);
    Ok(())
}
