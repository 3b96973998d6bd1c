//! Takes a schema-and-mapping document over into the store, and refuses what Assets refuses: renaming,
//! changing types, external ids that are unknown or belong to another schema.
//! Source: docs/assets.md, «Endpoints», «Schema and mapping document», «Changing a mapping».

use super::document::{AttributePart, Document, Fault, MappingPart, SYSTEM_ATTRIBUTES, SchemaPart, TypePart};
use super::store::{Attribute, AttributeKind, ObjectType, Store, TypeIx};
use crate::ids::random_id;

/// The mapping of one object type, with its type found.
#[derive(Clone)]
pub(super) struct TypeMapping {
    pub(super) of: TypeIx,
    pub(super) part: MappingPart,
    /// The mapped attribute of each part.
    pub(super) attributes: Vec<u16>,
}

/// Applies the whole document, or nothing of it.
pub(super) fn apply(
    store: &mut Store,
    schema: usize,
    mappings: &mut Vec<TypeMapping>,
    document: Document,
) -> Result<(), Vec<Fault>> {
    let mut check = Check { store, schema, faults: Vec::new() };
    if let Some(part) = &document.schema {
        check.types(part);
    }
    if let Some(parts) = &document.mappings {
        check.mappings(parts, document.schema.as_ref());
    }
    if !check.faults.is_empty() {
        return Err(check.faults);
    }
    if let Some(part) = document.schema {
        write_schema(store, schema, part);
    }
    for part in document.mappings.unwrap_or_default() {
        let Some(of) = find_type(store, schema, part.type_external_id.as_deref(), &part.type_name) else { continue };
        let attributes = part.attributes.iter();
        let attributes =
            attributes.filter_map(|a| find_attribute(&store.types[of], a.external_id.as_deref(), &a.name)).collect();
        let mapping = TypeMapping { of, part, attributes };
        match mappings.iter_mut().find(|known| known.of == of) {
            Some(known) => *known = mapping,
            None => mappings.push(mapping),
        }
    }
    Ok(())
}

/// A type of the schema by its external id, or by its name where the document has no external ids.
fn find_type(store: &Store, schema: usize, external_id: Option<&str>, name: &str) -> Option<TypeIx> {
    store.types.iter().position(|of| match external_id {
        Some(id) => of.external_id == id && of.schema == schema,
        None => of.name == name && of.schema == schema,
    })
}

fn find_attribute(of: &ObjectType, external_id: Option<&str>, name: &str) -> Option<u16> {
    let position = of.attributes.iter().position(|attribute| match external_id {
        Some(id) => attribute.external_id == id && attribute.kind.is_importable(),
        None => attribute.name == name && attribute.kind.is_importable(),
    });
    position.map(|at| at as u16)
}

struct Check<'s> {
    store: &'s Store,
    schema: usize,
    faults: Vec<Fault>,
}

