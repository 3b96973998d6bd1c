//! The optional features of Graph that this server refuses. A refusal is reported once; from then on the run asks in another way.

use super::read_error::Result;
use super::read_plan::{SIGN_IN, entity};
use super::request::{LEAST_TOP, Request, TOP, Target};
use crate::codes::WarningCode;
use crate::directory::{Item, ObjectType, Properties as Map, Relation};
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::{Items, properties};
use crate::graph::{RequestOptions, Session, ids_filter};
use crate::run_state::RunWarning;
use crate::runs::context::JobContext;
use crate::runs::progress::RunProgress;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// With signInActivity Graph gives no more objects per page. Source: docs/graph.md, «Paging».
const TOP_WITH_SIGN_IN: u32 = 500;
/// Objects on the page that tries a plainer request.
const PROBE_TOP: u32 = 20;

/// The properties that Graph returns of a user without `$select`. Source: docs/graph.md, «Properties».
const USER_DEFAULTS: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];

/// A kind of request that a server need not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Feature {
    /// `$expand` of a list: managers of users, owners of groups and devices.
    Expand(ObjectType),
    /// `$select` of a list.
    Select(ObjectType),
    /// `$select` of members and owners.
    SelectOfLinks,
    /// The property that needs a permission of its own.
    SignInActivity,
    /// The filter's condition on a type, as a default query.
    DefaultFilter(ObjectType),
    Batch,
}

impl Feature {
    fn code(self) -> WarningCode {
        match self {
            Self::Expand(_) => WarningCode::ExpandRefused,
            Self::Select(_) | Self::SelectOfLinks => WarningCode::SelectRefused,
            Self::SignInActivity => WarningCode::SignInActivityRefused,
            Self::DefaultFilter(_) => WarningCode::FilterNeedsAdvanced,
            Self::Batch => WarningCode::BatchRefused,
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Expand(ObjectType::Users) => {
                "The server does not expand the manager of users; managers are read one by one.".to_owned()
            }
            Self::Expand(object_type) => {
                let spec = object_type.spec();
                let what = match spec.collection.item {
                    Item::Parts { expand: Some(expanded), .. } => {
                        format!("`{}` of {}", expanded.property, spec.collection.path)
                    }
                    _ => {
                        let relation = spec.relations.iter().find(|relation| relation.expand().is_some());
                        format!("{} of {}", relation.map_or("relations", |relation| relation.name), spec.plural)
                    }
                };
                format!("The server does not expand the {what}; they are read one by one.")
            }
            Self::Select(object_type) => {
                format!("The server takes no $select for {}; they are read whole.", object_type.spec().plural)
            }
            Self::SelectOfLinks => {
                "The server takes no $select for members and owners; they are read whole.".to_owned()
            }
            Self::SignInActivity => "Sign-in activity may not be read (AuditLog.Read.All and a premium licence are \
                                     needed); users are imported without it."
                .to_owned(),
            Self::DefaultFilter(object_type) => {
                let plural = object_type.spec().plural;
                format!("The server takes the condition on {plural} only in an advanced query; it is asked so.")
            }
            Self::Batch => "The server takes no JSON batches; requests are sent one by one.".to_owned(),
        }
    }
}

/// The refusals met in this run.
#[derive(Default)]
pub(super) struct Dialect {
    refused: Mutex<Vec<Feature>>,
    /// A page of members or owners was answered with `$select`: a later refusal has another cause.
    links_are_understood: AtomicBool,
    asking: tokio::sync::Mutex<()>,
    /// The largest pages that are not refused, where that is less than usual.
    page_sizes: Mutex<Vec<(Paged, u32)>>,
}

/// What has pages of a size of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Paged {
    Objects(ObjectType),
    Links,
    Path(&'static str),
}

impl Paged {
    fn of(target: &Target) -> Self {
        match target {
            Target::Objects(object_type) => Self::Objects(*object_type),
            Target::Links(_) => Self::Links,
            Target::Path(path) => Self::Path(path),
        }
    }
}

