//! Spans that are recorded and not sampled.

use aqueduct_opentelemetry::NotTaken;
use opentelemetry::trace::{Span as _, SpanKind, TraceId, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};

use crate::collector::{Collector, PATIENCE};

/// Records every span, and samples those that are named so.
#[derive(Clone, Debug)]
struct ByName;

impl ShouldSample for ByName {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[opentelemetry::trace::Link],
    ) -> SamplingResult {
        let decision = match name {
            "sampled" => SamplingDecision::RecordAndSample,
            "recorded" => SamplingDecision::RecordOnly,
            _ => SamplingDecision::Drop,
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state: Default::default() }
    }
}

fn run(collector: &Collector, telemetry: &aqueduct_opentelemetry::Aqueduct) -> Vec<String> {
    let provider = SdkTracerProvider::builder()
        .with_sampler(ByName)
        .with_span_processor(telemetry.span_processor())
        .build();
    let tracer = provider.tracer("test");
    for name in ["sampled", "recorded", "neither", "recorded"] {
        tracer.start(name).end();
    }
    assert!(telemetry.shutdown(PATIENCE).complete);
    collector.span_names()
}

/// Guards the rule that exporters do not get spans that are not sampled, which the SDK's batch processor breaks.
#[test]
fn recorded_spans_are_counted_and_not_exported() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    assert_eq!(run(&collector, &telemetry), ["sampled"]);
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(report.signals[0].not_taken, [(NotTaken::NotSampled, 2)]);
    assert_eq!(report.lost(), 0, "nobody wanted them");
}

/// Guards the switch.
#[test]
fn unless_somebody_says_so() {
    let collector = Collector::healthy();
    let telemetry = collector.builder().export_unsampled().build().unwrap();
    assert_eq!(run(&collector, &telemetry), ["sampled", "recorded", "recorded"]);
}
