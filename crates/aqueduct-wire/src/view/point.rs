//! Data points of every kind, and exemplars.

use super::fields::{Data, Field, Scalar, zigzag};
use super::list::{Counts, Doubles};
use super::record::{attributes, lists, merged, record, scalars};
use crate::schema::numbers::{
    buckets, exemplar, exponential_point, histogram_point, number_point, quantile, summary_point,
};

/// The value of a [`NumberPoint`] or an [`Exemplar`].
#[non_exhaustive]
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Number {
    /// `as_int`
    Int(i64),
    /// `as_double`
    Double(f64),
}

/// The last one counts, whichever of the two fields it is in.
impl Scalar<'_> for Option<Number> {
    #[inline(always)]
    fn read(field: Field<'_>) -> Option<Option<Number>> {
        // Both messages have the integer in the same field, and nothing else in it.
        const { assert!(number_point::AS_INT == exemplar::AS_INT) };
        match field.data {
            Data::Fixed64(bits) if field.number == number_point::AS_INT => {
                Some(Some(Number::Int(bits.cast_signed())))
            }
            Data::Fixed64(bits) => Some(Some(Number::Double(f64::from_bits(bits)))),
            _ => None,
        }
    }
}

record! {
    /// A point of a gauge or a sum (`metrics.v1.NumberDataPoint`).
    #[doc(alias = "NumberDataPoint")]
    NumberPoint
}

scalars! {
    NumberPoint as NumberPointFields {
        /// Since when the value is counted, in nanoseconds since the Unix epoch.
        start_time_unix_nano: u64 = number_point::START,
        /// When the value was read, in nanoseconds since the Unix epoch.
        time_unix_nano: u64 = number_point::TIME,
        /// The value, if there is one.
        value: Option<Number> = number_point::AS_DOUBLE | number_point::AS_INT,
        /// Bit 0 says that there is no recorded value.
        flags: u32 = number_point::FLAGS,
    }
}

attributes! {
    NumberPoint {
        /// What identifies the point's time series.
        attributes = number_point::ATTRIBUTES,
    }
}

lists! {
    NumberPoint {
        /// Examples of measurements that went into the value.
        exemplars: Exemplar<'a> = number_point::EXEMPLARS,
    }
}

record! {
    /// A histogram with explicit bounds (`metrics.v1.HistogramDataPoint`).
    #[doc(alias = "HistogramDataPoint")]
    HistogramPoint
}

scalars! {
    HistogramPoint as HistogramPointFields {
        /// Since when is counted, in nanoseconds since the Unix epoch.
        start_time_unix_nano: u64 = histogram_point::START,
        /// When the histogram was read, in nanoseconds since the Unix epoch.
        time_unix_nano: u64 = histogram_point::TIME,
        /// How many measurements.
        count: u64 = histogram_point::COUNT,
        /// Their sum.
        sum: Option<f64> = histogram_point::SUM,
        /// Bit 0 says that there is no recorded value.
        flags: u32 = histogram_point::FLAGS,
        /// The smallest one.
        min: Option<f64> = histogram_point::MIN,
        /// The largest one.
        max: Option<f64> = histogram_point::MAX,
    }
}

attributes! {
    HistogramPoint {
        /// What identifies the point's time series.
        attributes = histogram_point::ATTRIBUTES,
    }
}

lists! {
    HistogramPoint {
        /// Examples of measurements.
        exemplars: Exemplar<'a> = histogram_point::EXEMPLARS,
    }
}

impl<'a> HistogramPoint<'a> {
    /// How many measurements each bucket has: none at all, or one more than there are bounds.
    #[must_use]
    pub fn bucket_counts(&self) -> Counts<'a> {
        Counts::fixed(self.content(), histogram_point::BUCKET_COUNTS)
    }

    /// Upper bounds of the buckets, inclusive; the last bucket has none.
    #[must_use]
    pub fn explicit_bounds(&self) -> Doubles<'a> {
        Doubles::new(self.content(), histogram_point::EXPLICIT_BOUNDS)
    }
}

record! {
    /// A histogram with exponential bounds (`metrics.v1.ExponentialHistogramDataPoint`).
    #[doc(alias = "ExponentialHistogramDataPoint")]
    ExponentialHistogramPoint
}