impl Check<'_> {
    fn fault(&mut self, code: &'static str, path: &str, message: String) {
        self.faults.push(Fault::new(code, path, message));
    }

    fn types(&mut self, document: &SchemaPart) {
        for (n, part) in document.types.iter().enumerate() {
            let store = self.store;
            if let Some(id) = &part.external_id
                && store.types.iter().any(|of| &of.external_id == id && of.schema != self.schema)
            {
                self.fault("EXTERNAL_ID_NOT_UNIQUE", &part.path, format!("`{id}` is used in another object schema"));
            }
            if document.types[..n].iter().any(|earlier| earlier.name == part.name && earlier.parent == part.parent) {
                self.fault("DUPLICATE_NAME", &part.path, format!("the object type `{}` occurs twice", part.name));
            }
            if let Some(key) = &part.icon_key
                && !document.icons.iter().chain(&store.schemas[self.schema].icons).any(|(known, _)| known == key)
            {
                self.fault("UNKNOWN_ICON", &part.path, format!("there is no icon `{key}`"));
            }
            let known = find_type(store, self.schema, part.external_id.as_deref(), &part.name);
            if let Some(known) = known
                && store.types[known].name != part.name
            {
                let message = format!("`{}` cannot be renamed to `{}`", store.types[known].name, part.name);
                self.fault("RENAME_NOT_ALLOWED", &part.path, message);
            }
            if known.is_none() && store.types.iter().any(|of| of.schema == self.schema && of.name == part.name) {
                let message =
                    format!("an object type `{}` already exists, but the external id is different", part.name);
                self.fault("EXTERNAL_ID_MISMATCH", &part.path, message);
            }
            for attribute in &part.attributes {
                self.attribute(document, known, attribute);
            }
        }
    }

    fn attribute(&mut self, document: &SchemaPart, of: Option<TypeIx>, part: &AttributePart) {
        let store = self.store;
        if part.is_system() {
            return;
        }
        if part.kind == AttributeKind::Reference && self.target(document, part).is_none() {
            let wanted = part.target_external_id.as_ref().or(part.target_name.as_ref());
            let message = format!("the referenced object type {wanted:?} is unknown");
            self.fault("UNKNOWN_REFERENCED_TYPE", &part.path, message);
        }
        for value in &part.type_values {
            let statuses = document.statuses.iter().chain(&store.schemas[self.schema].statuses);
            if !statuses.into_iter().any(|status| &status.name == value) {
                self.fault("UNKNOWN_STATUS", &part.path, format!("there is no status `{value}`"));
            }
        }
        let elsewhere = store.types.iter().enumerate().filter(|(ix, _)| Some(*ix) != of);
        let taken =
            |other: &ObjectType| other.attributes.iter().any(|a| Some(&a.external_id) == part.external_id.as_ref());
        if elsewhere.into_iter().any(|(_, other)| taken(other)) {
            let message = format!("{:?} is used by another object type", part.external_id);
            self.fault("EXTERNAL_ID_NOT_UNIQUE", &part.path, message);
        }
        let Some(of) = of.map(|of| &store.types[of]) else { return };
        match find_attribute(of, part.external_id.as_deref(), &part.name) {
            Some(at) => self.unchanged(document, &of.attributes[at as usize], part),
            None if of.attributes.iter().any(|a| a.name == part.name && !a.system) => {
                let message = format!("`{}` already has an attribute `{}`", of.name, part.name);
                self.fault("DUPLICATE_NAME", &part.path, message);
            }
            None => {}
        }
    }

    fn unchanged(&mut self, document: &SchemaPart, known: &Attribute, part: &AttributePart) {
        if known.name != part.name {
            let message = format!("`{}` cannot be renamed to `{}`", known.name, part.name);
            self.fault("RENAME_NOT_ALLOWED", &part.path, message);
        }
        if known.kind != part.kind {
            let message = format!("`{}` cannot change from {} to {}", known.name, known.kind.name(), part.kind.name());
            self.fault("TYPE_CHANGE_NOT_ALLOWED", &part.path, message);
        }
        let target = known.target.map(|target| self.store.types[target].name.clone());
        if part.kind == AttributeKind::Reference
            && known.kind == AttributeKind::Reference
            && self.target(document, part) != target
        {
            let message = format!("`{}` cannot refer to another object type", known.name);
            self.fault("TYPE_CHANGE_NOT_ALLOWED", &part.path, message);
        }
    }

    /// The name of the type that an attribute refers to, in the document or in the store.
    fn target(&self, document: &SchemaPart, part: &AttributePart) -> Option<String> {
        let in_document = document.types.iter().find(|of| match &part.target_external_id {
            Some(id) => of.external_id.as_ref() == Some(id),
            None => Some(&of.name) == part.target_name.as_ref(),
        });
        if let Some(of) = in_document {
            return Some(of.name.clone());
        }
        let name = part.target_name.as_deref().unwrap_or("");
        let known = find_type(self.store, self.schema, part.target_external_id.as_deref(), name);
        known.map(|of| self.store.types[of].name.clone())
    }

    fn mappings(&mut self, parts: &[MappingPart], document: Option<&SchemaPart>) {
        for part in parts {
            let external_id = part.type_external_id.as_deref();
            let known = find_type(self.store, self.schema, external_id, &part.type_name);
            let known = known.map(|of| &self.store.types[of]);
            let new =
                document.and_then(|schema| schema.types.iter().find(|of| is_type(of, external_id, &part.type_name)));
            if known.is_none() && new.is_none() {
                let message = format!("no object type has the external id {external_id:?} (`{}`)", part.type_name);
                self.fault("UNKNOWN_EXTERNAL_ID_MAPPING", &part.path, message);
                continue;
            }
            for attribute in &part.attributes {
                let id = attribute.external_id.as_deref();
                let is_new = |a: &AttributePart| match id {
                    Some(id) => a.external_id.as_deref() == Some(id),
                    None => a.name == attribute.name,
                };
                let exists = known.is_some_and(|of| find_attribute(of, id, &attribute.name).is_some())
                    || new.is_some_and(|of| of.attributes.iter().any(is_new));
                if !exists {
                    let message = format!("no attribute has the external id {id:?} (`{}`)", attribute.name);
                    self.fault("UNKNOWN_EXTERNAL_ID_MAPPING", &attribute.path, message);
                }
            }
        }
    }
}

