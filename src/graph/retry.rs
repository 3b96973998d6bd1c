//! One request with its retries. Only this file decides which failures are retried.
//!
//! The limit is a time, not a number of attempts. Retried are 429, 500, 502, 503, 504, no response and half a response;
//! An error inside a response with a good status counts as one of 500. 401 is retried once, with a new token; 400, 403 and
//! 404 never. Source: docs/graph.md, «Retries».

use super::error::{GraphError, GraphErrorKind, Result};
use super::limiter::Permit;
use super::options::RequestOptions;
use super::request::{Attempt, Body, Request, refusal, units_of};
use super::session::Session;
use super::wire::first_json;
use crate::clock::{Clock, Instant};
use crate::{http, ids};
use reqwest::header::HeaderMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;
use url::Url;

/// First wait when Graph sends no `Retry-After`; doubled each time, with full jitter.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// The least wait, because jitter can be zero.
const MIN_BACKOFF: Duration = Duration::from_millis(50);
/// Retries after a response that cannot be read. After so many it is most likely a proxy's.
const MAX_MALFORMED: u32 = 3;

/// The value of a body, with the units that Graph charged if the body contains them.
pub(super) struct Read<T> {
    pub value: T,
    pub units: Option<f64>,
}

pub(super) struct Answered<T> {
    pub value: T,
    pub was_retried: bool,
    pub permit: Permit,
}

/// The failures of one request so far.
pub(super) struct Patience {
    start: Option<Instant>,
    failures: u32,
    budget: Duration,
}

impl Patience {
    pub fn new(budget: Duration) -> Self {
        Self { start: None, failures: 0, budget }
    }

    /// How long to wait after one more failure; `None` if the budget would be over by then. The wait is at least what the
    /// server asks for. From the second failure on it is at least the backoff too, because some servers ask for one
    /// second every time.
    pub fn next_wait(&mut self, clock: &Clock, asked: Option<Duration>) -> Option<Duration> {
        let spent = clock.elapsed_since(*self.start.get_or_insert_with(|| clock.instant()));
        let backoff = clock.jitter((FIRST_BACKOFF * 2u32.saturating_pow(self.failures)).min(MAX_BACKOFF));
        let wait = match (asked, self.failures) {
            (Some(asked), 0) => asked,
            (asked, _) => backoff.max(MIN_BACKOFF).max(asked.unwrap_or_default()),
        };
        self.failures += 1;
        (spent + wait <= self.budget).then_some(wait)
    }
}

/// The state of one request over its attempts.
struct Course {
    patience: Patience,
    is_renewed: bool,
    was_retried: bool,
    malformed: u32,
    gateway_timeouts: u32,
}

/// What to do after an attempt.
enum Step {
    Again,
    Wait(Duration),
}

impl Session {
    pub async fn get(&self, url: &Url, options: &RequestOptions) -> Result<Body> {
        self.get_held(url, options).await.map(|(body, _)| body)
    }

    /// The same with its place among the requests in flight. The caller drops it when what it says is stored, and sends no
    /// other request until then, because this could be the last place.
    pub async fn get_held(&self, url: &Url, options: &RequestOptions) -> Result<(Body, Permit)> {
        let request = Request::get(url, options);
        let answered = self.exchange(&request, |body| Ok(Read { value: body, units: None })).await?;
        Ok((Body { was_retried: answered.was_retried, ..answered.value }, answered.permit))
    }

    /// How many objects `path` has (`users`, `groups/{id}/members`), with an optional filter; `None` when
    /// the server does not count them.
    pub async fn count(&self, path: &str, filter: Option<&str>) -> Result<Option<u64>> {
        self.count_with(path, filter, &RequestOptions::advanced()).await
    }

    /// As [`Session::count`], with other options, which must be advanced.
    pub async fn count_with(&self, path: &str, filter: Option<&str>, options: &RequestOptions) -> Result<Option<u64>> {
        self.count_held(path, filter, options).await.map(|(count, _)| count)
    }

