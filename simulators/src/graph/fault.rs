//! Faults on demand: what a test, or a person through `POST /_sim/faults`, wants to go wrong, and when.

use super::answer::{Answer, Problem};
use super::query;
use super::quota::http_date;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// When, and what.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// `None`: any method.
    #[serde(default)]
    pub method: Option<String>,
    /// The start of the path: `/v1.0/users`, `/v1.0/groups/`, `/`. Token requests are `/{tenant}/oauth2/v2.0/token`.
    pub path: String,
    /// The path must be equal, not only begin so.
    #[serde(default)]
    pub exact: bool,
    /// Text that path and query, decoded, must contain: `/members`, `$skiptoken`.
    #[serde(default)]
    pub contains: Option<String>,
    /// Another such text.
    #[serde(default)]
    pub contains_too: Option<String>,
    /// The first matching request that it hits, from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many in a row; 0: every one from then on.
    #[serde(default = "one")]
    pub times: u32,
    pub action: Action,
}

fn one() -> u32 {
    1
}

/// What goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// A Graph error instead of the answer. `retry_after`: the header as it stands, or `date+5` for an HTTP date.
    Status {
        status: u16,
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// A proxy's page.
    Html {
        status: u16,
    },
    /// 200, and the JSON ends in the middle, the length being right.
    HalfPage,
    /// The connection breaks in the middle of the body.
    Cut,
    /// The next link is the link of this very page.
    EndlessNextLink,
    /// The next link leads to another host.
    ForeignNextLink {
        origin: String,
    },
    /// One item a page, and so many pages that follow each other in a circle.
    LinkCircle {
        pages: u32,
    },
    /// 302 to another place.
    Redirect {
        location: String,
    },
    /// 200 with gzip that ends in the middle.
    HalfGzip,
    /// 200 with a body of so many megabytes that never becomes a page.
    Flood {
        megabytes: u32,
    },
    /// The body comes byte by byte, this long apart.
    Drip {
        millis: u64,
    },
    /// No items, and a next link to this very page, once: reading goes on.
    EmptyPage,
    ExpiredPageToken,
    PageTokenNotFound,
    /// The last row of the page before comes again.
    DuplicateRow,
    /// The page leaves out this object, as when it moved to a page that was given before.
    MissingRow {
        id: Uuid,
    },
    /// The page has one more row.
    ExtraRow {
        row: Value,
    },
    /// The bytes of the body, the first place of `find` replaced: for bodies that are no JSON.
    Replace {
        find: String,
        with: String,
    },
    /// Text behind the body.
    Append {
        text: String,
    },
    /// Every row of the page has these values.
    EveryRow {
        set: serde_json::Map<String, Value>,
    },
    /// The page is empty, and the last.
    NoRows,
    Slow {
        millis: u64,
    },
    /// 410 with a `Location` whose delta token is empty.
    Resync,
    /// 400 `syncStateNotFound`.
    SyncStateNotFound,
    /// A valid token is refused.
    TokenRefused,
}

struct Armed {
    fault: Fault,
    seen: u32,
    /// Of which path, and the row.
    last_row: Option<(String, Value)>,
}

#[derive(Default)]
pub struct Faults(Mutex<Vec<Armed>>);

/// A fault that hit a request.
#[derive(Clone, Debug)]
pub struct Hit {
    pub action: Action,
    /// For [`Action::DuplicateRow`].
    pub last_row: Option<Value>,
}

impl Faults {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, fault: Fault) {
        self.lock().push(Armed { fault, seen: 0, last_row: None });
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The faults that hit this request.
    pub fn hits(&self, method: &str, path: &str, full: &str) -> Vec<Hit> {
        let mut armed = self.lock();
        let mut hits = Vec::new();
        for armed in armed.iter_mut().filter(|armed| armed.fault.matches(method, path, full)) {
            armed.seen += 1;
            let first = armed.fault.nth.max(1);
            let last = if armed.fault.times == 0 { u32::MAX } else { first + (armed.fault.times - 1) };
            if (first..=last).contains(&armed.seen) {
                // Only within one collection: another's row would be one more, not one twice.
                let last_row = armed.last_row.as_ref().filter(|(from, _)| from == path).map(|(_, row)| row.clone());
                hits.push(Hit { action: armed.fault.action.clone(), last_row });
            }
        }
        hits
    }

    /// Remembers the last row of a page for those that wait to repeat it.
    pub fn remember(&self, method: &str, path: &str, full: &str, body: &[u8]) {
        let mut armed = self.lock();
        let waiting = armed.iter_mut().filter(|armed| matches!(armed.fault.action, Action::DuplicateRow));
        for armed in waiting.filter(|armed| armed.fault.matches(method, path, full)) {
            let page: Option<Value> = serde_json::from_slice(body).ok();
            let row = page.and_then(|page| page.get("value")?.as_array()?.last().cloned());
            armed.last_row = row.map(|row| (path.to_owned(), row));
        }
    }
}

