//! What sending causes: nothing that would be sent.

use std::sync::{Arc, Mutex, OnceLock};

use aqueduct_opentelemetry::Aqueduct;
use aqueduct_pipeline::{Attempt, Destination, Exporter};
use aqueduct_transport::{Outcome, Request, RetryPolicy};
use opentelemetry::Context;
use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::collector::PATIENCE;

/// An exporter whose libraries are instrumented: each request makes a span and a log record.
#[derive(Clone, Default)]
struct Instrumented {
    providers: Arc<OnceLock<(SdkTracerProvider, SdkLoggerProvider)>>,
    suppressed: Arc<Mutex<Vec<bool>>>,
}

impl Exporter for Instrumented {
    fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> {
        self.suppressed.lock().unwrap().push(Context::is_current_telemetry_suppressed());
        if let Some((tracers, loggers)) = self.providers.get() {
            let mut span = tracers.tracer("http client").start("POST");
            assert!(!span.is_recording());
            span.end();
            let logger = loggers.logger("http client");
            if logger.event_enabled(opentelemetry::logs::Severity::Info, "http", None) {
                logger.emit(logger.create_log_record());
            }
        }
        Box::pin(async { Outcome::Delivered })
    }
}

/// Guards against the loop that fills disks: an export makes telemetry, which is exported, which makes telemetry.
#[test]
fn exporting_makes_nothing_to_export() {
    let exporter = Instrumented::default();
    let destination = Destination::new("test", exporter.clone(), RetryPolicy::default());
    let telemetry =
        Aqueduct::builder().variables(|_| None).destination(Arc::new(destination)).build().unwrap();
    let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    let loggers = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
    exporter.providers.set((tracers.clone(), loggers.clone())).unwrap();
    tracers.tracer("shop").start("sale").end();
    assert!(telemetry.flush(PATIENCE).complete);
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!((report.complete, report.delivered(), report.lost()), (true, 1, 0));
    assert_eq!(*exporter.suppressed.lock().unwrap(), [true]);
    assert!(!Context::is_current_telemetry_suppressed(), "on the pipeline's thread only");
}
