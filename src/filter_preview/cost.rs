//! The requests and resource units of a full run with the filter, calculated from the counts and the published price of
//! each request. The job is assumed to have the default selection: users with managers, groups with owners, memberships,
//! licences, and devices if the filter names them.

use super::look::{Kind, Looked};
use super::report::{CostPart, PreviewCost};
use crate::directory::Relation;
use crate::filter::{EntityKind, Filter, Rule, ScopeUsers};
use crate::graph::{
    COUNTS_PER_BORDER, IDS_IN_A_QUERY, MAX_PAGE_SIZE, Session, cost, is_cheaper_by_id, ranges_of_users,
};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Resource units that a large tenant allows at once, and per second after that. Source: docs/graph.md, «Throttling».
const UNITS_AT_ONCE: u64 = 8_000;
const UNITS_A_SECOND: u64 = 800;

/// Stands for the id of any object.
const ID: &str = "00000000-0000-0000-0000-000000000000";

struct Sum<'a> {
    session: &'a Session,
    parts: Vec<CostPart>,
}

impl Sum<'_> {
    /// Adds `requests` requests of the kind of `path`.
    fn add(&mut self, part: &str, requests: u64, path: &str) {
        if requests == 0 {
            return;
        }
        let units = requests * cost::kind_of(&self.session.url(path)).estimate as u64;
        match self.parts.iter_mut().find(|existing| existing.part == part) {
            Some(existing) => {
                existing.requests += requests;
                existing.resource_units += units;
            }
            None => self.parts.push(CostPart { part: part.to_owned(), requests, resource_units: units }),
        }
    }
}

fn pages(objects: u64) -> u64 {
    objects.div_ceil(MAX_PAGE_SIZE as u64).max(1)
}

fn requests_of(rule: Option<&Rule>) -> u64 {
    rule.map_or(1, |rule| rule.parsed.requests().len() as u64)
}

pub(super) fn cost(session: &Session, filter: &Filter, looked: &Looked) -> PreviewCost {
    let mut sum = Sum { session, parts: Vec::new() };
    users(&mut sum, filter, looked);
    groups(&mut sum, filter, looked);
    sum.add("licenses", 1, "subscribedSkus?$select=id");
    if filter.rule(EntityKind::Devices).is_some() {
        let part = pages(looked.devices.matching.unwrap_or(0)).max(requests_of(filter.rule(EntityKind::Devices)));
        let expand = if looked.devices.is_advanced { "" } else { "&$expand=registeredOwners($select=id)" };
        sum.add("devices", part, &format!("devices?$top=999&$select=id{expand}"));
        if looked.devices.is_advanced {
            let devices = looked.devices.matching.unwrap_or(0);
            sum.add("devices", devices, &format!("devices/{ID}/registeredOwners?$select=id"));
        }
    }
    for (kind, looked) in &looked.others {
        other(&mut sum, filter, *kind, looked);
    }
    sum.add("positions", 1, "users/delta?$deltatoken=latest");
    sum.add("positions", 1, "groups/delta?$deltatoken=latest");
    let requests = sum.parts.iter().map(|part| part.requests).sum();
    let resource_units = sum.parts.iter().map(|part| part.resource_units).sum();
    let seconds_at_least = u64::saturating_sub(resource_units, UNITS_AT_ONCE).div_ceil(UNITS_A_SECOND);
    PreviewCost { requests, resource_units, seconds_at_least, parts: sum.parts }
}

/// A type that is off by default, without the credentials of applications.
fn other(sum: &mut Sum<'_>, filter: &Filter, kind: EntityKind, looked: &Kind) {
    let (name, matching) = (kind.as_str(), looked.matching.unwrap_or(0));
    let relations = kind.object_type().spec().relations;
    let expand = relations.iter().find_map(Relation::expand).filter(|_| !looked.is_advanced);
    let list =
        format!("{}?$top=999&$select=id{}", kind.path(), expand.map(|of| format!("&$expand={of}")).unwrap_or_default());
    sum.add(name, pages(matching).max(requests_of(filter.rule(kind))), &list);
    for each in
        relations.iter().filter(|relation| relation.expand() != expand || expand.is_none()).filter_map(Relation::each)
    {
        sum.add(name, matching, &each.path.replace("{id}", ID));
    }
}

