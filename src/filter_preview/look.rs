//! Reads counts, and as many objects as are needed to decide the filter here.

use super::asker::{About, Asker};
use super::members::{self, Walked};
use super::report::{MAX_SAMPLE, PreviewWarning};
use crate::codes::PreviewWarningCode;
use crate::error::{Error, Result};
use crate::filter::{EntityKind, Filter, Rule, ScopeGroups, ScopeUsers};
use crate::graph::wire::{Items, Properties, properties};
use crate::graph::{GraphError, GraphErrorKind, IDS_IN_A_QUERY, MAX_PAGE_SIZE, Pager, ids_filter, is_cheaper_by_id};
use crate::permission::Capability;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Pages of one kind of object that a preview reads at most.
const MAX_PAGES: usize = 20;
/// Requests by id that a preview sends at most.
const MAX_REQUESTS_BY_ID: usize = 60;
const AT_ONCE: usize = 8;
/// Groups whose members a preview reads at most.
const MAX_GROUPS: usize = 100;

/// What was read of one kind of object.
#[derive(Default)]
pub(super) struct Kind {
    pub total: Option<u64>,
    /// How many match the condition.
    pub matching: Option<u64>,
    /// Whether that was counted, not estimated.
    pub is_counted: bool,
    /// Objects that match the condition, excluded ones too, by id.
    pub objects: BTreeMap<Uuid, Map<String, Value>>,
    /// Whether `objects` are all that can be in scope.
    pub is_whole: bool,
    /// How many of how many were read. The rest is estimated in this proportion.
    pub looked_at: (u64, u64),
    /// Whether Graph needs an advanced query for the condition.
    pub is_advanced: bool,
}

/// Everything that was read.
#[derive(Default)]
pub(super) struct Looked {
    pub users: Kind,
    pub groups: Kind,
    pub devices: Kind,
    /// The kinds that are off by default, if the filter has a condition on them.
    pub others: BTreeMap<EntityKind, Kind>,
    pub walked: Option<Walked>,
    /// The number of groups whose members are needed.
    pub roots: usize,
}

impl Looked {
    /// None of a kind that was not looked at.
    pub(super) fn of(&self, kind: EntityKind) -> Option<&Kind> {
        match kind {
            EntityKind::Users => Some(&self.users),
            EntityKind::Groups => Some(&self.groups),
            EntityKind::Devices => Some(&self.devices),
            _ => self.others.get(&kind),
        }
    }
}

/// Whether every user is a candidate.
pub(super) fn takes_everyone(filter: &Filter) -> bool {
    let exclude = &filter.exclude;
    let excludes = !exclude.user_ids.is_empty() || !exclude.user_names.is_empty();
    filter.rule(EntityKind::Users).is_none()
        && filter.scope.users == ScopeUsers::All
        && !excludes
        && filter.limits.max_users.is_none()
}

pub(super) async fn look(asker: &Asker, filter: &Filter) -> Result<Looked> {
    let (exclude, scope) = (&filter.exclude, &filter.scope);
    let needs_users = !exclude.user_ids.is_empty() || !exclude.user_names.is_empty();
    let needs_groups = !exclude.group_ids.is_empty()
        || !exclude.group_names.is_empty()
        || scope.groups != ScopeGroups::All
        || scope.users == ScopeUsers::MembersOfFilteredGroups;
    let others =
        EntityKind::ALL.into_iter().filter(|kind| !EntityKind::USUAL.contains(kind) && filter.rule(*kind).is_some());
    let others = others.map(|other| async move { kind(asker, filter, other, false).await.map(|found| (other, found)) });
    let (groups, devices, mut users, (), others) = futures_util::try_join!(
        kind(asker, filter, EntityKind::Groups, needs_groups),
        kind(asker, filter, EntityKind::Devices, false),
        numbers(asker, filter, EntityKind::Users),
        check_roots(asker, filter),
        try_join_all(others),
    )?;
    let others = others.into_iter().collect();
    warn_of_hidden(asker, groups.objects.values());
    let roots: Vec<Uuid> = match (scope.users, scope.groups) {
        (ScopeUsers::All, ScopeGroups::All) => Vec::new(),
        (ScopeUsers::MembersOf, ScopeGroups::All) => scope.group_ids.clone(),
        (users, _) => {
            let named = if users == ScopeUsers::MembersOf { scope.group_ids.as_slice() } else { &[] };
            let admitted = groups.objects.iter().filter(|(_, group)| !exclude.excludes(EntityKind::Groups, group));
            named.iter().copied().chain(admitted.map(|(id, _)| *id)).collect()
        }
    };
    let walked = match roots.is_empty() {
        true => None,
        false => Some(members::walk(asker, &roots[..roots.len().min(MAX_GROUPS)], scope.transitive).await?),
    };
    read_users(asker, filter, &mut users, &groups, walked.as_ref(), needs_users).await?;
    Ok(Looked { users, groups, devices, others, walked, roots: roots.len() })
}

