//! The OTLP requests that the micro-benchmarks work on.
//!
//! The same shape as `aqueduct load` sends: one resource with 8 attributes, one scope, items with 10 mixed attributes
//! each (text, integers, a double, a boolean); about 700 bytes for a request of one span and 370 for each further one.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// 2026-01-01 in nanoseconds since the epoch; any realistic timestamp will do.
const START: u64 = 1_767_225_600_000_000_000;

/// An encoded trace request of `spans` spans.
#[must_use]
pub fn traces(spans: usize) -> Bytes {
    traces_from(0, spans)
}

/// An encoded trace request of `spans` spans, different from those of another `first`: batches of equal requests would
/// compress like nothing real.
#[must_use]
pub fn traces_from(first: u64, spans: usize) -> Bytes {
    let spans = (first..first + spans as u64).map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, schema_url: String::new() }];
    let resource_spans =
        vec![ResourceSpans { resource: Some(resource()), scope_spans, schema_url: String::new() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// An encoded log request of `records` log records.
#[must_use]
pub fn logs(records: usize) -> Bytes {
    let log_records = (0..records as u64).map(log_record).collect();
    let scope_logs = vec![ScopeLogs { scope: Some(scope()), log_records, schema_url: String::new() }];
    let resource_logs =
        vec![ResourceLogs { resource: Some(resource()), scope_logs, schema_url: String::new() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

/// An encoded metric request of `points` data points, ten to a metric.
#[must_use]
pub fn metrics(points: usize) -> Bytes {
    let points: Vec<_> = (0..points as u64).map(data_point).collect();
    let metrics =
        points.chunks(10).enumerate().map(|(index, points)| gauge(index, points.to_vec())).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, schema_url: String::new() }];
    let resource_metrics =
        vec![ResourceMetrics { resource: Some(resource()), scope_metrics, schema_url: String::new() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into()
}

fn resource() -> Resource {
    let attributes = [
        ("service.name", "checkout"),
        ("service.namespace", "shop"),
        ("service.version", "1.42.0"),
        ("service.instance.id", "0b7c2a54-55c7-4b3e-9d55-1f0a2c7b9e11"),
        ("host.name", "node-17.eu-central.example.com"),
        ("deployment.environment.name", "production"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", "opentelemetry"),
    ];
    let attributes =
        attributes.map(|(key, value)| attribute(key, Value::StringValue(value.to_owned()))).to_vec();
    Resource { attributes, ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "http-server".to_owned(), version: "0.3.1".to_owned(), ..Default::default() }
}

fn attributes(n: u64) -> Vec<KeyValue> {
    vec![
        attribute("http.request.method", Value::StringValue("GET".to_owned())),
        attribute("http.route", Value::StringValue("/api/v1/orders/{id}".to_owned())),
        attribute("url.path", Value::StringValue(format!("/api/v1/orders/{n:08}"))),
        attribute("http.response.status_code", Value::IntValue(200 + (n % 5) as i64)),
        attribute("server.address", Value::StringValue("orders.internal".to_owned())),
        attribute("server.port", Value::IntValue(8443)),
        attribute("user.id", Value::StringValue(format!("user-{:06}", n * 7919 % 1_000_000))),
        attribute("cache.hit", Value::BoolValue(n.is_multiple_of(3))),
        attribute("cost.cents", Value::DoubleValue(n as f64 * 0.25)),
        attribute("db.rows", Value::IntValue((n % 1000) as i64)),
    ]
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn span(n: u64) -> Span {
    let mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Span {
        trace_id: (u128::from(mixed) << 64 | u128::from(n + 1)).to_be_bytes().to_vec(),
        span_id: mixed.to_be_bytes().to_vec(),
        parent_span_id: mixed.rotate_left(17).to_be_bytes().to_vec(),
        name: "GET /api/v1/orders/{id}".to_owned(),
        kind: 2,
        start_time_unix_nano: START + n * 1000,
        end_time_unix_nano: START + n * 1000 + 250_000,
        attributes: attributes(n),
        ..Span::default()
    }
}

fn log_record(n: u64) -> LogRecord {
    LogRecord {
        time_unix_nano: START + n * 1000,
        observed_time_unix_nano: START + n * 1000,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(format!("order {n} was accepted and priced"))),
        }),
        attributes: attributes(n),
        ..LogRecord::default()
    }
}

fn data_point(n: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(n),
        start_time_unix_nano: START,
        time_unix_nano: START + n * 1000,
        value: Some(number_data_point::Value::AsDouble(n as f64 * 1.5)),
        ..NumberDataPoint::default()
    }
}

fn gauge(index: usize, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric {
        name: format!("http.server.active_requests.{index}"),
        description: "Requests being answered".to_owned(),
        unit: "{request}".to_owned(),
        data: Some(metric::Data::Gauge(Gauge { data_points })),
        ..Metric::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that the sizes stay those that the documentation and the published figures speak of.
    #[test]
    fn requests_have_the_published_sizes() {
        assert!((650..850).contains(&traces(1).len()), "{}", traces(1).len());
        assert!((350..420).contains(&(traces(512).len() / 512)), "{}", traces(512).len() / 512);
    }
}
