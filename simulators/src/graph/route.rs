//! Checks the permission that a path needs, then answers it.

use super::answer::{Answered, Problem};
use super::links::{self, Link};
use super::list;
use super::permission as may;
use super::request::Request;
use super::sim::{Feature, Sim};
use super::tenants;
use super::{apps, delta, records};
use crate::seed::ObjectKind;

/// Answers one Graph request with a valid token, after its units were charged.
pub fn route(sim: &Sim, request: &Request<'_>) -> Answered {
    let parts: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
    if request.method == "GET"
        && let Some(answer) = records::route(sim, request)
    {
        return answer;
    }
    if let Some(answer) = apps::route(sim, request, &parts) {
        return answer;
    }
    if request.method != "GET" {
        return match (request.method, parts.as_slice()) {
            ("POST", ["directoryObjects", "getByIds" | "microsoft.graph.getByIds"]) => {
                request.token.needs(may::GET_BY_IDS)?;
                tenants::get_by_ids(request)
            }
            _ => Err(Problem::new(
                405,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.",
            )),
        };
    }
    match parts.as_slice() {
        ["users", rest @ ..] => users(sim, request, rest),
        ["groups", rest @ ..] => groups(sim, request, rest),
        ["devices", rest @ ..] => devices(sim, request, rest),
        ["subscribedSkus"] => {
            request.token.needs(may::LICENSES)?;
            tenants::subscribed_skus(request)
        }
        ["subscribedSkus", key] => {
            request.token.needs(may::LICENSES)?;
            tenants::subscribed_sku(request, key)
        }
        ["organization"] => {
            request.token.needs(may::ORGANIZATION)?;
            tenants::organization(sim, request)
        }
        ["domains"] => {
            request.token.needs(may::DOMAINS)?;
            tenants::domains(sim, request)
        }
        ["contacts"] => {
            request.token.needs(may::CONTACTS)?;
            list::list(sim, request, ObjectKind::OrgContact)
        }
        ["directoryRoles"] => {
            request.token.needs(may::ROLES)?;
            Ok(request.page("directoryRoles", 1, None, std::iter::empty(), |_, _| {}))
        }
        ["directory", "deletedItems", "microsoft.graph.user"] => {
            request.token.needs(may::USERS_WHOLE)?;
            sim.refused(Feature::DeletedItems)?;
            list::deleted(sim, request, ObjectKind::User)
        }
        ["directory", "deletedItems", "microsoft.graph.group"] => {
            request.token.needs(may::GROUPS_DELETED)?;
            sim.refused(Feature::DeletedItems)?;
            list::deleted(sim, request, ObjectKind::Group)
        }
        _ => Err(segment_not_found(&parts)),
    }
}

fn segment_not_found(parts: &[&str]) -> Problem {
    let segment = parts.last().copied().unwrap_or_default();
    Problem::new(400, "BadRequest", format!("Resource not found for the segment '{segment}'."))
}

fn users(sim: &Sim, request: &Request<'_>, rest: &[&str]) -> Answered {
    let token = &request.token;
    let user = |key, link, only, counted| links::list(sim, request, (ObjectKind::User, key), link, only, counted);
    match rest {
        [] => {
            token.needs(may::USERS)?;
            list::list(sim, request, ObjectKind::User)
        }
        ["$count"] => {
            token.needs(may::USERS)?;
            list::count(sim, request, ObjectKind::User)
        }
        ["delta" | "delta()" | "microsoft.graph.delta" | "microsoft.graph.delta()"] => {
            token.needs(may::USERS_WHOLE)?;
            sim.refused(Feature::Delta)?;
            delta::delta(sim, request, ObjectKind::User)
        }
        [key] => {
            token.needs(may::USERS)?;
            list::one(request, ObjectKind::User, key)
        }
        [key, "manager"] => {
            token.needs(may::USERS_WHOLE)?;
            links::manager(request, key)
        }
        [key, "directReports"] => {
            token.needs(may::USERS_WHOLE)?;
            user(key, Link::DirectReports, None, false)
        }
        [key, "ownedObjects"] => {
            token.needs(may::USERS_WHOLE)?;
            user(key, Link::OwnedGroups, None, false)
        }
        [key, "licenseDetails"] => {
            token.needs(may::LICENSE_DETAILS)?;
            tenants::license_details(request, key)
        }
        [key, "ownedDevices" | "registeredDevices"] => {
            token.needs(may::USERS_WHOLE)?;
            user(key, Link::OwnedDevices, None, false)
        }
        [key, relation @ ("memberOf" | "transitiveMemberOf"), tail @ ..] => {
            token.needs(may::USER_MEMBER_OF)?;
            let link = if *relation == "memberOf" { Link::MemberOf } else { Link::TransitiveMemberOf };
            let (only, counted) = tail_of(tail)?;
            user(key, link, only, counted)
        }
        _ => Err(segment_not_found(rest)),
    }
}

