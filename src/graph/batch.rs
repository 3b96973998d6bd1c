//! JSON batching: many small requests in one. It saves round trips, not resource units.
//!
//! The status of the envelope is 200 even when items fail. Items come back in any order, and each is throttled
//! separately. Items that are retried go into the next envelope.
//! Source: <https://learn.microsoft.com/en-us/graph/json-batching>; docs/graph.md, «Batches».

use super::cost;
use super::error::{GraphError, GraphErrorKind, Result};
use super::limiter::Permit;
use super::options::RequestOptions;
use super::page::Page;
use super::request::{Body, Request};
use super::retry::{Answered, Patience, Read};
use super::service::Service;
use super::session::Session;
use super::wire::Content;
use crate::http::parse_retry_after;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use url::Url;

/// Requests in one envelope at most.
pub const MAX_ITEMS: usize = 20;

/// The response to one item.
#[derive(Debug)]
pub struct BatchItem {
    pub status: u16,
    /// The JSON body; empty when there was none.
    pub body: String,
}

#[derive(Deserialize)]
struct Envelope {
    responses: Vec<ItemWire>,
}

#[derive(Deserialize)]
struct ItemWire {
    id: String,
    status: u16,
    #[serde(default)]
    headers: HashMap<String, serde_json::Value>,
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

impl ItemWire {
    /// A header by name in any case; its value may be a string or a number.
    fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    fn units(&self) -> Option<f64> {
        self.header("x-ms-resource-unit")?.parse().ok()
    }
}

impl Session {
    /// Sends GETs in batches of 20 at most and returns the responses in the order of `urls`. An inner error is that of
    /// one item. The outer error means that the server has no batching (see [`GraphError::refuses_optional`]) or that
    /// nothing could be sent.
    pub async fn batch(&self, urls: &[Url], options: &RequestOptions) -> Result<Vec<Result<BatchItem>>> {
        let mut answers = Vec::with_capacity(urls.len());
        for urls in urls.chunks(MAX_ITEMS) {
            answers.extend(self.envelope(urls, options).await?.0);
        }
        Ok(answers)
    }

    /// One batch of 20 at most with its place among the requests in flight, see [`Session::get_held`].
    pub async fn batch_held(
        &self,
        urls: &[Url],
        options: &RequestOptions,
    ) -> Result<(Vec<Result<BatchItem>>, Option<Permit>)> {
        self.envelope(urls, options).await
    }

    /// The page in the body of an item. Its next link is followed with a [`super::page::Pager`].
    pub fn page_of<C: Content>(&self, item: BatchItem) -> Result<Page<C>> {
        let (links, content) = C::read(item.body).map_err(|error| {
            GraphError::new(GraphErrorKind::Malformed, format!("a page could not be parsed: {error}"))
        })?;
        Page::new(links, content, None, &self.0.origin)
    }

    async fn envelope(
        &self,
        urls: &[Url],
        options: &RequestOptions,
    ) -> Result<(Vec<Result<BatchItem>>, Option<Permit>)> {
        let mut answers: Vec<Option<Result<BatchItem>>> = urls.iter().map(|_| None).collect();
        let mut patience = Patience::new(self.budget(options));
        let mut is_renewed = false;
        let mut held = None;
        loop {
            let open: Vec<usize> = (0..urls.len()).filter(|at| answers[*at].is_none()).collect();
            if open.is_empty() {
                return Ok((answers.into_iter().flatten().collect(), held));
            }
            let (found, permit) = self.send_envelope(urls, &open, options).await?;
            let mut again: Vec<(usize, GraphError)> = Vec::new();
            let mut asked: Option<Duration> = None;
            let mut is_refused = false;
            for at in open {
                let Some(item) = found.get(&at) else {
                    again.push((
                        at,
                        GraphError::new(GraphErrorKind::Malformed, "the response of the batch lacks this item")
                            .at(&urls[at]),
                    ));
                    continue;
                };
                match self.judge_item(item, &urls[at]) {
                    Judged::Done(Err(error)) if matches!(error.kind, GraphErrorKind::Unauthorized) && !is_renewed => {
                        is_refused = true;
                        again.push((at, error));
                    }
                    Judged::Done(answer) => answers[at] = Some(answer),
                    Judged::Again(error, wait) => {
                        asked = asked.max(wait);
                        again.push((at, error));
                    }
                }
            }
            if again.is_empty() {
                held = Some(permit);
                continue;
            }
            drop(permit);
            if is_refused {
                is_renewed = true;
                let token = self.token().await?;
                self.renewed(&token).await?;
            }
            let clock = &self.0.client.0.clock;
            match patience.next_wait(clock, asked) {
                Some(wait) => {
                    let is_throttled = again.iter().any(|(_, e)| matches!(e.kind, GraphErrorKind::Throttled));
                    self.wait(wait, service_of(urls), is_throttled).await?;
                }
                None => again.into_iter().for_each(|(at, error)| answers[at] = Some(Err(error))),
            }
        }
    }

