//! Collections: users, groups, devices, with every option; one object by its id.

use super::answer::{Answer, Answered, Problem};
use super::filter::{self, Filter};
use super::property::{self, Val, principal_name, property};
use super::request::Request;
use super::shape::{Shape, check_sign_ins};
use super::sim::{Feature, Sim};
use crate::seed::{Directory, ObjectKind, Ref, State};
use std::sync::PoisonError;
use uuid::Uuid;

/// Pages of users with sign-in activity are smaller: docs/graph.md, «Paging».
const MAX_SIGN_IN_PAGE: usize = 500;

fn context(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::User => "users",
        ObjectKind::Group => "groups",
        ObjectKind::Device => "devices",
        ObjectKind::ServicePrincipal => "servicePrincipals",
        ObjectKind::OrgContact => "contacts",
    }
}

fn slots(directory: &Directory, kind: ObjectKind) -> u64 {
    (match kind {
        ObjectKind::User => directory.users.len(),
        ObjectKind::Group => directory.groups.len(),
        ObjectKind::Device => directory.devices.len(),
        ObjectKind::ServicePrincipal => directory.service_principals.len(),
        ObjectKind::OrgContact => directory.contacts.len(),
    }) as u64
}

/// What decides which objects a list has.
struct Choice {
    kind: ObjectKind,
    filter: Option<Filter>,
    search: Option<(String, String)>,
}

impl Choice {
    fn of(sim: &Sim, request: &Request<'_>, kind: ObjectKind) -> Result<Self, Problem> {
        let query = &request.query;
        let advanced = request.advanced();
        if query.has("$skip") {
            return Err(Problem::bad_request("'$skip' is not supported by the service."));
        }
        if advanced && query.has("$expand") {
            let message = "Request with $expand query parameter is not supported with advanced query capabilities.";
            return Err(Problem::unsupported_query(message));
        }
        if query.count() && request.eventual {
            sim.refused(Feature::Count)?;
        }
        let filter = query.get("$filter").map(|text| Filter::parse(text, kind, advanced)).transpose()?;
        if let Some(filter) = &filter {
            if filter.names("createdDateTime") {
                sim.refused(Feature::CreatedDateTimeFilter)?;
            }
            if !advanced && filter.ids_only().is_none() {
                sim.refused(Feature::DefaultFilter)?;
            }
            if filter.names("signInActivity") {
                check_sign_ins(&request.token)?;
            }
        }
        if filter.is_some() && query.has("$orderby") && !advanced {
            return Err(Problem::unsupported_query("Sorting not supported for current query."));
        }
        let search = match query.get("$search") {
            Some(_) if !request.eventual => {
                let message = "Request with $search query parameter only works through MSGraph with a special request \
                               header: 'ConsistencyLevel: eventual'";
                return Err(Problem::unsupported_query(message));
            }
            Some(text) => Some(clause(text)?),
            None => None,
        };
        Ok(Self { kind, filter, search })
    }

    fn takes(&self, directory: &Directory, slot: u64) -> bool {
        let object = Ref::new(self.kind, slot as u32);
        directory.is_live(object)
            && self.filter.as_ref().is_none_or(|filter| filter.matches(directory, slot as u32))
            && self
                .search
                .as_ref()
                .is_none_or(|(name, term)| filter::text_contains(&property(directory, object, name), term))
    }

    fn count(&self, directory: &Directory) -> u64 {
        (0..slots(directory, self.kind)).filter(|slot| self.takes(directory, *slot)).count() as u64
    }
}

/// `"displayName:term"`.
pub fn clause(text: &str) -> Result<(String, String), Problem> {
    let inner = text.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let (name, term) = inner.and_then(|inner| inner.split_once(':')).ok_or_else(|| {
        Problem::bad_request("Syntax error: the value of $search must be a clause \"property:value\" in quotes.")
    })?;
    Ok((name.to_owned(), term.to_owned()))
}

/// `GET /directory/deletedItems/microsoft.graph.user` or `.group`: the recycle bin. Only `id` is
/// returned.
pub fn deleted(sim: &Sim, request: &Request<'_>, kind: ObjectKind) -> Answered {
    sim.check_top(&request.query, "directoryObjects")?;
    let size = request.page_size(999)?;
    let [start, ..] = request.position()?;
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let object = |slot: u64| match kind {
        ObjectKind::Group => (directory.groups[slot as usize].id, directory.groups[slot as usize].state),
        _ => (directory.users[slot as usize].id, directory.users[slot as usize].state),
    };
    let items = (start..slots(&directory, kind)).filter(|slot| object(*slot).1 == State::SoftDeleted);
    Ok(request.page("directoryObjects", size, None, items, |out, slot| {
        out.push(b'{');
        property::write_member(out, "id", &Val::Guid(object(slot).0));
        out.push(b'}');
    }))
}

