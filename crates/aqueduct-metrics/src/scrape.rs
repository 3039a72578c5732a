//! Snapshots as Prometheus text.

use crate::snapshot::{Series, Snapshot, Value};
use crate::{Histogram, PrometheusText};

/// The upper bounds of the buckets in which distributions of times are written, in seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The upper bounds of those of anything else, as sizes: powers of four.
const SIZES: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

impl PrometheusText {
    /// Writes all series of a snapshot, which should be one of the recorder's whole life: a scraper forms the intervals itself.
    ///
    /// Distributions are written as classic histograms with 14 buckets and `+Inf`: for times from 0.5 ms to 10 s, for anything else the powers of four up to
    /// 64 Mi; [`Family::distribution`](crate::Family::distribution) takes bounds of your own. Outcomes are written with the kind of the error as their last
    /// label, empty for successes.
    pub fn snapshot(&mut self, snapshot: &Snapshot) {
        for series in snapshot.series() {
            let mut labels: Vec<_> = series.attributes().collect();
            let mut family = self.family(&series.desc);
            match &series.value {
                Value::Counter(count) => _ = family.sample(&labels, *count),
                Value::Gauge(value) => _ = family.sample(&labels, *value),
                Value::Histogram(histogram) => {
                    _ = family.distribution(&labels, histogram, series.scale(), &bounds(series))
                }
                Value::Outcomes(outcomes) => {
                    let kind = series.desc.attributes.last().copied().unwrap_or_default();
                    labels.push((kind, ""));
                    family.sample(&labels, outcomes.successes);
                    for (name, count) in &outcomes.by_kind {
                        if let Some(last) = labels.last_mut() {
                            last.1 = name;
                        }
                        family.sample(&labels, *count);
                    }
                }
            }
        }
    }
}

/// In the unit of the descriptor.
fn bounds(series: &Series) -> Vec<f64> {
    let seconds = match series.desc.unit {
        "s" => 1.0,
        "ms" => 1e3,
        "us" => 1e6,
        _ => return SIZES.to_vec(),
    };
    SECONDS.iter().map(|bound| bound * seconds).collect()
}

impl crate::Family<'_> {
    /// Writes a [`Histogram`] whose values are to be multiplied by `scale`, with these upper bounds, in rising order and after multiplying; `+Inf` is added. What
    /// is in one of our own buckets with a bound is counted by its middle, so counts are as exact as a value moved by 0.8 %.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_metrics::{Desc, Histogram, PrometheusText};
    ///
    /// const LATENCY: Desc = Desc::histogram("shop_request_seconds", "s", "Time to an answer.");
    ///
    /// let nanos: Histogram = [1_000_000, 30_000_000].into_iter().collect();
    /// let mut text = PrometheusText::new();
    /// text.family(&LATENCY).distribution(&[], &nanos, 1e-9, &[0.01, 0.1]);
    /// assert!(text.finish().contains("shop_request_seconds_bucket{le=\"0.01\"} 1\n"));
    /// ```
    pub fn distribution(
        &mut self,
        labels: &[(&str, &str)],
        histogram: &Histogram,
        scale: f64,
        bounds: &[f64],
    ) -> &mut Self {
        // The cast saturates, and makes zero of what is no number.
        let up_to = |bound: f64| histogram.count_up_to((bound / scale).round() as u64);
        let buckets: Vec<_> = bounds.iter().map(|bound| (*bound, up_to(*bound))).collect();
        self.histogram(labels, &buckets, histogram.count(), histogram.sum() as f64 * scale)
    }
}
