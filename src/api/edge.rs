//! The outermost middleware: request id, log span, problem documents for every failure (also panics), security
//! headers, CORS, and the metrics of requests.

use super::contract::{self, MatchedPath};
use super::problem::{self, REQUEST_ID};
use crate::app::App;
use crate::error::Error;
use crate::{ids, trace};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError, web};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tracing::Instrument;

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const MAX_REQUEST_ID_BYTES: usize = 128;
/// How long a browser may cache the response to a preflight.
const PREFLIGHT_SECONDS: &str = "600";

/// The middleware.
pub async fn wrap(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(app) = request.app_data::<web::Data<App>>().cloned() else {
        return Err(actix_web::error::ErrorInternalServerError("the app is registered"));
    };
    let started = app.clock.instant();
    let id = request_id(&app, request.headers());
    let origin = allowed_origin(&app, request.headers());
    let is_page = request.path().starts_with("/docs");
    let method = method_label(request.method());
    let span = tracing::info_span!("request", request.id = id, http.method = method, http.path = request.path(),);
    let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let traced = trace::call(method, &id, parent);
    let answer = async {
        if origin.is_some() && is_preflight(&request) {
            return Ok(request.into_response(preflight()));
        }
        // The request itself is gone by now, so what failed is answered without it.
        match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(Ok(response)) => Ok(response.map_into_boxed_body()),
            Ok(Err(error)) => Err(problem::from_actix(&error)),
            Err(_) => Err(Error::internal("a handler panicked").error_response()),
        }
    };
    let answer = REQUEST_ID.scope(id.clone(), answer).instrument(traced.clone()).instrument(span).await;
    let took = app.clock.elapsed_since(started);
    match answer {
        Ok(mut response) => {
            let path = response.request().extensions().get::<MatchedPath>().map(|path| path.0.clone());
            trace::answered(&traced, method, path.as_deref(), response.status().as_u16());
            note(method, path, response.status().as_u16(), took);
            add_headers(response.headers_mut(), &id, origin.as_ref(), is_page);
            Ok(response)
        }
        Err(mut response) => {
            trace::answered(&traced, method, None, response.status().as_u16());
            note(method, None, response.status().as_u16(), took);
            add_headers(response.headers_mut(), &id, origin.as_ref(), is_page);
            Err(InternalError::from_response("a request failed outside its handler", response).into())
        }
    }
}

/// The caller's id for the request if it has only harmless characters, otherwise a new one.
fn request_id(app: &App, headers: &HeaderMap) -> String {
    let given = headers.get(&REQUEST_ID_HEADER).and_then(|value| value.to_str().ok());
    let harmless = |id: &&str| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID_BYTES
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
    };
    given.filter(harmless).map_or_else(|| ids::new_v7(&app.clock).to_string(), str::to_owned)
}

/// The origin of the request, if the operator allows it.
fn allowed_origin(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let allowed = &app.settings.security.cors_origins;
    allowed.iter().any(|one| one.origin().ascii_serialization().as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE"))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, Accept, If-Match, Idempotency-Key, Last-Event-ID, X-Request-Id",
        ))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS))
        .finish()
}

/// A caller may send any word as a method: as a label each would be a series of its own, for ever.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER")
}

fn note(method: &'static str, path: Option<String>, status: u16, took: Duration) {
    tracing::debug!(status, duration_ms = took.as_millis(), "answered");
    let path = path.unwrap_or_else(|| "other".to_owned());
    let labels = [("method", method.to_owned()), ("path", path), ("status", status.to_string())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels[..2]).record(took.as_secs_f64());
}

fn add_headers(headers: &mut HeaderMap, id: &str, origin: Option<&HeaderValue>, is_page: bool) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = match is_page {
        // Swagger UI has its styles inline.
        true => {
            "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
        }
        false => "default-src 'none'; frame-ancestors 'none'",
    };
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    if !is_page && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("ETag, Location, Retry-After, X-Request-Id, Content-Disposition, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"),
        );
    }
}

/// Answers every path without a route.
pub async fn unknown_path(request: actix_web::HttpRequest) -> HttpResponse {
    contract::unknown_path(request.path()).error_response()
}