impl Fault {
    /// A fault on the first request whose path begins so.
    pub fn on(path: impl Into<String>, action: Action) -> Self {
        Self {
            method: None,
            path: path.into(),
            exact: false,
            contains: None,
            contains_too: None,
            nth: 1,
            times: 1,
            action,
        }
    }

    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.contains = Some(text.into());
        self
    }

    pub fn exactly(mut self) -> Self {
        self.exact = true;
        self
    }

    pub fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// 0: for ever.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, method: &str, path: &str, full: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && if self.exact { path == self.path } else { path.starts_with(&self.path) }
            && [&self.contains, &self.contains_too].into_iter().flatten().all(|text| full.contains(text.as_str()))
    }
}

impl Action {
    /// A plain status with the code and message that Graph has for it.
    pub fn status(status: u16) -> Self {
        Self::Status { status, code: None, message: None, retry_after: None }
    }

    pub fn throttled(retry_after: Option<&str>) -> Self {
        Self::Status { status: 429, code: None, message: None, retry_after: retry_after.map(str::to_owned) }
    }
}

/// How the body leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sending {
    #[default]
    Whole,
    /// Half of it, then the connection closes.
    Cut,
    /// Byte by byte.
    Drip(Duration),
    /// So many megabytes instead of it.
    Flood(u32),
}

/// The answer that takes the place of the real one, if a hit says so.
pub fn instead(hits: &[Hit], here: &str, now: DateTime<Utc>) -> Option<Result<Answer, (Problem, Option<String>)>> {
    hits.iter().find_map(|hit| match &hit.action {
        Action::Status { status, code, message, retry_after } => {
            let (known_code, known_message) = usual(*status);
            let code = code.as_deref().unwrap_or(known_code);
            let message = message.as_deref().unwrap_or(known_message);
            let retry_after = retry_after.as_ref().map(|text| match text.strip_prefix("date+") {
                Some(seconds) => http_date(now + TimeDelta::seconds(seconds.parse().unwrap_or(1))),
                None => text.clone(),
            });
            Some(Err((Problem::new(*status, code, message), retry_after)))
        }
        Action::Html { status } => {
            let body = format!("<html><head><title>{status}</title></head><body><h1>Gateway {status}</h1></body></html>");
            Some(Ok(Answer { content_type: "text/html", ..Answer::text(*status, body) }))
        }
        Action::ExpiredPageToken => Some(Err((query::expired_page_token(), None))),
        Action::PageTokenNotFound => Some(Err((query::page_token_not_found(), None))),
        Action::SyncStateNotFound => Some(Err((sync_state_not_found(), None))),
        Action::Resync => {
            let mut answer = Answer::empty(410);
            let problem = json!({"error": {"code": "resyncRequired", "message": "Resync required. Replace any local items with the server's version."}});
            answer.body = problem.to_string().into_bytes();
            let base = here.split('?').next().unwrap_or(here);
            answer.headers.push(("location", format!("{base}?$deltatoken=")));
            Some(Ok(answer))
        }
        Action::TokenRefused => {
            let message = "Lifetime validation failed, the token is expired.";
            Some(Err((Problem::new(401, "InvalidAuthenticationToken", message), None)))
        }
        Action::Redirect { location } => {
            let mut answer = Answer::empty(302);
            answer.headers.push(("location", location.clone()));
            Some(Ok(answer))
        }
        Action::HalfPage
        | Action::HalfGzip
        | Action::Cut
        | Action::Drip { .. }
        | Action::Flood { .. }
        | Action::EndlessNextLink
        | Action::LinkCircle { .. }
        | Action::ForeignNextLink { .. }
        | Action::EmptyPage
        | Action::DuplicateRow
        | Action::MissingRow { .. }
        | Action::ExtraRow { .. }
        | Action::Replace { .. }
        | Action::Append { .. }
        | Action::EveryRow { .. }
        | Action::NoRows
        | Action::Slow { .. } => None,
    })
}

/// docs/graph.md, «Delta queries».
pub fn sync_state_not_found() -> Problem {
    let message =
        "The sync state generation is not found. The delta token is expired and data must be synchronized again.";
    Problem::new(400, "syncStateNotFound", message)
}

