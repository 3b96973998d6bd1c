//! The document that GET schema-and-mapping answers: the same shape, with every default filled in, the
//! `Key` attribute, and an empty `iconSchema.icons` that PATCH would refuse. Source: docs/assets.md, «Schema and
//! mapping document», «Changing a mapping».

use super::document::SYSTEM_ATTRIBUTES;
use super::mapping::TypeMapping;
use super::store::{Attribute, Store, TypeIx};
use serde_json::{Value, json};

pub(super) fn schema_and_mapping(store: &Store, schema: usize, mappings: &[TypeMapping]) -> Value {
    let of = &store.schemas[schema];
    let roots =
        (0..store.types.len()).filter(|ix| store.types[*ix].schema == schema && store.types[*ix].parent.is_none());
    let types: Vec<Value> = roots.map(|ix| object_type(store, ix)).collect();
    let mut described = json!({
        "objectSchema": {"name": of.name, "description": of.description, "objectTypes": types},
        "iconSchema": {"icons": of.icons.iter().map(|(key, name)| json!({"key": key, "name": name})).collect::<Vec<_>>()},
    });
    if !of.statuses.is_empty() {
        let statuses = of.statuses.iter();
        let statuses: Vec<Value> =
            statuses.map(|s| json!({"name": s.name, "description": s.description, "category": s.category})).collect();
        described["statusSchema"] = json!({"statuses": statuses});
    }
    let mappings: Vec<Value> = mappings.iter().map(|mapping| type_mapping(store, mapping)).collect();
    json!({"schema": described, "mapping": {"objectTypeMappings": mappings}})
}

fn object_type(store: &Store, ix: TypeIx) -> Value {
    let of = &store.types[ix];
    let shown =
        of.attributes.iter().filter(|a| a.kind.is_importable() && (!a.system || a.name == SYSTEM_ATTRIBUTES[0]));
    let attributes: Vec<Value> = shown.map(|a| attribute(store, a)).collect();
    let children = (0..store.types.len()).filter(|child| store.types[*child].parent == Some(ix));
    let children: Vec<Value> = children.map(|child| object_type(store, child)).collect();
    let mut described = json!({
        "externalId": of.external_id,
        "name": of.name,
        "description": of.description,
        "inheritance": false,
        "attributes": attributes,
        "children": children,
    });
    if let Some(key) = &of.icon_key {
        described["iconKey"] = json!(key);
    }
    described
}

fn attribute(store: &Store, of: &Attribute) -> Value {
    let mut described = json!({
        "name": of.name,
        "description": of.description,
        "type": of.kind.name(),
        "label": of.label,
        "minimumCardinality": of.minimum,
        "maximumCardinality": of.maximum,
        "unique": of.unique,
    });
    if !of.external_id.is_empty() {
        described["externalId"] = json!(of.external_id);
    }
    if let Some(target) = of.target {
        described["referenceObjectTypeName"] = json!(store.types[target].name);
        described["referenceObjectTypeExternalId"] = json!(store.types[target].external_id);
    }
    if !of.type_values.is_empty() {
        described["typeValues"] = json!(of.type_values);
    }
    described
}

fn type_mapping(store: &Store, mapping: &TypeMapping) -> Value {
    let of = &store.types[mapping.of];
    let attributes = mapping.attributes.iter().zip(&mapping.part.attributes);
    let attributes: Vec<Value> = attributes
        .map(|(at, part)| {
            let attribute = &of.attributes[*at as usize];
            let mut described = json!({
                "attributeExternalId": attribute.external_id,
                "attributeName": attribute.name,
                "attributeLocators": part.locators,
                "externalIdPart": part.identity,
            });
            if let Some(template) = &part.template {
                described["objectMappingIQL"] = json!(template);
            }
            described
        })
        .collect();
    json!({
        "objectTypeExternalId": of.external_id,
        "objectTypeName": of.name,
        "selector": mapping.part.selector,
        "description": mapping.part.description,
        "attributesMapping": attributes,
    })
}
