//! A metric of the SDK, as the encoder asks for it.

use aqueduct_wire::encode::{DataSink, MetricSource};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData};

use super::number::Numeric;
use super::points::{Point, Times};

pub(super) struct Source<'a>(pub(super) &'a Metric);

impl MetricSource for Source<'_> {
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
            AggregatedMetrics::F64(data) => put(out, data),
            AggregatedMetrics::U64(data) => put(out, data),
            AggregatedMetrics::I64(data) => put(out, data),
        }
    }
}

fn put<T: Numeric>(out: DataSink<'_>, data: &MetricData<T>) {
    match data {
        MetricData::Gauge(data) => {
            let times = Times { start: data.start_time(), time: data.time() };
            out.gauge(|out| data.data_points().for_each(|point| out.push(&Point { point, times })));
        }
        MetricData::Sum(data) => {
            let times = Times { start: Some(data.start_time()), time: data.time() };
            out.sum(temporality(data.temporality()), data.is_monotonic(), |out| {
                data.data_points().for_each(|point| out.push(&Point { point, times }));
            });
        }
        MetricData::Histogram(data) => {
            let times = Times { start: Some(data.start_time()), time: data.time() };
            out.histogram(temporality(data.temporality()), |out| {
                data.data_points().for_each(|point| out.push(&Point { point, times }));
            });
        }
        MetricData::ExponentialHistogram(data) => {
            let times = Times { start: Some(data.start_time()), time: data.time() };
            out.exponential_histogram(temporality(data.temporality()), |out| {
                data.data_points().for_each(|point| out.push(&Point { point, times }));
            });
        }
    }
}

/// OTLP's `AggregationTemporality`. Data is of one of two; the third of the SDK's is a preference.
fn temporality(temporality: Temporality) -> i32 {
    match temporality {
        Temporality::Delta => 1,
        _ => 2,
    }
}
