//! The schema and mapping document (version 2023_10_19), which is sent to an import source before the first import and
//! after changes. Sources: docs/assets.md, «Schema and mapping document»; <https://developer.atlassian.com/cloud/assets/imports-rest-api-guide/schema-and-mapping>.
//!
//! The code relies on these rules. Either all object types and attributes have external ids, or none. External ids are
//! unique across all object schemas of a site. Cardinality and uniqueness take effect only with external ids. A mapping
//! finds its objects by the attributes marked `externalIdPart`.

use super::current::{Current, Names, attribute_named, text};
use super::existing::{ExistingType, attribute_of, whole_schema};
use super::lookup::LookupTarget;
use super::{MappedAttribute, Mapping, ReferenceTemplate, TypeMapping};
use crate::directory::{Attribute, AttributeSource, Expiry, Lifecycle, Link, ObjectType, ValueType};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// The import source that a document is for.
#[derive(Clone, Copy, Debug)]
pub struct ImportSource<'a> {
    /// The id of the import source. External ids contain it, because two object schemas of a site must not share them.
    /// They stay the same as long as the import source exists.
    pub id: &'a str,
    /// The name of the object schema that the import source belongs to.
    pub schema_name: &'a str,
}

impl Mapping {
    /// The document for an import source that has no schema yet.
    pub fn document(&self, source: ImportSource<'_>) -> Value {
        self.write(source, &ExternalIds::new(source.id), &Names(None))
    }

    /// The document for an import source that already has a schema (`current` is the response to GET
    /// schema-and-mapping). Names and types of attributes stay as they are in Assets, which does not allow changes.
    /// Attributes of others keep their mapping.
    pub fn patch(&self, source: ImportSource<'_>, current: &Value) -> Value {
        let current = Current::read(current);
        let ids = self.external_ids(source, &current);
        let mut document = self.write(source, &ids, &Names(Some(&current)));
        // Of an object type that the job maps, the job alone says how it is filled.
        let mapped = self.types.iter().filter(|mapped| mapped.existing.is_some());
        let mapped: Vec<String> = mapped.map(|mapped| ids.object_type(mapped.object_type)).collect();
        current.keep_foreign_mappings(&mut document, &mapped);
        document
    }

    /// The external ids of this mapping. Object types and attributes that the object schema has from an earlier import
    /// source, or from a person, are recognised by their names and keep the ids that they have: Assets refuses others. Once
    /// they are mapped, the mapping says which they are, whatever name the job has for them.
    pub(super) fn external_ids(&self, source: ImportSource<'_>, current: &Current) -> ExternalIds {
        let mut ids = ExternalIds::new(source.id);
        for mapped in &self.types {
            ids.find_lookups(mapped, current);
            if let Some(existing) = &mapped.existing {
                ids.adopt_existing(existing, mapped, current);
                continue;
            }
            let own = ids.object_type(mapped.object_type);
            let mine = current.by_id.get(&own).or_else(|| current.mapped_type(Mapping::selector(mapped.object_type)));
            let others = || current.type_named(&mapped.name).filter(|found| !ids.is_ours(text(found, "externalId")));
            let Some(of) = mine.or_else(others) else { continue };
            ids.adopt(own, text(of, "externalId"));
            for MappedAttribute { attribute, name, .. } in &mapped.attributes {
                let own = ids.attribute(mapped.object_type, attribute);
                let mine = current.by_id.get(&own).or_else(|| current.mapped_attribute(of, &attribute.key));
                let others = || attribute_named(of, name).filter(|found| !ids.is_ours(text(found, "externalId")));
                if let Some(found) = mine.or_else(others) {
                    ids.adopt(own, text(found, "externalId"));
                }
            }
        }
        ids
    }

    /// An object type that this import source would take over and that one of `others` built, which is in use.
    pub fn built_by_others(&self, source: ImportSource<'_>, current: &Value, others: &[String]) -> Option<&str> {
        let current = Current::read(current);
        let ids = self.external_ids(source, &current);
        let others: Vec<ExternalIds> = others.iter().map(|other| ExternalIds::new(other)).collect();
        let is_theirs = |mapped: &&TypeMapping| {
            let id = ids.object_type(mapped.object_type);
            !current.mappings.contains_key(&id) && others.iter().any(|other| other.is_ours(&id))
        };
        self.types.iter().filter(|mapped| mapped.enabled).find(is_theirs).map(|mapped| mapped.name.as_str())
    }

