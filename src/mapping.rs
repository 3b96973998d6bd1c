//! What is sent to Assets: the schema and mapping document, the exact JSON of each object, and how the document differs
//! from the schema in Assets.
//!
//! A [`Mapping`] consists of what a job selects ([`Selection`]) and how references are written ([`ReferenceTemplate`]).
//! Its [`Mapping::version`] changes whenever the JSON of an object would differ for the same directory data. Version and
//! hash of the JSON together decide whether an object must be sent again.

pub mod change;
mod current;
pub mod difference;
mod dimension;
pub mod document;
pub mod existing;
pub mod fit;
mod lookup;
mod lookup_fit;
mod names;
pub mod needs;
pub mod payload;
pub mod proposal;
pub mod selection;

pub use change::{Cleared, NewReferences, TextChange};
pub use difference::Difference;
pub use document::ImportSource;
pub use existing::ExistingType;
pub use lookup::LookupTarget;
pub use payload::References;
pub use selection::{Memberships, ObjectSelection, Selection};

use crate::directory::attributes::{attributes, properties};
use crate::directory::{Attribute, AttributeSource, Item, LicenseNames, Link, ObjectType, Relation, UserValues};
use crate::text_enum::text_enum;
use chrono::{DateTime, Utc};
use lookup::MappedLookup;
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// Increase it when the JSON of an object changes for the same data (a date format, the meaning of an attribute), so that
/// all objects are sent again.
const PAYLOAD_FORMAT: u32 = 1;

/// The types that have always been part of the version, imported or not. A type that came later is part of it only while it
/// is imported: a new release changes nothing for jobs without it.
const FIRST_TYPES: [ObjectType; 4] = [ObjectType::Users, ObjectType::Groups, ObjectType::Licenses, ObjectType::Devices];

text_enum! {
    /// How references are written and looked up. Atlassian does not document lists of references for imports, so there
    /// are two ways (docs/assets.md, «References»).
    #[derive(Default)]
    ReferenceTemplate in "destinations.reference_template" {
        /// The ids as a JSON array, looked up by `"Object ID" IN (${groups${0}})`.
        #[default]
        ArrayPlaceholder = "arrayPlaceholder",
        /// The ids as one text, separated by commas, looked up by `"Object ID" IN (${groups})`.
        JoinedString = "joinedString",
    }
}

/// What is sent for each object type, see the module.
#[derive(Clone, Debug)]
pub struct Mapping {
    types: [TypeMapping; ObjectType::ALL.len()],
    template: ReferenceTemplate,
    /// The attribute of users for their Jira account, if the job imports it. The import itself does not fill it.
    jira_user: Option<String>,
    license_names: Arc<LicenseNames>,
    /// The time that decides what has expired.
    now: DateTime<Utc>,
    /// The tenant that is read. Which one it is may be known only when the run has signed in.
    tenant: OnceLock<Uuid>,
    version: i32,
}

/// One object type with its attributes, in the order they are written in.
#[derive(Clone, Debug)]
struct TypeMapping {
    object_type: ObjectType,
    /// A disabled type is not in the document. Its objects can still be written, because objects that were delivered before
    /// must not be missing from a delivery.
    enabled: bool,
    name: String,
    attributes: Vec<MappedAttribute>,
    /// Set if the object type is not one that the service builds.
    existing: Option<ExistingType>,
}

#[derive(Clone, Debug)]
struct MappedAttribute {
    attribute: Attribute,
    /// The attribute's name in Assets.
    name: String,
    /// Set if it is a reference that is found by a text.
    lookup: Option<MappedLookup>,
}

impl Mapping {
    /// The mapping of a job. The selection should be valid ([`Selection::check`]); unknown keys are ignored.
    pub fn new(selection: &Selection, memberships: Memberships, template: ReferenceTemplate) -> Self {
        let types = ObjectType::ALL.map(|object_type| {
            let choice = selection.of(object_type);
            let attributes = selection.attributes(object_type, memberships).into_iter().map(|attribute| {
                let existing =
                    choice.existing.as_ref().and_then(|existing| existing.attributes.get(attribute.key.as_ref()));
                let name = existing.or_else(|| choice.names.get(attribute.key.as_ref()));
                let name = name.map_or(attribute.name.as_ref(), |name| name.trim());
                let lookup = choice.lookup(object_type, &attribute);
                MappedAttribute { name: name.to_owned(), attribute, lookup }
            });
            let name = selection.type_name(object_type);
            TypeMapping {
                object_type,
                enabled: choice.enabled,
                name: name.to_owned(),
                attributes: attributes.collect(),
                existing: choice.existing.clone(),
            }
        });
        let mut mapping = Self {
            types,
            template,
            jira_user: selection.jira_user().map(str::to_owned),
            license_names: Arc::new(LicenseNames::builtin()),
            now: DateTime::UNIX_EPOCH,
            tenant: OnceLock::new(),
            version: 0,
        };
        mapping.version = mapping.shape();
        mapping
    }

    /// The same mapping with the names of licences from the operator's file.
    #[must_use]
    pub fn with_license_names(mut self, names: Arc<LicenseNames>) -> Self {
        self.license_names = names;
        self
    }

