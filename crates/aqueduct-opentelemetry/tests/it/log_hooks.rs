//! Limits, filters and redactors of log records.

use std::collections::HashMap;

use aqueduct_opentelemetry::{NotTaken, RandomIds, Redaction, Verdict};
use opentelemetry::Key;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::IdGenerator;

use crate::collector::{Collector, PATIENCE};

fn emit(
    provider: &SdkLoggerProvider,
    severity: Severity,
    body: &'static str,
    attributes: Vec<(Key, AnyValue)>,
) {
    let logger = provider.logger("test");
    let mut record = logger.create_log_record();
    record.set_severity_number(severity);
    record.set_body(body.into());
    record.add_attributes(attributes);
    logger.emit(record);
}

fn sent(collector: &Collector) -> Vec<LogRecord> {
    let resources = collector.logs().resource_logs.into_iter();
    resources.flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records).collect()
}

/// Guards the limits: attributes are cut, in lists and maps too, and bodies are not.
#[test]
fn limits() {
    let collector = Collector::healthy();
    let variables = |name: &str| {
        let value = match name {
            "OTEL_ATTRIBUTE_COUNT_LIMIT" => "3",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT" => "9",
            "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT" => "2",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let telemetry = collector.builder().variables(variables).build().unwrap();
    let provider = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
    let long = || AnyValue::from("LONGTEXT");
    let map: HashMap<Key, AnyValue> = [("k".into(), long())].into();
    let attributes = vec![
        ("bytes".into(), AnyValue::Bytes(Box::new(b"LONGTEXT".to_vec()))),
        ("list".into(), AnyValue::ListAny(Box::new(vec![long()]))),
        ("map".into(), AnyValue::Map(Box::new(map))),
        ("left out".into(), long()),
        ("too".into(), long()),
    ];
    emit(&provider, Severity::Info, "a body of any length", attributes);
    assert!(telemetry.shutdown(PATIENCE).complete);
    let record = sent(&collector).remove(0);
    assert_eq!((record.attributes.len(), record.dropped_attributes_count), (3, 2));
    assert!(format!("{:?}", record.body).contains("a body of any length"));
    let shown = format!("{:?}", record.attributes);
    assert!(!shown.contains("LON") && !shown.contains("76, 79, 78"), "{shown}");
    assert_eq!(shown.matches("\"LO\"").count(), 2, "{shown}");
}

/// Guards the filter and the redactor, at any depth and of the body.
#[test]
fn hooks() {
    let collector = Collector::healthy();
    let builder = collector.builder().filter_logs(|record, scope| {
        assert_eq!(scope.name(), "test");
        match record.severity_number() {
            Some(Severity::Debug) => Verdict::Drop,
            Some(Severity::Fatal) => panic!("as a filter should not"),
            _ => Verdict::Export,
        }
    });
    let builder = builder.redact(|key, _| match key {
        "log.body" => Redaction::Replace("a body".into()),
        "password" => Redaction::Omit,
        _ => Redaction::Keep,
    });
    let telemetry = builder.build().unwrap();
    let provider = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
    let attributes = || {
        let map: HashMap<Key, AnyValue> =
            [("password".into(), "s3cret".into()), ("k".into(), 1.into())].into();
        vec![("map".into(), AnyValue::Map(Box::new(map))), ("password".into(), "s3cret".into())]
    };
    for severity in [Severity::Info, Severity::Debug, Severity::Fatal] {
        emit(&provider, severity, "s3cret", attributes());
    }
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(report.signals[0].not_taken, [(NotTaken::Filtered, 1), (NotTaken::Panicked, 1)]);
    let records = sent(&collector);
    assert_eq!(records.len(), 1);
    let shown = format!("{records:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("password"), "{shown}");
    assert!(shown.contains("a body") && shown.contains("\"k\""), "{shown}");
}

/// Guards the flag `random` of records: they have it where the spans of their trace have it.
#[test]
fn records_say_that_the_id_of_their_trace_is_random() {
    let collector = Collector::healthy();
    let telemetry = collector.builder().build().unwrap();
    let provider = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
    let logger = provider.logger("test");
    for trace in [RandomIds::new().new_trace_id(), TraceId::from(7)] {
        let mut record = logger.create_log_record();
        record.set_trace_context(trace, SpanId::from(1), Some(TraceFlags::SAMPLED));
        logger.emit(record);
    }
    assert!(telemetry.shutdown(PATIENCE).complete);
    assert_eq!(sent(&collector).iter().map(|record| record.flags).collect::<Vec<_>>(), [0x03, 0x01]);
}
