//! What decided traces say of chance, against what comes out when chance is played through.

use proptest::prelude::*;

use super::*;

/// Randomness in the middle of each of these parts.
const PARTS: u64 = 16;

fn verdict(list: &[Policy], error: bool, part: u64, pressure: Option<f64>) -> Verdict {
    let status = if error { StatusCode::Error } else { StatusCode::Unset };
    let middle = (2 * part + 1) * ((1 << 56) / PARTS / 2);
    let span =
        TestSpan::of(1).status(status).with("kind", Value::Text("web")).state(format!("ot=rv:{middle:014x}"));
    let mut out = Vec::new();
    let now = Instant::now();
    let config = small().with_num_traces(1).with_pressure_sampling_percentage(pressure.unwrap_or(0.0));
    let mut sampler = sampler(config, list);
    sampler.offer(span, now, |_| panic!("it is held"));
    match pressure {
        None => sampler.drain(now, |decided| out.push(decided)),
        Some(_) => sampler.offer(TestSpan::of(2), now, |decided| out.push(decided)),
    }
    out[0].verdict
}

fn leaf() -> impl Strategy<Value = PolicyKind> {
    prop_oneof![
        4 => (0..=PARTS).prop_map(|part| PolicyKind::Probabilistic {
            sampling_percentage: 100.0 * part as f64 / PARTS as f64,
            hash_salt: None,
        }),
        2 => Just(errors().kind),
        1 => Just(PolicyKind::AlwaysSample),
        1 => any::<(bool, bool)>().prop_map(|(web, invert)| text("", "kind", if web { "web" } else { "db" }, invert).kind),
        1 => Just(PolicyKind::RateLimiting { spans_per_second: 0, burst_capacity: Some(1) }),
    ]
}

fn named(kinds: Vec<PolicyKind>) -> Vec<Policy> {
    kinds.into_iter().enumerate().map(|(n, kind)| Policy::new(format!("p{n}"), kind)).collect()
}

fn tree() -> impl Strategy<Value = PolicyKind> {
    leaf().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|kinds| PolicyKind::And(named(kinds))),
            inner.clone().prop_map(|kind| not("not", Policy::new("of", kind)).kind),
            prop::collection::vec(inner, 1..4)
                .prop_map(|kinds| PolicyKind::Composite(Composite::new(10, named(kinds)))),
        ]
    })
}

fn lists() -> impl Strategy<Value = Vec<Policy>> {
    let top = prop_oneof![5 => tree(), 1 => prop::collection::vec(tree(), 1..3).prop_map(|kinds| PolicyKind::Drop(named(kinds)))];
    prop::collection::vec(top, 1..4).prop_map(named)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// For the same trace with every randomness: what is said to be certain always happens, and what is said to happen from a threshold on does so,
    /// and below it not. Only where the odds are said to be unknown, anything may be.
    #[test]
    fn odds_are_true(list in lists(), error: bool, pressure in prop::option::of((0..=PARTS).prop_map(|part| 100.0 * part as f64 / PARTS as f64))) {
        let verdicts: Vec<_> = (0..PARTS).map(|part| verdict(&list, error, part, pressure)).collect();
        for (part, verdict) in verdicts.iter().enumerate() {
            match verdict {
                Verdict::Sampled(Odds::Certain) => {
                    prop_assert!(verdicts.iter().all(|other| other.is_sampled()), "part {part} of {verdicts:?}");
                }
                Verdict::Sampled(Odds::AtLeast(threshold)) => {
                    let from = (threshold.value() / ((1 << 56) / PARTS)) as usize;
                    prop_assert!(part >= from);
                    let unknown = |other: &Verdict| *other == UNKNOWN;
                    let above = verdicts[from..].iter().all(|other| other == verdict || unknown(other));
                    let below = verdicts[..from].iter().all(|other| *other == Verdict::NotSampled || unknown(other));
                    prop_assert!(above && below, "part {part} of {verdicts:?}");
                }
                Verdict::Sampled(Odds::Unknown) | Verdict::NotSampled => {}
            }
        }
    }
}

fn at(list: &[Policy], part: u64) -> Verdict {
    verdict(list, false, part, None)
}

fn threshold(share: f64) -> Verdict {
    Verdict::Sampled(Odds::AtLeast(Threshold::from_probability(share).unwrap()))
}

const UNKNOWN: Verdict = Verdict::Sampled(Odds::Unknown);
const CERTAIN: Verdict = Verdict::Sampled(Odds::Certain);

#[test]
fn of_several_shares_the_largest_counts_and_under_and_the_smallest() {
    let (half, quarter) = (share("half", 50.0), share("quarter", 25.0));
    for part in 0..PARTS {
        let either = at(&[quarter.clone(), half.clone()], part);
        assert_eq!(either, if part >= 8 { threshold(0.5) } else { Verdict::NotSampled });
        let both = at(&[and("both", vec![half.clone(), quarter.clone()])], part);
        assert_eq!(both, if part >= 12 { threshold(0.25) } else { Verdict::NotSampled });
    }
}

