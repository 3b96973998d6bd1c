//! References into object types of the object schema that the job does not import: the object is found by a text.
//! Source: docs/assets.md, «References».

use super::current::{Current, attribute_named, list, text};
use super::names::{ASSETS_OWN_NAMES, unknown, wrong_name};
use crate::directory::attributes::attribute;
use crate::directory::{Attribute, AttributeSource, ObjectType, Presence, ValueType};
use crate::error::Faults;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most lookups of an object type.
const MAX_LOOKUPS: usize = 20;

/// A reference to an object of a type that the job does not import, found by the value of one of our attributes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lookup {
    /// The key of the attribute whose text is looked up: `department`. The attribute need not be imported.
    #[schema(min_length = 1, max_length = 255)]
    pub attribute: String,
    /// The object type in Assets that has the objects: its name, or its external id, as `GET /v1/destinations/{id}/types`
    /// lists them.
    #[schema(min_length = 1, max_length = 255)]
    pub object_type: String,
    /// The name of its attribute that has the text; null: its label.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 100)]
    pub by: Option<String>,
    /// The name in Assets of the attribute for the reference; null: `Department Reference` and so on. With `existing` it is
    /// an attribute that the object type has, and must be given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 100)]
    pub name: Option<String>,
}

/// A lookup of a mapping.
#[derive(Clone, Debug)]
pub(super) struct MappedLookup {
    pub lookup: Lookup,
    /// The attribute whose text is looked up.
    pub of: Attribute,
    /// Its place in the list of the job.
    pub place: usize,
}

/// What a lookup leads to, as Assets calls it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LookupTarget {
    pub external_id: String,
    pub object_type: String,
    /// The name of the attribute that has the text.
    pub by: String,
    /// Whether no two objects can have the same text.
    pub is_unique: bool,
    /// The place in the job that says so: `/objects/users/lookups/0/by`.
    pub pointer: String,
}

/// Whether the value of an attribute is a text.
fn is_text(attribute: &Attribute) -> bool {
    matches!(attribute.value_type, ValueType::Text | ValueType::Textarea)
}

impl Lookup {
    /// The key of the reference.
    pub(super) fn key(&self) -> String {
        format!("{}Lookup", self.attribute)
    }

    /// The attribute with the reference; `None` if there is no such text.
    pub(super) fn reference(&self, object_type: ObjectType) -> Option<Attribute> {
        let of = attribute(object_type, &self.attribute).filter(is_text)?;
        Some(Attribute {
            key: self.key().into(),
            name: self.name(&of).into(),
            description: format!("The object of the type {} that has the {}", self.object_type.trim(), of.name).into(),
            value_type: ValueType::Reference,
            source: AttributeSource::Lookup,
            presence: Presence::OnRequest,
        })
    }

    pub(super) fn mapped(&self, object_type: ObjectType, place: usize) -> Option<MappedLookup> {
        let of = attribute(object_type, &self.attribute).filter(is_text)?;
        Some(MappedLookup { lookup: self.clone(), of, place })
    }

    fn name(&self, of: &Attribute) -> String {
        self.name.as_ref().map_or_else(|| format!("{} Reference", of.name), |name| name.trim().to_owned())
    }

    /// The object type in Assets.
    pub(super) fn find<'c>(&self, current: &'c Current) -> Option<&'c Value> {
        let wanted = self.object_type.trim();
        current.types.iter().find(|of| text(of, "externalId") == wanted).or_else(|| current.type_named(wanted))
    }

    /// The attribute that has the text.
    pub(super) fn by<'c>(&self, of: &'c Value) -> Option<&'c Value> {
        match &self.by {
            Some(name) => attribute_named(of, name.trim()),
            None => list(of, "attributes").find(|attribute| attribute["label"] == true),
        }
    }
}

impl MappedLookup {
    /// The place of a field of it in the job.
    pub(super) fn pointer(&self, object_type: ObjectType, field: &str) -> String {
        format!("/objects/{object_type}/lookups/{}/{field}", self.place)
    }

    pub(super) fn target(&self, object_type: ObjectType, current: &Current) -> Option<LookupTarget> {
        let of = self.lookup.find(current)?;
        let by = self.lookup.by(of)?;
        Some(LookupTarget {
            external_id: text(of, "externalId").to_owned(),
            object_type: text(of, "name").to_owned(),
            by: text(by, "name").to_owned(),
            is_unique: by["unique"] == true,
            pointer: self.pointer(object_type, "by"),
        })
    }
}

