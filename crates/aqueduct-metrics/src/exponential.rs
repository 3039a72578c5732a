//! The exponential histogram of OTLP, made from a distribution.
//!
//! Source: OpenTelemetry specification, metrics data model, "ExponentialHistogram".

use crate::Histogram;

/// The finest scale: each power of two in 64 buckets, as in our own.
const FINEST: i32 = 6;
/// At this scale two buckets hold every positive float.
const COARSEST: i32 = -11;

/// A point of an exponential histogram, as plain data: what `ExponentialHistogramDataPoint` of OTLP needs beside times and attributes.
///
/// The bucket `i` of `counts` holds values above `base^(offset + i)`, up to and including `base^(offset + i + 1)`, where the base is `2^(2^-scale)`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ExponentialHistogram {
    /// How many values there are, zeros included.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest; none if there are no values.
    pub min: Option<f64>,
    /// The largest; none if there are no values.
    pub max: Option<f64>,
    /// How fine the buckets are: `-11` to `6`.
    pub scale: i32,
    /// How many values are zero.
    pub zero_count: u64,
    /// The index of the first bucket.
    pub offset: i32,
    /// The counts of the buckets, the first and the last not zero.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The same values as an exponential histogram with at most `max_buckets` buckets (at least 2; OpenTelemetry's default is 160), multiplied by `scale`: `1e-9`
    /// makes seconds of nanoseconds. A factor that is not positive and finite counts as 1.
    ///
    /// The scale is the finest, up to 6, at which the buckets suffice. Each of our buckets goes as a whole into the one that its middle is in, so counts
    /// are conserved.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_metrics::Histogram;
    ///
    /// let nanos: Histogram = [0, 1_000_000, 1_000_000, 2_500_000_000].into_iter().collect();
    /// let seconds = nanos.exponential(160, 1e-9);
    /// assert_eq!((seconds.count, seconds.zero_count, seconds.max), (4, 1, Some(2.5)));
    /// assert_eq!(seconds.counts.iter().sum::<u64>(), 3);
    /// ```
    pub fn exponential(&self, max_buckets: usize, scale: f64) -> ExponentialHistogram {
        let unit = if scale.is_finite() && scale > 0.0 { scale } else { 1.0 };
        if self.is_empty() {
            return ExponentialHistogram::default();
        }
        // Within what floats can say: no positive value becomes infinite.
        let scaled = |value: u64| (value as f64 * unit).min(f64::MAX);
        let zero_count = self.buckets().take_while(|(value, _)| *value == 0).map(|(_, count)| count).sum();
        let positive = || self.buckets().skip_while(|(value, _)| *value == 0);
        let max_buckets = max_buckets.max(2) as i64;
        let ends = positive().next().zip(positive().last());
        let width = |scale: i32| {
            ends.map_or(0, |((first, _), (last, _))| {
                i64::from(index(scaled(last), scale)) - i64::from(index(scaled(first), scale)) + 1
            })
        };
        let fits = (COARSEST..=FINEST).rev().find(|scale| width(*scale) <= max_buckets).unwrap_or(COARSEST);
        let offset = ends.map_or(0, |((first, _), _)| index(scaled(first), fits));
        let mut counts = vec![0_u64; usize::try_from(width(fits)).unwrap_or(0)];
        for (value, count) in positive() {
            let at = i64::from(index(scaled(value), fits)) - i64::from(offset);
            // Rising values have rising indices, so the first and the last bound them all.
            if let Some(slot) = usize::try_from(at).ok().and_then(|at| counts.get_mut(at)) {
                *slot = slot.saturating_add(count);
            }
        }
        ExponentialHistogram {
            count: self.count(),
            sum: (self.sum() as f64 * unit).min(f64::MAX),
            min: Some(scaled(self.min())),
            max: Some(scaled(self.max())),
            scale: fits,
            zero_count,
            offset,
            counts,
        }
    }
}

/// The bucket of a positive value: the whole number below its logarithm, and one less where the value is a bound itself.
fn index(value: f64, scale: i32) -> i32 {
    let index = value.log2() * f64::from(scale).exp2();
    // The cast saturates.
    (index.ceil() - 1.0) as i32
}
