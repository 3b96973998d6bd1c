//! The object API: single objects, AQL, types and their attributes. Basic authentication or a Forge app;
//! a container token is refused. Source: docs/assets.md, «Object API».

use super::answer::{Answer, Call, Caller};
use super::aql;
use super::execution::timestamp;
use super::mapping;
use super::select;
use super::state::State;
use super::store::{Attribute, AttributeKind, ObjectIx, Store, TypeIx};
use super::strings::Sym;
use super::value;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

const PAGE: usize = 25;
const MAX_PAGE: usize = 1000;

pub(super) fn route(state: &mut State, call: &Call<'_>) -> Answer {
    match call.caller {
        Caller::Nobody => return Answer::unauthorized(),
        Caller::Container(_) => return Answer::wrong_scope(),
        Caller::Basic | Caller::Forge => {}
    }
    let per_minute = state.behaviour.object_calls_per_minute;
    if let Err(seconds) = state.traffic.object_call(per_minute, state.clock.now()) {
        let most = per_minute.unwrap_or(0);
        let message = format!("Every API key is allowed to perform {most} requests per minute to this endpoint.");
        let answer = Answer::refused(429, message);
        let says = state.behaviour.rate_limit_says_retry_after;
        return if says { answer.with_header("Retry-After", seconds.to_string()) } else { answer };
    }
    match (call.method, call.segments) {
        ("POST", ["object", "aql"]) => by_aql(state, call),
        ("POST", ["object", "aql", "totalcount"]) => count(state, call),
        ("POST", ["object", "create"]) => create(state, call),
        (_, ["object", id, rest @ ..]) => match state.store.by_id(id) {
            Some(ix) => one(state, ix, call, rest),
            None => Answer::not_found("The object"),
        },
        ("GET", ["objectschema", "list"]) => {
            let schemas: Vec<Value> = (0..state.store.schemas.len()).map(|at| schema(&state.store, at)).collect();
            Answer::json(
                200,
                json!({"startAt": 0, "maxResults": 25, "total": schemas.len(), "isLast": true, "values": schemas}),
            )
        }
        ("GET", ["objectschema", id, rest @ ..]) => of_schema(&state.store, id, rest),
        ("POST", ["objecttypeattribute", id]) => add_attribute(state, id, call),
        ("GET", ["objecttype", id, rest @ ..]) => {
            let found = state.store.types.iter().position(|of| of.id.to_string() == *id);
            match (found, rest) {
                (Some(ix), []) => Answer::json(200, object_type(&state.store, ix)),
                (Some(ix), ["attributes"]) => Answer::json(200, attributes(&state.store, ix)),
                _ => Answer::not_found("The object type"),
            }
        }
        _ => Answer::not_found("The path"),
    }
}

fn one(state: &mut State, ix: ObjectIx, call: &Call<'_>, rest: &[&str]) -> Answer {
    match (call.method, rest) {
        ("GET", []) => Answer::json(200, object(state, ix, true)),
        ("GET", ["attributes"]) => {
            let described = object(state, ix, true);
            Answer::json(200, described["attributes"].clone())
        }
        ("DELETE", []) => {
            state.store.delete(&[ix]);
            Answer::empty(200)
        }
        ("PUT", []) => match call.json() {
            Ok(body) => match written_values(state, state.store.get(ix).map_or(0, |o| o.of), &body) {
                Ok(values) => {
                    let now = state.clock.now();
                    for (attribute, values) in values {
                        state.store.set(ix, attribute, &values, now);
                    }
                    Answer::json(200, object(state, ix, true))
                }
                Err(answer) => answer,
            },
            Err(answer) => answer,
        },
        _ => Answer::not_found("The path"),
    }
}