/// `GET /users`, `/groups`, `/devices`.
pub fn list(sim: &Sim, request: &Request<'_>, kind: ObjectKind) -> Answered {
    let most = match kind {
        ObjectKind::User if mentions_sign_ins(request) => MAX_SIGN_IN_PAGE,
        _ => 999,
    };
    sim.check_top(&request.query, context(kind))?;
    let size = request.page_size(most)?;
    let shape = Shape::of(kind, &request.query, &request.token, true)?;
    let choice = Choice::of(sim, request, kind)?;
    let [start, ..] = request.position()?;
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let first = !request.query.has("$skiptoken");
    let count = (request.advanced() && first).then(|| choice.count(&directory));
    let write = |out: &mut Vec<u8>, slot: u64| {
        out.push(b'{');
        shape.write(out, &directory, Ref::new(kind, slot as u32));
        out.push(b'}');
    };
    let all = slots(&directory, kind);
    if let Some(order) = request.query.get("$orderby") {
        let sorted = sorted(&directory, &choice, order)?;
        let items = start..sorted.len() as u64;
        let at = |place: u64| sorted.get(place as usize).copied().unwrap_or_default();
        return Ok(request.page(context(kind), size, count, items, |out, place| write(out, at(place))));
    }
    let items = (start..all).filter(|slot| choice.takes(&directory, *slot));
    Ok(request.page(context(kind), size, count, items, write))
}

fn mentions_sign_ins(request: &Request<'_>) -> bool {
    ["$select", "$filter"]
        .iter()
        .any(|name| request.query.get(name).is_some_and(|text| text.contains("signInActivity")))
}

fn sorted(directory: &Directory, choice: &Choice, order: &str) -> Result<Vec<u64>, Problem> {
    let mut words = order.split_whitespace();
    let name = words.next().unwrap_or_default();
    let descending = words.next().is_some_and(|word| word.eq_ignore_ascii_case("desc"));
    if !super::property::is_known(choice.kind, name) {
        let message = format!("Could not find a property named '{name}' to order by.");
        return Err(Problem::new(400, "BadRequest", message));
    }
    let kept = (0..slots(directory, choice.kind)).filter(|slot| choice.takes(directory, *slot));
    let mut kept: Vec<u64> = kept.collect();
    let value = |slot: &u64| property(directory, Ref::new(choice.kind, *slot as u32), name);
    kept.sort_by(|a, b| filter::order(&value(a), &value(b)));
    if descending {
        kept.reverse();
    }
    Ok(kept)
}

/// `GET /users/$count`: a number as plain text.
pub fn count(sim: &Sim, request: &Request<'_>, kind: ObjectKind) -> Answered {
    if !request.eventual {
        return Err(Problem::bad_request("$count is not currently supported."));
    }
    sim.refused(Feature::Count)?;
    let filter = request.query.get("$filter").map(|text| Filter::parse(text, kind, true)).transpose()?;
    if filter.as_ref().is_some_and(|filter| filter.names("createdDateTime")) {
        sim.refused(Feature::CreatedDateTimeFilter)?;
    }
    let choice = Choice { kind, filter, search: None };
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    Ok(Answer::text(200, choice.count(&directory).to_string()))
}

/// `GET /users/{id or userPrincipalName}`, `/groups/{id}`, `/devices/{id}`.
pub fn one(request: &Request<'_>, kind: ObjectKind, key: &str) -> Answered {
    let shape = Shape::of(kind, &request.query, &request.token, false)?;
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let object = find(&directory, kind, key)?;
    let mut body = request.begin(&format!("{}/$entity", context(kind)), None);
    shape.write(&mut body, &directory, object);
    body.push(b'}');
    Ok(Answer::json(200, body))
}

/// The live object that a key in a path means.
pub fn find(directory: &Directory, kind: ObjectKind, key: &str) -> Result<Ref, Problem> {
    let by_id = Uuid::parse_str(key).ok().and_then(|id| directory.find(id));
    let found = by_id.filter(|found| found.kind() == kind && directory.is_live(*found));
    let found = found.or_else(|| {
        let by_name = (kind == ObjectKind::User && key.contains('@')).then(|| by_principal_name(directory, key));
        by_name.flatten()
    });
    found.ok_or_else(|| Problem::not_found(key))
}

fn by_principal_name(directory: &Directory, key: &str) -> Option<Ref> {
    let named = directory.live_users().find(|(_, user)| principal_name(user).eq_ignore_ascii_case(key));
    named.map(|(slot, _)| Ref::user(slot))
}
