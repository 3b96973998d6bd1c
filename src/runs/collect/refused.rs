//! What a server need not offer and turned out not to: found out once, said once, and done the plain way from
//! then on.

use super::Reader;
use super::query::Query;
use crate::directory::ObjectType;
use crate::graph::batch::{BatchItem, ITEMS_MOST};
use crate::graph::error::{GraphError, Kind};
use crate::graph::wire::{Items, properties};
use crate::graph::{RequestOptions, Session};
use crate::run_state::RunWarning;
use crate::runs::journal::Journal;
use crate::runs::stop::Stop;
use futures_util::{StreamExt, stream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use url::Url;

/// Single requests, or batches, under way at once; the limiter decides how many really are.
const AT_ONCE: usize = 16;
/// Objects asked for when a plainer way is tried.
const PROBE_TOP: u32 = 20;
/// What Graph tells of a user without `$select`. Source: facts/graph.md §4.2.
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
pub(super) enum Optional {
    /// `$expand` of a list: managers of users, owners of groups and devices.
    Expand(ObjectType),
    /// `$select` of a list.
    Select(ObjectType),
    /// `$select` of members and owners.
    SelectOfLinks,
    /// The property that needs a permission of its own.
    SignInActivity,
    Batch,
}

impl Optional {
    fn code(self) -> &'static str {
        match self {
            Self::Expand(_) => "expand_refused",
            Self::Select(_) | Self::SelectOfLinks => "select_refused",
            Self::SignInActivity => "sign_in_activity_refused",
            Self::Batch => "batch_refused",
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Expand(ObjectType::Users) => {
                "The server does not expand the manager of users; managers are read user by user.".to_owned()
            }
            Self::Expand(ObjectType::Devices) => {
                "The server does not expand the owners of devices; they are left out.".to_owned()
            }
            Self::Expand(object_type) => {
                format!("The server does not expand the owners of {object_type}; they are read one by one.")
            }
            Self::Select(object_type) => format!("The server takes no $select for {object_type}; they are read whole."),
            Self::SelectOfLinks => {
                "The server takes no $select for members and owners; they are read whole.".to_owned()
            }
            Self::SignInActivity => "Sign-in activity may not be read (AuditLog.Read.All and a premium licence are \
                                     needed); users are imported without it."
                .to_owned(),
            Self::Batch => "The server takes no JSON batches; requests are sent one by one.".to_owned(),
        }
    }
}

/// What was found out in this run.
#[derive(Default)]
pub(super) struct Refused {
    refused: Mutex<Vec<Optional>>,
    /// A page of links was answered as it was asked for: what is refused later is not `$select`.
    links_are_understood: AtomicBool,
    asking: tokio::sync::Mutex<()>,
}

impl Refused {
    pub(super) fn has(&self, optional: Optional) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(&optional)
    }

    pub(super) fn links_are_understood(&self) {
        self.links_are_understood.store(true, Ordering::Relaxed);
    }

    /// Remembers a refusal, and says it the first time.
    pub(super) fn note(&self, journal: &Journal, optional: Optional, error: Option<&GraphError>) {
        {
            let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if known.contains(&optional) {
                return;
            }
            known.push(optional);
        }
        let detail = match error {
            Some(error) => format!("{} ({error})", optional.detail()),
            None => optional.detail(),
        };
        let warning = RunWarning::new(optional.code(), detail);
        match (optional, error) {
            (Optional::SignInActivity, Some(error)) => journal.degrade(warning.with_advice(error.advice())),
            _ => journal.warn(warning),
        }
    }
}

/// A plainer query that the server understands; `error`, its refusal, when there is none.
pub(super) async fn plainer(reader: &Reader<'_>, query: Query, error: GraphError) -> Result<Query, Stop> {
    let without_expand = Query { expand: None, ..query.clone() };
    let without_select = Query { select: Vec::new(), ..query.clone() };
    let plain = Query { expand: None, select: Vec::new(), ..query.clone() };
    let expand = query.expand.map(|_| Optional::Expand(query.object_type));
    let select = (!query.select.is_empty()).then_some(Optional::Select(query.object_type));
    let known = |optional: Option<Optional>| optional.is_some_and(|optional| reader.refused.has(optional));
    let ways = [(without_expand, vec![expand]), (without_select, vec![select]), (plain, vec![expand, select])];
    for (way, left_out) in ways {
        if left_out.iter().any(Option::is_none) {
            continue;
        }
        let is_known = left_out.iter().all(|optional| known(*optional));
        if is_known || is_enough(reader, &query, &way).await? {
            for optional in left_out.into_iter().flatten() {
                reader.refused.note(&reader.run.journal, optional, Some(&error));
            }
            return Ok(way);
        }
    }
    Err(error.into())
}

