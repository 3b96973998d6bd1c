//! One attribute of an object type: its name and type in Assets, and where its value comes from.

use super::object_type::ObjectType;
use super::properties::Properties;
use super::value;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::borrow::Cow;
use uuid::Uuid;

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

/// Where the ids of members of several types are kept together.
pub const MEMBER_IDS: &str = "memberIds";

/// The references between objects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    /// The groups a user is a member of.
    Groups,
    /// The same, and the groups that these are in, at any depth.
    AllGroups,
    /// The users in a group.
    Members,
    /// The groups a group is a member of.
    ParentGroups,
    /// Ids in a property of the object: an id, a list of ids, or a list of objects with an id, or a list of ids, in `field`.
    /// Those that are of the type `target` count.
    Ids { property: &'static str, field: &'static str, target: ObjectType, is_many: bool },
    /// The object of the type `target` whose property `theirs` has the same value as the property of this one.
    Same { property: &'static str, target: ObjectType, theirs: &'static str },
    /// The object that stands for the value of a property, or of a `field` of it: [`super::UserValues`].
    Value { property: &'static str, field: &'static str, target: ObjectType },
}

impl Link {
    pub const MANAGER: Self = Self::one("managerId", ObjectType::Users);
    /// The owners of an object that `$expand=owners` shows.
    pub const OWNERS: Self = Self::many("ownerIds", ObjectType::Users);
    /// The owners of a device.
    pub const REGISTERED_OWNERS: Self =
        Self::Ids { property: "registeredOwners", field: "id", target: ObjectType::Users, is_many: true };
    /// The licences assigned to a user or a group.
    pub const LICENSES: Self =
        Self::Ids { property: "assignedLicenses", field: "skuId", target: ObjectType::Licenses, is_many: true };

    /// The object whose id is in a property.
    pub const fn one(property: &'static str, target: ObjectType) -> Self {
        Self::Ids { property, field: "id", target, is_many: false }
    }

    /// The objects whose ids are in a property.
    pub const fn many(property: &'static str, target: ObjectType) -> Self {
        Self::Ids { property, field: "id", target, is_many: true }
    }

    /// Whether the ids may be those of objects of other types too: `memberIds`.
    pub fn is_mixed(self) -> bool {
        self.property() == Some(MEMBER_IDS)
    }

    pub const fn target(self) -> ObjectType {
        match self {
            Self::Members => ObjectType::Users,
            Self::Groups | Self::AllGroups | Self::ParentGroups => ObjectType::Groups,
            Self::Ids { target, .. } | Self::Same { target, .. } | Self::Value { target, .. } => target,
        }
    }

    /// Whether there can be several.
    pub const fn is_many(self) -> bool {
        match self {
            Self::Groups | Self::AllGroups | Self::Members | Self::ParentGroups => true,
            Self::Ids { is_many, .. } => is_many,
            Self::Same { .. } | Self::Value { .. } => false,
        }
    }

    /// The text of the property that an object stands for.
    pub fn value(self, properties: &Properties) -> Option<&str> {
        let Self::Value { property, field, .. } = self else { return None };
        let value = properties.get(property)?;
        value.get(field).unwrap_or(value).as_str()
    }

    /// The ids in the property of an object, each once, whatever type they are of.
    pub fn ids(self, properties: &Properties) -> Vec<Uuid> {
        if let Self::Value { target, .. } = self {
            return self.value(properties).and_then(|text| value::id(target, text)).into_iter().collect();
        }
        let Self::Ids { property, field, .. } = self else { return Vec::new() };
        let Some(value) = properties.get(property) else { return Vec::new() };
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let found = items.iter().map(|item| item.get(field).unwrap_or(item));
        let texts = found.flat_map(|found| found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice));
        let texts = texts.filter_map(Value::as_str);
        let mut ids: Vec<Uuid> = texts.filter_map(|text| Uuid::parse_str(text).ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The property of the object that it is read from; memberships have none.
    pub const fn property(self) -> Option<&'static str> {
        match self {
            Self::Ids { property, .. } | Self::Same { property, .. } | Self::Value { property, .. } => Some(property),
            Self::Groups | Self::AllGroups | Self::Members | Self::ParentGroups => None,
        }
    }
}

/// Where an attribute's value comes from.
#[derive(Clone, Copy, Debug)]
pub enum AttributeSource {
    /// The id of the object, by which Assets identifies it. This Graph property has it.
    Identity(&'static str),
    /// A name that is never empty.
    Label,
    /// The Graph property of this name.
    Property(&'static str),
    /// A field of a complex Graph property.
    Field(&'static str, &'static str),
    /// A directory extension: the Graph property has the name of the attribute's key.
    Extension,
    /// A custom security attribute: the key names its set and itself.
    SecurityAttribute,
    /// Made of these Graph properties.
    Derived(&'static [&'static str], fn(&Properties) -> Value),
    /// Whether a time, made of these Graph properties, has passed or soon will: [`Expiry`].
    Expiry(&'static [&'static str], fn(&Properties) -> Value),
    Lifecycle,
    RemovedOn,
    /// The tenant that the object was read from.
    Tenant,
    Link(Link),
    /// A text by which an object is found that the job does not import: what text, the job says.
    Lookup,
}

/// Whether something that is valid for a time still is: the values of a status in Assets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    Valid,
    ExpiresSoon,
    Expired,
}

/// What ends within this time expires soon.
const SOON: TimeDelta = TimeDelta::days(30);

impl Expiry {
    pub const ALL: [Self; 3] = [Self::Valid, Self::ExpiresSoon, Self::Expired];

