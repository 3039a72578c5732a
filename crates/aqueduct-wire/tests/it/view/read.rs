//! Views read into the structs of opentelemetry-proto, through every accessor: what is equal to prost's decoding then was read
//! right. Single accessors and `fields()` are compared on the way.

use crate::oracle::Request;
use aqueduct_wire::Signal;
use aqueduct_wire::view::{self, MetricData, Number, Value};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, metric, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

pub(super) fn request(signal: Signal, bytes: &[u8]) -> Request {
    match signal {
        Signal::Metrics => Request::Metrics(ExportMetricsServiceRequest {
            resource_metrics: view::Metrics::new(bytes).resource_metrics().map(resource_metrics).collect(),
        }),
        Signal::Logs => Request::Logs(ExportLogsServiceRequest {
            resource_logs: view::Logs::new(bytes).resource_logs().map(resource_logs).collect(),
        }),
        _ => Request::Traces(ExportTraceServiceRequest {
            resource_spans: view::Traces::new(bytes).resource_spans().map(resource_spans).collect(),
        }),
    }
}

fn resource_spans(record: view::ResourceSpans<'_>) -> ResourceSpans {
    ResourceSpans {
        resource: record.resource().map(resource),
        scope_spans: record
            .scope_spans()
            .map(|part| ScopeSpans {
                scope: part.scope().map(scope),
                spans: part.spans().map(span).collect(),
                schema_url: part.schema_url().into(),
            })
            .collect(),
        schema_url: record.schema_url().into(),
    }
}

fn resource_metrics(record: view::ResourceMetrics<'_>) -> ResourceMetrics {
    ResourceMetrics {
        resource: record.resource().map(resource),
        scope_metrics: record
            .scope_metrics()
            .map(|part| ScopeMetrics {
                scope: part.scope().map(scope),
                metrics: part.metrics().map(metric).collect(),
                schema_url: part.schema_url().into(),
            })
            .collect(),
        schema_url: record.schema_url().into(),
    }
}

fn resource_logs(record: view::ResourceLogs<'_>) -> ResourceLogs {
    ResourceLogs {
        resource: record.resource().map(resource),
        scope_logs: record
            .scope_logs()
            .map(|part| ScopeLogs {
                scope: part.scope().map(scope),
                log_records: part.log_records().map(log_record).collect(),
                schema_url: part.schema_url().into(),
            })
            .collect(),
        schema_url: record.schema_url().into(),
    }
}

pub(super) fn resource(view: view::Resource<'_>) -> Resource {
    Resource {
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        entity_refs: view
            .entity_refs()
            .map(|entity| EntityRef {
                schema_url: entity.schema_url().into(),
                r#type: entity.entity_type().into(),
                id_keys: entity.id_keys().map(Into::into).collect(),
                description_keys: entity.description_keys().map(Into::into).collect(),
            })
            .collect(),
    }
}

