//! Object types that the object schema has already: made by a person, by another importer, by a file. The job says which
//! of their attributes gets which of ours; nothing of theirs is built, renamed or changed.
//! Source: docs/assets.md, «Existing object types».

use super::current::{Current, attribute_named, list, text};
use super::names::{ASSETS_OWN_NAMES, MAX_ATTRIBUTES, unknown, wrong_name};
use crate::directory::attributes::{attribute, attributes, is_of_tenant};
use crate::directory::{Attribute, ObjectType};
use crate::error::{Faults, pointer_part};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Properties of which no two objects of a directory have the same value, apart from the id.
const IDENTITIES: [&str; 12] = [
    "userPrincipalName",
    "mail",
    "employeeId",
    "mailNickname",
    "onPremisesImmutableId",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesUserPrincipalName",
    "securityIdentifier",
    "uniqueName",
    "skuPartNumber",
    "deviceId",
];

/// An object type that the object schema has already, and what is written into it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExistingType {
    /// Its name in Assets, or its external id, as `GET /v1/destinations/{id}/types` lists them.
    #[schema(min_length = 1, max_length = 255)]
    pub object_type: String,
    /// The key of the attribute by which Assets recognises an object: the id (`objectId`, of licences `skuId`), or
    /// another property that no two objects share, such as `userPrincipalName` or `mail`. It must be one of `attributes`.
    #[schema(min_length = 1, max_length = 255)]
    pub identity: String,
    /// What is written where: by the key of one of our attributes (`GET /v1/attributes`), the name or the external id of
    /// an attribute of the object type. Attributes that are not named here are never touched.
    #[schema(value_type = BTreeMap<String, String>)]
    pub attributes: BTreeMap<String, String>,
    /// The key of another attribute by which objects in Assets that have no identity yet are recognised, once: `mail`. The
    /// object API then writes the identity into those that are one object on both sides, after an approval. Needs `api` in
    /// the destination.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 255)]
    pub match_by: Option<String>,
}

/// The key of the attribute with the id of the directory.
pub(super) fn id_key(object_type: ObjectType) -> &'static str {
    let id = attributes(object_type).iter().find(|attribute| attribute.is_identity());
    id.map_or("objectId", |attribute| attribute.key.as_ref())
}

/// Whether an attribute can tell the objects of a type apart.
pub(super) fn can_identify(attribute: &Attribute) -> bool {
    attribute.is_identity() || IDENTITIES.contains(&attribute.key.as_ref())
}

impl ExistingType {
    /// Adds all faults that can be seen without Assets. `pointer` is its place in the job:
    /// `/objects/users/existing`.
    pub(super) fn check(&self, object_type: ObjectType, pointer: &str, faults: &mut Faults) {
        if self.object_type.trim().is_empty() {
            faults.push(format!("{pointer}/objectType"), "invalid_name", "Name an object type of the object schema.");
        }
        if self.attributes.len() > MAX_ATTRIBUTES {
            let detail = format!("An object type can have at most {MAX_ATTRIBUTES} attributes.");
            faults.push(format!("{pointer}/attributes"), "too_many", detail);
            return;
        }
        let mut taken: Vec<(String, &str)> = Vec::new();
        for (key, name) in &self.attributes {
            let pointer = format!("{pointer}/attributes/{}", pointer_part(key));
            if attribute(object_type, key).is_none() {
                faults.push(pointer, "unknown_attribute", unknown(object_type, key));
                continue;
            }
            let folded = name.trim().to_lowercase();
            if let Some(detail) = wrong_name(name) {
                faults.push(pointer, "invalid_name", detail);
            } else if ASSETS_OWN_NAMES.contains(&folded.as_str()) {
                let detail = format!("`{}` is an attribute that Assets itself fills.", name.trim());
                faults.push(pointer, "reserved_name", detail);
            } else if let Some((_, first)) = taken.iter().find(|(known, _)| *known == folded) {
                let detail =
                    format!("`{}` is filled from `{first}` already; one attribute takes one value.", name.trim());
                faults.push(pointer, "mapped_twice", detail);
            }
            taken.push((folded, key));
        }
        self.check_identity(object_type, pointer, faults);
        self.check_match_by(object_type, pointer, faults);
    }

    fn check_identity(&self, object_type: ObjectType, pointer: &str, faults: &mut Faults) {
        let pointer = format!("{pointer}/identity");
        match attribute(object_type, &self.identity) {
            None => faults.push(pointer, "unknown_attribute", unknown(object_type, &self.identity)),
            Some(identity) if !can_identify(&identity) => {
                let detail = format!(
                    "Several {object_type} can have the same `{}`, so it cannot tell them apart. Use the id, or a property \
                     such as `userPrincipalName` or `mail`.",
                    self.identity
                );
                faults.push(pointer, "not_an_identity", detail);
            }
            Some(_) if !self.attributes.contains_key(&self.identity) => {
                let detail =
                    format!("`attributes` does not say which attribute of the object type holds `{}`.", self.identity);
                faults.push(pointer, "identity_not_mapped", detail);
            }
            Some(_) => {}
        }
    }

