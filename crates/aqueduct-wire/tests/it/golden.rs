//! Requests written down: as JSON in the form of the specification's examples, and the bytes that Google's implementation of
//! protobuf makes of them, field by field, in hexadecimal.

use crate::oracle::Request;
use aqueduct_wire::edit::Edit;
use aqueduct_wire::json::{from_protobuf, to_protobuf};
use aqueduct_wire::view::{Logs, MetricData, Metrics, Traces, Value};
use aqueduct_wire::{Chunk, Limits, Merger, Signal, filter, fold, split, validate};
use bytes::Bytes;

struct Golden {
    signal: Signal,
    json: &'static str,
    hex: &'static str,
    items: u64,
}

const ALL: [Golden; 3] = [
    Golden {
        signal: Signal::Traces,
        json: include_str!("../golden/traces.json"),
        hex: include_str!("../golden/traces.hex"),
        items: 1,
    },
    Golden {
        signal: Signal::Metrics,
        json: include_str!("../golden/metrics.json"),
        hex: include_str!("../golden/metrics.hex"),
        items: 5,
    },
    Golden {
        signal: Signal::Logs,
        json: include_str!("../golden/logs.json"),
        hex: include_str!("../golden/logs.hex"),
        items: 2,
    },
];

impl Golden {
    /// The bytes, without what is said of them.
    fn bytes(&self) -> Bytes {
        let fields = self.hex.lines().map(|line| line.split('#').next().unwrap_or_default());
        fields
            .flat_map(str::split_whitespace)
            .map(|byte| u8::from_str_radix(byte, 16).expect("two digits"))
            .collect()
    }

    fn chunk(&self) -> Chunk {
        Chunk::validate(self.signal, self.bytes(), &Limits::DEFAULT).expect("valid")
    }
}

/// Guards the reader of JSON: the very bytes, since the fields of the texts stand in the order of their numbers.
#[test]
fn json_becomes_the_bytes() {
    for golden in ALL {
        assert_eq!(
            to_protobuf(golden.signal, golden.json.as_bytes()).unwrap(),
            golden.bytes(),
            "{}",
            golden.signal
        );
    }
}

/// Guards the writer of JSON: the same values under the same keys, numbers of the same kind.
#[test]
fn the_bytes_become_the_json() {
    for golden in ALL {
        let text = from_protobuf(golden.signal, &golden.bytes()).unwrap();
        let (ours, written): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&text).unwrap(), serde_json::from_str(golden.json).unwrap());
        assert_eq!(ours, written, "{}", golden.signal);
    }
}

/// Guards the counts, and that prost sees the same.
#[test]
fn the_bytes_are_valid() {
    for golden in ALL {
        let summary = validate(golden.signal, &golden.bytes(), &Limits::DEFAULT).unwrap();
        assert_eq!(summary.items, golden.items);
        assert_eq!(Request::decode(golden.signal, &golden.bytes()).unwrap().summary(), summary);
    }
}

/// Guards that nothing is written anew for nothing.
#[test]
fn operations_that_change_nothing_give_the_bytes_back() {
    for golden in ALL {
        let chunk = golden.chunk();
        assert_eq!(filter(&chunk, |_| true).unwrap().kept.to_bytes(), golden.bytes());
        assert_eq!(fold(&chunk).unwrap().to_bytes(), golden.bytes());
        assert_eq!(
            Edit::items().with_delete("no such key").apply(&chunk).unwrap().to_bytes(),
            golden.bytes()
        );

        let mut merger = Merger::new(golden.signal);
        for part in split(&chunk, 1, usize::MAX).unwrap() {
            merger.push(Chunk::from(part.unwrap()));
        }
        let merged = Chunk::from(merger.finish());
        assert_eq!(merged.items(), golden.items);
    }
}

/// Guards the view of spans by what the text says.
#[test]
fn the_span_is_read() {
    let bytes = ALL[0].bytes();
    let record = Traces::new(&bytes).resource_spans().next().unwrap();
    assert_eq!(record.schema_url(), "https://opentelemetry.io/schemas/1.37.0");
    let scope = record.scope_spans().next().unwrap();
    assert_eq!(scope.scope().unwrap().name(), "example.http");
    let span = scope.spans().next().unwrap();
    assert_eq!(span.trace_id()[..2], [0x5b, 0x8e]);
    assert_eq!(span.flags(), 257);
    assert_eq!(span.start_time_unix_nano(), 1_544_712_660_000_000_000);
    let values: Vec<String> =
        span.attributes().into_iter().map(|attribute| value(attribute.value())).collect();
    assert_eq!(values, ["größer", "true", "-7", "0.25", "[0, 1, 255]", "[one, 2]", "{inner: false}"]);
    assert_eq!(span.events().next().unwrap().name(), "retried");
    assert_eq!(span.links().next().unwrap().span_id()[7], 0x75);
    assert_eq!(span.status().unwrap().message(), "out of stock");
}

/// Guards the view of metrics: all five kinds.
#[test]
fn the_metrics_are_read() {
    let bytes = ALL[1].bytes();
    let scopes = Metrics::new(&bytes).resource_metrics().flat_map(|record| record.scope_metrics());
    let kinds: Vec<(String, usize)> = scopes
        .flat_map(|scope| scope.metrics())
        .map(|metric| {
            let points = match metric.data().unwrap() {
                MetricData::Gauge(gauge) => gauge.data_points().count(),
                MetricData::Sum(sum) => {
                    assert!(sum.is_monotonic());
                    sum.data_points().count()
                }
                MetricData::Histogram(histogram) => {
                    histogram.data_points().map(|point| point.bucket_counts().count()).sum()
                }
                MetricData::ExponentialHistogram(histogram) => {
                    let mut counts = histogram.data_points().filter_map(|point| point.positive());
                    assert_eq!(counts.next().unwrap().bucket_counts().collect::<Vec<_>>(), [0, 300]);
                    1
                }
                MetricData::Summary(summary) => {
                    summary.data_points().map(|point| point.quantile_values().count()).sum()
                }
                other => panic!("{other:?}"),
            };
            (metric.name().to_string(), points)
        })
        .collect();
    let expected = [("requests", 1), ("temperature", 1), ("duration", 2), ("size", 1), ("latency", 2)];
    assert_eq!(kinds, expected.map(|(name, points)| (name.to_string(), points)));
}

/// Guards the view of log records.
#[test]
fn the_log_records_are_read() {
    let bytes = ALL[2].bytes();
    let scopes = Logs::new(&bytes).resource_logs().flat_map(|record| record.scope_logs());
    let bodies: Vec<(i32, String)> = scopes
        .flat_map(|scope| scope.log_records())
        .map(|record| (record.severity_number().number(), value(record.body().unwrap())))
        .collect();
    assert_eq!(bodies, [(10, "an order was priced".into()), (9, "{url.path: /cart}".into())]);
}

fn value(value_of: Value<'_>) -> String {
    match value_of {
        Value::Str(text) => text.as_str().into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bytes(bytes) => format!("{bytes:?}"),
        Value::Array(values) => format!("[{}]", values.into_iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::KvList(pairs) => {
            let pairs = pairs
                .attributes()
                .into_iter()
                .map(|pair| format!("{}: {}", pair.key().as_str(), value(pair.value())));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}
