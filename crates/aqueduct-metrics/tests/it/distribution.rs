//! Distributions against exact values and hdrhistogram, and what they take.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use aqueduct_metrics::{Distribution, Histogram};
use aqueduct_testkit::CountingAllocator;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::random::Random;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn recorded(values: impl IntoIterator<Item = u64>) -> Histogram {
    let distribution = Distribution::new();
    values.into_iter().for_each(|value| distribution.record(value));
    distribution.read()
}

fn sample(random: &mut Random, kind: &str) -> u64 {
    let value = match kind {
        "uniform" => random.between(0.0, 1e9),
        "exponential" => -5e6 * random.unit().ln(),
        "log-normal" => (14.0 + 1.5 * random.normal()).exp(),
        "bimodal" if random.unit() < 0.9 => 2e6 + 2e5 * random.normal(),
        "bimodal" => 8e8 + 5e7 * random.normal(),
        "constant" => 1_234_567.0,
        "Pareto" => 1e5 * random.unit().powf(-1.0 / 1.1),
        other => unreachable!("{other} is not one of them"),
    };
    value as u64
}

/// Guards the bar: on six distributions every quantile is within 1 % of the exact value, as hdrhistogram's are; extremes, number and
/// mean are exact.
#[test]
fn quantiles_are_within_a_percent() {
    for kind in ["uniform", "exponential", "log-normal", "bimodal", "constant", "Pareto"] {
        let mut random = Random::new(7);
        let mut exact: Vec<u64> = (0..200_000).map(|_| sample(&mut random, kind)).collect();
        let ours = recorded(exact.iter().copied());
        let mut oracle = hdrhistogram::Histogram::<u64>::new(3).unwrap();
        exact.iter().for_each(|value| oracle.record(*value).unwrap());
        exact.sort_unstable();

        for thousandth in 0..=10_000 {
            let q = f64::from(thousandth) / 10_000.0;
            let rank = ((q * exact.len() as f64 * (1.0 - 1e-15)).ceil() as usize).clamp(1, exact.len());
            let (truth, answer) = (exact[rank - 1] as f64, ours.quantile(q) as f64);
            assert!((answer - truth).abs() <= 0.01 * truth, "{kind} at {q}: {answer} for {truth}");
            // The oracle's own error is 0.1 %, and its rank may be one off.
            let theirs = oracle.value_at_quantile(q) as f64;
            let next = exact[rank.min(exact.len() - 1)] as f64;
            assert!(
                answer <= theirs.max(next) * 1.011 && answer >= theirs.min(truth) * 0.989,
                "{kind} at {q}"
            );
        }
        assert_eq!((ours.min(), ours.max()), (exact[0], exact[exact.len() - 1]), "{kind}");
        assert_eq!(ours.count(), exact.len() as u64);
        assert_eq!(ours.sum(), exact.iter().map(|value| u128::from(*value)).sum::<u128>());
        assert!((ours.mean() / oracle.mean() - 1.0).abs() < 0.002, "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards joining and taking apart, for any values: what was recorded in between comes out of the difference, and joining what was before
    /// and what came since gives what there is now.
    #[test]
    fn differences_and_sums_agree(
        before in vec(any::<u64>().prop_map(|value| value >> (value % 64)), 0..50),
        since in vec(any::<u64>().prop_map(|value| value >> (value % 64)), 0..50),
        q in 0.0..=1.0_f64,
    ) {
        let distribution = Distribution::new();
        before.iter().for_each(|value| distribution.record(*value));
        let earlier = distribution.read();
        since.iter().for_each(|value| distribution.record(*value));
        let now = distribution.read();
        let interval = now.since(&earlier);
        let exact: Histogram = since.iter().copied().collect();
        prop_assert_eq!(interval.count(), exact.count());
        let near = |ours: u64, truth: u64| (ours as f64 - truth as f64).abs() <= truth as f64 / 60.0;
        prop_assert!(near(interval.min(), exact.min()) && near(interval.max(), exact.max()), "{:?} {:?}", interval, exact);
        prop_assert!(near(interval.quantile(q), exact.quantile(q)));
        let mut joined = earlier.clone();
        joined.merge(&exact);
        // A thread's sum stops at 64 bits.
        let all = before.iter().chain(&since).map(|value| u128::from(*value)).sum::<u128>();
        if all <= u64::MAX.into() {
            prop_assert_eq!(&joined, &now);
            prop_assert_eq!(&earlier, &before.iter().copied().collect::<Histogram>());
            prop_assert_eq!(interval.sum(), exact.sum());
        }
        prop_assert_eq!((joined.count(), joined.min(), joined.max()), (now.count(), now.min(), now.max()));
    }

    /// Guards the correction for coordinated omission against adding the missing values one by one.
    #[test]
    fn corrections_add_what_was_missed(value in 0..1_000_000_u64, expected in 1..100_000_u64) {
        let distribution = Distribution::new();
        distribution.record_corrected(value, expected);
        let mut missed = vec![value];
        let mut next = value;
        while next >= 2 * expected {
            next -= expected;
            missed.push(next);
        }
        prop_assert_eq!(distribution.read(), missed.into_iter().collect::<Histogram>());
    }
}

/// Guards the correction against hdrhistogram's, and against values that would take it for ever.
#[test]
fn corrections_match_the_oracle_and_end() {
    let (ours, mut theirs) = (Distribution::new(), hdrhistogram::Histogram::<u64>::new(3).unwrap());
    for value in [900_000, 100_000_000, 1_000_000] {
        ours.record_corrected(value, 1_000_000);
        theirs.record_correct(value, 1_000_000).unwrap();
    }
    let ours = ours.read();
    assert_eq!(ours.count(), theirs.len());
    for q in [0.1, 0.5, 0.9, 0.99] {
        let (ours, theirs) = (ours.quantile(q) as f64, theirs.value_at_quantile(q) as f64);
        assert!((ours / theirs - 1.0).abs() < 0.01, "{ours} and {theirs}");
    }

    let endless = Distribution::new();
    endless.record_corrected(u64::MAX, 1);
    endless.record_corrected(u64::MAX, u64::MAX);
    endless.record_corrected(7, 0);
    endless.record_corrected(0, 1);
    let endless = endless.read();
    assert_eq!((endless.min(), endless.max()), (0, u64::MAX));
    // 2^64 - 1 values from 1 to 2^64 - 1, one more, 7 and 0: as many as can be counted.
    assert_eq!(endless.count(), u64::MAX);
}

/// Guards the memory: nothing is allocated once a thread has met its values, and all values there are take no more than 16 KiB.
#[test]
fn memory_is_bounded_and_recording_takes_none() {
    let distribution = Distribution::new();
    distribution.record(1);
    let (_, few) = CountingAllocator::count(|| (1000..60_000).for_each(|value| distribution.record(value)));
    assert!(few.count > 0 && few.bytes <= 3 << 10, "{few:?}");
    let (_, none) = CountingAllocator::count(|| (1000..60_000).for_each(|value| distribution.record(value)));
    assert_eq!(none.count, 0);

    // A cell, from its making on; what registers the thread's end is not of the series.
    let wide = Distribution::new();
    let (_, all) = CountingAllocator::count(|| {
        for power in 0..64 {
            (0..128).for_each(|part| wide.record((1_u64 << power) | ((part << power) >> 7)));
        }
    });
    assert!(all.bytes > 15 << 10 && all.bytes <= 16 << 10, "{all:?}");
}

/// Guards counts while threads come, record and end: no reading is beyond what was recorded or behind an earlier one, and nothing is lost.
#[test]
fn threads_come_and_go_and_nothing_is_lost() {
    const ROUNDS: u64 = 50;
    const RECORDS: u64 = 2_000;
    let distribution = Distribution::new();
    let done = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let distribution = distribution.clone();
                    thread::spawn(move || (0..RECORDS).for_each(|value| distribution.record(value)))
                        .join()
                        .unwrap();
                }
                done.wait();
            });
        }
        scope.spawn(|| {
            let mut last = Histogram::new();
            while last.count() < 3 * ROUNDS * RECORDS {
                let now = distribution.read();
                assert!(now.count() >= last.count() && now.count() <= 3 * ROUNDS * RECORDS);
                assert_eq!(now.since(&last).count(), now.count() - last.count(), "no bucket went back");
                last = now;
                thread::yield_now();
            }
            done.wait();
        });
    });
    let all = distribution.read();
    assert_eq!(all.sum(), u128::from(3 * ROUNDS * (RECORDS * (RECORDS - 1) / 2)));
    assert_eq!((all.min(), all.max()), (0, RECORDS - 1));
}

