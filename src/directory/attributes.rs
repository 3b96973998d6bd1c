//! The attributes of each object type: their names and types in Assets, and the Graph properties that they need.
//!
//! A text that can have more than 255 characters is `textarea`. A list of values is one text, separated by commas. Lists of
//! references have no limit. Source of the length limits: <https://learn.microsoft.com/graph/api/resources/user>.

use super::attribute::{Attribute, AttributeSource, Presence, ValueType};
use super::object_type::ObjectType;
use super::security_attributes::{self, SECURITY_ATTRIBUTES};

/// All attributes of a type, except directory extensions, which each tenant defines.
pub fn attributes(object_type: ObjectType) -> &'static [Attribute] {
    object_type.spec().attributes
}

/// The attribute with a key: one of the type's, a directory extension
/// (`extension_<32 hexadecimal digits of the app id>_<name>`), or a custom security attribute.
pub fn attribute(object_type: ObjectType, key: &str) -> Option<Attribute> {
    let known = attributes(object_type).iter().find(|attribute| attribute.key == key).cloned();
    known.or_else(|| extension(object_type, key)).or_else(|| security_attributes::attribute(object_type, key))
}

/// Whether a key has the form of one whose name the tenant made.
pub fn is_of_tenant(key: &str) -> bool {
    key.starts_with("extension_") || key.starts_with("customSecurityAttributes_")
}

/// The Graph properties that `$select` must name for an attribute.
pub fn properties(object_type: ObjectType, attribute: &Attribute) -> Vec<&str> {
    let spec = object_type.spec();
    match attribute.source {
        AttributeSource::Identity(property) => vec![property],
        AttributeSource::Label => spec.label.to_vec(),
        AttributeSource::Property(property) | AttributeSource::Field(property, _) => vec![property],
        AttributeSource::Extension => vec![&attribute.key],
        AttributeSource::SecurityAttribute => vec![SECURITY_ATTRIBUTES],
        AttributeSource::Derived(properties, _) | AttributeSource::Expiry(properties, _) => properties.to_vec(),
        AttributeSource::Lifecycle => spec.disabled.by.to_vec(),
        // `$expand` and separate requests read all other links.
        AttributeSource::Link(link) => {
            let is_related = |property: &&str| spec.relations.iter().any(|relation| relation.property == *property);
            link.property().filter(|property| !is_related(property)).into_iter().collect()
        }
        AttributeSource::RemovedOn | AttributeSource::Tenant | AttributeSource::Lookup => vec![],
    }
}

/// The strings of directory extensions have up to 256 characters, so the attribute is `textarea`; numbers, dates and
/// booleans are imported as text.
/// Source: <https://learn.microsoft.com/graph/api/resources/extensionproperty>.
fn extension(object_type: ObjectType, key: &str) -> Option<Attribute> {
    if !object_type.spec().has_extensions {
        return None;
    }
    let (app, name) = key.strip_prefix("extension_")?.split_once('_')?;
    let is_app = app.len() == 32 && app.bytes().all(|b| b.is_ascii_hexdigit());
    let is_name = !name.is_empty() && name.len() <= 100 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_app && is_name).then(|| Attribute {
        key: key.to_owned().into(),
        name: name.to_owned().into(),
        description: format!("Directory extension {key}").into(),
        value_type: ValueType::Textarea,
        source: AttributeSource::Extension,
        presence: Presence::OnRequest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_and_names_are_unique_within_a_type() {
        for object_type in ObjectType::ALL {
            let (mut keys, mut names) = (HashSet::new(), HashSet::new());
            for attribute in attributes(object_type) {
                assert!(keys.insert(attribute.key.clone()), "{object_type}: {}", attribute.key);
                assert!(names.insert(attribute.name.to_lowercase()), "{object_type}: {}", attribute.name);
                assert!(!attribute.description.is_empty(), "{object_type}: {}", attribute.key);
                assert!(attribute.key.bytes().all(|b| b.is_ascii_alphanumeric()), "{}", attribute.key);
            }
        }
    }

    #[test]
    fn a_type_has_one_identity_one_label_one_lifecycle() {
        for object_type in ObjectType::ALL {
            let kinds: [fn(&Attribute) -> bool; 4] = [
                Attribute::is_identity,
                Attribute::is_label,
                |attribute| matches!(attribute.source, AttributeSource::Lifecycle),
                |attribute| matches!(attribute.source, AttributeSource::RemovedOn),
            ];
            for is_kind in kinds {
                let found: Vec<_> = attributes(object_type).iter().filter(|attribute| is_kind(attribute)).collect();
                assert_eq!(found.len(), 1, "{object_type}");
                assert_eq!(found[0].presence, Presence::Always);
            }
        }
    }

    #[test]
    fn the_defaults_are_those_that_the_documentation_promises() {
        let names = |object_type| {
            let mut names: Vec<_> = attributes(object_type)
                .iter()
                .filter(|attribute| attribute.presence != Presence::OnRequest)
                .map(|attribute| attribute.name.as_ref())
                .collect();
            names.sort_unstable();
            names.join(", ")
        };
        assert_eq!(
            names(ObjectType::Licenses),
            "Available Units, Consumed Units, Enabled Units, Lifecycle, Name, Part Number, Removed On, SKU ID, \
             Service Plans, Status"
        );
        assert_eq!(
            names(ObjectType::Groups),
            "Created, Description, Display Name, Group Kind, Licenses, Lifecycle, Mail, Members, Membership, \
             Membership Rule, Object ID, On-premises Sync, Owners, Parent Groups, Removed On, Teams, Visibility"
        );
        assert_eq!(
            names(ObjectType::Users),
            "Account Enabled, Business Phones, City, City Object, Company, Company Object, Cost Center Object, \
             Country, Country Object, Created, Department, Department Object, Display Name, Employee ID, Employee \
             Type, Given Name, Groups, Job Title, Job Title Object, Licenses, Lifecycle, Mail, Manager, Mobile \
             Phone, Object ID, Office, Office Object, On-premises Sync, Removed On, State, Surname, Usage Location, \
             User Principal Name, User Type"
        );
        assert_eq!(
            names(ObjectType::Devices),
            "Compliant, Display Name, Last Sign-in, Lifecycle, Managed, Object ID, Operating System, Owners, Removed \
             On, Trust Type, Version"
        );
    }

    #[test]
    fn a_directory_extension_is_known_by_the_form_of_its_key() {
        let key = "extension_0123456789abcdef0123456789ABCDEF_costCenter";
        let found = attribute(ObjectType::Users, key).unwrap();
        assert_eq!(found.name, "costCenter");
        assert_eq!(properties(ObjectType::Users, &found), [key]);
        for wrong in ["extension_123_x", "extension_0123456789abcdef0123456789abcdef_", "extension_", "nickname"] {
            assert!(attribute(ObjectType::Users, wrong).is_none(), "{wrong}");
        }
        assert!(attribute(ObjectType::Licenses, key).is_none());
    }
}