/// Changes the body of a page as the hits say.
pub fn spoil(hits: &[Hit], here: &str, answer: &mut Answer) -> Sending {
    let mut sending = Sending::Whole;
    for hit in hits {
        match &hit.action {
            Action::HalfPage => answer.body.truncate(answer.body.len() / 2),
            Action::Cut => sending = Sending::Cut,
            Action::Drip { millis } => sending = Sending::Drip(Duration::from_millis(*millis)),
            Action::Flood { megabytes } => sending = Sending::Flood(*megabytes),
            Action::HalfGzip => {
                answer.body = half_gzip(&answer.body);
                answer.headers.push(("content-encoding", "gzip".to_owned()));
            }
            Action::LinkCircle { pages } => edit(answer, |page| circle(page, here, *pages)),
            Action::EndlessNextLink => edit(answer, |page| page["@odata.nextLink"] = json!(here)),
            Action::ForeignNextLink { origin } => edit(answer, |page| {
                page["@odata.nextLink"] = json!(format!("{origin}/v1.0/users?$skiptoken=stolen"));
            }),
            Action::EmptyPage => edit(answer, |page| {
                page["value"] = json!([]);
                page["@odata.nextLink"] = json!(here);
                page.as_object_mut().map(|page| page.remove("@odata.deltaLink"));
            }),
            Action::Replace { find, with } => {
                let body = String::from_utf8_lossy(&answer.body).replacen(find.as_str(), with, 1);
                answer.body = body.into_bytes();
            }
            Action::Append { text } => answer.body.extend_from_slice(text.as_bytes()),
            Action::EveryRow { set } => edit(answer, |page| {
                // The answer of `$count` is a number.
                let rows = page.get_mut("value").and_then(Value::as_array_mut);
                for row in rows.into_iter().flatten().filter_map(Value::as_object_mut) {
                    row.extend(set.clone());
                }
            }),
            Action::NoRows => edit(answer, |page| {
                page["value"] = json!([]);
                page.as_object_mut().map(|page| page.remove("@odata.nextLink"));
            }),
            Action::ExtraRow { row } => edit(answer, |page| {
                if let Some(rows) = page["value"].as_array_mut() {
                    rows.push(row.clone());
                }
            }),
            Action::MissingRow { id } => edit(answer, |page| {
                if let Some(rows) = page["value"].as_array_mut() {
                    rows.retain(|row| row["id"] != json!(id));
                }
            }),
            Action::DuplicateRow => edit(answer, |page| {
                if let (Some(row), Some(rows)) = (&hit.last_row, page["value"].as_array_mut()) {
                    rows.insert(0, row.clone());
                }
            }),
            Action::Status { .. }
            | Action::Html { .. }
            | Action::Redirect { .. }
            | Action::ExpiredPageToken
            | Action::PageTokenNotFound
            | Action::Slow { .. }
            | Action::Resync
            | Action::SyncStateNotFound
            | Action::TokenRefused => {}
        }
    }
    sending
}

/// One of the items, and a link to the next place in the circle.
fn circle(page: &mut Value, here: &str, pages: u32) {
    let place = |text: &str| text.split_once("circle=").and_then(|(_, place)| place.parse::<u32>().ok());
    let at = place(here).unwrap_or(0);
    let items = page["value"].as_array().cloned().unwrap_or_default();
    let item = items.get(at as usize % items.len().max(1)).cloned();
    page["value"] = item.into_iter().collect();
    let path = here.split('?').next().unwrap_or(here);
    page["@odata.nextLink"] = json!(format!("{path}?circle={}", (at + 1) % pages.max(1)));
}

/// The first half of a gzip stream with one stored block. Source: RFC 1951 §3.2.4, RFC 1952 §2.3.
fn half_gzip(body: &[u8]) -> Vec<u8> {
    let block = &body[..body.len().min(usize::from(u16::MAX))];
    let length = block.len() as u16;
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(&block[..block.len() / 2]);
    out
}

fn edit(answer: &mut Answer, change: impl FnOnce(&mut Value)) {
    if let Ok(mut page) = serde_json::from_slice(&answer.body) {
        change(&mut page);
        answer.body = page.to_string().into_bytes();
    }
}

/// How long the hits make a request wait.
pub fn delay(hits: &[Hit]) -> Duration {
    hits.iter()
        .map(
            |hit| if let Action::Slow { millis } = hit.action { Duration::from_millis(millis) } else { Duration::ZERO },
        )
        .sum()
}

/// Code and message that Graph has for a status: docs/graph.md, «Refusals», «Throttling».
fn usual(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("Request_BadRequest", "Bad request."),
        401 => ("InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."),
        403 => ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
        404 => (
            "Request_ResourceNotFound",
            "Resource does not exist or one of its queried reference-property objects are not present.",
        ),
        429 => ("TooManyRequests", "Please retry again later."),
        500 => ("InternalServerError", "An internal server error occurred."),
        501 => ("NotImplemented", "This operation target is not yet supported."),
        502 => ("BadGateway", "The gateway received an invalid answer."),
        503 => ("ServiceUnavailable", "The service is temporarily unavailable."),
        504 => ("GatewayTimeout", "The request timed out."),
        _ => ("UnknownError", ""),
    }
}