/// Whether the server answers the plainer query, and with what the job needs: Graph itself tells little of a
/// user that is not selected, and what it leaves out must not pass for empty.
async fn is_enough(reader: &Reader<'_>, query: &Query, way: &Query) -> Result<bool, Stop> {
    let probe = Query { top: way.top.map(|top| top.min(PROBE_TOP)), ..way.clone() };
    let url = reader.session.url(&probe.path());
    let page = match reader.session.page::<Items>(&url, &probe.options()).await {
        Ok(page) => page,
        Err(error) if error.refuses_optional() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if way.select.len() == query.select.len()
        || query.object_type != ObjectType::Users
        || page.content.iter().len() == 0
    {
        return Ok(true);
    }
    let wanted = |name: &str| query.select.iter().any(|known| known == name) && !USER_DEFAULTS.contains(&name);
    let tells = |item: &str| {
        let read = properties(item).ok();
        let map: Option<crate::directory::Properties> =
            read.as_ref().and_then(|read| serde_json::from_str(&read.json).ok());
        map.is_some_and(|map| map.keys().any(|name| wanted(name)))
            || read.is_some_and(|read| read.nulls.iter().any(|name| wanted(name)))
    };
    let needs_more = query.select.iter().any(|name| wanted(name));
    Ok(!needs_more || page.content.iter().any(tells))
}

/// The URL of what is linked with an object, as `groups/{id}/members`.
pub(super) fn links_url(reader: &Reader<'_>, path: &str, top: Option<u32>) -> Url {
    let select = (!reader.refused.has(Optional::SelectOfLinks)).then(|| "$select=id".to_owned());
    let options: Vec<String> = top.map(|top| format!("$top={top}")).into_iter().chain(select).collect();
    match options.is_empty() {
        true => reader.session.url(path),
        false => reader.session.url(&format!("{path}?{}", options.join("&"))),
    }
}

/// After a refusal of a URL made by [`links_url`]: whether to ask again, because the same without `$select` is
/// understood, which is then the way for all, or because it was not found only for a moment.
pub(super) async fn links_without_select(
    reader: &Reader<'_>,
    path: &str,
    asked: &Url,
    error: &GraphError,
) -> Result<bool, Stop> {
    let selects = asked.query().is_some_and(|query| query.contains("$select"));
    if !error.refuses_optional() || !selects || reader.refused.links_are_understood.load(Ordering::Relaxed) {
        return Ok(false);
    }
    // One asks, for all that were refused at the same time.
    let _asking = reader.refused.asking.lock().await;
    if reader.refused.has(Optional::SelectOfLinks) {
        return Ok(true);
    }
    // What a replica does not have yet is not found for a moment: that says nothing of `$select`.
    if matches!(error.kind, Kind::NotFound) && reader.session.get(asked, &RequestOptions::default()).await.is_ok() {
        return Ok(true);
    }
    match reader.session.get(&reader.session.url(path), &RequestOptions::default()).await {
        Ok(_) => {
            reader.refused.note(&reader.run.journal, Optional::SelectOfLinks, Some(error));
            Ok(true)
        }
        Err(again) if again.refuses_optional() => Ok(false),
        Err(again) => Err(again.into()),
    }
}

/// The answers to many small GETs in the order of `urls`: in batches, or one by one where the server takes none.
pub(super) async fn get_many(
    reader: &Reader<'_>,
    urls: Vec<Url>,
) -> Result<Vec<crate::graph::error::Result<BatchItem>>, Stop> {
    let options = RequestOptions::default();
    let mut answers = Vec::with_capacity(urls.len());
    let parts: Vec<Vec<Url>> = urls.chunks(ITEMS_MOST).map(<[Url]>::to_vec).collect();
    let mut parts = stream::iter(parts).map(|urls| many(reader, urls, &options)).buffered(AT_ONCE);
    while let Some(part) = parts.next().await {
        answers.extend(part?);
        reader.run.journal.used(reader.session.usage());
    }
    Ok(answers)
}

async fn many(
    reader: &Reader<'_>,
    urls: Vec<Url>,
    options: &RequestOptions,
) -> Result<Vec<crate::graph::error::Result<BatchItem>>, Stop> {
    if !reader.refused.has(Optional::Batch) {
        match reader.session.batch(&urls, options).await {
            Ok(answers) => return Ok(answers),
            Err(error) if error.refuses_optional() || matches!(error.kind, Kind::Malformed) => {
                reader.refused.note(&reader.run.journal, Optional::Batch, Some(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let mut answers = Vec::with_capacity(urls.len());
    for url in &urls {
        answers.push(one(&reader.session, url, options).await);
    }
    Ok(answers)
}

async fn one(session: &Session, url: &Url, options: &RequestOptions) -> crate::graph::error::Result<BatchItem> {
    session.get(url, options).await.map(|body| BatchItem { status: body.status, body: body.text })
}
