//! A program without traces.

use crate::config::{HttpSettings, TraceSettings};
use crate::error::{Code, Error, Result};
use tracing::Span;
use tracing_subscriber::layer::Identity;

/// There are none.
pub enum Traces {}

impl Traces {
    /// # Errors
    /// `configuration_invalid`: a collector is set, and the program was built without traces.
    pub fn start(settings: &TraceSettings, _: &HttpSettings) -> Result<Option<Self>> {
        if settings.address().is_none() {
            return Ok(None);
        }
        let detail = "A collector of traces is set (OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT), and \
                      this program was built without the feature `otlp`. Unset both, or build the program with the feature.";
        Err(Error::new(Code::ConfigurationInvalid, detail))
    }

    pub fn layer(&self, _: &str) -> Identity {
        match *self {}
    }

    pub async fn stop(self) {
        match self {}
    }
}

pub fn current() -> Option<String> {
    None
}

pub fn follow(_: &Span, _: &str) {}

pub fn rename(_: &Span, _: String) {}
