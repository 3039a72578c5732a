//! Metrics of all five kinds.

use super::Generator;
use crate::random::Random;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    number_data_point,
};

impl Generator {
    pub(super) fn resource_metrics(&mut self, items: usize) -> ResourceMetrics {
        ResourceMetrics {
            resource: self.resource(),
            scope_metrics: self.spread(items, 2, |generator, items| ScopeMetrics {
                scope: generator.scope(),
                metrics: generator.spread(items, 5, Self::metric),
                schema_url: generator.random.text(),
            }),
            schema_url: self.random.text(),
        }
    }

    fn metric(&mut self, points: usize) -> Metric {
        let data = match self.random.below(5) {
            0 => Data::Gauge(Gauge { data_points: self.points(points, number_point) }),
            1 => Data::Sum(Sum {
                data_points: self.points(points, number_point),
                aggregation_temporality: self.random.below(3) as i32,
                is_monotonic: self.random.one_in(2),
            }),
            2 => Data::Histogram(Histogram {
                data_points: self.points(points, histogram_point),
                aggregation_temporality: self.random.below(3) as i32,
            }),
            3 => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.points(points, exponential_point),
                aggregation_temporality: self.random.below(3) as i32,
            }),
            _ => Data::Summary(Summary { data_points: self.points(points, summary_point) }),
        };
        Metric {
            name: self.random.text(),
            description: self.random.text(),
            unit: self.random.text(),
            metadata: self.random.attributes(),
            data: Some(data),
        }
    }

    /// Points whose times no other point has.
    fn points<T>(&mut self, count: usize, make: fn(&mut Random, u64) -> T) -> Vec<T> {
        (0..count)
            .map(|_| {
                let time = 1_704_067_200_000_000_000 + self.number();
                make(&mut self.random, time)
            })
            .collect()
    }
}

fn exemplars(random: &mut Random) -> Vec<Exemplar> {
    random.some(0, 2, |random| Exemplar {
        filtered_attributes: random.attributes(),
        time_unix_nano: random.time(),
        span_id: random.maybe_id(8),
        trace_id: random.maybe_id(16),
        value: random.maybe(|random| match random.below(2) {
            0 => exemplar::Value::AsDouble(random.double()),
            _ => exemplar::Value::AsInt(random.next() as i64),
        }),
    })
}

fn number_point(random: &mut Random, time_unix_nano: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: random.attributes(),
        start_time_unix_nano: random.time(),
        time_unix_nano,
        exemplars: exemplars(random),
        flags: random.below(2) as u32,
        value: random.maybe(|random| match random.below(2) {
            0 => number_data_point::Value::AsDouble(random.double()),
            _ => number_data_point::Value::AsInt(random.next() as i64),
        }),
    }
}

fn histogram_point(random: &mut Random, time_unix_nano: u64) -> HistogramDataPoint {
    let explicit_bounds = random.some(0, 5, Random::double);
    let buckets = if explicit_bounds.is_empty() { 0 } else { explicit_bounds.len() as u64 + 1 };
    HistogramDataPoint {
        attributes: random.attributes(),
        start_time_unix_nano: random.time(),
        time_unix_nano,
        count: random.below(1 << 40),
        sum: random.maybe(Random::double),
        bucket_counts: random.some(buckets, buckets, |random| random.below(1 << 35)),
        explicit_bounds,
        exemplars: exemplars(random),
        flags: random.below(2) as u32,
        min: random.maybe(Random::double),
        max: random.maybe(Random::double),
    }
}

fn exponential_point(random: &mut Random, time_unix_nano: u64) -> ExponentialHistogramDataPoint {
    let buckets = |random: &mut Random| Buckets {
        offset: random.next() as i8 as i32,
        bucket_counts: random.some(0, 8, |random| random.below(1 << 35)),
    };
    ExponentialHistogramDataPoint {
        attributes: random.attributes(),
        start_time_unix_nano: random.time(),
        time_unix_nano,
        count: random.below(1 << 40),
        sum: random.maybe(Random::double),
        scale: random.below(31) as i32 - 10,
        zero_count: random.below(100),
        positive: random.maybe(buckets),
        negative: random.maybe(buckets),
        flags: random.below(2) as u32,
        exemplars: exemplars(random),
        min: random.maybe(Random::double),
        max: random.maybe(Random::double),
        zero_threshold: random.double().abs(),
    }
}

fn summary_point(random: &mut Random, time_unix_nano: u64) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: random.attributes(),
        start_time_unix_nano: random.time(),
        time_unix_nano,
        count: random.below(1 << 40),
        sum: random.double(),
        quantile_values: random.some(0, 3, |random| ValueAtQuantile {
            quantile: random.below(101) as f64 / 100.0,
            value: random.double().abs(),
        }),
        flags: random.below(2) as u32,
    }
}
