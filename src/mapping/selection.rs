//! What a job imports: object types, attributes, names.

use super::dimension::{self, Dimension};
use super::existing::{ExistingType, id_key};
use super::names::{ASSETS_OWN_NAMES, MAX_ATTRIBUTES, unknown, wrong_name};
use crate::directory::attributes::{attribute, attributes};
use crate::directory::{Attribute, Link, ObjectType, Presence, UserValues};
use crate::error::Faults;
use crate::text_enum::text_enum;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{AdditionalProperties, RefBuilder, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

text_enum! {
    /// Which objects show the membership of a user in a group.
    #[derive(Default)]
    Memberships in "jobs.memberships" {
        /// In the attribute Groups of the user.
        #[default]
        OnUser = "onUser",
        /// In the attribute Members of the group.
        OnGroup = "onGroup",
        /// In both attributes.
        Both = "both",
    }
}

/// What a job imports of each object type; in a body, an object with the words of the types.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selection([ObjectSelection; ObjectType::ALL.len()]);

/// What is imported of one object type.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ObjectSelection {
    /// Whether objects of this type are imported.
    pub enabled: bool,
    /// Keys of `GET /v1/attributes`; null: the default attributes. The identity, the label, Lifecycle and Removed On are
    /// always imported.
    pub attributes: Option<Vec<String>>,
    /// Which of the type's references are imported, such as `manager`, `owners`, `licenses`, `parentGroups`; null: all but those
    /// that are imported on request.
    /// `memberships` of the job decides about Groups and Members.
    pub references: Option<Vec<String>>,
    /// Other names in Assets, by attribute key. An import cannot rename an existing attribute, so set them before the first
    /// run.
    pub names: BTreeMap<String, String>,
    /// Another name of the object type in Assets; null: `Entra User`, `Entra Group`, `Entra License`, and so on.
    pub type_name: Option<String>,
    /// An object type that the object schema has already, to be filled instead of one that the service builds. It takes
    /// the place of `attributes`, `references`, `names` and `typeName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<ExistingType>,
    /// Of users: properties whose distinct values become objects, to which the users refer. This is a short form: it
    /// imports the types that it names, such as `departments`, and none of the others made of values of users. Answers
    /// have these types themselves.
    #[serde(skip_serializing_if = "is_short_form")]
    #[schema(write_only, nullable = true, max_items = 7)]
    pub dimensions: Option<Vec<Dimension>>,
}

/// The types say it themselves.
fn is_short_form(_: &Option<Vec<Dimension>>) -> bool {
    true
}

impl Default for ObjectSelection {
    fn default() -> Self {
        Self {
            enabled: true,
            attributes: None,
            references: None,
            names: BTreeMap::new(),
            type_name: None,
            existing: None,
            dimensions: None,
        }
    }
}

impl ObjectSelection {
    /// What a job imports of a type that it does not name.
    fn default_of(object_type: ObjectType) -> Self {
        Self { enabled: object_type.spec().is_default, ..Self::default() }
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self(ObjectType::ALL.map(ObjectSelection::default_of))
    }
}

impl Serialize for Selection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(ObjectType::ALL.into_iter().map(|object_type| (object_type, self.of(object_type))))
    }
}

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut selection = Self::default();
        for (object_type, choice) in BTreeMap::<ObjectType, ObjectSelection>::deserialize(deserializer)? {
            *selection.of_mut(object_type) = choice;
        }
        selection.import_dimensions();
        Ok(selection)
    }
}

/// Described by hand, because the object types are a list.
impl PartialSchema for Selection {
    fn schema() -> RefOr<Schema> {
        let description = "The `objects` of a job. A type that is omitted has its default: users, groups and licences are \
                           imported, all others are not.";
        let object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(description))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        let property = |object: ObjectBuilder, object_type: ObjectType| {
            let choice = serde_json::to_value(ObjectSelection::default_of(object_type)).ok();
            let schema =
                RefBuilder::new().ref_location_from_schema_name(ObjectSelection::name()).default(choice).build();
            object.property(object_type.as_str(), schema)
        };
        ObjectType::ALL.into_iter().fold(object, property).into()
    }
}

