//! `TraceIdRatio` and `ParentBased` against the SDK's.

use aqueduct_sampling::{
    AlwaysOff, AlwaysOn, Composite, Decision, Parent, ParentBased, Sampler, TraceIdRatio,
};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{Sampler as Theirs, SamplingDecision, ShouldSample};

use crate::support::{Span, Unused, ids};

fn theirs(sampler: &dyn ShouldSample, parent: Option<Parent>, id: u128) -> bool {
    let context = parent.map(|parent| {
        let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let span =
            SpanContext::new(TraceId::from(id), SpanId::from(7), flags, parent.remote, TraceState::default());
        Context::new().with_remote_span_context(span)
    });
    let result =
        sampler.should_sample(context.as_ref(), TraceId::from(id), "name", &SpanKind::Server, &[], &[]);
    result.decision == SamplingDecision::RecordAndSample
}

/// Guards the promise "bit for bit", at the edges of each share too.
#[test]
fn trace_id_ratio_decides_as_the_sdk() {
    let mut kept = 0;
    for ratio in [
        0.0,
        -1.0,
        f64::NAN,
        1e-300,
        1e-4,
        0.01,
        0.1,
        0.25,
        1.0 / 3.0,
        0.5,
        0.999_999,
        1.0 - f64::EPSILON,
        1.0,
        1.5,
        f64::INFINITY,
    ] {
        let (ours, oracle) = (TraceIdRatio::new(ratio), Theirs::TraceIdRatioBased(ratio));
        let bound = (ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        let edges = (0..8).flat_map(|step| [bound.wrapping_add(step), bound.wrapping_sub(step)]);
        let edges = edges.flat_map(|value| [u128::from(value << 1), u128::from(value << 1 | 1)]);
        for id in ids(1, 20_000).chain(edges).chain([0, u128::MAX, u128::from(u64::MAX)]) {
            let decided = ours.keeps(&id.to_be_bytes());
            assert_eq!(decided, theirs(&oracle, None, id), "{ratio} of {id:032x}");
            kept += u64::from(decided);
        }
    }
    assert!(kept > 100_000, "both kept something");
}

/// Guards the five slots, with the defaults and with each of them set the other way.
#[test]
fn parent_based_decides_as_the_sdk() {
    let on = || Composite::new(AlwaysOn);
    let off = || Composite::new(AlwaysOff);
    let parents = [
        None,
        Some(Parent::local(true)),
        Some(Parent::local(false)),
        Some(Parent::remote(true)),
        Some(Parent::remote(false)),
    ];
    let samplers = [
        (ParentBased::new(on()), Theirs::parent_based(Theirs::AlwaysOn)),
        (ParentBased::new(off()), Theirs::parent_based(Theirs::AlwaysOff)),
        (
            ParentBased::new(on()).with_local_parent_sampled(off()),
            Theirs::parent_based(Theirs::AlwaysOn).with_local_parent_sampled(Theirs::AlwaysOff),
        ),
        (
            ParentBased::new(on()).with_local_parent_not_sampled(on()),
            Theirs::parent_based(Theirs::AlwaysOn).with_local_parent_not_sampled(Theirs::AlwaysOn),
        ),
        (
            ParentBased::new(off()).with_remote_parent_sampled(off()),
            Theirs::parent_based(Theirs::AlwaysOff).with_remote_parent_sampled(Theirs::AlwaysOff),
        ),
        (
            ParentBased::new(off()).with_remote_parent_not_sampled(on()),
            Theirs::parent_based(Theirs::AlwaysOff).with_remote_parent_not_sampled(Theirs::AlwaysOn),
        ),
    ];
    for (which, (ours, oracle)) in samplers.iter().enumerate() {
        for parent in parents {
            let span = Span { id: 7, parent, ..Span::default() };
            let decided = ours.decide(&span, &mut Unused).is_sampled();
            assert_eq!(decided, theirs(oracle, parent, 7), "sampler {which} with {parent:?}");
        }
    }
}

/// Guards what goes into the trace state: the parent's threshold if it can be true, none else, and none of the legacy sampler.
#[test]
fn thresholds_are_followed_if_they_can_be_true() {
    let sampler = ParentBased::new(TraceIdRatio::new(1.0));
    let decide = |id, ot, parent| sampler.decide(&Span { id, ot, parent, ..Span::default() }, &mut Unused);
    let half = "8".parse().ok();
    assert_eq!(decide(u128::MAX, "th:8", Some(Parent::remote(true))), Decision::sample(half));
    assert_eq!(decide(0, "th:8;rv:80000000000000", Some(Parent::remote(true))), Decision::sample(half));
    assert_eq!(decide(0, "th:8", Some(Parent::remote(true))), Decision::sample(None), "that cannot be");
    assert_eq!(decide(0, "", Some(Parent::local(true))), Decision::sample(None));
    assert_eq!(decide(u128::MAX, "th:8", Some(Parent::local(false))), Decision::DROP);
    assert_eq!(decide(0, "", None), Decision::sample(None));
}