    /// The names in Assets of the object types and of the attributes with the directory's id, which may have been renamed
    /// there: type, its name, the name of the attribute, which is empty where none holds the id.
    pub fn names_in(&self, source: ImportSource<'_>, current: &Value) -> Vec<(ObjectType, String, String)> {
        let current = Current::read(current);
        let ids = self.external_ids(source, &current);
        let names = Names(Some(&current));
        let name = |mapped: &TypeMapping| {
            let identity = mapped.attributes.iter().find(|of| of.attribute.is_identity());
            let identity = identity.map(|identity| {
                names.name(&ids.attribute(mapped.object_type, &identity.attribute), &identity.name).to_owned()
            });
            (
                mapped.object_type,
                names.name(&ids.object_type(mapped.object_type), &mapped.name).to_owned(),
                identity.unwrap_or_default(),
            )
        };
        self.types.iter().map(name).collect()
    }

    /// What the lookups of an object type lead to, by the keys of their references.
    pub fn lookup_targets_in(
        &self,
        source: ImportSource<'_>,
        current: &Value,
        object_type: ObjectType,
    ) -> BTreeMap<String, LookupTarget> {
        let ids = self.external_ids(source, &Current::read(current));
        let found = ids.lookups.into_iter().filter(|((of, _), _)| *of == object_type);
        found.map(|((_, key), target)| (key, target)).collect()
    }

    /// The names in Assets of the attributes of an object type, by their keys.
    pub fn attribute_names_in(
        &self,
        source: ImportSource<'_>,
        current: &Value,
        object_type: ObjectType,
    ) -> BTreeMap<String, String> {
        let current = Current::read(current);
        let ids = self.external_ids(source, &current);
        let names = Names(Some(&current));
        let name = |mapped: &MappedAttribute| {
            let id = ids.attribute(object_type, &mapped.attribute);
            (mapped.attribute.key.clone().into_owned(), names.name(&id, &mapped.name).to_owned())
        };
        self.of(object_type).attributes.iter().map(name).collect()
    }

    pub(super) fn write_with(&self, source: ImportSource<'_>, current: &Current) -> Value {
        self.write(source, &self.external_ids(source, current), &Names(Some(current)))
    }

    pub(super) fn write(&self, source: ImportSource<'_>, ids: &ExternalIds, names: &Names<'_>) -> Value {
        let enabled = || self.types.iter().filter(|mapped| mapped.enabled);
        let built = enabled().filter(|mapped| mapped.existing.is_none());
        let types: Vec<Value> = built.map(|mapped| self.object_type(mapped, ids, names)).collect();
        let mappings: Vec<Value> = enabled().map(|mapped| self.type_mapping(mapped, ids, names)).collect();
        let lifecycle = Lifecycle::ALL.into_iter().map(status);
        let expires = |mapped: &TypeMapping| mapped.attributes.iter().any(|of| is_expiry(&of.attribute));
        let expiry = Expiry::ALL.into_iter().filter(|_| enabled().any(expires)).map(expiry_status);
        let statuses: Vec<Value> = lifecycle.chain(expiry).collect();
        let refers_to_others = |mapped: &TypeMapping| mapped.attributes.iter().any(|of| of.lookup.is_some());
        let is_beside = enabled().any(|mapped| mapped.existing.is_some() || refers_to_others(mapped));
        if let (Some(current), true) = (names.0, is_beside) {
            return self.beside(source, current, types, statuses, mappings);
        }
        json!({
            "$schema": "https://api.atlassian.com/jsm/insight/imports/external/schema/versions/2023_10_19",
            "schema": {
                "objectSchema": {
                    "name": source.schema_name,
                    "description": "Users, groups and licences of a Microsoft Entra ID directory",
                    "objectTypes": types,
                },
                "statusSchema": { "statuses": statuses },
            },
            "mapping": { "objectTypeMappings": mappings },
        })
    }

    /// The document for an object schema with types of others: these are as Assets has them, and so are its description
    /// and its statuses.
    fn beside(
        &self,
        source: ImportSource<'_>,
        current: &Current,
        own: Vec<Value>,
        wanted: Vec<Value>,
        mappings: Vec<Value>,
    ) -> Value {
        let mut statuses: Vec<Value> = current.statuses.clone();
        let is_new = |status: &Value| !current.statuses.iter().any(|known| known["name"] == status["name"]);
        statuses.extend(wanted.into_iter().filter(|status| !own.is_empty() && is_new(status)));
        let mut schema = json!({
            "objectSchema": {
                "name": source.schema_name,
                "description": current.description,
                "objectTypes": whole_schema(&current.roots, own),
            },
        });
        if !statuses.is_empty() {
            schema["statusSchema"] = json!({ "statuses": statuses });
        }
        json!({
            "$schema": "https://api.atlassian.com/jsm/insight/imports/external/schema/versions/2023_10_19",
            "schema": schema,
            "mapping": { "objectTypeMappings": mappings },
        })
    }

