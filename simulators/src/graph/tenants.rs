//! What there is once per tenant: subscribed SKUs, the organization, domains; licence details of a user; objects by id.

use super::answer::{Answer, Answered, Problem};
use super::links::LinkShape;
use super::list::find;
use super::request::Request;
use super::sim::Sim;
use crate::seed::words::{SKUS, Sku};
use crate::seed::{Directory, ObjectKind};
use serde_json::{Value, json};
use std::sync::PoisonError;
use uuid::Uuid;

fn plans(directory: &Directory, sku: &Sku) -> Vec<Value> {
    let all = directory.records("subscribedSkus/servicePlans").iter();
    let of_sku = all.filter(|plan| sku.plans.iter().any(|(id, _)| *id == plan.id));
    of_sku.map(|plan| Value::Object(plan.properties.clone())).collect()
}

/// `GET /subscribedSkus`: no paging, no filter.
pub fn subscribed_skus(request: &Request<'_>) -> Answered {
    if request.query.has("$filter") || request.query.has("$top") {
        let message = "The query specified in the URI is not valid: only $select is supported.";
        return Err(Problem::bad_request(message));
    }
    let items = request.select_members(skus(request));
    Ok(request.value_list("subscribedSkus", items))
}

/// `GET /subscribedSkus/{id}`.
pub fn subscribed_sku(request: &Request<'_>, key: &str) -> Answered {
    let found = skus(request).into_iter().find(|sku| sku["id"] == key).ok_or_else(|| Problem::not_found(key))?;
    let item = request.select_members(vec![found]).pop().unwrap_or_default();
    Ok(Answer::value(200, &item))
}

fn skus(request: &Request<'_>) -> Vec<Value> {
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let used = consumed(&directory);
    let tenant = request.token.tenant;
    let items = SKUS.iter().zip(used).enumerate().filter_map(|(n, (sku, used))| {
        let changed = &directory.records("subscribedSkus").iter().find(|record| record.id == sku.id)?.properties;
        let enabled = (used / 50 + 1) * 50;
        let mut item = json!({
            "accountName": "contoso",
            "accountId": tenant,
            "appliesTo": "User",
            "capabilityStatus": if n == 4 { "Warning" } else { "Enabled" },
            "consumedUnits": used,
            "id": format!("{tenant}_{}", sku.id),
            "skuId": sku.id,
            "skuPartNumber": sku.part_number,
            "subscriptionIds": [Uuid::from_u128(sku.id.as_u128() ^ 1)],
            "prepaidUnits": {"enabled": enabled, "suspended": 0, "warning": if n == 4 { 5 } else { 0 }, "lockedOut": 0},
            "servicePlans": plans(&directory, sku),
        });
        changed.iter().for_each(|(name, value)| item[name] = value.clone());
        Some(item)
    });
    items.collect()
}

fn consumed(directory: &Directory) -> [u64; SKUS.len()] {
    let mut used = [0; SKUS.len()];
    for (_, user) in directory.live_users() {
        let skus = directory.all_skus_of(user);
        for (n, count) in used.iter_mut().enumerate() {
            *count += u64::from(skus & (1 << n) != 0);
        }
    }
    used
}

/// `GET /users/{id}/licenseDetails`.
pub fn license_details(request: &Request<'_>, key: &str) -> Answered {
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let user = find(&directory, ObjectKind::User, key)?;
    let skus = directory.users.get(user.slot() as usize).map_or(0, |user| directory.all_skus_of(user));
    let held = SKUS.iter().enumerate().filter(|(n, _)| skus & (1 << n) != 0).map(|(_, sku)| {
        json!({"id": sku.id.simple().to_string(), "skuId": sku.id, "skuPartNumber": sku.part_number, "servicePlans": plans(&directory, sku)})
    });
    let items = request.select_members(held.collect());
    Ok(request.value_list("licenseDetails", items))
}

/// `GET /organization`: the one tenant.
pub fn organization(sim: &Sim, request: &Request<'_>) -> Answered {
    let tenants = sim.read_tenants();
    let tenant = tenants.iter().find(|tenant| tenant.id == request.token.tenant);
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let items = tenant.map(|tenant| {
        let domains = tenant.domains.iter().map(|name| {
            json!({"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": true, "isInitial": true, "name": name, "type": "Managed"})
        });
        let mut organization = json!({
            "id": tenant.id,
            "displayName": tenant.name,
            "countryLetterCode": "GB",
            "createdDateTime": "2018-01-01T00:00:00Z",
            "tenantType": "AAD",
            "verifiedDomains": domains.collect::<Vec<_>>(),
            "technicalNotificationMails": [],
            "onPremisesSyncEnabled": true,
        });
        let changed = directory.records("organization").iter().flat_map(|record| &record.properties);
        changed.for_each(|(name, value)| organization[name] = value.clone());
        organization
    });
    let items = request.select_members(items.into_iter().collect());
    Ok(request.value_list("organization", items))
}

pub fn domains(sim: &Sim, request: &Request<'_>) -> Answered {
    let tenants = sim.read_tenants();
    let names = tenants.iter().filter(|tenant| tenant.id == request.token.tenant).flat_map(|tenant| &tenant.domains);
    let items: Vec<Value> = names.map(|name| json!({"id": name, "isVerified": true, "isDefault": true})).collect();
    Ok(request.value_list("domains", items))
}

/// `POST /directoryObjects/getByIds` `{"ids":[…],"types":[…]}`: at most 1,000; unknown ids are left out.
pub fn get_by_ids(request: &Request<'_>) -> Answered {
    let body: Value = serde_json::from_slice(request.body)
        .map_err(|_| Problem::bad_request("Unable to read JSON request payload."))?;
    let ids = body.get("ids").and_then(Value::as_array).ok_or_else(|| Problem::bad_request("'ids' is missing."))?;
    if ids.len() > 1_000 {
        return Err(Problem::bad_request("Too many identifiers: 1000 at most."));
    }
    let types: Vec<&str> = body
        .get("types")
        .and_then(Value::as_array)
        .map(|t| t.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let shape = LinkShape::of(request);
    let mut out = request.begin("directoryObjects", None);
    out.extend_from_slice(b",\"value\":[");
    let found = ids.iter().filter_map(Value::as_str).filter_map(|id| directory.find(Uuid::parse_str(id).ok()?));
    let wanted = found.filter(|object| directory.is_live(*object)).filter(|object| {
        let name = object.kind().odata_type().rsplit('.').next().unwrap_or_default();
        types.is_empty()
            || types.iter().any(|t| t.eq_ignore_ascii_case(name) || t.eq_ignore_ascii_case("directoryObject"))
    });
    for (n, object) in wanted.enumerate() {
        if n > 0 {
            out.push(b',');
        }
        shape.write(&mut out, &directory, object);
    }
    out.extend_from_slice(b"]}");
    Ok(Answer::json(200, out))
}
