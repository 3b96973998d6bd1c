//! What Assets answered to GET schema-and-mapping, and the readers of that document.

use crate::directory::ValueType;
use serde_json::Value;
use std::collections::HashMap;

/// The schema and mapping that Assets has, by external id.
pub(super) struct Current {
    /// The object types that are no children of others.
    pub(super) roots: Vec<Value>,
    /// All object types.
    pub(super) types: Vec<Value>,
    pub(super) statuses: Vec<Value>,
    /// The description of the object schema.
    pub(super) description: String,
    /// Object types and attributes.
    pub(super) by_id: HashMap<String, Value>,
    /// By the external id of the object type.
    pub(super) mappings: HashMap<String, Value>,
}

impl Current {
    pub(super) fn read(document: &Value) -> Self {
        let mut types = Vec::new();
        let roots = document.pointer("/schema/objectSchema/objectTypes");
        collect_types(roots, &mut types);
        let all = |pointer: &str| document.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        let attributes = types.iter().flat_map(|object_type| list(object_type, "attributes"));
        let by_id = types.iter().chain(attributes).filter(|v| !text(v, "externalId").is_empty());
        let by_id = by_id.map(|value| (text(value, "externalId").to_owned(), value.clone())).collect();
        let mappings = document.pointer("/mapping/objectTypeMappings").and_then(Value::as_array);
        let mappings = mappings.into_iter().flatten();
        let mappings = mappings.map(|m| (text(m, "objectTypeExternalId").to_owned(), m.clone())).collect();
        Self {
            roots: all("/schema/objectSchema/objectTypes"),
            types,
            statuses: all("/schema/statusSchema/statuses"),
            description: document
                .pointer("/schema/objectSchema")
                .map_or("", |schema| text(schema, "description"))
                .to_owned(),
            by_id,
            mappings,
        }
    }

    /// The object type of this name that has an external id. Names that differ in case only are the same to people.
    pub(super) fn type_named(&self, name: &str) -> Option<&Value> {
        let named = |is_name: &dyn Fn(&str) -> bool| {
            self.types.iter().find(|found| is_name(text(found, "name")) && !text(found, "externalId").is_empty())
        };
        named(&|found| found == name).or_else(|| named(&|found| found.eq_ignore_ascii_case(name)))
    }

    /// The object type that the import source fills from this selector.
    pub(super) fn mapped_type(&self, selector: &str) -> Option<&Value> {
        let mapping = self.mappings.values().find(|mapping| text(mapping, "selector") == selector)?;
        self.by_id.get(text(mapping, "objectTypeExternalId"))
    }

    /// The attribute of an object type that the import source fills from this field.
    pub(super) fn mapped_attribute(&self, object_type: &Value, locator: &str) -> Option<&Value> {
        let mapping = self.mappings.get(text(object_type, "externalId"))?;
        let is_filled = |mapping: &&Value| list(mapping, "attributeLocators").eq([locator]);
        let mapping = list(mapping, "attributesMapping").find(is_filled)?;
        self.by_id.get(text(mapping, "attributeExternalId"))
    }

    /// Whether the import source fills the attribute with this external id.
    pub(super) fn is_mapped(&self, external_id: &str) -> bool {
        let mut mapped = self.mappings.values().flat_map(|mapping| list(mapping, "attributesMapping"));
        mapped.any(|mapping| text(mapping, "attributeExternalId") == external_id)
    }

    /// A mapping definition replaces the one that Assets has, object type by object type: what people
    /// mapped themselves is put into ours, but for the object types `except`, of which the job says everything.
    pub(super) fn keep_foreign_mappings(&self, document: &mut Value, except: &[String]) {
        let wanted = document.pointer_mut("/mapping/objectTypeMappings").and_then(Value::as_array_mut);
        for wanted in wanted.into_iter().flatten() {
            let id = text(wanted, "objectTypeExternalId");
            let Some(current) = self.mappings.get(id).filter(|_| !except.iter().any(|other| other == id)) else {
                continue;
            };
            let ours: Vec<&str> =
                list(wanted, "attributesMapping").map(|mapping| text(mapping, "attributeExternalId")).collect();
            let is_foreign = |mapping: &&Value| {
                let id = text(mapping, "attributeExternalId");
                !id.is_empty() && !is_of_product(id) && !ours.contains(&id)
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

/// Whether this service gave the external id, for whatever import source: `entra-1f2e3d4c/…`.
pub(super) fn is_of_product(external_id: &str) -> bool {
    let hash = external_id.strip_prefix("entra-").and_then(|rest| rest.split_once('/')).map(|(hash, _)| hash);
    hash.is_some_and(|hash| hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The attribute of an object type with this name that has an external id.
pub(super) fn attribute_named<'v>(object_type: &'v Value, name: &str) -> Option<&'v Value> {
    let has_id = |attribute: &&Value| !text(attribute, "externalId").is_empty();
    let mut attributes = list(object_type, "attributes").filter(has_id);
    attributes.find(|attribute| text(attribute, "name").eq_ignore_ascii_case(name))
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