pub(super) fn scope(view: view::Scope<'_>) -> InstrumentationScope {
    InstrumentationScope {
        name: view.name().into(),
        version: view.version().into(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
    }
}

fn attributes(view: view::Attributes<'_>) -> Vec<KeyValue> {
    let mut seen = std::collections::HashSet::new();
    let read: Vec<_> = view
        .iter()
        .map(|attribute| {
            let key = attribute.key();
            assert_eq!(key.as_str(), std::str::from_utf8(key.as_bytes()).unwrap_or_default());
            if attribute.value_body().is_none() {
                assert!(matches!(attribute.value(), Value::Empty));
            }
            if seen.insert(key) && !key.as_str().is_empty() {
                let found = view.find(key.as_str()).expect("a key that is there");
                assert_eq!(bits(&value(found)), bits(&value(attribute.value())));
            }
            KeyValue {
                key: key.as_str().into(),
                value: attribute.value_body().map(|_| value(attribute.value())),
                key_strindex: attribute.key_strindex(),
            }
        })
        .collect();
    assert_eq!(view.is_empty(), read.is_empty());
    assert!(view.find("a key that no attribute has").is_none());
    read
}

/// NaN, which byte mutations make, is not equal to itself; its encoding is.
fn bits(value: &AnyValue) -> Vec<u8> {
    prost::Message::encode_to_vec(value)
}

fn value(view: Value<'_>) -> AnyValue {
    use any_value::Value::*;
    let value = match view {
        Value::Empty => None,
        Value::Str(text) => Some(StringValue(text.as_str().into())),
        Value::Bool(truth) => Some(BoolValue(truth)),
        Value::Int(number) => Some(IntValue(number)),
        Value::Double(number) => Some(DoubleValue(number)),
        Value::Bytes(bytes) => Some(BytesValue(bytes.into())),
        Value::StrIndex(index) => Some(StringValueStrindex(index)),
        Value::Array(array) => Some(ArrayValue(ArrayValue_ { values: array.iter().map(value).collect() })),
        Value::KvList(list) => Some(KvlistValue(KeyValueList { values: attributes(list.attributes()) })),
        other => panic!("a kind that the test does not know: {other:?}"),
    };
    let of =
        |expected: Option<any_value::Value>| expected == value || view.as_double().is_some_and(f64::is_nan);
    assert!(view.as_str().is_none_or(|text| of(Some(StringValue(text.into())))));
    assert!(view.as_int().is_none_or(|number| of(Some(IntValue(number)))));
    assert!(view.as_bool().is_none_or(|truth| of(Some(BoolValue(truth)))));
    assert!(view.as_double().is_none_or(|number| of(Some(DoubleValue(number)))));
    AnyValue { value }
}

type ArrayValue_ = ArrayValue;

pub(super) fn span(view: view::Span<'_>) -> Span {
    let all = view.fields();
    let span = Span {
        trace_id: view.trace_id().into(),
        span_id: view.span_id().into(),
        trace_state: view.trace_state().into(),
        parent_span_id: view.parent_span_id().into(),
        flags: view.flags(),
        name: view.name().into(),
        kind: view.kind().number(),
        start_time_unix_nano: view.start_time_unix_nano(),
        end_time_unix_nano: view.end_time_unix_nano(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        events: view.events().map(event).collect(),
        dropped_events_count: view.dropped_events_count(),
        links: view.links().map(link).collect(),
        dropped_links_count: view.dropped_links_count(),
        status: view
            .status()
            .map(|status| Status { message: status.message().into(), code: status.code().number() }),
    };
    let same = Span {
        trace_id: all.trace_id.into(),
        span_id: all.span_id.into(),
        trace_state: all.trace_state.into(),
        parent_span_id: all.parent_span_id.into(),
        flags: all.flags,
        name: all.name.into(),
        kind: all.kind.number(),
        start_time_unix_nano: all.start_time_unix_nano,
        end_time_unix_nano: all.end_time_unix_nano,
        dropped_attributes_count: all.dropped_attributes_count,
        dropped_events_count: all.dropped_events_count,
        dropped_links_count: all.dropped_links_count,
        ..Span::default()
    };
    let plain = Span { attributes: vec![], events: vec![], links: vec![], status: None, ..span.clone() };
    assert_eq!(plain, same);
    span
}

fn event(view: view::Event<'_>) -> Event {
    let all = view.fields();
    assert_eq!(all.time_unix_nano, view.time_unix_nano());
    assert_eq!(all.name, view.name());
    assert_eq!(all.dropped_attributes_count, view.dropped_attributes_count());
    Event {
        time_unix_nano: all.time_unix_nano,
        name: all.name.into(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: all.dropped_attributes_count,
    }
}

fn link(view: view::Link<'_>) -> Link {
    let all = view.fields();
    assert_eq!((all.trace_id, all.span_id), (view.trace_id(), view.span_id()));
    assert_eq!((all.trace_state, all.flags), (view.trace_state(), view.flags()));
    assert_eq!(all.dropped_attributes_count, view.dropped_attributes_count());
    Link {
        trace_id: all.trace_id.into(),
        span_id: all.span_id.into(),
        trace_state: all.trace_state.into(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: all.dropped_attributes_count,
        flags: all.flags,
    }
}

pub(super) fn log_record(view: view::LogRecord<'_>) -> LogRecord {
    let all = view.fields();
    assert_eq!(
        (all.time_unix_nano, all.observed_time_unix_nano),
        (view.time_unix_nano(), view.observed_time_unix_nano())
    );
    assert_eq!((all.severity_number, all.severity_text), (view.severity_number(), view.severity_text()));
    assert_eq!((all.dropped_attributes_count, all.flags), (view.dropped_attributes_count(), view.flags()));
    assert_eq!(
        (all.trace_id, all.span_id, all.event_name),
        (view.trace_id(), view.span_id(), view.event_name())
    );
    LogRecord {
        time_unix_nano: all.time_unix_nano,
        observed_time_unix_nano: all.observed_time_unix_nano,
        severity_number: all.severity_number.number(),
        severity_text: all.severity_text.into(),
        body: view.body().map(value),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: all.dropped_attributes_count,
        flags: all.flags,
        trace_id: all.trace_id.into(),
        span_id: all.span_id.into(),
        event_name: all.event_name.into(),
    }
}

fn metric(view: view::Metric<'_>) -> Metric {
    let all = view.fields();
    assert_eq!((all.name, all.description, all.unit), (view.name(), view.description(), view.unit()));
    let data = view.data().map(|data| match data {
        MetricData::Gauge(data) => {
            metric::Data::Gauge(Gauge { data_points: data.data_points().map(number_point).collect() })
        }
        MetricData::Sum(data) => metric::Data::Sum(Sum {
            data_points: data.data_points().map(number_point).collect(),
            aggregation_temporality: data.aggregation_temporality().number(),
            is_monotonic: data.is_monotonic(),
        }),
        MetricData::Histogram(data) => metric::Data::Histogram(Histogram {
            data_points: data.data_points().map(histogram_point).collect(),
            aggregation_temporality: data.aggregation_temporality().number(),
        }),
        MetricData::ExponentialHistogram(data) => metric::Data::ExponentialHistogram(ExponentialHistogram {
            data_points: data.data_points().map(exponential_point).collect(),
            aggregation_temporality: data.aggregation_temporality().number(),
        }),
        MetricData::Summary(data) => {
            metric::Data::Summary(Summary { data_points: data.data_points().map(summary_point).collect() })
        }
        other => panic!("a kind that the test does not know: {other:?}"),
    });
    Metric {
        name: all.name.into(),
        description: all.description.into(),
        unit: all.unit.into(),
        metadata: attributes(view.metadata()),
        data,
    }
}

fn number_point(view: view::NumberPoint<'_>) -> NumberDataPoint {
    let all = view.fields();
    assert_eq!(
        (all.start_time_unix_nano, all.time_unix_nano),
        (view.start_time_unix_nano(), view.time_unix_nano())
    );
    assert_eq!((format!("{:?}", all.value), all.flags), (format!("{:?}", view.value()), view.flags()));
    NumberDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: all.start_time_unix_nano,
        time_unix_nano: all.time_unix_nano,
        exemplars: view.exemplars().map(exemplar).collect(),
        flags: all.flags,
        value: all.value.map(|value| match value {
            Number::Int(number) => number_data_point::Value::AsInt(number),
            Number::Double(number) => number_data_point::Value::AsDouble(number),
            other => panic!("a kind that the test does not know: {other:?}"),
        }),
    }
}

fn histogram_point(view: view::HistogramPoint<'_>) -> HistogramDataPoint {
    let all = view.fields();
    assert_eq!(
        (all.start_time_unix_nano, all.time_unix_nano),
        (view.start_time_unix_nano(), view.time_unix_nano())
    );
    assert_eq!((all.count, all.flags), (view.count(), view.flags()));
    let optional = |all: [Option<f64>; 3]| all.map(|number| number.map(f64::to_bits));
    assert_eq!(optional([all.sum, all.min, all.max]), optional([view.sum(), view.min(), view.max()]));
    HistogramDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: all.start_time_unix_nano,
        time_unix_nano: all.time_unix_nano,
        count: all.count,
        sum: all.sum,
        bucket_counts: view.bucket_counts().collect(),
        explicit_bounds: view.explicit_bounds().collect(),
        exemplars: view.exemplars().map(exemplar).collect(),
        flags: all.flags,
        min: all.min,
        max: all.max,
    }
}

fn exponential_point(view: view::ExponentialHistogramPoint<'_>) -> ExponentialHistogramDataPoint {
    let all = view.fields();
    assert_eq!(
        (all.start_time_unix_nano, all.time_unix_nano),
        (view.start_time_unix_nano(), view.time_unix_nano())
    );
    assert_eq!((all.count, all.scale, all.zero_count), (view.count(), view.scale(), view.zero_count()));
    assert_eq!(all.flags, view.flags());
    assert_eq!(all.zero_threshold.to_bits(), view.zero_threshold().to_bits());
    let optional = |all: [Option<f64>; 3]| all.map(|number| number.map(f64::to_bits));
    assert_eq!(optional([all.sum, all.min, all.max]), optional([view.sum(), view.min(), view.max()]));
    let buckets = |buckets: view::Buckets<'_>| Buckets {
        offset: buckets.offset(),
        bucket_counts: buckets.bucket_counts().collect(),
    };
    ExponentialHistogramDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: all.start_time_unix_nano,
        time_unix_nano: all.time_unix_nano,
        count: all.count,
        sum: all.sum,
        scale: all.scale,
        zero_count: all.zero_count,
        positive: view.positive().map(buckets),
        negative: view.negative().map(buckets),
        flags: all.flags,
        exemplars: view.exemplars().map(exemplar).collect(),
        min: all.min,
        max: all.max,
        zero_threshold: all.zero_threshold,
    }
}