/// Counts a kind of object and reads as many objects as are needed.
async fn kind(asker: &Asker, filter: &Filter, kind: EntityKind, whole: bool) -> Result<Kind> {
    let mut found = numbers(asker, filter, kind).await?;
    read_matching(asker, filter, kind, whole, &mut found).await?;
    Ok(found)
}

/// How many objects there are, and how many match the condition.
async fn numbers(asker: &Asker, filter: &Filter, kind: EntityKind) -> Result<Kind> {
    let mut found = Kind::default();
    // Devices are imported only if a job says so. Without the permission the preview leaves them out.
    if kind == EntityKind::Devices && filter.rule(EntityKind::Devices).is_none() && !asker.may(Capability::Devices) {
        return Ok(found);
    }
    if !kind.has_advanced_queries() {
        // Nothing counts them: those of a whole list are.
        let (mut all, mut left) = (Kind::default(), MAX_PAGES);
        let is_whole = read_pages(asker, kind, None, MAX_PAGE_SIZE, &mut left, &mut all).await?;
        found.total = is_whole.then_some(all.objects.len() as u64);
        return Ok(found);
    }
    let options = asker.options(true);
    let total = asker.session().count_with(kind.path(), None, &options);
    found.total = asker.ask(About::All(kind), total).await?.flatten();
    found.is_advanced = filter.rule(kind).is_some_and(|rule| rule.parsed.advanced);
    let Some(rule) = filter.rule(kind) else {
        (found.matching, found.is_counted) = (found.total, found.total.is_some());
        return Ok(found);
    };
    let mut sum = Some(0);
    for text in rule.parsed.requests() {
        let count = asker.session().count_with(kind.path(), Some(text), &options);
        let count = asker.ask(About::Condition(kind), count).await?.flatten();
        sum = sum.zip(count).map(|(sum, count): (u64, u64)| sum + count);
    }
    found.matching = sum;
    // The parts of a long filter may match the same objects.
    found.is_counted = sum.is_some() && rule.parsed.requests().len() == 1;
    Ok(found)
}

/// Reads objects that match the condition: the first page, or with `whole` as many as a preview may.
async fn read_matching(asker: &Asker, filter: &Filter, kind: EntityKind, whole: bool, found: &mut Kind) -> Result<()> {
    if kind == EntityKind::Devices && filter.rule(EntityKind::Devices).is_none() && found.total.is_none() {
        return Ok(());
    }
    let rule = filter.rule(kind);
    let whole = whole || !found.is_counted;
    let (pages, top) = if whole { (MAX_PAGES, MAX_PAGE_SIZE) } else { (1, MAX_SAMPLE * 5) };
    let texts: Vec<Option<&String>> = match rule {
        None => vec![None],
        Some(rule) => rule.parsed.requests().iter().map(Some).collect(),
    };
    let (mut left, mut is_whole) = (pages, true);
    for text in texts {
        is_whole &= read_pages(asker, kind, text, top, &mut left, found).await?;
    }
    if is_whole {
        found.is_whole = true;
        (found.matching, found.is_counted) = (Some(found.objects.len() as u64), true);
        if rule.is_none() {
            found.total = found.matching;
        }
    } else if found.matching.is_none() && !found.objects.is_empty() {
        // A lower bound.
        found.matching = Some(found.objects.len() as u64);
    }
    found.looked_at = (found.objects.len() as u64, found.matching.unwrap_or(0));
    Ok(())
}

