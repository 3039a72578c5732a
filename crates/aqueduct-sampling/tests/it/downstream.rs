//! Sampling of what has been sampled before.

use aqueduct_sampling::{
    ConfigError, DownstreamConfig, DownstreamMode, DownstreamSampler, Fault, Value, Verdict,
};
use proptest::prelude::*;

use crate::support::{Span, ids};

fn sampler(percentage: f64, mode: DownstreamMode) -> DownstreamSampler {
    with(percentage, mode, |_| {})
}

fn with(
    percentage: f64,
    mode: DownstreamMode,
    change: impl FnOnce(&mut DownstreamConfig),
) -> DownstreamSampler {
    let mut config = DownstreamConfig::default();
    (config.percentage, config.mode) = (percentage, mode);
    change(&mut config);
    DownstreamSampler::new(&config).expect("a configuration that can be meant")
}

fn outcome(sampler: &DownstreamSampler, span: &Span<'_>) -> Option<String> {
    let verdict = sampler.span(span);
    assert_eq!(verdict.fault, None);
    verdict.kept.then(|| {
        let mut ot = String::new();
        verdict.write_ot(span.ot, &mut ot);
        ot
    })
}

/// Guards the arithmetic of both modes, and that nothing is ever lowered.
#[test]
fn thresholds_are_raised_or_stay() {
    use DownstreamMode::{Equalizing, Proportional};
    for (mode, percentage, ot, after) in [
        (Equalizing, 25.0, "", "th:c"),
        (Equalizing, 25.0, "th:8;a:1", "th:c;a:1"),
        (Equalizing, 25.0, "th:e", "th:e"),
        (Equalizing, 100.0, "th:8", "th:8"),
        (Equalizing, 1000.0, "", "th:0"),
        (Proportional, 25.0, "", "th:c"),
        (Proportional, 25.0, "th:8", "th:e"),
        (Proportional, 100.0, "th:8", "th:8"),
        // A threshold that is not rounded stays what it is, where rounding would lower it.
        (Proportional, 100.0, "th:80001", "th:80001"),
        (Proportional, 10.0, "th:e666;rv:ffffffffffffff", "th:fd70a;rv:ffffffffffffff"),
    ] {
        let span = Span { id: u128::MAX, ot, ..Span::default() };
        assert_eq!(
            outcome(&sampler(percentage, mode), &span).as_deref(),
            Some(after),
            "{mode:?} {percentage} of {ot:?}"
        );
    }
    for mode in [Equalizing, Proportional] {
        let low = Span { id: 0xbf_ffff_ffff_ffff, ..Span::default() };
        assert_eq!(outcome(&sampler(25.0, mode), &low), None);
        assert_eq!(outcome(&sampler(0.0, mode), &Span { id: u128::MAX, ..Span::default() }), None);
    }
    // A product that no threshold can say.
    let last = Span { id: u128::MAX, ot: "th:ffffffffffffff", ..Span::default() };
    assert_eq!(outcome(&sampler(10.0, Proportional), &last), None);
}

/// Guards both answers to items that cannot be judged.
#[test]
fn what_cannot_be_judged_fails_closed_or_open() {
    let lie = Span { id: 0x10_0000_0000_0000, ot: "th:8;a:1", ..Span::default() };
    let lost = Span::default();
    let hashed = Span { id: 1, ot: "th:8", ..Span::default() };
    for (span, mode, fault) in [
        (&lie, DownstreamMode::Equalizing, Fault::InconsistentThreshold),
        (&lie, DownstreamMode::Proportional, Fault::InconsistentThreshold),
        (&lost, DownstreamMode::Proportional, Fault::MissingRandomness),
        (&lost, DownstreamMode::HashSeed(0), Fault::MissingRandomness),
        (&hashed, DownstreamMode::HashSeed(0), Fault::ConsistentSamplingInUse),
    ] {
        let closed = sampler(100.0, mode).span(span);
        assert_eq!((closed.kept, closed.fault), (false, Some(fault)));
        let open = with(100.0, mode, |config| config.fail_closed = false).span(span);
        assert_eq!((open.kept, open.threshold, open.fault), (true, None, Some(fault)));
        let none = with(0.0, mode, |config| config.fail_closed = false).span(span);
        assert!(!none.kept, "nothing at 0 percent");
    }
    let mut ot = String::new();
    with(100.0, DownstreamMode::Equalizing, |config| config.fail_closed = false)
        .span(&lie)
        .write_ot(lie.ot, &mut ot);
    assert_eq!(ot, "a:1", "the lie is not passed on");
}

/// The collector's decision, in its own terms: buckets of the hash below a scaled percentage.
fn collector_keeps(seed: u32, percentage: f32, bytes: &[u8]) -> bool {
    let mut hash = 2_166_136_261_u32;
    for byte in seed.to_le_bytes().iter().chain(bytes) {
        hash ^= u32::from(*byte);
        hash = hash.wrapping_mul(16_777_619);
    }
    hash % 16_384 < (percentage * 163.84) as u32
}

