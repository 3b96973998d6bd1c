//! What becomes of the spans: how many ended, how many arrived, and what the log is told if some did not.

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why spans are lost if no request failed.
const TOO_MANY: &str = "they ended faster than they were sent";

/// The way to one collector.
#[derive(Debug)]
pub(super) struct Delivery {
    collector: String,
    ended: AtomicU64,
    arrived: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default, Debug)]
struct State {
    /// Why a request failed last.
    why: Option<String>,
    /// Whether the log was told that spans do not arrive.
    is_told: bool,
    /// The process ends: the log is told only what was lost.
    is_ending: bool,
}

/// What is worth a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Saying {
    Nothing,
    Begins,
    IsOver,
}

impl State {
    fn next(&mut self, arrived: bool) -> Saying {
        if self.is_ending || arrived != self.is_told {
            return Saying::Nothing;
        }
        self.is_told = !arrived;
        if arrived { Saying::IsOver } else { Saying::Begins }
    }
}

impl Delivery {
    pub fn new(collector: String) -> Self {
        Self { collector, ended: AtomicU64::new(0), arrived: AtomicU64::new(0), state: Mutex::default() }
    }

    /// Keeps why a request failed.
    pub fn failed(&self, why: String) {
        self.state().why = Some(why);
    }

    /// Notes what became of a batch: once that spans do not arrive, and once that they do again.
    fn note(&self, spans: usize, arrived: bool) {
        if arrived {
            self.arrived.fetch_add(spans as u64, Ordering::Relaxed);
        }
        let mut state = self.state();
        match state.next(arrived) {
            Saying::Nothing => {}
            Saying::Begins => {
                let why = state.why.as_deref().unwrap_or_default();
                tracing::warn!(collector = self.collector, "traces do not arrive at the collector: {why}");
            }
            Saying::IsOver => {
                state.why = None;
                tracing::info!(collector = self.collector, "traces arrive at the collector again");
            }
        }
    }

    /// The process ends.
    pub fn end(&self) {
        self.state().is_ending = true;
    }

    /// Tells how many spans did not arrive, if any. `too_late`: the last ones were not sent in time.
    pub fn tell_lost(&self, too_late: Option<String>) {
        let spans = self.lost();
        if spans > 0 {
            let why = self.state().why.take().or(too_late).unwrap_or_else(|| TOO_MANY.to_owned());
            tracing::warn!(collector = self.collector, spans, "traces were lost: {why}");
        }
    }

    fn lost(&self) -> u64 {
        self.ended.load(Ordering::Relaxed).saturating_sub(self.arrived.load(Ordering::Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of the SDK that counts for [`Delivery`].
#[derive(Debug)]
pub(super) struct Noted<T> {
    pub inner: T,
    pub delivery: Arc<Delivery>,
}

impl<T: SpanProcessor> SpanProcessor for Noted<T> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.delivery.ended.fetch_add(1, Ordering::Relaxed);
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<T: SpanExporter> SpanExporter for Noted<T> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.inner.export(batch).await;
        self.delivery.note(spans, sent.is_ok());
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
    use std::sync::mpsc::{Receiver, channel};

    #[test]
    fn the_log_is_told_once_that_traces_do_not_arrive_and_once_that_they_do_again() {
        let mut state = State::default();
        let said = [true, false, false, true, true, false].map(|arrived| state.next(arrived));
        let expected =
            [Saying::Nothing, Saying::Begins, Saying::Nothing, Saying::IsOver, Saying::Nothing, Saying::Begins];
        assert_eq!(said, expected);
        state.is_ending = true;
        assert_eq!([true, false].map(|arrived| state.next(arrived)), [Saying::Nothing; 2]);
    }

    /// A collector that answers each request when it is told how.
    #[derive(Debug)]
    struct Slow(Mutex<Receiver<bool>>);

    impl SpanExporter for Slow {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            match self.0.lock().unwrap().recv() {
                Ok(true) => Ok(()),
                _ => Err(OTelSdkError::InternalFailure(String::new())),
            }
        }
    }

    #[test]
    fn what_the_queue_does_not_hold_is_dropped_at_once_and_counted() {
        let delivery = Arc::new(Delivery::new(String::new()));
        let (answer, answers) = channel();
        let exporter = Noted { inner: Slow(Mutex::new(answers)), delivery: delivery.clone() };
        let config = BatchConfigBuilder::default().with_max_queue_size(8).with_max_export_batch_size(4).build();
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let processor = Noted { inner: batches, delivery: delivery.clone() };
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let tracer = provider.tracer("");
        // Nobody answers meanwhile, so this ends only if nothing waits for an answer.
        (0..1000).for_each(|_| drop(tracer.start("a")));
        assert_eq!(delivery.lost(), 1000);
        answer.send(true).unwrap();
        drop(answer);
        provider.shutdown().unwrap();
        let arrived = 1000 - delivery.lost();
        assert!((1..=4).contains(&arrived), "one batch arrived: {arrived}");
    }
}