/// What an object type is filled with, besides its lookups.
pub(super) struct FilledAttributes<'a> {
    pub object_type: ObjectType,
    /// The attributes in Assets that are filled, in small letters, with the key of what fills them.
    pub names: Vec<(String, String)>,
    /// The names of the object types that the job imports, in small letters.
    pub imported: &'a [String],
    pub is_existing: bool,
}

/// Adds all faults that can be seen without Assets. `pointer` is the place of the list.
pub(super) fn check(lookups: &[Lookup], mut filled: FilledAttributes<'_>, pointer: &str, faults: &mut Faults) {
    if lookups.len() > MAX_LOOKUPS {
        let detail = format!("An object type can have at most {MAX_LOOKUPS} lookups.");
        return faults.push(pointer, "too_many", detail);
    }
    for (place, lookup) in lookups.iter().enumerate() {
        let pointer = format!("{pointer}/{place}");
        lookup.check_target(&filled, &pointer, faults);
        let Some(of) = attribute(filled.object_type, &lookup.attribute) else {
            let detail = unknown(filled.object_type, &lookup.attribute);
            faults.push(format!("{pointer}/attribute"), "unknown_attribute", detail);
            continue;
        };
        if !is_text(&of) {
            let detail = format!("`{}` is {}, and objects are found by a text.", of.key, of.value_type.as_str());
            faults.push(format!("{pointer}/attribute"), "not_a_text", detail);
        } else if lookups[..place].iter().any(|other| other.attribute == lookup.attribute) {
            let detail = format!("`{}` is already in the list.", lookup.attribute);
            faults.push(format!("{pointer}/attribute"), "duplicate", detail);
        }
        lookup.check_name(&of, &mut filled, &format!("{pointer}/name"), faults);
    }
}

impl Lookup {
    fn check_target(&self, filled: &FilledAttributes<'_>, pointer: &str, faults: &mut Faults) {
        let wanted = self.object_type.trim();
        if wanted.is_empty() {
            faults.push(format!("{pointer}/objectType"), "invalid_name", "Name an object type of the object schema.");
        } else if filled.imported.contains(&wanted.to_lowercase()) {
            let detail = format!("The job imports `{wanted}` itself: use the references of its own types.");
            faults.push(format!("{pointer}/objectType"), "imported_type", detail);
        }
        if let Some(detail) = self.by.as_deref().and_then(wrong_name) {
            faults.push(format!("{pointer}/by"), "invalid_name", detail);
        }
    }

