//! The control side over HTTP, for people and for tests in other processes; on the Graph origin, without a token.
//!
//! | request | meaning |
//! |---|---|
//! | `POST /_sim/faults` | a fault, or a list of them: see [`Fault`]; `DELETE` clears all |
//! | `POST /_sim/refusals` | `{"feature":"count","status":501}`; without a status: supported again |
//! | `POST /_sim/token-errors` | `{"tenant":"healthy","aadsts":7000222,"tail":"lines"}`; without a number: none |
//! | `POST /_sim/permissions` | `{"tenant":"healthy","granted":["User.Read.All"]}`: the Application permissions of its app, from now on |
//! | `POST /_sim/quota` | `{"units":8000,"retryAfter":"decimal"}`; without units: none |
//! | `POST /_sim/latency` | `{"millis":80}` |
//! | `POST /_sim/changes` | `{"share":0.01}`: changes that part of the directory, see [`Directory::churn`]; or `{"users":500,"groups":100}`, see [`Directory::alter`] |
//! | `POST /_sim/deletions` | `{"share":0.3}`: deletes that part of the users |
//! | `GET /_sim/tenants` | what to enter for each tenant |
//! | `GET /_sim/truth` | counts; `/_sim/truth/{what}?skip=&top=` the rows |
//! | `GET /_sim/requests?top=` | counters and the last requests; `DELETE` resets |

