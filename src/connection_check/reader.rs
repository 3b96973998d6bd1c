//! Single requests to Graph for a check: no paging, and failures are waited out for seconds only.

use crate::graph::error::Result;
use crate::graph::{RequestOptions, Session};
use serde_json::Value;
use std::time::Duration;

/// How long failures of one request are waited out.
const BUDGET: Duration = Duration::from_secs(3);

/// What Graph answered to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub body: Value,
    pub request_id: Option<String>,
}

impl Answer {
    /// The items of a collection; none if the body is not a collection.
    pub fn items(&self) -> &[Value] {
        self.body.get("value").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// GET of a path below `/v1.0/`, with its query.
pub async fn get(session: &Session, path: impl AsRef<str>) -> Result<Answer> {
    let options = RequestOptions { budget: BUDGET, ..RequestOptions::interactive() };
    let body = session.get(&session.url(path.as_ref()), &options).await?;
    let json = body.json().map_err(|error| error.of_request(body.request_id.as_deref()))?;
    Ok(Answer { body: json, request_id: body.request_id })
}
