//! The messages of opentelemetry-proto as sources of the encoder.

use aqueduct_wire::encode::{
    ArraySink, AttributeSink, BucketsSink, ChunkBuilder, CountSink, DataSink, DoubleSink, EntityRef,
    EventSink, EventSource, ExemplarSink, ExemplarSource, ExponentialHistogramPointSource,
    HistogramPointSource, LinkSink, LinkSource, LogSource, MetricSource, Number, NumberPointSource,
    PointSource, QuantileSink, ResourcePrefix, ScopePrefix, SpanSource, StatusRef, SummaryPointSource,
    ValueRef, ValueSink,
};
use aqueduct_wire::{Chunk, Signal};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
    exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};

use crate::oracle::Request;

/// A message on loan.
pub(crate) struct Lent<'a, T>(pub(crate) &'a T);

fn id<const LEN: usize>(id: &[u8]) -> Option<[u8; LEN]> {
    (!id.is_empty()).then(|| id.try_into().expect("ids have their length"))
}

pub(crate) fn with_value(value: &AnyValue, then: &mut dyn FnMut(ValueRef<'_>)) {
    match &value.value {
        None => then(ValueRef::Empty),
        Some(Value::StringValue(value)) => then(ValueRef::Str(value)),
        Some(Value::BoolValue(value)) => then(ValueRef::Bool(*value)),
        Some(Value::IntValue(value)) => then(ValueRef::Int(*value)),
        Some(Value::DoubleValue(value)) => then(ValueRef::Double(*value)),
        Some(Value::BytesValue(value)) => then(ValueRef::Bytes(value)),
        Some(Value::ArrayValue(list)) => then(ValueRef::Array(&|array: &mut ArraySink<'_>| {
            list.values.iter().for_each(|value| with_value(value, &mut |value| array.push(value)));
        })),
        Some(Value::KvlistValue(list)) => {
            then(ValueRef::KvList(&|out: &mut AttributeSink<'_>| put_attributes(&list.values, out)));
        }
        Some(other) => panic!("not written: {other:?}"),
    }
}

pub(crate) fn put_attributes(attributes: &[KeyValue], out: &mut AttributeSink<'_>) {
    for attribute in attributes {
        match &attribute.value {
            Some(value) => with_value(value, &mut |value| out.push(&attribute.key, value)),
            None => out.push(&attribute.key, ValueRef::Empty),
        }
    }
}

impl SpanSource for Lent<'_, Span> {
    fn trace_id(&self) -> [u8; 16] {
        id(&self.0.trace_id).expect("spans have ids")
    }
    fn span_id(&self) -> [u8; 8] {
        id(&self.0.span_id).expect("spans have ids")
    }
    fn name(&self) -> &str {
        &self.0.name
    }
    fn trace_state(&self) -> &str {
        &self.0.trace_state
    }
    fn parent_span_id(&self) -> Option<[u8; 8]> {
        id(&self.0.parent_span_id)
    }
    fn kind(&self) -> i32 {
        self.0.kind
    }
    fn start_time_unix_nano(&self) -> u64 {
        self.0.start_time_unix_nano
    }
    fn end_time_unix_nano(&self) -> u64 {
        self.0.end_time_unix_nano
    }
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.0.attributes, out);
    }
    fn dropped_attributes_count(&self) -> u32 {
        self.0.dropped_attributes_count
    }
    fn events(&self, out: &mut EventSink<'_>) {
        self.0.events.iter().for_each(|event| out.push(&Lent(event)));
    }
    fn dropped_events_count(&self) -> u32 {
        self.0.dropped_events_count
    }
    fn links(&self, out: &mut LinkSink<'_>) {
        self.0.links.iter().for_each(|link| out.push(&Lent(link)));
    }
    fn dropped_links_count(&self) -> u32 {
        self.0.dropped_links_count
    }
    fn status(&self) -> Option<StatusRef<'_>> {
        self.0.status.as_ref().map(|status| StatusRef { code: status.code, message: &status.message })
    }
    fn flags(&self) -> u32 {
        self.0.flags
    }
}

impl EventSource for Lent<'_, Event> {
    fn name(&self) -> &str {
        &self.0.name
    }
    fn time_unix_nano(&self) -> u64 {
        self.0.time_unix_nano
    }
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.0.attributes, out);
    }
    fn dropped_attributes_count(&self) -> u32 {
        self.0.dropped_attributes_count
    }
}

impl LinkSource for Lent<'_, Link> {
    fn trace_id(&self) -> Option<[u8; 16]> {
        id(&self.0.trace_id)
    }
    fn span_id(&self) -> Option<[u8; 8]> {
        id(&self.0.span_id)
    }
    fn trace_state(&self) -> &str {
        &self.0.trace_state
    }
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.0.attributes, out);
    }
    fn dropped_attributes_count(&self) -> u32 {
        self.0.dropped_attributes_count
    }
    fn flags(&self) -> u32 {
        self.0.flags
    }
}

