//! One object that is kept as JSON.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// One object of a collection.
#[derive(Clone, Debug)]
pub struct Record {
    pub id: Uuid,
    pub properties: Map<String, Value>,
    /// Objects related with it, by the name of the relation: the type of each, as `@odata.type` says it, and its id.
    pub relations: BTreeMap<&'static str, Vec<(&'static str, Uuid)>>,
}

impl Record {
    pub(super) fn new(id: Uuid, properties: Value) -> Self {
        let properties = match properties {
            Value::Object(properties) => properties,
            _ => Map::new(),
        };
        Self { id, properties, relations: BTreeMap::new() }
    }

    /// The record of an object that has its id among its properties, and nobody who owns it.
    pub fn of(properties: Value) -> Option<Self> {
        let id = Uuid::parse_str(properties.get("id")?.as_str()?).ok()?;
        Some(Self::new(id, properties).related("owners", Vec::new()))
    }

    pub(super) fn related(mut self, relation: &'static str, objects: Vec<(&'static str, Uuid)>) -> Self {
        self.relations.insert(relation, objects);
        self
    }

    /// A property that is text; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.properties.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The records of all collections, by the path of the collection.
pub type Records = BTreeMap<&'static str, Vec<Record>>;