    fn check_name(&self, of: &Attribute, filled: &mut FilledAttributes<'_>, pointer: &str, faults: &mut Faults) {
        if self.name.is_none() && filled.is_existing {
            let detail = "Name the attribute of the object type that gets the reference.";
            return faults.push(pointer, "name_required", detail);
        }
        let name = self.name(of);
        let folded = name.to_lowercase();
        if let Some(detail) = wrong_name(&name) {
            faults.push(pointer, "invalid_name", detail);
        } else if ASSETS_OWN_NAMES.contains(&folded.as_str()) {
            let detail = format!("`{name}` is an attribute that Assets itself gives to every object.");
            faults.push(pointer, "reserved_name", detail);
        } else if let Some((_, first)) = filled.names.iter().find(|(known, _)| *known == folded) {
            let detail = format!("`{name}` is filled from `{first}` already; one attribute takes one value.");
            faults.push(pointer, "mapped_twice", detail);
        }
        filled.names.push((folded, self.key()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{ImportSource, Mapping, Memberships, ReferenceTemplate, References, Selection};
    use serde_json::json;
    use uuid::Uuid;

    fn mapping(lookups: Value) -> Mapping {
        let objects = json!({"users": {"attributes": [], "references": [], "lookups": lookups}, "groups": {"enabled": false},
            "licenses": {"enabled": false}});
        let selection: Selection = serde_json::from_value(objects).unwrap();
        Mapping::new(&selection, Memberships::OnUser, ReferenceTemplate::ArrayPlaceholder)
    }

    fn department() -> Value {
        json!([{"attribute": "department", "objectType": "cost center"}])
    }

    fn schema() -> Value {
        json!({"schema": {"objectSchema": {"name": "Company", "objectTypes": [
            {"name": "Cost Center", "externalId": "cmdb::1", "attributes": [
                {"name": "Title", "externalId": "cmdb::2", "type": "text", "label": true},
                {"name": "Code", "externalId": "cmdb::3", "type": "text", "unique": true}]}]}}})
    }

    #[test]
    fn the_text_is_sent_under_a_key_of_its_own_and_read_where_it_is_not_imported() {
        let mapping = mapping(department());
        let sent = |text: &str| -> Value {
            let user = json!({"displayName": "Ada", "department": text});
            let user = user.as_object().unwrap();
            let payload = mapping.payload(ObjectType::Users, Uuid::nil(), user, &References::default(), None);
            serde_json::from_str::<Value>(&payload).unwrap()["departmentLookup"].clone()
        };
        for (text, expected) in [
            ("Sales", json!("Sales")),
            (" R & D ", json!("R & D")),
            ("", Value::Null),
            ("x\" OR \"Title\" != \"", Value::Null),
            ("a\\", Value::Null),
            ("${departmentLookup}", Value::Null),
            ("a\nb", Value::Null),
        ] {
            assert_eq!(sent(text), expected, "{text}");
        }
        assert!(mapping.select(ObjectType::Users).contains(&"department"));
        let stub = mapping.stub(ObjectType::Users, Uuid::nil(), json!({"department": "Sales"}).as_object().unwrap());
        assert!(stub.contains(r#""departmentLookup":null"#), "{stub}");
    }

    #[test]
    fn the_document_leads_to_the_type_of_others_by_its_label_or_another_attribute() {
        for (by, name) in [(Value::Null, "Title"), (json!("code"), "Code")] {
            let mut lookups = department();
            lookups[0]["by"] = by;
            let mapping = mapping(lookups);
            let source = ImportSource { id: "1", schema_name: "Company" };
            assert_eq!(mapping.difference(source, Some(&schema())).blocked(), None);
            let document = mapping.patch(source, &schema());
            let types = document["schema"]["objectSchema"]["objectTypes"].as_array().unwrap();
            assert_eq!(types[0]["externalId"], "cmdb::1", "theirs are as Assets has them: {types:?}");
            let users = types[1]["attributes"].as_array().unwrap();
            let reference = users.iter().find(|of| of["name"] == "Department Reference").unwrap();
            assert_eq!(
                (&reference["type"], &reference["referenceObjectTypeExternalId"], &reference["maximumCardinality"]),
                (&json!("referenced_object"), &json!("cmdb::1"), &json!(1))
            );
            let mappings = document["mapping"]["objectTypeMappings"].as_array().unwrap();
            let [users] = &mappings[..] else { panic!("only ours are filled: {mappings:?}") };
            let id = &reference["externalId"];
            let mapped = list(users, "attributesMapping").find(|of| of["attributeExternalId"] == *id).unwrap();
            assert_eq!(
                (&mapped["attributeLocators"], &mapped["objectMappingIQL"]),
                (&json!(["departmentLookup"]), &json!(format!("\"{name}\" = ${{departmentLookup}}")))
            );
        }
    }

    #[test]
    fn another_object_type_or_attribute_of_it_sends_everything_again() {
        let version = |lookups: Value| mapping(lookups).version();
        let by = |by: &str| json!([{"attribute": "department", "objectType": "cost center", "by": by}]);
        let site = json!([{"attribute": "department", "objectType": "site"}]);
        let all = [version(json!([])), version(department()), version(by("Code")), version(by("Name")), version(site)];
        let distinct: std::collections::BTreeSet<i32> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn it_is_known_whether_a_text_leads_to_one_object() {
        for (by, is_unique) in [("Title", false), ("Code", true)] {
            let mapping = mapping(json!([{"attribute": "department", "objectType": "cost center", "by": by}]));
            let source = ImportSource { id: "1", schema_name: "Company" };
            let found = mapping.lookup_targets_in(source, &schema(), ObjectType::Users);
            let target = &found["departmentLookup"];
            assert_eq!((target.is_unique, target.pointer.as_str()), (is_unique, "/objects/users/lookups/0/by"));
        }
    }
}
