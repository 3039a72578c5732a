//! Tests of the retry arithmetic.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn exact() -> RetryPolicy {
    RetryPolicy { jitter: Jitter::None, ..RetryPolicy::default() }
}

/// Guards the defaults that users know.
#[test]
fn delays_double_up_to_the_cap() {
    let delays: Vec<_> = (0..12).map(|attempt| exact().delay(attempt, None, 0.5)).collect();
    let expected = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000];
    assert_eq!(delays, expected.map(MS));
}

/// Guards against the trap of an integer power that overflows, panics, or wraps to no delay at all.
#[test]
fn overflow_of_2_to_the_attempt() {
    for attempt in [31, 32, 63, 64, 127, 128, 1000, 1023, 1024, 1_000_000, u32::MAX] {
        assert_eq!(exact().delay(attempt, None, 0.5), Duration::from_secs(60), "attempt {attempt}");
    }
    let huge = RetryPolicy { initial: Duration::MAX, cap: Duration::MAX, ..exact() };
    assert!(huge.delay(1000, None, 0.5) >= Duration::from_secs(u64::from(u32::MAX)));
    let zero = RetryPolicy { initial: Duration::ZERO, ..exact() };
    assert_eq!(zero.delay(u32::MAX, None, 0.5), Duration::ZERO);
}

/// Guards the spread of full jitter: from nothing to everything.
#[test]
fn full_jitter_uses_the_whole_range() {
    let policy = RetryPolicy::default();
    assert_eq!(policy.delay(3, None, 0.0), Duration::ZERO);
    assert_eq!(policy.delay(3, None, 0.25), MS(200));
    assert_eq!(policy.delay(3, None, 1.0), MS(800));
}

/// Guards the jitter of ±25 % that the inventory promises.
#[test]
fn proportional_jitter_stays_around_the_delay() {
    let policy = RetryPolicy { jitter: Jitter::Proportional(0.25), ..RetryPolicy::default() };
    assert_eq!(policy.delay(0, None, 0.0), MS(75));
    assert_eq!(policy.delay(0, None, 0.5), MS(100));
    assert_eq!(policy.delay(0, None, 1.0), MS(125));
}

/// Guards the specification's throttling rule: wait at least what the server demands, then grow from there.
#[test]
fn delays_grow_from_the_servers_demand() {
    let mut backoff = Backoff::new(RetryPolicy { cap: Duration::from_secs(60), ..RetryPolicy::default() });
    assert!(backoff.failed(None, 0.0) < MS(1));
    assert_eq!(backoff.failed(Some(MS(4000)), 0.0), MS(4000));
    // No demand any more, but the server's last word still counts.
    let mut ceilings = Vec::new();
    for _ in 0..6 {
        let mut low = backoff.clone();
        assert_eq!(low.failed(None, 0.0), MS(4000));
        ceilings.push(backoff.failed(None, 1.0).as_secs());
    }
    assert_eq!(ceilings, [8, 16, 32, 60, 60, 60]);
    backoff.succeeded();
    assert_eq!(backoff.failures(), 0);
    assert!(backoff.failed(None, 1.0) <= MS(100));
}

/// Guards against a crowd that was told the same delay coming back at the same moment.
#[test]
fn a_demand_beyond_the_cap_is_kept_and_spread() {
    let policy = RetryPolicy { cap: MS(5000), ..RetryPolicy::default() };
    assert_eq!(policy.delay(0, Some(MS(60_000)), 0.0), MS(60_000));
    assert_eq!(policy.delay(0, Some(MS(60_000)), 1.0), MS(66_000));
}

/// Guards the limits on attempts and on time.
#[test]
fn attempts_and_time_are_limited() {
    let forever = RetryPolicy::default();
    assert!(forever.allows(u32::MAX, Duration::MAX));
    let limited =
        RetryPolicy { max_attempts: Some(3), max_elapsed: Some(MS(1000)), ..RetryPolicy::default() };
    assert!(limited.allows(2, MS(999)));
    assert!(!limited.allows(3, MS(0)));
    assert!(!limited.allows(0, MS(1000)));
}

proptest! {
    /// Guards against panics and absurd delays for any input, NaN and infinities included.
    #[test]
    fn any_input_gives_a_delay_within_bounds(
        initial in 0u64..100_000,
        cap in 0u64..100_000,
        multiplier in any::<f64>(),
        attempt in any::<u32>(),
        hint in proptest::option::of(0u64..400_000),
        random in any::<f64>(),
        share in any::<f64>(),
    ) {
        for jitter in [Jitter::Full, Jitter::Proportional(share), Jitter::None] {
            let policy = RetryPolicy { initial: MS(initial), cap: MS(cap), multiplier, jitter, ..RetryPolicy::default() };
            let delay = policy.delay(attempt, hint.map(MS), random);
            match hint {
                Some(hint) => {
                    prop_assert!(delay >= MS(hint));
                    prop_assert!(delay <= MS(cap.max(hint + hint / 10 + 1)) + MS(1));
                }
                None => prop_assert!(delay <= 2 * MS(cap) + MS(1)),
            }
        }
    }
}
