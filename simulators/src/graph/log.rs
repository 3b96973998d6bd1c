//! What was asked of the simulator: counters without limit, and the last requests one by one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Older requests are counted, but no longer listed.
const MAX_KEPT: usize = 100_000;

/// One request, or one item of a batch.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    pub at: DateTime<Utc>,
    pub method: String,
    pub path: String,
    /// As it came.
    pub query: String,
    pub status: u16,
    pub units: u32,
    pub in_batch: bool,
    /// `x-ms-throttle-priority`, `ConsistencyLevel` as they came.
    pub priority: Option<String>,
    pub consistency: Option<String>,
    pub request_id: String,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// HTTP requests to Graph; a batch is one.
    pub requests: u64,
    /// Items inside batches.
    pub batch_items: u64,
    pub token_requests: u64,
    /// Units of requests that were not throttled.
    pub units: u64,
    pub throttled: u64,
    /// Body bytes before compression.
    pub bytes: u64,
    /// By method and path, ids replaced by `{id}`.
    pub by_path: BTreeMap<String, u64>,
    pub by_status: BTreeMap<u16, u64>,
}

#[derive(Default)]
struct Inner {
    counters: Counters,
    last: VecDeque<RequestRecord>,
}

#[derive(Default)]
pub struct Log(Mutex<Inner>);

impl Log {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, record: RequestRecord, bytes: usize) {
        let mut inner = self.lock();
        let counters = &mut inner.counters;
        if record.in_batch {
            counters.batch_items += 1;
        } else if record.path.contains("/oauth2/") {
            counters.token_requests += 1;
        } else {
            counters.requests += 1;
            counters.bytes += bytes as u64;
        }
        if record.status == 429 {
            counters.throttled += 1;
        } else {
            counters.units += u64::from(record.units);
        }
        *counters.by_path.entry(pattern(&record.method, &record.path)).or_default() += 1;
        *counters.by_status.entry(record.status).or_default() += 1;
        if inner.last.len() == MAX_KEPT {
            inner.last.pop_front();
        }
        inner.last.push_back(record);
    }

    pub fn counters(&self) -> Counters {
        self.lock().counters.clone()
    }

    /// The last `most` requests, oldest first.
    pub fn last(&self, most: usize) -> Vec<RequestRecord> {
        let inner = self.lock();
        inner.last.iter().skip(inner.last.len().saturating_sub(most)).cloned().collect()
    }

    pub fn reset(&self) {
        *self.lock() = Inner::default();
    }
}

fn pattern(method: &str, path: &str) -> String {
    let parts: Vec<&str> =
        path.split('/').map(|part| if uuid::Uuid::parse_str(part).is_ok() { "{id}" } else { part }).collect();
    format!("{method} {}", parts.join("/"))
}
