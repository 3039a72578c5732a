//! Decisions allocate nothing.

use aqueduct_sampling::{
    Composite, DownstreamConfig, DownstreamSampler, Parent, ParentBased, ParentThreshold, Pattern, Predicate,
    ProbabilitySampler, RateConfig, RateSampler, RuleSampler, Sampler, Target, TraceIdRatio, ValueTest,
};
use aqueduct_testkit::CountingAllocator;

use crate::support::{Span, Unused, ids};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Guards the promise, for every sampler, with trace states and without.
#[test]
fn decisions_allocate_nothing() {
    let (made, allocations) = CountingAllocator::count(|| vec![1_u8; 10]);
    assert_eq!((made.len(), allocations.count), (10, 1), "the counter counts");

    let half = ProbabilitySampler::new(0.5).expect("in range");
    let rules = RuleSampler::new(0.5)
        .and_then(|rules| rules.with_rule(Predicate::name(Pattern::glob("a*b*c?")), 0.1))
        .and_then(|rules| rules.with_rule(Predicate::attribute("key", ValueTest::at_least(1.0)), 0.1))
        .expect("in range");
    let mut config = RateConfig::new(Target::ItemsPerSecond(100.0));
    config.floor_per_operation = 1.0;
    let samplers: [Box<dyn Sampler>; 6] = [
        Box::new(Composite::new(half)),
        Box::new(Composite::new(ParentThreshold::new(half))),
        Box::new(Composite::new(ParentThreshold::new(rules))),
        Box::new(ParentBased::new(TraceIdRatio::new(0.5))),
        Box::new(RateSampler::ratio(0.1).expect("in range")),
        Box::new(RateSampler::new(&config).expect("in range")),
    ];
    let downstream = DownstreamSampler::new(&DownstreamConfig::default()).expect("in range");
    let spans: Vec<Span<'_>> = ids(1, 100)
        .flat_map(|id| {
            let root = Span { id, name: "a name", ..Span::default() };
            let drawn =
                Span { ot: "rv:80000000000000;th:4", parent: Some(Parent::remote(true)), ..root.clone() };
            [root, drawn]
        })
        .collect();
    let mut out = String::with_capacity(512);
    for span in &spans {
        for sampler in &samplers {
            let (_, allocations) = CountingAllocator::count(|| {
                out.clear();
                sampler.decide(span, &mut Unused).write_ot(span.ot, &mut out);
            });
            assert_eq!(allocations.count, 0, "{sampler:?} on {span:?}");
        }
        let (_, allocations) = CountingAllocator::count(|| downstream.span(span));
        assert_eq!(allocations.count, 0);
    }
}

/// Guards the writing of a trace state: one allocation, of the text that comes out.
#[test]
fn writing_a_trace_state_allocates_the_text_alone() {
    let sampler = Composite::new(ProbabilitySampler::new(0.3).expect("in range"));
    let span = Span { id: u128::MAX, ot: "rv:ffffffffffffff;a:1;b:2", ..Span::default() };
    let decision = sampler.decide(&span, &mut Unused);
    let (out, allocations) = CountingAllocator::count(|| {
        let mut out = String::new();
        decision.write_ot(span.ot, &mut out);
        out
    });
    assert_eq!((out.as_str(), allocations.count), ("th:b333;rv:ffffffffffffff;a:1;b:2", 1));
}