fn is_type(of: &TypePart, external_id: Option<&str>, name: &str) -> bool {
    match external_id {
        Some(id) => of.external_id.as_deref() == Some(id),
        None => of.name == name,
    }
}

fn write_schema(store: &mut Store, schema: usize, part: SchemaPart) {
    let known = &mut store.schemas[schema];
    known.name = part.name;
    known.description = part.description;
    for status in part.statuses {
        match known.statuses.iter_mut().find(|old| old.name == status.name) {
            Some(old) => *old = status,
            None => known.statuses.push(status),
        }
    }
    for icon in part.icons {
        if !known.icons.iter().any(|(key, _)| *key == icon.0) {
            known.icons.push(icon);
        }
    }
    // Types first: attributes may refer to a type that comes later, or to their own.
    let mut places = Vec::with_capacity(part.types.len());
    for of in &part.types {
        let parent = of.parent.map(|at: usize| places[at]);
        places.push(write_type(store, schema, parent, of));
    }
    for (of, place) in part.types.into_iter().zip(places) {
        for attribute in of.attributes {
            write_attribute(store, schema, place, attribute);
        }
    }
}

fn write_type(store: &mut Store, schema: usize, parent: Option<TypeIx>, part: &TypePart) -> TypeIx {
    if let Some(known) = find_type(store, schema, part.external_id.as_deref(), &part.name) {
        store.types[known].description.clone_from(&part.description);
        if part.icon_key.is_some() {
            store.types[known].icon_key.clone_from(&part.icon_key);
        }
        return known;
    }
    let new = ObjectType {
        id: store.next_type_id(),
        schema,
        parent,
        name: part.name.clone(),
        description: part.description.clone(),
        external_id: part.external_id.clone().unwrap_or_else(made_external_id),
        icon_key: part.icon_key.clone(),
        attributes: Vec::new(),
        objects: Vec::new(),
    };
    store.types.push(new);
    let place = store.types.len() - 1;
    for name in SYSTEM_ATTRIBUTES {
        let kind = if name == "Key" { AttributeKind::Text } else { AttributeKind::DateTime };
        let key = attribute(store, name, kind);
        store.types[place].attributes.push(Attribute { system: true, ..key });
    }
    place
}

pub(super) fn made_external_id() -> String {
    format!("cmdb::externalId/{}", random_id())
}

/// An attribute with Assets' defaults.
pub(super) fn attribute(store: &mut Store, name: &str, kind: AttributeKind) -> Attribute {
    Attribute {
        id: store.next_attribute_id(),
        name: name.to_owned(),
        description: String::new(),
        external_id: made_external_id(),
        kind,
        label: false,
        minimum: 0,
        maximum: 1,
        unique: false,
        target: None,
        type_values: Vec::new(),
        system: false,
    }
}

fn write_attribute(store: &mut Store, schema: usize, place: TypeIx, part: AttributePart) {
    if part.is_system() {
        return;
    }
    let by_name = part.target_name.as_deref().unwrap_or("");
    let target = match part.kind {
        AttributeKind::Reference => find_type(store, schema, part.target_external_id.as_deref(), by_name),
        _ => None,
    };
    let known = find_attribute(&store.types[place], part.external_id.as_deref(), &part.name);
    let at = match known {
        Some(at) => at as usize,
        None => {
            let mut new = attribute(store, &part.name, part.kind);
            new.target = target;
            if let Some(id) = part.external_id {
                new.external_id = id;
            }
            store.types[place].attributes.push(new);
            store.types[place].attributes.len() - 1
        }
    };
    let is_label = part.label == Some(true);
    if is_label {
        store.types[place].attributes.iter_mut().for_each(|a| a.label = false);
    }
    let written = &mut store.types[place].attributes[at];
    written.description = part.description;
    written.label |= is_label;
    written.minimum = part.minimum.unwrap_or(written.minimum).max(i64::from(written.label));
    written.maximum = part.maximum.unwrap_or(written.maximum);
    written.unique = part.unique.unwrap_or(written.unique);
    for value in part.type_values {
        if !written.type_values.contains(&value) {
            written.type_values.push(value);
        }
    }
}
