//! The objects of the directory as Microsoft Graph describes them.
//!
//! An object is the JSON map of its Graph properties, without those that are null ([`Properties`]). Each type of object is
//! a value, a [`TypeSpec`], that one file of [`types`] declares. The functions here tell of any object what Graph does not
//! say in one property: a label that is never empty, whether it is in use.

mod attribute;
pub mod attributes;
pub mod filterable;
pub mod license_names;
mod member_type;
mod object_type;
mod properties;
pub mod security_attributes;
mod type_spec;
mod types;
mod user_values;
mod value;

pub use attribute::{Attribute, AttributeSource, Expiry, Link, Presence, ValueType};
pub use license_names::LicenseNames;
pub use member_type::MemberType;
pub use object_type::ObjectType;
pub use properties::{Properties, text};
pub use type_spec::{ById, Collection, Each, Expanded, Hidden, Item, MAX_EXPANDED, Relation, TypeSpec};
pub use user_values::UserValues;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// Active or Disabled, according to Graph.
pub fn lifecycle(object_type: ObjectType, properties: &Properties) -> Lifecycle {
    if (object_type.spec().disabled.when)(properties) { Lifecycle::Disabled } else { Lifecycle::Active }
}

/// A name that is never empty: what the type is called by, else the id.
pub fn label(object_type: ObjectType, id: Uuid, properties: &Properties, names: &LicenseNames) -> String {
    let spec = object_type.spec();
    let product = if spec.is_product { names.name(id) } else { None };
    let found = product.or_else(|| spec.label.iter().find_map(|key| text(properties, key)));
    found.map_or_else(|| id.to_string(), |label| label.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
    fn nothing_is_disabled_on_a_guess() {
        let of = |object_type, value| lifecycle(object_type, &properties(value));
        assert_eq!(of(ObjectType::Users, json!({"accountEnabled": false})), Lifecycle::Disabled);
        assert_eq!(of(ObjectType::Users, json!({})), Lifecycle::Active);
        assert_eq!(of(ObjectType::Licenses, json!({"capabilityStatus": "Suspended"})), Lifecycle::Disabled);
        assert_eq!(of(ObjectType::Licenses, json!({"capabilityStatus": "Warning"})), Lifecycle::Active);
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
