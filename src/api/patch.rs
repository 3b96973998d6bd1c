//! Changes by JSON merge patch (RFC 7396): an absent field keeps its value, null resets it to its default, at every
//! depth. A body of few fields is read as a type with [`Change`]s; one with nested parts is merged by [`Patch`].

use super::body;
use super::contract::Contract;
use super::contract::schema::Schemas;
use super::contract::schema::reference::is_grammar;
use crate::error::{Error, Faults, Result};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use std::future::{Ready, ready};
use std::marker::PhantomData;
use utoipa::ToSchema;

/// What a patch does to a field that has a default. A field without one is an `Option`: absent or set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Change<T> {
    /// Absent.
    #[default]
    Keep,
    /// Null.
    Reset,
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Reset, Self::Set))
    }
}

impl<T> Change<T> {
    /// The new value of a field whose default is none.
    pub fn of_optional(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Keep => current,
            Self::Reset => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The new value of a field that always has one.
    pub fn of(self, current: T) -> T
    where
        T: Default,
    {
        self.of_optional(Some(current)).unwrap_or_default()
    }
}

/// A merge patch of a `T`.
pub struct Patch<T> {
    value: Value,
    of: PhantomData<fn() -> T>,
}

impl<T> FromRequest for Patch<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { value: body::value(request), of: PhantomData }))
    }
}

impl<T: Serialize + DeserializeOwned + ToSchema> Patch<T> {
    /// `current` with this patch applied, checked like a body that creates a `T`. `defaults` has the values of nested
    /// fields whose default is not that of their type.
    pub fn apply(&self, contract: &Contract, current: &T, defaults: &Value) -> Result<T> {
        let name = T::name();
        let current = serde_json::to_value(current).map_err(Error::internal)?;
        let changed = merged(contract.schemas(), &name, current, &self.value, defaults);
        let mut faults = Faults::default();
        contract.check(&name, &changed, &mut faults);
        faults.into_result()?;
        body::read(changed)
    }
}

/// A value with a patch applied, without fields that are null. `component`: its schema in the document.
pub fn merged(schemas: &Schemas, component: &str, mut value: Value, patch: &Value, defaults: &Value) -> Value {
    let schema = json!({"$ref": format!("#/components/schemas/{component}")});
    let place = Place { schemas, schema: Some(&schema) };
    merge(place, &mut value, patch, defaults);
    remove_nulls(place, &mut value);
    value
}

/// A value without fields that are null.
pub fn without_nulls(schemas: &Schemas, component: &str, value: Value) -> Value {
    merged(schemas, component, value, &json!({}), &Value::Null)
}

/// Where a merge stands in the document.
#[derive(Clone, Copy)]
struct Place<'a> {
    schemas: &'a Schemas,
    /// None: the document does not name the field.
    schema: Option<&'a Value>,
}

impl Place<'_> {
    fn field(&self, name: &str) -> Self {
        Self { schema: self.schema.and_then(|schema| self.schemas.field(schema, name)), ..*self }
    }

    /// Whether the value is replaced as a whole, and a null in it is a value: that of a tree of conditions.
    fn is_one_value(&self) -> bool {
        self.schema.is_some_and(is_grammar)
    }
}

/// RFC 7396 §2, with defaults.
fn merge(place: Place<'_>, target: &mut Value, patch: &Value, defaults: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, change) in changes {
        let (place, default) = (place.field(name), defaults.get(name).unwrap_or(&Value::Null));
        if change.is_null() && default.is_null() {
            fields.remove(name);
        } else if change.is_null() {
            fields.insert(name.clone(), default.clone());
        } else if place.is_one_value() {
            fields.insert(name.clone(), change.clone());
        } else {
            merge(place, fields.entry(name).or_insert(Value::Null), change, default);
        }
    }
}

/// A null and an absent field mean the same: the default.
fn remove_nulls(place: Place<'_>, value: &mut Value) {
    if place.is_one_value() {
        return;
    }
    if let Value::Object(fields) = value {
        fields.retain(|_, field| !field.is_null());
        fields.iter_mut().for_each(|(name, field)| remove_nulls(place.field(name), field));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_conditions_is_replaced_whole() {
        let rule = json!({"type": "object", "properties": {
            "where": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Where"}]},
        }});
        let filter = json!({"type": "object", "properties": {
            "users": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Rule"}]},
            "groups": {"type": "object"},
        }});
        let document = json!({"components": {"schemas": {"Rule": rule, "Filter": filter, "Where": {"oneOf": []}}}});
        let schemas = Schemas::new(document).unwrap();
        let filter = json!({"users": {"where": {"property": "city", "operator": "eq", "value": "x"}}});
        let tree = json!({"not": {"property": "mail", "operator": "eq", "value": null}});
        let patch = json!({"users": {"where": tree, "odata": null}, "groups": null});
        let filter = merged(&schemas, "Filter", filter, &patch, &Value::Null);
        assert_eq!(filter, json!({"users": {"where": tree}}));
        assert_eq!(without_nulls(&schemas, "Filter", filter.clone()), filter);
    }

    #[test]
    fn null_is_the_default_at_every_depth() {
        let schemas = Schemas::new(Value::Null).unwrap();
        let place = Place { schemas: &schemas, schema: None };
        let defaults = json!({"objects": {"devices": {"enabled": false}}});
        let mut job = json!({"objects": {"devices": {"enabled": true, "names": {"a": "b"}}}});
        merge(place, &mut job, &json!({"objects": {"devices": {"enabled": null}}}), &defaults);
        assert_eq!(job, json!({"objects": {"devices": {"enabled": false, "names": {"a": "b"}}}}));
        merge(place, &mut job, &json!({"objects": {"devices": {"names": null}}}), &defaults);
        assert_eq!(job, json!({"objects": {"devices": {"enabled": false}}}));
        merge(place, &mut job, &json!({"objects": null}), &defaults);
        assert_eq!(job, defaults);
    }

    #[test]
    fn a_change_is_absent_null_or_a_value() {
        #[derive(Deserialize)]
        struct Update {
            #[serde(default)]
            name: Change<String>,
        }
        let read = |value: Value| serde_json::from_value::<Update>(value).unwrap().name;
        assert_eq!(read(json!({})), Change::Keep);
        assert_eq!(read(json!({"name": null})), Change::Reset);
        assert_eq!(read(json!({"name": "x"})), Change::Set("x".to_owned()));
        assert_eq!(read(json!({})).of("old".to_owned()), "old");
        assert_eq!(read(json!({"name": null})).of("old".to_owned()), "");
        assert_eq!(read(json!({"name": null})).of_optional(Some("old".to_owned())), None);
    }

    #[test]
    fn the_examples_of_rfc_7396() {
        let schemas = Schemas::new(Value::Null).unwrap();
        let place = Place { schemas: &schemas, schema: None };
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target;
            merge(place, &mut merged, &patch, &Value::Null);
            assert_eq!(merged, result);
        }
    }
}
