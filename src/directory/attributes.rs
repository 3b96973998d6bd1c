//! The table of attributes: what can be imported of each object type, under which name an admin reads it
//! in Assets, as which Assets type, and which Graph property it needs.
//!
//! Text that can pass 255 characters is `textarea`; lists of plain values are one text joined by commas;
//! lists of references have no limit. Graph's length limits: learn.microsoft.com/graph/api/resources/user.

mod table;

use super::ObjectType;
use std::borrow::Cow;

/// What Assets calls the type of an attribute in the schema document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueType {
    /// Up to 255 characters.
    Text,
    Textarea,
    Boolean,
    Integer,
    DateTime,
    Status,
    /// Another object; its type is the link's [`Link::target`].
    Reference,
}

impl ValueType {
    /// The word of the schema document (`date_time`, not `datetime`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Textarea => "textarea",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::DateTime => "date_time",
            Self::Status => "status",
            Self::Reference => "referenced_object",
        }
    }
}

/// How objects point at each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    Manager,
    /// The groups a user is a member of.
    Groups,
    /// The licences assigned to a user or a group.
    Licenses,
    /// The owners of a group or a device.
    Owners,
    /// The users in a group.
    Members,
    /// The groups a group is a member of.
    ParentGroups,
}

impl Link {
    pub const fn target(self) -> ObjectType {
        match self {
            Self::Manager | Self::Owners | Self::Members => ObjectType::Users,
            Self::Groups | Self::ParentGroups => ObjectType::Groups,
            Self::Licenses => ObjectType::Licenses,
        }
    }

    /// Whether there can be more than one.
    pub const fn is_many(self) -> bool {
        match self {
            Self::Manager => false,
            Self::Groups | Self::Licenses | Self::Owners | Self::Members | Self::ParentGroups => true,
        }
    }
}

/// Where an attribute's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The id of the object: what Assets recognises it by.
    Identity,
    /// A name that is never empty.
    Label,
    /// The Graph property of this name.
    Property(&'static str),
    /// A field of a complex Graph property.
    Field(&'static str, &'static str),
    /// A directory extension: the Graph property is called as the attribute's key.
    Extension,
    GroupKind,
    GroupMembership,
    Teams,
    AvailableUnits,
    Lifecycle,
    RemovedOn,
    Link(Link),
}

/// When an attribute is imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// With every object: the identity, the label, the lifecycle.
    Always,
    /// Unless a job names its own list.
    Default,
    /// When a job names it.
    OnRequest,
}

/// One attribute of an object type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// Stable; what a job names in `objects.*.attributes`, and the field name in the data sent to Assets.
    /// The Graph property's name where there is one.
    pub key: Cow<'static, str>,
    /// The attribute's name in Assets, unless a job renames it.
    pub name: Cow<'static, str>,
    pub description: Cow<'static, str>,
    pub value_type: ValueType,
    pub source: Source,
    pub presence: Presence,
}

impl Attribute {
    /// Whether its value is the ids of other objects.
    pub fn is_reference(&self) -> bool {
        self.value_type == ValueType::Reference
    }

    /// The Graph properties that `$select` must name for it.
    pub fn properties(&self, object_type: ObjectType) -> Vec<&str> {
        match self.source {
            Source::Identity => match object_type {
                ObjectType::Licenses => vec!["skuId"],
                ObjectType::Users | ObjectType::Groups | ObjectType::Devices => vec!["id"],
            },
            Source::Label => match object_type {
                ObjectType::Users => vec!["displayName", "userPrincipalName", "mail"],
                ObjectType::Groups => vec!["displayName", "mail"],
                ObjectType::Licenses => vec!["skuPartNumber"],
                ObjectType::Devices => vec!["displayName"],
            },
            Source::Property(property) | Source::Field(property, _) => vec![property],
            Source::Extension => vec![&self.key],
            Source::GroupKind => vec!["groupTypes", "mailEnabled", "securityEnabled"],
            Source::GroupMembership => vec!["groupTypes"],
            Source::Teams => vec!["resourceProvisioningOptions"],
            Source::AvailableUnits => vec!["prepaidUnits", "consumedUnits"],
            Source::Lifecycle => match object_type {
                ObjectType::Users | ObjectType::Devices => vec!["accountEnabled"],
                ObjectType::Groups => vec![],
                ObjectType::Licenses => vec!["capabilityStatus"],
            },
            // Everything else about links is read by requests of its own.
            Source::Link(Link::Licenses) => vec!["assignedLicenses"],
            Source::Link(Link::Manager | Link::Groups | Link::Owners | Link::Members | Link::ParentGroups)
            | Source::RemovedOn => vec![],
        }
    }

