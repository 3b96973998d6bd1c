//! JSON bodies: read from what `contract::enforce` checked, and merge patches (RFC 7396).

use super::contract::{CheckedBody, Contract};
use crate::error::{Error, Faults, Result};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::{Ready, ready};

/// The request's body as a `T`. A body that may be left out is `T::default()`'s JSON `{}`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let body = request.extensions().get::<CheckedBody>().map(|body| body.value.clone());
        ready(read(body.unwrap_or_else(|| Value::Object(serde_json::Map::new()))).map(Self))
    }
}

/// A merge patch: absent fields stay, null is the default.
pub struct MergePatch(pub Value);

impl FromRequest for MergePatch {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let body = request.extensions().get::<CheckedBody>().map(|body| body.value.clone());
        ready(Ok(Self(body.unwrap_or_else(|| Value::Object(serde_json::Map::new())))))
    }
}

impl MergePatch {
    /// The `current` state with this patch applied, checked as `schema` (a component's name) like a body
    /// that creates one.
    pub fn apply<T: Serialize + DeserializeOwned>(&self, contract: &Contract, schema: &str, current: &T) -> Result<T> {
        self.apply_to(contract, schema, serde_json::to_value(current).map_err(Error::internal)?)
    }

    /// As [`MergePatch::apply`], to a state that is JSON already.
    pub fn apply_to<T: DeserializeOwned>(&self, contract: &Contract, schema: &str, mut current: Value) -> Result<T> {
        merge(&mut current, &self.0);
        remove_nulls(&mut current);
        let mut faults = Faults::default();
        contract.check(schema, &current, &mut faults);
        faults.into_result()?;
        read(current)
    }
}

/// The check against the document comes first, so this only fails where the two disagree.
fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| {
        let mut faults = Faults::default();
        faults.push("", "invalid", e.to_string());
        match faults.into_result() {
            Ok(()) => Error::internal(e),
            Err(error) => error,
        }
    })
}

/// A tree of conditions is one value: it is replaced whole, and a null in it is compared with.
const TREE: &str = "where";

/// RFC 7396 §2.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else if name == TREE {
            fields.insert(name.clone(), change.clone());
        } else {
            merge(fields.entry(name).or_insert(Value::Null), change);
        }
    }
}

/// A null and an absent field mean the same: the default.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.iter_mut().filter(|(name, _)| *name != TREE).for_each(|(_, field)| remove_nulls(field));
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_of_conditions_is_replaced_whole() {
        let mut filter = json!({"users": {"where": {"property": "city", "operator": "eq", "value": "x"}}});
        let tree = json!({"not": {"property": "mail", "operator": "eq", "value": null}});
        merge(&mut filter, &json!({"users": {"where": tree}, "groups": null}));
        remove_nulls(&mut filter);
        assert_eq!(filter, json!({"users": {"where": tree}}));
    }

    #[test]
    fn the_examples_of_rfc_7396() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target;
            merge(&mut merged, &patch);
            assert_eq!(merged, result);
        }
    }
}