impl Dialect {
    pub(super) fn has(&self, feature: Feature) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(&feature)
    }

    pub(super) fn links_are_understood(&self) {
        self.links_are_understood.store(true, Ordering::Relaxed);
    }

    /// Remembers a refusal, and reports the first.
    pub(super) fn note(&self, progress: &RunProgress, feature: Feature, error: Option<&GraphError>) {
        {
            let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if known.contains(&feature) {
                return;
            }
            known.push(feature);
        }
        let detail = match error {
            Some(error) => format!("{} ({error})", feature.detail()),
            None => feature.detail(),
        };
        let warning = RunWarning::new(feature.code(), detail);
        match (feature, error) {
            (Feature::SignInActivity, Some(error)) => progress.degrade(warning.with_advice(error.advice())),
            _ => progress.warn(warning),
        }
    }
}

/// How this server is asked.
impl Dialect {
    /// The requests for the list of a type: one, or several when its filter has to be split.
    pub(super) fn lists(&self, job: &JobContext, object_type: ObjectType) -> Vec<Request> {
        let rule = entity(object_type).and_then(|kind| job.filter.rule(kind));
        let request = self.list(job, object_type, self.is_advanced(job, object_type));
        match rule {
            None => vec![request],
            Some(rule) => rule
                .parsed
                .requests()
                .iter()
                .enumerate()
                .map(|(number, text)| Request {
                    part: number.to_string(),
                    filter: Some(text.clone()),
                    ..request.clone()
                })
                .collect(),
        }
    }

    /// Whether the list of a type is an advanced query, because its filter is one or works only as one.
    pub(super) fn is_advanced(&self, job: &JobContext, object_type: ObjectType) -> bool {
        let rule = entity(object_type).and_then(|kind| job.filter.rule(kind));
        rule.is_some_and(|rule| rule.parsed.advanced || self.has(Feature::DefaultFilter(object_type)))
    }

    /// The request for the list of a type, without its filter. An advanced one allows no `$expand`.
    pub(super) fn list(&self, job: &JobContext, object_type: ObjectType, advanced: bool) -> Request {
        let mut select: Vec<String> = job.mapping.select(object_type).into_iter().map(str::to_owned).collect();
        let rule = entity(object_type).and_then(|kind| job.filter.rule(kind));
        // What the filter decides by, so that later changes can be decided here.
        for name in rule.map(|rule| rule.parsed.select()).unwrap_or_default() {
            if !select.iter().any(|known| known == name) {
                select.push(name.to_owned());
            }
        }
        if object_type == ObjectType::Groups && !select.iter().any(|name| name == "visibility") {
            // Whether the members of the group may be hidden from us.
            select.push("visibility".to_owned());
        }
        if self.has(Feature::SignInActivity) {
            select.retain(|name| name != SIGN_IN);
        }
        if self.has(Feature::Select(object_type)) {
            select.clear();
        }
        let expand = self.expand(job, object_type).filter(|_| !advanced);
        let top = match select.iter().any(|name| name == SIGN_IN) {
            true => Some(TOP_WITH_SIGN_IN),
            false => object_type.spec().collection.page,
        };
        let target = Target::Objects(object_type);
        let top = self.page_size(&target, top);
        Request { target, part: "0".to_owned(), select, expand, filter: None, advanced, top, is_fixed: false }
    }

    /// The usual size of pages, or the largest that is not refused.
    fn page_size(&self, target: &Target, usual: Option<u32>) -> Option<u32> {
        let sizes = self.page_sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sizes.iter().find(|(paged, _)| *paged == Paged::of(target)).map(|(_, size)| *size);
        usual.map(|usual| usual.min(known.unwrap_or(usual)))
    }

    fn expand(&self, job: &JobContext, object_type: ObjectType) -> Option<&'static str> {
        if self.has(Feature::Expand(object_type)) {
            return None;
        }
        match object_type.spec().collection.item {
            Item::Parts { expand, .. } => expand.map(|expanded| expanded.property),
            Item::Values => None,
            Item::Object | Item::Named(_) => job.mapping.relations(object_type).find_map(Relation::expand),
        }
    }

    /// The request for objects with these ids, with the relations that a list has too.
    pub(super) fn by_ids(&self, job: &JobContext, object_type: ObjectType, ids: &[Uuid]) -> Request {
        Request { filter: Some(ids_filter(ids)), ..self.list(job, object_type, false) }
    }

    /// The path of one object, with the relations that a list has too. Of an item with parts its own list is read, because
    /// a refusal of `$expand` would look as if the item were gone.
    pub(super) fn path_of_one(&self, job: &JobContext, object_type: ObjectType, id: impl Display) -> String {
        let list = self.list(job, object_type, false);
        let expand = list.expand.filter(|_| !matches!(object_type.spec().collection.item, Item::Parts { .. }));
        let request = Request { top: None, expand, ..list };
        request.path_at(&format!("{}/{id}", object_type.spec().collection.path))
    }

    /// The request for the members or owners of a group, by their path.
    pub(super) fn links(&self, path: String) -> Request {
        let select: &[&str] = if self.has(Feature::SelectOfLinks) { &[] } else { &["id"] };
        let target = Target::Links(path);
        let top = self.page_size(&target, Some(TOP));
        Request { is_fixed: false, top, ..Request::fixed(target, select) }
    }
}

