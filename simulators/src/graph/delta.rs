//! Delta queries for users, groups and devices: a first round over everything, then only what the log has since.
//! Source: docs/graph.md, «Delta queries».

mod entries;
mod state;

use super::answer::{Answer, Answered, Problem};
use super::fault::sync_state_not_found;
use super::filter::Filter;
use super::property::{Val, property, write_member, write_str};
use super::request::{Request, write_type};
use super::shape::check_names;
use super::sim::{ClearedManager, Sim};
use crate::seed::{Directory, ObjectKind};
use chrono::TimeDelta;
use entries::{Entry, Link, Reason};
use state::{State, Wanted};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Observed page sizes: objects, and links of groups.
const MAX_OBJECTS: usize = 200;
const MAX_LINKS: usize = 500;
/// How long a token of directory objects lives.
const LIFETIME: TimeDelta = TimeDelta::days(7);
/// More ids in a `$filter` are refused.
const MAX_IDS: usize = 50;

/// `GET /users/delta`, `/groups/delta`, `/devices/delta`.
pub fn delta(sim: &Sim, request: &Request<'_>, kind: ObjectKind) -> Answered {
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let now = sim.now().timestamp();
    let query = &request.query;
    let mut state = match (query.get("$skiptoken"), query.get("$deltatoken")) {
        (Some(token), _) => State::parse(token, request, kind)?,
        (None, Some(token)) if !token.is_empty() && token != "latest" => {
            let state = State::parse(token, request, kind)?;
            if now - state.at > LIFETIME.num_seconds() {
                return Err(sync_state_not_found());
            }
            State { to: directory.log.len(), ..state }
        }
        (None, _) => first_state(request, kind, &directory)?,
    };
    state.at = now;
    if query.get("$deltatoken") == Some("latest") {
        let mut body = request.begin(context(kind), None);
        link(&mut body, "@odata.deltaLink", request, kind, "$deltatoken", &done(state).print());
        body.extend_from_slice(b",\"value\":[]}");
        return Ok(Answer::json(200, body));
    }
    let silent = sim.silent_deletions.load(Ordering::Relaxed);
    let cleared = *sim.cleared_manager.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(page(request, kind, state, &directory, (silent, cleared)))
}

/// The state with which the next round begins.
fn done(state: State) -> State {
    State { from: Some(state.to), position: (0, 0), ..state }
}

fn first_state(request: &Request<'_>, kind: ObjectKind, directory: &Directory) -> Result<State, Problem> {
    let query = &request.query;
    for name in ["$expand", "$top", "$orderby", "$search"] {
        if query.has(name) {
            return Err(Problem::unsupported_query(format!("'{name}' is not supported by delta queries.")));
        }
    }
    let select = query.select();
    if let Some(names) = &select {
        let relations = ["manager", "members", "owners"];
        let names: Vec<String> = names.iter().filter(|name| !relations.contains(&name.as_str())).cloned().collect();
        check_names(kind, &names, true)?;
        if names.iter().any(|name| name == "signInActivity") {
            return Err(Problem::unsupported_query("'signInActivity' is not supported by delta queries."));
        }
    }
    let ids = match query.get("$filter") {
        None => None,
        Some(text) => {
            let ids = Filter::parse(text, kind, false)?.ids_only();
            let ids =
                ids.ok_or_else(|| Problem::unsupported_query("Delta filters take only 'id eq' joined by 'or'."))?;
            if ids.len() > MAX_IDS {
                return Err(Problem::unsupported_query(format!("A delta filter takes at most {MAX_IDS} ids.")));
            }
            Some(ids)
        }
    };
    let to = directory.log.len();
    Ok(State { tenant: request.token.tenant, kind: kind as u8, select, ids, from: None, to, position: (0, 0), at: 0 })
}

fn context(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Group => "groups",
        ObjectKind::Device => "devices",
        ObjectKind::User | ObjectKind::ServicePrincipal | ObjectKind::OrgContact => "users",
    }
}

/// Tokens carry the options, so that links have nothing else.
fn link(out: &mut Vec<u8>, name: &str, request: &Request<'_>, kind: ObjectKind, option: &str, token: &str) {
    let link = format!("{}/{}/{}/delta?{option}={token}", request.origin, request.version(), context(kind));
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_str(out, &link);
}

fn page(
    request: &Request<'_>,
    kind: ObjectKind,
    state: State,
    directory: &Directory,
    (silent, cleared_manager): (bool, ClearedManager),
) -> Answer {
    let wanted = Wanted { silent, cleared_manager, ..Wanted::of(&state, kind, request) };
    let mut items: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    let mut next = None;
    for (index, entry) in entries::entries(directory, kind, &state, &wanted, &request.token) {
        let offset = if index == state.position.0 { state.position.1 } else { 0 };
        let left = entry.links.len() - offset.min(entry.links.len());
        if items.len() == MAX_OBJECTS || (links == MAX_LINKS && left > 0) {
            next = Some((index, offset));
            break;
        }
        let some = left.min(MAX_LINKS - links);
        links += some;
        items.push(write_entry(directory, &wanted, &entry, offset, &entry.links[offset..offset + some]));
        if some < left {
            // The rest of this group's links comes with the same group on the next page.
            next = Some((index, offset + some));
            break;
        }
    }
    let mut body = request.begin(context(kind), None);
    match next {
        Some(position) => {
            let token = State { position, ..state }.print();
            link(&mut body, "@odata.nextLink", request, kind, "$skiptoken", &token);
        }
        None => link(&mut body, "@odata.deltaLink", request, kind, "$deltatoken", &done(state).print()),
    }
    body.extend_from_slice(b",\"value\":[");
    body.extend_from_slice(&items.join(&b","[..]));
    body.extend_from_slice(b"]}");
    Answer::json(200, body)
}

fn write_entry(directory: &Directory, wanted: &Wanted, entry: &Entry, offset: usize, links: &[Link]) -> Vec<u8> {
    let mut out = b"{".to_vec();
    write_member(&mut out, "id", &Val::Guid(directory.id_of(entry.object)));
    if let Some(reason) = entry.removed {
        out.extend_from_slice(removed(reason));
        out.push(b'}');
        return out;
    }
    if offset == 0 {
        let names = wanted.names.iter().filter(|name| match &entry.changed {
            Some(changed) if wanted.minimal => changed.contains(name),
            Some(_) | None => true,
        });
        for name in names {
            match property(directory, entry.object, name) {
                // What was never set is absent; what a test set to null is there as null.
                Val::Null | Val::Missing => {}
                value => write_member(&mut out, name, &value),
            }
        }
        if let Some(manager) = &entry.manager {
            write_links(&mut out, directory, "manager@delta", manager);
        }
        if !entry.owners.is_empty() {
            write_links(&mut out, directory, "owners@delta", &entry.owners);
        }
    }
    if !links.is_empty() {
        write_links(&mut out, directory, "members@delta", links);
    }
    out.push(b'}');
    out
}

fn removed(reason: Reason) -> &'static [u8] {
    match reason {
        Reason::Changed => b",\"@removed\":{\"reason\":\"changed\"}",
        Reason::Deleted => b",\"@removed\":{\"reason\":\"deleted\"}",
    }
}

fn write_links(out: &mut Vec<u8>, directory: &Directory, name: &str, links: &[Link]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":[");
    for (n, link) in links.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.push(b'{');
        write_type(out, link.to.kind());
        write_member(out, "id", &Val::Guid(directory.id_of(link.to)));
        if link.removed {
            out.extend_from_slice(removed(Reason::Deleted));
        }
        out.push(b'}');
    }
    out.push(b']');
}
