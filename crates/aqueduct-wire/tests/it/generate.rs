//! Requests with every field of the protocol, from a seed.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// A small generator of numbers (splitmix64): the same seed, the same request.
pub(crate) struct Generator(pub(crate) u64);

impl Generator {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Of all magnitudes, so that varints of all lengths occur.
    fn number(&mut self) -> u64 {
        let shift = self.below(64);
        self.next() >> shift
    }

    fn int(&mut self) -> i32 {
        self.number() as i32
    }

    fn double(&mut self) -> f64 {
        match self.below(8) {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            2 => 0.0,
            3 => self.number() as f64,
            // Not NaN: it is not equal to itself, which comparisons of messages could not bear.
            _ => (self.number() as i64) as f64 / 1024.0,
        }
    }

    fn text(&mut self) -> String {
        let len = match self.below(20) {
            0 => 0,
            1 => 120 + self.below(20),
            2 => 300,
            _ => self.below(30),
        };
        let wide = self.below(6) == 0;
        (0..len)
            .map(|_| match self.below(if wide { 5 } else { 1 }) {
                1 => 'ß',
                2 => '語',
                3 => '\u{1F600}',
                _ => char::from(b' ' + self.below(95) as u8),
            })
            .collect()
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn id_or_none(&mut self, len: u64) -> Vec<u8> {
        let len = if self.below(3) == 0 { 0 } else { len };
        self.bytes(len)
    }

    fn list<T>(&mut self, max: u64, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(max + 1)).map(|_| one(self)).collect()
    }

