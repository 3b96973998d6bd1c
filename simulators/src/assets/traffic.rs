//! What came in, and what was made to go wrong.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// Requests and chunks beyond this push out the oldest.
const MAX_LOG: usize = 200_000;

/// Makes requests go wrong. The first of the faults that matches a request applies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssetsFault {
    /// `None`: any method.
    #[serde(default)]
    pub method: Option<String>,
    /// The path contains this; empty: any path.
    #[serde(default)]
    pub path: String,
    /// How many matching requests pass before the first that goes wrong.
    #[serde(default)]
    pub after: u32,
    /// How many matching requests go wrong.
    #[serde(default = "once")]
    pub times: u32,
    /// Whether the request does its work although its answer is lost or wrong.
    #[serde(default)]
    pub applied: bool,
    pub action: FaultAction,
}

fn once() -> u32 {
    1
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultAction {
    /// The connection ends without an answer.
    Cut,
    Answer {
        status: u16,
        #[serde(default)]
        body: String,
        #[serde(default)]
        retry_after: Option<String>,
    },
}

impl AssetsFault {
    /// The first matching request loses its connection before it does anything.
    pub fn cut(method: &str, path: &str) -> Self {
        let (method, path) = (Some(method.to_owned()), path.to_owned());
        Self { method, path, after: 0, times: 1, applied: false, action: FaultAction::Cut }
    }

    /// The first matching request is answered so, and does nothing.
    pub fn answer(method: &str, path: &str, status: u16, body: &str) -> Self {
        let action = FaultAction::Answer { status, body: body.to_owned(), retry_after: None };
        Self { action, ..Self::cut(method, path) }
    }

    /// The request does its work all the same.
    pub fn applied(mut self) -> Self {
        self.applied = true;
        self
    }

    /// So many matching requests pass first.
    pub fn after(mut self, after: u32) -> Self {
        self.after = after;
        self
    }

    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    pub fn retry_after(mut self, text: &str) -> Self {
        if let FaultAction::Answer { retry_after, .. } = &mut self.action {
            *retry_after = Some(text.to_owned());
        }
        self
    }
}

/// One request, in the order of arrival.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetsRequest {
    pub at: DateTime<Utc>,
    pub method: String,
    /// With the query.
    pub path: String,
    /// `container`, `basic`, `forge` or `nobody`.
    pub caller: &'static str,
    pub bytes: usize,
    /// 0: the connection was cut.
    pub status: u16,
    /// A fault decided the answer.
    pub faulty: bool,
}

/// One data chunk that was taken.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetsChunk {
    pub execution_id: Uuid,
    pub client_generated_id: Option<String>,
    pub bytes: usize,
    /// Entries by the name of their object type.
    pub entries: BTreeMap<String, usize>,
    pub completed: bool,
    /// Its `clientGeneratedId` had come before in this execution.
    pub repeated: bool,
}

#[derive(Default)]
pub(super) struct Traffic {
    pub(super) faults: Vec<AssetsFault>,
    pub(super) requests: VecDeque<AssetsRequest>,
    pub(super) chunks: VecDeque<AssetsChunk>,
    /// The minute of the object API's limit, and the calls in it.
    minute: Minute,
    /// The same of Jira's own interface.
    jira_minute: Minute,
}

type Minute = Option<(DateTime<Utc>, u32)>;

/// Counts a call; when the minute is used up, the seconds until the next one.
fn count_call(minute: &mut Minute, per_minute: Option<u32>, now: DateTime<Utc>) -> Result<(), i64> {
    let Some(most) = per_minute else { return Ok(()) };
    let (start, calls) = minute.filter(|(start, _)| (now - *start).num_seconds() < 60).unwrap_or((now, 0));
    if calls >= most {
        return Err((60 - (now - start).num_seconds()).max(1));
    }
    *minute = Some((start, calls + 1));
    Ok(())
}

impl Traffic {
    /// The fault for this request, which uses it up by one.
    pub(super) fn fault(&mut self, method: &str, path: &str) -> Option<AssetsFault> {
        let matching = |fault: &&mut AssetsFault| {
            fault.times > 0
                && fault.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && path.contains(&fault.path)
        };
        for fault in self.faults.iter_mut().filter(matching) {
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.clone());
        }
        None
    }

    pub(super) fn log_request(&mut self, request: AssetsRequest) {
        push(&mut self.requests, request);
    }

    pub(super) fn log_chunk(&mut self, chunk: AssetsChunk) {
        push(&mut self.chunks, chunk);
    }

    /// Counts a call to the object API.
    pub(super) fn object_call(&mut self, per_minute: Option<u32>, now: DateTime<Utc>) -> Result<(), i64> {
        count_call(&mut self.minute, per_minute, now)
    }

    /// Counts a call to Jira's own interface.
    pub(super) fn jira_call(&mut self, per_minute: Option<u32>, now: DateTime<Utc>) -> Result<(), i64> {
        count_call(&mut self.jira_minute, per_minute, now)
    }
}

fn push<T>(log: &mut VecDeque<T>, item: T) {
    if log.len() >= MAX_LOG {
        log.pop_front();
    }
    log.push_back(item);
}
