//! Metrics, as the SDK's readers hand them over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_opentelemetry::{MetricExporter, TemporalityPreference};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics as Sent, ScopeMetrics, metric::Data};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream, Temporality};

use crate::collector::{Collector, PATIENCE};

/// Exports, and remembers what the oracle makes of it.
struct Witness {
    exporter: MetricExporter,
    seen: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

impl PushMetricExporter for Witness {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.seen.lock().unwrap().push(ExportMetricsServiceRequest::from(metrics));
        self.exporter.export(metrics).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

fn scopes(resources: Vec<Sent>) -> Vec<ScopeMetrics> {
    let mut scopes: Vec<_> = resources.into_iter().flat_map(|resource| resource.scope_metrics).collect();
    for metric in scopes.iter_mut().flat_map(|scope| &mut scope.metrics) {
        // Ids of nobody are left out.
        let exemplars = match metric.data.as_mut().unwrap() {
            Data::Gauge(data) => data.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect(),
            Data::Sum(data) => data.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect(),
            Data::Histogram(data) => {
                data.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect()
            }
            _ => Vec::new(),
        };
        for exemplar in exemplars {
            for id in [&mut exemplar.span_id, &mut exemplar.trace_id] {
                if id.iter().all(|byte| *byte == 0) {
                    id.clear();
                }
            }
        }
    }
    scopes
}

/// Guards every kind of metric and number, and each field of their points.
#[test]
fn metrics_are_as_the_oracle_has_them() {
    for preference in
        [TemporalityPreference::Cumulative, TemporalityPreference::Delta, TemporalityPreference::LowMemory]
    {
        let collector = Collector::healthy();
        let telemetry = collector.builder().temporality(preference).build().unwrap();
        let seen = Arc::default();
        let exporter = Witness { exporter: telemetry.metric_exporter(), seen: Arc::clone(&seen) };
        let exponential = |instrument: &Instrument| {
            let aggregation =
                Aggregation::Base2ExponentialHistogram { max_size: 20, max_scale: 5, record_min_max: true };
            let wanted = instrument.name().starts_with("exponential");
            wanted.then(|| Stream::builder().with_aggregation(aggregation).build().unwrap())
        };
        let provider =
            SdkMeterProvider::builder().with_periodic_exporter(exporter).with_view(exponential).build();
        let meter = provider.meter("shop");
        let labels = |number: i64| [KeyValue::new("route", "/cart"), KeyValue::new("n", number)];
        let counter = meter.u64_counter("counter").with_unit("{sale}").with_description("Sales.").build();
        let float = meter.f64_counter("float").build();
        let up_down = meter.i64_up_down_counter("up_down").build();
        let gauge = meter.f64_gauge("gauge").build();
        let histogram = meter.u64_histogram("histogram").build();
        let exponential = provider.meter("other").f64_histogram("exponential").build();
        meter.u64_observable_counter("observed").with_callback(|out| out.observe(u64::MAX / 4, &[])).build();
        for round in 1..4 {
            for number in 0..3 {
                counter.add(round, &labels(number));
                float.add(0.5, &labels(number));
                up_down.add(-2, &labels(number));
                gauge.record(-0.25, &labels(number));
                histogram.record(round * 7, &labels(number));
                exponential.record(0.3, &labels(number));
                exponential.record(-1.7 * number as f64, &labels(number));
            }
            provider.force_flush().unwrap();
            assert_eq!(collector.requests().len(), round as usize, "a flush has delivered");
        }
        let seen: Vec<_> =
            seen.lock().unwrap().drain(..).flat_map(|request| request.resource_metrics).collect();
        assert_eq!(seen.len(), 3);
        let is_exponential =
            |scope: &ScopeMetrics| matches!(scope.metrics[0].data, Some(Data::ExponentialHistogram(_)));
        assert!(scopes(collector.metrics().resource_metrics).iter().any(is_exponential), "the view works");
        assert_eq!(scopes(collector.metrics().resource_metrics), scopes(seen), "{preference:?}");
        let report = telemetry.shutdown(PATIENCE);
        assert_eq!((report.complete, report.delivered(), report.lost()), (true, 3 * 19, 0));
    }
}

/// Guards the largest and the least numbers, and sums beyond them, in every kind of metric: as the oracle has them, but that integers beyond the protocol's are the largest
/// that it has. (What is no number the SDK does not record.)
#[test]
fn numbers_at_their_ends() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let seen = Arc::default();
    let exporter = Witness { exporter: telemetry.metric_exporter(), seen: Arc::clone(&seen) };
    let exponential = |instrument: &Instrument| {
        let aggregation =
            Aggregation::Base2ExponentialHistogram { max_size: 4, max_scale: 20, record_min_max: false };
        let wanted = instrument.name().starts_with("exponential");
        wanted.then(|| Stream::builder().with_aggregation(aggregation).build().unwrap())
    };
    let provider =
        SdkMeterProvider::builder().with_periodic_exporter(exporter).with_view(exponential).build();
    let meter = provider.meter("shop");
    let ends = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE / 2.0, -0.0];
    let gauge = meter.f64_gauge("gauge").build();
    let up_down = meter.f64_up_down_counter("up_down").build();
    let histogram = meter.f64_histogram("histogram").build();
    let bare = meter.f64_histogram("bare").with_boundaries(Vec::new()).build();
    let exponential = meter.f64_histogram("exponential").build();
    for (number, value) in (0_i64..).zip(ends) {
        let label = [KeyValue::new("n", number), KeyValue::new("value", value)];
        gauge.record(value, &label);
        up_down.add(value, &label);
        up_down.add(value, &label);
        histogram.record(value, &label);
        bare.record(value, &label);
        exponential.record(value, &label);
        exponential.record(-value, &label);
    }
    meter.i64_gauge("least").build().record(i64::MIN, &[]);
    provider.force_flush().unwrap();
    let seen: Vec<_> = seen.lock().unwrap().drain(..).flat_map(|request| request.resource_metrics).collect();
    let (sent, seen) = (scopes(collector.metrics().resource_metrics), scopes(seen));
    assert!(format!("{sent:?}").contains("AsDouble(inf)"));
    assert_eq!(sent, seen);

    meter.u64_gauge("most").build().record(u64::MAX, &[]);
    provider.force_flush().unwrap();
    assert!(format!("{:?}", collector.metrics()).contains(&format!("AsInt({})", i64::MAX)));
}

/// Guards the variable.
#[test]
fn the_environment_says_what_metrics_are_relative_to() {
    for (value, expected) in [
        ("", Temporality::Cumulative),
        ("cumulative", Temporality::Cumulative),
        ("DELTA", Temporality::Delta),
        ("LowMemory", Temporality::LowMemory),
        ("nonsense", Temporality::Cumulative),
    ] {
        let variables = move |name: &str| {
            (name == "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE").then(|| value.to_owned())
        };
        let telemetry = Collector::healthy().builder().variables(variables).build().unwrap();
        assert_eq!(telemetry.metric_exporter().temporality(), expected, "{value}");
    }
}
