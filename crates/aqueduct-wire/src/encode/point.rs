//! Data points: `metrics.v1.*DataPoint`, and the exemplars in them.

use super::value::AttributeSink;
use super::writer::Writer;
use super::{IN_EXEMPLAR, IN_POINT};
use crate::schema::tags::{
    buckets, exemplar, exponential_point, histogram_point, number_point, summary_point, value_at_quantile,
};
use core::fmt;

/// What points of all kinds have. Every method has a default that writes nothing.
pub trait PointSource {
    /// `start_time_unix_nano`: nanoseconds since 1970-01-01 UTC.
    fn start_time_unix_nano(&self) -> u64 {
        0
    }

    /// `time_unix_nano`: nanoseconds since 1970-01-01 UTC.
    fn time_unix_nano(&self) -> u64 {
        0
    }

    /// Hands over the `attributes`.
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        let _ = out;
    }

    /// Hands over the `exemplars`, which a summary does not have.
    fn exemplars(&self, out: &mut ExemplarSink<'_>) {
        let _ = out;
    }

    /// `flags`: bit 0 says that no value was recorded.
    fn flags(&self) -> u32 {
        0
    }
}

/// A number of one of two kinds: the `value` of points and exemplars. Complete: the protocol has these two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// `as_int`.
    Int(i64),
    /// `as_double`.
    Double(f64),
}

/// A point of a gauge or a sum on loan: `NumberDataPoint`.
pub trait NumberPointSource: PointSource {
    /// `value`; `None` if nothing was recorded.
    fn value(&self) -> Option<Number>;
}

/// A point of a histogram on loan: `HistogramDataPoint`.
pub trait HistogramPointSource: PointSource {
    /// `count`.
    fn count(&self) -> u64;

    /// `sum`.
    fn sum(&self) -> Option<f64> {
        None
    }

    /// Hands over the `bucket_counts`: none, or one more than bounds.
    fn bucket_counts(&self, out: &mut CountSink<'_>) {
        let _ = out;
    }

    /// Hands over the `explicit_bounds`, in ascending order.
    fn explicit_bounds(&self, out: &mut DoubleSink<'_>) {
        let _ = out;
    }

    /// `min`.
    fn min(&self) -> Option<f64> {
        None
    }

    /// `max`.
    fn max(&self) -> Option<f64> {
        None
    }
}

/// A point of an exponential histogram on loan: `ExponentialHistogramDataPoint`.
pub trait ExponentialHistogramPointSource: PointSource {
    /// `count`.
    fn count(&self) -> u64;

    /// `sum`.
    fn sum(&self) -> Option<f64> {
        None
    }

    /// `scale`: bounds are powers of 2^(2^-scale).
    fn scale(&self) -> i32;

    /// `zero_count`.
    fn zero_count(&self) -> u64 {
        0
    }

    /// Hands over the buckets of `positive`, or drops the sink if there is no such message.
    fn positive(&self, out: BucketsSink<'_>) {
        let _ = out;
    }

    /// Hands over the buckets of `negative`, or drops the sink if there is no such message.
    fn negative(&self, out: BucketsSink<'_>) {
        let _ = out;
    }

    /// `min`.
    fn min(&self) -> Option<f64> {
        None
    }

    /// `max`.
    fn max(&self) -> Option<f64> {
        None
    }

    /// `zero_threshold`.
    fn zero_threshold(&self) -> f64 {
        0.0
    }
}

/// A point of a summary on loan: `SummaryDataPoint`. It has no exemplars; those of [`PointSource`] are not asked for.
pub trait SummaryPointSource: PointSource {
    /// `count`.
    fn count(&self) -> u64;

    /// `sum`.
    fn sum(&self) -> f64 {
        0.0
    }

    /// Hands over the `quantile_values`.
    fn quantile_values(&self, out: &mut QuantileSink<'_>) {
        let _ = out;
    }
}

/// An exemplar on loan: `metrics.v1.Exemplar`. Every method but the first has a default that writes nothing.
pub trait ExemplarSource {
    /// `value`.
    fn value(&self) -> Option<Number>;

    /// `time_unix_nano`: nanoseconds since 1970-01-01 UTC.
    fn time_unix_nano(&self) -> u64 {
        0
    }

    /// `span_id`.
    fn span_id(&self) -> Option<[u8; 8]> {
        None
    }