impl ToSchema for Selection {
    fn name() -> Cow<'static, str> {
        "JobObjects".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ObjectSelection::name().into(), ObjectSelection::schema()));
        ObjectSelection::schemas(schemas);
    }
}

impl Selection {
    pub fn of(&self, object_type: ObjectType) -> &ObjectSelection {
        &self.0[object_type.index()]
    }

    pub fn of_mut(&mut self, object_type: ObjectType) -> &mut ObjectSelection {
        &mut self.0[object_type.index()]
    }

    /// What `dimensions` of users says is said of the types themselves.
    fn import_dimensions(&mut self) {
        let Some(dimensions) = self.of(ObjectType::Users).dimensions.clone() else { return };
        for values in ObjectType::ALL.into_iter().filter_map(UserValues::of) {
            let found = dimensions.iter().find(|dimension| dimension.attribute == values.key());
            let choice = self.of_mut(values.object_type);
            choice.enabled = found.is_some();
            choice.type_name = found.and_then(|found| found.object_type.clone()).or_else(|| choice.type_name.take());
        }
    }

    /// Adds all faults; `pointer` is the place of the selection in the body: `/objects`.
    pub fn check(&self, pointer: &str, faults: &mut Faults) {
        if !ObjectType::ALL.into_iter().any(|object_type| self.of(object_type).enabled) {
            faults.push(pointer, "nothing_selected", "at least one object type must be enabled");
        }
        for object_type in ObjectType::ALL {
            self.of(object_type).check(object_type, &format!("{pointer}/{object_type}"), faults);
        }
        self.check_type_names(pointer, faults);
        self.check_targets(pointer, faults);
        self.check_values(pointer, faults);
    }

    /// Objects that are values of users are made of users.
    fn check_values(&self, pointer: &str, faults: &mut Faults) {
        if self.of(ObjectType::Users).enabled {
            return;
        }
        let is_made = |of: &ObjectType| self.of(*of).enabled && UserValues::of(*of).is_some();
        for object_type in ObjectType::ALL.into_iter().filter(is_made) {
            let detail = format!("The {object_type} are made of the users, which the job does not import.");
            faults.push(format!("{pointer}/{object_type}/enabled"), "users_required", detail);
        }
    }

    /// References lead to objects that are imported, and these are looked up by their id.
    fn check_targets(&self, pointer: &str, faults: &mut Faults) {
        for object_type in ObjectType::ALL.into_iter().filter(|object_type| self.of(*object_type).enabled) {
            let pointer = format!("{pointer}/{object_type}");
            let existing = self.of(object_type).existing.as_ref();
            for attribute in self.attributes(object_type, Memberships::Both) {
                let Some(target) = attribute.link().map(Link::target) else { continue };
                let (chosen, id) = (self.of(target), id_key(target));
                let has_id = chosen.existing.as_ref().is_none_or(|existing| existing.attributes.contains_key(id));
                let pointer = match existing {
                    Some(_) => format!("{pointer}/existing/attributes/{}", attribute.key),
                    None => format!("{pointer}/references"),
                };
                if !chosen.enabled {
                    let detail = format!("`{}` refers to {target}, which the job does not import.", attribute.key);
                    faults.push(pointer, "reference_not_mapped", detail);
                } else if !has_id {
                    let detail = format!(
                        "`{}` refers to {target}, which are looked up by their id: map `{id}` in \
                         /objects/{target}/existing/attributes.",
                        attribute.key
                    );
                    faults.push(pointer, "reference_not_mapped", detail);
                }
            }
        }
    }

