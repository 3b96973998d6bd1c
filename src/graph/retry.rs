//! One request and its repeats. Which failures are worth another try is decided here and nowhere else.
//!
//! Budgets are of time, not of attempts: what is repeated is 429, 500, 502, 503, 504, no answer and half an
//! answer; 401 once, with a new token; 400, 403, 404 never. Source: docs/graph.md, «Retries».

use super::error::{GraphError, Kind, Result};
use super::limiter::Permit;
use super::{Body, RequestOptions, Session, cost};
use crate::clock::{Clock, Instant};
use crate::http::{self, BodyError};
use crate::ids;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;
use url::Url;

/// No answer of Graph's comes near; what passes it is something else.
const BODY_MOST: usize = 64 << 20;
/// First wait when Graph does not say how long, doubled each time, with full jitter.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MOST: Duration = Duration::from_secs(60);
/// Jitter may come out as nothing; nobody asks again sooner than this.
const BACKOFF_LEAST: Duration = Duration::from_millis(50);
/// An answer that cannot be read may be an accident; more often than this it is a proxy.
const MALFORMED_MOST: u32 = 3;

/// What is sent.
pub(super) struct Request<'a> {
    pub url: &'a Url,
    pub options: &'a RequestOptions,
    /// A JSON body makes it a POST.
    pub body: Option<String>,
    /// What it costs; for a batch the kinds of its items.
    pub kinds: Vec<cost::Kind>,
}

impl<'a> Request<'a> {
    pub fn get(url: &'a Url, options: &'a RequestOptions) -> Self {
        Self { url, options, body: None, kinds: vec![options.cost.unwrap_or_else(|| cost::kind_of(url))] }
    }
}

/// What was read from a body, with what Graph charged if the body says so.
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

    /// How long to wait after one more failure; `None` when the budget would be over by then. What the
    /// server asks for is the least. From the second failure on our own backoff is the least too, because
    /// servers were seen to ask for one second every time.
    pub fn next_wait(&mut self, clock: &Clock, asked: Option<Duration>) -> Option<Duration> {
        let spent = clock.elapsed_since(*self.start.get_or_insert_with(|| clock.instant()));
        let backoff = clock.jitter((BACKOFF_FIRST * 2u32.saturating_pow(self.failures)).min(BACKOFF_MOST));
        let wait = match (asked, self.failures) {
            (Some(asked), 0) => asked,
            (asked, _) => backoff.max(BACKOFF_LEAST).max(asked.unwrap_or_default()),
        };
        self.failures += 1;
        (spent + wait <= self.budget).then_some(wait)
    }
}

/// What became of one attempt.
enum Attempt {
    Answer(Body, HeaderMap),
    /// No answer or half of one; Graph may have seen the request.
    Nothing(GraphError),
    /// An answer, or a request, that another attempt does not change.
    Final(GraphError),
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
    /// Sends a request until it is answered, refused for good, out of budget or cancelled. `read` turns the
    /// body into what is wanted; a body that it finds malformed is asked for again.
    pub(super) async fn exchange<T>(
        &self,
        request: &Request<'_>,
        read: impl Fn(Body) -> Result<Read<T>>,
    ) -> Result<Answered<T>> {
        let own_id = ids::new_v7(&self.0.client.0.clock).to_string();
        let outcome = tokio::select! {
            biased;
            () = self.0.cancel.cancelled() => Err(GraphError::new(Kind::Cancelled, "")),
            outcome = Box::pin(self.attempts(request, &own_id, read)) => outcome,
        };
        outcome.map_err(|error| error.at(request.url).of_request(Some(&own_id)))
    }

    async fn attempts<T>(
        &self,
        request: &Request<'_>,
        own_id: &str,
        read: impl Fn(Body) -> Result<Read<T>>,
    ) -> Result<Answered<T>> {
        let mut token = self.token().await?;
        let limiter = self.limiter(&token).await;
        let mut course = Course {
            patience: Patience::new(request.options.budget),
            is_renewed: false,
            was_retried: false,
            malformed: 0,
            gateway_timeouts: 0,
        };
        loop {
            let units = request.kinds.iter().map(|kind| limiter.units_of(*kind)).sum();
            let mut permit = limiter.acquire(&self.0.lane, units, request.options.goes_on).await;
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
                    let request_id = body.request_id.clone();
                    let read = read(body).map_err(|error| error.of_request(request_id.as_deref()));
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
                            // Nobody has to wait for this one's pause.
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
            // A token lives an hour, a budget with its waits may be longer.
            token = if course.is_renewed { token } else { self.token().await? };
        }
    }