impl LogSource for Lent<'_, LogRecord> {
    fn time_unix_nano(&self) -> u64 {
        self.0.time_unix_nano
    }
    fn observed_time_unix_nano(&self) -> u64 {
        self.0.observed_time_unix_nano
    }
    fn severity_number(&self) -> i32 {
        self.0.severity_number
    }
    fn severity_text(&self) -> &str {
        &self.0.severity_text
    }
    fn body(&self, out: ValueSink<'_>) {
        if let Some(body) = &self.0.body {
            let mut out = Some(out);
            with_value(body, &mut |value| out.take().expect("one value").put(value));
        }
    }
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.0.attributes, out);
    }
    fn dropped_attributes_count(&self) -> u32 {
        self.0.dropped_attributes_count
    }
    fn flags(&self) -> u32 {
        self.0.flags
    }
    fn trace_id(&self) -> Option<[u8; 16]> {
        id(&self.0.trace_id)
    }
    fn span_id(&self) -> Option<[u8; 8]> {
        id(&self.0.span_id)
    }
    fn event_name(&self) -> &str {
        &self.0.event_name
    }
}

impl MetricSource for Lent<'_, Metric> {
    fn name(&self) -> &str {
        &self.0.name
    }
    fn description(&self) -> &str {
        &self.0.description
    }
    fn unit(&self) -> &str {
        &self.0.unit
    }
    fn data(&self, out: DataSink<'_>) {
        match &self.0.data {
            None => {}
            Some(Data::Gauge(data)) => {
                out.gauge(|points| data.data_points.iter().for_each(|point| points.push(&Lent(point))));
            }
            Some(Data::Sum(data)) => out.sum(data.aggregation_temporality, data.is_monotonic, |points| {
                data.data_points.iter().for_each(|point| points.push(&Lent(point)));
            }),
            Some(Data::Histogram(data)) => out.histogram(data.aggregation_temporality, |points| {
                data.data_points.iter().for_each(|point| points.push(&Lent(point)));
            }),
            Some(Data::ExponentialHistogram(data)) => {
                out.exponential_histogram(data.aggregation_temporality, |points| {
                    data.data_points.iter().for_each(|point| points.push(&Lent(point)));
                });
            }
            Some(Data::Summary(data)) => {
                out.summary(|points| data.data_points.iter().for_each(|point| points.push(&Lent(point))));
            }
        }
    }
    fn metadata(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.0.metadata, out);
    }
}

macro_rules! point {
    ($($point:ident $(with $exemplars:ident)?),+) => {$(
        impl PointSource for Lent<'_, $point> {
            fn start_time_unix_nano(&self) -> u64 {
                self.0.start_time_unix_nano
            }
            fn time_unix_nano(&self) -> u64 {
                self.0.time_unix_nano
            }
            fn attributes(&self, out: &mut AttributeSink<'_>) {
                put_attributes(&self.0.attributes, out);
            }
            $(fn exemplars(&self, out: &mut ExemplarSink<'_>) {
                self.0.$exemplars.iter().for_each(|exemplar| out.push(&Lent(exemplar)));
            })?
            fn flags(&self) -> u32 {
                self.0.flags
            }
        }
    )+};
}

point!(
    NumberDataPoint with exemplars,
    HistogramDataPoint with exemplars,
    ExponentialHistogramDataPoint with exemplars,
    SummaryDataPoint
);

impl NumberPointSource for Lent<'_, NumberDataPoint> {
    fn value(&self) -> Option<Number> {
        self.0.value.map(|value| match value {
            number_data_point::Value::AsInt(value) => Number::Int(value),
            number_data_point::Value::AsDouble(value) => Number::Double(value),
        })
    }
}

impl HistogramPointSource for Lent<'_, HistogramDataPoint> {
    fn count(&self) -> u64 {
        self.0.count
    }
    fn sum(&self) -> Option<f64> {
        self.0.sum
    }
    fn bucket_counts(&self, out: &mut CountSink<'_>) {
        out.extend(&self.0.bucket_counts);
    }
    fn explicit_bounds(&self, out: &mut DoubleSink<'_>) {
        out.extend(&self.0.explicit_bounds);
    }
    fn min(&self) -> Option<f64> {
        self.0.min
    }
    fn max(&self) -> Option<f64> {
        self.0.max
    }
}