/// Guards the ends of the ranges: no values, one value, the largest, durations too long, shares that are none.
#[test]
fn edges_are_values_and_not_panics() {
    let none = Distribution::new().read();
    assert_eq!((none.count(), none.min(), none.max(), none.quantile(0.5), none.mean()), (0, 0, 0, 0, 0.0));
    let one = recorded([5_000_000]);
    for q in [0.0, 0.5, 1.0, -1.0, 2.0, f64::NAN, f64::INFINITY] {
        assert_eq!(one.quantile(q), 5_000_000, "{q}");
    }
    let extremes = recorded([u64::MAX, 0, u64::MAX]);
    assert_eq!(
        (extremes.min(), extremes.max(), extremes.quantile(0.0), extremes.quantile(1.0)),
        (0, u64::MAX, 0, u64::MAX)
    );
    assert_eq!(recorded([u64::MAX]).min(), u64::MAX);
    assert_eq!((extremes.count_up_to(0), extremes.count_up_to(u64::MAX)), (1, 3));
    let long = Distribution::new();
    long.record_duration(Duration::MAX);
    assert_eq!(long.read().max(), u64::MAX);
    let few: Histogram = (1..=100).collect();
    assert_eq!((few.quantile(0.07), few.quantile(0.5), few.count_up_to(42)), (7, 50, 42));
}