/// How this server is asked instead after a refusal. `None`: nothing helps.
impl Dialect {
    /// The same with smaller pages, if their size is what was refused: with few objects the very same is answered. How large
    /// they may be is in the refusal, or found by halving.
    pub(super) async fn smaller_pages(
        &self,
        session: &Session,
        progress: &RunProgress,
        request: &Request,
        error: &GraphError,
    ) -> Result<Option<Request>> {
        let Some(top) = request.top.filter(|top| *top > PROBE_TOP) else { return Ok(None) };
        if !matches!(error.kind, GraphErrorKind::BadRequest) {
            return Ok(None);
        }
        // One asks, for all that were refused at the same time.
        let _asking = self.asking.lock().await;
        let with = |top: u32| Request { top: Some(top), ..request.clone() };
        if let Some(known) = self.page_size(&request.target, request.top).filter(|known| *known < top) {
            return Ok(Some(with(known)));
        }
        let few = with(PROBE_TOP);
        match session.page::<Items>(&few.url(session), &few.options()).await {
            Ok(_) => {}
            Err(refusal) if refusal.refuses_optional() => return Ok(None),
            Err(failure) => return Err(failure.into()),
        }
        let size = named_size(&error.message, top).unwrap_or((top / 2).max(PROBE_TOP));
        self.note_page_size(progress, &request.target, size, error);
        Ok(Some(with(size)))
    }

    fn note_page_size(&self, progress: &RunProgress, target: &Target, size: u32, error: &GraphError) {
        let paged = Paged::of(target);
        let mut sizes = self.page_sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !sizes.iter().any(|(known, _)| *known == paged);
        sizes.retain(|(known, _)| *known != paged);
        sizes.push((paged, size));
        if is_new {
            let detail = format!("Graph refuses pages of the usual size; smaller ones are read. ({error})");
            progress.warn(RunWarning::new(WarningCode::PageSizeRefused, detail));
        }
    }