fn summary_point(view: view::SummaryPoint<'_>) -> SummaryDataPoint {
    let all = view.fields();
    assert_eq!(
        (all.start_time_unix_nano, all.time_unix_nano),
        (view.start_time_unix_nano(), view.time_unix_nano())
    );
    assert_eq!((all.count, all.flags), (view.count(), view.flags()));
    assert_eq!(all.sum.to_bits(), view.sum().to_bits());
    let quantile = |quantile: view::Quantile<'_>| ValueAtQuantile {
        quantile: quantile.quantile(),
        value: quantile.value(),
    };
    SummaryDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: all.start_time_unix_nano,
        time_unix_nano: all.time_unix_nano,
        count: all.count,
        sum: all.sum,
        quantile_values: view.quantile_values().map(quantile).collect(),
        flags: all.flags,
    }
}

fn exemplar(view: view::Exemplar<'_>) -> Exemplar {
    let all = view.fields();
    assert_eq!(
        (all.time_unix_nano, all.span_id, all.trace_id),
        (view.time_unix_nano(), view.span_id(), view.trace_id())
    );
    assert_eq!(format!("{:?}", all.value), format!("{:?}", view.value()));
    Exemplar {
        filtered_attributes: attributes(view.filtered_attributes()),
        time_unix_nano: all.time_unix_nano,
        span_id: all.span_id.into(),
        trace_id: all.trace_id.into(),
        value: all.value.map(|value| match value {
            Number::Int(number) => exemplar::Value::AsInt(number),
            Number::Double(number) => exemplar::Value::AsDouble(number),
            other => panic!("a kind that the test does not know: {other:?}"),
        }),
    }
}
