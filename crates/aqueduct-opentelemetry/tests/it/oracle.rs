//! What is sent is what `opentelemetry-proto` makes of the same items, as `prost` decodes it.

use std::sync::Mutex;
use std::time::Duration;

use opentelemetry::logs::LoggerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogProcessor, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SpanData, SpanProcessor as _};
use proptest::prelude::*;

use crate::collector::{Collector, PATIENCE};
use crate::generate::{logs, spans};

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

/// Remembers what the SDK lends.
#[derive(Clone, Debug, Default)]
struct Witness(std::sync::Arc<Mutex<Vec<(SdkLogRecord, InstrumentationScope)>>>);

impl LogProcessor for Witness {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.0.lock().unwrap().push((record.clone(), scope.clone()));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Maps have no order.
fn sort(value: &mut Option<AnyValue>) {
    match value.as_mut().and_then(|value| value.value.as_mut()) {
        Some(Value::KvlistValue(list)) => {
            list.values.sort_by(|a, b| a.key.cmp(&b.key));
            list.values.iter_mut().for_each(|entry| sort(&mut entry.value));
        }
        Some(Value::ArrayValue(list)) => {
            for value in &mut list.values {
                let mut inner = Some(std::mem::take(value));
                sort(&mut inner);
                *value = inner.unwrap_or_default();
            }
        }
        _ => {}
    }
}

/// Scopes with their records, each scope once, in the order of their names.
fn normal_logs(records: Vec<ResourceLogs>) -> Vec<ScopeLogs> {
    let mut scopes: Vec<ScopeLogs> = Vec::new();
    for scope in records.into_iter().flat_map(|record| record.scope_logs) {
        match scopes
            .iter_mut()
            .find(|known| (&known.scope, &known.schema_url) == (&scope.scope, &scope.schema_url))
        {
            Some(known) => known.log_records.extend(scope.log_records),
            None => scopes.push(scope),
        }
    }
    scopes.sort_by_key(|scope| format!("{:?} {}", scope.scope, scope.schema_url));
    for record in scopes.iter_mut().flat_map(|scope| &mut scope.log_records) {
        sort(&mut record.body);
        record.attributes.iter_mut().for_each(|attribute| sort(&mut attribute.value));
    }
    scopes
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

    /// Guards every field of a log record.
    #[test]
    fn logs_are_as_the_oracle_has_them(logs in logs(6)) {
        let collector = Collector::healthy();
        let telemetry = collector.handle();
        let witness = Witness::default();
        let provider = SdkLoggerProvider::builder()
            .with_resource(provider())
            .with_log_processor(witness.clone())
            .with_log_processor(telemetry.log_processor())
            .build();
        for log in logs.clone() {
            let logger = provider.logger_with_scope(log.scope.clone());
            log.emit(&logger);
        }
        let report = telemetry.shutdown(PATIENCE);
        prop_assert!(report.complete);
        prop_assert_eq!(report.delivered(), logs.len() as u64);
        let seen = witness.0.lock().unwrap();
        let lent: Vec<_> = seen.iter().map(|(record, scope)| (record, scope)).collect();
        let batch = LogBatch::new(&lent);
        let expected = group_logs_by_resource_and_scope(&batch, &ResourceAttributesWithSchema::default());
        prop_assert_eq!(normal_logs(collector.logs().resource_logs), normal_logs(expected));
    }
}
