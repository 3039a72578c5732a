//! The limiter: few values, the frequent ones, and every one of them counted.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aqueduct_opentelemetry::{CardinalityConfig, CardinalityLimiter, Limited};
use aqueduct_testkit::{CountingAllocator, holds_in_a_child};
use opentelemetry::{KeyValue, Value};
use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

const WINDOW: Duration = Duration::from_secs(60);

fn limiter(max_values: usize) -> CardinalityLimiter {
    let config = CardinalityConfig::default().with_max_values(max_values).with_window(WINDOW);
    CardinalityLimiter::new(["key"], config)
}

/// Ranks from 0 on, the probability of each in proportion to `1 / (rank + 1)`.
struct Zipf {
    sums: Vec<f64>,
    random: Xoshiro256PlusPlus,
}

impl Zipf {
    fn new(values: u32) -> Self {
        let mut sum = 0.0;
        let sums = (1..=values).map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        });
        Zipf { sums: sums.collect(), random: Xoshiro256PlusPlus::seed_from_u64(7) }
    }

    fn draw(&mut self) -> usize {
        let all = self.sums.last().copied().unwrap_or_default();
        let at = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * all;
        self.sums.partition_point(|sum| *sum <= at)
    }
}

/// Guards what the limiter is for: of 100,000 values with a long tail the most frequent stay, and stay for good, however late they come.
#[test]
fn the_frequent_values_of_a_long_tail_are_kept() {
    let limiter = limiter(100);
    let start = Instant::now();
    // First a flood of values that never come again takes all places.
    for flood in 0..1_000 {
        limiter.limit_at("key", &format!("flood {flood}"), start);
    }
    let mut zipf = Zipf::new(100_000);
    let mut of_top = [(0, 0); 60];
    for window in 1..=6 {
        let now = start + WINDOW * window;
        for _ in 0..50_000 {
            let rank = zipf.draw();
            let value = format!("value {rank}");
            let kept = !limiter.limit_at("key", &value, now).is_overflow();
            if window > 2
                && let Some((seen, overflowed)) = of_top.get_mut(rank)
            {
                *seen += 1;
                *overflowed += u32::from(!kept);
            }
        }
    }
    for (rank, (seen, overflowed)) in of_top.into_iter().enumerate() {
        assert!(seen > 100 && overflowed == 0, "rank {rank}: {overflowed} of {seen}");
    }
    let stats = limiter.stats();
    assert_eq!(stats.kept + stats.overflowed, 301_000);
    assert_eq!((stats.keys[0].admitted, stats.keys[0].windows), (100, 6));
}

/// Guards against flicker: values of about the same weight do not take turns.
#[test]
fn values_of_the_same_weight_do_not_take_turns() {
    let limiter = limiter(20);
    let start = Instant::now();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    for window in 0..20 {
        for _ in 0..40_000 {
            let value = random.next_u32() % 40;
            limiter.limit_at("key", &value.to_string(), start + WINDOW * window);
        }
    }
    let stats = limiter.stats();
    assert_eq!((stats.keys[0].windows, stats.keys[0].displaced), (19, 0));
}

/// Guards the bound on memory: values that never come again leave nothing behind, long ones are not held.
#[test]
fn a_flood_takes_no_memory() {
    let config =
        CardinalityConfig::default().with_max_values(50).with_window(WINDOW).with_max_value_bytes(20);
    let limiter = CardinalityLimiter::new(["key"], config);
    let start = Instant::now();
    let long = "x".repeat(21);
    assert!(limiter.limit_at("key", &long, start).is_overflow());
    assert_eq!(limiter.stats().keys[0].admitted, 0);
    let flood = |from: u64| {
        let mut value = String::with_capacity(20);
        for (at, number) in (from..from + 20_000).enumerate() {
            use std::fmt::Write;
            value.clear();
            write!(value, "{number}").expect("it grows");
            limiter.limit_at("key", &value, start + WINDOW * u32::from(at % 5_000 == 0));
        }
    };
    flood(0);
    let (_, allocations) = CountingAllocator::count(|| flood(1_000_000));
    // A sketch has grown to its size long since: no allocation for 20,000 values.
    assert!(allocations.count < 10, "{allocations:?}");
}

/// Guards the promise: what is admitted and what overflows allocates nothing, in attributes either.
#[test]
fn limiting_allocates_nothing() {
    let limiter = limiter(2);
    for value in ["a", "b", "c"] {
        limiter.limit("key", value);
    }
    let mut attributes = [KeyValue::new("other", "c"), KeyValue::new("key", "a"), KeyValue::new("key", "c")];
    let (replaced, allocations) = CountingAllocator::count(|| {
        for _ in 0..100 {
            assert_eq!(limiter.limit("key", "a"), Limited::Kept("a"));
        }
        limiter.limit_attributes(&mut attributes)
    });
    assert_eq!((replaced, allocations.count), (1, 0));
    assert_eq!(attributes[2].value.as_str(), "_OTHER");
}

/// Guards types: numbers are limited with their texts, what is neither text nor number passes, and other keys of the same length as well.
#[test]
fn texts_and_numbers_are_limited() {
    let limiter = limiter(1);
    let mut attributes = [
        KeyValue::new("key", 7),
        KeyValue::new("key", "7"),
        KeyValue::new("key", 8),
        KeyValue::new("key", true),
        KeyValue::new("yek", "9"),
    ];
    assert_eq!(limiter.limit_attributes(&mut attributes), 1);
    let values: Vec<Value> = attributes.into_iter().map(|attribute| attribute.value).collect();
    assert_eq!(values, [7.into(), "7".into(), "_OTHER".into(), true.into(), "9".into()]);
    let none = CardinalityLimiter::new(["key"], CardinalityConfig::default().with_max_values(0));
    assert!(none.limit("key", "a").is_overflow());
}