fn groups(sim: &Sim, request: &Request<'_>, rest: &[&str]) -> Answered {
    let token = &request.token;
    match rest {
        [] => {
            token.needs(may::GROUPS)?;
            list::list(sim, request, ObjectKind::Group)
        }
        ["$count"] => {
            token.needs(may::GROUPS)?;
            list::count(sim, request, ObjectKind::Group)
        }
        ["delta" | "delta()" | "microsoft.graph.delta" | "microsoft.graph.delta()"] => {
            token.needs(may::GROUPS)?;
            sim.refused(Feature::Delta)?;
            delta::delta(sim, request, ObjectKind::Group)
        }
        [key] => {
            token.needs(may::GROUPS)?;
            list::one(request, ObjectKind::Group, key)
        }
        [key, relation, tail @ ..] => {
            let (link, any_of) = match *relation {
                "members" => (Link::Members, may::MEMBERS),
                "transitiveMembers" => (Link::TransitiveMembers, may::MEMBERS),
                "owners" => (Link::Owners, may::OWNERS),
                "memberOf" => (Link::MemberOf, may::MEMBERS),
                "transitiveMemberOf" => (Link::TransitiveMemberOf, may::MEMBERS),
                _ => return Err(segment_not_found(rest)),
            };
            token.needs(any_of)?;
            let (only, counted) = tail_of(tail)?;
            links::list(sim, request, (ObjectKind::Group, key), link, only, counted)
        }
    }
}

fn devices(sim: &Sim, request: &Request<'_>, rest: &[&str]) -> Answered {
    let token = &request.token;
    if let ["delta" | "delta()" | "microsoft.graph.delta"] = rest {
        token.needs(may::DEVICES_DELTA)?;
        sim.refused(Feature::Delta)?;
        return delta::delta(sim, request, ObjectKind::Device);
    }
    token.needs(may::DEVICES)?;
    let device = |key, link| links::list(sim, request, (ObjectKind::Device, key), link, None, false);
    match rest {
        [] => list::list(sim, request, ObjectKind::Device),
        ["$count"] => list::count(sim, request, ObjectKind::Device),
        [key] => list::one(request, ObjectKind::Device, key),
        [key, "registeredOwners" | "registeredUsers"] => device(key, Link::RegisteredOwners),
        [key, "memberOf"] => device(key, Link::MemberOf),
        [key, "transitiveMemberOf"] => device(key, Link::TransitiveMemberOf),
        _ => Err(segment_not_found(rest)),
    }
}

/// What can follow a relation: a cast, `$count`, or both.
fn tail_of(tail: &[&str]) -> Result<(Option<ObjectKind>, bool), Problem> {
    let kind = |text: &str| {
        links::cast(text)
            .ok_or_else(|| Problem::new(400, "BadRequest", format!("Resource not found for the segment '{text}'.")))
    };
    match tail {
        [] => Ok((None, false)),
        ["$count"] => Ok((None, true)),
        [cast] => Ok((Some(kind(cast)?), false)),
        [cast, "$count"] => Ok((Some(kind(cast)?), true)),
        _ => Err(segment_not_found(tail)),
    }
}
