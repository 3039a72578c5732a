//! The Rust SDK with the exporters of `opentelemetry-otlp`, set up as a user would, twice on the same providers.

mod logs;
mod metrics;
mod traces;

use std::time::{Duration, SystemTime};

use aqueduct_wire::Signal;
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, Protocol as OtlpProtocol, SpanExporter,
    WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use tokio::runtime::Runtime;

use super::client::{Compression, Doors, Expected, Protocol, Sent, Variant};
use super::complaints::Complaints;
use crate::Failure;

/// Everything that an escape or a wrong length would spoil.
const TEXT: &str = "Grüße 日本語 🦀 مرحبا \0 \u{10ffff} \u{2028} \"quoted\" back\\slash \r\n\t {[(,:";

/// Exports the data of each signal to the reference and to the gateway.
pub(super) fn send(
    runtime: &Runtime,
    variant: Variant,
    signals: &[Signal],
    reference: Doors,
    gateway: Doors,
    complaints: &Complaints,
) -> Vec<Sent> {
    // The gRPC exporter connects in the runtime that it finds itself in.
    let _entered = runtime.enter();
    let one = |signal: &Signal| {
        let to =
            [reference, gateway].map(|doors| Exporter { variant, url: doors.url(variant.protocol, *signal) });
        let sent = match signal {
            Signal::Metrics => metrics::export(&to),
            Signal::Logs => logs::export(&to),
            _ => traces::export(&to),
        };
        let outcome = sent.map(Expected::Captured).map_err(|failure| failure.to_string());
        // The exporters were shut down, so this is all that they had to say.
        Sent { signal: *signal, outcome, complaints: complaints.take() }
    };
    signals.iter().map(one).collect()
}

/// How to build an exporter.
#[derive(Debug)]
struct Exporter {
    variant: Variant,
    url: String,
}

/// The builders of the three signals have the same methods and no trait in common.
macro_rules! exporter {
    ($self:ident, $builder:expr) => {{
        let compression = match $self.variant.compression {
            Compression::None => None,
            Compression::Gzip => Some(opentelemetry_otlp::Compression::Gzip),
            Compression::Zstd => Some(opentelemetry_otlp::Compression::Zstd),
        };
        let http = |protocol| {
            let builder = $builder.with_http().with_protocol(protocol).with_endpoint(&$self.url);
            match compression {
                Some(compression) => builder.with_compression(compression).build(),
                None => builder.build(),
            }
        };
        match $self.variant.protocol {
            Protocol::Grpc => {
                let builder = $builder.with_tonic().with_endpoint(&$self.url);
                match compression {
                    Some(compression) => builder.with_compression(compression).build(),
                    None => builder.build(),
                }
            }
            Protocol::HttpProtobuf => http(OtlpProtocol::HttpBinary),
            Protocol::HttpJson => http(OtlpProtocol::HttpJson),
        }
    }};
}

impl Exporter {
    fn spans(&self) -> Result<SpanExporter, ExporterBuildError> {
        exporter!(self, SpanExporter::builder())
    }

    fn metrics(&self, temporality: Temporality) -> Result<MetricExporter, ExporterBuildError> {
        exporter!(self, MetricExporter::builder().with_temporality(temporality))
    }

    fn logs(&self) -> Result<LogExporter, ExporterBuildError> {
        exporter!(self, LogExporter::builder())
    }
}

/// Two resources, each of them for a provider of its own.
fn resources() -> [Resource; 2] {
    let rich = Resource::builder()
        .with_service_name("interop")
        .with_schema_url(attributes(), "https://example.com/resource/1.0")
        .build();
    [rich, Resource::builder_empty().with_attribute(KeyValue::new("service.name", TEXT)).build()]
}

/// Two scopes: one with all it can have, one with an empty name.
fn scopes() -> [InstrumentationScope; 2] {
    let rich = InstrumentationScope::builder("scope.日本語")
        .with_version("1.2.3-β")
        .with_schema_url("https://example.com/scope/1.0")
        .with_attributes(attributes())
        .build();
    [rich, InstrumentationScope::builder("").build()]
}

/// Every kind of value that the SDK has, with the extremes of each.
fn attributes() -> Vec<KeyValue> {
    let strings = [TEXT, "", "plain"].map(StringValue::from).to_vec();
    vec![
        KeyValue::new("text", TEXT),
        KeyValue::new("empty text", ""),
        KeyValue::new("", "an empty key"),
        KeyValue::new(TEXT, "a key that is hard to carry"),
        KeyValue::new("long", "0123456789abcdef".repeat(300)),
        KeyValue::new("true", true),
        KeyValue::new("false", false),
        KeyValue::new("zero", 0),
        KeyValue::new("largest", i64::MAX),
        KeyValue::new("smallest", i64::MIN),
        KeyValue::new("beyond doubles", (1_i64 << 53) + 1),
        KeyValue::new("negative", -(1_i64 << 53) - 1),
        KeyValue::new("double", 0.1 + 0.2),
        KeyValue::new("whole double", 3.0),
        KeyValue::new("negative zero", -0.0),
        KeyValue::new("tiny", 5e-324),
        KeyValue::new("huge", f64::MAX),
        KeyValue::new("not a number", f64::NAN),
        KeyValue::new("infinity", f64::INFINITY),
        KeyValue::new("minus infinity", f64::NEG_INFINITY),
        KeyValue::new("booleans", Value::Array(Array::Bool(vec![true, false]))),
        KeyValue::new("integers", Value::Array(Array::I64(vec![i64::MIN, -1, 0, (1 << 53) + 1, i64::MAX]))),
        KeyValue::new("doubles", Value::Array(Array::F64(vec![-0.0, 1.0, 0.1, 1e300, 5e-324]))),
        KeyValue::new("texts", Value::Array(Array::String(strings))),
        KeyValue::new("empty list", Value::Array(Array::I64(Vec::new()))),
    ]
}

/// A moment that differs for each number and has nanoseconds.
fn moment(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789 + number * 1_000_003)
}

/// Both providers' results, the last one's if both failed.
fn both(
    results: impl IntoIterator<Item = Result<(), opentelemetry_sdk::error::OTelSdkError>>,
) -> Result<(), Failure> {
    results.into_iter().try_for_each(|result| result.map_err(Failure::from))
}