    /// The imported attributes of a type, in the order of the table, extensions last. Only references to imported types are
    /// among them.
    pub(super) fn attributes(&self, object_type: ObjectType, memberships: Memberships) -> Vec<Attribute> {
        let choice = self.of(object_type);
        if let Some(existing) = &choice.existing {
            return existing.chosen(object_type);
        }
        let mut chosen: Vec<Attribute> = attributes(object_type)
            .iter()
            .filter(|attribute| match attribute.link() {
                Some(link) => self.of(link.target()).enabled && choice.has_link(attribute, link, memberships),
                None => choice.has(attribute),
            })
            .cloned()
            .collect();
        for key in choice.attributes.iter().flatten().filter(|key| key.starts_with("extension_")) {
            if !chosen.iter().any(|known| known.key == key.as_str()) {
                chosen.extend(attribute(object_type, key));
            }
        }
        chosen
    }

    /// The name of the object type in Assets.
    pub(super) fn type_name(&self, object_type: ObjectType) -> &str {
        let choice = self.of(object_type);
        let existing = choice.existing.as_ref().map(|existing| existing.object_type.as_str());
        existing.or(choice.type_name.as_deref()).unwrap_or(object_type.spec().type_name).trim()
    }

    fn check_type_names(&self, pointer: &str, faults: &mut Faults) {
        let mut taken: Vec<String> = Vec::new();
        for object_type in ObjectType::ALL {
            let name = self.type_name(object_type);
            let folded = name.to_lowercase();
            if taken.contains(&folded) {
                let detail = format!("two object types would have the name `{name}`");
                let field = if self.of(object_type).existing.is_some() { "existing/objectType" } else { "typeName" };
                faults.push(format!("{pointer}/{object_type}/{field}"), "duplicate_name", detail);
            }
            taken.push(folded);
        }
    }
}

impl ObjectSelection {
    fn names_attribute(&self, attribute: &Attribute) -> bool {
        self.attributes.iter().flatten().any(|key| *key == attribute.key)
    }

    fn has(&self, attribute: &Attribute) -> bool {
        match attribute.presence {
            Presence::Always => true,
            Presence::Default => self.attributes.is_none() || self.names_attribute(attribute),
            Presence::OnRequest => self.names_attribute(attribute),
        }
    }

    fn has_link(&self, attribute: &Attribute, link: Link, memberships: Memberships) -> bool {
        match link {
            Link::Groups => matches!(memberships, Memberships::OnUser | Memberships::Both),
            Link::Members => matches!(memberships, Memberships::OnGroup | Memberships::Both),
            Link::ParentGroups | Link::AllGroups | Link::Ids { .. } | Link::Same { .. } | Link::Value { .. } => {
                match &self.references {
                    None => attribute.presence != Presence::OnRequest || self.names_attribute(attribute),
                    Some(keys) => keys.iter().any(|key| *key == attribute.key) || self.names_attribute(attribute),
                }
            }
        }
    }

    fn check(&self, object_type: ObjectType, pointer: &str, faults: &mut Faults) {
        if let Some(dimensions) = &self.dimensions {
            dimension::check(dimensions, object_type, &format!("{pointer}/dimensions"), faults);
        }
        if let Some(existing) = &self.existing {
            self.check_alone(pointer, faults);
            return existing.check(object_type, &format!("{pointer}/existing"), faults);
        }
        let chosen = self.attributes.as_deref().unwrap_or_default();
        if chosen.len() > MAX_ATTRIBUTES {
            let detail = format!("An object type can have at most {MAX_ATTRIBUTES} attributes.");
            faults.push(format!("{pointer}/attributes"), "too_many", detail);
            return;
        }
        for (position, key) in chosen.iter().enumerate() {
            let pointer = format!("{pointer}/attributes/{position}");
            if attribute(object_type, key).is_none() {
                faults.push(pointer, "unknown_attribute", unknown(object_type, key));
            } else if chosen[..position].contains(key) {
                faults.push(pointer, "duplicate", format!("`{key}` is already in the list."));
            }
        }
        for (position, key) in self.references.iter().flatten().enumerate() {
            if !attribute(object_type, key).is_some_and(|attribute| attribute.is_reference()) {
                let detail = format!("`{key}` is not a reference of {object_type}.");
                faults.push(format!("{pointer}/references/{position}"), "unknown_attribute", detail);
            }
        }
        if let Some(detail) = self.type_name.as_deref().and_then(wrong_name) {
            faults.push(format!("{pointer}/typeName"), "invalid_name", detail);
        }
        self.check_names(object_type, pointer, faults);
    }