fn create(state: &mut State, call: &Call<'_>) -> Answer {
    let body = match call.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let id = body["objectTypeId"].as_str().unwrap_or("");
    let Some(of) = state.store.types.iter().position(|of| of.id.to_string() == id) else {
        return Answer::refused(400, "`objectTypeId` is not an object type");
    };
    let values = match written_values(state, of, &body) {
        Ok(values) => values,
        Err(answer) => return answer,
    };
    let mut flat: Vec<(u16, u32)> =
        values.iter().flat_map(|(attribute, values)| values.iter().map(|value| (*attribute, *value))).collect();
    flat.sort_unstable();
    flat.dedup();
    let now = state.clock.now();
    let ix = state.store.add(of, flat, now);
    Answer::json(201, object(state, ix, false))
}

/// Makes an attribute of a type. Source: docs/assets.md, «Object API».
fn add_attribute(state: &mut State, id: &str, call: &Call<'_>) -> Answer {
    let body = match call.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    if !state.behaviour.may_add_attributes {
        return Answer::refused(403, "You do not have the permission to configure this object schema.");
    }
    let Some(of) = state.store.types.iter().position(|of| of.id.to_string() == id) else {
        return Answer::not_found("The object type");
    };
    let name = body["name"].as_str().unwrap_or("").trim();
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let kind = number(&body["type"]).and_then(|of| AttributeKind::by_numbers(of, number(&body["defaultTypeId"])));
    let Some(kind) = kind.filter(|kind| *kind != AttributeKind::Reference) else {
        return Answer::refused(400, "`type` is not the number of an attribute type");
    };
    let is_taken = state.store.types[of].attributes.iter().any(|known| known.name.eq_ignore_ascii_case(name));
    if name.is_empty() || is_taken {
        return Answer::json(400, json!({"errorMessages": [], "errors": {"name": "The name is empty or in use"}}));
    }
    let mut new = mapping::attribute(&mut state.store, name, kind);
    new.description = body["description"].as_str().unwrap_or("").to_owned();
    new.maximum = body["maximumCardinality"].as_i64().unwrap_or(1);
    let described = attribute(&state.store, &new, state.store.types[of].attributes.len());
    state.store.types[of].attributes.push(new);
    Answer::json(201, described)
}

