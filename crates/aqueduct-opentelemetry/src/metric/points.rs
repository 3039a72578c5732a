//! Points and exemplars of the SDK, as the encoder asks for them.

use std::time::SystemTime;

use aqueduct_wire::encode::{
    AttributeSink, BucketsSink, CountSink, DoubleSink, ExemplarSink, ExemplarSource,
    ExponentialHistogramPointSource, HistogramPointSource, Number, NumberPointSource, PointSource,
};
use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::{
    Exemplar, ExponentialBucket, ExponentialHistogramDataPoint, GaugeDataPoint, HistogramDataPoint,
    SumDataPoint,
};

use super::number::Numeric;
use crate::encode::{Attributes, nanos, put};

/// When the points of a metric were collected: all at once.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) start: Option<SystemTime>,
    pub(super) time: SystemTime,
}

/// A point with its times.
pub(super) struct Point<'a, P> {
    pub(super) point: &'a P,
    pub(super) times: Times,
}

/// Limits are not for metrics (OpenTelemetry specification, "Attribute Limits").
fn put_all<'a>(out: &mut AttributeSink<'_>, attributes: impl Iterator<Item = &'a KeyValue>) {
    let rules = Attributes { count: u32::MAX, value_length: None, redactor: None };
    attributes.for_each(|attribute| put(out, attribute.key.as_str(), &attribute.value, &rules));
}

struct Example<'a, T>(&'a Exemplar<T>);

impl<T: Numeric> ExemplarSource for Example<'_, T> {
    fn value(&self) -> Option<Number> {
        Some(self.0.value.number())
    }

    fn time_unix_nano(&self) -> u64 {
        nanos(self.0.time())
    }

    fn span_id(&self) -> Option<[u8; 8]> {
        Some(*self.0.span_id()).filter(|id| *id != [0; 8])
    }

    fn trace_id(&self) -> Option<[u8; 16]> {
        Some(*self.0.trace_id()).filter(|id| *id != [0; 16])
    }

    fn filtered_attributes(&self, out: &mut AttributeSink<'_>) {
        put_all(out, self.0.filtered_attributes());
    }
}

/// What all kinds of points have.
macro_rules! point_source {
    ($($point:ident),+) => {$(
        impl<T: Numeric> PointSource for Point<'_, $point<T>> {
            fn start_time_unix_nano(&self) -> u64 {
                self.times.start.map_or(0, nanos)
            }

            fn time_unix_nano(&self) -> u64 {
                nanos(self.times.time)
            }

            fn attributes(&self, out: &mut AttributeSink<'_>) {
                put_all(out, self.point.attributes());
            }

            fn exemplars(&self, out: &mut ExemplarSink<'_>) {
                self.point.exemplars().for_each(|exemplar| out.push(&Example(exemplar)));
            }
        }
    )+};
}

point_source!(GaugeDataPoint, SumDataPoint, HistogramDataPoint, ExponentialHistogramDataPoint);

impl<T: Numeric> NumberPointSource for Point<'_, GaugeDataPoint<T>> {
    fn value(&self) -> Option<Number> {
        Some(self.point.value().number())
    }
}

impl<T: Numeric> NumberPointSource for Point<'_, SumDataPoint<T>> {
    fn value(&self) -> Option<Number> {
        Some(self.point.value().number())
    }
}

impl<T: Numeric> HistogramPointSource for Point<'_, HistogramDataPoint<T>> {
    fn count(&self) -> u64 {
        self.point.count()
    }

    fn sum(&self) -> Option<f64> {
        Some(self.point.sum().float())
    }

    fn bucket_counts(&self, out: &mut CountSink<'_>) {
        out.extend(self.point.bucket_counts());
    }

    fn explicit_bounds(&self, out: &mut DoubleSink<'_>) {
        out.extend(self.point.bounds());
    }

    fn min(&self) -> Option<f64> {
        self.point.min().map(Numeric::float)
    }

    fn max(&self) -> Option<f64> {
        self.point.max().map(Numeric::float)
    }
}

impl<T: Numeric> ExponentialHistogramPointSource for Point<'_, ExponentialHistogramDataPoint<T>> {
    fn count(&self) -> u64 {
        self.point.count() as u64
    }

    fn sum(&self) -> Option<f64> {
        Some(self.point.sum().float())
    }

    fn scale(&self) -> i32 {
        self.point.scale().into()
    }

    fn zero_count(&self) -> u64 {
        self.point.zero_count()
    }

    fn positive(&self, out: BucketsSink<'_>) {
        put_buckets(out, self.point.positive_bucket());
    }

    fn negative(&self, out: BucketsSink<'_>) {
        put_buckets(out, self.point.negative_bucket());
    }

    fn min(&self) -> Option<f64> {
        self.point.min().map(Numeric::float)
    }

    fn max(&self) -> Option<f64> {
        self.point.max().map(Numeric::float)
    }

    fn zero_threshold(&self) -> f64 {
        self.point.zero_threshold()
    }
}

fn put_buckets(out: BucketsSink<'_>, buckets: &ExponentialBucket) {
    out.put(buckets.offset(), |counts| counts.extend(buckets.counts()));
}