fn put_buckets(buckets: Option<&Buckets>, out: BucketsSink<'_>) {
    if let Some(buckets) = buckets {
        out.put(buckets.offset, |counts| counts.extend(&buckets.bucket_counts));
    }
}

impl ExponentialHistogramPointSource for Lent<'_, ExponentialHistogramDataPoint> {
    fn count(&self) -> u64 {
        self.0.count
    }
    fn sum(&self) -> Option<f64> {
        self.0.sum
    }
    fn scale(&self) -> i32 {
        self.0.scale
    }
    fn zero_count(&self) -> u64 {
        self.0.zero_count
    }
    fn positive(&self, out: BucketsSink<'_>) {
        put_buckets(self.0.positive.as_ref(), out);
    }
    fn negative(&self, out: BucketsSink<'_>) {
        put_buckets(self.0.negative.as_ref(), out);
    }
    fn min(&self) -> Option<f64> {
        self.0.min
    }
    fn max(&self) -> Option<f64> {
        self.0.max
    }
    fn zero_threshold(&self) -> f64 {
        self.0.zero_threshold
    }
}

impl SummaryPointSource for Lent<'_, SummaryDataPoint> {
    fn count(&self) -> u64 {
        self.0.count
    }
    fn sum(&self) -> f64 {
        self.0.sum
    }
    fn quantile_values(&self, out: &mut QuantileSink<'_>) {
        self.0.quantile_values.iter().for_each(|at| out.push(at.quantile, at.value));
    }
}

impl ExemplarSource for Lent<'_, Exemplar> {
    fn value(&self) -> Option<Number> {
        self.0.value.map(|value| match value {
            exemplar::Value::AsInt(value) => Number::Int(value),
            exemplar::Value::AsDouble(value) => Number::Double(value),
        })
    }
    fn time_unix_nano(&self) -> u64 {
        self.0.time_unix_nano
    }
    fn span_id(&self) -> Option<[u8; 8]> {
        id(&self.0.span_id)
    }
    fn trace_id(&self) -> Option<[u8; 16]> {
        id(&self.0.trace_id)
    }
    fn filtered_attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.0.filtered_attributes, out);
    }
}

fn strs(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

pub(crate) fn resource(resource: Option<&Resource>, schema_url: &str) -> ResourcePrefix {
    let mut prefix = ResourcePrefix::default();
    if let Some(resource) = resource {
        prefix = ResourcePrefix::new(|out| put_attributes(&resource.attributes, out))
            .with_dropped_attributes_count(resource.dropped_attributes_count);
        for entity in &resource.entity_refs {
            prefix = prefix.with_entity(EntityRef {
                schema_url: &entity.schema_url,
                kind: &entity.r#type,
                id_keys: &strs(&entity.id_keys),
                description_keys: &strs(&entity.description_keys),
            });
        }
    }
    prefix.with_schema_url(schema_url)
}

pub(crate) fn scope(scope: Option<&InstrumentationScope>, schema_url: &str) -> ScopePrefix {
    let prefix = scope.map_or_else(ScopePrefix::default, |scope| {
        ScopePrefix::new(&scope.name, &scope.version)
            .with_attributes(|out| put_attributes(&scope.attributes, out))
            .with_dropped_attributes_count(scope.dropped_attributes_count)
    });
    prefix.with_schema_url(schema_url)
}

/// Encodes a request: a chunk for each of its resources.
pub(crate) fn encode(request: &Request, open: impl Fn(Signal, ResourcePrefix) -> ChunkBuilder) -> Vec<Chunk> {
    macro_rules! chunks {
        ($signal:ident, $records:expr, $scopes:ident, $items:ident, $push:ident) => {{
            let mut chunks = Vec::new();
            for record in $records {
                let prefix = resource(record.resource.as_ref(), &record.schema_url);
                let mut builder = open(Signal::$signal, prefix);
                for within in &record.$scopes {
                    let scope = scope(within.scope.as_ref(), &within.schema_url);
                    within.$items.iter().for_each(|item| builder.$push(&scope, &Lent(item)));
                }
                let (len, items) = (builder.len(), builder.items());
                let chunk = builder.seal();
                assert_eq!((chunk.len(), chunk.items()), (len, items), "known before it is sealed");
                assert_eq!((builder.len(), builder.items(), builder.is_empty()), (0, 0, true));
                chunks.push(chunk);
            }
            chunks
        }};
    }
    match request {
        Request::Traces(request) => {
            chunks!(Traces, &request.resource_spans, scope_spans, spans, push_span)
        }
        Request::Metrics(request) => {
            chunks!(Metrics, &request.resource_metrics, scope_metrics, metrics, push_metric)
        }
        Request::Logs(request) => chunks!(Logs, &request.resource_logs, scope_logs, log_records, push_log),
    }
}
