//! One attempt of one request: what is sent, and what comes back.

use super::cost;
use super::error::{GraphError, GraphErrorKind, Result, looks_like_html};
use super::options::RequestOptions;
use super::service::Service;
use super::session::Session;
use super::token::AccessToken;
use super::wire::{first_json, text_of};
use crate::http::{self, BodyError};
use crate::trace;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use std::sync::atomic::Ordering;
use tracing::Instrument as _;
use url::Url;

/// Far larger than any response of Graph. A larger one does not come from Graph.
const MAX_BODY_BYTES: usize = 64 << 20;

/// What is sent.
pub(super) struct Request<'a> {
    pub url: &'a Url,
    pub options: &'a RequestOptions,
    /// A JSON body makes it a POST.
    pub body: Option<String>,
    /// What it costs; for a batch the kinds of all items.
    pub kinds: Vec<cost::Kind>,
    pub service: Service,
}

impl<'a> Request<'a> {
    pub fn get(url: &'a Url, options: &'a RequestOptions) -> Self {
        let kinds = vec![options.cost.unwrap_or_else(|| cost::kind_of(url))];
        Self { url, options, body: None, kinds, service: Service::of(url) }
    }
}

/// The whole response to one GET.
#[derive(Debug)]
pub struct Body {
    pub text: String,
    pub status: u16,
    /// `request-id` of the response.
    pub request_id: Option<String>,
    /// See [`Page::was_retried`](super::page::Page::was_retried).
    pub was_retried: bool,
}

impl Body {
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T> {
        first_json(&self.text).map_err(|error| malformed(self.is_html(), &error))
    }
}

impl Body {
    pub(super) fn is_html(&self) -> bool {
        looks_like_html(self.text.as_bytes())
    }
}

/// The outcome of one attempt.
pub(super) enum Attempt {
    Answer(Body, HeaderMap),
    /// No response, or half of one. Graph may have received the request.
    Nothing(GraphError),
    /// An error that another attempt does not change.
    Final(GraphError),
}

impl Session {
    pub(super) async fn attempt(&self, request: &Request<'_>, token: &AccessToken, own_id: &str) -> Attempt {
        let method = if request.body.is_some() { "POST" } else { "GET" };
        let name = || format!("{method} {}", trace::template(request.url.path()));
        let traced = trace::request("graph", method, request.url, name);
        let attempt = self.send(request, token, own_id).instrument(traced.clone()).await;
        let status = match &attempt {
            Attempt::Answer(body, _) => Some(body.status),
            Attempt::Nothing(error) | Attempt::Final(error) => error.status,
        };
        trace::note_answer(&traced, status);
        attempt
    }

    async fn send(&self, request: &Request<'_>, token: &AccessToken, own_id: &str) -> Attempt {
        let client = &self.0.client.0;
        let headers = match headers(request, token, own_id) {
            Ok(headers) => headers,
            Err(error) => return Attempt::Final(error),
        };
        let builder = match &request.body {
            Some(body) => client.http.post(request.url.clone()).body(body.clone()),
            None => client.http.get(request.url.clone()),
        };
        let response = match builder.headers(headers).send().await {
            Ok(response) => response,
            Err(error) if error.is_builder() => {
                return Attempt::Final(GraphError::new(GraphErrorKind::BadRequest, "the URL cannot be sent"));
            }
            Err(error) => return Attempt::Nothing(unreachable(&error)),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let request_id = headers.get("request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let bytes = match http::bounded_body(response, MAX_BODY_BYTES).await {
            Ok(bytes) => bytes,
            Err(BodyError::Broken(_)) => {
                let mut error = GraphError::new(GraphErrorKind::Unreachable, "the response broke off");
                (error.status, error.request_id) = (Some(status), request_id);
                return Attempt::Nothing(error);
            }
            Err(error @ BodyError::TooLarge { .. }) => {
                return Attempt::Final(GraphError::new(GraphErrorKind::Malformed, error.to_string()));
            }
        };
        metrics::counter!("entra_assets_graph_requests_total", "status" => status.to_string()).increment(1);
        self.0.counters.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let (text, replaced) = text_of(bytes);
        self.note_replaced(replaced);
        Attempt::Answer(Body { text, status, request_id, was_retried: false }, headers)
    }
}

const CLIENT_REQUEST_ID: reqwest::header::HeaderName = reqwest::header::HeaderName::from_static("client-request-id");
const THROTTLE_PRIORITY: reqwest::header::HeaderName =
    reqwest::header::HeaderName::from_static("x-ms-throttle-priority");
const CONSISTENCY_LEVEL: reqwest::header::HeaderName = reqwest::header::HeaderName::from_static("consistencylevel");

fn headers(request: &Request<'_>, token: &AccessToken, own_id: &str) -> Result<HeaderMap> {
    let unusable =
        |_| GraphError::new(GraphErrorKind::Unauthorized, "the token contains characters that a header cannot have");
    let bearer = format!("Bearer {}", token.secret.expose_secret());
    let mut bearer = HeaderValue::try_from(bearer).map_err(unusable)?;
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.extend(HeaderValue::try_from(own_id).ok().map(|id| (CLIENT_REQUEST_ID, id)));
    if request.options.low_priority {
        headers.insert(THROTTLE_PRIORITY, HeaderValue::from_static("Low"));
    }
    if request.options.advanced {
        headers.insert(CONSISTENCY_LEVEL, HeaderValue::from_static("eventual"));
    }
    if let Some(prefer) = request.options.prefer {
        headers.insert("prefer", HeaderValue::from_static(prefer));
    }
    if request.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(headers)
}

/// The resource units that Graph charged, if the response names them.
pub(super) fn units_of(headers: &HeaderMap) -> Option<f64> {
    let units = headers.get("x-ms-resource-unit")?.to_str().ok()?.trim().parse::<f64>().ok()?;
    (units.is_finite() && (0.0..=1_000.0).contains(&units)).then_some(units)
}

pub(super) fn refusal(body: &Body, headers: &HeaderMap, url: &Url) -> GraphError {
    let location = headers.get("location").and_then(|location| location.to_str().ok());
    let location = location.and_then(|location| Url::parse(location).ok());
    GraphError::from_answer(body.status, body.request_id.clone(), location, body.text.as_bytes()).at(url)
}

/// The error for a body that is not JSON of the expected form.
pub(super) fn malformed(is_html: bool, error: &serde_json::Error) -> GraphError {
    let message = if is_html {
        "the response is an HTML page".to_owned()
    } else if error.is_eof() {
        "the response is incomplete".to_owned()
    } else {
        format!("the response does not have the documented form: {error}")
    };
    GraphError::new(GraphErrorKind::Malformed, message)
}

/// The error for a request without a response. It contains no URL, because URLs contain tokens.
fn unreachable(error: &reqwest::Error) -> GraphError {
    let what = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "could not connect"
    } else {
        "the connection broke off"
    };
    let mut causes = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes = cause.to_string();
        source = cause.source();
    }
    let message = if causes.is_empty() { what.to_owned() } else { format!("{what}: {causes}") };
    GraphError::new(GraphErrorKind::Unreachable, message)
}
