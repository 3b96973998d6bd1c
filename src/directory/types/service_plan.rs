//! Service plans: what the licences of the organization consist of.
//! Source: <https://learn.microsoft.com/graph/api/subscribedsku-list>, with the resource `servicePlanInfo`.

use crate::directory::attribute::rows::{LIFECYCLE, REMOVED_ON, TENANT_ID, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Presence, ValueType};
use crate::directory::object_type::ObjectType;
use crate::directory::properties::{Properties, items, text};
use crate::directory::type_spec::{ById, Collection, Disabled, Item, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default};
use ValueType::Text;
use serde_json::Value;
use uuid::Uuid;

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::ServicePlans,
    singular: "service plan",
    plural: "service plans",
    external_id: "servicePlan",
    type_name: "Entra Service Plan",
    names: &["entra service plan", "service plan", "service plans"],
    description: "A service that licences of the organization contain",
    is_default: false,
    rank: 5,
    has_stubs: false,
    capability: Capability::Licenses,
    probe: "/subscribedSkus?$select=skuId,servicePlans",
    collection: Collection {
        path: "subscribedSkus",
        page: None,
        by_id: ById::Never,
        item: Item::Parts { select: &["id", "servicePlans"], expand: None, of: plans_of },
    },
    filter: None,
    relations: &[],
    label: &["servicePlanName"],
    is_product: false,
    disabled: Disabled::NEVER,
    never_null: &[],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: false,
    recycle_bin: None,
};

/// The same plan is part of several licences. What differs between them (`provisioningStatus`) is left out.
fn plans_of(license: &Properties) -> Vec<(Uuid, Properties)> {
    let plan = |item: &Value| {
        let found = item.as_object()?;
        let id = text(found, "servicePlanId").and_then(|id| Uuid::parse_str(id).ok())?;
        let kept = ["servicePlanId", "servicePlanName", "appliesTo"];
        let kept = kept.iter().filter_map(|name| Some(((*name).to_owned(), found.get(*name)?.clone())));
        Some((id, kept.collect()))
    };
    items(license, "servicePlans").filter_map(plan).collect()
}

static ATTRIBUTES: &[Attribute] = &[
    row(
        "servicePlanId",
        "Service Plan ID",
        Text,
        AttributeSource::Identity("servicePlanId"),
        Always,
        "The id of the service plan. Assets recognises the object by it.",
    ),
    row(
        "name",
        "Name",
        Text,
        AttributeSource::Label,
        Always,
        "The name of the service plan, such as EXCHANGE_S_ENTERPRISE.",
    ),
    property("appliesTo", "Applies To", Text, Default, "User or Company."),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_is_the_same_in_every_licence() {
        let of = |status: &str| {
            let plan = json!({"servicePlanId": Uuid::from_u128(3), "servicePlanName": "P", "appliesTo": "User", "provisioningStatus": status});
            plans_of(json!({"servicePlans": [plan]}).as_object().unwrap())
        };
        assert_eq!(of("Success"), of("PendingActivation"));
        assert_eq!(of("Success")[0].0, Uuid::from_u128(3));
    }
}