    /// Whether the server takes the filter's condition on a type only in an advanced query, although Microsoft's table
    /// says that it works in a default one. Remembered: later lists are asked so.
    pub(super) async fn learns_advanced(
        &self,
        session: &Session,
        progress: &RunProgress,
        job: &JobContext,
        object_type: ObjectType,
        error: &GraphError,
    ) -> Result<bool> {
        let is_refusal = matches!(error.kind, GraphErrorKind::BadRequest | GraphErrorKind::Unsupported);
        let rule = entity(object_type).and_then(|kind| job.filter.rule(kind));
        if !is_refusal || rule.is_none_or(|rule| rule.parsed.advanced) {
            return Ok(false);
        }
        if self.has(Feature::DefaultFilter(object_type)) {
            return Ok(true);
        }
        for request in self.lists(job, object_type) {
            let plain = Request { select: vec!["id".to_owned()], expand: None, ..request };
            let advanced = Request { advanced: true, ..plain.clone() };
            if !is_answered(session, &plain).await? && is_answered(session, &advanced).await? {
                self.note(progress, Feature::DefaultFilter(object_type), Some(error));
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn instead(
        &self,
        session: &Session,
        progress: &RunProgress,
        request: &Request,
        error: &GraphError,
    ) -> Result<Option<Request>> {
        if error.is_about_sign_in_activity() && request.select.iter().any(|name| name == SIGN_IN) {
            self.note(progress, Feature::SignInActivity, Some(error));
            let select = request.select.iter().filter(|name| *name != SIGN_IN).cloned().collect();
            let top = self.page_size(&request.target, Some(TOP));
            return Ok(Some(Request { select, top, ..request.clone() }));
        }
        if !error.refuses_optional() {
            return Ok(None);
        }
        match &request.target {
            Target::Objects(object_type) => self.plainer_list(session, progress, request, *object_type, error).await,
            Target::Links(path) => self.plainer_links(session, progress, request, path, error).await,
            Target::Path(_) => Ok(None),
        }
    }

    /// The same without `$expand`, without `$select`, or without both.
    async fn plainer_list(
        &self,
        session: &Session,
        progress: &RunProgress,
        request: &Request,
        object_type: ObjectType,
        error: &GraphError,
    ) -> Result<Option<Request>> {
        let without_expand = Request { expand: None, ..request.clone() };
        let without_select = Request { select: Vec::new(), ..request.clone() };
        let plain = Request { expand: None, select: Vec::new(), ..request.clone() };
        let expand = request.expand.map(|_| Feature::Expand(object_type));
        let select = (!request.select.is_empty()).then_some(Feature::Select(object_type));
        let ways = [(without_expand, vec![expand]), (without_select, vec![select]), (plain, vec![expand, select])];
        for (way, left_out) in ways {
            let Some(left_out) = left_out.into_iter().collect::<Option<Vec<Feature>>>() else { continue };
            let is_known = left_out.iter().all(|feature| self.has(*feature));
            if is_known || is_enough(session, request, &way, object_type).await? {
                left_out.into_iter().for_each(|feature| self.note(progress, feature, Some(error)));
                return Ok(Some(way));
            }
        }
        Ok(None)
    }

    /// The same without `$select`, if the server understands that; or the same again, if it was not found only for a
    /// moment.
    async fn plainer_links(
        &self,
        session: &Session,
        progress: &RunProgress,
        request: &Request,
        path: &str,
        error: &GraphError,
    ) -> Result<Option<Request>> {
        if request.select.is_empty() || self.links_are_understood.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // One asks, for all that were refused at the same time.
        let _asking = self.asking.lock().await;
        let again = Some(Request { top: request.top, ..self.links(path.to_owned()) });
        if self.has(Feature::SelectOfLinks) {
            return Ok(again);
        }
        // What a replica does not have yet is not found for a moment: that says nothing about `$select`.
        let options = RequestOptions::default();
        if matches!(error.kind, GraphErrorKind::NotFound) && session.get(&request.url(session), &options).await.is_ok()
        {
            return Ok(again);
        }
        match session.get(&session.url(path), &options).await {
            Ok(_) => {
                self.note(progress, Feature::SelectOfLinks, Some(error));
                Ok(Some(Request { top: request.top, ..self.links(path.to_owned()) }))
            }
            Err(refusal) if refusal.refuses_optional() => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// The size that a refusal names: «Cannot query data for more than 120 users at a time.»
fn named_size(message: &str, refused: u32) -> Option<u32> {
    let numbers = message.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<u32>().ok());
    numbers.filter(|size| (LEAST_TOP..refused).contains(size)).max()
}

/// Whether the server answers a request at all.
async fn is_answered(session: &Session, request: &Request) -> Result<bool> {
    let probe = Request { top: Some(1), ..request.clone() };
    match session.page::<Items>(&probe.url(session), &probe.options()).await {
        Ok(_) => Ok(true),
        Err(error) if error.refuses_optional() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the server answers the plainer request with what the job needs. Without `$select`, Graph returns few properties
/// of a user, and what it leaves out must not count as empty.
async fn is_enough(session: &Session, request: &Request, way: &Request, object_type: ObjectType) -> Result<bool> {
    let probe = Request { top: way.top.map(|top| top.min(PROBE_TOP)), ..way.clone() };
    let page = match session.page::<Items>(&probe.url(session), &probe.options()).await {
        Ok(page) => page,
        Err(error) if error.refuses_optional() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if way.select.len() == request.select.len() || object_type != ObjectType::Users || page.content.iter().len() == 0 {
        return Ok(true);
    }
    let wanted = |name: &str| request.select.iter().any(|known| known == name) && !USER_DEFAULTS.contains(&name);
    let has_wanted = |item: &str| {
        let read = properties(item).ok();
        let map: Option<Map> = read.as_ref().and_then(|read| serde_json::from_str(&read.json).ok());
        map.is_some_and(|map| map.keys().any(|name| wanted(name)))
            || read.is_some_and(|read| read.nulls.iter().any(|name| wanted(name)))
    };
    let needs_more = request.select.iter().any(|name| wanted(name));
    Ok(!needs_more || page.content.iter().any(has_wanted))
}