    fn object_type(&self, mapped: &TypeMapping, ids: &ExternalIds, names: &Names<'_>) -> Value {
        let attributes: Vec<Value> = mapped
            .attributes
            .iter()
            .map(|attribute| self.attribute(mapped.object_type, attribute, ids, names))
            .collect();
        json!({
            "externalId": ids.object_type(mapped.object_type),
            "name": names.name(&ids.object_type(mapped.object_type), &mapped.name),
            "description": mapped.object_type.spec().description,
            "attributes": attributes,
        })
    }

    fn attribute(
        &self,
        object_type: ObjectType,
        mapped: &MappedAttribute,
        ids: &ExternalIds,
        names: &Names<'_>,
    ) -> Value {
        let attribute = &mapped.attribute;
        let id = ids.attribute(object_type, attribute);
        let is_label = attribute.is_label();
        let is_identity = attribute.is_identity();
        let mut value = json!({
            "name": names.name(&id, &mapped.name),
            "description": attribute.description,
            "type": names.value_type(&id, attribute.value_type),
            "label": is_label,
            "minimumCardinality": i32::from(is_label || is_identity),
            "maximumCardinality": if attribute.is_many() { -1 } else { 1 },
            "unique": is_identity,
            "externalId": id,
        });
        if let Some(link) = attribute.link() {
            let target = self.of(link.target());
            value["referenceObjectTypeExternalId"] = ids.object_type(target.object_type).into();
            value["referenceObjectTypeName"] = names.name(&ids.object_type(target.object_type), &target.name).into();
        }
        if let Some(lookup) = &mapped.lookup {
            match ids.lookup(object_type, attribute) {
                Some(target) => {
                    value["referenceObjectTypeExternalId"] = target.external_id.as_str().into();
                    value["referenceObjectTypeName"] = target.object_type.as_str().into();
                }
                // Assets was not asked, or it does not fit: then nothing is sent.
                None => value["referenceObjectTypeName"] = lookup.lookup.object_type.trim().into(),
            }
        }
        if attribute.value_type == ValueType::Status {
            value["typeValues"] = match is_expiry(attribute) {
                true => Expiry::ALL.iter().map(|expiry| Value::from(expiry.as_str())).collect(),
                false => Lifecycle::ALL.iter().map(|lifecycle| Value::from(lifecycle.as_str())).collect(),
            };
        }
        value
    }

    fn type_mapping(&self, mapped: &TypeMapping, ids: &ExternalIds, names: &Names<'_>) -> Value {
        let object_type = mapped.object_type;
        let attributes = mapped.attributes.iter().map(|MappedAttribute { attribute, name, .. }| {
            let id = ids.attribute(object_type, attribute);
            let mut value = Map::new();
            value.insert("attributeName".to_owned(), names.name(&id, name).into());
            value.insert("attributeExternalId".to_owned(), id.into());
            value.insert("attributeLocators".to_owned(), json!([attribute.key]));
            value.insert("externalIdPart".to_owned(), mapped.is_identity(attribute).into());
            if let Some(link) = attribute.link() {
                value.insert("objectMappingIQL".to_owned(), self.query(attribute, link, ids, names).into());
            }
            if let Some(target) = ids.lookup(object_type, attribute) {
                let query = format!("\"{}\" = ${{{}}}", target.by, attribute.key);
                value.insert("objectMappingIQL".to_owned(), query.into());
            }
            Value::Object(value)
        });
        json!({
            "objectTypeExternalId": ids.object_type(object_type),
            "objectTypeName": names.name(&ids.object_type(mapped.object_type), &mapped.name),
            "selector": Mapping::selector(object_type),
            "description": format!("Maps {object_type} of the directory"),
            "attributesMapping": attributes.collect::<Vec<_>>(),
        })
    }

    /// The query by which Assets finds referenced objects within their object type. Assets replaces the placeholder with
    /// the values of the locator.
    fn query(&self, attribute: &Attribute, link: Link, ids: &ExternalIds, names: &Names<'_>) -> String {
        let target = self.of(link.target());
        let identity = target.attributes.iter().find(|mapped| mapped.attribute.is_identity());
        let identity = identity.map_or("Object ID", |mapped| {
            names.name(&ids.attribute(target.object_type, &mapped.attribute), &mapped.name)
        });
        let key = &attribute.key;
        match (link.is_many(), self.template) {
            (false, _) => format!("\"{identity}\" = ${{{key}}}"),
            (true, ReferenceTemplate::ArrayPlaceholder) => format!("\"{identity}\" IN (${{{key}${{0}}}})"),
            (true, ReferenceTemplate::JoinedString) => format!("\"{identity}\" IN (${{{key}}})"),
        }
    }
}

