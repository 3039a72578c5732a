//! Exponential histograms: bounds, counts, and the number of buckets.

use aqueduct_metrics::Histogram;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards what a back end relies on: no more buckets than asked for, every value in one of them or zero, the share below any bound
    /// that of the values, within the precision; and the finest scale that suffices.
    #[test]
    fn values_are_in_their_buckets(
        values in vec(any::<u64>().prop_map(|value| value >> (value % 64)), 1..100),
        max_buckets in 2..200_usize,
        nanos in any::<bool>(),
    ) {
        let unit = if nanos { 1e-9 } else { 1.0 };
        let histogram: Histogram = values.iter().copied().collect();
        let point = histogram.exponential(max_buckets, unit);
        prop_assert!(point.counts.len() <= max_buckets && (-11..=6).contains(&point.scale));
        prop_assert_eq!(point.counts.iter().sum::<u64>() + point.zero_count, point.count);
        prop_assert_eq!(point.count, values.len() as u64);
        prop_assert_eq!(point.zero_count, values.iter().filter(|value| **value == 0).count() as u64);
        if let [first, .., last] = point.counts[..] {
            prop_assert!(first > 0 && last > 0);
        }
        let base = (-f64::from(point.scale)).exp2().exp2();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let mut below = point.zero_count as usize;
        for (index, count) in point.counts.iter().enumerate() {
            let (from, to) = (base.powf(f64::from(point.offset) + index as f64), base.powf(f64::from(point.offset) + index as f64 + 1.0));
            for value in &sorted[below..below + *count as usize] {
                let value = *value as f64 * unit;
                prop_assert!(value > from * 0.991 && value <= to * 1.009, "{} in {}..{}", value, from, to);
            }
            below += *count as usize;
        }
        if point.scale < 6 {
            let (low, high) = (sorted.iter().find(|value| **value > 0).copied().unwrap_or(1), sorted[sorted.len() - 1]);
            let buckets = (high as f64 / low as f64).log2() * f64::from(point.scale + 1).exp2();
            prop_assert!(buckets + 2.5 > max_buckets as f64, "{} would do at a finer scale", buckets);
        }
    }
}

/// Guards the bounds of the specification, which belong to the bucket below: at scale 0, 4 is in (2, 4].
#[test]
fn bounds_belong_to_the_bucket_below() {
    let point = [1_u64, 2, 3, 4, 5, 1000].into_iter().collect::<Histogram>().exponential(11, 1.0);
    assert_eq!((point.scale, point.offset), (0, -1));
    assert_eq!(point.counts, [1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 1]);
}

/// Guards values and factors that are none.
#[test]
fn edges_are_values_and_not_panics() {
    let none = Histogram::new().exponential(160, 1.0);
    assert_eq!((none.count, none.min, none.counts.len()), (0, None, 0));
    let zeros = [0_u64, 0].into_iter().collect::<Histogram>().exponential(0, 1.0);
    assert_eq!((zeros.zero_count, zeros.counts.len(), zeros.max), (2, 0, Some(0.0)));
    let wide: Histogram = [1_u64, u64::MAX].into_iter().collect();
    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-300, 5e-324] {
        let point = wide.exponential(0, factor);
        assert_eq!(point.counts.iter().sum::<u64>(), 2, "{factor}");
        assert!(point.counts.len() <= 2);
    }
}