    async fn send_envelope(
        &self,
        urls: &[Url],
        open: &[usize],
        options: &RequestOptions,
    ) -> Result<(HashMap<usize, ItemWire>, Permit)> {
        let requests: Vec<_> = open
            .iter()
            .map(|at| {
                let mut item = serde_json::json!({"id": at.to_string(), "method": "GET", "url": relative(&urls[*at])});
                if options.advanced {
                    item["headers"] = serde_json::json!({"ConsistencyLevel": "eventual"});
                }
                item
            })
            .collect();
        let url = self.url("$batch");
        let kinds: Vec<_> = open.iter().map(|at| cost::kind_of(&urls[*at])).collect();
        let body = serde_json::json!({ "requests": requests }).to_string();
        let service = service_of(urls);
        let request = Request { url: &url, options, body: Some(body), kinds, service };
        let read = |body: Body| {
            let value = body.json::<Envelope>()?;
            // An item without this header counts as zero: the next one of its kind has it.
            let units: Vec<f64> = value.responses.iter().filter_map(ItemWire::units).collect();
            Ok(Read { value, units: (!units.is_empty()).then(|| units.iter().sum()) })
        };
        let Answered { value: envelope, permit, .. } = self.exchange(&request, read).await?;
        let limiter = self.known_limiter(service);
        let mut found = HashMap::with_capacity(open.len());
        for item in envelope.responses {
            let Some(at) = item.id.parse::<usize>().ok().filter(|at| open.contains(at)) else { continue };
            if let (Some(limiter), Some(units), 200..300) = (limiter, item.units(), item.status) {
                limiter.learn(cost::kind_of(&urls[at]), units);
            }
            found.insert(at, item);
        }
        Ok((found, permit))
    }

    fn judge_item(&self, item: &ItemWire, url: &Url) -> Judged {
        let body = item.body.as_ref().map(|body| body.get().to_owned()).unwrap_or_default();
        let request_id = item.header("request-id");
        if (200..300).contains(&item.status) {
            return match GraphError::inside(item.status, &body) {
                Some(error) => Judged::Again(error.at(url).of_request(request_id.as_deref()), None),
                None => Judged::Done(Ok(BatchItem { status: item.status, body })),
            };
        }
        let error = GraphError::from_answer(item.status, request_id, None, body.as_bytes()).at(url);
        let now = self.0.client.0.clock.now();
        let asked = item.header("retry-after").and_then(|text| parse_retry_after(&text, now));
        match error.kind {
            GraphErrorKind::Throttled => {
                self.0.counters.throttled.fetch_add(1, Ordering::Relaxed);
                Judged::Again(error, asked)
            }
            // 424: an item on which this one depends failed. These items depend on nothing, so it is retried.
            GraphErrorKind::Server | GraphErrorKind::GatewayTimeout => Judged::Again(error, asked),
            _ if item.status == 424 => Judged::Again(error, asked),
            _ => Judged::Done(Err(error)),
        }
    }

    /// Waits before the next envelope. A throttled item pauses all requests, as a throttled request does.
    async fn wait(&self, wait: Duration, service: Service, is_throttled: bool) -> Result<()> {
        if let (true, Some(limiter)) = (is_throttled, self.known_limiter(service)) {
            let longer = limiter.stop(wait);
            self.0.counters.throttled_ms.fetch_add(longer.as_millis() as u64, Ordering::Relaxed);
            return Ok(());
        }
        self.unless_over(async {
            self.0.client.0.clock.sleep(wait).await;
            Ok(())
        })
        .await
    }
}

enum Judged {
    Done(Result<BatchItem>),
    Again(GraphError, Option<Duration>),
}

/// Who answers the items of a batch: those of one batch are all of one collection.
fn service_of(urls: &[Url]) -> Service {
    urls.first().map_or(Service::Directory, Service::of)
}

/// The URL of an item: the path below the version, and the query.
fn relative(url: &Url) -> String {
    let path = url.path().trim_start_matches("/v1.0");
    match url.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}
