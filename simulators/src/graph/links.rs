//! What objects are linked with: members, owners, groups that something is in, managers, reports.

use super::answer::{Answer, Answered, Problem};
use super::filter::Filter;
use super::list::find;
use super::permission::{self, AnyOf};
use super::property::{Val, default_properties, property, write_guid, write_member};
use super::request::{Request, write_type};
use super::sim::{Feature, Sim};
use super::token::Token;
use crate::seed::{Directory, ObjectKind, Ref};
use std::collections::HashSet;
use std::sync::PoisonError;

/// Which links of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    Members,
    TransitiveMembers,
    Owners,
    MemberOf,
    TransitiveMemberOf,
    DirectReports,
    OwnedGroups,
    OwnedDevices,
    RegisteredOwners,
}

/// Whether a token may read more of an object than its id and type.
fn readable(token: &Token, kind: ObjectKind) -> bool {
    let any_of: AnyOf = match kind {
        ObjectKind::User => permission::USERS,
        ObjectKind::Group => permission::MEMBERS,
        ObjectKind::Device => permission::DEVICES,
        ObjectKind::ServicePrincipal => permission::APPLICATIONS,
        ObjectKind::OrgContact => permission::CONTACTS,
    };
    token.has(any_of)
}

fn hidden(directory: &Directory, token: &Token, group: Ref) -> bool {
    directory.groups.get(group.slot() as usize).is_some_and(|g| g.hidden_membership) && !token.has(permission::HIDDEN)
}

/// The type after a cast: `microsoft.graph.user`.
pub fn cast(text: &str) -> Option<ObjectKind> {
    [ObjectKind::User, ObjectKind::Group, ObjectKind::Device, ObjectKind::ServicePrincipal, ObjectKind::OrgContact]
        .into_iter()
        .find(|kind| kind.odata_type().trim_start_matches('#').eq_ignore_ascii_case(text))
}

/// A page of linked objects, or their number (`counted`: the path ends in `$count`).
pub fn list(
    sim: &Sim,
    request: &Request<'_>,
    owner: (ObjectKind, &str),
    link: Link,
    only: Option<ObjectKind>,
    counted: bool,
) -> Answered {
    let query = &request.query;
    sim.check_top(query, "directoryObjects")?;
    let size = request.page_size(999)?;
    if request.advanced() || counted {
        sim.refused(Feature::Count)?;
    }
    let filter = match (query.get("$filter"), only) {
        (None, _) => None,
        // Without a cast there is no type whose properties could be named.
        (Some(_), None) => return Err(Problem::unsupported_query("The specified filter is not supported.")),
        (Some(_), Some(_)) if !request.advanced() => return Err(Problem::unsupported_query("Unsupported Query.")),
        (Some(text), Some(kind)) => Some(Filter::parse(text, kind, true)?),
    };
    let [start, ..] = request.position()?;
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let object = find(&directory, owner.0, owner.1)?;
    let whole;
    let linked: &[Ref] = match (link, directory.groups.get(object.slot() as usize)) {
        (Link::Members, Some(_)) if hidden(&directory, &request.token, object) => &[],
        (Link::Members, Some(group)) => &group.members,
        (Link::Owners, Some(group)) => &group.owners,
        _ => {
            whole = collect(&directory, &request.token, object, link);
            &whole
        }
    };
    let takes = |item: &Ref| {
        directory.is_live(*item)
            // A known issue of v1.0: docs/graph.md, «Unreadable objects».
            && (item.kind() != ObjectKind::ServicePrincipal || request.beta || !matches!(link, Link::Members | Link::TransitiveMembers))
            && only.is_none_or(|kind| item.kind() == kind)
            && filter.as_ref().is_none_or(|filter| filter.matches(&directory, item.slot()))
    };
    if counted {
        if !request.eventual {
            return Err(Problem::bad_request("$count is not currently supported."));
        }
        return Ok(Answer::text(200, linked.iter().filter(|item| takes(item)).count().to_string()));
    }
    let first = !query.has("$skiptoken");
    let count = (request.advanced() && first).then(|| linked.iter().filter(|item| takes(item)).count() as u64);
    let items = (start as usize..linked.len()).filter(|n| takes(&linked[*n])).map(|n| n as u64);
    let shape = LinkShape::of(request);
    let context = if only == Some(ObjectKind::User) { "users" } else { "directoryObjects" };
    Ok(request.page(context, size, count, items, |out, n| {
        if let Some(item) = linked.get(n as usize) {
            shape.write(out, &directory, *item);
        }
    }))
}

