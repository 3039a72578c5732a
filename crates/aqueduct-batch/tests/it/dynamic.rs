//! Batch sizes over simulated destinations.

use std::time::Duration;

use aqueduct_batch::{ConfigError, DynamicBatch};
use proptest::prelude::*;

const US: Duration = Duration::from_micros(1);
const TARGET: Duration = Duration::from_millis(100);

/// How a size went over many batches.
#[derive(Debug)]
struct Course {
    size: u64,
    turns: usize,
    changes: usize,
}

/// Lets the size follow a destination for so many batches.
fn run(dynamic: &mut DynamicBatch, batches: usize, mut latency: impl FnMut(u64) -> Duration) -> Course {
    let mut sizes = vec![dynamic.size()];
    for _ in 0..batches {
        let latency = latency(dynamic.size());
        if let Some(size) = dynamic.observe(latency) {
            assert_eq!(size, dynamic.size());
            sizes.push(size);
        }
    }
    let ups: Vec<bool> = sizes.windows(2).map(|pair| pair[1] > pair[0]).collect();
    let turns = ups.windows(2).filter(|pair| pair[0] != pair[1]).count();
    Course { size: dynamic.size(), turns, changes: ups.len() }
}

fn new(min: u64, max: u64) -> DynamicBatch {
    DynamicBatch::new(TARGET, min, max).expect("the bounds are in order")
}

