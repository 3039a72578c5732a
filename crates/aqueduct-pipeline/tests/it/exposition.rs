//! Metrics about ourselves as OTLP, as opentelemetry-proto reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aqueduct_metrics::{Desc, Exposition, Histogram};
use aqueduct_pipeline::encode_exposition;
use aqueduct_wire::encode::{ResourcePrefix, ScopePrefix, ValueRef};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric};
use prost::Message;

const REQUESTS: Desc =
    Desc::counter("shop_requests_total", "{request}", "Requests answered.").with_attributes(&["code"]);
const SECONDS: Desc = Desc::counter("shop_cpu_seconds_total", "s", "CPU time.");
const CARTS: Desc = Desc::gauge("shop_carts", "{cart}", "Carts.");
const LOAD: Desc = Desc::gauge("shop_load", "1", "Load.");
const SIZES: Desc = Desc::histogram("shop_sizes_bytes", "By", "Sizes.");
const LATENCY: Desc = Desc::histogram("shop_request_seconds", "s", "Latency.");
const NOTHING: Desc = Desc::gauge("shop_nothing", "1", "Without samples.");

const START: Duration = Duration::from_secs(100);
const NOW: Duration = Duration::from_secs(160);

/// Encoded, checked as what comes from outside is, and decoded by prost.
fn sent(page: &Exposition) -> (u64, Vec<Metric>) {
    let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")));
    let scope = ScopePrefix::new("shop", "1.0");
    let chunk = encode_exposition(page, &resource, &scope, UNIX_EPOCH + START, UNIX_EPOCH + NOW);
    let bytes = chunk.bytes().clone();
    aqueduct_wire::validate(chunk.signal(), &bytes, &aqueduct_wire::Limits::default()).unwrap();
    let mut request = ExportMetricsServiceRequest::decode(bytes).unwrap();
    let Some(resource) = request.resource_metrics.pop() else { return (chunk.items(), Vec::new()) };
    assert!(request.resource_metrics.is_empty());
    assert_eq!(resource.resource.unwrap().attributes[0].key, "service.name");
    let mut scopes = resource.scope_metrics;
    assert_eq!((scopes.len(), scopes[0].scope.as_ref().unwrap().name.as_str()), (1, "shop"));
    (chunk.items(), scopes.remove(0).metrics)
}

fn named<'m>(metrics: &'m [Metric], name: &str) -> &'m Data {
    metrics
        .iter()
        .find(|metric| metric.name == name)
        .unwrap_or_else(|| panic!("{name}"))
        .data
        .as_ref()
        .unwrap()
}

/// Guards what each kind becomes: names, units, times, temporality, whole numbers, labels.
#[test]
fn counters_and_gauges() {
    let mut page = Exposition::new();
    page.family(&REQUESTS).sample(&[("code", "200")], u64::MAX).sample(&[("code", "503")], 1_u64);
    page.family(&SECONDS).sample(&[], 1.5);
    page.family(&CARTS).sample(&[], 7_u64);
    page.family(&LOAD).sample(&[], 0.25);
    page.family(&NOTHING);
    let (items, metrics) = sent(&page);
    assert_eq!((items, metrics.len()), (5, 4));
    let requests = &metrics[0];
    assert_eq!((requests.name.as_str(), requests.unit.as_str()), ("shop_requests", "{request}"));
    assert_eq!(requests.description, "Requests answered.");
    let Data::Sum(sum) = named(&metrics, "shop_requests") else { panic!() };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
    let points = &sum.data_points;
    assert_eq!(
        points.iter().map(|p| p.value.unwrap()).collect::<Vec<_>>(),
        [Value::AsInt(i64::MAX), Value::AsInt(1)]
    );
    assert_eq!(points[1].attributes[0].key, "code");
    assert!(format!("{:?}", points[1].attributes[0].value).contains("503"));
    let times = |start: u64, now: u64| (Duration::from_nanos(start), Duration::from_nanos(now));
    assert_eq!(times(points[0].start_time_unix_nano, points[0].time_unix_nano), (START, NOW));
    let Data::Sum(seconds) = named(&metrics, "shop_cpu_seconds") else { panic!() };
    assert_eq!(seconds.data_points[0].value, Some(Value::AsDouble(1.5)));
    let Data::Gauge(carts) = named(&metrics, "shop_carts") else { panic!() };
    assert_eq!(carts.data_points[0].value, Some(Value::AsInt(7)));
    let point = &carts.data_points[0];
    assert_eq!(times(point.start_time_unix_nano, point.time_unix_nano), (Duration::ZERO, NOW));
    let Data::Gauge(load) = named(&metrics, "shop_load") else { panic!() };
    assert_eq!(load.data_points[0].value, Some(Value::AsDouble(0.25)));
}

/// Guards buckets: OTLP's count what is between bounds, Prometheus' what is up to them.
#[test]
fn histograms_by_bounds() {
    let mut page = Exposition::new();
    page.family(&SIZES).histogram(&[], &[(10.0, 2), (100.0, 5)], 9, 1234.5);
    // Read while it moved: a count below its buckets.
    page.family(&SIZES).histogram(&[], &[(10.0, 2), (100.0, 5)], 4, 0.0);
    let (_, metrics) = sent(&page);
    let Data::Histogram(histogram) = named(&metrics, "shop_sizes_bytes") else { panic!() };
    assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative);
    let [first, second] = &histogram.data_points[..] else { panic!() };
    assert_eq!((&first.explicit_bounds[..], &first.bucket_counts[..]), (&[10.0, 100.0][..], &[2, 3, 4][..]));
    assert_eq!((first.count, first.sum, first.time_unix_nano), (9, Some(1234.5), NOW.as_nanos() as u64));
    assert_eq!(second.count, second.bucket_counts.iter().sum::<u64>());
}

/// Guards distributions: no value is lost between our buckets and OTLP's, and the unit is that of the metric.
#[test]
fn distributions_are_exponential() {
    let nanos: Histogram = (0..=1000_u64).map(|value| value * 1_000_000).collect();
    let mut page = Exposition::new();
    page.family(&LATENCY).distribution(&[("route", "/cart")], &nanos, 1e-9, &[0.1]);
    page.family(&LATENCY).distribution(&[("route", "/none")], &Histogram::default(), 1e-9, &[0.1]);
    let (items, metrics) = sent(&page);
    assert_eq!(items, 2);
    let Data::ExponentialHistogram(histogram) = named(&metrics, "shop_request_seconds") else { panic!() };
    assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative);
    let [point, empty] = &histogram.data_points[..] else { panic!() };
    assert_eq!((point.count, point.zero_count, point.max), (1001, 1, Some(1.0)));
    assert!((point.sum.unwrap() - 500.5).abs() < 1e-6);
    let buckets = point.positive.as_ref().unwrap();
    assert!(buckets.bucket_counts.len() <= 160);
    assert_eq!(buckets.bucket_counts.iter().sum::<u64>(), 1000);
    // The last bucket holds the largest value: base^(index + 1) is not below it.
    let last = f64::from(buckets.offset) + buckets.bucket_counts.len() as f64;
    assert!((last * (-f64::from(point.scale)).exp2()).exp2() >= 0.99);
    assert_eq!((empty.count, empty.min), (0, None));
}

/// Guards a page without anything: no request is made of nothing but a resource.
#[test]
fn an_empty_page_has_no_items() {
    assert_eq!(sent(&Exposition::new()), (0, Vec::new()));
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    let chunk = encode_exposition(
        &Exposition::new(),
        &ResourcePrefix::default(),
        &ScopePrefix::default(),
        before,
        before,
    );
    assert_eq!(chunk.items(), 0);
}
