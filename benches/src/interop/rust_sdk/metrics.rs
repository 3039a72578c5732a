//! All instruments of two providers with two scopes each, one provider cumulative, the other delta.

use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::{KeyValue, Value};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality,
};

use super::{Exporter, TEXT, attributes, both, resources, scopes};
use crate::Failure;

/// Small data points beside the elaborate ones.
const FILLERS: i64 = 600;
/// The elaborate ones of one scope: two for each of six synchronous instruments and two histograms, three for the
/// exponential one, one for each observable one.
const RICH: u64 = 6 * 2 + 2 * 2 + 3 + 3;

/// Exports the metrics and returns the number of data points.
pub(super) fn export(to: &[Exporter; 2]) -> Result<u64, Failure> {
    let mut providers = Vec::new();
    let mut points = 0;
    for (resource, temporality) in resources().into_iter().zip([Temporality::Cumulative, Temporality::Delta])
    {
        let exporter = Both([to[0].metrics(temporality)?, to[1].metrics(temporality)?]);
        // Flushed by hand: nothing of the clock's doing.
        let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_secs(3600)).build();
        let provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(reader)
            .with_view(exponential)
            .build();
        for scope in scopes() {
            rich(&provider.meter_with_scope(scope));
            points += RICH;
        }
        providers.push(provider);
    }
    let fillers = providers[0].meter("fillers").u64_counter("fillers").build();
    for number in 0..FILLERS {
        fillers.add(number.unsigned_abs(), &[KeyValue::new("number", number)]);
    }
    points += FILLERS.unsigned_abs();
    // Exports what was collected, once; a flush before it would be a second collection.
    both(providers.iter().map(SdkMeterProvider::shutdown))?;
    Ok(points)
}

/// Two exporters behind one reader: two readers would collect twice, at two times.
#[derive(Debug)]
struct Both([MetricExporter; 2]);

impl PushMetricExporter for Both {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.0[0].export(metrics).await?;
        self.0[1].export(metrics).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.iter().try_for_each(PushMetricExporter::force_flush)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.iter().try_for_each(|exporter| exporter.shutdown_with_timeout(timeout))
    }

    fn temporality(&self) -> Temporality {
        self.0[0].temporality()
    }
}

fn exponential(instrument: &Instrument) -> Option<Stream> {
    let aggregation =
        Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
    (instrument.name() == "exponential")
        .then(|| Stream::builder().with_aggregation(aggregation).build().ok())
        .flatten()
}

/// Two data points for each instrument: one with all attributes, one with none.
fn rich(meter: &Meter) {
    let all = attributes();
    let none: [KeyValue; 0] = [];

    let counter = meter.u64_counter("counter.u64").with_unit("By").with_description(TEXT).build();
    counter.add((1 << 53) + 1, &all);
    counter.add(0, &none);
    let counter = meter.f64_counter("counter.f64").with_unit("{b}/s").build();
    counter.add(0.1 + 0.2, &all);
    counter.add(1e300, &none);
    let up_down = meter.i64_up_down_counter("updown.i64").build();
    up_down.add(i64::MIN, &all);
    up_down.add(-1, &none);
    let up_down = meter.f64_up_down_counter("updown.f64").build();
    up_down.add(-0.5, &all);
    up_down.add(5e-324, &none);
    let gauge = meter.i64_gauge("gauge.i64").build();
    gauge.record(i64::MAX, &all);
    gauge.record(i64::MIN, &none);
    let gauge = meter.f64_gauge("gauge.f64").build();
    gauge.record(-1e300, &all);
    gauge.record(0.1 + 0.2, &none);

    meter.u64_observable_counter("observable.u64").with_callback(|observer| observer.observe(7, &[])).build();
    meter
        .i64_observable_up_down_counter("observable.i64")
        .with_callback(|observer| observer.observe(-7, &[]))
        .build();
    meter.f64_observable_gauge("observable.f64").with_callback(|observer| observer.observe(0.7, &[])).build();

    // NaN differs from itself, so each measurement with such an attribute is a data point of its own.
    let is_nan = |value: &Value| matches!(value, Value::F64(number) if number.is_nan());
    let all: Vec<KeyValue> = all.into_iter().filter(|attribute| !is_nan(&attribute.value)).collect();
    let bounds = vec![-1.0, 0.1 + 0.2, 1e9];
    let histogram = meter.f64_histogram("histogram.f64").with_boundaries(bounds).build();
    for value in [-3.5, 0.0, 0.3, 1e300] {
        histogram.record(value, &all);
    }
    histogram.record(1.0, &none);
    let histogram = meter.u64_histogram("histogram.u64").build();
    for value in [0, 5, 10_000, 1 << 53] {
        histogram.record(value, &all);
    }
    histogram.record(1, &none);
    let histogram = meter.f64_histogram("exponential").build();
    for value in [0.0, 1e-9, 1.5, -2.5, 1e9] {
        histogram.record(value, &all);
    }
    histogram.record(1.0, &none);
    histogram.record(-1.0, &[KeyValue::new("sign", "minus")]);
}
