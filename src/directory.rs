//! The objects of the directory: users, groups, licences and devices as Microsoft Graph describes them.
//!
//! An object is the JSON map of its Graph properties, without those that are null ([`Properties`]). The functions here
//! derive what Graph does not say in one property: a label that is never empty, the kind of a group, whether the object is
//! in use.

mod attribute;
pub mod attributes;
pub mod license_names;
pub mod never_null;

pub use attribute::{Attribute, AttributeSource, Link, Presence, ValueType};
pub use license_names::LicenseNames;

use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The Graph properties of one object by name; properties that are null are absent.
pub type Properties = Map<String, Value>;

text_enum! {
    /// The kinds of objects that a job can import. The word is also the selector in the data sent to Assets.
    #[derive(PartialOrd, Ord)]
    ObjectType in "run_changes.object_type" {
        Users = "users",
        Groups = "groups",
        /// The SKUs that the organization subscribed to; the id is the SKU id.
        Licenses = "licenses",
        Devices = "devices",
    }
}

impl ObjectType {
    /// The singular, for messages.
    pub const fn singular(self) -> &'static str {
        match self {
            Self::Users => "user",
            Self::Groups => "group",
            Self::Licenses => "license",
            Self::Devices => "device",
        }
    }

    /// The position in [`ObjectType::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Self::Users => 0,
            Self::Groups => 1,
            Self::Licenses => 2,
            Self::Devices => 3,
        }
    }
}

/// Whether an object is in use: the values of the Assets status attribute.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Lifecycle {
    Active,
    /// The account is blocked, the device disabled, the subscription suspended.
    Disabled,
    /// No longer in the directory or in the scope of the job, but kept in Assets.
    Removed,
}

impl Lifecycle {
    pub const ALL: [Self; 3] = [Self::Active, Self::Disabled, Self::Removed];

    /// The name of the status in Assets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Disabled => "Disabled",
            Self::Removed => "Removed",
        }
    }
}

/// Active or Disabled, according to Graph. Without the property (Graph returns null if a permission is missing) the object
/// counts as in use.
pub fn lifecycle(object_type: ObjectType, properties: &Properties) -> Lifecycle {
    let is_disabled = match object_type {
        ObjectType::Users | ObjectType::Devices => {
            properties.get("accountEnabled").and_then(Value::as_bool) == Some(false)
        }
        ObjectType::Groups => false,
        // subscribedSku.capabilityStatus: Enabled, Warning (grace period), Suspended, Deleted, LockedOut
        ObjectType::Licenses => {
            matches!(text(properties, "capabilityStatus"), Some("Suspended" | "Deleted" | "LockedOut"))
        }
    };
    if is_disabled { Lifecycle::Disabled } else { Lifecycle::Active }
}

/// A name that is never empty: displayName, else userPrincipalName, else mail, else the id. For a licence: its product
/// name, else its part number, else the id.
pub fn label(object_type: ObjectType, id: Uuid, properties: &Properties, names: &LicenseNames) -> String {
    let found = match object_type {
        ObjectType::Licenses => names.name(id).or_else(|| text(properties, "skuPartNumber")),
        ObjectType::Users | ObjectType::Groups | ObjectType::Devices => {
            ["displayName", "userPrincipalName", "mail"].into_iter().find_map(|key| text(properties, key))
        }
    };
    found.map_or_else(|| id.to_string(), |label| label.trim().to_owned())
}

/// Microsoft 365, Security, Mail-enabled security or Distribution.
/// Source: learn.microsoft.com/graph/api/resources/groups-overview, "Group types in Microsoft Entra ID".
pub fn group_kind(properties: &Properties) -> &'static str {
    let is = |key: &str| properties.get(key).and_then(Value::as_bool).unwrap_or(false);
    if has(properties, "groupTypes", "Unified") {
        "Microsoft 365"
    } else if is("mailEnabled") && is("securityEnabled") {
        "Mail-enabled security"
    } else if is("mailEnabled") {
        "Distribution"
    } else {
        "Security"
    }
}

/// Assigned, or Dynamic (by a rule).
pub fn group_membership(properties: &Properties) -> &'static str {
    if has(properties, "groupTypes", "DynamicMembership") { "Dynamic" } else { "Assigned" }
}

/// Whether the group is a team in Microsoft Teams.
pub fn is_team(properties: &Properties) -> bool {
    has(properties, "resourceProvisioningOptions", "Team")
}