/// Guards the oldest mode against its definition, and that what it writes is consistent with what it decided.
#[test]
fn hash_seed_decides_as_the_collector() {
    for (seed, percentage) in
        [(0, 50.0), (22, 10.0), (4_294_967_295, 0.1), (7, 99.99), (7, 100.0), (7, 0.001)]
    {
        let sampler = sampler(percentage, DownstreamMode::HashSeed(seed));
        let mut kept = 0;
        for id in ids(2, 20_000) {
            let verdict = sampler.span(&Span { id, ..Span::default() });
            assert_eq!(
                verdict.kept,
                collector_keeps(seed, percentage as f32, &id.to_be_bytes()),
                "{seed} {percentage}"
            );
            kept += u32::from(verdict.kept);
            if let (Some(threshold), Some(randomness)) = (verdict.threshold, verdict.randomness) {
                assert!(threshold.keeps(randomness));
            } else {
                assert_eq!(verdict, Verdict::DROP);
            }
        }
        let expected = 200.0 * percentage;
        assert!(
            (f64::from(kept) - expected).abs() < 10.0 + 5.0 * expected.sqrt(),
            "{kept} at {percentage} percent"
        );
    }
    let span = Span { id: 3, ..Span::default() };
    let ot = outcome(&sampler(100.0, DownstreamMode::HashSeed(7)), &span).expect("all are kept");
    assert!(ot.starts_with("th:0;rv:") && ot.len() == 22, "{ot}");
}

/// Guards FNV-1a against its published values, through the bits that an `rv` shows.
#[test]
fn the_hash_is_fnv_1a() {
    // A seed and a text together are the bytes "foobar", whose hash is 0xbf9cf968.
    let seed = u32::from_le_bytes(*b"foob");
    let sampler =
        with(100.0, DownstreamMode::HashSeed(seed), |config| config.from_attribute = Some("key".to_owned()));
    let log = Span { attributes: &[("key", Value::Str("ar"))], ..Span::default() };
    let randomness = sampler.log(&log).randomness.expect("kept by its hash");
    assert_eq!(randomness.value() & 0x3fff, 0xbf9c_f968 & 0x3fff);
    assert_eq!(randomness.value() >> 42, 0x3fff - (0xbf9c_f968 & 0x3fff));
}

/// Guards the attribute that overrides: of spans yes or no, of log records a percentage.
#[test]
fn priorities_override() {
    let sampler = |percentage| sampler(percentage, DownstreamMode::Equalizing);
    let with_priority = |value| [("sampling.priority", value)];
    for (value, kept) in [
        (Value::Int(1), true),
        (Value::Double(0.5), true),
        (Value::Str("2"), true),
        (Value::Int(0), false),
        (Value::Int(-1), false),
    ] {
        let attributes = with_priority(value);
        for percentage in [0.0, 100.0] {
            let verdict = sampler(percentage).span(&Span {
                id: 1,
                ot: "th:0",
                attributes: &attributes,
                ..Span::default()
            });
            assert_eq!((verdict.kept, verdict.threshold), (kept, None), "{value:?}");
        }
    }
    for other in [Value::Str("high"), Value::Bool(true), Value::Double(f64::NAN)] {
        let attributes = with_priority(other);
        assert!(!sampler(0.0).span(&Span { id: 1, attributes: &attributes, ..Span::default() }).kept);
    }
    let log =
        |id, value| sampler(0.0).log(&Span { id, attributes: &with_priority(value), ..Span::default() });
    assert_eq!(log(u128::MAX, Value::Int(25)).threshold, "c".parse().ok());
    assert!(
        !log(1, Value::Int(25)).kept && log(1, Value::Int(100)).kept && !log(u128::MAX, Value::Int(0)).kept
    );
}

/// Guards where log records have what spans have in their trace state.
#[test]
fn log_records_carry_attributes() {
    let sampler = sampler(50.0, DownstreamMode::Proportional);
    let attributes =
        [("sampling.threshold", Value::Str("8")), ("sampling.randomness", Value::Str("c0000000000000"))];
    let verdict = sampler.log(&Span { ot: "th:f", attributes: &attributes, ..Span::default() });
    assert_eq!((verdict.kept, verdict.threshold), (true, "c".parse().ok()));
    let bare = sampler.log(&Span { id: u128::MAX, ..Span::default() });
    assert_eq!((bare.kept, bare.threshold), (true, "8".parse().ok()));
}

/// Guards the check of what a person wrote.
#[test]
fn configurations_that_cannot_be_meant_are_refused() {
    let error = |percentage, precision| {
        let mut config = DownstreamConfig::default();
        (config.percentage, config.precision) = (percentage, precision);
        DownstreamSampler::new(&config).expect_err("cannot be meant")
    };
    assert_eq!(error(-1.0, 4), ConfigError::Percentage { value: -1.0 });
    assert!(error(f64::NAN, 4).to_string().contains("sampling_percentage"));
    assert_eq!(error(1.0, 0), ConfigError::Precision { value: 0 });
    assert!(error(1.0, 15).to_string().contains("sampling_precision"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards the law of downstream sampling for anything that arrives.
    #[test]
    fn kept_items_are_consistent_and_never_gain_probability(
        id in any::<u128>(),
        before in "(th:[0-9a-f]{1,14})?(;rv:[0-9a-f]{14})?",
        percentage in prop_oneof![0.0..100.0_f64, Just(0.0), Just(100.0), Just(1e-20)],
        precision in 1..15_u32,
        proportional in any::<bool>(),
    ) {
        let mode = if proportional { DownstreamMode::Proportional } else { DownstreamMode::Equalizing };
        let sampler = with(percentage, mode, |config| config.precision = precision);
        let span = Span { id, ot: &before, ..Span::default() };
        let verdict = sampler.span(&span);
        let state = aqueduct_sampling::OtelTraceState::parse(&before);
        if verdict.kept {
            let threshold = verdict.threshold.expect("closed: all that are kept are judged");
            prop_assert!(threshold.keeps(state.randomness(&id.to_be_bytes())));
            prop_assert!(state.threshold().is_none_or(|before| threshold >= before));
        } else {
            prop_assert_eq!(verdict.threshold, None);
        }
    }
}