/// Reads the pages of one request. The result says whether it reached the last page.
async fn read_pages(
    asker: &Asker,
    kind: EntityKind,
    text: Option<&String>,
    top: usize,
    left: &mut usize,
    found: &mut Kind,
) -> Result<bool> {
    let top = match kind.object_type().spec().collection.page {
        Some(_) => format!("$top={top}&"),
        None => String::new(),
    };
    let mut path = format!("{}?{top}$select={}", kind.path(), select(kind, None));
    if let Some(text) = text {
        path.push_str(&format!("&$filter={}", urlencoding::encode(text)));
    }
    let pages = |advanced: bool| -> Pager<Items> {
        let count = if advanced { "&$count=true" } else { "" };
        asker.session().pages(asker.session().url(&format!("{path}{count}")), asker.options(advanced))
    };
    let about = if text.is_some() { About::Condition(kind) } else { About::All(kind) };
    let mut pager = pages(found.is_advanced);
    let mut first = Some(pager.next().await);
    if let (Some(Err(error)), Some(_)) = (&first, text)
        && error.refuses_optional()
        && !found.is_advanced
        && kind.has_advanced_queries()
    {
        // As a run does: what Graph refuses in a default query may work in an advanced one.
        let mut advanced = pages(true);
        if let Ok(page) = advanced.next().await {
            (pager, first, found.is_advanced) = (advanced, Some(Ok(page)), true);
        }
    }
    while *left > 0 {
        *left -= 1;
        let next = match first.take() {
            Some(page) => page,
            None => pager.next().await,
        };
        let Some(page) = asker.ask(about, std::future::ready(next)).await? else { return Ok(false) };
        let Some(page) = page else { return Ok(true) };
        for item in page.content.iter() {
            let (id, map) = object(item)?;
            found.objects.extend(id.map(|id| (id, map)));
        }
        if pager.position().is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The properties that are shown and that decide exclusions; with `rule`, also those of its condition.
fn select(kind: EntityKind, rule: Option<&Rule>) -> String {
    let mut names = match kind {
        EntityKind::Users => vec!["id", "displayName", "userPrincipalName", "mail"],
        EntityKind::Groups => vec!["id", "displayName", "mail", "visibility"],
        EntityKind::Devices => vec!["id", "displayName", "operatingSystem"],
        _ => vec!["id", "displayName"],
    };
    for name in rule.map(|rule| rule.parsed.select()).unwrap_or_default() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(",")
}

fn object(item: &str) -> Result<(Option<Uuid>, Map<String, Value>)> {
    let malformed = |error: serde_json::Error| {
        Error::from(GraphError::new(GraphErrorKind::Malformed, format!("an object: {error}")))
    };
    let object: Properties = properties(item).map_err(malformed)?;
    Ok((object.uuid(), serde_json::from_str(&object.json).map_err(malformed)?))
}

/// Reads users: the first few, all that match the condition, or the members of the groups by id if that is cheaper.
async fn read_users(
    asker: &Asker,
    filter: &Filter,
    users: &mut Kind,
    groups: &Kind,
    walked: Option<&Walked>,
    needs_users: bool,
) -> Result<()> {
    let scope = &filter.scope;
    let Some(walked) = walked else { return read_matching(asker, filter, EntityKind::Users, needs_users, users).await };
    let members = match scope.users {
        ScopeUsers::All => {
            return read_matching(asker, filter, EntityKind::Users, !takes_everyone(filter), users).await;
        }
        ScopeUsers::MembersOf => walked.memberships.members_of(&scope.group_ids, scope.transitive),
        ScopeUsers::MembersOfFilteredGroups => {
            let admitted = groups.objects.iter().filter(|(_, g)| !filter.exclude.excludes(EntityKind::Groups, g));
            let admitted: Vec<Uuid> = admitted.map(|(id, _)| *id).collect();
            walked.memberships.members_of(&admitted, scope.transitive)
        }
    };
    let is_too_many = users.matching.is_none_or(|matching| matching as usize > MAX_PAGES * MAX_PAGE_SIZE);
    let can_decide = filter.rule(EntityKind::Users).is_none_or(|rule| !rule.parsed.needs_a_list());
    if can_decide && (is_too_many || is_cheaper_by_id(members.len(), users.matching)) {
        return read_members(asker, filter, users, &members).await;
    }
    read_matching(asker, filter, EntityKind::Users, true, users).await
}

/// Reads these users by their ids, as many as a preview may, and evaluates the condition here.
async fn read_members(asker: &Asker, filter: &Filter, users: &mut Kind, members: &[Uuid]) -> Result<()> {
    let rule = filter.rule(EntityKind::Users);
    let path = format!("users?$select={}", select(EntityKind::Users, rule));
    let parts = members.chunks(IDS_IN_A_QUERY).take(MAX_REQUESTS_BY_ID);
    let urls: Vec<_> = parts
        .map(|ids| asker.session().url(&format!("{path}&$filter={}", urlencoding::encode(&ids_filter(ids)))))
        .collect();
    let pages = stream::iter(urls)
        .map(|url| async move {
            let options = asker.options(false);
            asker.ask(About::All(EntityKind::Users), asker.session().page::<Items>(&url, &options)).await
        })
        .buffer_unordered(AT_ONCE);
    let pages: Vec<_> = pages.try_collect().await?;
    let asked = members.len().min(IDS_IN_A_QUERY * MAX_REQUESTS_BY_ID);
    users.is_whole = asked == members.len() && pages.iter().all(Option::is_some);
    users.looked_at = (asked as u64, members.len() as u64);
    for page in pages.iter().flatten() {
        for item in page.content.iter() {
            let (id, map) = object(item)?;
            let holds = rule.is_none_or(|rule| crate::filter::eval::matches(&rule.parsed.expression, &map));
            users.objects.extend(id.filter(|_| holds).map(|id| (id, map)));
        }
    }
    Ok(())
}

/// Warns if a group of the scope does not exist, or hides its members.
async fn check_roots(asker: &Asker, filter: &Filter) -> Result<()> {
    if filter.scope.users != ScopeUsers::MembersOf {
        return Ok(());
    }
    for ids in filter.scope.group_ids.chunks(IDS_IN_A_QUERY).take(MAX_REQUESTS_BY_ID) {
        let query = urlencoding::encode(&ids_filter(ids)).into_owned();
        let url = asker.session().url(&format!("groups?$select=id,displayName,visibility&$filter={query}"));
        let options = asker.options(false);
        let page = asker.ask(About::All(EntityKind::Groups), asker.session().page::<Items>(&url, &options)).await?;
        let Some(page) = page else { return Ok(()) };
        let mut found = BTreeMap::new();
        for item in page.content.iter() {
            let (id, map) = object(item)?;
            found.extend(id.map(|id| (id, map)));
        }
        for id in ids.iter().filter(|id| !found.contains_key(id)) {
            let detail = format!("The group {id} of the scope does not exist in the directory.");
            let warning = PreviewWarning::new(PreviewWarningCode::ScopeGroupNotFound, Some(EntityKind::Groups), detail);
            asker.warn(warning.with_advice("Correct scope.groupIds."));
        }
        warn_of_hidden(asker, found.values());
    }
    Ok(())
}

fn warn_of_hidden<'g>(asker: &Asker, groups: impl Iterator<Item = &'g Map<String, Value>>) {
    if asker.may(Capability::HiddenMemberships) {
        return;
    }
    for group in groups.filter(|group| group.get("visibility").and_then(Value::as_str) == Some("HiddenMembership")) {
        let name = group.get("displayName").or_else(|| group.get("id")).and_then(Value::as_str).unwrap_or_default();
        let detail =
            format!("The members of the group «{name}» are hidden from this application, so they are unknown.");
        let warning = PreviewWarning::new(PreviewWarningCode::HiddenMembership, Some(EntityKind::Groups), detail);
        asker.warn(warning.with_advice("Add the Application permission Member.Read.Hidden."));
    }
}
