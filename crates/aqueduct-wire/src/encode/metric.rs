//! Metrics: `metrics.v1.Metric` and its five kinds of data.

use super::IN_ITEM;
use super::point::{
    ExponentialHistogramPointSource, HistogramPointSource, NumberPointSource, SummaryPointSource,
    put_exponential_histogram_point, put_histogram_point, put_number_point, put_summary_point,
};
use super::value::AttributeSink;
use super::writer::Writer;
use crate::schema::tags::{data, metric};
use core::fmt;
use core::marker::PhantomData;

/// A metric on loan: what the encoder asks for.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::encode::{DataSink, Encoder, MetricSource, Number, NumberPointSource, PointSource};
///
/// struct Counter(u64);
///
/// impl PointSource for Counter {
///     fn time_unix_nano(&self) -> u64 { 1_767_225_600_000_000_000 }
/// }
///
/// impl NumberPointSource for Counter {
///     fn value(&self) -> Option<Number> { Some(Number::Int(self.0.cast_signed())) }
/// }
///
/// struct Requests(Vec<Counter>);
///
/// impl MetricSource for Requests {
///     fn name(&self) -> &str { "requests" }
///     fn data(&self, out: DataSink<'_>) {
///         // Cumulative (2) and monotonic.
///         out.sum(2, true, |points| self.0.iter().for_each(|point| points.push(point)));
///     }
/// }
///
/// let mut encoder = Encoder::new();
/// assert_eq!(encoder.metric(&Requests(vec![Counter(1), Counter(2)])).items(), 2);
/// ```
pub trait MetricSource {
    /// `name`.
    fn name(&self) -> &str;

    /// `description`.
    fn description(&self) -> &str {
        ""
    }

    /// `unit`, in the notation of UCUM.
    fn unit(&self) -> &str {
        ""
    }

    /// Hands over the data: one of five kinds, with its points. A sink that is dropped makes a metric without data.
    fn data(&self, out: DataSink<'_>);

    /// Hands over the `metadata`.
    fn metadata(&self, out: &mut AttributeSink<'_>) {
        let _ = out;
    }
}

/// Where the data of a metric goes.
///
/// `temporality` is 0 unspecified, 1 delta, 2 cumulative.
pub struct DataSink<'w> {
    writer: &'w mut Writer,
    points: &'w mut u64,
}

impl DataSink<'_> {
    /// `gauge`.
    pub fn gauge(self, points: impl FnOnce(&mut PointSink<'_, NumberPoints>)) {
        self.data(metric::GAUGE, 0, false, points);
    }

    /// `sum`.
    pub fn sum(
        self,
        temporality: i32,
        is_monotonic: bool,
        points: impl FnOnce(&mut PointSink<'_, NumberPoints>),
    ) {
        self.data(metric::SUM, temporality, is_monotonic, points);
    }

    /// `histogram`.
    pub fn histogram(self, temporality: i32, points: impl FnOnce(&mut PointSink<'_, HistogramPoints>)) {
        self.data(metric::HISTOGRAM, temporality, false, points);
    }

    /// `exponential_histogram`.
    pub fn exponential_histogram(
        self,
        temporality: i32,
        points: impl FnOnce(&mut PointSink<'_, ExponentialHistogramPoints>),
    ) {
        self.data(metric::EXPONENTIAL_HISTOGRAM, temporality, false, points);
    }

    /// `summary`.
    pub fn summary(self, points: impl FnOnce(&mut PointSink<'_, SummaryPoints>)) {
        self.data(metric::SUMMARY, 0, false, points);
    }

    fn data<K>(
        self,
        tag: u8,
        temporality: i32,
        is_monotonic: bool,
        points: impl FnOnce(&mut PointSink<'_, K>),
    ) {
        let writer = self.writer;
        let digits = writer.data_digits + 1;
        let message = writer.begin_like(tag, digits);
        points(&mut PointSink { writer: &mut *writer, points: self.points, digits: 1, kind: PhantomData });
        writer.int32(data::TEMPORALITY, temporality);
        writer.uint(data::IS_MONOTONIC, is_monotonic.into());
        writer.data_digits = writer.end_like(message, digits) - 1;
    }
}

impl fmt::Debug for DataSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataSink").finish_non_exhaustive()
    }
}

/// Where the points of a metric go; `K` says which kind they are.
pub struct PointSink<'w, K> {
    writer: &'w mut Writer,
    points: &'w mut u64,
    /// How many bytes the length of the last point took.
    digits: usize,
    kind: PhantomData<K>,
}

/// Points of a gauge or a sum: `NumberDataPoint`. Complete: a mark without contents.
#[derive(Clone, Copy, Debug)]
pub enum NumberPoints {}

/// Points of a histogram: `HistogramDataPoint`. Complete: a mark without contents.
#[derive(Clone, Copy, Debug)]
pub enum HistogramPoints {}

/// Points of an exponential histogram: `ExponentialHistogramDataPoint`. Complete: a mark without contents.
#[derive(Clone, Copy, Debug)]
pub enum ExponentialHistogramPoints {}

/// Points of a summary: `SummaryDataPoint`. Complete: a mark without contents.
#[derive(Clone, Copy, Debug)]
pub enum SummaryPoints {}

impl<K> PointSink<'_, K> {
    fn point(&mut self, point: impl FnOnce(&mut Writer)) {
        let message = self.writer.begin_like(data::POINTS, self.digits);
        point(self.writer);
        self.digits = self.writer.end_like(message, self.digits);
        *self.points += 1;
    }
}

impl PointSink<'_, NumberPoints> {
    /// Writes a point.
    pub fn push<P: NumberPointSource + ?Sized>(&mut self, point: &P) {
        self.point(|writer| put_number_point(writer, point));
    }
}

impl PointSink<'_, HistogramPoints> {
    /// Writes a point.
    pub fn push<P: HistogramPointSource + ?Sized>(&mut self, point: &P) {
        self.point(|writer| put_histogram_point(writer, point));
    }
}

impl PointSink<'_, ExponentialHistogramPoints> {
    /// Writes a point.
    pub fn push<P: ExponentialHistogramPointSource + ?Sized>(&mut self, point: &P) {
        self.point(|writer| put_exponential_histogram_point(writer, point));
    }
}

impl PointSink<'_, SummaryPoints> {
    /// Writes a point.
    pub fn push<P: SummaryPointSource + ?Sized>(&mut self, point: &P) {
        self.point(|writer| put_summary_point(writer, point));
    }
}

impl<K> fmt::Debug for PointSink<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointSink").field("points", &self.points).finish_non_exhaustive()
    }
}

/// Writes the contents of a `Metric` and says how many points it has.
pub(super) fn put_metric<M: MetricSource + ?Sized>(writer: &mut Writer, source: &M) -> u64 {
    let mut points = 0;
    writer.string(metric::NAME, source.name());
    writer.string(metric::DESCRIPTION, source.description());
    writer.string(metric::UNIT, source.unit());
    source.data(DataSink { writer: &mut *writer, points: &mut points });
    source.metadata(&mut AttributeSink::new(writer, metric::METADATA, IN_ITEM));
    points
}
