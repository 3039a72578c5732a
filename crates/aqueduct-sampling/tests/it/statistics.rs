//! Shares and estimates over many traces, with fixed seeds.

use aqueduct_sampling::{
    Composite, DownstreamConfig, DownstreamMode, DownstreamSampler, ParentThreshold, Pattern, Predicate,
    ProbabilitySampler, RuleSampler, Sampler,
};

use crate::support::{Span, Unused, ids};

const TRACES: usize = 1_000_000;
const SHARES: [f64; 4] = [0.5, 0.1, 0.01, 1e-4];

/// Guards the accuracy of shares: a million ids, three standard deviations.
#[test]
fn shares_are_met_within_three_sigma() {
    for (seed, share) in SHARES.into_iter().enumerate() {
        let sampler = ProbabilitySampler::new(share).expect("in range");
        let kept = ids(seed as u64, TRACES).filter(|id| sampler.keeps(&id.to_be_bytes(), "")).count() as f64;
        let sigma = (TRACES as f64 * share * (1.0 - share)).sqrt();
        let off = (kept - TRACES as f64 * share) / sigma;
        assert!(off.abs() < 3.0, "{kept} of a million at {share}: {off} sigma off");
    }
}

/// Guards consistency: a second tier of the same share, which knows the id and the trace state alone, keeps exactly the same, and one of a smaller share a
/// part of it.
#[test]
fn two_tiers_decide_identically() {
    for share in SHARES {
        let first = Composite::new(ProbabilitySampler::new(share).expect("in range"));
        let tier = |share: f64| {
            let mut config = DownstreamConfig::default();
            (config.percentage, config.mode) = (100.0 * share, DownstreamMode::Equalizing);
            DownstreamSampler::new(&config).expect("in range")
        };
        let (same, fifth) = (tier(share), tier(share / 5.0));
        let (mut kept, mut thinned) = (0_u32, 0_u32);
        for id in ids(11, TRACES) {
            let decision = first.decide(&Span { id, ..Span::default() }, &mut Unused);
            // What was dropped never arrives, but would be judged alike.
            assert_eq!(same.span(&Span { id, ..Span::default() }).kept, decision.is_sampled());
            if decision.is_sampled() {
                let mut ot = String::new();
                decision.write_ot("", &mut ot);
                let arrived = Span { id, ot: &ot, ..Span::default() };
                let verdict = same.span(&arrived);
                assert_eq!((verdict.kept, verdict.threshold), (true, decision.threshold()));
                kept += 1;
                thinned += u32::from(fifth.span(&arrived).kept);
            }
        }
        let (expected, sigma) = (f64::from(kept) / 5.0, (f64::from(kept) * 0.16).sqrt());
        assert!((f64::from(thinned) - expected).abs() < 3.0 * sigma, "{thinned} of {kept} at {share}");
    }
}

/// Guards the point of it all: after rules of very different rates and two further tiers, the sum of adjusted counts estimates how many there were,
/// and the sum over a subset how many there were of it.
#[test]
fn adjusted_counts_are_unbiased() {
    let rules = || {
        RuleSampler::new(0.02)?
            .with_rule(Predicate::name(Pattern::exact("often")), 0.005)?
            .with_rule(Predicate::name(Pattern::exact("rare")), 0.5)
    };
    let first = Composite::new(ParentThreshold::new(rules().expect("in range")));
    let tier = |percentage, mode| {
        let mut config = DownstreamConfig::default();
        (config.percentage, config.mode) = (percentage, mode);
        DownstreamSampler::new(&config).expect("in range")
    };
    let (second, third) = (tier(40.0, DownstreamMode::Proportional), tier(15.0, DownstreamMode::Equalizing));
    let names = ["often", "often", "often", "often", "often", "often", "other", "other", "other", "rare"];
    let trials = 100;
    let per_trial = 20_000;
    // Mean and mean square of the relative error, for each name.
    let mut errors = [("often", 0.6, 0.0, 0.0), ("other", 0.3, 0.0, 0.0), ("rare", 0.1, 0.0, 0.0)];
    for trial in 0..trials {
        let mut estimates = [0.0; 3];
        for (at, id) in ids(100 + trial, per_trial).enumerate() {
            let name = names[at % names.len()];
            let decision = first.decide(&Span { id, name, ..Span::default() }, &mut Unused);
            if !decision.is_sampled() {
                continue;
            }
            let (mut ot, mut next) = (String::new(), String::new());
            decision.write_ot("", &mut ot);
            let verdict = second.span(&Span { id, name, ot: &ot, ..Span::default() });
            if !verdict.kept {
                continue;
            }
            verdict.write_ot(&ot, &mut next);
            let verdict = third.span(&Span { id, name, ot: &next, ..Span::default() });
            if let Some(threshold) = verdict.threshold {
                let which = errors.iter().position(|error| error.0 == name).expect("a name of ours");
                estimates[which] += threshold.adjusted_count();
            }
        }
        for (error, estimate) in errors.iter_mut().zip(estimates) {
            let relative = estimate / (per_trial as f64 * error.1) - 1.0;
            error.2 += relative / trials as f64;
            error.3 += relative * relative / trials as f64;
        }
    }
    for (name, _, mean, square) in errors {
        let sigma = (square / trials as f64).sqrt();
        assert!(mean.abs() < 3.0 * sigma, "{name}: {mean} off, {sigma} a standard deviation");
        assert!(sigma < 0.02, "{name}: the test tells nothing at {sigma}");
    }
}