    /// The same mapping at a time, which decides what has expired. It is not part of the version: where it changes the text
    /// of an object, the object has changed.
    #[must_use]
    pub fn at(mut self, now: DateTime<Utc>) -> Self {
        self.now = now;
        self
    }

    /// What is sent comes from this tenant. The first one counts: a mirror holds one.
    pub fn reads_tenant(&self, tenant: Uuid) {
        self.tenant.get_or_init(|| tenant);
    }

    /// Changes with the keys, order, types and names of the attributes and with the reference template. Positive; stored
    /// with the hash of each delivered object.
    pub fn version(&self) -> i32 {
        self.version
    }

    pub fn template(&self) -> ReferenceTemplate {
        self.template
    }

    /// Whether objects of this type are imported.
    pub fn is_enabled(&self, object_type: ObjectType) -> bool {
        self.of(object_type).enabled
    }

    /// The key under `data` with the objects of a type.
    pub fn selector(object_type: ObjectType) -> &'static str {
        object_type.as_str()
    }

    /// The name of the object type in Assets.
    pub fn type_name(&self, object_type: ObjectType) -> &str {
        &self.of(object_type).name
    }

    /// The name in Assets of the attribute that identifies objects of this type.
    pub fn identity_name(&self, object_type: ObjectType) -> &str {
        self.of(object_type).identity_name()
    }

    /// The attributes that are written, in their order.
    pub fn attributes(&self, object_type: ObjectType) -> impl Iterator<Item = &Attribute> {
        self.of(object_type).attributes.iter().map(|mapped| &mapped.attribute)
    }

    /// The attributes whose values are read: those that are written, and those whose texts are looked up.
    fn read_attributes(&self, object_type: ObjectType) -> impl Iterator<Item = &Attribute> {
        let mapped = &self.of(object_type).attributes;
        let is_written = move |of: &&Attribute| mapped.iter().any(|mapped| mapped.attribute.key == of.key);
        let looked_up = mapped.iter().filter_map(|mapped| mapped.lookup.as_ref()).map(|lookup| &lookup.of);
        self.attributes(object_type).chain(looked_up.filter(move |of| !is_written(of)))
    }

    /// The name in Assets of the attribute for the Jira account of a user, if the job imports it.
    pub fn jira_user(&self) -> Option<&str> {
        self.jira_user.as_deref()
    }

    /// The keys of the references of this type that are found by a text.
    pub fn lookups(&self, object_type: ObjectType) -> impl Iterator<Item = &str> {
        let mapped = self.of(object_type).attributes.iter();
        mapped.filter(|mapped| mapped.lookup.is_some()).map(|mapped| &*mapped.attribute.key)
    }

    /// The key of the attribute by which Assets recognises objects of this type.
    pub fn identity_key(&self, object_type: ObjectType) -> &str {
        match self.existing(object_type) {
            Some(existing) => &existing.identity,
            None => existing::id_key(object_type),
        }
    }

    /// The object type of others that objects of this type are written into.
    pub fn existing(&self, object_type: ObjectType) -> Option<&ExistingType> {
        self.of(object_type).existing.as_ref()
    }

    /// Whether the objects of this type carry these references.
    pub fn carries(&self, object_type: ObjectType, link: Link) -> bool {
        self.links(object_type).any(|carried| carried == link)
    }

    /// Whether the text of an object of this type can change with time alone.
    pub fn depends_on_time(&self, object_type: ObjectType) -> bool {
        self.attributes(object_type).any(|attribute| matches!(attribute.source, AttributeSource::Expiry(..)))
    }

    /// The references that the objects of this type carry.
    pub fn links(&self, object_type: ObjectType) -> impl Iterator<Item = Link> + '_ {
        self.of(object_type).attributes.iter().filter_map(|mapped| mapped.attribute.link())
    }

    /// The relations of this type that its objects carry.
    pub fn relations(&self, object_type: ObjectType) -> impl Iterator<Item = &'static Relation> + '_ {
        let is_carried =
            move |relation: &&Relation| self.links(object_type).any(|link| link.property() == Some(relation.property));
        object_type.spec().relations.iter().filter(is_carried)
    }

    /// Whether objects of imported types can refer to objects of this type.
    pub fn is_target(&self, object_type: ObjectType) -> bool {
        self.imported().flat_map(|from| self.links(from)).any(|link| link.target() == object_type)
    }

    /// The unique Graph properties for `$select`, `id` first. Separate requests read the links (members, owners, the
    /// manager).
    pub fn select(&self, object_type: ObjectType) -> Vec<&str> {
        if let Item::Parts { select, .. } = object_type.spec().collection.item {
            return select.to_vec();
        }
        let mut selected = vec!["id"];
        let of = self.of(object_type);
        // The label of a change is shown to people, also where it is not written.
        let label = attributes(object_type).iter().filter(|of_type| of.existing.is_some() && of_type.is_label());
        for attribute in self.read_attributes(object_type).chain(label) {
            for property in properties(object_type, attribute) {
                if !selected.contains(&property) {
                    selected.push(property);
                }
            }
        }
        if object_type == ObjectType::Users && self.jira_user.is_some() {
            for property in ["mail", "userPrincipalName"] {
                if !selected.contains(&property) {
                    selected.push(property);
                }
            }
        }
        if object_type == ObjectType::Users {
            let values = self.imported().filter_map(UserValues::of).filter_map(|values| values.property());
            values.for_each(|property| {
                if !selected.contains(&property) {
                    selected.push(property)
                }
            });
        }
        // What others find these objects by.
        for link in self.imported().flat_map(|from| self.links(from)) {
            match link {
                Link::Same { target, theirs, .. } if target == object_type && !selected.contains(&theirs) => {
                    selected.push(theirs);
                }
                _ => {}
            }
        }
        selected
    }

    fn imported(&self) -> impl Iterator<Item = ObjectType> + '_ {
        ObjectType::ALL.into_iter().filter(|object_type| self.is_enabled(*object_type))
    }

    fn of(&self, object_type: ObjectType) -> &TypeMapping {
        &self.types[object_type.index()]
    }

    fn shape(&self) -> i32 {
        let mut hash = Sha256::new();
        hash.update(PAYLOAD_FORMAT.to_le_bytes());
        hash.update([self.template as u8]);
        for mapped in self.types.iter().filter(|mapped| mapped.enabled || FIRST_TYPES.contains(&mapped.object_type)) {
            hash.update([0, u8::from(mapped.enabled)]);
            hash.update(&mapped.name);
            if let Some(existing) = &mapped.existing {
                hash.update([2]);
                hash.update(&existing.identity);
            }
            for MappedAttribute { attribute, name, lookup } in &mapped.attributes {
                for part in [attribute.key.as_ref(), name, attribute.value_type.as_str()] {
                    hash.update([1]);
                    hash.update(part);
                }
                if let Some(MappedLookup { lookup, .. }) = lookup {
                    for part in [&lookup.object_type, lookup.by.as_ref().unwrap_or(&String::new())] {
                        hash.update([3]);
                        hash.update(part);
                    }
                }
            }
        }
        let digest = hash.finalize();
        i32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]) & i32::MAX
    }
}

