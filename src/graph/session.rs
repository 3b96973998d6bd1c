//! The session of a run, a check or a preview: its identity, its token, its end and its counters.

use super::client::Client;
use super::error::{GraphError, GraphErrorKind, Result};
use super::limiter::{Lane, Limiter};
use super::options::RequestOptions;
use super::service::Service;
use super::sign_in_error::{SignInError, SignInErrorKind};
use super::token::{AccessToken, Identity};
use crate::clock::{Clock, Instant};
use crate::cloud::Cloud;
use crate::codes::FindingCode;
use crate::http::same_origin;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long failures of an interactive sign-in are waited out.
const SIGN_IN_BUDGET: Duration = Duration::from_secs(6);
/// More objects with replaced characters are not told apart.
const MAX_REPLACED: usize = 10_000;

/// Access to Graph for one run, check or preview. Cheap to clone; all clones share the counters.
#[derive(Clone)]
pub struct Session(pub(super) Arc<SessionInner>);

pub(super) struct SessionInner {
    pub client: Client,
    identity: Identity,
    /// Of an interactive session: its only token, and when it ends.
    fixed: Option<(Arc<AccessToken>, Deadline)>,
    pub cancel: CancellationToken,
    pub origin: Url,
    /// By service.
    limiters: [tokio::sync::OnceCell<Arc<Limiter>>; Service::ALL.len()],
    lanes: [Lane; Service::ALL.len()],
    renewal: tokio::sync::Mutex<()>,
    pub counters: Counters,
}

#[derive(Default)]
pub(super) struct Counters {
    pub requests: AtomicU64,
    pub throttled: AtomicU64,
    pub failed: AtomicU64,
    /// Thousandths of a unit, because the counter is an integer.
    pub milli_units: AtomicU64,
    pub throttled_ms: AtomicU64,
    pub bytes: AtomicU64,
    /// The ids of objects in which characters were replaced, up to [`MAX_REPLACED`].
    pub replaced: Mutex<BTreeSet<String>>,
}

/// What a session has used, for progress, results and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Requests sent, with retries; a batch counts as one.
    pub requests: u64,
    /// Responses 429, also inside batches.
    pub throttled_requests: u64,
    /// Requests that failed for another reason and were retried.
    pub repeated_requests: u64,
    /// Resource units that Graph charged; estimated where it did not name them.
    pub resource_units: u64,
    /// How long all sessions had to wait because requests of this session were throttled.
    pub throttled_ms: u64,
    /// Bytes of response bodies, after decompression.
    pub bytes: u64,
    /// Resource units that can be spent at once. All sessions of the application in the tenant share them.
    pub units_left: u64,
    pub in_flight: usize,
}

impl Client {
    /// The session of a run. `cancel` interrupts its requests and its waits.
    pub fn session(&self, identity: Identity, cancel: CancellationToken) -> Session {
        Session::new(self, identity, cancel, None)
    }

    /// A session for a person who waits, together with its token. It signs in again and uses this token only: a check
    /// must not use a cached token, and what it finds must be true of one token. After `time`, sign-in included, each of
    /// its requests ends as [`GraphErrorKind::Cancelled`].
    pub async fn interactive_session(
        &self,
        identity: &Identity,
        time: Duration,
    ) -> Result<(Session, Arc<AccessToken>), SignInError> {
        let deadline = Deadline::new(self.0.clock.clone(), time);
        let sign_in = self.0.tokens.fresh_within(identity, SIGN_IN_BUDGET);
        let Some(token) = deadline.unless_over(sign_in).await else {
            let text = "the sign-in service did not answer in time";
            return Err(SignInError::of(SignInErrorKind::Unreachable, FindingCode::SignInUnreachable, text));
        };
        let token = token?;
        let fixed = Some((token.clone(), deadline));
        Ok((Session::new(self, identity.clone(), CancellationToken::new(), fixed), token))
    }
}

/// The end of the time that all requests of an interactive session share.
struct Deadline {
    clock: Clock,
    start: Instant,
    total: Duration,
}

impl Deadline {
    fn new(clock: Clock, total: Duration) -> Self {
        let start = clock.instant();
        Self { clock, start, total }
    }

    fn remaining(&self) -> Duration {
        self.total.saturating_sub(self.clock.elapsed_since(self.start))
    }

    /// The outcome of `work`, if there is one in time. Once the time is over, `work` does not begin.
    async fn unless_over<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let remaining = self.remaining();
        if remaining.is_zero() {
            return None;
        }
        self.clock.within(remaining, work).await
    }
}

#[expect(clippy::expect_used, reason = "constants; a test parses each")]
fn origin_of(cloud: Cloud) -> Url {
    Url::parse(cloud.graph_host()).expect("the host of a cloud is a URL")
}

