//! Metrics, and the kinds of data that they hold.

use super::kinds::AggregationTemporality;
use super::point::{ExponentialHistogramPoint, HistogramPoint, NumberPoint, SummaryPoint};
use super::record::{attributes, lists, merged, record, scalars};
use crate::schema::is_data;
use crate::schema::numbers::{exponential_histogram, gauge, histogram, metric, sum, summary};

record! {
    /// A metric with its data points (`metrics.v1.Metric`).
    Metric
}

scalars! {
    Metric as MetricFields<'a> {
        /// Name of the metric.
        name: &'a str = metric::NAME,
        /// What it measures.
        description: &'a str = metric::DESCRIPTION,
        /// Unit of the values, as in UCUM.
        unit: &'a str = metric::UNIT,
    }
}

attributes! {
    Metric {
        /// What else is known about the metric.
        metadata = metric::METADATA,
    }
}

/// What a metric holds (`metrics.v1.Metric.data`).
#[non_exhaustive]
#[derive(Copy, Clone, Debug)]
pub enum MetricData<'a> {
    /// `gauge`
    Gauge(Gauge<'a>),
    /// `sum`
    Sum(Sum<'a>),
    /// `histogram`
    Histogram(Histogram<'a>),
    /// `exponential_histogram`
    ExponentialHistogram(ExponentialHistogram<'a>),
    /// `summary`
    Summary(Summary<'a>),
}

impl<'a> Metric<'a> {
    /// The data. Of several kinds the last one counts, as in the protocol.
    #[must_use]
    pub fn data(&self) -> Option<MetricData<'a>> {
        let (number, body) = self.content().last_message(is_data)?;
        Some(match number {
            metric::GAUGE => MetricData::Gauge(Gauge::of_body(body)),
            metric::SUM => MetricData::Sum(Sum::of_body(body)),
            metric::HISTOGRAM => MetricData::Histogram(Histogram::of_body(body)),
            metric::EXPONENTIAL_HISTOGRAM => {
                MetricData::ExponentialHistogram(ExponentialHistogram::of_body(body))
            }
            _ => MetricData::Summary(Summary::of_body(body)),
        })
    }
}

macro_rules! kind {
    ($(#[$doc:meta])* $name:ident of $point:ident by $numbers:ident $($temporality:ident)?) => {
        merged! {
            $(#[$doc])*
            $name
        }

        lists! {
            $name {
                /// The data points, one for each set of attributes.
                data_points: $point<'a> = $numbers::POINTS,
            }
        }

        $(
            scalars! {
                $name {
                    /// What the values of successive points relate to.
                    aggregation_temporality: AggregationTemporality = $numbers::$temporality,
                }
            }
        )?
    };
}

kind! {
    /// Values of a moment (`metrics.v1.Gauge`).
    Gauge of NumberPoint by gauge
}

kind! {
    /// Sums (`metrics.v1.Sum`).
    Sum of NumberPoint by sum TEMPORALITY
}

scalars! {
    Sum {
        /// Whether the sum only grows.
        is_monotonic: bool = sum::MONOTONIC,
    }
}

kind! {
    /// Histograms with explicit bounds (`metrics.v1.Histogram`).
    Histogram of HistogramPoint by histogram TEMPORALITY
}

kind! {
    /// Histograms with exponential bounds (`metrics.v1.ExponentialHistogram`).
    ExponentialHistogram of ExponentialHistogramPoint by exponential_histogram TEMPORALITY
}

kind! {
    /// Quantiles that were computed at the source (`metrics.v1.Summary`).
    Summary of SummaryPoint by summary
}