/// Guards the bound on values while threads race for places, and the counts.
#[test]
fn threads_do_not_pass_the_limit() {
    const THREADS: u64 = 4;
    let limiter = limiter(50);
    let passed = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let limiter = &limiter;
                scope.spawn(move || {
                    let mut random = Xoshiro256PlusPlus::seed_from_u64(thread);
                    let mut passed = HashSet::new();
                    for _ in 0..20_000 {
                        let value = (random.next_u32() % 200).to_string();
                        if !limiter.limit("key", &value).is_overflow() {
                            passed.insert(value);
                        }
                    }
                    passed
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect::<HashSet<_>>()
    });
    assert_eq!(passed.len(), 50);
    let stats = limiter.stats();
    assert_eq!(stats.kept + stats.overflowed, THREADS * 20_000);
    assert_eq!(stats.keys[0].admitted, 50);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards all that is promised of a window, whatever comes when: no more values than allowed, nothing that passed overflows later in it, and all are counted.
    #[test]
    fn a_window_has_no_more_values_than_allowed(
        max_values in 0_usize..12,
        steps in prop::collection::vec((0..40_u8, 0..30_u64, 1..60_u32), 1..300),
    ) {
        let limiter = limiter(max_values);
        let mut now = Instant::now();
        let mut window = (0, HashSet::new());
        let mut total = 0;
        for (value, seconds, times) in steps {
            now += Duration::from_secs(if seconds < 20 { 0 } else { seconds });
            let value = value.to_string();
            for time in 0..times {
                let kept = !limiter.limit_at("key", &value, now).is_overflow();
                if time == 0 {
                    // The clock stands still from here on.
                    let windows = limiter.stats().keys[0].windows;
                    if windows != window.0 {
                        window = (windows, HashSet::new());
                    }
                }
                if kept {
                    window.1.insert(value.clone());
                } else {
                    prop_assert!(!window.1.contains(&value), "{} flickers", value);
                }
                prop_assert!(window.1.len() <= max_values);
                total += 1;
            }
        }
        let stats = limiter.stats();
        prop_assert_eq!(stats.kept + stats.overflowed, total);
        prop_assert!(stats.keys[0].admitted <= max_values);
    }
}

/// Guards the reservation of places: the newly frequent get theirs at the end of a window, and lose it if they do not come.
#[test]
fn the_newly_frequent_displace_the_idle() {
    let limiter = limiter(2);
    let start = Instant::now();
    let ask =
        |value: &str, window: u32| !limiter.limit_at("key", value, start + WINDOW * window).is_overflow();
    let mut answers = HashMap::new();
    for value in ["a", "b"] {
        assert!((0..5).all(|_| ask(value, 0)));
    }
    // More than twice as often as both: takes the place of one.
    assert!((0..100).all(|_| !ask("c", 0)));
    assert!(!ask("d", 1), "the place is that of c");
    for value in ["c", "a", "b"] {
        answers.insert(value, ask(value, 1));
    }
    assert!(answers["c"] && answers["a"] != answers["b"], "{answers:?}");
    assert_eq!(limiter.stats().keys[0].displaced, 1);

    // One that does not come loses its place to the next who does.
    assert!((0..100).all(|_| !ask("e", 1)));
    assert!(!ask("f", 2), "the place is that of e");
    assert_eq!(limiter.stats().keys[0].admitted, 1);
    assert!(ask("f", 3) && !ask("e", 3));
}

/// Guards windows: what counts is how often a value came in the last one, not ever.
#[test]
fn what_was_frequent_once_makes_room() {
    let limiter = limiter(1);
    let start = Instant::now();
    let ask =
        |value: &str, window: u32| !limiter.limit_at("key", value, start + WINDOW * window).is_overflow();
    assert!((0..1_000).all(|_| ask("a", 0)));
    assert!((0..100).all(|_| !ask("b", 1)));
    assert!(ask("b", 2) && !ask("a", 2));
}

/// Guards a forked child against a lock that a thread of its parent had: it admits values, at once, within the same bound as before; and its counts are its own.
#[cfg(unix)]
#[test]
fn a_forked_child_has_a_limiter_of_its_own() {
    let limiter = limiter(3);
    for value in ["a", "b", "a"] {
        limiter.limit("key", value);
    }
    assert!(holds_in_a_child(|| {
        let before = limiter.stats();
        let kept = ["a", "b", "c", "d", "a"].map(|value| !limiter.limit("key", value).is_overflow());
        let after = limiter.stats();
        (before.kept, before.keys[0].admitted) == (0, 2)
            && kept == [true, true, true, false, true]
            && (after.kept, after.overflowed, after.keys[0].admitted) == (4, 1, 3)
    }));
    assert_eq!(
        (limiter.stats().kept, limiter.stats().overflowed, limiter.stats().keys[0].admitted),
        (3, 0, 2)
    );
    // Each value that comes ends a window, so that the lock is held nearly all the time.
    let config = CardinalityConfig::default().with_max_values(1).with_window(Duration::ZERO);
    let (limiter, end) = (CardinalityLimiter::new(["key"], config), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u64.. {
                limiter.limit("key", &number.to_string());
                if end.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for _ in 0..30 {
            assert!(holds_in_a_child(|| {
                limiter.limit("key", "of the child");
                let stats = limiter.stats();
                stats.kept + stats.overflowed == 1
            }));
        }
        end.store(true, Ordering::Relaxed);
    });
}
