//! Logs and metrics of the process: set up once, in `main` or a test.
//!
//! Log fields carry ids (`run.id`, `organization.id`) and units (`duration_ms`); no secret is ever a field.

use crate::clock::Clock;
use crate::config::{LogFormat, LogSettings};
use crate::error::{Code, Error, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// The default log filter: `info` of this service, warnings of libraries.
const DEFAULT_FILTER: &str = "warn,entra_assets=info,actix_server=warn";

/// Upper bounds in seconds for every metric whose name ends in `_seconds`.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A gauge that was not set for this long is no longer rendered.
const GAUGE_LIFE: Duration = Duration::from_secs(300);

/// How often samples are merged into the buckets.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts logging to standard error. Further calls change nothing, so each test may call it.
///
/// # Errors
/// `configuration_invalid`: the filter is not valid.
pub fn start_logging(settings: &LogSettings) -> Result<()> {
    let set = settings.log.clone().or_else(|| std::env::var("RUST_LOG").ok());
    let text = set.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    let filter = EnvFilter::try_new(&text).map_err(|error| {
        Error::new(
            Code::ConfigurationInvalid,
            format!("ENTRA_ASSETS_LOG (or RUST_LOG) `{text}` is not a valid log filter: {error}. Use for example `info` or `warn,entra_assets=debug`."),
        )
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let is_terminal = std::io::stderr().is_terminal();
    let format = settings.log_format.unwrap_or(if is_terminal { LogFormat::Text } else { LogFormat::Json });
    // The only possible error is that a subscriber is already set.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(is_terminal).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
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
    Ok(handle.insert(installed).clone())
}

/// Keeps the memory of the metrics bounded. Runs until it is dropped.
pub async fn keep_metrics_small(handle: PrometheusHandle, clock: Clock) {
    loop {
        clock.sleep(UPKEEP_EVERY).await;
        handle.run_upkeep();
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
        let error = start_logging(&settings).unwrap_err();
        assert!(error.detail.contains("entra_assets=loud"), "{error}");
    }

    #[test]
    fn the_default_filter_is_valid() {
        assert!(EnvFilter::try_new(DEFAULT_FILTER).is_ok());
    }
}
