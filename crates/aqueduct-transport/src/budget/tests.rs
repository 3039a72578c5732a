//! Tests of the retry budget.

use proptest::prelude::*;

use super::*;

fn budget(ratio: f64, cap: f64, per_second: f64) -> RetryBudget {
    RetryBudget::new(BudgetConfig { ratio, cap, per_second }).expect("within the ranges")
}

/// Guards the share: after the savings are spent, ten first attempts pay for one retry.
#[test]
fn first_attempts_pay_for_retries() {
    let mut budget = RetryBudget::default();
    let now = Instant::now();
    let mut retries = 0;
    for _ in 0..1000 {
        budget.first_attempt();
        retries += u32::from(budget.try_spend(now) == Spend::Now);
    }
    // The first ten are saved up; the deposits of the first attempts that found it full are lost.
    assert!((109..=110).contains(&retries), "{retries}");
}

/// Guards a client with one batch against waiting for first attempts that never come.
#[test]
fn time_alone_is_enough() {
    let mut budget = RetryBudget::default();
    let mut now = Instant::now();
    for retry in 0..100 {
        if let Spend::WaitUntil(at) = budget.try_spend(now) {
            assert!(
                retry >= 10 && at - now <= Duration::from_millis(10_001),
                "{:?} for retry {retry}",
                at - now
            );
            now = at;
            assert_eq!(budget.try_spend(now), Spend::Now);
        }
    }
}

/// Guards the savings: a calm day does not pay for a storm.
#[test]
fn no_more_than_the_cap_is_saved() {
    let mut budget = RetryBudget::default();
    let start = Instant::now();
    assert_eq!(budget.try_spend(start), Spend::Now);
    for _ in 0..1_000_000 {
        budget.first_attempt();
    }
    let later = start + Duration::from_secs(1_000_000);
    let granted = (0..100).filter(|_| budget.try_spend(later) == Spend::Now).count();
    assert_eq!(granted, 10);
}

/// Guards against numbers that would stop all retries or overflow.
#[test]
fn bad_numbers_are_refused() {
    for (ratio, cap, per_second, field) in [
        (-0.1, 10.0, 0.1, "ratio"),
        (f64::NAN, 10.0, 0.1, "ratio"),
        (0.1, 0.5, 0.1, "cap"),
        (0.1, f64::INFINITY, 0.1, "cap"),
        (0.1, 10.0, 0.0, "per_second"),
        (0.1, 10.0, f64::NAN, "per_second"),
    ] {
        let error = RetryBudget::new(BudgetConfig { ratio, cap, per_second }).expect_err("out of range");
        assert!(error.to_string().starts_with(field), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards the promise, over any history and setting: retries are at most the savings, the share of first attempts,
    /// and the trickle; who waits as long as told gets its retry; and nothing is lost below the cap.
    #[test]
    fn retries_are_within_the_budget(
        ratio in 0.0f64..2.0,
        cap in 1.0f64..50.0,
        per_second in 0.01f64..100.0,
        events in prop::collection::vec((0u16..2000, 0u8..20, 0u8..20), 1..100),
    ) {
        let mut budget = budget(ratio, cap, per_second);
        let start = Instant::now();
        let mut now = start;
        let (mut firsts, mut retries) = (0u32, 0u32);
        for (ms, first, spend) in events {
            now += Duration::from_millis(ms.into());
            for _ in 0..first {
                budget.first_attempt();
                firsts += 1;
            }
            for _ in 0..spend {
                match budget.try_spend(now) {
                    Spend::Now => retries += 1,
                    Spend::WaitUntil(at) => {
                        prop_assert!(at > now);
                        prop_assert_eq!(budget.clone().try_spend(at), Spend::Now, "told to wait in vain");
                        let early = at - (at - now) / 10;
                        prop_assert!(budget.clone().try_spend(early) != Spend::Now, "told to wait too long");
                    }
                }
            }
            let seconds = (now - start).as_secs_f64();
            let allowed = cap + ratio * f64::from(firsts) + per_second * seconds;
            prop_assert!(f64::from(retries) <= allowed + 1e-3, "{retries} of {allowed}");
        }
    }
}