impl Session {
    fn new(
        client: &Client,
        identity: Identity,
        cancel: CancellationToken,
        fixed: Option<(Arc<AccessToken>, Deadline)>,
    ) -> Self {
        let origin = client.0.graph_url.clone().unwrap_or_else(|| origin_of(identity.cloud));
        Self(Arc::new(SessionInner {
            client: client.clone(),
            identity,
            fixed,
            cancel,
            origin,
            limiters: Default::default(),
            lanes: Default::default(),
            renewal: tokio::sync::Mutex::default(),
            counters: Counters::default(),
        }))
    }

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

    /// A link from Graph or from the database. It is an error if it points outside the Graph origin.
    pub fn link(&self, link: &str) -> Result<Url> {
        own_link(link, &self.0.origin)
    }

    /// The token of this session. Signs in if there is none.
    pub async fn token(&self) -> Result<Arc<AccessToken>> {
        match &self.0.fixed {
            Some((token, _)) => Ok(token.clone()),
            None => Ok(self.0.client.0.tokens.get(&self.0.identity).await?),
        }
    }

    /// The outcome of `work`, or [`GraphErrorKind::Cancelled`] when the session is cancelled or its time is over.
    pub(super) async fn unless_over<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let over = || GraphError::new(GraphErrorKind::Cancelled, "");
        let work = async {
            match &self.0.fixed {
                Some((_, deadline)) => deadline.unless_over(work).await.unwrap_or_else(|| Err(over())),
                None => work.await,
            }
        };
        tokio::select! {
            biased;
            () = self.0.cancel.cancelled() => Err(over()),
            outcome = work => outcome,
        }
    }

    /// How long failures of a request are waited out: what its options say, and no longer than the session lasts.
    pub(super) fn budget(&self, options: &RequestOptions) -> Duration {
        let most = self.0.fixed.as_ref().map_or(Duration::MAX, |(_, deadline)| deadline.remaining());
        options.budget.min(most)
    }

    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub fn cancel(&self) -> &CancellationToken {
        &self.0.cancel
    }

    pub fn usage(&self) -> Usage {
        let counters = &self.0.counters;
        let gauge = self.known_limiter(Service::Directory).map(|limiter| limiter.gauge());
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

    /// The ids of the objects in which characters were replaced, because they are no Unicode.
    pub fn replaced(&self) -> BTreeSet<String> {
        self.0.counters.replaced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note_replaced(&self, objects: Vec<String>) {
        if !objects.is_empty() {
            let mut replaced = self.0.counters.replaced.lock().unwrap_or_else(PoisonError::into_inner);
            replaced.extend(objects);
            while replaced.len() > MAX_REPLACED {
                replaced.pop_last();
            }
        }
    }

    pub(super) async fn limiter(&self, token: &AccessToken, service: Service) -> Arc<Limiter> {
        let identity = &self.0.identity;
        let tenant = token.claims.tid.as_deref().unwrap_or(&identity.tenant_id);
        let limiter = || async { self.0.client.limiter(identity.client_id, tenant, service) };
        self.0.limiters[service as usize].get_or_init(limiter).await.clone()
    }

    /// The limiter of a service that this session has asked before.
    pub(super) fn known_limiter(&self, service: Service) -> Option<&Arc<Limiter>> {
        self.0.limiters[service as usize].get()
    }

    /// The queue of this session's requests to a service: those to another do not wait behind them.
    pub(super) fn lane(&self, service: Service) -> &Lane {
        &self.0.lanes[service as usize]
    }

    /// A token other than the one that Graph rejected; `None` if there can be no other.
    pub(super) async fn renewed(&self, refused: &Arc<AccessToken>) -> Result<Option<Arc<AccessToken>>> {
        if self.0.fixed.is_some() {
            return Ok(None);
        }
        let tokens = &self.0.client.0.tokens;
        // One at a time, so that of many requests that were rejected at once only the first gets a new token.
        let _renewal = self.0.renewal.lock().await;
        let current = tokens.get(&self.0.identity).await?;
        if !Arc::ptr_eq(&current, refused) {
            return Ok(Some(current));
        }
        tokens.forget(&self.0.identity);
        Ok(Some(tokens.get(&self.0.identity).await?))
    }
}

/// A link that may be followed.
pub(super) fn own_link(link: &str, origin: &Url) -> Result<Url> {
    let url = Url::parse(link)
        .map_err(|error| GraphError::new(GraphErrorKind::Malformed, format!("a link is not a URL: {error}")))?;
    if same_origin(&url, origin) {
        return Ok(url);
    }
    let (found, own) = (url.origin().ascii_serialization(), origin.origin().ascii_serialization());
    Err(GraphError::new(GraphErrorKind::ForeignLink, format!("the link points to {found}, not to {own}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_has_a_graph_origin() {
        for cloud in Cloud::ALL {
            assert!(origin_of(cloud).as_str().starts_with("https://"));
        }
    }
}
