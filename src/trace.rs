//! Traces for an OpenTelemetry collector: the call of the API, the runs that it starts, their stages, and the requests to
//! Microsoft and Atlassian. Their spans have the target [`TARGET`] and no secret, no name and no query. Where nobody
//! collects them, a span is a look at one number.

#[cfg(not(feature = "otlp"))]
mod none;
#[cfg(feature = "otlp")]
mod otlp;

#[cfg(not(feature = "otlp"))]
pub use none::{Traces, current, follow, rename};
#[cfg(feature = "otlp")]
pub use otlp::{Traces, current, follow, rename};

use std::fmt::Display;
use tracing::Span;
use tracing::field::Empty;
use url::Url;

/// The target of the spans that are sent to the collector. The log does not show it, and what begins like it: no module's path
/// may.
pub const TARGET: &str = "entra_assets::spans";

/// A call of the API. `traceparent`: the header of that name, with which the caller's trace goes on.
pub fn call(method: &'static str, request_id: &str, traceparent: Option<&str>) -> Span {
    let span = tracing::debug_span!(
        target: TARGET, "call", otel.name = method, otel.kind = "server", otel.status_code = Empty, error.type = Empty,
        request.id = request_id, http.request.method = method, http.route = Empty, http.response.status_code = Empty,
    );
    if let Some(parent) = traceparent {
        follow(&span, parent);
    }
    span
}

/// Notes how a call was answered. `route`: the path as the document has it, if it has it.
pub fn answered(span: &Span, method: &'static str, route: Option<&str>, status: u16) {
    if span.is_disabled() {
        return;
    }
    if let Some(route) = route {
        rename(span, format!("{method} {route}"));
        span.record("http.route", route);
    }
    note_status(span, status, 500);
}

/// An attempt of a run. `traceparent`: what started it.
pub fn run(
    run: &dyn Display,
    organization: &dyn Display,
    mode: &dyn Display,
    attempt: i32,
    traceparent: Option<&str>,
) -> Span {
    let span = tracing::debug_span!(
        target: TARGET, "run", otel.kind = "consumer", run.id = %run, organization.id = %organization, run.mode = %mode,
        run.attempt = i64::from(attempt), otel.status_code = Empty, error.type = Empty,
    );
    if let Some(parent) = traceparent {
        follow(&span, parent);
    }
    span
}

/// A stage of a run.
pub fn stage(name: &'static str) -> Span {
    tracing::debug_span!(target: TARGET, "stage", otel.name = name)
}

/// A request to Microsoft or Atlassian. `name`: what it is, without ids and names; it is asked for only if somebody collects
/// traces. Of `url` only the host leaves.
pub fn request(service: &'static str, method: &str, url: &Url, name: impl Fn() -> String) -> Span {
    tracing::debug_span!(
        target: TARGET, "request", otel.name = name(), otel.kind = "client", otel.status_code = Empty, error.type = Empty,
        peer.service = service, server.address = url.host_str(), http.request.method = method,
        http.response.status_code = Empty,
    )
}

/// Notes the answer to a request; `None`: there was none.
pub fn note_answer(span: &Span, status: Option<u16>) {
    match status {
        Some(status) => note_status(span, status, 400),
        None => note_failure(span, "no_answer"),
    }
}

fn note_status(span: &Span, status: u16, failed_from: u16) {
    // Of the integers, traces know this one alone.
    span.record("http.response.status_code", i64::from(status));
    if status >= failed_from {
        note_failure(span, &status.to_string());
    }
}

/// `kind`: a word of few.
pub fn note_failure(span: &Span, kind: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", kind);
}

/// A path with only the words of the API in it: ids and names of people may not leave.
pub fn template(path: &str) -> String {
    let is_word = |part: &str| {
        let part = part.strip_prefix("microsoft.graph.").unwrap_or(part);
        part == "v1.0" || part.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'$')
    };
    let parts: Vec<&str> = path.split('/').map(|part| if is_word(part) { part } else { "{id}" }).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_without_ids_and_names() {
        for (path, template_) in [
            ("/v1.0/users", "/v1.0/users"),
            ("/v1.0/groups/01900000-0000-7000-8000-000000000001/members/$count", "/v1.0/groups/{id}/members/$count"),
            ("/v1.0/users/adele@contoso.com/manager", "/v1.0/users/{id}/manager"),
            ("/v1.0/groups/1/members/microsoft.graph.user", "/v1.0/groups/{id}/members/microsoft.graph.user"),
            ("/v1.0/users/delta()", "/v1.0/users/{id}"),
        ] {
            assert_eq!(template(path), template_);
        }
    }
}
