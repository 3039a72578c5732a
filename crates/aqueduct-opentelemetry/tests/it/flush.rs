//! When spans leave: by size, by age, by a flush.

use std::time::{Duration, Instant};

use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::collector::{Collector, Manner, PATIENCE, SHORT};

/// Variables of the batch processor: nothing leaves by itself but for these reasons.
fn with(collector: &Collector, delay: &'static str, batch: &'static str) -> aqueduct_opentelemetry::Aqueduct {
    let variables = move |name: &str| match name {
        "OTEL_BSP_SCHEDULE_DELAY" => Some(delay.to_owned()),
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" => Some(batch.to_owned()),
        _ => None,
    };
    collector.builder().variables(variables).build().unwrap()
}

fn spans(provider: &SdkTracerProvider, count: usize) {
    let tracer = provider.tracer("test");
    (0..count).for_each(|_| tracer.in_span("span", |_| ()));
}

const HOUR: &str = "3600000";

/// Guards `force_flush`: nothing was sent before, all of it after.
#[test]
fn a_flush_delivers_what_waits() {
    let collector = Collector::healthy();
    let telemetry = with(&collector, HOUR, "1000");
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    spans(&provider, 3);
    assert!(collector.requests().is_empty());
    provider.force_flush().unwrap();
    assert_eq!(collector.spans().len(), 3);
    spans(&provider, 2);
    assert!(telemetry.flush(PATIENCE).complete);
    assert_eq!(collector.spans().len(), 5);
    assert_eq!(collector.requests().len(), 2);
}

/// Guards the size of batches: a full one leaves without being asked.
#[test]
fn a_full_batch_leaves() {
    let collector = Collector::healthy();
    let telemetry = with(&collector, HOUR, "4");
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    spans(&provider, 4);
    collector.wait_for(1);
    assert_eq!(collector.spans().len(), 4);
    spans(&provider, 3);
    assert!(telemetry.flush(PATIENCE).complete);
    assert_eq!((collector.requests().len(), collector.spans().len()), (2, 7));
}

/// Guards the delay: a span does not wait for others longer than that.
#[test]
fn an_old_span_leaves() {
    let collector = Collector::healthy();
    let telemetry = with(&collector, "20", "1000");
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    spans(&provider, 1);
    collector.wait_for(1);
    assert_eq!(collector.spans().len(), 1);
}

/// Guards the deadline of a flush that the SDK gives none, and that what it could not deliver is kept.
#[test]
fn a_flush_ends_in_time_and_loses_nothing() {
    let collector = Collector::new(Manner::Refusing);
    let telemetry = collector.builder().flush_timeout(SHORT).build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    spans(&provider, 5);
    let start = Instant::now();
    let error = provider.force_flush().unwrap_err();
    assert!(error.to_string().contains("Timeout"), "{error}");
    assert!(start.elapsed() < PATIENCE);
    collector.behave(Manner::Healthy);
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!((report.complete, report.delivered(), report.lost()), (true, 5, 0));
}

/// Guards the asynchronous flush: on a runtime with one thread, which the pipeline does not need.
#[tokio::test(flavor = "current_thread")]
async fn an_asynchronous_flush_delivers_what_waits() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    spans(&provider, 3);
    let report = telemetry.flush_async(PATIENCE).await;
    assert_eq!((report.complete, report.delivered()), (true, 3));
    collector.behave(Manner::Hanging);
    spans(&provider, 1);
    let report = telemetry.flush_async(SHORT).await;
    assert_eq!((report.complete, report.delivered(), report.lost()), (false, 3, 0));
    let report = telemetry.shutdown(Duration::ZERO);
    assert_eq!((report.complete, report.delivered(), report.lost()), (false, 3, 1));
}