impl TypeMapping {
    /// Whether Assets recognises objects by this attribute.
    fn is_identity(&self, attribute: &Attribute) -> bool {
        match &self.existing {
            Some(existing) => attribute.key == existing.identity.as_str(),
            None => attribute.is_identity(),
        }
    }

    fn identity_name(&self) -> &str {
        let identity = self.attributes.iter().find(|mapped| mapped.attribute.is_identity());
        identity.map_or("Object ID", |mapped| &mapped.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(selection: &Selection) -> Mapping {
        Mapping::new(selection, Memberships::OnUser, ReferenceTemplate::ArrayPlaceholder)
    }

    #[test]
    fn the_version_changes_with_the_shape_and_with_nothing_else() {
        let default = mapping(&Selection::default());
        assert_eq!(default.version(), mapping(&Selection::default()).version());
        assert!(default.version() > 0);
        let mut fewer = Selection::default();
        fewer.of_mut(ObjectType::Users).attributes = Some(vec!["department".to_owned()]);
        let mut renamed = Selection::default();
        renamed.of_mut(ObjectType::Users).names.insert("department".to_owned(), "Unit".to_owned());
        let others = [
            mapping(&fewer),
            mapping(&renamed),
            Mapping::new(&Selection::default(), Memberships::Both, ReferenceTemplate::ArrayPlaceholder),
            Mapping::new(&Selection::default(), Memberships::OnUser, ReferenceTemplate::JoinedString),
        ];
        for other in others {
            assert_ne!(default.version(), other.version());
        }
    }

    #[test]
    fn only_used_properties_are_selected() {
        let mut selection = Selection::default();
        let users = selection.of_mut(ObjectType::Users);
        users.attributes = Some(vec!["department".to_owned(), "lastSignInDateTime".to_owned()]);
        users.references = Some(vec![]);
        let mapping = mapping(&selection);
        assert_eq!(
            mapping.select(ObjectType::Users),
            ["id", "displayName", "userPrincipalName", "mail", "department", "signInActivity", "accountEnabled"]
        );
        assert!(mapping.select(ObjectType::Groups).contains(&"resourceProvisioningOptions"));
        assert!(mapping.select(ObjectType::Groups).contains(&"assignedLicenses"));
        assert!(mapping.select(ObjectType::Licenses).contains(&"prepaidUnits"));
    }

    #[test]
    fn memberships_are_on_the_side_that_the_job_selects() {
        let carries = |memberships| {
            let mapping = Mapping::new(&Selection::default(), memberships, ReferenceTemplate::ArrayPlaceholder);
            (mapping.carries(ObjectType::Users, Link::Groups), mapping.carries(ObjectType::Groups, Link::Members))
        };
        assert_eq!(carries(Memberships::OnUser), (true, false));
        assert_eq!(carries(Memberships::OnGroup), (false, true));
        assert_eq!(carries(Memberships::Both), (true, true));
    }
}