/// How linked objects are written: type and id always, the rest as selected and permitted.
pub struct LinkShape<'a> {
    select: Option<Vec<String>>,
    only_id: bool,
    token: &'a Token,
}

impl<'a> LinkShape<'a> {
    pub fn of(request: &'a Request<'_>) -> Self {
        let select = request.query.select();
        let only_id = select.as_ref().is_some_and(|names| names.len() == 1 && names[0] == "id");
        Self { select, only_id, token: &request.token }
    }

    pub fn write(&self, out: &mut Vec<u8>, directory: &Directory, object: Ref) {
        let kind = object.kind();
        if self.only_id {
            out.extend_from_slice(b"{\"@odata.type\":\"");
            out.extend_from_slice(kind.odata_type().as_bytes());
            out.extend_from_slice(b"\",\"id\":");
            write_guid(out, directory.id_of(object));
            out.push(b'}');
            return;
        }
        out.push(b'{');
        write_type(out, kind);
        let readable = readable(self.token, kind);
        let mut member = |name: &str| {
            let value = property(directory, object, name);
            match value {
                Val::Missing => {}
                _ if name == "id" || readable => write_member(out, name, &value),
                // docs/graph.md, «Unreadable objects»: everything but type and id is null.
                _ => write_member(out, name, &Val::Null),
            }
        };
        match &self.select {
            Some(names) => names.iter().for_each(|name| member(name)),
            None => default_properties(kind).iter().for_each(|name| member(name)),
        }
        out.push(b'}');
    }
}

/// Links that are not kept as a list, and those of every depth.
fn collect(directory: &Directory, token: &Token, object: Ref, link: Link) -> Vec<Ref> {
    match link {
        Link::MemberOf => parents(directory, token, object).collect(),
        Link::TransitiveMemberOf => reach(object, |at| parents(directory, token, at).collect()),
        Link::TransitiveMembers => reach(object, |at| match directory.groups.get(at.slot() as usize) {
            Some(group) if at.kind() == ObjectKind::Group && !hidden(directory, token, at) => {
                group.members.iter().copied().filter(|member| directory.is_live(*member)).collect()
            }
            Some(_) | None => Vec::new(),
        }),
        Link::DirectReports => {
            let reports = directory.live_users().filter(|(_, user)| user.manager == Some(object.slot()));
            reports.map(|(slot, _)| Ref::user(slot)).collect()
        }
        Link::OwnedGroups => {
            let owned = directory.live_groups().filter(|(_, group)| group.owners.contains(&object));
            owned.map(|(slot, _)| Ref::group(slot)).collect()
        }
        Link::OwnedDevices => {
            let owned = directory.devices.iter().enumerate().filter(|(_, d)| d.owner == Some(object.slot()));
            owned.map(|(n, _)| Ref::new(ObjectKind::Device, n as u32)).collect()
        }
        Link::RegisteredOwners => {
            let owner = directory.devices.get(object.slot() as usize).and_then(|device| device.owner);
            owner.map(Ref::user).into_iter().collect()
        }
        Link::Members | Link::Owners => Vec::new(),
    }
}

fn parents<'d>(directory: &'d Directory, token: &'d Token, object: Ref) -> impl Iterator<Item = Ref> + 'd {
    let groups = directory.member_of(object).iter().map(|group| Ref::group(*group));
    groups.filter(move |group| directory.is_live(*group) && !hidden(directory, token, *group))
}

/// Everything that can be reached, each once, the start only if a cycle leads back to it.
fn reach(start: Ref, next: impl Fn(Ref) -> Vec<Ref>) -> Vec<Ref> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for item in next(at) {
            if seen.insert(item) {
                found.push(item);
                if item.kind() == ObjectKind::Group {
                    open.push(item);
                }
            }
        }
    }
    found
}

/// `GET /users/{id}/manager`: the user, or 404.
pub fn manager(request: &Request<'_>, key: &str) -> Answered {
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let user = find(&directory, ObjectKind::User, key)?;
    let manager = directory.users.get(user.slot() as usize).and_then(|user| user.manager).map(Ref::user);
    let manager = manager.filter(|manager| directory.is_live(*manager)).ok_or_else(|| Problem::not_found("manager"))?;
    let mut body = request.begin("directoryObjects/$entity", None);
    let shape = LinkShape::of(request);
    let mut object = Vec::new();
    shape.write(&mut object, &directory, manager);
    body.push(b',');
    body.extend_from_slice(&object[1..]);
    Ok(Answer::json(200, body))
}