    /// The same with its place among the requests in flight, see [`Session::get_held`].
    pub async fn count_held(
        &self,
        path: &str,
        filter: Option<&str>,
        options: &RequestOptions,
    ) -> Result<(Option<u64>, Option<Permit>)> {
        let query = filter.map(|filter| format!("?$filter={}", urlencoding::encode(filter))).unwrap_or_default();
        let url = self.url(&format!("{}/$count{query}", path.trim_end_matches('/')));
        match self.get_held(&url, options).await {
            // Some servers send a byte order mark first.
            Ok((body, permit)) => Ok((first_json(body.text.trim_start_matches('\u{feff}').trim()).ok(), Some(permit))),
            Err(error) if error.refuses_optional() => Ok((None, None)),
            Err(error) => Err(error),
        }
    }

    /// Sends a request until it succeeds, fails for good, runs out of budget or is cancelled. `read` parses the body; a
    /// malformed body is requested again.
    pub(super) async fn exchange<T>(
        &self,
        request: &Request<'_>,
        read: impl Fn(Body) -> Result<Read<T>>,
    ) -> Result<Answered<T>> {
        let own_id = ids::new_v7(&self.0.client.0.clock).to_string();
        let outcome = self.unless_over(Box::pin(self.attempts(request, &own_id, read))).await;
        outcome.map_err(|error| error.at(request.url).of_request(Some(&own_id)))
    }

    async fn attempts<T>(
        &self,
        request: &Request<'_>,
        own_id: &str,
        read: impl Fn(Body) -> Result<Read<T>>,
    ) -> Result<Answered<T>> {
        let mut token = self.token().await?;
        let limiter = self.limiter(&token, request.service).await;
        let mut course = Course {
            patience: Patience::new(self.budget(request.options)),
            is_renewed: false,
            was_retried: false,
            malformed: 0,
            gateway_timeouts: 0,
        };
        loop {
            let units = request.kinds.iter().map(|kind| limiter.units_of(*kind)).sum();
            let mut permit = limiter.acquire(self.lane(request.service), units, request.options.goes_on).await;
            self.0.counters.requests.fetch_add(1, Ordering::Relaxed);
            let step = match self.attempt(request, &token, own_id).await {
                Attempt::Answer(body, headers) if body.status == 401 => {
                    permit.answered(Some(0.0));
                    let refusal = refusal(&body, &headers, request.url);
                    match if course.is_renewed { None } else { self.renewed(&token).await? } {
                        Some(renewed) => token = renewed,
                        None => return Err(refusal),
                    }
                    course.is_renewed = true;
                    Step::Again
                }
                Attempt::Answer(body, headers) if (200..300).contains(&body.status) => {
                    let read = read_good(request, body, &read);
                    let units = read.as_ref().ok().and_then(|read| read.units).or_else(|| units_of(&headers));
                    self.count_units(permit.answered(units));
                    if let ([kind], Some(units)) = (request.kinds.as_slice(), units) {
                        limiter.learn(*kind, units);
                    }
                    match self.judge_body(read.map(|read| read.value), &mut course)? {
                        ControlFlow::Break(value) => {
                            return Ok(Answered { value, was_retried: course.was_retried, permit });
                        }
                        ControlFlow::Continue(step) => {
                            // Other requests do not have to wait for this pause.
                            drop(permit);
                            step
                        }
                    }
                }
                Attempt::Answer(body, headers) => {
                    self.judge_refusal(refusal(&body, &headers, request.url), &headers, permit, &mut course, request)?
                }
                Attempt::Nothing(error) => {
                    let _ = permit.failed(None);
                    course.was_retried = true;
                    self.wait_or(error, None, &mut course)?
                }
                Attempt::Final(error) => return Err(error),
            };
            match step {
                Step::Again => {}
                Step::Wait(wait) => self.0.client.0.clock.sleep(wait).await,
            }
            // A token lives for an hour; a budget with its waits can be longer.
            token = if course.is_renewed { token } else { self.token().await? };
        }
    }

