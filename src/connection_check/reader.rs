//! Single requests to Graph for a check: no paging, no limiter, at most one repetition, a common deadline.

use crate::clock::{Clock, Instant};
use crate::config::HostSettings;
use crate::graph::cloud::Cloud;
use crate::http;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// The longest answer that is read, in bytes.
const ANSWER_MOST_BYTES: usize = 4 * 1024 * 1024;
/// One request: Graph answers a page of one within a second or two.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);
/// Longer than this a check does not wait before it repeats.
const WAIT_MOST: Duration = Duration::from_secs(3);

/// The end of the time that everything shares.
pub struct Deadline {
    clock: Clock,
    start: Instant,
    total: Duration,
}

impl Deadline {
    pub fn new(clock: Clock, total: Duration) -> Self {
        let start = clock.instant();
        Self { clock, start, total }
    }

    pub fn remaining(&self) -> Duration {
        self.total.saturating_sub(self.clock.elapsed_since(self.start))
    }
}

/// What became of one request.
#[derive(Clone, Debug)]
pub enum Answer {
    Ok {
        body: Value,
        request_id: Option<String>,
    },
    /// Graph answered with an error; its words are kept.
    Error {
        status: u16,
        code: String,
        message: String,
        request_id: Option<String>,
    },
    /// No answer that could be read.
    None {
        why: String,
    },
    /// The deadline came first.
    OutOfTime,
}

impl Answer {
    /// The list in an answer, empty if there is none.
    pub fn items(&self) -> &[Value] {
        match self {
            Self::Ok { body, .. } => body.get("value").and_then(Value::as_array).map_or(&[], Vec::as_slice),
            Self::Error { .. } | Self::None { .. } | Self::OutOfTime => &[],
        }
    }

    pub fn is_out_of_time(&self) -> bool {
        matches!(self, Self::OutOfTime)
    }
}

/// Sends the requests of one check.
pub struct Reader<'a> {
    client: &'a reqwest::Client,
    base: String,
    token: &'a str,
    deadline: &'a Deadline,
}

impl<'a> Reader<'a> {
    pub fn new(
        client: &'a reqwest::Client,
        hosts: &HostSettings,
        cloud: Cloud,
        token: &'a str,
        deadline: &'a Deadline,
    ) -> Self {
        let origin = hosts.graph_url.as_ref().map_or(cloud.graph_host(), |url| url.as_str().trim_end_matches('/'));
        Self { client, base: format!("{origin}/v1.0"), token, deadline }
    }

    /// GET of a path below `/v1.0`, with its query.
    pub async fn get(&self, path: &str) -> Answer {
        let (answer, wait) = self.once(path).await;
        match (&answer, wait) {
            (Answer::Error { status: 429 | 502 | 503 | 504, .. } | Answer::None { .. }, wait)
                if wait < WAIT_MOST && wait < self.deadline.remaining() =>
            {
                self.deadline.clock.sleep(wait).await;
                self.once(path).await.0
            }
            _ => answer,
        }
    }

    /// One request, and how long to wait before another.
    async fn once(&self, path: &str) -> (Answer, Duration) {
        let wait = Duration::from_millis(500);
        let remaining = self.deadline.remaining();
        if remaining.is_zero() {
            return (Answer::OutOfTime, wait);
        }
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(self.token);
        let response = match request.timeout(REQUEST_TIMEOUT.min(remaining)).send().await {
            Ok(response) => response,
            Err(error) => return (self.no_answer(&error), wait),
        };
        let status = response.status().as_u16();
        let wait = http::retry_after(response.headers(), self.deadline.clock.now()).unwrap_or(wait);
        let request_id = request_id(response.headers());
        let body = match http::bounded_body(response, ANSWER_MOST_BYTES).await {
            Ok(body) => body,
            Err(http::BodyError::Broken(error)) => return (self.no_answer(&error), wait),
            Err(error @ http::BodyError::TooLarge { .. }) => return (Answer::None { why: error.to_string() }, wait),
        };
        let body = serde_json::from_slice::<Value>(&body);
        let answer = match (status, body) {
            (200, Ok(body)) => Answer::Ok { body, request_id },
            (200, Err(_)) => Answer::None { why: "the answer is not JSON".to_owned() },
            (status, body) => error(status, &body.unwrap_or_default(), request_id),
        };
        (answer, wait)
    }

    fn no_answer(&self, error: &reqwest::Error) -> Answer {
        if self.deadline.remaining().is_zero() || error.is_timeout() {
            return Answer::OutOfTime;
        }
        let why = if error.is_connect() {
            "no connection to Microsoft Graph"
        } else {
            "the request to Microsoft Graph broke off"
        };
        Answer::None { why: why.to_owned() }
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get("request-id").and_then(|id| id.to_str().ok()).map(str::to_owned)
}

fn error(status: u16, body: &Value, request_id: Option<String>) -> Answer {
    let text =
        |name: &str| body.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default().to_owned();
    let in_body = body.pointer("/error/innerError/request-id").and_then(Value::as_str).map(str::to_owned);
    Answer::Error { status, code: text("code"), message: text("message"), request_id: request_id.or(in_body) }
}