/// The values that a body of PUT or create sets, each checked against its attribute.
fn written_values(state: &mut State, of: TypeIx, body: &Value) -> Result<Vec<(u16, Vec<u32>)>, Answer> {
    let Some(parts) = body["attributes"].as_array() else {
        return Err(Answer::refused(400, "`attributes` is required"));
    };
    let mut errors = Map::new();
    let mut found = Vec::new();
    for part in parts {
        let id = match &part["objectTypeAttributeId"] {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        };
        let mut known = state.store.types[of].attributes.iter();
        let Some(at) = known.position(|attribute| attribute.id.to_string() == id && !attribute.system) else {
            errors.insert(format!("rlabs-insight-attribute-{id}"), json!("The attribute does not exist"));
            continue;
        };
        let given: &[Value] = part["objectAttributeValues"].as_array().map_or(&[], Vec::as_slice);
        let texts = given.iter().map(|item| item["value"].clone()).filter(|value| !value.is_null());
        let texts: Vec<String> = texts.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
        let is_account = |text: &String| state.accounts.iter().any(|account| account.id == *text);
        if state.store.types[of].attributes[at].kind == AttributeKind::User && !texts.iter().all(is_account) {
            errors.insert(format!("rlabs-insight-attribute-{id}"), json!("The user does not exist"));
            continue;
        }
        match stored(&mut state.store, of, at, &texts) {
            Ok(values) => found.push((at as u16, values)),
            Err(message) => {
                errors.insert(format!("rlabs-insight-attribute-{id}"), json!(message));
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(Answer::json(400, json!({"errorMessages": [], "errors": errors}))) }
}

/// Texts as an attribute stores them; a reference takes ids or keys of objects.
pub(super) fn stored(store: &mut Store, of: TypeIx, at: usize, texts: &[String]) -> Result<Vec<u32>, String> {
    let attribute = &store.types[of].attributes[at];
    let (kind, target, maximum) = (attribute.kind, attribute.target, attribute.maximum);
    let given: Vec<&String> = texts.iter().filter(|text| !text.trim().is_empty()).collect();
    if usize::try_from(maximum).is_ok_and(|most| given.len() > most) {
        return Err(format!("takes at most {maximum} values"));
    }
    if kind == AttributeKind::Status && given.iter().any(|text| !attribute.type_values.contains(text)) {
        return Err("is not one of the statuses of this attribute".to_owned());
    }
    let mut values = Vec::with_capacity(given.len());
    for text in given {
        if let Some(target) = target {
            let found = store.by_id(text).or_else(|| store.by_key(text));
            let fits = found.filter(|ix| store.get(*ix).is_some_and(|object| object.of == target));
            values.push(fits.ok_or_else(|| format!("{text} is not an object of the referenced type"))?);
        } else {
            let text = value::convert(kind, Cow::Borrowed(text.as_str()))?.into_owned();
            values.push(store.strings.add(&text));
        }
    }
    Ok(values)
}

fn query(call: &Call<'_>) -> Result<aql::Query, Answer> {
    let body = call.json()?;
    let text = body["qlQuery"].as_str().ok_or_else(|| Answer::refused(400, "`qlQuery` is required"))?;
    aql::parse(text).map_err(|error| Answer::refused(400, format!("The AQL query cannot be read: {error}")))
}

fn by_aql(state: &State, call: &Call<'_>) -> Answer {
    let query = match query(call) {
        Ok(query) => query,
        Err(answer) => return answer,
    };
    let number = |name: &str| call.parameter(name).and_then(|text| text.parse::<usize>().ok());
    let start = number("startAt").unwrap_or(0);
    let most = number("maxResults").unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let with_attributes = call.parameter("includeAttributes").as_deref() != Some("false");
    let found = select::find(&state.store, &query, None);
    let page: Vec<ObjectIx> = found.iter().copied().skip(start).take(most).collect();
    let last = start + page.len() >= found.len();
    let mut types: Vec<TypeIx> = page.iter().filter_map(|ix| state.store.get(*ix)).map(|object| object.of).collect();
    types.sort_unstable();
    types.dedup();
    let described = types.iter().flat_map(|of| state.store.types[*of].attributes.iter().enumerate());
    let described: Vec<Value> = described.map(|(at, a)| attribute(&state.store, a, at)).collect();
    let values: Vec<Value> = page.iter().map(|ix| object(state, *ix, with_attributes)).collect();
    Answer::json(
        200,
        json!({
            "startAt": start,
            "maxResults": most,
            "total": found.len(),
            "values": values,
            "objectTypeAttributes": described,
            "last": last,
            "isLast": last,
        }),
    )
}

fn count(state: &State, call: &Call<'_>) -> Answer {
    match query(call) {
        Ok(query) => Answer::json(200, json!({"totalCount": select::find(&state.store, &query, None).len()})),
        Err(answer) => answer,
    }
}

fn of_schema(store: &Store, id: &str, rest: &[&str]) -> Answer {
    let Some(at) = store.schemas.iter().position(|schema| schema.id.to_string() == id) else {
        return Answer::not_found("The object schema");
    };
    let types = || (0..store.types.len()).filter(|ix| store.types[*ix].schema == at);
    match rest {
        [] => Answer::json(200, schema(store, at)),
        ["objecttypes"] => {
            Answer::json(200, json!({"entries": types().map(|ix| object_type(store, ix)).collect::<Vec<_>>()}))
        }
        ["objecttypes", "flat"] => Answer::json(200, Value::Array(types().map(|ix| object_type(store, ix)).collect())),
        _ => Answer::not_found("The path"),
    }
}

fn schema(store: &Store, at: usize) -> Value {
    let schema = &store.schemas[at];
    let types = store.types.iter().filter(|of| of.schema == at);
    let objects: usize = types.clone().map(|of| of.objects.len()).sum();
    json!({
        "id": schema.id.to_string(),
        "name": schema.name,
        "description": schema.description,
        "objectSchemaKey": schema.key,
        "objectCount": objects,
        "objectTypeCount": types.count(),
    })
}

fn object_type(store: &Store, ix: TypeIx) -> Value {
    let of = &store.types[ix];
    json!({
        "id": of.id.to_string(),
        "name": of.name,
        "description": of.description,
        "objectCount": of.objects.len(),
        "objectSchemaId": store.schemas[of.schema].id.to_string(),
        "parentObjectTypeId": of.parent.map(|parent| store.types[parent].id.to_string()),
        "externalId": of.external_id,
    })
}

fn attributes(store: &Store, ix: TypeIx) -> Value {
    store.types[ix].attributes.iter().enumerate().map(|(at, a)| attribute(store, a, at)).collect()
}

fn attribute(store: &Store, of: &Attribute, position: usize) -> Value {
    let (number, default) = of.kind.numbers();
    let mut described = json!({
        "id": of.id.to_string(),
        "name": of.name,
        "description": of.description,
        "label": of.label,
        "type": number,
        "editable": !of.system,
        "system": of.system,
        "removable": !of.system,
        "position": position,
        "minimumCardinality": of.minimum,
        "maximumCardinality": of.maximum,
        "uniqueAttribute": of.unique,
        "externalId": of.external_id,
    });
    if number == 0 {
        described["defaultType"] = json!({"id": default, "name": of.kind.name()});
    }
    if let Some(target) = of.target {
        described["referenceObjectTypeId"] = json!(store.types[target].id.to_string());
        described["referenceObjectType"] = object_type(store, target);
    }
    described
}

fn object(state: &State, ix: ObjectIx, with_attributes: bool) -> Value {
    let store = &state.store;
    let Some(found) = store.get(ix) else { return Value::Null };
    let (id, workspace) = (Store::id(ix), &state.workspace);
    let mut described = json!({
        "workspaceId": workspace,
        "globalId": format!("{workspace}:{id}"),
        "id": id,
        "label": store.label(ix),
        "name": store.label(ix),
        "objectKey": store.key(ix),
        "objectType": object_type(store, found.of),
        "created": timestamp(found.created),
        "updated": timestamp(found.updated),
        "hasAvatar": false,
        "timestamp": found.updated.timestamp_millis(),
        "_links": {"self": format!("{}/jsm/assets/workspace/{workspace}/v1/object/{id}", state.origin)},
    });
    if with_attributes {
        let attributes = store.types[found.of].attributes.iter().enumerate();
        let attributes = attributes.map(|(at, of)| (of, object_values(state, ix, at as u16, of)));
        let attributes = attributes.filter(|(_, values)| !values.is_empty()).map(|(of, values)| {
            json!({
                "workspaceId": workspace,
                "globalId": format!("{workspace}:{id}.{}", of.id),
                "id": format!("{id}{}", of.id),
                "objectTypeAttributeId": of.id.to_string(),
                "objectId": id,
                "objectAttributeValues": values,
            })
        });
        described["attributes"] = attributes.collect();
    }
    described
}

fn object_values(state: &State, ix: ObjectIx, at: u16, of: &Attribute) -> Vec<Value> {
    let store = &state.store;
    let plain = |text: &str| json!({"value": text, "displayValue": text, "searchValue": text, "referencedType": false});
    if of.system {
        let Some(object) = store.get(ix) else { return Vec::new() };
        return vec![match of.name.as_str() {
            "Key" => plain(&store.key(ix)),
            "Created" => plain(&timestamp(object.created)),
            _ => plain(&timestamp(object.updated)),
        }];
    }
    let values = store.values(ix, at).map(|value: Sym| match of.kind {
        AttributeKind::Reference => json!({
            "value": Store::id(value),
            "displayValue": store.label(value),
            "searchValue": store.key(value),
            "referencedType": true,
            "referencedObject": {"id": Store::id(value), "label": store.label(value), "objectKey": store.key(value)},
        }),
        AttributeKind::User => {
            let account = store.strings.get(value);
            json!({"value": account, "displayValue": account, "searchValue": account, "referencedType": false,
                   "user": {"key": account}})
        }
        AttributeKind::Status => {
            let name = store.strings.get(value);
            json!({"displayValue": name, "searchValue": name, "referencedType": false, "status": {"name": name}})
        }
        _ => plain(store.strings.get(value)),
    });
    values.collect()
}
