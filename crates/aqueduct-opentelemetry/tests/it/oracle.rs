//! What is sent is what `opentelemetry-proto` makes of the same items, as `prost` decodes it.

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanProcessor as _};
use proptest::prelude::*;

use crate::collector::{Collector, PATIENCE};
use crate::generate::spans;

/// One resource, its attributes in order: a map of the SDK's has none.
fn provider() -> Resource {
    let attributes = [KeyValue::new("service.name", "shop"), KeyValue::new("k", 7)];
    Resource::builder_empty().with_schema_url(attributes, "https://example/2").build()
}

/// Scopes with their spans, each scope once; statuses that say nothing left out.
fn normal(records: Vec<ResourceSpans>) -> Vec<ScopeSpans> {
    let mut scopes: Vec<ScopeSpans> = Vec::new();
    for scope in records.into_iter().flat_map(|record| record.scope_spans) {
        match scopes
            .iter_mut()
            .find(|known| (&known.scope, &known.schema_url) == (&scope.scope, &scope.schema_url))
        {
            Some(known) => known.spans.extend(scope.spans),
            None => scopes.push(scope),
        }
    }
    for span in scopes.iter_mut().flat_map(|scope| &mut scope.spans) {
        span.status = span.status.take().filter(|status| *status != Default::default());
    }
    scopes
}

fn expected(spans: Vec<SpanData>) -> Vec<ScopeSpans> {
    normal(group_spans_by_resource_and_scope(spans, &ResourceAttributesWithSchema::default()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards every field of a span.
    #[test]
    fn spans_are_as_the_oracle_has_them(spans in spans(6)) {
        let collector = Collector::healthy();
        let telemetry = collector.builder().export_unsampled().build().unwrap();
        let mut processor = telemetry.span_processor();
        processor.set_resource(&provider());
        spans.iter().for_each(|span| processor.on_end(span.clone()));
        let report = telemetry.shutdown(PATIENCE);
        prop_assert!(report.complete);
        prop_assert_eq!(report.delivered(), spans.len() as u64);
        prop_assert_eq!(normal(collector.traces().resource_spans), expected(spans));
    }
}