fn users(sum: &mut Sum<'_>, filter: &Filter, looked: &Looked) {
    let (rule, kind) = (filter.rule(EntityKind::Users), &looked.users);
    let matching = kind.matching.unwrap_or(0);
    let members = kind.looked_at.1;
    let narrows = filter.scope.users != ScopeUsers::All;
    if narrows {
        sum.add("users", 1, "users/$count");
    }
    // A run reads the members by their ids if that takes fewer requests than a list of all users.
    if narrows && kind.looked_at.0 <= members && is_cheaper_by_id(members as usize, kind.matching) {
        let by_id = members.div_ceil(IDS_IN_A_QUERY as u64);
        return sum.add("users", by_id, "users?$select=id&$expand=manager($select=id)");
    }
    let requests = requests_of(rule);
    if kind.is_advanced {
        sum.add("users", pages(matching).max(requests), "users?$top=999&$select=id");
        return sum.add(
            "managers",
            pages(looked.users.total.unwrap_or(0)),
            "users?$top=999&$select=id&$expand=manager",
        );
    }
    if requests == 1 {
        sum.add("users", 1, "users/$count");
        let is_about_sign_ins = rule.is_some_and(|rule| rule.parsed.is_about_sign_ins());
        if let Some(ranges) = ranges_of_users(matching).filter(|_| !is_about_sign_ins) {
            // Counts for the borders, and one for users without a date. Each range ends with a page that is not full.
            sum.add("users", (ranges - 1) * u64::from(COUNTS_PER_BORDER) + 1, "users/$count");
            sum.add("users", ranges - 1, "users?$top=999&$select=id&$expand=manager");
        }
    }
    sum.add("users", pages(matching).max(requests), "users?$top=999&$select=id&$expand=manager");
}

fn groups(sum: &mut Sum<'_>, filter: &Filter, looked: &Looked) {
    let rule = filter.rule(EntityKind::Groups);
    let matching = looked.groups.matching.unwrap_or(0);
    // Of excluded groups only the list is read.
    let excluded = |group: &&Map<String, Value>| filter.exclude.excludes(EntityKind::Groups, group);
    let read = matching.saturating_sub(looked.groups.objects.values().filter(excluded).count() as u64);
    let expand = if looked.groups.is_advanced { "" } else { "&$expand=owners($select=id)" };
    let list = format!("groups?$top=999&$select=id{expand}");
    sum.add("groups", pages(matching).max(requests_of(rule)), &list);
    if looked.groups.is_advanced {
        sum.add("groups", read, &format!("groups/{ID}/owners?$top=999&$select=id"));
    }
    let members = format!("groups/{ID}/members?$top=999&$select=id");
    // One page for each group, and the further pages of the groups that were read.
    let further = looked.walked.as_ref().map_or(0, |walked| walked.members / MAX_PAGE_SIZE as u64);
    sum.add("memberships", read + further, &members);
    let Some(walked) = &looked.walked else { return };
    // Groups that decide the scope but do not match the filter.
    let is_listed = |group: &&Uuid| looked.groups.objects.contains_key(group);
    let beyond = match rule.is_some() || looked.groups.is_whole {
        true => walked.groups.iter().filter(|group| !is_listed(group)).count(),
        false => 0,
    };
    sum.add("scope", beyond as u64, &members);
    // The visibility of a group is read before its members, unless the list contains it.
    let asked = if filter.scope.users == ScopeUsers::MembersOf { walked.groups.len() } else { beyond };
    sum.add("scope", asked as u64, &format!("groups/{ID}?$select=id,visibility"));
}
