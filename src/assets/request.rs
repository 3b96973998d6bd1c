//! One request with its retries, as long as they are safe and the retry time lasts.

use super::client::{Client, Target};
use super::error::{AssetsError, AssetsErrorKind, Result};
use crate::clock::Instant;
use crate::http::{bounded_body, cause, retry_after};
use crate::trace;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use tracing::Instrument as _;
use url::Url;

/// The longest response that is read. The longest of Assets is the schema with its icons.
const MAX_BODY_BYTES: usize = 32 << 20;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(30);
/// The least timeout of an attempt, even if less retry time is left.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// Whether a request with unknown outcome may be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Executing it twice has the same effect as once.
    Safe,
    /// Only if it was certainly not executed: never sent, or answered 429.
    OnlyIfNotDone,
}

pub(super) enum Credential<'a> {
    Bearer(&'a SecretString),
    Basic { email: &'a str, token: &'a SecretString },
}

impl Credential<'_> {
    /// The text of a response that may repeat the credential.
    fn removed_from(&self, body: &[u8]) -> String {
        let (Self::Bearer(token) | Self::Basic { token, .. }) = self;
        String::from_utf8_lossy(body).replace(token.expose_secret(), "…")
    }
}

impl<'a> From<&'a Target> for Credential<'a> {
    fn from(target: &'a Target) -> Self {
        Self::Bearer(target.token())
    }
}

pub(super) struct Request<'a> {
    /// For errors and logs: `POST executions`.
    pub action: &'static str,
    pub method: Method,
    pub url: Url,
    pub credential: Credential<'a>,
    /// JSON.
    pub body: Option<Bytes>,
    pub repeat: Repeat,
}

pub(super) struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
    /// Earlier attempts that may have been executed too.
    pub repeats: u64,
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| AssetsError::unreadable(&error, &self.body))
    }
}

/// The outcome of one attempt.
enum Attempt {
    Answered(Answer),
    Failed { error: AssetsError, is_passing: bool, may_be_done: bool, wait: Option<Duration> },
}

impl Client {
    /// Sends until there is a response with status 2xx or 3xx, or an error that is not temporary.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer> {
        let start = self.clock.instant();
        let mut repeats = 0;
        let mut wait = FIRST_WAIT;
        loop {
            let attempt = match request.repeat {
                Repeat::Safe => tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => return Err(cancelled(request)),
                    attempt = self.attempt(request, start) => attempt,
                },
                Repeat::OnlyIfNotDone if self.cancel.is_cancelled() => return Err(cancelled(request)),
                Repeat::OnlyIfNotDone => self.attempt(request, start).await,
            };
            let (error, is_passing, may_be_done, asked) = match attempt {
                Attempt::Answered(answer) => return Ok(Answer { repeats, ..answer }),
                Attempt::Failed { error, is_passing, may_be_done, wait } => (error, is_passing, may_be_done, wait),
            };
            if may_be_done && request.repeat == Repeat::OnlyIfNotDone {
                let message = format!("{error}");
                return Err(
                    AssetsError { kind: AssetsErrorKind::OutcomeUnknown, message, ..error }.during(request.action)
                );
            }
            let pause = asked.unwrap_or(wait) + self.clock.jitter(wait / 4);
            if !is_passing || self.clock.elapsed_since(start) + pause > self.patience {
                return Err(error.during(request.action));
            }
            tracing::debug!(action = request.action, pause_ms = pause.as_millis() as u64, error = %error, "request to Assets failed; retrying");
            repeats += u64::from(may_be_done);
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(cancelled(request)),
                () = self.clock.sleep(pause) => {}
            }
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    async fn attempt(&self, request: &Request<'_>, start: Instant) -> Attempt {
        let traced = trace::request("assets", request.method.as_str(), &request.url, || request.action.to_owned());
        let attempt = self.send_once(request, start).instrument(traced.clone()).await;
        let status = match &attempt {
            Attempt::Answered(answer) => Some(answer.status),
            Attempt::Failed { error, .. } => error.status,
        };
        trace::note_answer(&traced, status);
        attempt
    }

    async fn send_once(&self, request: &Request<'_>, start: Instant) -> Attempt {
        let left = self.patience.saturating_sub(self.clock.elapsed_since(start));
        let mut builder = self
            .http
            .request(request.method.clone(), request.url.clone())
            .header(reqwest::header::ACCEPT, "application/json")
            .timeout(left.clamp(MIN_TIMEOUT, MAX_TIMEOUT));
        builder = match &request.credential {
            Credential::Bearer(token) => builder.bearer_auth(token.expose_secret()),
            Credential::Basic { email, token } => builder.basic_auth(email, Some(token.expose_secret())),
        };
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = match builder.send().await {
            Ok(response) => response,
            Err(error) => {
                // Without the URL: the cause is more useful to the reader.
                let may_be_done = !error.is_connect();
                let error = AssetsError::new(AssetsErrorKind::Unreachable, cause(&error.without_url()));
                return Attempt::Failed { error, is_passing: true, may_be_done, wait: None };
            }
        };
        let status = response.status();
        let headers = response.headers().clone();
        let wait = asked_wait(&headers, self.clock.now());
        let request_id = request_id(&headers);
        let is_success = status.is_success() || status.is_redirection();
        let body = match bounded_body(response, MAX_BODY_BYTES).await {
            Ok(body) => body,
            Err(error) => {
                let error = AssetsError::new(AssetsErrorKind::Unreachable, error.to_string());
                let error = AssetsError { status: Some(status.as_u16()), request_id, ..error };
                return Attempt::Failed { error, is_passing: true, may_be_done: true, wait: None };
            }
        };
        if is_success {
            let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
            return Attempt::Answered(Answer { status: status.as_u16(), location, body, repeats: 0 });
        }
        let body = request.credential.removed_from(&body);
        let error = AssetsError::from_answer(status.as_u16(), body.as_bytes(), request_id);
        let may_be_done = status.is_server_error() || status.as_u16() == 408;
        let is_passing = may_be_done || error.kind == AssetsErrorKind::Throttled;
        // 501 does not change when retried.
        Attempt::Failed { error, is_passing: is_passing && status.as_u16() != 501, may_be_done, wait }
    }

    /// GET of JSON.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        action: &'static str,
        credential: Credential<'_>,
        url: Url,
    ) -> Result<T> {
        let request = Request { action, method: Method::GET, url, credential, body: None, repeat: Repeat::Safe };
        self.send(&request).await?.json().map_err(|error| error.during(action))
    }
}

pub(super) fn json_body(value: &Value) -> Option<Bytes> {
    Some(Bytes::from(value.to_string()))
}

fn cancelled(request: &Request<'_>) -> AssetsError {
    AssetsError::new(AssetsErrorKind::Cancelled, "").during(request.action)
}

/// `Retry-After`, else `X-RateLimit-Reset` as Atlassian's other products send it: a point in time.
fn asked_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    retry_after(headers, now).or_else(|| {
        let reset = headers.get("x-ratelimit-reset")?.to_str().ok()?;
        let at = DateTime::parse_from_rfc3339(reset).ok()?.with_timezone(&Utc);
        Some((at - now).to_std().unwrap_or_default())
    })
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let found = ["atl-traceid", "x-request-id", "x-arequestid"].iter().find_map(|name| headers.get(*name))?;
    found.to_str().ok().map(|text| text.chars().take(100).collect())
}
