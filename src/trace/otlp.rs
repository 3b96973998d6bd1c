//! Sends the spans to a collector: OTLP over HTTP, with protobuf.
//!
//! A span that ended goes into a bounded queue, or is dropped if that is full, so nothing waits for a collector. A thread of
//! the SDK takes them out and sends them.

mod delivery;

use crate::config::{HttpSettings, TraceSettings};
use crate::error::{Code, Error, Result};
use crate::http;
use delivery::{Delivery, Noted};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use reqwest::header::HeaderMap;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// The name of the instrumentation.
const SCOPE: &str = "entra-assets";
/// How long one request may take, with its repetitions.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the end of the process waits for the last spans to be sent.
const LAST: Duration = Duration::from_secs(3);
/// The longest answer of a collector that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
const TRACEPARENT: &str = "traceparent";

/// The traces of this process. They are sent every few seconds, and at the end.
pub struct Traces {
    provider: SdkTracerProvider,
    delivery: Arc<Delivery>,
}

impl Traces {
    /// Begins to send traces, if a collector is set.
    ///
    /// # Errors
    /// `configuration_invalid`: it cannot be a collector.
    pub fn start(settings: &TraceSettings, http: &HttpSettings) -> Result<Option<Self>> {
        let Some(address) = settings.address() else { return Ok(None) };
        let endpoint = address.to_string();
        let delivery = Arc::new(Delivery::new(endpoint.clone()));
        let http = HttpSettings { request_timeout: Some(TIMEOUT), ..http.clone() };
        let client = Client {
            http: if http::is_here(&address) { http::direct_client(&http)? } else { http::client(&http)? },
            headers: settings.otlp_headers.clone().unwrap_or_default(),
            runtime: Handle::current(),
            delivery: delivery.clone(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(TIMEOUT)
            .build()
            .map_err(|e| Error::new(Code::ConfigurationInvalid, format!("OTEL_EXPORTER_OTLP_ENDPOINT: {e}.")))?;
        let batches = BatchSpanProcessor::builder(Noted { inner: exporter, delivery: delivery.clone() }).build();
        let resource = Resource::builder()
            .with_service_name(settings.otlp_service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Noted { inner: batches, delivery: delivery.clone() })
            .with_resource(resource)
            .build();
        Ok(Some(Self { provider, delivery }))
    }

    /// Takes the spans with this target, whatever the log shows.
    pub fn layer<S>(&self, target: &'static str) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SCOPE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(Targets::new().with_target(target, LevelFilter::DEBUG))
    }

    /// Sends what was not sent yet, within a few seconds, and says what was lost.
    pub async fn stop(self) {
        self.delivery.end();
        let provider = self.provider;
        // It waits for a thread that needs this runtime.
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST)).await;
        let in_time = stopped.is_ok_and(|stopped| stopped.is_ok());
        self.delivery.tell_lost((!in_time).then(|| format!("no answer within {} s", LAST.as_secs())));
    }
}

/// The current span as the header `traceparent` has it, if somebody collects traces.
pub fn current() -> Option<String> {
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut headers);
    headers.remove(TRACEPARENT)
}

/// Makes a span a part of the trace of another process or time. Anything else than a `traceparent` changes nothing.
pub fn follow(span: &Span, traceparent: &str) {
    if span.is_disabled() {
        return;
    }
    let headers = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    if parent.span().span_context().is_valid() {
        // The only possible error is that nobody collects the span.
        let _ = span.set_parent(parent);
    }
}

/// Gives a span another name, also one that has begun: for such a one the field `otel.name` changes nothing any more.
pub fn rename(span: &Span, name: String) {
    span.context().span().update_name(name);
}

/// The exporter's way out: the client of this program, on its runtime, because the exporter has a thread of its own.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    /// What the collector asks of its senders.
    headers: HeaderMap,
    runtime: Handle,
    delivery: Arc<Delivery>,
}

type Sent = std::result::Result<Response<Bytes>, HttpError>;

impl HttpClient for Client {
    fn send_bytes<'own, 'sent>(
        &'own self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Sent> + Send + 'sent>>
    where
        'own: 'sent,
        Self: 'sent,
    {
        Box::pin(async move {
            let (http, mut request) = (self.http.clone(), reqwest::Request::try_from(request)?);
            request.headers_mut().extend(self.headers.clone());
            let sent = self.runtime.spawn(send(http, request)).await.map_err(HttpError::from).flatten();
            match &sent {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => self.delivery.failed(format!("it answered {}", answer.status())),
                Err(error) => self.delivery.failed(error.to_string()),
            }
            sent
        })
    }
}

async fn send(http: reqwest::Client, request: reqwest::Request) -> Sent {
    let answer = http.execute(request).await.map_err(|error| http::cause(&error.without_url()))?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = answer.headers().clone();
    }
    let body = http::bounded_body(answer, MAX_ANSWER_BYTES).await?;
    Ok(response.body(body.into())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// What a span within the trace of `traceparent` hands on.
    fn handed_on(traceparent: &str) -> Option<String> {
        let provider = SdkTracerProvider::builder().build();
        let traces = Traces { provider, delivery: Arc::new(Delivery::new(String::new())) };
        let subscriber = tracing_subscriber::registry().with(traces.layer(crate::trace::TARGET));
        tracing::subscriber::with_default(subscriber, || {
            let call = crate::trace::call("GET", "a", Some(traceparent));
            call.in_scope(|| tracing::info_span!("of the log alone").in_scope(|| call.in_scope(current)))
        })
    }

    #[test]
    fn a_span_goes_on_with_the_trace_of_its_caller() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for flags in ["01", "00"] {
            let handed_on = handed_on(&format!("00-{trace}-00f067aa0ba902b7-{flags}")).unwrap();
            let parts: Vec<&str> = handed_on.split('-').collect();
            assert_eq!(
                (parts[0], parts[1], parts[3]),
                ("00", trace, flags),
                "whether it is collected is up to the caller"
            );
            assert_ne!(parts[2], "00f067aa0ba902b7");
        }
        for wrong in
            ["", "guess", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-é-00f067aa0ba902b7-01"]
        {
            let handed_on = handed_on(wrong).unwrap();
            assert!(!handed_on.contains("00f067aa0ba902b7") && handed_on.ends_with("-01"), "{wrong}: {handed_on}");
        }
        assert_eq!(current(), None, "nobody collects traces");
    }
}
