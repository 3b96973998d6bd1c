//! One call of Graph, and what is sent back.

use super::answer::Answer;
use super::fault::Sending;
use std::time::Duration;

/// One call of Graph, by HTTP or within a batch.
pub struct Call<'a> {
    pub method: &'a str,
    /// With the version: `/v1.0/users`.
    pub path: &'a str,
    pub query: &'a str,
    pub body: &'a [u8],
    pub origin: &'a str,
    pub in_batch: bool,
    /// `ConsistencyLevel` as it came.
    pub eventual: Option<&'a str>,
    pub prefer: &'a str,
    pub priority: Option<&'a str>,
    pub client_request_id: Option<&'a str>,
}

pub struct Reply {
    pub answer: Answer,
    pub sending: Sending,
    pub delay: Duration,
}
