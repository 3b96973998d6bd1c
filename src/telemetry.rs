//! Logs and metrics of the process: set up once, in `main` or a test.
//!
//! Log fields carry ids (`run.id`, `organization.id`) and units (`duration_ms`); no secret is ever a field.

use crate::clock::Clock;
use crate::config::{LogFormat, LogSettings};
use crate::error::{Code, Error, Result};
use crate::trace::{self, Traces};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

/// The default log filter: `info` of this service, warnings of libraries. The HTTP server would tell each malformed head as
/// an error, so everybody could fill the log.
const DEFAULT_FILTER: &str = "warn,entra_assets=info,actix_server=warn,actix_http=off";

/// Upper bounds in seconds for every metric whose name ends in `_seconds`.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A gauge that was not set for this long is no longer rendered.
const GAUGE_LIFE: Duration = Duration::from_secs(300);

/// How often samples are merged into the buckets.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts logging to standard error, and giving spans to `traces`. Further calls change nothing, so each test may call it.
///
/// # Errors
/// `configuration_invalid`: the filter is not valid.
pub fn start_logging(settings: &LogSettings, traces: Option<&Traces>) -> Result<()> {
    let set = settings.log.clone().or_else(|| std::env::var("RUST_LOG").ok());
    let text = set.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    let filter = EnvFilter::try_new(format!("{text},{}=off", trace::TARGET)).map_err(|error| {
        Error::new(
            Code::ConfigurationInvalid,
            format!("ENTRA_ASSETS_LOG (or RUST_LOG) `{text}` is not a valid log filter: {error}. Use for example `info` or `warn,entra_assets=debug`."),
        )
    })?;
    let log = fmt::layer()
        .with_writer(std::io::stderr)
        // Otherwise a log line that cannot be written is reported on standard error, and with `eprintln!`: if nobody
        // reads the log any more, that panics in the task that logged.
        .log_internal_errors(false);
    let is_terminal = std::io::stderr().is_terminal();
    let format = settings.log_format.unwrap_or(if is_terminal { LogFormat::Text } else { LogFormat::Json });
    let log = match format {
        LogFormat::Text => log.with_ansi(is_terminal).with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(true).with_span_list(false).with_filter(filter).boxed()
        }
    };
    let subscriber = registry().with(log);
    // The only possible error is that a subscriber is already set.
    let _ = match traces {
        Some(traces) => subscriber.with(traces.layer(trace::TARGET)).try_init(),
        None => subscriber.try_init(),
    };
    Ok(())
}

/// The metrics of the process. [`PrometheusHandle::render`] returns the text of `/metrics`. The first call installs the
/// recorder; later calls return the same one.
pub fn metrics() -> Result<PrometheusHandle> {
    static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut handle = HANDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*handle {
        return Ok(handle.clone());
    }
    let installed = PrometheusBuilder::new()
        // The gauges of ended runs disappear.
        .idle_timeout(MetricKindMask::GAUGE, Some(GAUGE_LIFE))
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(Error::internal)?
        .install_recorder()
        .map_err(Error::internal)?;
    describe();
    Ok(handle.insert(installed).clone())
}

/// The help texts of all metrics, as Prometheus shows them. The names follow its conventions
/// (<https://prometheus.io/docs/practices/naming/>): a base unit as the suffix, `_total` for counters only.
fn describe() {
    const COUNTERS: [(&str, &str); 3] = [
        ("entra_assets_graph_requests_total", "Requests to Microsoft Graph, by HTTP status."),
        (
            "entra_assets_refused_requests_total",
            "Requests refused for who sent them, by reason: no valid key, a scope is missing, too many.",
        ),
        ("http_requests_total", "Requests to the API, by method, path and HTTP status."),
    ];
    const HISTOGRAMS: [(&str, &str); 2] = [
        ("entra_assets_transaction_seconds", "Duration of the database transactions of runs, by name."),
        ("http_request_duration_seconds", "Duration of requests to the API, by method and path."),
    ];
    const GAUGES: [(&str, &str); 16] = [
        ("entra_assets_build_info", "Always 1; the label has the version."),
        ("entra_assets_graph_requests_in_flight", "Requests to Microsoft Graph whose answers are not stored yet."),
        ("entra_assets_graph_requests_in_flight_most", "The most such requests since the start of the process."),
        ("entra_assets_job_last_run_duration_seconds", "Time from start to end of the last run of a job."),
        ("entra_assets_job_last_run_state", "1 for the state in which the last run of a job ended, 0 for the others."),
        ("entra_assets_job_last_run_timestamp_seconds", "When the last run of a job ended, as Unix time."),
        ("entra_assets_job_last_success_timestamp_seconds", "When a run of a job last succeeded, as Unix time."),
        ("entra_assets_queue_oldest_seconds", "How long the oldest queued run has been due."),
        ("entra_assets_run_eta_seconds", "Expected time until the end of the stage of a running import."),
        ("entra_assets_run_objects_done", "Objects that the stage of a running import has processed."),
        ("entra_assets_run_objects_expected", "Objects that the stage of a running import has to process."),
        ("entra_assets_run_objects_per_second", "Speed of the stage of a running import."),
        ("entra_assets_run_resource_units", "Graph resource units that a running import has used."),
        ("entra_assets_run_resource_units_left", "Graph resource units that a running import still needs."),
        ("entra_assets_run_throttled_seconds", "Time that a running import has waited because Graph throttled it."),
        ("entra_assets_runs", "Runs that have not ended, by state."),
    ];
    COUNTERS.iter().for_each(|(name, help)| metrics::describe_counter!(*name, *help));
    HISTOGRAMS.iter().for_each(|(name, help)| metrics::describe_histogram!(*name, *help));
    GAUGES.iter().for_each(|(name, help)| metrics::describe_gauge!(*name, *help));
}

/// Keeps the memory of the metrics bounded, and does `more` as often. Runs until it is dropped.
pub async fn keep_up(handle: PrometheusHandle, clock: &Clock, more: impl Fn()) {
    loop {
        // Like every gauge, it expires unless it is set again.
        metrics::gauge!("entra_assets_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        clock.sleep(UPKEEP_EVERY).await;
        handle.run_upkeep();
        more();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_rendered() {
        let handle = metrics().unwrap();
        metrics::counter!("telemetry_test_total").increment(2);
        metrics::histogram!("telemetry_test_seconds").record(0.2);
        let text = metrics().unwrap().render();
        assert!(text.contains("telemetry_test_total 2"), "{text}");
        assert!(text.contains("telemetry_test_seconds_bucket{le=\"0.25\"} 1"), "{text}");
        drop(handle);
    }

    #[test]
    fn a_filter_that_is_not_valid_is_rejected() {
        let settings = LogSettings { log: Some("entra_assets=loud".to_owned()), log_format: None };
        let error = start_logging(&settings, None).unwrap_err();
        assert!(error.detail.contains("entra_assets=loud"), "{error}");
    }

    #[test]
    fn the_default_filter_is_valid() {
        assert!(EnvFilter::try_new(DEFAULT_FILTER).is_ok());
    }
}