/// External ids. They are short and stable across releases, and consist of the import source, the object type and the key
/// of the attribute: `entra-1f2e3d4c/user/department`.
pub(super) struct ExternalIds {
    prefix: String,
    /// Ids that Assets has for what would otherwise get one of ours, by that of ours.
    adopted: HashMap<String, String>,
    /// What lookups lead to, by the keys of their references.
    lookups: HashMap<(ObjectType, String), LookupTarget>,
}

impl ExternalIds {
    pub(super) fn new(import_source: &str) -> Self {
        let prefix = format!("entra-{}", short_hash(&import_source.trim().to_lowercase()));
        Self { prefix, adopted: HashMap::new(), lookups: HashMap::new() }
    }

    /// The ids of an object type of others, and of the attributes of it that are written.
    fn adopt_existing(&mut self, existing: &ExistingType, mapped: &TypeMapping, current: &Current) {
        let Some(of) = existing.find(current) else { return };
        self.adopt(self.object_type(mapped.object_type), text(of, "externalId"));
        for MappedAttribute { attribute, name, .. } in &mapped.attributes {
            if let Some(found) = attribute_of(of, name) {
                self.adopt(self.attribute(mapped.object_type, attribute), text(found, "externalId"));
            }
        }
    }

    fn find_lookups(&mut self, mapped: &TypeMapping, current: &Current) {
        let lookups = mapped.attributes.iter().filter_map(|of| Some((&of.attribute, of.lookup.as_ref()?)));
        let found = lookups.filter_map(|(attribute, lookup)| {
            Some((
                (mapped.object_type, attribute.key.clone().into_owned()),
                lookup.target(mapped.object_type, current)?,
            ))
        });
        self.lookups.extend(found);
    }

    fn lookup(&self, object_type: ObjectType, attribute: &Attribute) -> Option<&LookupTarget> {
        self.lookups.get(&(object_type, attribute.key.clone().into_owned()))
    }

    fn adopt(&mut self, own: String, found: &str) {
        if !found.is_empty() && own != found {
            self.adopted.insert(own, found.to_owned());
        }
    }

    fn in_assets(&self, own: String) -> String {
        self.adopted.get(&own).cloned().unwrap_or(own)
    }

    /// Whether Assets had the object type or attribute before this import source.
    pub(super) fn is_adopted(&self, external_id: &str) -> bool {
        self.adopted.values().any(|adopted| adopted == external_id)
    }

    pub(super) fn object_type(&self, object_type: ObjectType) -> String {
        self.in_assets(format!("{}/{}", self.prefix, object_type.spec().external_id))
    }

    pub(super) fn attribute(&self, object_type: ObjectType, attribute: &Attribute) -> String {
        let part = match attribute.source {
            // Names of extensions can be long; the app id alone has 32 digits.
            AttributeSource::Extension | AttributeSource::SecurityAttribute => {
                format!("x-{}", short_hash(&attribute.key)).into()
            }
            AttributeSource::Lookup => format!("lookup-{}", short_hash(&attribute.key)).into(),
            _ => attribute.key.clone(),
        };
        self.in_assets(format!("{}/{}/{part}", self.prefix, object_type.spec().external_id))
    }

    pub(super) fn is_ours(&self, external_id: &str) -> bool {
        external_id.strip_prefix(&self.prefix).is_some_and(|rest| rest.starts_with('/'))
    }
}

fn short_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!("{:08x}", u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
}

fn is_expiry(attribute: &Attribute) -> bool {
    matches!(attribute.source, AttributeSource::Expiry(..))
}

fn expiry_status(expiry: Expiry) -> Value {
    let (description, category) = match expiry {
        Expiry::Valid => ("Valid for more than 30 days", "active"),
        Expiry::ExpiresSoon => ("Expires within 30 days", "pending"),
        Expiry::Expired => ("No longer valid", "inactive"),
    };
    json!({ "name": expiry.as_str(), "description": description, "category": category })
}

fn status(lifecycle: Lifecycle) -> Value {
    let (description, category) = match lifecycle {
        Lifecycle::Active => ("In use", "active"),
        Lifecycle::Disabled => ("Blocked, disabled or suspended", "inactive"),
        Lifecycle::Removed => ("No longer in the directory or in the scope of the import", "inactive"),
    };
    json!({ "name": lifecycle.as_str(), "description": description, "category": category })
}

#[cfg(test)]
mod tests;
