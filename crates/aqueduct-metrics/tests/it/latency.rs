//! Latency histograms against sorted vectors.

use std::time::Duration;

use aqueduct_metrics::LatencyHistogram;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards the precision that is promised: 0.1 % of the exact quantile, and exact minimum, maximum, mean and count, merged or not.
    #[test]
    fn quantiles_are_within_a_tenth_of_a_percent(
        left in vec(0..3_600_000_000_000_u64, 1..300),
        right in vec(0..50_000_u64, 0..300),
        q in 0.0..=1.0_f64,
    ) {
        let fill = |values: &[u64]| {
            let mut histogram = LatencyHistogram::new();
            values.iter().for_each(|nanos| histogram.record(Duration::from_nanos(*nanos)));
            histogram
        };
        let mut histogram = fill(&left);
        histogram.merge(&fill(&right));
        let mut exact = [left, right].concat();
        exact.sort_unstable();

        let rank = ((q * exact.len() as f64).ceil() as usize).clamp(1, exact.len());
        let truth = exact[rank - 1] as f64;
        let told = histogram.quantile(q).as_nanos() as f64;
        prop_assert!((told - truth).abs() <= truth * 0.001, "{told} for {truth}");
        prop_assert_eq!(histogram.len(), exact.len() as u64);
        prop_assert_eq!(histogram.min().as_nanos(), u128::from(exact[0]));
        prop_assert_eq!(histogram.max().as_nanos(), u128::from(exact[exact.len() - 1]));
        let sum: u128 = exact.iter().map(|nanos| u128::from(*nanos)).sum();
        prop_assert_eq!(histogram.total().as_nanos(), sum);
        prop_assert_eq!(histogram.mean().as_nanos(), sum / exact.len() as u128);
    }
}

/// Guards the edges: nothing recorded, less than a microsecond, more than an hour.
#[test]
fn edges_are_values_and_not_panics() {
    let mut histogram = LatencyHistogram::new();
    let zeros = [histogram.quantile(0.5), histogram.min(), histogram.max(), histogram.mean()];
    assert_eq!(zeros, [Duration::ZERO; 4]);
    assert!(histogram.is_empty());

    histogram.record(Duration::ZERO);
    histogram.record(Duration::from_nanos(1));
    histogram.record(Duration::MAX);
    assert_eq!((histogram.len(), histogram.max(), histogram.min()), (3, Duration::MAX, Duration::ZERO));
    assert!(histogram.quantile(0.3) < Duration::from_micros(1));
    assert!(histogram.quantile(1.0) >= Duration::from_secs(3600));
    assert_eq!(histogram.count_up_to(Duration::from_secs(1)), 2);
    assert_eq!(histogram.count_up_to(Duration::MAX), 3);
    for q in [-1.0, 2.0, f64::NAN] {
        assert!(histogram.quantile(q) <= histogram.max());
    }

    histogram.clear();
    histogram.record(Duration::from_nanos(1_000_000_001));
    assert_eq!(histogram.quantile(1.0), histogram.max(), "no quantile exceeds what was recorded");
    histogram.clear();
    assert_eq!((histogram.len(), histogram.max(), histogram.mean()), (0, Duration::ZERO, Duration::ZERO));
}
