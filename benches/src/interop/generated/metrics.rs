//! Metrics of all five kinds with every field set.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
};

use super::super::json::Specials;
use super::FILLERS;
use super::values::{
    END, START, TEXT, attributes, number, plain_resource, resource, scope, span_id, trace_id,
};

pub(super) fn request(specials: &Specials) -> ExportMetricsServiceRequest {
    let kinds = [
        Data::Gauge(Gauge { data_points: numbers(specials) }),
        Data::Sum(Sum { data_points: numbers(specials), aggregation_temporality: 1, is_monotonic: true }),
        Data::Sum(Sum { data_points: numbers(specials), aggregation_temporality: 2, is_monotonic: false }),
        Data::Histogram(Histogram { data_points: histograms(specials), aggregation_temporality: 1 }),
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: exponential_histograms(specials),
            aggregation_temporality: 2,
        }),
        Data::Summary(Summary { data_points: summaries(specials) }),
    ];
    let mut metrics: Vec<Metric> =
        (0..).zip(kinds).map(|(index, data)| metric(index, data, specials)).collect();
    // What an older or broken client may send: no data, and data without points.
    metrics.push(Metric { name: "no data".to_owned(), ..Metric::default() });
    metrics.push(Metric {
        name: "no points".to_owned(),
        data: Some(Data::Gauge(Gauge::default())),
        ..Metric::default()
    });
    let fillers = Metric {
        name: "fillers".to_owned(),
        data: Some(Data::Gauge(Gauge { data_points: (0..FILLERS).map(filler).collect() })),
        ..Metric::default()
    };
    let rich = ResourceMetrics {
        resource: Some(resource(specials)),
        scope_metrics: vec![
            ScopeMetrics {
                scope: Some(scope(specials)),
                metrics,
                schema_url: "https://example.com/scope/1.0".to_owned(),
            },
            ScopeMetrics { scope: None, metrics: Vec::new(), schema_url: TEXT.to_owned() },
        ],
        schema_url: "https://example.com/resource/1.0".to_owned(),
    };
    let plain = ResourceMetrics {
        resource: Some(plain_resource()),
        scope_metrics: vec![ScopeMetrics { metrics: vec![fillers], ..ScopeMetrics::default() }],
        schema_url: String::new(),
    };
    ExportMetricsServiceRequest { resource_metrics: vec![rich, plain, ResourceMetrics::default()] }
}

fn metric(index: u32, data: Data, specials: &Specials) -> Metric {
    Metric {
        name: format!("metric.{index}"),
        description: TEXT.to_owned(),
        unit: "By{β}/s".to_owned(),
        metadata: attributes(specials),
        data: Some(data),
    }
}

fn numbers(specials: &Specials) -> Vec<NumberDataPoint> {
    let values = [
        Some(Value::AsInt(i64::MIN)),
        Some(Value::AsInt(i64::MAX)),
        Some(Value::AsInt((1 << 53) + 1)),
        Some(Value::AsInt(0)),
        Some(Value::AsDouble(-0.0)),
        Some(Value::AsDouble(0.1 + 0.2)),
        Some(Value::AsDouble(specials.nan)),
        Some(Value::AsDouble(specials.plus)),
        Some(Value::AsDouble(specials.minus)),
        None,
    ];
    let points = (0..).zip(values).map(|(index, value): (u32, _)| NumberDataPoint {
        attributes: if index == 0 { attributes(specials) } else { vec![number(index)] },
        start_time_unix_nano: START,
        time_unix_nano: END + u64::from(index),
        exemplars: exemplars(specials),
        // The flag says that there is no value.
        flags: u32::from(value.is_none()),
        value,
    });
    points.collect()
}

fn exemplars(specials: &Specials) -> Vec<Exemplar> {
    vec![
        Exemplar {
            filtered_attributes: attributes(specials),
            time_unix_nano: START + 5,
            span_id: span_id(5),
            trace_id: trace_id(5),
            value: Some(exemplar::Value::AsInt(-((1 << 53) + 1))),
        },
        Exemplar { value: Some(exemplar::Value::AsDouble(specials.nan)), ..Exemplar::default() },
        Exemplar::default(),
    ]
}

fn histograms(specials: &Specials) -> Vec<HistogramDataPoint> {
    let full = HistogramDataPoint {
        attributes: attributes(specials),
        start_time_unix_nano: START,
        time_unix_nano: END,
        count: u64::MAX,
        sum: Some(-12.75),
        bucket_counts: vec![0, 1, u64::MAX, (1 << 53) + 1],
        explicit_bounds: vec![-0.5, 0.1 + 0.2, 1e300],
        exemplars: exemplars(specials),
        flags: 1,
        min: Some(-1e300),
        max: Some(1e300),
    };
    let special = HistogramDataPoint {
        attributes: vec![number(1)],
        sum: Some(specials.nan),
        explicit_bounds: vec![specials.minus, 0.0, specials.plus],
        min: Some(specials.minus),
        max: Some(specials.plus),
        ..full.clone()
    };
    // An optional zero is not an absent one.
    let zeros = HistogramDataPoint {
        sum: Some(0.0),
        min: Some(0.0),
        max: Some(-0.0),
        ..HistogramDataPoint::default()
    };
    vec![full, special, zeros, HistogramDataPoint::default()]
}

fn exponential_histograms(specials: &Specials) -> Vec<ExponentialHistogramDataPoint> {
    let full = ExponentialHistogramDataPoint {
        attributes: attributes(specials),
        start_time_unix_nano: START,
        time_unix_nano: END,
        count: (1 << 53) + 1,
        sum: Some(1.5),
        scale: -10,
        zero_count: u64::MAX,
        positive: Some(Buckets { offset: i32::MIN, bucket_counts: vec![0, 127, 128, u64::MAX] }),
        negative: Some(Buckets { offset: i32::MAX, bucket_counts: vec![1; 160] }),
        flags: 1,
        exemplars: exemplars(specials),
        min: Some(-1.0),
        max: Some(specials.plus),
        zero_threshold: 1e-9,
    };
    let bare = ExponentialHistogramDataPoint {
        scale: 20,
        sum: Some(specials.nan),
        positive: Some(Buckets::default()),
        zero_threshold: specials.plus,
        ..ExponentialHistogramDataPoint::default()
    };
    vec![full, bare]
}

fn summaries(specials: &Specials) -> Vec<SummaryDataPoint> {
    let quantile = |quantile, value| ValueAtQuantile { quantile, value };
    let full = SummaryDataPoint {
        attributes: attributes(specials),
        start_time_unix_nano: START,
        time_unix_nano: END,
        count: u64::MAX,
        sum: 0.1 + 0.2,
        quantile_values: vec![
            quantile(0.0, specials.minus),
            quantile(0.5, 0.0),
            quantile(0.99, 12.5),
            quantile(1.0, specials.nan),
        ],
        flags: 1,
    };
    let special =
        SummaryDataPoint { attributes: vec![number(1)], sum: specials.nan, ..SummaryDataPoint::default() };
    vec![full, special, SummaryDataPoint::default()]
}

fn filler(index: u32) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![number(index)],
        time_unix_nano: END,
        value: Some(Value::AsInt(index.into())),
        ..NumberDataPoint::default()
    }
}
