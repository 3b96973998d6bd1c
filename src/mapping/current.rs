//! What Assets answered to GET schema-and-mapping, and the readers of that document.

use crate::directory::ValueType;
use serde_json::Value;
use std::collections::HashMap;

/// The schema and mapping that Assets has, by external id.
pub(super) struct Current {
    pub(super) types: Vec<Value>,
    /// Object types and attributes.
    pub(super) by_id: HashMap<String, Value>,
    /// By the external id of the object type.
    pub(super) mappings: HashMap<String, Value>,
}

impl Current {
    pub(super) fn read(document: &Value) -> Self {
        let mut types = Vec::new();
        collect_types(document.pointer("/schema/objectSchema/objectTypes"), &mut types);
        let attributes = types.iter().flat_map(|object_type| list(object_type, "attributes"));
        let by_id = types.iter().chain(attributes).filter(|v| !text(v, "externalId").is_empty());
        let by_id = by_id.map(|value| (text(value, "externalId").to_owned(), value.clone())).collect();
        let mappings = document.pointer("/mapping/objectTypeMappings").and_then(Value::as_array);
        let mappings = mappings.into_iter().flatten();
        let mappings = mappings.map(|m| (text(m, "objectTypeExternalId").to_owned(), m.clone())).collect();
        Self { types, by_id, mappings }
    }

    /// A mapping definition replaces the one that Assets has, object type by object type: what people
    /// mapped themselves is put into ours.
    pub(super) fn keep_foreign_mappings(&self, document: &mut Value) {
        let wanted = document.pointer_mut("/mapping/objectTypeMappings").and_then(Value::as_array_mut);
        for wanted in wanted.into_iter().flatten() {
            let id = text(wanted, "objectTypeExternalId").to_owned();
            let prefix = id.rsplit_once('/').map_or("", |(prefix, _)| prefix).to_owned();
            let Some(current) = self.mappings.get(&id) else { continue };
            let is_foreign = |mapping: &&Value| {
                let id = text(mapping, "attributeExternalId");
                !id.is_empty() && !id.starts_with(&format!("{prefix}/"))
            };
            let foreign: Vec<Value> = list(current, "attributesMapping").filter(is_foreign).cloned().collect();
            if let Some(attributes) = wanted.get_mut("attributesMapping").and_then(Value::as_array_mut) {
                attributes.extend(foreign);
            }
        }
    }

    /// The external id of the object type that an attribute refers to, whether Assets gives its id or its name.
    pub(super) fn reference_target<'v>(&'v self, attribute: &'v Value) -> Option<&'v str> {
        let by_id = text(attribute, "referenceObjectTypeExternalId");
        if !by_id.is_empty() {
            return Some(by_id);
        }
        let name = text(attribute, "referenceObjectTypeName");
        let found = self.types.iter().find(|object_type| !name.is_empty() && text(object_type, "name") == name)?;
        Some(text(found, "externalId"))
    }
}

/// Names that Assets has and does not let an import change. Without a current document: the wanted ones.
pub(super) struct Names<'a>(pub(super) Option<&'a Current>);

impl Names<'_> {
    fn get(&self, external_id: &str, field: &str) -> Option<&str> {
        let found = self.0.and_then(|current| current.by_id.get(external_id))?.get(field)?.as_str();
        found.filter(|text| !text.is_empty())
    }

    /// The name of an object type or attribute.
    pub(super) fn name<'n>(&'n self, external_id: &str, wanted: &'n str) -> &'n str {
        self.get(external_id, "name").unwrap_or(wanted)
    }

    pub(super) fn value_type(&self, external_id: &str, wanted: ValueType) -> String {
        self.get(external_id, "type").unwrap_or(wanted.as_str()).to_owned()
    }
}

fn collect_types(types: Option<&Value>, found: &mut Vec<Value>) {
    for object_type in types.and_then(Value::as_array).into_iter().flatten() {
        found.push(object_type.clone());
        collect_types(object_type.get("children"), found);
    }
}

pub(super) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}