/// Numbers from 0 to 1, the same each time (SplitMix64).
fn random(mut seed: u64) -> impl FnMut() -> f64 {
    move || {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Guards the trap by its name: a tenth of 1 is nothing, and the size must grow all the same.
#[test]
fn clamping_after_truncation_so_that_1_stays_1_for_ever() {
    let mut dynamic = new(1, 1000);
    let course = run(&mut dynamic, 1_000, |_| US);
    assert_eq!((course.size, course.turns), (1000, 0), "up to the bound, and never back");

    // And the other way round.
    let mut dynamic = new(1, 1000).starting_at(1000);
    assert_eq!(run(&mut dynamic, 1_000, |_| 2 * TARGET).size, 1);
}

/// Guards the band: latency that does not depend on the size moves it only if it is out of the band.
#[test]
fn a_constant_latency_in_the_band_changes_nothing() {
    for latency in [TARGET / 2, TARGET * 3 / 4, TARGET] {
        assert_eq!(run(&mut new(1, 1000).starting_at(500), 10_000, |_| latency).changes, 0, "{latency:?}");
    }
}

/// Guards convergence, from both ends, for destinations of very different speed, small sizes included.
#[test]
fn a_latency_in_proportion_to_the_size_is_met_without_a_turn() {
    for per_item in [10, 100, 3_000, 20_000, 45_000] {
        let right = 100_000 / per_item;
        for first in [1, right, 10_000] {
            let mut dynamic = new(1, 10_000).starting_at(first);
            let course = run(&mut dynamic, 3_000, |size| US * per_item as u32 * size as u32);
            let band = right / 2..=right;
            assert!(band.contains(&course.size), "{per_item} us an item from {first}: {course:?}");
            assert_eq!(course.turns, 0, "{per_item} us an item from {first}: {course:?}");
        }
    }
}

/// Guards against the window that still speaks of sizes that are gone: one step too far, ten steps back.
#[test]
fn the_size_does_not_fall_below_what_was_right() {
    let mut dynamic = new(1, 10_000).starting_at(1_050);
    let mut least = u64::MAX;
    run(&mut dynamic, 3_000, |size| {
        least = least.min(size);
        US * 100 * size as u32
    });
    assert!(least > 900, "fell to {least}, where 1,000 meets the target");
}

/// Guards against turning at noise: a third up or down each time, and one outlier in a hundred that takes twenty times as long.
#[test]
fn noise_and_outliers_turn_the_size_rarely() {
    for seed in 0..20 {
        let mut random = random(seed);
        let mut dynamic = new(1, 10_000);
        let course = run(&mut dynamic, 10_000, |size| {
            let noise = 0.7 + 0.6 * random();
            let outlier = if random() < 0.01 { 20.0 } else { 1.0 };
            (US * 100 * size as u32).mul_f64(noise * outlier)
        });
        // The 95th percentile is 1.27 times the mean: the band is 394 to 787 items.
        assert!((300..=900).contains(&course.size), "seed {seed}: {course:?}");
        assert!(course.turns <= 12, "seed {seed}: {course:?}");
    }
}

/// Guards against turning at a single outlier, which is the 95th percentile of ten observations.
#[test]
fn one_outlier_at_each_size_turns_nothing() {
    let (mut size, mut since) = (0, 0);
    let course = run(&mut new(1, 1_000), 2_000, |now| {
        since = if now == size { since + 1 } else { 1 };
        size = now;
        if since == 3 { TARGET * 20 } else { US }
    });
    assert_eq!((course.size, course.turns), (1_000, 0));
}

/// Guards against crossing an edge back and forth: latency that jumps over the whole band.
#[test]
fn a_jump_over_the_band_is_tried_now_and_then() {
    let mut dynamic = new(1, 10_000);
    let mut crossed = 0;
    let course = run(&mut dynamic, 20_000, |size| {
        crossed += u32::from(size >= 300);
        if size >= 300 { TARGET * 2 } else { TARGET / 4 }
    });
    assert!((200..300).contains(&course.size), "{course:?}");
    // Ten too many at a time, every thousand: and as many as the step back needs.
    assert!(course.turns <= 40, "{course:?}");
    assert!(crossed <= 20 * 20, "{crossed} of 20,000 batches too large");
}

/// Guards that a size from better days is left, and found again.
#[test]
fn the_size_follows_a_destination_that_changes() {
    let mut dynamic = new(1, 10_000);
    run(&mut dynamic, 2_000, |size| US * 100 * size as u32);
    let slow = run(&mut dynamic, 2_000, |size| US * 1_000 * size as u32);
    assert!((50..=100).contains(&slow.size), "{slow:?}");
    let quick = run(&mut dynamic, 4_000, |size| US * 100 * size as u32);
    assert!((500..=1_000).contains(&quick.size), "{quick:?}");
}

/// Guards the check of bounds that a person wrote.
#[test]
fn bounds_that_cannot_be_meant_are_refused() {
    assert_eq!(DynamicBatch::new(Duration::ZERO, 1, 2).unwrap_err(), ConfigError::ZeroTarget);
    assert_eq!(DynamicBatch::new(TARGET, 0, 2).unwrap_err(), ConfigError::DynamicBounds { min: 0, max: 2 });
    let error = DynamicBatch::new(TARGET, 3, 2).unwrap_err();
    assert!(error.to_string().contains("from 3 to 2"), "{error}");
    assert_eq!(new(5, 10).starting_at(100).size(), 10);
    assert_eq!(new(5, 10).bounds(), (5, 10));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards the bounds, the size of a step and the time between two, for any latencies.
    #[test]
    fn any_latencies_keep_the_bounds(
        min in 1..50_u64,
        more in 0..1_000_u64,
        start in 0..2_000_u64,
        latencies in proptest::collection::vec(prop_oneof![Just(0_u64), 0..200_000_u64, Just(u64::MAX)], 1..400),
    ) {
        let mut dynamic = new(min, min + more).starting_at(start);
        let (mut size, mut since) = (dynamic.size(), 0);
        for latency in latencies {
            since += 1;
            if let Some(next) = dynamic.observe(Duration::from_micros(latency)) {
                prop_assert!(since % 10 == 0);
                prop_assert!(next.abs_diff(size) <= (size / 10).max(1) && next != size);
                (size, since) = (next, 0);
            }
            prop_assert_eq!(dynamic.size(), size);
            prop_assert!((min..=min + more).contains(&size));
        }
    }
}