    fn judge_body<T>(&self, read: Result<T>, course: &mut Course) -> Result<ControlFlow<T, Step>> {
        match read {
            Ok(value) => Ok(ControlFlow::Break(value)),
            Err(error) if matches!(error.kind, GraphErrorKind::Server) => {
                course.was_retried = true;
                self.wait_or(error, None, course).map(ControlFlow::Continue)
            }
            Err(error) if matches!(error.kind, GraphErrorKind::Malformed) && course.malformed < MAX_MALFORMED => {
                course.malformed += 1;
                course.was_retried = true;
                self.wait_or(error, None, course).map(ControlFlow::Continue)
            }
            Err(error) => Err(error),
        }
    }

    fn judge_refusal(
        &self,
        error: GraphError,
        headers: &HeaderMap,
        mut permit: Permit,
        course: &mut Course,
        request: &Request<'_>,
    ) -> Result<Step> {
        let counters = &self.0.counters;
        let asked = http::retry_after(headers, self.0.client.0.clock.now());
        self.count_units(units_of(headers).unwrap_or(0.0));
        match error.kind {
            GraphErrorKind::Throttled => {
                counters.throttled.fetch_add(1, Ordering::Relaxed);
                course.was_retried = true;
                let wait = course.patience.next_wait(&self.0.client.0.clock, asked);
                let Some(wait) = wait else {
                    let _ = permit.throttled(asked.unwrap_or(FIRST_BACKOFF), is_quota(headers));
                    return Err(error);
                };
                let longer = permit.throttled(wait, is_quota(headers));
                counters.throttled_ms.fetch_add(longer.as_millis() as u64, Ordering::Relaxed);
                tracing::debug!(path = %error.path, wait_ms = wait.as_millis() as u64, "throttled by Graph");
                // The limiter pauses all requests, this one too.
                Ok(Step::Again)
            }
            GraphErrorKind::Server | GraphErrorKind::GatewayTimeout => {
                let is_timeout = matches!(error.kind, GraphErrorKind::GatewayTimeout);
                let longer = permit.failed(asked);
                counters.throttled_ms.fetch_add(longer.as_millis() as u64, Ordering::Relaxed);
                course.was_retried = true;
                course.gateway_timeouts += u32::from(is_timeout);
                if is_timeout && request.options.gateway_timeouts.is_some_and(|most| course.gateway_timeouts > most) {
                    return Err(error);
                }
                if !matches!(error.status, Some(500 | 502 | 503 | 504 | 509)) {
                    return Err(error);
                }
                self.wait_or(error, asked, course)
            }
            _ => {
                permit.answered(Some(units_of(headers).unwrap_or(0.0)));
                Err(error)
            }
        }
    }

    /// The wait before another attempt; the error of the last one if the budget is over.
    fn wait_or(&self, error: GraphError, asked: Option<Duration>, course: &mut Course) -> Result<Step> {
        let Some(wait) = course.patience.next_wait(&self.0.client.0.clock, asked) else { return Err(error) };
        self.0.counters.failed.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(error = %error, wait_ms = wait.as_millis() as u64, "request to Graph failed; retrying");
        Ok(Step::Wait(wait))
    }

    pub(super) fn count_units(&self, units: f64) {
        self.0.counters.milli_units.fetch_add((units * 1000.0) as u64, Ordering::Relaxed);
    }
}

/// Reads the body of a response with a good status, unless Graph wrote an error into it. The items of a batch have errors
/// of their own, which are looked at one by one.
fn read_good<T>(request: &Request<'_>, body: Body, read: impl Fn(Body) -> Result<Read<T>>) -> Result<Read<T>> {
    let (status, request_id, is_html) = (body.status, body.request_id.clone(), body.is_html());
    let inside = if request.body.is_some() { None } else { GraphError::inside(status, &body.text) };
    let outcome = match inside {
        Some(error) => Err(error),
        None => read(body),
    };
    outcome.map_err(|error| {
        // What has a request id and is no HTML comes from Graph, not from a proxy.
        let is_graphs = request_id.is_some() && !is_html;
        let status = error.status.or(is_graphs.then_some(status));
        GraphError { status, ..error }.of_request(request_id.as_deref())
    })
}

/// Whether a 429 is about the quota of resource units, rather than the load of the servers.
fn is_quota(headers: &HeaderMap) -> bool {
    headers.get("x-ms-throttle-information").is_some_and(|reason| reason == "ResourceUnitLimitExceeded")
}
