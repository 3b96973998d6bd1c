//! Microsoft Graph and the Entra sign-in service.
//!
//! A [`Client`] serves the whole process; a [`Session`] is one user of it, a run or a check, with its
//! identity, its way to be cancelled and its own count of what it used. All sessions of an application in
//! a tenant share one [`limiter`]. [`page`] reads collections, [`delta`] what changed, [`batch`] many small
//! things; all of them send through [`retry`].

pub mod batch;
pub mod cloud;
pub mod cost;
pub mod delta;
pub mod error;
pub mod limiter;
pub mod page;
pub mod retry;
pub mod sign_in_error;
pub mod token;
pub mod wire;

pub use error::{GraphError, Kind as ErrorKind};
pub use page::{Complete, Next, Page, Pager};

use crate::clock::Clock;
use crate::config::HostSettings;
use error::Result;
use limiter::{Lane, Limiter};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use token::{AccessToken, Identity, Tokens};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

/// Ids that one `$filter=id in (…)` may name. Source: docs/graph.md, «Filters».
pub const IDS_IN_A_QUERY: usize = 15;

/// The `$filter` for the objects with these ids, at most [`IDS_IN_A_QUERY`].
pub fn ids_filter(ids: &[Uuid]) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("id in ({})", quoted.join(","))
}

/// Objects that one page may have. Source: docs/graph.md, «Paging».
pub const PAGE_MOST: usize = 999;

/// Whether some objects are read in fewer requests by their ids than as a part of the `all` that a list would give.
pub fn is_cheaper_by_id(ids: usize, all: Option<u64>) -> bool {
    let pages = all.map_or(usize::MAX, |all| usize::try_from(all).unwrap_or(usize::MAX).div_ceil(PAGE_MOST).max(1));
    ids.div_ceil(IDS_IN_A_QUERY) <= pages
}

/// How long the failures of one request are waited out.
pub const BUDGET: Duration = Duration::from_secs(600);

/// The way to Graph for the whole process. Cheap to clone; all clones share limiters and tokens.
#[derive(Clone)]
pub struct Client(Arc<ClientInner>);

struct ClientInner {
    http: reqwest::Client,
    clock: Clock,
    graph_url: Option<Url>,
    tokens: Tokens,
    /// Resource units that an application may spend in ten seconds in one tenant.
    units: u32,
    limiters: Mutex<HashMap<(Uuid, String), Arc<Limiter>>>,
}

impl Client {
    /// `units`: resource units that each application may spend in ten seconds in one tenant.
    pub fn new(http: reqwest::Client, clock: Clock, hosts: &HostSettings, tokens: Tokens, units: u32) -> Self {
        let graph_url = hosts.graph_url.clone();
        Self(Arc::new(ClientInner { http, clock, graph_url, tokens, units, limiters: Mutex::default() }))
    }

    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// One user of the client. `cancel` interrupts every request and every wait of it.
    pub fn session(&self, identity: Identity, cancel: CancellationToken) -> Session {
        self.session_of(identity, None, cancel)
    }

    /// A session that calls with this token and no other: a check must not meet the cache, and what it
    /// finds must be true of one token. A 401 is not answered with another token.
    pub fn session_with_token(
        &self,
        identity: Identity,
        token: Arc<AccessToken>,
        cancel: CancellationToken,
    ) -> Session {
        self.session_of(identity, Some(token), cancel)
    }

    fn session_of(&self, identity: Identity, fixed: Option<Arc<AccessToken>>, cancel: CancellationToken) -> Session {
        let origin = self.0.graph_url.clone().unwrap_or_else(|| origin_of(identity.cloud));
        Session(Arc::new(SessionInner {
            client: self.clone(),
            identity,
            fixed,
            cancel,
            origin,
            limiter: tokio::sync::OnceCell::new(),
            lane: Lane::default(),
            renewal: tokio::sync::Mutex::default(),
            counters: Counters::default(),
        }))
    }

    /// The limiter of an application in a tenant. The tenant is the token's, because a domain name in the
    /// settings and its GUID are the same tenant.
    fn limiter(&self, client_id: Uuid, tenant: &str) -> Arc<Limiter> {
        let mut limiters = self.0.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (client_id, tenant.to_ascii_lowercase());
        limiters.entry(key).or_insert_with(|| Limiter::new(self.0.clock.clone(), self.0.units)).clone()
    }
}

#[expect(clippy::expect_used, reason = "constants; a test parses each")]
fn origin_of(cloud: cloud::Cloud) -> Url {
    Url::parse(cloud.graph_host()).expect("the host of a cloud is a URL")
}