    pub fn link(&self) -> Option<Link> {
        match self.source {
            Source::Link(link) => Some(link),
            _ => None,
        }
    }

    /// Whether the attribute holds several values in Assets.
    pub fn is_many(&self) -> bool {
        self.link().is_some_and(Link::is_many)
    }

    /// The connection capability without which Graph does not give the attribute, beyond the
    /// one for the object type.
    pub fn capability(&self) -> Option<&'static str> {
        match self.source {
            Source::Field("signInActivity", _) => Some("signInActivity"),
            Source::Link(Link::Manager) => Some("managers"),
            Source::Link(Link::Groups | Link::Members) => Some("memberships"),
            Source::Link(Link::ParentGroups) => Some("nestedGroups"),
            Source::Link(Link::Owners) => Some("owners"),
            Source::Link(Link::Licenses) => Some("licenses"),
            _ => None,
        }
    }
}

/// Every attribute of a type, but the directory extensions, which each tenant defines for itself.
pub fn attributes(object_type: ObjectType) -> &'static [Attribute] {
    match object_type {
        ObjectType::Users => &table::USERS,
        ObjectType::Groups => &table::GROUPS,
        ObjectType::Licenses => &table::LICENSES,
        ObjectType::Devices => &table::DEVICES,
    }
}

/// The attribute that a key names: one of the table, or a directory extension
/// (`extension_<32 hexadecimal digits of the app id>_<name>`).
pub fn attribute(object_type: ObjectType, key: &str) -> Option<Attribute> {
    let known = attributes(object_type).iter().find(|attribute| attribute.key == key).cloned();
    known.or_else(|| extension(object_type, key))
}

/// Directory extensions exist on users, groups and devices. Strings among them hold up to 256 characters,
/// so they are `textarea`; numbers, dates and booleans arrive as their text.
/// Source: learn.microsoft.com/graph/api/resources/extensionproperty.
fn extension(object_type: ObjectType, key: &str) -> Option<Attribute> {
    if object_type == ObjectType::Licenses {
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
        source: Source::Extension,
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
            for source in [Source::Identity, Source::Label, Source::Lifecycle, Source::RemovedOn] {
                let found: Vec<_> = attributes(object_type).iter().filter(|a| a.source == source).collect();
                assert_eq!(found.len(), 1, "{object_type} {source:?}");
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
            "Available Units, Consumed Units, Enabled Units, Lifecycle, Name, Part Number, Removed On, SKU ID, Status"
        );
        assert_eq!(
            names(ObjectType::Groups),
            "Created, Description, Display Name, Group Kind, Licenses, Lifecycle, Mail, Members, Membership, \
             Membership Rule, Object ID, On-premises Sync, Owners, Parent Groups, Removed On, Teams, Visibility"
        );
        assert_eq!(
            names(ObjectType::Users),
            "Account Enabled, Business Phones, City, Company, Country, Created, Department, Display Name, Employee \
             ID, Employee Type, Given Name, Groups, Job Title, Licenses, Lifecycle, Mail, Manager, Mobile Phone, \
             Object ID, Office, On-premises Sync, Removed On, State, Surname, Usage Location, User Principal Name, \
             User Type"
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
        assert_eq!(found.properties(ObjectType::Users), [key]);
        for wrong in ["extension_123_x", "extension_0123456789abcdef0123456789abcdef_", "extension_", "nickname"] {
            assert_eq!(attribute(ObjectType::Users, wrong), None, "{wrong}");
        }
        assert_eq!(attribute(ObjectType::Licenses, key), None);
    }
}
