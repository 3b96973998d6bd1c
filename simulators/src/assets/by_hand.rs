//! What a person makes in the pages of Assets: object types and attributes, to which Assets gives external ids of its own.
//! Source: docs/assets.md, «Existing object types».

use super::document::SYSTEM_ATTRIBUTES;
use super::mapping::{attribute, made_external_id};
use super::state::State;
use super::store::{Attribute, AttributeKind, ObjectType, TypeIx};
use serde::Deserialize;

/// An attribute of an object type that a person makes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttributeByHand {
    pub name: String,
    /// As in the schema document, or `user` and `group`, which documents do not have. Empty: `text`.
    pub r#type: String,
    /// The object type that a reference leads to; its own type if it has that name.
    pub refers_to: Option<String>,
    pub unique: bool,
    pub minimum: i64,
    /// -1: no limit; 0 stands for 1.
    pub maximum: i64,
    /// One that has no external id, so that no import can fill it.
    pub without_external_id: bool,
}

impl AttributeByHand {
    /// An attribute of one value.
    pub fn new(name: &str, of_type: &str) -> Self {
        Self { name: name.to_owned(), r#type: of_type.to_owned(), ..Self::default() }
    }

    /// References to objects of a type.
    pub fn references(name: &str, refers_to: &str) -> Self {
        Self { refers_to: Some(refers_to.to_owned()), maximum: -1, ..Self::new(name, "referenced_object") }
    }

    /// The same, with another value for each object.
    #[must_use]
    pub fn unique(self) -> Self {
        Self { unique: true, ..self }
    }
}

/// Makes an object type in the object schema of an import source. Its first attribute is the label.
pub(super) fn add_type(
    state: &mut State,
    source: &str,
    name: &str,
    parent: Option<&str>,
    attributes: &[AttributeByHand],
) -> Result<(), String> {
    let source = state.source(source).ok_or("there is no such import source")?;
    let schema = state.sources[source].schema;
    let find = |state: &State, name: &str| {
        let found = state.store.types.iter().position(|of| of.schema == schema && of.name == name);
        found.ok_or_else(|| format!("there is no object type `{name}`"))
    };
    if find(state, name).is_ok() {
        return Err(format!("there already is an object type `{name}`"));
    }
    let parent = parent.map(|parent| find(state, parent)).transpose()?;
    let new = ObjectType {
        id: state.store.next_type_id(),
        schema,
        parent,
        name: name.to_owned(),
        description: String::new(),
        external_id: made_external_id(),
        icon_key: None,
        attributes: Vec::new(),
        objects: Vec::new(),
    };
    state.store.types.push(new);
    let place = state.store.types.len() - 1;
    for name in SYSTEM_ATTRIBUTES {
        let kind = if name == "Key" { AttributeKind::Text } else { AttributeKind::DateTime };
        let own = attribute(&mut state.store, name, kind);
        state.store.types[place].attributes.push(Attribute { system: true, ..own });
    }
    for (position, wanted) in attributes.iter().enumerate() {
        let target = wanted.refers_to.as_deref().map(|target| find(state, target)).transpose()?;
        add_attribute(state, place, wanted, target, position == 0)?;
    }
    Ok(())
}

/// Gives an attribute another name.
pub(super) fn rename_attribute(state: &mut State, type_name: &str, name: &str, new: &str) -> Result<(), String> {
    let attributes = state.store.types.iter_mut().filter(|of| of.name == type_name).flat_map(|of| &mut of.attributes);
    let found = attributes.into_iter().find(|attribute| attribute.name == name);
    found.map(|attribute| attribute.name = new.to_owned()).ok_or_else(|| format!("there is no attribute `{name}`"))
}

fn add_attribute(
    state: &mut State,
    place: TypeIx,
    wanted: &AttributeByHand,
    target: Option<TypeIx>,
    label: bool,
) -> Result<(), String> {
    let kind = if wanted.r#type.is_empty() { "text" } else { &wanted.r#type };
    let kind = AttributeKind::by_name(kind).ok_or_else(|| format!("`{kind}` is not an attribute type"))?;
    if (kind == AttributeKind::Reference) != target.is_some() {
        return Err(format!("`{}` needs an object type that it refers to", wanted.name));
    }
    let mut new = attribute(&mut state.store, &wanted.name, kind);
    (new.label, new.unique, new.target) = (label, wanted.unique, target);
    new.minimum = wanted.minimum.max(i64::from(label));
    new.maximum = if wanted.maximum == 0 { 1 } else { wanted.maximum };
    if wanted.without_external_id {
        new.external_id = String::new();
    }
    state.store.types[place].attributes.push(new);
    Ok(())
}
