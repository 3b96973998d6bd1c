//! What is in the store, for comparing with the directory.

use super::store::{AttributeKind, ObjectIx, Store, TypeIx};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many objects each type has, and how many references each of its reference attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// By the name of the object type.
    pub objects: BTreeMap<String, usize>,
    /// By the name of the object type, then of the attribute.
    pub references: BTreeMap<String, BTreeMap<String, usize>>,
}

/// One object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetsObject {
    pub id: String,
    pub key: String,
    pub label: String,
    /// By the name of the attribute; a reference shows the identity of the object it leads to: the value of
    /// the attribute that is part of the external id, else the key.
    pub values: BTreeMap<String, Vec<String>>,
}

pub(super) fn counts(store: &Store) -> Counts {
    let mut counts = Counts::default();
    for of in &store.types {
        *counts.objects.entry(of.name.clone()).or_default() += of.objects.len();
        let mut found = vec![0usize; of.attributes.len()];
        for object in of.objects.iter().filter_map(|ix| store.get(*ix)) {
            object.values.iter().for_each(|(attribute, _)| found[*attribute as usize] += 1);
        }
        for (attribute, found) in of.attributes.iter().zip(found).filter(|(a, _)| a.kind == AttributeKind::Reference) {
            *counts.references.entry(of.name.clone()).or_default().entry(attribute.name.clone()).or_default() += found;
        }
    }
    counts
}

pub(super) fn attribute_kinds(store: &Store, type_name: &str) -> BTreeMap<String, String> {
    let attributes = store.types.iter().filter(|of| of.name == type_name).flat_map(|of| &of.attributes);
    attributes.map(|attribute| (attribute.name.clone(), attribute.kind.name().to_owned())).collect()
}

/// The objects of one type in the order of their ids. `identity` gives the identity attribute of a type.
pub(super) fn objects(store: &Store, of: TypeIx, identity: &impl Fn(TypeIx) -> Option<u16>) -> Vec<AssetsObject> {
    store.types[of].objects.iter().map(|ix| object(store, *ix, identity)).collect()
}

fn object(store: &Store, ix: ObjectIx, identity: &impl Fn(TypeIx) -> Option<u16>) -> AssetsObject {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let Some(found) = store.get(ix) {
        for (at, value) in &found.values {
            let attribute = &store.types[found.of].attributes[*at as usize];
            let text = match attribute.target {
                Some(target) => {
                    let named = identity(target).and_then(|at| store.text(*value, at)).map(str::to_owned);
                    named.unwrap_or_else(|| store.key(*value))
                }
                None => store.strings.get(*value).to_owned(),
            };
            values.entry(attribute.name.clone()).or_default().push(text);
        }
    }
    values.values_mut().for_each(|texts| texts.sort());
    AssetsObject { id: Store::id(ix), key: store.key(ix), label: store.label(ix).to_owned(), values }
}