    fn check_match_by(&self, object_type: ObjectType, pointer: &str, faults: &mut Faults) {
        let Some(key) = &self.match_by else { return };
        let pointer = format!("{pointer}/matchBy");
        match attribute(object_type, key) {
            None => faults.push(pointer, "unknown_attribute", unknown(object_type, key)),
            Some(by) if !can_identify(&by) => {
                let detail = format!("Several {object_type} can have the same `{key}`, so it cannot tell them apart.");
                faults.push(pointer, "not_an_identity", detail);
            }
            Some(_) if *key == self.identity => {
                faults.push(pointer, "duplicate", "It is the identity already.");
            }
            Some(_) if !self.attributes.contains_key(key) => {
                let detail = format!("`attributes` does not say which attribute of the object type holds `{key}`.");
                faults.push(pointer, "identity_not_mapped", detail);
            }
            Some(_) => {}
        }
    }

    /// The attributes of ours that are written, in the order of the table.
    pub(super) fn chosen(&self, object_type: ObjectType) -> Vec<Attribute> {
        let known = attributes(object_type).iter();
        let known = known.filter(|attribute| self.attributes.contains_key(attribute.key.as_ref())).cloned();
        let of_tenant = self.attributes.keys().filter(|key| is_of_tenant(key));
        known.chain(of_tenant.filter_map(|key| attribute(object_type, key))).collect()
    }

    /// The object type in Assets.
    pub(super) fn find<'c>(&self, current: &'c Current) -> Option<&'c Value> {
        let wanted = self.object_type.trim();
        current.types.iter().find(|of| text(of, "externalId") == wanted).or_else(|| current.type_named(wanted))
    }
}

/// The attribute of an object type with this name or external id.
pub(super) fn attribute_of<'v>(of: &'v Value, name: &str) -> Option<&'v Value> {
    list(of, "attributes").find(|attribute| text(attribute, "externalId") == name).or_else(|| attribute_named(of, name))
}

/// The object types of the object schema as Assets has them, with those of ours in their places and behind them. What has
/// no external id is left out: a document has them everywhere or nowhere.
pub(super) fn whole_schema(roots: &[Value], mut own: Vec<Value>) -> Vec<Value> {
    let mut types: Vec<Value> = roots.iter().filter_map(|of| as_it_is(of, &mut own)).collect();
    types.extend(own);
    types
}

fn as_it_is(found: &Value, own: &mut Vec<Value>) -> Option<Value> {
    const FIELDS: [&str; 4] = ["externalId", "name", "description", "iconKey"];
    let id = text(found, "externalId");
    if id.is_empty() {
        return None;
    }
    let mut of = match own.iter().position(|of| text(of, "externalId") == id) {
        Some(place) => own.remove(place),
        None => {
            let attributes = list(found, "attributes").filter(|of| !text(of, "externalId").is_empty());
            let attributes: Vec<Value> = attributes.map(attribute_as_it_is).collect();
            let mut of = fields(found, &FIELDS);
            of.insert("attributes".to_owned(), attributes.into());
            Value::Object(of)
        }
    };
    let children: Vec<Value> = list(found, "children").filter_map(|child| as_it_is(child, own)).collect();
    if !children.is_empty() {
        of["children"] = children.into();
    }
    Some(of)
}

fn attribute_as_it_is(found: &Value) -> Value {
    const FIELDS: [&str; 11] = [
        "externalId",
        "name",
        "description",
        "type",
        "label",
        "minimumCardinality",
        "maximumCardinality",
        "unique",
        "referenceObjectTypeExternalId",
        "referenceObjectTypeName",
        "typeValues",
    ];
    Value::Object(fields(found, &FIELDS))
}

/// These fields of what Assets answered, without those that are null. A description is required.
fn fields(found: &Value, names: &[&str]) -> Map<String, Value> {
    let mut kept: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), found.get(*name).filter(|value| !value.is_null())?.clone())))
        .collect();
    kept.entry("description").or_insert_with(|| "".into());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tenant_made_is_written_too() {
        let extension = "extension_0123456789abcdef0123456789abcdef_code";
        let security = "customSecurityAttributes_Engineering_Project";
        let attributes = [("mail", "Mail"), (extension, "Code"), (security, "Project"), ("nonsense", "None")];
        let existing = ExistingType {
            object_type: "Person".to_owned(),
            identity: "mail".to_owned(),
            attributes: attributes.map(|(key, name)| (key.to_owned(), name.to_owned())).into(),
            match_by: None,
        };
        let chosen = existing.chosen(ObjectType::Users);
        let keys: Vec<&str> = chosen.iter().map(|attribute| attribute.key.as_ref()).collect();
        assert_eq!(keys, ["mail", security, extension]);
    }
}