/// Licences that can still be assigned: enabled units and those in the grace period (`warning`), minus consumed units.
/// Negative if more are assigned than were bought. `None` if Graph does not say.
pub fn available_units(properties: &Properties) -> Option<i64> {
    let units = properties.get("prepaidUnits")?;
    let enabled = units.get("enabled")?.as_i64()?;
    let in_grace = units.get("warning").and_then(Value::as_i64).unwrap_or(0);
    Some(enabled + in_grace - properties.get("consumedUnits")?.as_i64()?)
}

/// A text property that is not blank.
fn text<'a>(properties: &'a Properties, key: &str) -> Option<&'a str> {
    properties.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// Whether a list property contains a value. Graph ignores case.
fn has(properties: &Properties, key: &str, wanted: &str) -> bool {
    let list = properties.get(key).and_then(Value::as_array);
    list.is_some_and(|list| list.iter().filter_map(Value::as_str).any(|value| value.eq_ignore_ascii_case(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_label_is_never_empty() {
        let id = Uuid::from_u128(7);
        let names = LicenseNames::builtin();
        let of = |value| label(ObjectType::Users, id, &properties(value), &names);
        assert_eq!(of(json!({"displayName": "Ada", "mail": "a@x"})), "Ada");
        assert_eq!(of(json!({"displayName": "  ", "userPrincipalName": "u@x", "mail": "a@x"})), "u@x");
        assert_eq!(of(json!({"mail": "a@x"})), "a@x");
        assert_eq!(of(json!({})), id.to_string());
    }

    #[test]
    fn a_licence_is_called_by_its_friendly_name_else_by_its_part_number() {
        let names = LicenseNames::builtin();
        let sku = Uuid::parse_str("05e9a617-0261-4cee-bb44-138d3ef5d965").unwrap();
        let part = properties(json!({"skuPartNumber": "SPE_E3"}));
        assert_eq!(label(ObjectType::Licenses, sku, &part, &names), "Microsoft 365 E3");
        assert_eq!(label(ObjectType::Licenses, Uuid::from_u128(1), &part, &names), "SPE_E3");
    }

    #[test]
    fn the_kind_of_a_group_follows_its_flags() {
        let kind = |types: Value, mail: bool, security: bool| {
            group_kind(&properties(json!({"groupTypes": types, "mailEnabled": mail, "securityEnabled": security})))
        };
        assert_eq!(kind(json!(["Unified"]), true, false), "Microsoft 365");
        assert_eq!(kind(json!(["DynamicMembership", "Unified"]), true, true), "Microsoft 365");
        assert_eq!(kind(json!([]), false, true), "Security");
        assert_eq!(kind(json!([]), true, true), "Mail-enabled security");
        assert_eq!(kind(json!([]), true, false), "Distribution");
        assert_eq!(group_membership(&properties(json!({"groupTypes": ["DynamicMembership"]}))), "Dynamic");
        assert_eq!(group_membership(&properties(json!({}))), "Assigned");
        assert!(is_team(&properties(json!({"resourceProvisioningOptions": ["Team"]}))));
    }

    #[test]
    fn nothing_is_disabled_on_a_guess() {
        let of = |object_type, value| lifecycle(object_type, &properties(value));
        assert_eq!(of(ObjectType::Users, json!({"accountEnabled": false})), Lifecycle::Disabled);
        assert_eq!(of(ObjectType::Users, json!({})), Lifecycle::Active);
        assert_eq!(of(ObjectType::Licenses, json!({"capabilityStatus": "Suspended"})), Lifecycle::Disabled);
        assert_eq!(of(ObjectType::Licenses, json!({"capabilityStatus": "Warning"})), Lifecycle::Active);
    }

    #[test]
    fn available_units_are_what_is_left() {
        let sku = properties(json!({"prepaidUnits": {"enabled": 25, "warning": 0}, "consumedUnits": 14}));
        assert_eq!(available_units(&sku), Some(11));
        let units = |enabled: i64, warning: i64, consumed: i64| {
            let sku = json!({"prepaidUnits": {"enabled": enabled, "warning": warning, "suspended": 7}, "consumedUnits": consumed});
            available_units(&properties(sku))
        };
        assert_eq!(units(0, 1100, 1100), Some(0), "a subscription in its grace period can be used");
        assert_eq!((units(10, 5, 14), units(10, 0, 14)), (Some(1), Some(-4)));
        assert_eq!(available_units(&properties(json!({"consumedUnits": 14}))), None);
    }

    #[test]
    fn object_types_are_named_as_in_the_api() {
        for object_type in ObjectType::ALL {
            assert_eq!(ObjectType::ALL[object_type.index()], object_type);
            assert_eq!(object_type.as_str().parse(), Ok(object_type));
            assert_eq!(serde_json::to_value(object_type).unwrap(), json!(object_type.as_str()));
        }
        assert!("people".parse::<ObjectType>().is_err());
    }
}
