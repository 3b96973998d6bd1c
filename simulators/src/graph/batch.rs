//! JSON batches: at most 20 requests, each with its own units, faults and headers. Source: docs/graph.md, «Batches».

use super::answer::{Answer, Answered, Problem};
use super::call::Call;
use super::property::write_str;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};

/// More are refused.
const MAX_ITEMS: usize = 20;

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    requests: Vec<Item<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    depends_on: Vec<String>,
}

impl Item<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// `POST /$batch`; `answer` answers one of its requests.
pub fn batch(call: &Call<'_>, beta: bool, answer: &dyn Fn(&Call<'_>) -> Answer) -> Answered {
    if call.method != "POST" || call.in_batch {
        return Err(Problem::new(405, "BadRequest", "A batch is a POST, and not within a batch."));
    }
    let batch: Batch<'_> = serde_json::from_slice(call.body)
        .map_err(|error| Problem::new(400, "BadRequest", format!("Invalid batch payload format: {error}.")))?;
    if batch.requests.len() > MAX_ITEMS {
        let message = format!("Number of batch request steps exceeds the maximum value of {MAX_ITEMS}.");
        return Err(Problem::new(400, "BadRequest", message));
    }
    let ids: HashSet<&str> = batch.requests.iter().map(|item| item.id.as_str()).collect();
    if ids.len() != batch.requests.len() {
        return Err(Problem::new(400, "BadRequest", "Request Id's must be unique."));
    }
    let mut statuses: HashMap<&str, u16> = HashMap::new();
    let mut parts = Vec::with_capacity(batch.requests.len());
    for item in &batch.requests {
        let failed = item.depends_on.iter().any(|id| !matches!(statuses.get(id.as_str()), Some(200..300)));
        let response = if failed {
            dependency_failed()
        } else {
            let (path, query) = address(item, beta);
            answer(&Call {
                method: &item.method.to_ascii_uppercase(),
                path: &path,
                query,
                body: item.body.map_or(b"", |body| body.get().as_bytes()),
                origin: call.origin,
                in_batch: true,
                eventual: item.header("ConsistencyLevel"),
                prefer: item.header("Prefer").unwrap_or_default(),
                priority: call.priority,
                client_request_id: item.header("client-request-id"),
            })
        };
        statuses.insert(&item.id, response.status);
        parts.push(part(&item.id, &response));
    }
    // The order is not promised; the last comes first so that nobody relies on it.
    parts.reverse();
    let mut body = b"{\"responses\":[".to_vec();
    body.extend_from_slice(&parts.join(&b","[..]));
    body.extend_from_slice(b"]}");
    let mut answer = Answer::json(200, body);
    answer.content_type = "application/json";
    Ok(answer)
}

/// The path of an item with its version, and its query.
fn address<'a>(item: &'a Item<'_>, beta: bool) -> (String, &'a str) {
    let url = item.url.trim_start_matches('/');
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    (format!("/{}/{path}", if beta { "beta" } else { "v1.0" }), query)
}

fn dependency_failed() -> Answer {
    let value =
        serde_json::json!({"error": {"code": "FailedDependency", "message": "A request it depends on failed."}});
    Answer::value(424, &value)
}

/// One response: JSON bodies as they are, text as a JSON string, a number as a number.
fn part(id: &str, answer: &Answer) -> Vec<u8> {
    let mut out = b"{\"id\":".to_vec();
    write_str(&mut out, id);
    out.extend_from_slice(format!(",\"status\":{},\"headers\":{{\"Content-Type\":", answer.status).as_bytes());
    write_str(&mut out, answer.content_type);
    for (name, value) in &answer.headers {
        let name = if *name == "retry-after" { "Retry-After" } else { name };
        out.push(b',');
        write_str(&mut out, name);
        out.push(b':');
        write_str(&mut out, value);
    }
    out.extend_from_slice(b"},\"body\":");
    let is_json = serde_json::from_slice::<&RawValue>(&answer.body).is_ok();
    match std::str::from_utf8(&answer.body) {
        _ if is_json => out.extend_from_slice(&answer.body),
        Ok("") | Err(_) => out.extend_from_slice(b"null"),
        Ok(text) => write_str(&mut out, text),
    }
    out.push(b'}');
    out
}