    fn some<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(3) > 0).then(|| one(self))
    }

    fn any_value(&mut self, depth: u64) -> AnyValue {
        let kinds = if depth == 0 { 7 } else { 10 };
        let value = match self.below(kinds) {
            0 => None,
            1 | 2 => Some(Value::StringValue(self.text())),
            3 => Some(Value::BoolValue(self.below(2) == 0)),
            4 => Some(Value::IntValue(self.number().cast_signed())),
            5 => Some(Value::DoubleValue(self.double())),
            6 => {
                let len = self.below(20);
                Some(Value::BytesValue(self.bytes(len)))
            }
            7 | 8 => Some(Value::ArrayValue(ArrayValue { values: self.list(4, |g| g.any_value(depth - 1)) })),
            _ => Some(Value::KvlistValue(KeyValueList { values: self.list(4, |g| g.key_value(depth - 1)) })),
        };
        AnyValue { value }
    }

    fn key_value(&mut self, depth: u64) -> KeyValue {
        KeyValue { key: self.text(), value: self.some(|g| g.any_value(depth)), key_strindex: 0 }
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        self.list(6, |g| g.key_value(3))
    }

    fn resource(&mut self) -> Resource {
        Resource {
            attributes: self.attributes(),
            dropped_attributes_count: self.number() as u32,
            entity_refs: self.list(2, |g| EntityRef {
                schema_url: g.text(),
                r#type: g.text(),
                id_keys: g.list(3, Self::text),
                description_keys: g.list(3, Self::text),
            }),
        }
    }

    fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.number() as u32,
        }
    }

    fn span(&mut self) -> Span {
        Span {
            trace_id: self.bytes(16),
            span_id: self.bytes(8),
            trace_state: self.text(),
            parent_span_id: self.id_or_none(8),
            flags: self.number() as u32,
            name: self.text(),
            kind: self.int(),
            start_time_unix_nano: self.number(),
            end_time_unix_nano: self.number(),
            attributes: self.attributes(),
            dropped_attributes_count: self.number() as u32,
            events: self.list(3, |g| Event {
                time_unix_nano: g.number(),
                name: g.text(),
                attributes: g.attributes(),
                dropped_attributes_count: g.number() as u32,
            }),
            dropped_events_count: self.number() as u32,
            links: self.list(3, |g| Link {
                trace_id: g.id_or_none(16),
                span_id: g.id_or_none(8),
                trace_state: g.text(),
                attributes: g.attributes(),
                dropped_attributes_count: g.number() as u32,
                flags: g.number() as u32,
            }),
            dropped_links_count: self.number() as u32,
            status: self.some(|g| Status { message: g.text(), code: g.int() }),
        }
    }

    pub(crate) fn traces(&mut self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest {
            resource_spans: self.list(3, |g| ResourceSpans {
                resource: g.some(Self::resource),
                scope_spans: g.list(3, |g| ScopeSpans {
                    scope: g.some(Self::scope),
                    spans: g.list(4, Self::span),
                    schema_url: g.text(),
                }),
                schema_url: g.text(),
            }),
        }
    }

    fn log_record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.number(),
            observed_time_unix_nano: self.number(),
            severity_number: self.int(),
            severity_text: self.text(),
            body: self.some(|g| g.any_value(4)),
            attributes: self.attributes(),
            dropped_attributes_count: self.number() as u32,
            flags: self.number() as u32,
            trace_id: self.id_or_none(16),
            span_id: self.id_or_none(8),
            event_name: self.text(),
        }
    }

    pub(crate) fn logs(&mut self) -> ExportLogsServiceRequest {
        ExportLogsServiceRequest {
            resource_logs: self.list(3, |g| ResourceLogs {
                resource: g.some(Self::resource),
                scope_logs: g.list(3, |g| ScopeLogs {
                    scope: g.some(Self::scope),
                    log_records: g.list(4, Self::log_record),
                    schema_url: g.text(),
                }),
                schema_url: g.text(),
            }),
        }
    }

    fn exemplar(&mut self) -> Exemplar {
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.number(),
            span_id: self.id_or_none(8),
            trace_id: self.id_or_none(16),
            value: match self.below(3) {
                0 => None,
                1 => Some(exemplar::Value::AsDouble(self.double())),
                _ => Some(exemplar::Value::AsInt(self.number().cast_signed())),
            },
        }
    }

    fn number_data_point(&mut self) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.number(),
            time_unix_nano: self.number(),
            exemplars: self.list(2, Self::exemplar),
            flags: self.number() as u32,
            value: match self.below(3) {
                0 => None,
                1 => Some(number_data_point::Value::AsDouble(self.double())),
                _ => Some(number_data_point::Value::AsInt(self.number().cast_signed())),
            },
        }
    }

    fn histogram_data_point(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.number(),
            time_unix_nano: self.number(),
            count: self.number(),
            sum: self.some(Self::double),
            bucket_counts: self.list(8, Self::number),
            explicit_bounds: self.list(8, Self::double),
            exemplars: self.list(2, Self::exemplar),
            flags: self.number() as u32,
            min: self.some(Self::double),
            max: self.some(Self::double),
        }
    }

    fn buckets(&mut self) -> Buckets {
        Buckets { offset: self.int(), bucket_counts: self.list(8, Self::number) }
    }

    fn exponential_histogram_data_point(&mut self) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.number(),
            time_unix_nano: self.number(),
            count: self.number(),
            sum: self.some(Self::double),
            scale: self.int(),
            zero_count: self.number(),
            positive: self.some(Self::buckets),
            negative: self.some(Self::buckets),
            flags: self.number() as u32,
            exemplars: self.list(2, Self::exemplar),
            min: self.some(Self::double),
            max: self.some(Self::double),
            zero_threshold: self.double(),
        }
    }

    fn summary_data_point(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.number(),
            time_unix_nano: self.number(),
            count: self.number(),
            sum: self.double(),
            quantile_values: self.list(3, |g| ValueAtQuantile { quantile: g.double(), value: g.double() }),
            flags: self.number() as u32,
        }
    }

    fn metric(&mut self) -> Metric {
        let aggregation_temporality = self.int();
        let data = match self.below(6) {
            0 => None,
            1 => Some(metric::Data::Gauge(Gauge { data_points: self.list(3, Self::number_data_point) })),
            2 => Some(metric::Data::Sum(Sum {
                data_points: self.list(3, Self::number_data_point),
                aggregation_temporality,
                is_monotonic: self.below(2) == 0,
            })),
            3 => Some(metric::Data::Histogram(Histogram {
                data_points: self.list(3, Self::histogram_data_point),
                aggregation_temporality,
            })),
            4 => Some(metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.list(3, Self::exponential_histogram_data_point),
                aggregation_temporality,
            })),
            _ => Some(metric::Data::Summary(Summary { data_points: self.list(3, Self::summary_data_point) })),
        };
        Metric {
            name: self.text(),
            description: self.text(),
            unit: self.text(),
            metadata: self.attributes(),
            data,
        }
    }

    pub(crate) fn metrics(&mut self) -> ExportMetricsServiceRequest {
        ExportMetricsServiceRequest {
            resource_metrics: self.list(3, |g| ResourceMetrics {
                resource: g.some(Self::resource),
                scope_metrics: g.list(3, |g| ScopeMetrics {
                    scope: g.some(Self::scope),
                    metrics: g.list(4, Self::metric),
                    schema_url: g.text(),
                }),
                schema_url: g.text(),
            }),
        }
    }
}
