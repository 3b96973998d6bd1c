//! How a collection is asked for: path, selection, expansion, filter, page size.

use super::Reader;
use super::refused::Optional;
use crate::directory::{Link, ObjectType};
use crate::filter::EntityKind;
use crate::graph::{RequestOptions, ids_filter};
use url::Url;
use uuid::Uuid;

/// Objects asked for per page: the most that Graph gives.
pub(super) const TOP: u32 = 999;
/// With signInActivity Graph gives no more. Source: facts/graph.md §4.1.
const TOP_WITH_SIGN_IN: u32 = 500;
pub(super) const SIGN_IN: &str = "signInActivity";

/// How a collection is asked for. What the server refuses is taken out, once, and said.
#[derive(Clone)]
pub(super) struct Query {
    pub object_type: ObjectType,
    /// Names the cursor: several queries of one collection have different parts.
    pub part: String,
    /// Empty: no `$select`, for a server that takes none.
    pub select: Vec<String>,
    pub expand: Option<&'static str>,
    pub filter: Option<String>,
    pub advanced: bool,
    pub top: Option<u32>,
}

impl Query {
    pub fn path(&self) -> String {
        self.path_at(collection(self.object_type))
    }

    fn path_at(&self, path: &str) -> String {
        let mut options = Vec::new();
        if let Some(top) = self.top {
            options.push(format!("$top={top}"));
        }
        if !self.select.is_empty() {
            options.push(format!("$select={}", self.select.join(",")));
        }
        if let Some(expand) = self.expand {
            options.push(format!("$expand={expand}"));
        }
        if let Some(filter) = &self.filter {
            options.push(format!("$filter={}", urlencoding::encode(filter)));
        }
        if self.advanced {
            options.push("$count=true".to_owned());
        }
        if options.is_empty() { path.to_owned() } else { format!("{path}?{}", options.join("&")) }
    }

    pub fn options(&self) -> RequestOptions {
        RequestOptions { advanced: self.advanced, ..RequestOptions::halving() }
    }
}

fn collection(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::Users => "users",
        ObjectType::Groups => "groups",
        ObjectType::Devices => "devices",
        ObjectType::Licenses => "subscribedSkus",
    }
}

/// The requests for a type: one, or several when its filter has to be split.
pub(super) fn queries(reader: &Reader<'_>, object_type: ObjectType) -> Vec<Query> {
    let rule = entity(object_type).and_then(|kind| reader.run.job.filter.rule(kind));
    let query = base_query(reader, object_type, rule.is_some_and(|rule| rule.parsed.advanced));
    match rule {
        None => vec![query],
        Some(rule) => rule
            .parsed
            .requests()
            .iter()
            .enumerate()
            .map(|(number, text)| Query { part: number.to_string(), filter: Some(text.clone()), ..query.clone() })
            .collect(),
    }
}

/// The request for objects with these ids, with the relations that a list has too.
pub(super) fn by_ids(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Query {
    let filter = Some(ids_filter(ids));
    Query { filter, ..base_query(reader, object_type, false) }
}

/// The URL of one object, with the relations that a list has too.
pub(super) fn url_of_one(reader: &Reader<'_>, object_type: ObjectType, id: Uuid) -> Url {
    let query = Query { top: None, ..base_query(reader, object_type, false) };
    reader.session.url(&query.path_at(&format!("{}/{id}", collection(object_type))))
}

/// The request for a type without a filter. An advanced one allows no `$expand`.
pub(super) fn base_query(reader: &Reader<'_>, object_type: ObjectType, advanced: bool) -> Query {
    let job = &reader.run.job;
    let mut select: Vec<String> = job.mapping.select(object_type).into_iter().map(str::to_owned).collect();
    let rule = entity(object_type).and_then(|kind| job.filter.rule(kind));
    // What the filter decides by, so that what changes later can be decided here.
    for name in rule.map(|rule| rule.parsed.select()).unwrap_or_default() {
        if !select.iter().any(|known| known == name) {
            select.push(name.to_owned());
        }
    }
    if object_type == ObjectType::Groups && !select.iter().any(|name| name == "visibility") {
        // Whether its members may be hidden from us.
        select.push("visibility".to_owned());
    }
    if reader.refused.has(Optional::SignInActivity) {
        select.retain(|name| name != SIGN_IN);
    }
    if reader.refused.has(Optional::Select(object_type)) {
        select.clear();
    }
    let expand = expand(reader, object_type).filter(|_| !advanced);
    let top = match object_type {
        // subscribedSkus has no paging and refuses $top.
        ObjectType::Licenses => None,
        _ if select.iter().any(|name| name == SIGN_IN) => Some(TOP_WITH_SIGN_IN),
        ObjectType::Users | ObjectType::Groups | ObjectType::Devices => Some(TOP),
    };
    Query { object_type, part: "0".to_owned(), select, expand, filter: None, advanced, top }
}

fn expand(reader: &Reader<'_>, object_type: ObjectType) -> Option<&'static str> {
    let carries = |link| reader.run.job.mapping.carries(object_type, link);
    if reader.refused.has(Optional::Expand(object_type)) {
        return None;
    }
    match object_type {
        ObjectType::Users if carries(Link::Manager) => Some("manager($select=id)"),
        ObjectType::Groups if carries(Link::Owners) => Some("owners($select=id)"),
        ObjectType::Devices if carries(Link::Owners) => Some("registeredOwners($select=id)"),
        ObjectType::Users | ObjectType::Groups | ObjectType::Devices | ObjectType::Licenses => None,
    }
}

pub(super) fn entity(object_type: ObjectType) -> Option<EntityKind> {
    match object_type {
        ObjectType::Users => Some(EntityKind::Users),
        ObjectType::Groups => Some(EntityKind::Groups),
        ObjectType::Devices => Some(EntityKind::Devices),
        ObjectType::Licenses => None,
    }
}
