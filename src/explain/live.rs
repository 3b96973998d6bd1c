//! What is asked of Graph for an explanation, within a limit of time and requests. A request that fails makes a step
//! unknown and does not end the explanation.

use crate::app::App;
use crate::directory_lookup;
use crate::filter::expression::Quoted;
use crate::filter::{EntityKind, Parsed};
use crate::graph::token::Identity;
use crate::graph::wire::Items;
use crate::graph::{GraphError, GraphErrorKind, RequestOptions, Session};
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long failures of one request are waited out.
const BUDGET: Duration = Duration::from_secs(3);
/// Requests that an explanation sends at most.
const MAX_REQUESTS: usize = 60;
/// Members of a group that are read at most, in pages of this size.
const MEMBERS_A_PAGE: usize = 999;
/// Objects with one name that are told apart at most.
pub(super) const MAX_CANDIDATES: usize = 10;

/// An object as Graph shows it.
pub(super) type Object = (Uuid, Map<String, Value>);

pub(super) struct Live {
    session: Session,
    /// Whether the caller may have Graph asked.
    is_allowed: bool,
    left: AtomicUsize,
}

/// Why nothing is known from Graph.
#[derive(Clone)]
pub(super) struct Unanswered {
    /// The end of a sentence.
    pub why: String,
    pub advice: &'static str,
}

impl Unanswered {
    pub fn new(why: impl Into<String>) -> Self {
        let advice = "Try again in a moment. If it persists, run the connection check.";
        Self { why: why.into(), advice }
    }
}

pub(super) type Answer<T> = Result<T, Unanswered>;

fn unanswered(error: &GraphError) -> Unanswered {
    let why = match error.kind {
        GraphErrorKind::Cancelled => "Microsoft Graph did not answer in time".to_owned(),
        _ => error.to_string().trim_end_matches('.').to_owned(),
    };
    match error.kind {
        GraphErrorKind::Forbidden => {
            Unanswered { why, advice: "Run the connection check: it names the permission that is missing." }
        }
        _ => Unanswered::new(why),
    }
}

impl Live {
    pub fn new(app: &App, identity: Identity, is_allowed: bool, cancel: CancellationToken) -> Self {
        Self { session: app.graph.session(identity, cancel), is_allowed, left: AtomicUsize::new(MAX_REQUESTS) }
    }

    async fn ask<T>(&self, request: impl Future<Output = Result<T, GraphError>>) -> Answer<T> {
        if !self.is_allowed {
            let why =
                "the key or token does not have the scope `run`, without which Microsoft Graph is not asked".to_owned();
            return Err(Unanswered { why, advice: "Ask with a key that has the scope `run`." });
        }
        let has_left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if !has_left {
            let why = format!("the answer would take more than {MAX_REQUESTS} requests to Microsoft Graph");
            return Err(Unanswered::new(why));
        }
        request.await.map_err(|error| unanswered(&error))
    }

    /// The objects that have this id or name, with the properties that the condition needs.
    pub async fn find(&self, kind: EntityKind, key: &str, rule: Option<&Parsed>) -> Answer<Vec<Object>> {
        let select = select(kind, rule);
        let is_id = Uuid::parse_str(key).is_ok();
        if is_id || (kind == EntityKind::Users && key.contains('@')) {
            let found = self.ask(directory_lookup::object(&self.session, kind, key, &select)).await?;
            if is_id || found.is_some() {
                return Ok(found.into_iter().collect());
            }
        }
        let equals = |name: &&str| format!("{name} eq {}", Quoted(key));
        let names: &[&str] = match kind {
            EntityKind::Users | EntityKind::Groups => &["displayName", "mail"],
            _ => &["displayName"],
        };
        let filter = names.iter().map(equals).collect::<Vec<_>>().join(" or ");
        let path = format!(
            "{}?$top={}&$select={select}&$filter={}",
            kind.path(),
            MAX_CANDIDATES + 1,
            urlencoding::encode(&filter)
        );
        self.page(&path, false).await
    }

    /// Whether Graph says that an object fulfils a condition, which may be about what Graph alone knows.
    pub async fn fulfils(&self, rule: &Parsed, id: Uuid) -> Answer<bool> {
        for text in rule.requests() {
            let filter = format!("id eq '{id}' and ({text})");
            let count = if rule.advanced { "&$count=true" } else { "" };
            let path = format!("{}?$select=id&$filter={}{count}", rule.kind.path(), urlencoding::encode(&filter));
            if !self.page(&path, rule.advanced).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The groups that have an object as a direct member.
    pub async fn groups_of(&self, kind: EntityKind, id: Uuid) -> Answer<Vec<Object>> {
        let path = format!("{}/{id}/memberOf?$select=id,displayName&$top=999", kind.path());
        let url = self.session.url(&path);
        let body = self.ask(async { self.session.get(&url, &options(false)).await }).await?;
        let page: Value = body.json().map_err(|error: GraphError| unanswered(&error))?;
        let items = page.get("value").and_then(Value::as_array).into_iter().flatten();
        let groups = items.filter_map(Value::as_object).filter(|item| {
            // Directory roles and administrative units contain objects too.
            item.get("@odata.type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with(".group"))
        });
        let with_id = groups.filter_map(|group| {
            let id = group.get("id").and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok())?;
            Some((id, group.clone()))
        });
        Ok(with_id.collect())
    }

    /// The first members of a group, users and others, and whether these are all.
    pub async fn members(&self, group: Uuid, transitive: bool) -> Answer<(Vec<Uuid>, bool)> {
        let relation = if transitive { "transitiveMembers" } else { "members" };
        let url = self.session.url(&format!("groups/{group}/{relation}?$select=id&$top={MEMBERS_A_PAGE}"));
        let body = self.ask(async { self.session.get(&url, &options(false)).await }).await?;
        let page: Value = body.json().map_err(|error: GraphError| unanswered(&error))?;
        let items = page.get("value").and_then(Value::as_array).into_iter().flatten();
        let ids = items.filter_map(|item| Uuid::parse_str(item.get("id")?.as_str()?).ok()).collect();
        Ok((ids, page.get("@odata.nextLink").is_none()))
    }

    async fn page(&self, path: &str, advanced: bool) -> Answer<Vec<Object>> {
        let url = self.session.url(path);
        let page = self.ask(async { self.session.page::<Items>(&url, &options(advanced)).await }).await?;
        let mut found = Vec::new();
        for item in page.content.iter() {
            let (id, object) = directory_lookup::read(item).map_err(|error| unanswered(&error))?;
            found.extend(id.map(|id| (id, object)));
        }
        Ok(found)
    }
}

fn options(advanced: bool) -> RequestOptions {
    RequestOptions { advanced, budget: BUDGET, ..RequestOptions::interactive() }
}

/// What is shown, what decides exclusions, and what the condition reads.
fn select(kind: EntityKind, rule: Option<&Parsed>) -> String {
    let mut names = match kind {
        EntityKind::Users => vec!["id", "displayName", "userPrincipalName", "mail"],
        EntityKind::Groups => vec!["id", "displayName", "mail", "description"],
        EntityKind::Devices => vec!["id", "displayName", "operatingSystem"],
        _ => vec!["id", "displayName"],
    };
    for name in rule.map(Parsed::select).unwrap_or_default() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(",")
}
