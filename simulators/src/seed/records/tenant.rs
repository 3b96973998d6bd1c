//! What the tenant itself has: the service plans of its licences, and what is said of the organization beside its name.

use crate::seed::record::Record;
use crate::seed::words::SKUS;
use serde_json::json;
use uuid::Uuid;

/// Properties over those that follow from who has a licence. The tenant does not have a licence that is deleted.
pub fn skus() -> Vec<Record> {
    SKUS.iter().map(|sku| Record::new(sku.id, json!({}))).collect()
}

/// A plan that is deleted is in no licence any more.
pub fn service_plans() -> Vec<Record> {
    let mut plans: Vec<Record> = Vec::new();
    for (id, name) in SKUS.iter().flat_map(|sku| sku.plans) {
        if !plans.iter().any(|plan| plan.id == *id) {
            let properties = json!({
                "servicePlanId": id, "servicePlanName": name, "provisioningStatus": "Success", "appliesTo": "User",
            });
            plans.push(Record::new(*id, properties));
        }
    }
    plans
}

/// Properties over those that follow from the tenant.
pub fn organization() -> Vec<Record> {
    vec![Record::new(Uuid::nil(), json!({}))]
}
