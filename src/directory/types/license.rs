//! Licences: the SKUs that the organization subscribed to.
//! Source: <https://learn.microsoft.com/graph/api/resources/subscribedsku>.

use crate::directory::attribute::rows::{LIFECYCLE, REMOVED_ON, TENANT_ID, link, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Link, Presence, ValueType};
use crate::directory::object_type::ObjectType;
use crate::directory::properties::{Properties, text};
use crate::directory::type_spec::{ById, Collection, Disabled, Item, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{Integer, Text};
use serde_json::Value;
use uuid::Uuid;

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::Licenses,
    singular: "license",
    plural: "licenses",
    external_id: "license",
    type_name: "Entra License",
    names: &[
        "entra license",
        "entra licenses",
        "microsoft 365 license",
        "microsoft 365 licenses",
        "license",
        "licenses",
        "licence",
        "licences",
        "subscription",
        "subscriptions",
        "sku",
        "skus",
    ],
    description: "A licence that the organization subscribed to",
    is_default: true,
    rank: 10,
    has_stubs: false,
    capability: Capability::Licenses,
    probe: "/subscribedSkus?$select=skuId,skuPartNumber",
    // Its list has no paging and refuses `$top` and `$filter`.
    collection: Collection { path: "subscribedSkus", page: None, by_id: ById::OneByOne("id"), item: Item::Named(sku) },
    filter: None,
    relations: &[],
    label: &["skuPartNumber"],
    is_product: true,
    // subscribedSku.capabilityStatus: Enabled, Warning (grace period), Suspended, Deleted, LockedOut
    disabled: Disabled {
        by: &["capabilityStatus"],
        when: |license| matches!(text(license, "capabilityStatus"), Some("Suspended" | "Deleted" | "LockedOut")),
    },
    never_null: &["capabilityStatus", "consumedUnits", "prepaidUnits", "skuId", "skuPartNumber"],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: false,
    recycle_bin: None,
};

/// The id of a subscribed SKU is `{tenant}_{skuId}`: what others refer to is its second half.
fn sku(id: &str) -> Option<Uuid> {
    id.rsplit('_').next().and_then(|sku| Uuid::parse_str(sku).ok())
}

/// Licences that can still be assigned: enabled units and those in the grace period (`warning`), minus consumed units.
/// Negative if more are assigned than were bought. `None` if Graph does not say.
fn available_units(license: &Properties) -> Option<i64> {
    let units = license.get("prepaidUnits")?;
    let enabled = units.get("enabled")?.as_i64()?;
    let in_grace = units.get("warning").and_then(Value::as_i64).unwrap_or(0);
    Some(enabled + in_grace - license.get("consumedUnits")?.as_i64()?)
}

static ATTRIBUTES: &[Attribute] = &[
    row(
        "skuId",
        "SKU ID",
        Text,
        AttributeSource::Identity("skuId"),
        Always,
        "The id of the licence. Assets recognises the object by it.",
    ),
    row(
        "name",
        "Name",
        Text,
        AttributeSource::Label,
        Always,
        "The product's name; where it is not known, the part number.",
    ),
    property("skuPartNumber", "Part Number", Text, Default, "The part number, such as SPE_E3."),
    property("capabilityStatus", "Status", Text, Default, "Enabled, Warning, Suspended, Deleted or LockedOut."),
    row(
        "enabledUnits",
        "Enabled Units",
        Integer,
        AttributeSource::Field("prepaidUnits", "enabled"),
        Default,
        "Units that were bought and can be assigned.",
    ),
    property("consumedUnits", "Consumed Units", Integer, Default, "Units that are assigned."),
    row(
        "availableUnits",
        "Available Units",
        Integer,
        AttributeSource::Derived(&["prepaidUnits", "consumedUnits"], |license| available_units(license).into()),
        Default,
        "Enabled units less consumed units.",
    ),
    row(
        "warningUnits",
        "Warning Units",
        Integer,
        AttributeSource::Field("prepaidUnits", "warning"),
        OnRequest,
        "Units in the grace period after a subscription ended.",
    ),
    row(
        "suspendedUnits",
        "Suspended Units",
        Integer,
        AttributeSource::Field("prepaidUnits", "suspended"),
        OnRequest,
        "Units that can no longer be assigned.",
    ),
    row(
        "lockedOutUnits",
        "Locked Out Units",
        Integer,
        AttributeSource::Field("prepaidUnits", "lockedOut"),
        OnRequest,
        "Units of a subscription that was locked.",
    ),
    link(
        "servicePlans",
        "Service Plans",
        Link::Ids { property: "servicePlans", field: "servicePlanId", target: ObjectType::ServicePlans, is_many: true },
        "The services that the licence contains.",
    ),
    property("appliesTo", "Applies To", Text, OnRequest, "User or Company."),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn available_units_are_what_is_left() {
        let units = |enabled: i64, warning: i64, consumed: i64| {
            let sku = json!({"prepaidUnits": {"enabled": enabled, "warning": warning, "suspended": 7}, "consumedUnits": consumed});
            available_units(sku.as_object().unwrap())
        };
        assert_eq!(units(25, 0, 14), Some(11));
        assert_eq!(units(0, 1100, 1100), Some(0), "a subscription in its grace period can be used");
        assert_eq!((units(10, 5, 14), units(10, 0, 14)), (Some(1), Some(-4)));
        assert_eq!(available_units(json!({"consumedUnits": 14}).as_object().unwrap()), None);
    }
}
