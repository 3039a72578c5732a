//! The plain exporters behind the SDK's own processors, and what their completion means.

use aqueduct_opentelemetry::{Completion, NotTaken, Redaction, Verdict};
use opentelemetry::KeyValue;
use opentelemetry::logs::{LogRecord as _, Logger, LoggerProvider};
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as _};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tokio::runtime::Builder;

use crate::collector::{Collector, Manner, PATIENCE, SHORT};
use crate::generate::span;

fn batch(spans: usize) -> Vec<SpanData> {
    let mut runner = TestRunner::deterministic();
    let sampled = span().prop_filter("sampled", |span| span.span_context.is_sampled());
    (0..spans).map(|_| sampled.new_tree(&mut runner).unwrap().current()).collect()
}

/// Runs a future as the SDK's processors do, on a thread without a runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    // Without timers: the exporter has none of its own.
    Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Guards the stock batch processor over us: its flush is done when the collector has the data, because the export is.
#[test]
fn on_delivery_a_flush_of_the_stock_processor_delivers() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let provider = SdkTracerProvider::builder().with_batch_exporter(telemetry.span_exporter()).build();
    provider.tracer("test").in_span("one", |_| ());
    provider.force_flush().unwrap();
    assert_eq!(collector.span_names(), ["one"]);
    provider.tracer("test").in_span("two", |_| ());
    provider.shutdown().unwrap();
    assert_eq!(collector.span_names(), ["one", "two"]);
    assert_eq!(telemetry.shutdown(PATIENCE).delivered(), 2);
}

/// Guards the other completion: the stock processor's flush is done when the pipeline has the data; a flush of the handle delivers.
#[test]
fn on_enqueue_a_flush_of_the_handle_delivers() {
    let collector = Collector::new(Manner::Hanging);
    let telemetry = collector.handle();
    let exporter = telemetry.span_exporter().completion(Completion::OnEnqueue);
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    provider.tracer("test").in_span("one", |_| ());
    provider.force_flush().unwrap();
    assert!(collector.requests().is_empty());
    let report = telemetry.flush(SHORT);
    assert_eq!((report.complete, report.signals[0].lane.ledger.accepted), (false, 1));
    telemetry.shutdown(SHORT);

    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let exporter = telemetry.span_exporter().completion(Completion::OnEnqueue);
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    provider.tracer("test").in_span("one", |_| ());
    provider.force_flush().unwrap();
    assert!(telemetry.flush(PATIENCE).complete);
    assert_eq!(collector.span_names(), ["one"]);
}

/// Guards what an export says: the truth, and in time.
#[test]
fn an_export_tells_what_became_of_it() {
    let collector = Collector::healthy();
    let telemetry = collector.builder().flush_timeout(SHORT).build().unwrap();
    let exporter = telemetry.span_exporter();
    block_on(exporter.export(batch(3))).unwrap();
    assert_eq!(collector.spans().len(), 3);
    collector.behave(Manner::Rejecting);
    let error = block_on(exporter.export(batch(3))).unwrap_err();
    assert!(error.to_string().ends_with("the batch was dropped: permanent"), "{error}");
    collector.behave(Manner::Refusing);
    let error = block_on(exporter.export(batch(3))).unwrap_err();
    assert!(matches!(error, OTelSdkError::Timeout(SHORT)), "{error}");
    // It was kept all the same.
    collector.behave(Manner::Healthy);
    let report = telemetry.flush(PATIENCE);
    assert_eq!((report.delivered(), report.lost()), (6, 3));
    exporter.shutdown_with_timeout(PATIENCE).unwrap();
    assert!(matches!(block_on(exporter.export(batch(2))), Err(OTelSdkError::AlreadyShutdown)));
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(report.signals[0].not_taken, [(NotTaken::AlreadyShutdown, 2)]);
}

/// Guards a large batch: it goes in parts, all of them.
#[test]
fn a_large_batch_is_delivered() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let mut spans = batch(1);
    spans[0].name = "x".repeat(2_000).into();
    let spans: Vec<_> = std::iter::repeat_n(spans.remove(0), 2_000).collect();
    block_on(telemetry.span_exporter().export(spans)).unwrap();
    assert_eq!(telemetry.shutdown(PATIENCE).delivered(), 2_000);
    assert_eq!(collector.spans().len(), 2_000);
}

/// Guards the rule for spans that are not sampled here too: the stock batch processor hands them over.
#[test]
fn unsampled_spans_are_not_exported() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let mut spans = batch(1);
    spans[0].span_context = opentelemetry::trace::SpanContext::empty_context();
    block_on(telemetry.span_exporter().export(spans)).unwrap();
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(report.signals[0].not_taken, [(NotTaken::NotSampled, 1)]);
    assert!(collector.requests().is_empty());
}

/// Guards the hooks behind the stock processor: they decide about single spans, and one that panics costs the span that it looked at.
#[test]
fn hooks_decide_about_single_spans() {
    let collector = Collector::healthy();
    let builder = collector
        .builder()
        .filter_spans(|span| if span.name == "left out" { Verdict::Drop } else { Verdict::Export });
    let builder = builder.redact(|key, _| {
        assert_ne!(key, "bad");
        Redaction::Keep
    });
    let telemetry = builder.build().unwrap();
    let mut spans = batch(4);
    for (span, name) in spans.iter_mut().zip(["one", "left out", "panics", "two"]) {
        span.name = name.into();
    }
    spans[2].attributes = vec![KeyValue::new("bad", 1)];
    block_on(telemetry.span_exporter().export(spans)).unwrap();
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(collector.span_names(), ["one", "two"]);
    assert_eq!(report.signals[0].not_taken, [(NotTaken::Filtered, 1), (NotTaken::Panicked, 1)]);
}

/// Guards the exporter of log records behind the stock batch processor.
#[test]
fn log_records_behind_the_stock_processor() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let provider = SdkLoggerProvider::builder().with_batch_exporter(telemetry.log_exporter()).build();
    let logger = provider.logger("test");
    for _ in 0..3 {
        let mut record = logger.create_log_record();
        record.set_body("text".into());
        logger.emit(record);
    }
    provider.force_flush().unwrap();
    let records = collector.logs().resource_logs.remove(0).scope_logs.remove(0).log_records;
    assert_eq!(records.len(), 3);
    provider.shutdown().unwrap();
    assert_eq!(telemetry.shutdown(PATIENCE).delivered(), 3);
}