    /// `trace_id`.
    fn trace_id(&self) -> Option<[u8; 16]> {
        None
    }

    /// Hands over the `filtered_attributes`: those that were recorded and are not among the point's.
    fn filtered_attributes(&self, out: &mut AttributeSink<'_>) {
        let _ = out;
    }
}

/// Where exemplars go.
pub struct ExemplarSink<'w> {
    writer: &'w mut Writer,
    tag: u8,
}

impl ExemplarSink<'_> {
    /// Writes an exemplar.
    pub fn push<E: ExemplarSource + ?Sized>(&mut self, source: &E) {
        let writer = &mut *self.writer;
        let message = writer.begin(self.tag);
        writer.fixed64(exemplar::TIME, source.time_unix_nano());
        // One of two fields: it stands where the lower of their numbers does.
        put_number(writer, [exemplar::AS_INT, exemplar::AS_DOUBLE], source.value());
        writer.id(exemplar::SPAN_ID, source.span_id());
        writer.id(exemplar::TRACE_ID, source.trace_id());
        source.filtered_attributes(&mut AttributeSink::new(
            writer,
            exemplar::FILTERED_ATTRIBUTES,
            IN_EXEMPLAR,
        ));
        writer.end(message);
    }
}

/// Where the counts of buckets go, by [`Extend`]. A list without any is left out.
pub struct CountSink<'w> {
    writer: &'w mut Writer,
    fixed: bool,
}

impl Extend<u64> for CountSink<'_> {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, counts: I) {
        if self.fixed {
            self.writer.words(counts.into_iter().map(u64::to_le_bytes));
        } else {
            counts.into_iter().for_each(|count| self.writer.varint(count));
        }
    }
}

impl<'a> Extend<&'a u64> for CountSink<'_> {
    fn extend<I: IntoIterator<Item = &'a u64>>(&mut self, counts: I) {
        self.extend(counts.into_iter().copied());
    }
}

/// Where the bounds of buckets go, by [`Extend`]. A list without any is left out.
pub struct DoubleSink<'w> {
    writer: &'w mut Writer,
}

impl Extend<f64> for DoubleSink<'_> {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, bounds: I) {
        self.writer.words(bounds.into_iter().map(f64::to_le_bytes));
    }
}

impl<'a> Extend<&'a f64> for DoubleSink<'_> {
    fn extend<I: IntoIterator<Item = &'a f64>>(&mut self, bounds: I) {
        self.extend(bounds.into_iter().copied());
    }
}

/// Where the buckets of an exponential histogram go, or none if it is dropped: `Buckets`.
pub struct BucketsSink<'w> {
    writer: &'w mut Writer,
    tag: u8,
}

impl BucketsSink<'_> {
    /// Writes the index of the first bucket, and the counts that the function hands over.
    pub fn put(self, offset: i32, counts: impl FnOnce(&mut CountSink<'_>)) {
        let message = self.writer.begin(self.tag);
        self.writer.sint32(buckets::OFFSET, offset);
        let list = self.writer.begin(buckets::BUCKET_COUNTS);
        counts(&mut CountSink { writer: &mut *self.writer, fixed: false });
        self.writer.end_list(list);
        self.writer.end(message);
    }
}

/// Where the quantiles of a summary go: `ValueAtQuantile`.
pub struct QuantileSink<'w> {
    writer: &'w mut Writer,
}

impl QuantileSink<'_> {
    /// Writes a quantile, between 0 and 1, and the value at it.
    pub fn push(&mut self, quantile: f64, value: f64) {
        let message = self.writer.begin(summary_point::QUANTILE_VALUES);
        self.writer.fixed64(value_at_quantile::QUANTILE, quantile.to_bits());
        self.writer.fixed64(value_at_quantile::VALUE, value.to_bits());
        self.writer.end(message);
    }
}

macro_rules! debug {
    ($($sink:ident),+) => {$(
        impl fmt::Debug for $sink<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($sink)).finish_non_exhaustive()
            }
        }
    )+};
}

debug!(ExemplarSink, CountSink, DoubleSink, BucketsSink, QuantileSink);

fn put_number(writer: &mut Writer, [as_int, as_double]: [u8; 2], value: Option<Number>) {
    match value {
        Some(Number::Int(value)) => writer.present64(as_int, value.cast_unsigned()),
        Some(Number::Double(value)) => writer.present64(as_double, value.to_bits()),
        None => {}
    }
}

