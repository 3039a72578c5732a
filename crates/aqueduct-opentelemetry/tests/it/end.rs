//! The end: of a processor, of a handle, and what comes after.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_metrics::DropReason;
use aqueduct_opentelemetry::{Aqueduct, NotTaken};
use aqueduct_pipeline::{Attempt, Destination, Exporter};
use aqueduct_transport::{Outcome, Request, RetryPolicy};
use aqueduct_wire::Signal;
use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanProcessor as _};
use tokio::sync::Notify;

use crate::collector::{Collector, Manner, PATIENCE, SHORT};
use crate::generate::a_span;

/// Guards that a shutdown delivers, that a second one says so, and that what comes after it is counted.
#[test]
fn a_processor_ends_once() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let processor = telemetry.span_processor();
    processor.on_end(a_span(true));
    processor.shutdown_with_timeout(PATIENCE).unwrap();
    assert_eq!(collector.spans().len(), 1);
    assert!(matches!(processor.shutdown_with_timeout(PATIENCE), Err(OTelSdkError::AlreadyShutdown)));
    assert!(matches!(processor.force_flush(), Err(OTelSdkError::AlreadyShutdown)));
    (0..3).for_each(|_| processor.on_end(a_span(true)));
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(report.signals[0].not_taken, [(NotTaken::AlreadyShutdown, 3)]);
    assert_eq!((report.complete, report.delivered(), report.lost()), (true, 1, 3));
}

/// Guards two providers on one handle: the first that ends takes nothing from the other.
#[test]
fn a_pipeline_ends_with_its_last_processor() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let (first, second) = (telemetry.span_processor(), telemetry.span_processor());
    first.on_end(a_span(true));
    first.shutdown_with_timeout(PATIENCE).unwrap();
    assert_eq!(collector.spans().len(), 1, "delivered all the same");
    second.on_end(a_span(true));
    second.shutdown_with_timeout(PATIENCE).unwrap();
    assert_eq!(collector.spans().len(), 2);
    let third = telemetry.span_processor();
    third.on_end(a_span(true));
    assert_eq!(telemetry.shutdown(PATIENCE).signals[0].not_taken, [(NotTaken::AlreadyShutdown, 1)]);
}

/// Guards the account of a shutdown that runs out of time: nothing is lost without being counted.
#[test]
fn what_is_given_up_is_counted() {
    for manner in [Manner::Refusing, Manner::Hanging] {
        let collector = Collector::new(manner);
        let telemetry = collector.handle();
        let processor = telemetry.span_processor();
        (0..7).for_each(|_| processor.on_end(a_span(true)));
        let error = processor.shutdown_with_timeout(SHORT).unwrap_err();
        assert!(matches!(error, OTelSdkError::Timeout(_)), "{error}");
        let report = telemetry.shutdown(SHORT);
        let ledger = &report.signals[0].lane.ledger;
        let given_up = ledger.dropped(DropReason::Shutdown) + ledger.dropped(DropReason::UnknownOutcome);
        assert_eq!((ledger.accepted, given_up, ledger.held()), (7, 7, 0), "{manner:?}");
        assert_eq!(report.lost(), 7);
    }
}

/// Takes spans only when log records have come.
struct SpansAfterLogs(Notify);

impl Exporter for SpansAfterLogs {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        let waits = request.signal() == Signal::Traces;
        Box::pin(async move {
            if waits {
                self.0.notified().await;
            } else {
                self.0.notify_one();
            }
            Outcome::Delivered
        })
    }
}

/// Guards the signals from one another: all are sent at once, in a flush and in a shutdown. One after the other, the first would use up the deadline here, and nothing of the second would have
/// left.
#[test]
fn a_signal_that_hangs_costs_the_others_nothing() {
    for end in ["flush", "shutdown"] {
        let spans_after_logs = SpansAfterLogs(Notify::new());
        let destination = Destination::new("test", spans_after_logs, RetryPolicy::default());
        // Nothing leaves by itself.
        let an_hour = |name: &str| name.ends_with("_SCHEDULE_DELAY").then(|| "3600000".to_owned());
        let builder = Aqueduct::builder().variables(an_hour).destination(Arc::new(destination));
        let telemetry = builder.build().unwrap();
        let processor = telemetry.span_processor();
        processor.on_end(a_span(true));
        let logs = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
        let logger = logs.logger("test");
        logger.emit(logger.create_log_record());
        let report = match end {
            "flush" => telemetry.flush(PATIENCE),
            _ => telemetry.shutdown(PATIENCE),
        };
        assert_eq!((report.complete, report.delivered()), (true, 2), "{end}: {report}");
        telemetry.shutdown(Duration::ZERO);
    }
}

/// Guards rejections: they are lost, and told.
#[test]
fn what_is_rejected_is_counted() {
    let collector = Collector::new(Manner::Rejecting);
    let telemetry = collector.handle();
    let processor = telemetry.span_processor();
    processor.on_end(a_span(true));
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!((report.complete, report.delivered(), report.lost()), (true, 0, 1));
    assert!(report.to_string().contains("1 dropped (permanent)"), "{report}");
}

/// Guards a full memory limit: what is not taken is counted, and with the rest it is everything.
#[test]
fn what_finds_no_room_is_counted() {
    let collector = Collector::new(Manner::Hanging);
    let telemetry = collector.builder().memory_limit(64 << 10).build().unwrap();
    let processor = telemetry.span_processor();
    let span = a_span(true);
    let all = 20_000;
    (0..all).for_each(|_| processor.on_end(span.clone()));
    let report = telemetry.shutdown(SHORT);
    let signal = &report.signals[0];
    let [(NotTaken::QueueFull, full)] = signal.not_taken[..] else { panic!("{:?}", signal.not_taken) };
    assert!(full > 0 && full < all);
    assert_eq!(signal.lane.ledger.accepted + full, all);
    assert_eq!(report.lost(), all);
}

/// Guards the end of a program that shuts nothing down: dropping delivers.
#[test]
fn dropping_delivers() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    provider.tracer("test").in_span("one", |_| ());
    drop(telemetry);
    drop(provider);
    assert_eq!(collector.span_names(), ["one"]);

    let telemetry = collector.handle();
    let processor = telemetry.span_processor();
    processor.on_end(a_span(true));
    drop(processor);
    drop(telemetry);
    assert_eq!(collector.spans().len(), 2);
}

/// Guards a handle that was never used.
#[test]
fn nothing_used_ends_at_once() {
    let telemetry = Collector::new(Manner::Hanging).handle();
    assert!(telemetry.flush(PATIENCE).complete);
    let report = telemetry.shutdown(PATIENCE);
    assert!(report.complete && report.signals.is_empty());
    assert!(telemetry.health().is_healthy());
}

/// Guards `OTEL_SDK_DISABLED`: nothing is started, and what is handed over is counted.
#[test]
fn switched_off() {
    let collector = Collector::healthy();
    let variables = |name: &str| (name == "OTEL_SDK_DISABLED").then(|| "TRUE".to_owned());
    let telemetry = collector.builder().variables(variables).build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    provider.tracer("test").in_span("one", |_| ());
    provider.force_flush().unwrap();
    provider.shutdown().unwrap();
    assert!(telemetry.shutdown(PATIENCE).complete);
    assert!(collector.requests().is_empty());
}