/// One user of the client: a run, a check, a preview. Cheap to clone; all clones share the counts.
#[derive(Clone)]
pub struct Session(Arc<SessionInner>);

struct SessionInner {
    client: Client,
    identity: Identity,
    fixed: Option<Arc<AccessToken>>,
    cancel: CancellationToken,
    origin: Url,
    limiter: tokio::sync::OnceCell<Arc<Limiter>>,
    lane: Lane,
    renewal: tokio::sync::Mutex<()>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    throttled: AtomicU64,
    failed: AtomicU64,
    /// Thousandths of a unit, so that it can be an integer.
    milli_units: AtomicU64,
    throttled_ms: AtomicU64,
    bytes: AtomicU64,
}

/// What a session has used, for progress, results and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Requests sent, repeats included; a batch counts as one.
    pub requests: u64,
    /// Answers 429, also inside batches.
    pub throttled_requests: u64,
    /// Requests that failed otherwise and were repeated.
    pub repeated_requests: u64,
    /// Resource units charged by Graph, or reckoned where it did not say.
    pub resource_units: u64,
    /// Time for which Graph made everybody wait because of this session's requests.
    pub throttled_ms: u64,
    /// Bytes of answers, after decompression.
    pub bytes: u64,
    /// Resource units that could be spent at once, shared with all sessions of the application in the tenant.
    pub units_left: u64,
    pub in_flight: usize,
}

/// How a request is made.
#[derive(Clone, Debug)]
pub struct RequestOptions {
    /// Sends `ConsistencyLevel: eventual`, on every page. Source: docs/graph.md, «Filters».
    pub advanced: bool,
    /// How long failures are waited out. Zero: every failure is final.
    pub budget: Duration,
    /// Graph sheds what is of low priority first: right for imports, wrong where a person waits.
    pub low_priority: bool,
    /// Whoever asks can ask for a smaller page: a [`Pager`] reports 504 answers soon, where `$top` can be halved,
    /// instead of waiting them out.
    pub may_halve: bool,
    /// So many 504 in a row are reported instead of waited out. `None`: they are waited out like any failure. A
    /// [`Pager`] sets it.
    pub gateway_timeouts: Option<u32>,
    /// What it costs, when the URL does not show it. A [`Pager`] sets it for later pages.
    pub cost: Option<cost::Kind>,
    /// A further `Prefer` header, such as `return=minimal`.
    pub prefer: Option<&'static str>,
    /// It is the next page of something begun, and goes before what begins. A [`Pager`] sets it.
    pub goes_on: bool,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            advanced: false,
            budget: BUDGET,
            low_priority: true,
            may_halve: false,
            gateway_timeouts: None,
            cost: None,
            prefer: None,
            goes_on: false,
        }
    }
}

impl RequestOptions {
    /// For queries that need `ConsistencyLevel: eventual`; the URL must have `$count=true`.
    pub fn advanced() -> Self {
        Self { advanced: true, ..Self::default() }
    }

    /// For a collection whose pages are made smaller when Graph takes too long for one.
    pub fn halving() -> Self {
        Self { may_halve: true, ..Self::default() }
    }

    /// While a person waits.
    pub fn interactive(budget: Duration) -> Self {
        Self { budget, low_priority: false, ..Self::default() }
    }
}

/// The whole answer to one GET.
#[derive(Debug)]
pub struct Body {
    pub text: String,
    pub status: u16,
    /// `request-id` of the answer.
    pub request_id: Option<String>,
    /// See [`Page::was_retried`].
    pub was_retried: bool,
}

impl Body {
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T> {
        serde_json::from_str(&self.text).map_err(|error| retry::malformed(self.is_html(), &error))
    }
}

impl Body {
    fn is_html(&self) -> bool {
        error::looks_like_html(self.text.as_bytes())
    }
}

impl Session {
    /// The URL of a path below `/v1.0/`, with its query as given: `users?$top=999`.
    pub fn url(&self, path_and_query: &str) -> Url {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let mut url = self.0.origin.clone();
        url.set_path(&format!("/v1.0/{}", path.trim_start_matches('/')));
        url.set_query(query);
        url
    }

    /// A link that Graph gave, or that was stored before: refused unless it stays on the Graph origin.
    pub fn link(&self, link: &str) -> Result<Url> {
        page::own_link(link, &self.0.origin)
    }

