//! The objects of one type that others made, as Assets shows them.

use crate::assets::lookup::{SeenObject, SeenObjects, fold};
use crate::db::mirror::delivered::adoption::{CandidateRow, Judgement};
use crate::directory::ObjectType;
use crate::error::Error;
use crate::mapping::ExistingType;
use crate::run_state::{ChangeAction, ChangeReason};
use crate::runs::assets_objects::AssetsObjects;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The objects of one type that others made.
pub struct AdoptionOfType<'a> {
    pub run: &'a Run,
    pub assets: &'a AssetsObjects,
    pub object_type: ObjectType,
    pub existing: &'a ExistingType,
}

/// An object that would be created, by the values that it is looked for by.
pub struct Candidate {
    pub seq: i64,
    /// Empty: it has none.
    pub identity: String,
    pub match_by: Option<String>,
}

impl AdoptionOfType<'_> {
    pub fn candidate(&self, row: &CandidateRow) -> Result<Candidate, Stop> {
        let values: Map<String, Value> = serde_json::from_str(&row.after).map_err(Error::internal)?;
        let value = |key: &str| values.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Candidate {
            seq: row.seq,
            identity: value(&self.existing.identity).unwrap_or_default(),
            match_by: self.existing.match_by.as_deref().and_then(value),
        })
    }

    /// The objects by a value of one of our attributes, as Assets compares it.
    pub fn by_value<'o>(&self, found: &'o SeenObjects, key: &str) -> HashMap<String, Vec<&'o SeenObject>> {
        let mut by_value: HashMap<String, Vec<&SeenObject>> = HashMap::new();
        let mut seen = HashSet::new();
        for object in found.objects.iter().filter(|object| seen.insert(object.id.as_str())) {
            if let Some(value) = self.value_of(object, key) {
                by_value.entry(fold(value)).or_default().push(object);
            }
        }
        by_value
    }

    /// The first value of one of our attributes in an object of theirs, unless it is blank.
    pub fn value_of<'o>(&self, object: &'o SeenObject, key: &str) -> Option<&'o str> {
        let values = object.values.get(self.assets.name(self.object_type, key)?)?;
        values.first().map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// What an object of theirs has in the attributes that the job writes, by our keys.
    pub fn values(&self, object: &SeenObject) -> String {
        let names = self.assets.names(self.object_type);
        let value = |texts: &Vec<String>| match &texts[..] {
            [] => Value::Null,
            [one] => Value::from(one.as_str()),
            several => Value::from(several),
        };
        let values: BTreeMap<&String, Value> =
            names.map(|(key, name)| (key, object.values.get(name).map_or(Value::Null, value))).collect();
        serde_json::to_string(&values).unwrap_or_default()
    }
}

/// What nothing is sent of.
pub fn unsent(seq: i64, action: ChangeAction, reason: ChangeReason, objects: &[&SeenObject]) -> Judgement {
    Judgement {
        seq,
        action,
        reason,
        send: false,
        before: None,
        assets_keys: objects.iter().map(|object| object.key.clone()).collect(),
        writes_identity: false,
    }
}