scalars! {
    ExponentialHistogramPoint as ExponentialHistogramPointFields {
        /// Since when is counted, in nanoseconds since the Unix epoch.
        start_time_unix_nano: u64 = exponential_point::START,
        /// When the histogram was read, in nanoseconds since the Unix epoch.
        time_unix_nano: u64 = exponential_point::TIME,
        /// How many measurements.
        count: u64 = exponential_point::COUNT,
        /// Their sum.
        sum: Option<f64> = exponential_point::SUM,
        /// Resolution: the base of the bounds is 2 to the power of 2 to the power of minus this.
        scale: i32 = exponential_point::SCALE => zigzag,
        /// How many measurements are at most [`zero_threshold`](Self::zero_threshold) from zero.
        zero_count: u64 = exponential_point::ZERO_COUNT,
        /// Bit 0 says that there is no recorded value.
        flags: u32 = exponential_point::FLAGS,
        /// The smallest one.
        min: Option<f64> = exponential_point::MIN,
        /// The largest one.
        max: Option<f64> = exponential_point::MAX,
        /// Half of the width of the bucket around zero.
        zero_threshold: f64 = exponential_point::ZERO_THRESHOLD,
    }
}

attributes! {
    ExponentialHistogramPoint {
        /// What identifies the point's time series.
        attributes = exponential_point::ATTRIBUTES,
    }
}

lists! {
    ExponentialHistogramPoint {
        /// Examples of measurements.
        exemplars: Exemplar<'a> = exponential_point::EXEMPLARS,
    }
}

impl<'a> ExponentialHistogramPoint<'a> {
    /// The buckets of the measurements above zero.
    #[must_use]
    pub fn positive(&self) -> Option<Buckets<'a>> {
        self.content().message(exponential_point::POSITIVE).map(Buckets::of_body)
    }

    /// The buckets of the measurements below zero.
    #[must_use]
    pub fn negative(&self) -> Option<Buckets<'a>> {
        self.content().message(exponential_point::NEGATIVE).map(Buckets::of_body)
    }
}

merged! {
    /// Successive buckets (`metrics.v1.ExponentialHistogramDataPoint.Buckets`).
    Buckets
}

scalars! {
    Buckets {
        /// Index of the first bucket.
        offset: i32 = buckets::OFFSET => zigzag,
    }
}

impl<'a> Buckets<'a> {
    /// How many measurements each bucket has.
    #[must_use]
    pub fn bucket_counts(&self) -> Counts<'a> {
        Counts::varints(self.content(), buckets::BUCKET_COUNTS)
    }
}

record! {
    /// Quantiles of a stretch of time (`metrics.v1.SummaryDataPoint`).
    #[doc(alias = "SummaryDataPoint")]
    SummaryPoint
}

scalars! {
    SummaryPoint as SummaryPointFields {
        /// Since when is counted, in nanoseconds since the Unix epoch.
        start_time_unix_nano: u64 = summary_point::START,
        /// When the summary was read, in nanoseconds since the Unix epoch.
        time_unix_nano: u64 = summary_point::TIME,
        /// How many measurements.
        count: u64 = summary_point::COUNT,
        /// Their sum.
        sum: f64 = summary_point::SUM,
        /// Bit 0 says that there is no recorded value.
        flags: u32 = summary_point::FLAGS,
    }
}

attributes! {
    SummaryPoint {
        /// What identifies the point's time series.
        attributes = summary_point::ATTRIBUTES,
    }
}

lists! {
    SummaryPoint {
        /// The quantiles.
        quantile_values: Quantile<'a> = summary_point::QUANTILES,
    }
}

record! {
    /// A quantile and its value (`metrics.v1.SummaryDataPoint.ValueAtQuantile`).
    #[doc(alias = "ValueAtQuantile")]
    Quantile
}

scalars! {
    Quantile {
        /// The quantile, from 0 to 1.
        quantile: f64 = quantile::QUANTILE,
        /// The value at this quantile.
        value: f64 = quantile::VALUE,
    }
}

record! {
    /// An example of a measurement that went into a point (`metrics.v1.Exemplar`).
    Exemplar
}

scalars! {
    Exemplar as ExemplarFields<'a> {
        /// When it was measured, in nanoseconds since the Unix epoch.
        time_unix_nano: u64 = exemplar::TIME,
        /// The value, if there is one.
        value: Option<Number> = exemplar::AS_DOUBLE | exemplar::AS_INT,
        /// Id of the span in which it was measured: 8 bytes, or none.
        span_id: &'a [u8] = exemplar::SPAN_ID,
        /// Id of the trace in which it was measured: 16 bytes, or none.
        trace_id: &'a [u8] = exemplar::TRACE_ID,
    }
}

attributes! {
    Exemplar {
        /// The attributes of the measurement that are not those of the point.
        filtered_attributes = exemplar::ATTRIBUTES,
    }
}