/// Writes the contents of a `NumberDataPoint`.
pub(super) fn put_number_point<P: NumberPointSource + ?Sized>(writer: &mut Writer, source: &P) {
    writer.fixed64(number_point::START_TIME, source.start_time_unix_nano());
    writer.fixed64(number_point::TIME, source.time_unix_nano());
    put_number(writer, [number_point::AS_INT, number_point::AS_DOUBLE], source.value());
    source.exemplars(&mut ExemplarSink { writer: &mut *writer, tag: number_point::EXEMPLARS });
    source.attributes(&mut AttributeSink::new(writer, number_point::ATTRIBUTES, IN_POINT));
    writer.uint(number_point::FLAGS, source.flags().into());
}

/// Writes the contents of a `HistogramDataPoint`.
pub(super) fn put_histogram_point<P: HistogramPointSource + ?Sized>(writer: &mut Writer, source: &P) {
    writer.fixed64(histogram_point::START_TIME, source.start_time_unix_nano());
    writer.fixed64(histogram_point::TIME, source.time_unix_nano());
    writer.fixed64(histogram_point::COUNT, source.count());
    writer.optional_double(histogram_point::SUM, source.sum());
    let list = writer.begin(histogram_point::BUCKET_COUNTS);
    source.bucket_counts(&mut CountSink { writer: &mut *writer, fixed: true });
    writer.end_list(list);
    let list = writer.begin(histogram_point::EXPLICIT_BOUNDS);
    source.explicit_bounds(&mut DoubleSink { writer: &mut *writer });
    writer.end_list(list);
    source.exemplars(&mut ExemplarSink { writer: &mut *writer, tag: histogram_point::EXEMPLARS });
    source.attributes(&mut AttributeSink::new(writer, histogram_point::ATTRIBUTES, IN_POINT));
    writer.uint(histogram_point::FLAGS, source.flags().into());
    writer.optional_double(histogram_point::MIN, source.min());
    writer.optional_double(histogram_point::MAX, source.max());
}

/// Writes the contents of an `ExponentialHistogramDataPoint`.
pub(super) fn put_exponential_histogram_point<P: ExponentialHistogramPointSource + ?Sized>(
    writer: &mut Writer,
    source: &P,
) {
    source.attributes(&mut AttributeSink::new(writer, exponential_point::ATTRIBUTES, IN_POINT));
    writer.fixed64(exponential_point::START_TIME, source.start_time_unix_nano());
    writer.fixed64(exponential_point::TIME, source.time_unix_nano());
    writer.fixed64(exponential_point::COUNT, source.count());
    writer.optional_double(exponential_point::SUM, source.sum());
    writer.sint32(exponential_point::SCALE, source.scale());
    writer.fixed64(exponential_point::ZERO_COUNT, source.zero_count());
    source.positive(BucketsSink { writer: &mut *writer, tag: exponential_point::POSITIVE });
    source.negative(BucketsSink { writer: &mut *writer, tag: exponential_point::NEGATIVE });
    writer.uint(exponential_point::FLAGS, source.flags().into());
    source.exemplars(&mut ExemplarSink { writer: &mut *writer, tag: exponential_point::EXEMPLARS });
    writer.optional_double(exponential_point::MIN, source.min());
    writer.optional_double(exponential_point::MAX, source.max());
    writer.fixed64(exponential_point::ZERO_THRESHOLD, source.zero_threshold().to_bits());
}

/// Writes the contents of a `SummaryDataPoint`.
pub(super) fn put_summary_point<P: SummaryPointSource + ?Sized>(writer: &mut Writer, source: &P) {
    writer.fixed64(summary_point::START_TIME, source.start_time_unix_nano());
    writer.fixed64(summary_point::TIME, source.time_unix_nano());
    writer.fixed64(summary_point::COUNT, source.count());
    writer.fixed64(summary_point::SUM, source.sum().to_bits());
    source.quantile_values(&mut QuantileSink { writer: &mut *writer });
    source.attributes(&mut AttributeSink::new(writer, summary_point::ATTRIBUTES, IN_POINT));
    writer.uint(summary_point::FLAGS, source.flags().into());
}
