//! What is left of a limit, for the answer to a request.

use crate::error::{Code, Error};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Whose limit it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    Caller,
    Organization,
    Address,
}

/// What is left of a limit after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    pub of: Of,
    pub limit: u32,
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset: Duration,
    /// Set if the request exceeds the limit: when the next one is allowed.
    pub retry_after: Option<Duration>,
}

impl Quota {
    /// The refusal, if the request exceeds the limit.
    pub fn refusal(&self) -> Option<Error> {
        let retry_after = self.retry_after?;
        let whose = match self.of {
            Of::Caller => "this key",
            Of::Organization => "all keys and tokens of this organization together",
            Of::Address => "an address without a valid key",
        };
        let wait = seconds(retry_after);
        let detail =
            format!("The limit of {whose} is {} requests a minute to this process. Wait {wait} s.", self.limit);
        Some(Error::new(Code::RateLimited, detail).with_retry_after(Duration::from_secs(wait)))
    }

    pub fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(seconds(self.reset)));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
    }
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs_f64().ceil() as u64
}
