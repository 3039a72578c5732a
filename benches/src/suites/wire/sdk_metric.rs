//! The SDK's metrics as sources of the encoder, and some to measure with.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use aqueduct_wire::encode::{
    AttributeSink, BucketsSink, CountSink, DataSink, DoubleSink, ExponentialHistogramPointSource,
    HistogramPointSource, MetricSource, Number, NumberPointSource, PointSource,
};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, MetricData, ResourceMetrics,
};
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality};

use super::sdk::{nanos, put_attributes};
use crate::Failure;

/// A metric of the SDK.
#[derive(Debug)]
pub(super) struct Sdk<'a>(pub(super) &'a Metric);

impl MetricSource for Sdk<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn description(&self) -> &str {
        self.0.description()
    }

    fn unit(&self) -> &str {
        self.0.unit()
    }

    fn data(&self, out: DataSink<'_>) {
        match self.0.data() {
            AggregatedMetrics::F64(data) => put_data(data, out),
            AggregatedMetrics::U64(data) => put_data(data, out),
            AggregatedMetrics::I64(data) => put_data(data, out),
        }
    }
}

/// The kinds of numbers that the SDK records.
trait Numeric: Copy {
    fn number(self) -> Number;

    /// Histograms have only doubles.
    fn double(self) -> f64 {
        match self.number() {
            Number::Int(number) => number as f64,
            Number::Double(number) => number,
        }
    }
}

impl Numeric for f64 {
    fn number(self) -> Number {
        Number::Double(self)
    }
}

impl Numeric for i64 {
    fn number(self) -> Number {
        Number::Int(self)
    }
}

impl Numeric for u64 {
    /// The protocol knows signed numbers only; larger ones become the largest.
    fn number(self) -> Number {
        Number::Int(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

fn put_data<T: Numeric>(data: &MetricData<T>, out: DataSink<'_>) {
    match data {
        MetricData::Gauge(gauge) => out.gauge(|points| {
            let times = Times::new(gauge.start_time(), gauge.time());
            for point in gauge.data_points() {
                let attributes = || point.attributes();
                points.push(&NumberPoint { times, value: point.value().number(), attributes });
            }
        }),
        MetricData::Sum(sum) => out.sum(temporality(sum.temporality()), sum.is_monotonic(), |points| {
            let times = Times::new(Some(sum.start_time()), sum.time());
            for point in sum.data_points() {
                let attributes = || point.attributes();
                points.push(&NumberPoint { times, value: point.value().number(), attributes });
            }
        }),
        MetricData::Histogram(histogram) => out.histogram(temporality(histogram.temporality()), |points| {
            let times = Times::new(Some(histogram.start_time()), histogram.time());
            histogram.data_points().for_each(|point| points.push(&Buckets { times, point }));
        }),
        MetricData::ExponentialHistogram(histogram) => {
            out.exponential_histogram(temporality(histogram.temporality()), |points| {
                let times = Times::new(Some(histogram.start_time()), histogram.time());
                histogram.data_points().for_each(|point| points.push(&Buckets { times, point }));
            });
        }
    }
}

fn temporality(temporality: Temporality) -> i32 {
    match temporality {
        Temporality::Delta => 1,
        _ => 2,
    }
}

#[derive(Clone, Copy)]
struct Times {
    start: u64,
    end: u64,
}

impl Times {
    fn new(start: Option<SystemTime>, end: SystemTime) -> Times {
        Times { start: start.map_or(0, nanos), end: nanos(end) }
    }
}

/// A point of a sum or a gauge; `attributes` hands them out. The SDK makes no exemplars.
struct NumberPoint<A> {
    times: Times,
    value: Number,
    attributes: A,
}

impl<'a, A: Fn() -> I, I: IntoIterator<Item = &'a KeyValue>> PointSource for NumberPoint<A> {
    fn start_time_unix_nano(&self) -> u64 {
        self.times.start
    }

    fn time_unix_nano(&self) -> u64 {
        self.times.end
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes((self.attributes)(), out);
    }
}

impl<'a, A: Fn() -> I, I: IntoIterator<Item = &'a KeyValue>> NumberPointSource for NumberPoint<A> {
    fn value(&self) -> Option<Number> {
        Some(self.value)
    }
}

/// A point of either kind of histogram.
struct Buckets<'a, P> {
    times: Times,
    point: &'a P,
}

impl<P: Attributed> PointSource for Buckets<'_, P> {
    fn start_time_unix_nano(&self) -> u64 {
        self.times.start
    }

    fn time_unix_nano(&self) -> u64 {
        self.times.end
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        self.point.put_attributes(out);
    }
}

trait Attributed {
    fn put_attributes(&self, out: &mut AttributeSink<'_>);
}

impl<T> Attributed for HistogramDataPoint<T> {
    fn put_attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(self.attributes(), out);
    }
}

impl<T> Attributed for ExponentialHistogramDataPoint<T> {
    fn put_attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(self.attributes(), out);
    }
}

impl<T: Numeric> HistogramPointSource for Buckets<'_, HistogramDataPoint<T>> {
    fn count(&self) -> u64 {
        self.point.count()
    }

    fn sum(&self) -> Option<f64> {
        Some(self.point.sum().double())
    }

    fn bucket_counts(&self, out: &mut CountSink<'_>) {
        out.extend(self.point.bucket_counts());
    }

    fn explicit_bounds(&self, out: &mut DoubleSink<'_>) {
        out.extend(self.point.bounds());
    }

    fn min(&self) -> Option<f64> {
        self.point.min().map(Numeric::double)
    }

    fn max(&self) -> Option<f64> {
        self.point.max().map(Numeric::double)
    }
}

impl<T: Numeric> ExponentialHistogramPointSource for Buckets<'_, ExponentialHistogramDataPoint<T>> {
    fn count(&self) -> u64 {
        self.point.count() as u64
    }

    fn sum(&self) -> Option<f64> {
        Some(self.point.sum().double())
    }

    fn scale(&self) -> i32 {
        self.point.scale().into()
    }

    fn zero_count(&self) -> u64 {
        self.point.zero_count()
    }

    fn positive(&self, out: BucketsSink<'_>) {
        let buckets = self.point.positive_bucket();
        out.put(buckets.offset(), |counts| counts.extend(buckets.counts()));
    }

    fn negative(&self, out: BucketsSink<'_>) {
        let buckets = self.point.negative_bucket();
        out.put(buckets.offset(), |counts| counts.extend(buckets.counts()));
    }

    fn min(&self) -> Option<f64> {
        self.point.min().map(Numeric::double)
    }

    fn max(&self) -> Option<f64> {
        self.point.max().map(Numeric::double)
    }

    fn zero_threshold(&self) -> f64 {
        self.point.zero_threshold()
    }
}

/// A reader that a provider and we have: only a reader gets at the SDK's metrics.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<ManualReader>);

impl MetricReader for Shared {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

/// A counter and a histogram, with so many points in all and ten attributes each.
pub(super) fn metrics(points: u64) -> Result<ResourceMetrics, Failure> {
    let reader = Shared::default();
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    let meter = provider.meter("http-server");
    let requests = meter.u64_counter("http.server.requests").with_unit("{request}").build();
    let duration = meter.f64_histogram("http.server.request.duration").with_unit("s").build();
    for n in 0..points / 2 {
        let attributes = super::sdk::attributes(n);
        requests.add(n + 1, &attributes);
        (0..20).for_each(|at| duration.record((n * 20 + at) as f64 * 0.75, &attributes));
    }
    let mut metrics = ResourceMetrics::default();
    reader.collect(&mut metrics)?;
    Ok(metrics)
}