    fn judge_body<T>(&self, read: Result<T>, course: &mut Course) -> Result<ControlFlow<T, Step>> {
        match read {
            Ok(value) => Ok(ControlFlow::Break(value)),
            Err(error) if matches!(error.kind, Kind::Malformed) && course.malformed < MALFORMED_MOST => {
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
            Kind::Throttled => {
                counters.throttled.fetch_add(1, Ordering::Relaxed);
                course.was_retried = true;
                let wait = course.patience.next_wait(&self.0.client.0.clock, asked);
                let Some(wait) = wait else {
                    let _ = permit.throttled(asked.unwrap_or(BACKOFF_FIRST), is_quota(headers));
                    return Err(error);
                };
                let longer = permit.throttled(wait, is_quota(headers));
                counters.throttled_ms.fetch_add(longer.as_millis() as u64, Ordering::Relaxed);
                tracing::debug!(path = %error.path, wait_ms = wait.as_millis() as u64, "Graph throttles");
                // The limiter holds everybody back, this request included.
                Ok(Step::Again)
            }
            Kind::Server | Kind::GatewayTimeout => {
                let is_timeout = matches!(error.kind, Kind::GatewayTimeout);
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

    /// Waits before another attempt, or gives up with the error of the last.
    fn wait_or(&self, error: GraphError, asked: Option<Duration>, course: &mut Course) -> Result<Step> {
        let Some(wait) = course.patience.next_wait(&self.0.client.0.clock, asked) else { return Err(error) };
        self.0.counters.failed.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(error = %error, wait_ms = wait.as_millis() as u64, "Graph failed; asking again");
        Ok(Step::Wait(wait))
    }

    pub(super) fn count_units(&self, units: f64) {
        self.0.counters.milli_units.fetch_add((units * 1000.0) as u64, Ordering::Relaxed);
    }

    async fn attempt(&self, request: &Request<'_>, token: &super::AccessToken, own_id: &str) -> Attempt {
        let client = &self.0.client.0;
        let headers = match headers(request, token, own_id) {
            Ok(headers) => headers,
            Err(error) => return Attempt::Final(error),
        };
        let builder = match &request.body {
            Some(body) => client.http.post(request.url.clone()).body(body.clone()),
            None => client.http.get(request.url.clone()),
        };
        let response = match builder.headers(headers).send().await {
            Ok(response) => response,
            Err(error) if error.is_builder() => {
                return Attempt::Final(GraphError::new(Kind::BadRequest, "the URL cannot be sent"));
            }
            Err(error) => return Attempt::Nothing(unreachable(&error)),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let request_id = headers.get("request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let bytes = match http::bounded_body(response, BODY_MOST).await {
            Ok(bytes) => bytes,
            Err(BodyError::Broken(_)) => {
                let mut error = GraphError::new(Kind::Unreachable, "the answer broke off");
                (error.status, error.request_id) = (Some(status), request_id);
                return Attempt::Nothing(error);
            }
            Err(error @ BodyError::TooLarge { .. }) => {
                return Attempt::Final(GraphError::new(Kind::Malformed, error.to_string()));
            }
        };
        metrics::counter!("entra_assets_graph_requests_total", "status" => status.to_string()).increment(1);
        self.0.counters.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        // Of an answer that is not text nothing is usable; JSON parsing then says where it is wrong.
        let mut text =
            String::from_utf8(bytes).unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into());
        let text = if text.starts_with('\u{feff}') { text.split_off('\u{feff}'.len_utf8()) } else { text };
        Attempt::Answer(Body { text, status, request_id, was_retried: false }, headers)
    }
}

const CLIENT_REQUEST_ID: reqwest::header::HeaderName = reqwest::header::HeaderName::from_static("client-request-id");
const THROTTLE_PRIORITY: reqwest::header::HeaderName =
    reqwest::header::HeaderName::from_static("x-ms-throttle-priority");
const CONSISTENCY_LEVEL: reqwest::header::HeaderName = reqwest::header::HeaderName::from_static("consistencylevel");

fn headers(request: &Request<'_>, token: &super::AccessToken, own_id: &str) -> Result<HeaderMap> {
    let unusable = |_| GraphError::new(Kind::Unauthorized, "the token has characters that no header may have");
    let bearer = format!("Bearer {}", token.secret.expose_secret());
    let mut bearer = HeaderValue::try_from(bearer).map_err(unusable)?;
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.extend(HeaderValue::try_from(own_id).ok().map(|id| (CLIENT_REQUEST_ID, id)));
    if request.options.low_priority {
        headers.insert(THROTTLE_PRIORITY, HeaderValue::from_static("Low"));
    }
    if request.options.advanced {
        headers.insert(CONSISTENCY_LEVEL, HeaderValue::from_static("eventual"));
    }
    if let Some(prefer) = request.options.prefer {
        headers.insert("prefer", HeaderValue::from_static(prefer));
    }
    if request.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(headers)
}

/// What Graph charged, if it said so.
pub(super) fn units_of(headers: &HeaderMap) -> Option<f64> {
    let units = headers.get("x-ms-resource-unit")?.to_str().ok()?.trim().parse::<f64>().ok()?;
    (units.is_finite() && (0.0..=1_000.0).contains(&units)).then_some(units)
}

/// Whether a 429 is about the bucket of resource units, rather than load of the servers.
fn is_quota(headers: &HeaderMap) -> bool {
    headers.get("x-ms-throttle-information").is_some_and(|reason| reason == "ResourceUnitLimitExceeded")
}

fn refusal(body: &Body, headers: &HeaderMap, url: &Url) -> GraphError {
    let location = headers.get("location").and_then(|location| location.to_str().ok());
    let location = location.and_then(|location| Url::parse(location).ok());
    GraphError::from_answer(body.status, body.request_id.clone(), location, body.text.as_bytes()).at(url)
}

/// A body that should be JSON of a known form and is not.
pub(super) fn malformed(is_html: bool, error: &serde_json::Error) -> GraphError {
    let message = if is_html {
        "the answer is an HTML page".to_owned()
    } else if error.is_eof() {
        "the answer ends in the middle".to_owned()
    } else {
        format!("the answer is not what Graph documents: {error}")
    };
    GraphError::new(Kind::Malformed, message)
}

/// What kept the request from being answered, without the URL and its tokens.
fn unreachable(error: &reqwest::Error) -> GraphError {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke off"
    };
    let mut causes = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes = cause.to_string();
        source = cause.source();
    }
    let message = if causes.is_empty() { what.to_owned() } else { format!("{what}: {causes}") };
    GraphError::new(Kind::Unreachable, message)
}
