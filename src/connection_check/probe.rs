//! One live request per capability: a permission in the token does not prove that the directory allows it,
//! and a directory role can allow what no permission grants.

use super::reader::{self, Answer};
use crate::directory::ObjectType;
use crate::graph::error::Result;
use crate::graph::{GraphErrorKind, Session};
use crate::permission::Capability;
use serde_json::Value;
use tokio::sync::OnceCell;

/// How many groups are searched for a nested group.
const GROUPS_LOOKED_INTO: usize = 10;

/// The result of a live request.
#[derive(Clone, Debug)]
pub enum Probe {
    Worked {
        detail: String,
        request_id: Option<String>,
    },
    /// Graph denied it: 401 or 403.
    Refused {
        detail: String,
        code: String,
        request_id: Option<String>,
    },
    /// The tenant has no object to try it on, or no request can show it.
    NothingToTry {
        why: String,
    },
    /// Another error, or no response.
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

/// Probes all capabilities at once, in the order of the request.
pub async fn probe_all(session: &Session, capabilities: &[Capability]) -> Vec<Probe> {
    let groups = OnceCell::new();
    futures_util::future::join_all(capabilities.iter().map(|capability| probe(session, *capability, &groups))).await
}

async fn probe(session: &Session, capability: Capability, groups: &OnceCell<Result<Answer>>) -> Probe {
    match capability {
        Capability::Managers => simple(session, "/users?$top=1&$select=id&$expand=manager($select=id)").await,
        Capability::Groups => from("GET /groups", groups_of(session, groups).await),
        Capability::Memberships => of_a_group(session, groups, "members").await,
        Capability::NestedGroups => nested(session, groups).await,
        Capability::Owners => of_a_group(session, groups, "owners").await,
        Capability::SignInActivity => simple(session, "/users?$top=1&$select=id,signInActivity").await,
        Capability::HiddenMemberships => Probe::NothingToTry {
            why: "Graph silently leaves out hidden members, so no request can show whether they are visible".to_owned(),
        },
        Capability::SecurityAttributes => Probe::NothingToTry {
            why: "Graph sends custom security attributes as null where they may not be read, so no request can show it"
                .to_owned(),
        },
        Capability::SelfDiagnosis => {
            let graph = "/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')?$select=id";
            simple(session, graph).await
        }
        _ => of_a_type(session, capability).await,
    }
}

/// Asks for objects of the type that the capability is about.
async fn of_a_type(session: &Session, capability: Capability) -> Probe {
    match ObjectType::ALL.into_iter().find(|object_type| object_type.spec().capability == capability) {
        Some(object_type) => simple(session, object_type.spec().probe).await,
        None => Probe::NothingToTry { why: "no request can show it".to_owned() },
    }
}

async fn simple(session: &Session, path: &str) -> Probe {
    from(&shown(path), &reader::get(session, path).await)
}

/// The request as the evidence shows it: method and path without the query.
fn shown(path: &str) -> String {
    format!("GET {}", path.split('?').next().unwrap_or(path))
}

fn from(what: &str, answer: &Result<Answer>) -> Probe {
    let error = match answer {
        Ok(answer) => {
            return Probe::Worked { detail: format!("{what} answered 200"), request_id: answer.request_id.clone() };
        }
        Err(error) => error,
    };
    let code = error.code.clone().unwrap_or_default();
    let detail = match error.status {
        Some(status) => format!("{what} answered {status} {code}: {}", error.message),
        None => format!("{what}: {error}"),
    };
    let request_id = error.request_id.clone();
    match error.kind {
        GraphErrorKind::Unauthorized | GraphErrorKind::Forbidden => Probe::Refused { detail, code, request_id },
        GraphErrorKind::Cancelled => Probe::OutOfTime,
        _ => Probe::Failed { detail, request_id },
    }
}

/// A few groups, read once for all capabilities that need one.
async fn groups_of<'c>(session: &Session, groups: &'c OnceCell<Result<Answer>>) -> &'c Result<Answer> {
    groups.get_or_init(|| reader::get(session, "/groups?$top=10&$select=id,displayName")).await
}

fn id(item: &Value) -> Option<&str> {
    item.get("id").and_then(Value::as_str).filter(|id| uuid::Uuid::parse_str(id).is_ok())
}

async fn of_a_group(session: &Session, groups: &OnceCell<Result<Answer>>, what: &str) -> Probe {
    let listed = groups_of(session, groups).await;
    let Ok(answer) = listed else { return from("GET /groups", listed) };
    match answer.items().iter().find_map(id) {
        Some(group) => simple(session, &format!("/groups/{group}/{what}?$top=1&$select=id")).await,
        None => Probe::NothingToTry {
            why: "no group is visible in the tenant, so there is nothing to try it on".to_owned(),
        },
    }
}

/// Reads the members of a group within a group: the outer one may be readable where the inner is not.
async fn nested(session: &Session, groups: &OnceCell<Result<Answer>>) -> Probe {
    let listed = groups_of(session, groups).await;
    let Ok(answer) = listed else { return from("GET /groups", listed) };
    let outer: Vec<&str> = answer.items().iter().filter_map(id).take(GROUPS_LOOKED_INTO).collect();
    let members = |group: &&str| reader::get(session, format!("/groups/{group}/members?$top=100&$select=id"));
    let answers = futures_util::future::join_all(outer.iter().map(members)).await;
    let is_group = |item: &&Value| item.get("@odata.type").and_then(Value::as_str) == Some("#microsoft.graph.group");
    if let Some(inner) = answers.iter().flatten().flat_map(Answer::items).find(is_group).and_then(id) {
        return simple(session, &format!("/groups/{inner}/members?$top=1&$select=id")).await;
    }
    match answers.iter().zip(&outer).find(|(answer, _)| answer.is_err()) {
        Some((answer, group)) => from(&format!("GET /groups/{group}/members"), answer),
        None if outer.is_empty() => Probe::NothingToTry {
            why: "no group is visible in the tenant, so there is nothing to try it on".to_owned(),
        },
        None => Probe::Worked {
            detail: format!(
                "the members of the first {} groups can be read; none of these groups contains a group",
                outer.len()
            ),
            request_id: None,
        },
    }
}
