//! Snapshots as families of samples.

use crate::Exposition;
use crate::snapshot::{Series, Snapshot, Value};

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

impl Exposition {
    /// Adds all series of a snapshot, which should be one of the recorder's whole life: a scraper forms the intervals itself.
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