    /// What it is at a time.
    pub fn of(end: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        match end - now {
            left if left <= TimeDelta::zero() => Self::Expired,
            left if left <= SOON => Self::ExpiresSoon,
            _ => Self::Valid,
        }
    }

    /// The name of the status in Assets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "Valid",
            Self::ExpiresSoon => "Expires soon",
            Self::Expired => "Expired",
        }
    }
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
#[derive(Clone, Debug)]
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

    pub fn is_identity(&self) -> bool {
        matches!(self.source, AttributeSource::Identity(_))
    }

    pub fn is_label(&self) -> bool {
        matches!(self.source, AttributeSource::Label)
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
            AttributeSource::SecurityAttribute => Some("securityAttributes"),
            AttributeSource::Link(Link::MANAGER) => Some("managers"),
            AttributeSource::Link(Link::Groups | Link::Members) => Some("memberships"),
            AttributeSource::Link(Link::ParentGroups | Link::AllGroups) => Some("nestedGroups"),
            AttributeSource::Link(Link::OWNERS | Link::REGISTERED_OWNERS) => Some("owners"),
            AttributeSource::Link(Link::LICENSES) => Some("licenses"),
            _ => None,
        }
    }
}

/// How the rows of the types are written.
pub(super) mod rows {
    use super::{Attribute, AttributeSource, Cow, Link, Presence, Properties, Value, ValueType};

    pub const fn row(
        key: &'static str,
        name: &'static str,
        value_type: ValueType,
        source: AttributeSource,
        presence: Presence,
        description: &'static str,
    ) -> Attribute {
        Attribute {
            key: Cow::Borrowed(key),
            name: Cow::Borrowed(name),
            description: Cow::Borrowed(description),
            value_type,
            source,
            presence,
        }
    }

    /// An attribute that is the Graph property of the same name.
    pub const fn property(
        key: &'static str,
        name: &'static str,
        value_type: ValueType,
        presence: Presence,
        description: &'static str,
    ) -> Attribute {
        row(key, name, value_type, AttributeSource::Property(key), presence, description)
    }

    /// Whether a time has passed or soon will.
    pub const fn expiry(
        key: &'static str,
        name: &'static str,
        properties: &'static [&'static str],
        end: fn(&Properties) -> Value,
        description: &'static str,
    ) -> Attribute {
        row(key, name, ValueType::Status, AttributeSource::Expiry(properties, end), Presence::Default, description)
    }

    /// References to other objects.
    pub const fn link(key: &'static str, name: &'static str, link: Link, description: &'static str) -> Attribute {
        row(key, name, ValueType::Reference, AttributeSource::Link(link), Presence::Default, description)
    }

    /// References that a job has to name.
    pub const fn link_on_request(
        key: &'static str,
        name: &'static str,
        link: Link,
        description: &'static str,
    ) -> Attribute {
        row(key, name, ValueType::Reference, AttributeSource::Link(link), Presence::OnRequest, description)
    }

    /// The id of a directory object.
    pub const OBJECT_ID: Attribute = row(
        "objectId",
        "Object ID",
        ValueType::Text,
        AttributeSource::Identity("id"),
        Presence::Always,
        "The object's id in Entra ID. Assets recognises the object by it.",
    );
    pub const TENANT_ID: Attribute = row(
        "tenantId",
        "Tenant ID",
        ValueType::Text,
        AttributeSource::Tenant,
        Presence::OnRequest,
        "The id of the tenant that the object is in, for an object schema with several tenants.",
    );
    pub const LIFECYCLE: Attribute = row(
        "lifecycle",
        "Lifecycle",
        ValueType::Status,
        AttributeSource::Lifecycle,
        Presence::Always,
        "Active, Disabled or Removed.",
    );
    pub const REMOVED_ON: Attribute = row(
        "removedOn",
        "Removed On",
        ValueType::DateTime,
        AttributeSource::RemovedOn,
        Presence::Always,
        "When the object was found to be no longer in the directory or in the scope of the import.",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_found_however_they_are_nested() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let properties = json!({
            "managerId": one, "ownerIds": [two, one, two, "no id"], "registeredOwners": [{"id": two}, {"name": "x"}],
            "assignedLicenses": [{"skuId": one, "disabledPlans": [two]}, {"skuId": two, "disabledPlans": []}], "userId": "",
        });
        let of = |link: Link| link.ids(properties.as_object().unwrap());
        assert_eq!(of(Link::MANAGER), [one]);
        assert_eq!(of(Link::OWNERS), [one, two]);
        assert_eq!(of(Link::REGISTERED_OWNERS), [two]);
        let plans = Link::Ids {
            property: "assignedLicenses",
            field: "disabledPlans",
            target: ObjectType::ServicePlans,
            is_many: true,
        };
        assert_eq!((of(Link::LICENSES), of(plans)), (vec![one, two], vec![two]));
        assert!(of(Link::one("userId", ObjectType::Users)).is_empty());
        assert!(of(Link::many("absent", ObjectType::Users)).is_empty());
    }

    #[test]
    fn what_ends_within_thirty_days_expires_soon() {
        let now = DateTime::from_timestamp(1_780_300_000, 0).unwrap();
        let of = |seconds: i64| Expiry::of(now + TimeDelta::seconds(seconds), now);
        assert_eq!((of(-1), of(0), of(1)), (Expiry::Expired, Expiry::Expired, Expiry::ExpiresSoon));
        assert_eq!((of(30 * 86_400), of(30 * 86_400 + 1)), (Expiry::ExpiresSoon, Expiry::Valid));
    }
}