#[test]
fn what_no_threshold_can_tell_has_none() {
    let half = share("half", 50.0);
    assert_eq!(at(&[not("other half", half.clone())], 3), UNKNOWN);
    assert_eq!(at(&[not("other half", half.clone())], 12), Verdict::NotSampled);
    let rate = Policy::new("rate", PolicyKind::RateLimiting { spans_per_second: 10, burst_capacity: None });
    assert_eq!(at(std::slice::from_ref(&rate), 3), UNKNOWN);
    let salted = PolicyKind::Probabilistic { sampling_percentage: 100.0, hash_salt: Some("salt".into()) };
    assert_eq!(at(&[Policy::new("salted", salted)], 3), UNKNOWN);
    // What would have been kept anyway.
    assert_eq!(at(&[rate.clone(), half.clone()], 12), threshold(0.5));
    assert_eq!(at(&[rate, half.clone(), always()], 12), CERTAIN);
    // Dropped one time of two: what is left was not certain to be.
    assert_eq!(at(&[drop_all("drop", vec![half]), always()], 3), UNKNOWN);
}

#[test]
fn a_certain_answer_under_not_stays_certain() {
    assert_eq!(at(&[not("fine", errors())], 3), CERTAIN);
    assert_eq!(at(&[not("fine", and("both", vec![errors(), share("half", 50.0)]))], 3), CERTAIN);
    // The order does not matter, nor a rate before, which is not asked twice.
    assert_eq!(at(&[not("fine", and("both", vec![share("half", 50.0), errors()]))], 3), CERTAIN);
    let rate = Policy::new("rate", PolicyKind::RateLimiting { spans_per_second: 0, burst_capacity: None });
    assert_eq!(at(&[not("fine", and("both", vec![rate, errors()]))], 3), CERTAIN);
    assert_eq!(at(&[drop_all("drop", vec![errors()]), always()], 3), CERTAIN);
}

#[test]
fn pressure_adds_a_share_to_those_of_the_policies() {
    let list = [share("quarter", 25.0)];
    for (part, expected) in [(13, threshold(0.5)), (9, threshold(0.5)), (7, Verdict::NotSampled)] {
        assert_eq!(verdict(&list, false, part, Some(50.0)), expected);
    }
    assert_eq!(verdict(&[errors()], true, 0, Some(50.0)), CERTAIN);
    // What must go goes, whatever its randomness.
    assert_eq!(verdict(&[drop_all("drop", vec![always()])], false, 15, Some(100.0)), Verdict::NotSampled);
    assert_eq!(verdict(&[text("web", "kind", "web", true)], false, 15, Some(100.0)), Verdict::NotSampled);
}

#[test]
fn a_span_never_gets_a_smaller_threshold() {
    let (small, large) = ("4".parse().unwrap(), "c".parse().unwrap());
    assert_eq!(Odds::AtLeast(small).apply(Some(large)), Some(large));
    assert_eq!(Odds::AtLeast(large).apply(Some(small)), Some(large));
    assert_eq!(Odds::AtLeast(large).apply(None), Some(large));
    assert_eq!((Odds::Certain.apply(Some(small)), Odds::Certain.apply(None)), (Some(small), None));
    assert_eq!(Odds::Unknown.apply(Some(small)), None);
}

#[test]
fn sums_of_adjusted_counts_come_out_right() {
    // A hundred thousand traces, one in a hundred with an error; errors and a share of the rest are kept.
    let mut sampler = sampler(small(), &[errors(), share("tenth", 10.0)]);
    let now = Instant::now();
    let (mut sum, mut sampled) = (0.0, 0u64);
    for trace in 0..100_000u64 {
        let status = if trace % 100 == 0 { StatusCode::Error } else { StatusCode::Ok };
        let mixed = trace.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ mixed >> 31).wrapping_mul(0x94D0_49BB_1331_11EB);
        sampler.offer(TestSpan::of(mixed ^ mixed >> 29).status(status), now, |_| {});
        sampler.drain(now, |decided| {
            if let Verdict::Sampled(odds) = decided.verdict {
                sampled += 1;
                sum += odds.apply(None).map_or(1.0, Threshold::adjusted_count);
            }
        });
    }
    // Three standard deviations of a sum of 99,000 draws at a tenth, each worth ten.
    let deviation = 3.0 * 10.0 * (99_000.0f64 * 0.1 * 0.9).sqrt();
    assert!((sum - 100_000.0).abs() < deviation, "{sum} of {sampled}");
}
