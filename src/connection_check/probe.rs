//! One live request per capability: a permission in the token does not prove that the directory allows it,
//! and a directory role can allow what no permission grants.

use super::reader::{Answer, Reader};
use crate::permission::Capability;
use serde_json::Value;
use tokio::sync::OnceCell;

/// How many groups are looked into for one that contains a group.
const GROUPS_LOOKED_INTO: usize = 10;

/// What a live request showed.
#[derive(Clone, Debug)]
pub enum Probe {
    Worked {
        detail: String,
        request_id: Option<String>,
    },
    /// Graph refused it: 401 or 403.
    Refused {
        detail: String,
        code: String,
        request_id: Option<String>,
    },
    /// There is nothing in this tenant to try it on, or no request shows it.
    NothingToTry {
        why: String,
    },
    /// Another error, or no answer.
    Failed {
        detail: String,
        request_id: Option<String>,
    },
    OutOfTime,
}

impl Probe {
    pub fn is_out_of_time(&self) -> bool {
        matches!(self, Self::OutOfTime)
    }
}

/// All of them at once, in the order asked.
pub async fn probe_all(reader: &Reader<'_>, capabilities: &[Capability]) -> Vec<Probe> {
    let groups = OnceCell::new();
    futures_util::future::join_all(capabilities.iter().map(|capability| probe(reader, *capability, &groups))).await
}

async fn probe(reader: &Reader<'_>, capability: Capability, groups: &OnceCell<Answer>) -> Probe {
    match capability {
        Capability::Users => simple(reader, "/users?$top=1&$select=id,displayName,department,accountEnabled").await,
        Capability::Managers => simple(reader, "/users?$top=1&$select=id&$expand=manager($select=id)").await,
        Capability::Groups => from("GET /groups", groups_of(reader, groups).await),
        Capability::Memberships => of_a_group(reader, groups, "members").await,
        Capability::NestedGroups => nested(reader, groups).await,
        Capability::Owners => of_a_group(reader, groups, "owners").await,
        Capability::Licenses => simple(reader, "/subscribedSkus?$select=skuId,skuPartNumber").await,
        Capability::Devices => simple(reader, "/devices?$top=1&$select=id,displayName").await,
        Capability::SignInActivity => simple(reader, "/users?$top=1&$select=id,signInActivity").await,
        Capability::HiddenMemberships => Probe::NothingToTry {
            why: "Graph leaves hidden members out without a word, so no request shows whether they are visible"
                .to_owned(),
        },
        Capability::SelfDiagnosis => {
            let graph = "/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')?$select=id";
            simple(reader, graph).await
        }
    }
}

async fn simple(reader: &Reader<'_>, path: &str) -> Probe {
    from(&shown(path), &reader.get(path).await)
}

/// The request as evidence shows it: method and path without the query.
fn shown(path: &str) -> String {
    format!("GET {}", path.split('?').next().unwrap_or(path))
}

fn from(what: &str, answer: &Answer) -> Probe {
    match answer {
        Answer::Ok { request_id, .. } => {
            Probe::Worked { detail: format!("{what} answered 200"), request_id: request_id.clone() }
        }
        Answer::Error { status: status @ (401 | 403), code, message, request_id } => Probe::Refused {
            detail: format!("{what} answered {status} {code}: {message}"),
            code: code.clone(),
            request_id: request_id.clone(),
        },
        Answer::Error { status, code, message, request_id } => Probe::Failed {
            detail: format!("{what} answered {status} {code}: {message}"),
            request_id: request_id.clone(),
        },
        Answer::None { why } => Probe::Failed { detail: format!("{what}: {why}"), request_id: None },
        Answer::OutOfTime => Probe::OutOfTime,
    }
}

/// A few groups, read once for all capabilities that need one.
async fn groups_of<'c>(reader: &Reader<'_>, groups: &'c OnceCell<Answer>) -> &'c Answer {
    groups.get_or_init(|| reader.get("/groups?$top=10&$select=id,displayName")).await
}

fn id(item: &Value) -> Option<&str> {
    item.get("id").and_then(Value::as_str).filter(|id| uuid::Uuid::parse_str(id).is_ok())
}

async fn of_a_group(reader: &Reader<'_>, groups: &OnceCell<Answer>, what: &str) -> Probe {
    let listed = groups_of(reader, groups).await;
    let Answer::Ok { .. } = listed else { return from("GET /groups", listed) };
    match listed.items().iter().find_map(id) {
        Some(group) => simple(reader, &format!("/groups/{group}/{what}?$top=1&$select=id")).await,
        None => Probe::NothingToTry { why: "the tenant shows no group to try it on".to_owned() },
    }
}

/// Reads the members of a group within a group: the outer one may be readable where the inner is not.
async fn nested(reader: &Reader<'_>, groups: &OnceCell<Answer>) -> Probe {
    let listed = groups_of(reader, groups).await;
    let Answer::Ok { .. } = listed else { return from("GET /groups", listed) };
    let outer: Vec<&str> = listed.items().iter().filter_map(id).take(GROUPS_LOOKED_INTO).collect();
    let pages = outer.iter().map(|group| reader_get(reader, format!("/groups/{group}/members?$top=100&$select=id")));
    let answers = futures_util::future::join_all(pages).await;
    let is_group = |item: &&Value| item.get("@odata.type").and_then(Value::as_str) == Some("#microsoft.graph.group");
    if let Some(inner) = answers.iter().flat_map(Answer::items).find(is_group).and_then(id) {
        return simple(reader, &format!("/groups/{inner}/members?$top=1&$select=id")).await;
    }
    match answers.iter().zip(&outer).find(|(answer, _)| !matches!(answer, Answer::Ok { .. })) {
        Some((answer, group)) => from(&format!("GET /groups/{group}/members"), answer),
        None if outer.is_empty() => Probe::NothingToTry { why: "the tenant shows no group to try it on".to_owned() },
        None => Probe::Worked {
            detail: format!("the members of the first {} groups can be read; none of them is a group", outer.len()),
            request_id: None,
        },
    }
}

async fn reader_get(reader: &Reader<'_>, path: String) -> Answer {
    reader.get(&path).await
}