use super::answer::{Answer, Problem};
use super::fault::Fault;
use super::permission;
use super::quota::{Quota, RetryAfterForm};
use super::scenario::Scenario;
use super::sim::{Feature, Sim};
use super::tenant::{Tail, Tenant, TokenError};
use crate::seed::words::SKUS;
use crate::seed::{Directory, Edges, ObjectKind};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Fault>),
    One(Fault),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    feature: Feature,
    status: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenErrorOrder {
    tenant: String,
    aadsts: Option<u32>,
    #[serde(default)]
    tail: Tail,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PermissionOrder {
    tenant: String,
    granted: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct QuotaOrder {
    units: Option<u32>,
    #[serde(default)]
    retry_after: RetryAfterForm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LatencyOrder {
    millis: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeOrder {
    share: Option<f64>,
    #[serde(default)]
    users: u64,
    #[serde(default)]
    groups: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeletionOrder {
    share: f64,
}

/// Rows of one answer of the truth, unless `top` says otherwise.
const ROWS_DEFAULT: usize = 10_000;

pub fn control(sim: &Sim, method: &str, path: &str, query: &str, body: &[u8]) -> Answer {
    let options: HashMap<String, String> =
        url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect();
    let parts: Vec<&str> = path.trim_matches('/').split('/').skip(1).collect();
    let done = match (method, parts.as_slice()) {
        ("POST", ["faults"]) => read(body).map(|faults| {
            match faults {
                OneOrMany::One(fault) => sim.faults.add(fault),
                OneOrMany::Many(faults) => faults.into_iter().for_each(|fault| sim.faults.add(fault)),
            }
            Answer::empty(204)
        }),
        ("DELETE", ["faults"]) => {
            sim.faults.clear();
            Ok(Answer::empty(204))
        }
        ("POST", ["refusals"]) => read(body).map(|order: Refusal| {
            sim.set_refusal(order.feature, order.status);
            Answer::empty(204)
        }),
        ("POST", ["token-errors"]) => read(body).and_then(|order| token_error(sim, &order)),
        ("POST", ["permissions"]) => read(body).and_then(|order| permissions(sim, &order)),
        ("POST", ["quota"]) => read(body).map(|order: QuotaOrder| {
            *sim.quota.lock().unwrap_or_else(PoisonError::into_inner) = order.units.map(Quota::Units);
            *sim.retry_after.lock().unwrap_or_else(PoisonError::into_inner) = order.retry_after;
            Answer::empty(204)
        }),
        ("POST", ["latency"]) => read(body).map(|order: LatencyOrder| {
            *sim.latency.lock().unwrap_or_else(PoisonError::into_inner) = Duration::from_millis(order.millis);
            Answer::empty(204)
        }),
        ("POST", ["changes"]) => read(body).map(|order: ChangeOrder| {
            let mut directory = sim.directory.write().unwrap_or_else(PoisonError::into_inner);
            plain(&json!(match order.share {
                Some(share) => directory.churn(share),
                None => directory.alter(order.users, order.groups),
            }))
        }),
        ("POST", ["deletions"]) => read(body).map(|order: DeletionOrder| {
            let mut directory = sim.directory.write().unwrap_or_else(PoisonError::into_inner);
            plain(&json!({"usersDeleted": directory.delete_share(order.share)}))
        }),
        ("GET", ["tenants"]) => Ok(tenants()),
        ("GET", ["truth"]) => Ok(with(sim, |directory| json!(directory.truth()))),
        ("GET", ["truth", what]) => rows(sim, what, &options),
        ("GET", ["requests"]) => {
            let most = options.get("top").and_then(|top| top.parse().ok()).unwrap_or(100);
            Ok(plain(&json!({"counters": sim.log.counters(), "last": sim.log.last(most)})))
        }
        ("DELETE", ["requests"]) => {
            sim.log.reset();
            Ok(Answer::empty(204))
        }
        _ => Err(Problem::new(404, "notFound", format!("there is no {method} {path}"))),
    };
    done.unwrap_or_else(|problem| {
        let mut answer = plain(&json!({"error": problem.message}));
        answer.status = problem.status;
        answer
    })
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(error.to_string()))
}

fn plain(value: &Value) -> Answer {
    Answer { content_type: "application/json", ..Answer::value(200, value) }
}

fn with(sim: &Sim, look: impl FnOnce(&Directory) -> Value) -> Answer {
    plain(&look(&sim.directory.read().unwrap_or_else(PoisonError::into_inner)))
}

fn token_error(sim: &Sim, order: &TokenErrorOrder) -> Result<Answer, Problem> {
    change_tenant(sim, &order.tenant, |tenant| {
        tenant.token_error = order.aadsts.map(|aadsts| TokenError { aadsts });
        tenant.tail = order.tail;
    })
}

fn permissions(sim: &Sim, order: &PermissionOrder) -> Result<Answer, Problem> {
    let names: Vec<&str> = order.granted.iter().map(String::as_str).collect();
    if let Some(unknown) = names.iter().find(|name| permission::by_name(name).is_none()) {
        return Err(Problem::bad_request(format!("there is no simulated permission {unknown:?}")));
    }
    let now = sim.now();
    change_tenant(sim, &order.tenant, |tenant| tenant.apps.iter_mut().take(1).for_each(|app| app.grant(&names, now)))
}

fn change_tenant(sim: &Sim, name: &str, change: impl FnOnce(&mut Tenant)) -> Result<Answer, Problem> {
    let scenario: Scenario = name.parse().map_err(Problem::bad_request)?;
    let mut tenants = sim.write_tenants();
    let tenant = tenants.iter_mut().find(|tenant| tenant.id == scenario.tenant_id());
    change(tenant.ok_or_else(|| Problem::not_found(name))?);
    Ok(Answer::empty(204))
}

fn tenants() -> Answer {
    let tenants = Scenario::ALL.iter().map(|scenario| {
        let entered = scenario.credentials();
        json!({
            "name": scenario.as_str(),
            "tenantId": entered.tenant_id,
            "domain": scenario.domain(),
            "clientId": entered.client_id,
            "clientSecret": entered.client_secret,
            "adminToken": scenario.admin_token(),
        })
    });
    plain(&json!({"tenants": tenants.collect::<Vec<_>>()}))
}

fn rows(sim: &Sim, what: &str, options: &HashMap<String, String>) -> Result<Answer, Problem> {
    let number = |name: &str, default| options.get(name).and_then(|n| n.parse::<usize>().ok()).unwrap_or(default);
    let (skip, top) = (number("skip", 0), number("top", ROWS_DEFAULT));
    let directory = sim.directory.read().unwrap_or_else(PoisonError::into_inner);
    let ids = |items: Vec<uuid::Uuid>| -> (usize, Vec<Value>) {
        (items.len(), items.iter().skip(skip).take(top).map(|id| json!({"id": id})).collect())
    };
    let pairs = |names: [&str; 2], edges: Edges| -> (usize, Vec<Value>) {
        let some = edges.iter().skip(skip).take(top);
        (edges.len(), some.map(|(from, to)| json!({names[0]: from, names[1]: to})).collect())
    };
    let (total, items) = match what {
        "users" => ids(directory.live_users().map(|(_, user)| user.id).collect()),
        "groups" => ids(directory.live_groups().map(|(_, group)| group.id).collect()),
        "devices" => {
            let live = directory.devices.iter().filter(|d| d.state == crate::seed::State::Live);
            ids(live.map(|device| device.id).collect())
        }
        "licenses" => ids(SKUS.iter().map(|sku| sku.id).collect()),
        "managers" => pairs(["userId", "managerId"], directory.manager_edges()),
        "memberships" => pairs(["groupId", "memberId"], directory.member_edges(ObjectKind::User)),
        "nestedGroups" => pairs(["groupId", "memberId"], directory.member_edges(ObjectKind::Group)),
        "deviceMemberships" => pairs(["groupId", "memberId"], directory.member_edges(ObjectKind::Device)),
        "owners" => pairs(["groupId", "ownerId"], directory.owner_edges()),
        "userLicenses" => pairs(["userId", "skuId"], directory.user_license_edges()),
        "groupLicenses" => pairs(["groupId", "skuId"], directory.group_license_edges()),
        "deviceOwners" => pairs(["deviceId", "ownerId"], directory.device_owner_edges()),
        _ => return Err(Problem::new(404, "notFound", format!("there is no truth about {what}"))),
    };
    Ok(plain(&json!({"total": total, "items": items})))
}
