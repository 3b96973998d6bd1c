//! What a job imports: object types, attributes, names.

mod check;

use super::dimension::Dimension;
use super::existing::ExistingType;
use super::lookup::{Lookup, MappedLookup};
use crate::directory::attributes::{attribute, attributes, is_of_tenant};
use crate::directory::{Attribute, Link, ObjectType, Presence, UserValues};
use crate::jira_user::DEFAULT_ATTRIBUTE;
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
    /// References to objects of the object schema that the job does not import, such as your cost centres: each is found by
    /// the text of one attribute. They are imported beside the other references, also into an `existing` type. Null: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 20)]
    pub lookups: Option<Vec<Lookup>>,
    /// Of users: whether the Jira account of each is written into an attribute of the type User. The account is the one
    /// active account of a person that has the mail address or else the user principal name. It is written by the object
    /// API after a delivery, so the destination needs `api`.
    pub jira_user: bool,
    /// The name in Assets of the attribute for `jiraUser`; null: `Jira User`. If the object type has no attribute of this
    /// name, it is added, once. One that is there must have the type User.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub jira_user_attribute: Option<String>,
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
            lookups: None,
            jira_user: false,
            jira_user_attribute: None,
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

    /// The imported attributes of a type, in the order of the table, extensions last. Only references to imported types are
    /// among them.
    pub(super) fn attributes(&self, object_type: ObjectType, memberships: Memberships) -> Vec<Attribute> {
        let choice = self.of(object_type);
        let lookups = choice.lookups().iter().filter_map(|lookup| lookup.reference(object_type));
        if let Some(existing) = &choice.existing {
            return existing.chosen(object_type).into_iter().chain(lookups).collect();
        }
        let mut chosen: Vec<Attribute> = attributes(object_type)
            .iter()
            .filter(|attribute| match attribute.link() {
                Some(link) => self.of(link.target()).enabled && choice.has_link(attribute, link, memberships),
                None => choice.has(attribute),
            })
            .cloned()
            .collect();
        for key in choice.attributes.iter().flatten().filter(|key| is_of_tenant(key)) {
            if !chosen.iter().any(|known| known.key == key.as_str()) {
                chosen.extend(attribute(object_type, key));
            }
        }
        chosen.extend(lookups);
        chosen
    }

    /// The name of the attribute for the Jira account of a user, if the job imports it.
    pub(super) fn jira_user(&self) -> Option<&str> {
        let users = self.of(ObjectType::Users);
        (users.enabled && users.jira_user).then(|| users.jira_user_attribute())
    }

    /// The name of the object type in Assets.
    pub(super) fn type_name(&self, object_type: ObjectType) -> &str {
        let choice = self.of(object_type);
        let existing = choice.existing.as_ref().map(|existing| existing.object_type.as_str());
        existing.or(choice.type_name.as_deref()).unwrap_or(object_type.spec().type_name).trim()
    }
}

impl ObjectSelection {
    /// The name of the attribute for the Jira account.
    fn jira_user_attribute(&self) -> &str {
        self.jira_user_attribute.as_deref().unwrap_or(DEFAULT_ATTRIBUTE).trim()
    }

    pub(super) fn lookups(&self) -> &[Lookup] {
        self.lookups.as_deref().unwrap_or_default()
    }

    /// The lookup that an attribute is the reference of.
    pub(super) fn lookup(&self, object_type: ObjectType, attribute: &Attribute) -> Option<MappedLookup> {
        let is_it = |lookup: &&Lookup| attribute.key == lookup.key().as_str();
        let (place, lookup) = self.lookups().iter().enumerate().find(|(_, lookup)| is_it(lookup))?;
        lookup.mapped(object_type, place)
    }

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