    /// An object type that is there has its own attributes and names.
    fn check_alone(&self, pointer: &str, faults: &mut Faults) {
        let given = [
            ("attributes", self.attributes.is_some()),
            ("references", self.references.is_some()),
            ("names", !self.names.is_empty()),
            ("typeName", self.type_name.is_some()),
        ];
        for (field, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            let detail =
                format!("`existing.attributes` says what is imported: leave out `{field}`, or leave out `existing`.");
            faults.push(format!("{pointer}/{field}"), "not_with_existing", detail);
        }
    }

    fn check_names(&self, object_type: ObjectType, pointer: &str, faults: &mut Faults) {
        for (key, name) in &self.names {
            let pointer = format!("{pointer}/names/{}", crate::error::pointer_part(key));
            if attribute(object_type, key).is_none() {
                faults.push(pointer, "unknown_attribute", unknown(object_type, key));
            } else if let Some(detail) = wrong_name(name) {
                faults.push(pointer, "invalid_name", detail);
            } else if ASSETS_OWN_NAMES.contains(&name.trim().to_lowercase().as_str()) {
                let detail = format!("`{}` is an attribute that Assets itself gives to every object.", name.trim());
                faults.push(pointer, "reserved_name", detail);
            }
        }
        let extensions = self.attributes.iter().flatten().filter(|key| key.starts_with("extension_"));
        let extensions: Vec<Attribute> = extensions.filter_map(|key| attribute(object_type, key)).collect();
        let mut taken: Vec<String> = Vec::new();
        for attribute in attributes(object_type)
            .iter()
            .filter(|attribute| attribute.is_reference() || self.has(attribute))
            .chain(&extensions)
        {
            let name = self.names.get(attribute.key.as_ref()).map_or(attribute.name.as_ref(), |name| name.trim());
            if taken.contains(&name.to_lowercase()) {
                let detail =
                    format!("Two attributes would be called `{name}`; give one of them another name in `names`.");
                faults.push(format!("{pointer}/names/{}", attribute.key), "duplicate_name", detail);
            }
            taken.push(name.to_lowercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use serde_json::{Value, json};

    fn faults(selection: Value) -> Vec<(String, &'static str)> {
        let selection: Selection = serde_json::from_value(selection).unwrap();
        let mut faults = Faults::default();
        selection.check("/objects", &mut faults);
        let found = faults.into_result().err().map(|Error { faults, .. }| faults).unwrap_or_default();
        found.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let selection: Selection = serde_json::from_value(json!({})).unwrap();
        assert_eq!(selection, Selection::default());
        let is_enabled = |selection: &Selection, object_type| selection.of(object_type).enabled;
        assert!(is_enabled(&selection, ObjectType::Users) && !is_enabled(&selection, ObjectType::Devices));
        let selection: Selection = serde_json::from_value(json!({"devices": {}})).unwrap();
        assert!(is_enabled(&selection, ObjectType::Devices));
        assert!(serde_json::from_value::<Selection>(json!({"people": {}})).is_err());
        assert!(serde_json::from_value::<Selection>(json!({"users": {"atributes": []}})).is_err());
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let selection = json!({
            "users": {"attributes": ["department", "nickname", "department"], "names": {"mail": " ", "city": "Key", "x/y": "Z"}},
            "groups": {"references": ["manager"], "names": {"mail": "description"}},
            "licenses": {"typeName": "Entra User"},
        });
        assert_eq!(
            faults(selection),
            [
                ("/objects/users/attributes/1".to_owned(), "unknown_attribute"),
                ("/objects/users/attributes/2".to_owned(), "duplicate"),
                ("/objects/users/names/city".to_owned(), "reserved_name"),
                ("/objects/users/names/mail".to_owned(), "invalid_name"),
                ("/objects/users/names/x~1y".to_owned(), "unknown_attribute"),
                ("/objects/groups/references/0".to_owned(), "unknown_attribute"),
                ("/objects/groups/names/mail".to_owned(), "duplicate_name"),
                ("/objects/licenses/typeName".to_owned(), "duplicate_name"),
            ]
        );
    }

    #[test]
    fn a_name_cannot_break_a_reference_query() {
        assert_eq!(
            faults(json!({"users": {"names": {"objectId": "ID\" OR 1"}}})),
            [("/objects/users/names/objectId".to_owned(), "invalid_name")]
        );
    }

    #[test]
    fn dimensions_are_the_types_made_of_values() {
        let selection = json!({
            "users": {"dimensions": [{"attribute": "department", "objectType": "Department"}, {"attribute": "city"}]},
            "companies": {},
        });
        let selection: Selection = serde_json::from_value(selection).unwrap();
        let imported: Vec<ObjectType> = ObjectType::ALL
            .into_iter()
            .filter(|of| selection.of(*of).enabled && UserValues::of(*of).is_some())
            .collect();
        assert_eq!(imported, [ObjectType::Departments, ObjectType::Cities], "the list decides about all of them");
        assert_eq!(selection.type_name(ObjectType::Departments), "Department");
        assert_eq!(selection.type_name(ObjectType::Cities), "Entra City");
        let stored = serde_json::to_value(&selection).unwrap();
        assert_eq!(stored["users"].get("dimensions"), None);
        let again: Selection = serde_json::from_value(stored).unwrap();
        assert!(again.of(ObjectType::Departments).enabled && !again.of(ObjectType::Companies).enabled);
    }

    #[test]
    fn faults_of_dimensions_are_named() {
        let department = || json!({"attribute": "department"});
        let cases = [
            (
                json!({"users": {"dimensions": [{"attribute": "mail"}]}}),
                "users/dimensions/0/attribute",
                "unknown_attribute",
            ),
            (
                json!({"users": {"dimensions": [department(), department()]}}),
                "users/dimensions/1/attribute",
                "duplicate",
            ),
            (
                json!({"users": {"dimensions": [{"attribute": "city", "objectType": "A\"B"}]}}),
                "users/dimensions/0/objectType",
                "invalid_name",
            ),
            (json!({"groups": {"dimensions": [department()]}}), "groups/dimensions", "only_users"),
            (
                json!({"users": {"enabled": false, "dimensions": [department()]}}),
                "departments/enabled",
                "users_required",
            ),
            (json!({"users": {"enabled": false}, "offices": {}}), "offices/enabled", "users_required"),
        ];
        for (selection, pointer, code) in cases {
            let found = faults(selection);
            assert!(found.contains(&(format!("/objects/{pointer}"), code)), "{pointer}: {found:?}");
        }
    }

    #[test]
    fn a_selection_of_nothing_is_a_fault() {
        let off = json!({"users": {"enabled": false}, "groups": {"enabled": false}, "licenses": {"enabled": false}});
        assert_eq!(faults(off), [("/objects".to_owned(), "nothing_selected")]);
    }

    #[test]
    fn a_list_chooses_attributes_and_leaves_references_on() {
        let keys = |selection: Value| {
            let selection: Selection = serde_json::from_value(selection).unwrap();
            let attributes = selection.attributes(ObjectType::Users, Memberships::OnUser);
            attributes.into_iter().map(|attribute| attribute.key.into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            keys(json!({"users": {"attributes": ["department"]}})),
            "objectId displayName department manager groups licenses lifecycle removedOn"
        );
        assert_eq!(
            keys(json!({"users": {"attributes": [], "references": []}, "licenses": {"enabled": false}})),
            "objectId displayName groups lifecycle removedOn"
        );
        let extension = "extension_0123456789abcdef0123456789abcdef_code";
        assert_eq!(
            keys(
                json!({"users": {"attributes": [extension], "references": ["manager"]}, "groups": {"enabled": false}})
            ),
            format!("objectId displayName manager lifecycle removedOn {extension}")
        );
    }
}
