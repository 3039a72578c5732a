//! Composable samplers and what becomes of their intents.

use aqueduct_sampling::{
    AlwaysOff, AlwaysOn, Annotating, ComposableSampler, Composite, Decision, Intent, Parent, ParentThreshold,
    Pattern, Predicate, ProbabilitySampler, RuleBased, Sampler, Threshold, TraceFacts,
};
use rand::Rng;

use crate::support::{Span, Unused, ids, random};

fn threshold(text: &str) -> Option<Threshold> {
    Some(text.parse().expect("a threshold"))
}

fn quarter() -> ProbabilitySampler {
    ProbabilitySampler::new(0.25).expect("in range")
}

fn decide(sampler: &impl Sampler, span: &Span<'_>) -> Decision {
    sampler.decide(span, &mut Unused)
}

/// Guards the constants and the comparison at its edge.
#[test]
fn a_span_is_kept_from_its_threshold_on() {
    let span = |id| Span { id, ..Span::default() };
    assert_eq!(decide(&Composite::new(AlwaysOn), &span(0)), Decision::sample(threshold("0")));
    assert_eq!(decide(&Composite::new(AlwaysOff), &span(u128::MAX)), Decision::DROP);
    let sampler = Composite::new(quarter());
    assert_eq!(decide(&sampler, &span(0x00c0_0000_0000_0000)), Decision::sample(threshold("c")));
    assert_eq!(decide(&sampler, &span(0x00bf_ffff_ffff_ffff)), Decision::DROP);
    // The bits before the last 56 say nothing, those of an `rv` say everything.
    assert_eq!(decide(&sampler, &span(0xffff_ffbf_ffff_ffff_ffff)), Decision::DROP);
    let drawn = Span { id: 0, ot: "rv:c0000000000000;a:1", ..Span::default() };
    assert!(decide(&sampler, &drawn).is_sampled());
    for id in ids(3, 1000) {
        assert_eq!(decide(&sampler, &span(id)).is_sampled(), quarter().keeps(&id.to_be_bytes(), ""));
    }
}

/// Guards the table of parents: their threshold, their flag, and neither.
#[test]
fn children_do_as_their_parent() {
    let sampler = Composite::new(ParentThreshold::new(quarter()));
    let child = |id, ot, sampled| Span { id, ot, parent: Some(Parent::remote(sampled)), ..Span::default() };
    let mut rng = random(1);
    let mut decide = |span: &Span<'_>| sampler.decide(span, &mut rng);
    // The root's own sampler, and children with a threshold that the root's would not have kept.
    assert_eq!(decide(&Span { id: u128::MAX, ..Span::default() }), Decision::sample(threshold("c")));
    assert_eq!(decide(&child(0x90_0000_0000_0000, "th:8", true)), Decision::sample(threshold("8")));
    assert_eq!(decide(&child(0x10_0000_0000_0000, "th:8", false)), Decision::DROP);
    assert_eq!(
        decide(&child(0, "", true)),
        Decision::sample(None),
        "sampled, and nobody knows how likely that was"
    );
    assert_eq!(decide(&child(u128::MAX, "", false)), Decision::DROP);
    // A threshold that contradicts the flag is no threshold.
    assert_eq!(decide(&child(0x10_0000_0000_0000, "th:8", true)), Decision::sample(None));
    assert_eq!(decide(&child(0x90_0000_0000_0000, "th:8", false)), Decision::DROP);
}

#[derive(Debug)]
struct Unreliable;

impl ComposableSampler for Unreliable {
    fn intent(&self, _: &dyn TraceFacts) -> Intent {
        Intent::unreliable("8".parse().expect("a threshold"))
    }
}

/// Guards that a threshold which says nothing about the trace is held against a number that does not either.
#[test]
fn an_unreliable_threshold_takes_a_fresh_number_and_leaves_no_th() {
    let sampler = Composite::new(Unreliable);
    let (mut kept, mut rng) = (0, random(5));
    for _ in 0..10_000 {
        let decision = sampler.decide(&Span { id: u128::MAX, ot: "th:4", ..Span::default() }, &mut rng);
        kept += u32::from(decision.is_sampled());
        assert_eq!(decision.threshold(), None);
    }
    assert!(
        (4_850..5_150).contains(&kept),
        "{kept} of 10,000, and the trace's own randomness would have kept all"
    );
    assert!(rng.next_u64() > 0);
}

/// Guards what a decision writes: `th` where it is known, none where not or where it is dropped, all else untouched.
#[test]
fn decisions_write_the_trace_state() {
    let write = |decision: Decision, parents| {
        let mut out = String::from("ot=");
        decision.write_ot(parents, &mut out);
        out
    };
    let parents = "th:4;rv:80000000000000;a:1";
    assert_eq!(write(Decision::sample(threshold("8")), parents), "ot=th:8;rv:80000000000000;a:1");
    assert_eq!(write(Decision::sample(None), parents), "ot=rv:80000000000000;a:1");
    assert_eq!(write(Decision::DROP, parents), "ot=rv:80000000000000;a:1");
    assert_eq!(write(Decision::DROP, "th:4"), "ot=");
    assert_eq!(Decision::sample(threshold("c")).adjusted_count(), Some(4.0));
    assert_eq!((Decision::DROP.adjusted_count(), Decision::sample(None).adjusted_count()), (Some(0.0), None));
}

/// Guards that attributes come from the samplers that decided, inner ones first, and from no others.
#[test]
fn annotations_come_from_whoever_decided() {
    let inner = Annotating::new(quarter()).with("rule", "rest").with("share", 0.25);
    let rules = RuleBased::new()
        .with(Predicate::name(Pattern::exact("health")), AlwaysOff)
        .with(
            Predicate::name(Pattern::exact("vip")),
            Annotating::new(AlwaysOn).with("rule", String::from("vip")).with("vip", true),
        )
        .with(Predicate::all([]), Annotating::new(inner).with("last", 1));
    let sampler = Composite::new(ParentThreshold::new(rules));
    let told = |name, parent| {
        let mut told = Vec::new();
        sampler.annotate(&Span { name, parent, ..Span::default() }, &mut |key, value| {
            told.push(format!("{key}={value:?}"))
        });
        told.join(" ")
    };
    assert_eq!(told("vip", None), "rule=Str(\"vip\") vip=Bool(true)");
    assert_eq!(told("other", None), "rule=Str(\"rest\") share=Double(0.25) last=Int(1)");
    assert_eq!(told("health", None), "");
    assert_eq!(told("vip", Some(Parent::local(true))), "", "the parent decided");

    let decide = |name, id| sampler.decide(&Span { name, id, ..Span::default() }, &mut Unused);
    assert_eq!(decide("vip", 0), Decision::sample(threshold("0")));
    assert_eq!(decide("health", u128::MAX), Decision::DROP);
    assert_eq!(decide("other", 0), Decision::DROP);
    assert_eq!(decide("other", u128::MAX), Decision::sample(threshold("c")));
    assert_eq!(RuleBased::new().intent(&Span::default()), Intent::DROP);
}
