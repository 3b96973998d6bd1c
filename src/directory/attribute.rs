//! One attribute of an object type: its name and type in Assets, and where its value comes from.

use super::ObjectType;
use std::borrow::Cow;

/// The type of an attribute in the schema document.
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
    /// Its name in the schema document.
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

/// The references between objects.
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

    /// Whether there can be several.
    pub const fn is_many(self) -> bool {
        match self {
            Self::Manager => false,
            Self::Groups | Self::Licenses | Self::Owners | Self::Members | Self::ParentGroups => true,
        }
    }
}

/// Where an attribute's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttributeSource {
    /// The id of the object, by which Assets identifies it.
    Identity,
    /// A name that is never empty.
    Label,
    /// The Graph property of this name.
    Property(&'static str),
    /// A field of a complex Graph property.
    Field(&'static str, &'static str),
    /// A directory extension: the Graph property has the name of the attribute's key.
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
    /// Stable: a job uses it in `objects.*.attributes`, and it is the field name in the data sent to Assets. The name of
    /// the Graph property if there is one.
    pub key: Cow<'static, str>,
    /// The attribute's name in Assets, unless a job renames it.
    pub name: Cow<'static, str>,
    pub description: Cow<'static, str>,
    pub value_type: ValueType,
    pub source: AttributeSource,
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
            AttributeSource::Identity => match object_type {
                ObjectType::Licenses => vec!["skuId"],
                ObjectType::Users | ObjectType::Groups | ObjectType::Devices => vec!["id"],
            },
            AttributeSource::Label => match object_type {
                ObjectType::Users => vec!["displayName", "userPrincipalName", "mail"],
                ObjectType::Groups => vec!["displayName", "mail"],
                ObjectType::Licenses => vec!["skuPartNumber"],
                ObjectType::Devices => vec!["displayName"],
            },
            AttributeSource::Property(property) | AttributeSource::Field(property, _) => vec![property],
            AttributeSource::Extension => vec![&self.key],
            AttributeSource::GroupKind => vec!["groupTypes", "mailEnabled", "securityEnabled"],
            AttributeSource::GroupMembership => vec!["groupTypes"],
            AttributeSource::Teams => vec!["resourceProvisioningOptions"],
            AttributeSource::AvailableUnits => vec!["prepaidUnits", "consumedUnits"],
            AttributeSource::Lifecycle => match object_type {
                ObjectType::Users | ObjectType::Devices => vec!["accountEnabled"],
                ObjectType::Groups => vec![],
                ObjectType::Licenses => vec!["capabilityStatus"],
            },
            // Separate requests read all other links.
            AttributeSource::Link(Link::Licenses) => vec!["assignedLicenses"],
            AttributeSource::Link(Link::Manager | Link::Groups | Link::Owners | Link::Members | Link::ParentGroups)
            | AttributeSource::RemovedOn => vec![],
        }
    }

    pub fn link(&self) -> Option<Link> {
        match self.source {
            AttributeSource::Link(link) => Some(link),
            _ => None,
        }
    }

    /// Whether the attribute holds several values in Assets.
    pub fn is_many(&self) -> bool {
        self.link().is_some_and(Link::is_many)
    }

    /// The capability that Graph needs for this attribute, besides that of the object type.
    pub fn capability(&self) -> Option<&'static str> {
        match self.source {
            AttributeSource::Field("signInActivity", _) => Some("signInActivity"),
            AttributeSource::Link(Link::Manager) => Some("managers"),
            AttributeSource::Link(Link::Groups | Link::Members) => Some("memberships"),
            AttributeSource::Link(Link::ParentGroups) => Some("nestedGroups"),
            AttributeSource::Link(Link::Owners) => Some("owners"),
            AttributeSource::Link(Link::Licenses) => Some("licenses"),
            _ => None,
        }
    }
}