    pub async fn get(&self, url: &Url, options: &RequestOptions) -> Result<Body> {
        let request = retry::Request::get(url, options);
        let answered = self.exchange(&request, |body| Ok(retry::Read { value: body, units: None })).await?;
        Ok(Body { was_retried: answered.was_retried, ..answered.value })
    }

    /// One page, on the Graph origin. Whoever follows links wants a [`Pager`].
    pub async fn page<C: wire::Content>(&self, url: &Url, options: &RequestOptions) -> Result<Page<C>> {
        Ok(Page { permit: None, ..self.page_held(url, options).await? })
    }

    /// One page with its place among the requests under way.
    async fn page_held<C: wire::Content>(&self, url: &Url, options: &RequestOptions) -> Result<Page<C>> {
        let request = retry::Request::get(url, options);
        let read = |body: Body| {
            let is_html = body.is_html();
            let (links, content) = C::read(body.text).map_err(|error| retry::malformed(is_html, &error))?;
            let value = Page::new(links, content, body.request_id, &self.0.origin)?;
            Ok(retry::Read { value, units: None })
        };
        let answered = self.exchange(&request, read).await?;
        Ok(Page { was_retried: answered.was_retried, permit: Some(answered.permit), ..answered.value })
    }

    /// The pages of a collection from its first.
    pub fn pages<C: wire::Content>(&self, first: Url, options: RequestOptions) -> Pager<C> {
        Pager::new(self.clone(), first, options)
    }

    /// How many objects `path` has (`users`, `groups/{id}/members`), with an optional filter; `None` when
    /// the server does not count them.
    pub async fn count(&self, path: &str, filter: Option<&str>) -> Result<Option<u64>> {
        self.count_with(path, filter, &RequestOptions::advanced()).await
    }

    /// As [`Session::count`], made in a way of one's own; it has to be advanced.
    pub async fn count_with(&self, path: &str, filter: Option<&str>, options: &RequestOptions) -> Result<Option<u64>> {
        let query = filter.map(|filter| format!("?$filter={}", urlencoding::encode(filter))).unwrap_or_default();
        let url = self.url(&format!("{}/$count{query}", path.trim_end_matches('/')));
        match self.get(&url, options).await {
            // Some servers begin the text with a byte order mark.
            Ok(body) => Ok(body.text.trim_start_matches('\u{feff}').trim().parse().ok()),
            Err(error) if error.refuses_optional() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The token of this session, asked for if there is none.
    pub async fn token(&self) -> Result<Arc<AccessToken>> {
        match &self.0.fixed {
            Some(token) => Ok(token.clone()),
            None => Ok(self.0.client.0.tokens.get(&self.0.identity).await?),
        }
    }

    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub fn cancel(&self) -> &CancellationToken {
        &self.0.cancel
    }

    pub fn usage(&self) -> Usage {
        let counters = &self.0.counters;
        let gauge = self.0.limiter.get().map(|limiter| limiter.gauge());
        Usage {
            requests: counters.requests.load(Ordering::Relaxed),
            throttled_requests: counters.throttled.load(Ordering::Relaxed),
            repeated_requests: counters.failed.load(Ordering::Relaxed),
            resource_units: counters.milli_units.load(Ordering::Relaxed) / 1000,
            throttled_ms: counters.throttled_ms.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            units_left: gauge.map_or(0, |gauge| gauge.units_left as u64),
            in_flight: gauge.map_or(0, |gauge| gauge.in_flight),
        }
    }

    async fn limiter(&self, token: &AccessToken) -> Arc<Limiter> {
        let identity = &self.0.identity;
        let tenant = token.claims.tid.as_deref().unwrap_or(&identity.tenant_id);
        self.0.limiter.get_or_init(|| async { self.0.client.limiter(identity.client_id, tenant) }).await.clone()
    }

    /// A token other than the one that Graph refused, or `None` when there can be no other.
    async fn renewed(&self, refused: &Arc<AccessToken>) -> Result<Option<Arc<AccessToken>>> {
        if self.0.fixed.is_some() {
            return Ok(None);
        }
        let tokens = &self.0.client.0.tokens;
        // One at a time, so that of many requests refused at once only the first asks for a new token.
        let _renewal = self.0.renewal.lock().await;
        let current = tokens.get(&self.0.identity).await?;
        if !Arc::ptr_eq(&current, refused) {
            return Ok(Some(current));
        }
        tokens.forget(&self.0.identity);
        Ok(Some(tokens.get(&self.0.identity).await?))
    }
}

#[cfg(test)]
pub(crate) mod tests;
