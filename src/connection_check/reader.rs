//! Requests to Graph for a check: failures are waited out for seconds only, and a list is read to its end within a
//! limit.

use crate::graph::error::Result;
use crate::graph::{RequestOptions, Session};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// How long failures of one request are waited out.
const BUDGET: Duration = Duration::from_secs(3);

/// More pages than any list of a check has: Graph has about 1,600 permissions, and a page of these lists 100 items.
const MAX_PAGES: usize = 50;

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

/// A list that was read page by page.
#[derive(Clone, Debug)]
pub struct Listing {
    pub items: Vec<Value>,
    /// Whether the last page was read. If not, what is not in `items` is unknown.
    pub is_complete: bool,
    /// Whether the time of the check was over before the last page.
    pub is_out_of_time: bool,
    /// Of the first page.
    pub request_id: Option<String>,
}

/// GET of a path below `/v1.0/`, with its query.
pub async fn get(session: &Session, path: impl AsRef<str>) -> Result<Answer> {
    get_url(session, &session.url(path.as_ref())).await
}

/// GET of a list below `/v1.0/`, to its last page. A later page that cannot be read leaves the list incomplete.
pub async fn list(session: &Session, path: impl AsRef<str>) -> Result<Listing> {
    let Answer { mut body, request_id } = get(session, path).await?;
    let mut listing = Listing { items: Vec::new(), is_complete: false, is_out_of_time: false, request_id };
    for _ in 1..MAX_PAGES {
        listing.items.extend(take_items(&mut body));
        let Some(link) = body.get("@odata.nextLink").and_then(Value::as_str) else {
            listing.is_complete = true;
            break;
        };
        let Ok(url) = session.link(link) else { break };
        match get_url(session, &url).await {
            Ok(answer) => body = answer.body,
            Err(error) => {
                listing.is_out_of_time = error.is_cancelled();
                break;
            }
        }
    }
    Ok(listing)
}

async fn get_url(session: &Session, url: &Url) -> Result<Answer> {
    let options = RequestOptions { budget: BUDGET, ..RequestOptions::interactive() };
    let body = session.get(url, &options).await?;
    let json = body.json().map_err(|error| error.of_request(body.request_id.as_deref()))?;
    Ok(Answer { body: json, request_id: body.request_id })
}

fn take_items(body: &mut Value) -> Vec<Value> {
    match body.get_mut("value").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}
