//! Samplers: as the SDK's where they have the same names, and consistent where they say so.

use aqueduct_opentelemetry::{RandomIds, Sampler, SamplerSetting, SamplerSettingError};
use aqueduct_sampling::{
    Annotating, Composite, Pattern, Predicate, ProbabilitySampler, RateConfig, RuleSampler, Target, ValueTest,
};
use aqueduct_testkit::CountingAllocator;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{
    IdGenerator, Sampler as SdkSampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample,
};

fn parent(trace_id: TraceId, flags: u8, remote: bool, state: &str) -> Context {
    let state = state.parse().expect("a trace state");
    let span = SpanContext::new(trace_id, SpanId::from(1), TraceFlags::new(flags), remote, state);
    Context::new().with_remote_span_context(span)
}

fn ask(sampler: &dyn ShouldSample, context: &Context, trace_id: TraceId) -> SamplingResult {
    sampler.should_sample(Some(context), trace_id, "name", &SpanKind::Server, &[], &[])
}

fn ids() -> impl Iterator<Item = TraceId> {
    let edges = [1, u128::MAX, 1 << 63, (1 << 63) - 1, u128::from(u64::MAX), 1 << 64];
    edges.into_iter().map(TraceId::from).chain((0..2_000).map(|_| RandomIds::new().new_trace_id()))
}

/// Guards users who change over: the same decisions, attributes and trace states as from the SDK's samplers, for roots and all kinds of parents.
#[test]
fn presets_are_the_samplers_of_the_sdk() {
    use SamplerSetting as Ours;
    let ratios = [0.0, 1e-18, 1e-6, 0.1, 1.0 / 3.0, 0.5, 0.999, 1.0, 7.0, -1.0];
    let mut pairs: Vec<(Ours, Box<dyn ShouldSample>)> = vec![
        (Ours::AlwaysOn, SdkSampler::AlwaysOn.into()),
        (Ours::AlwaysOff, SdkSampler::AlwaysOff.into()),
        (Ours::ParentBasedAlwaysOn, SdkSampler::ParentBased(Box::new(SdkSampler::AlwaysOn)).into()),
        (Ours::ParentBasedAlwaysOff, SdkSampler::ParentBased(Box::new(SdkSampler::AlwaysOff)).into()),
    ];
    for ratio in ratios {
        let theirs = SdkSampler::TraceIdRatioBased(ratio);
        pairs.push((Ours::ParentBasedTraceIdRatio(ratio), SdkSampler::parent_based(theirs.clone()).into()));
        pairs.push((Ours::TraceIdRatio(ratio), theirs.into()));
    }
    for (setting, theirs) in &pairs {
        let ours = setting.sampler().expect("in range");
        for trace_id in ids() {
            let contexts = (0..4).flat_map(|flags| [false, true].map(|remote| (flags, remote)));
            let contexts = contexts.flat_map(|(flags, remote)| {
                ["", "a=b,c=d"].map(|state| parent(trace_id, flags, remote, state))
            });
            for context in contexts.chain([Context::new()]) {
                let (ours, theirs) =
                    (ask(&ours, &context, trace_id), ask(theirs.as_ref(), &context, trace_id));
                assert_eq!(ours, theirs, "{setting:?} {trace_id} {context:?}");
            }
            let asked = ours.should_sample(None, trace_id, "", &SpanKind::Internal, &[], &[]);
            assert_eq!(asked, theirs.should_sample(None, trace_id, "", &SpanKind::Internal, &[], &[]));
        }
    }
}

/// Guards a `th` that is not true any more from being sent on: what decided was no threshold.
#[test]
fn presets_remove_a_threshold_that_is_not_true() {
    let kept = TraceId::from(u128::MAX);
    let context = parent(kept, 1, true, "a=b,ot=th:8;rv:ffffffffffffff;x:1,c=d");
    let of = |setting: SamplerSetting| ask(&setting.sampler().expect("in range"), &context, kept);
    let header = |setting| of(setting).trace_state.header();
    assert_eq!(header(SamplerSetting::ParentBasedAlwaysOn), "a=b,ot=th:8;rv:ffffffffffffff;x:1,c=d");
    assert_eq!(header(SamplerSetting::AlwaysOn), "ot=rv:ffffffffffffff;x:1,a=b,c=d");
    assert_eq!(header(SamplerSetting::AlwaysOff), "ot=rv:ffffffffffffff;x:1,a=b,c=d");
    let contradicting = parent(kept, 1, true, "ot=th:8;rv:00000000000000");
    let followed = ask(&SamplerSetting::default().sampler().expect("in range"), &contradicting, kept);
    assert_eq!(
        (followed.decision, followed.trace_state.header()),
        (SamplingDecision::RecordAndSample, "ot=rv:00000000000000".into())
    );
}

/// Guards consistency and `th`: what is kept has a randomness from the threshold on, and says so; what is dropped says nothing.
#[test]
fn probability_is_consistent_and_says_its_threshold() {
    let sampler = Sampler::probability(0.1).expect("in range");
    let mut kept = 0;
    for trace_id in ids() {
        let randomness = u128::from_be_bytes(trace_id.to_bytes()) as u64 & ((1 << 56) - 1);
        let root = ask(&sampler, &Context::new(), trace_id);
        let expected = randomness >= 0xe666 << 40;
        assert_eq!(root.decision == SamplingDecision::RecordAndSample, expected);
        assert_eq!(root.trace_state.header(), if expected { "ot=th:e666" } else { "" });
        kept += u32::from(expected);

        // Children go with their parents, with the same trace state.
        let context = parent(trace_id, u8::from(expected), true, &root.trace_state.header());
        assert_eq!(ask(&sampler, &context, trace_id), root);
    }
    assert!((130..290).contains(&kept), "{kept}");
}

/// Guards what stands in a trace state besides: `rv` decides, other members and sub-keys stay, and a root's `th` comes to what is there.
#[test]
fn other_members_stay() {
    let sampler = Sampler::new(Composite::new(ProbabilitySampler::new(0.5).expect("in range")));
    let low = TraceId::from(1_u128 << 60);
    let state = |state: &str| ask(&sampler, &parent(low, 0, true, state), low).trace_state.header();
    assert_eq!(state("a=b"), "a=b");
    assert_eq!(state("a=b,ot=rv:ffffffffffffff"), "ot=th:8;rv:ffffffffffffff,a=b");
    assert_eq!(state("a=b,ot=x:1;th:c"), "ot=x:1,a=b");
    assert_eq!(state("a=b,ot=th:c"), "a=b");
    assert_eq!(state("ot=th:wrong"), "");
    let high = TraceId::from(u128::MAX);
    let state = |state: &str| ask(&sampler, &parent(high, 0, true, state), high).trace_state.header();
    assert_eq!(state("a=b"), "ot=th:8,a=b");
    assert_eq!(state("ot=th:8,a=b"), "ot=th:8,a=b");
    assert_eq!(state("ot=th:8;th:4"), "ot=th:8;th:4", "the first counts");
}

/// Guards rules and attributes: name, kind and every type of attribute reach the sampler, and what it adds reaches the span.
#[test]
fn samplers_see_the_span_and_annotate_it() {
    let never = RuleSampler::new(0.0)
        .and_then(|rules| rules.with_rule(Predicate::name(Pattern::exact("POST /checkout")), 1.0))
        .and_then(|rules| rules.with_rule(Predicate::kind(aqueduct_sampling::Kind::Producer), 1.0))
        .and_then(|rules| rules.with_rule(Predicate::attribute("size", ValueTest::at_least(7.0)), 1.0))
        .expect("in range");
    let annotated = Annotating::new(never).with("by", "rules").with("n", 7).with("d", 0.5).with("b", true);
    let sampler = Sampler::new(Composite::new(annotated));
    let id = TraceId::from(7);
    let ask = |name: &str, kind: SpanKind, attributes: &[KeyValue]| {
        sampler.should_sample(None, id, name, &kind, attributes, &[])
    };
    let kept = ask("POST /checkout", SpanKind::Client, &[]);
    assert_eq!(kept.trace_state.header(), "ot=th:0");
    let added = [
        KeyValue::new("by", "rules"),
        KeyValue::new("n", 7),
        KeyValue::new("d", 0.5),
        KeyValue::new("b", true),
    ];
    assert_eq!(kept.attributes, added);
    let is_kept = |result: SamplingResult| result.decision == SamplingDecision::RecordAndSample;
    assert!(is_kept(ask("x", SpanKind::Producer, &[])));
    assert!(is_kept(ask("x", SpanKind::Client, &[KeyValue::new("size", 7)])));
    assert!(is_kept(ask("x", SpanKind::Client, &[KeyValue::new("size", 7.5)])));
    let dropped = ask("x", SpanKind::Client, &[KeyValue::new("size", 6)]);
    assert_eq!((dropped.decision, dropped.attributes), (SamplingDecision::Drop, vec![]));
}

/// Guards live changes: the handle moves the sampler that a provider has.
#[test]
fn a_rate_can_be_changed_while_it_runs() {
    let (sampler, rate) = Sampler::rate(&RateConfig::new(Target::Ratio(1.0))).expect("in range");
    let provider =
        SdkTracerProvider::builder().with_sampler(sampler).with_id_generator(RandomIds::new()).build();
    let tracer = provider.tracer("test");
    let sampled = || {
        let spans = (0..2_000).map(|_| tracer.start("root"));
        spans.filter(|span| opentelemetry::trace::Span::span_context(span).is_sampled()).count()
    };
    assert_eq!(sampled(), 2_000);
    rate.set_probability(Some(0.1)).expect("in range");
    assert!((120..280).contains(&sampled()));
}

/// Guards the rate against a clock that nobody looks at: it ticks by itself when traces begin, and when they enter here.
#[test]
fn a_rate_ticks_by_itself() {
    for remote in [false, true] {
        let (sampler, rate) = Sampler::rate(&RateConfig::new(Target::Ratio(1.0))).expect("in range");
        let id = TraceId::from(7);
        let context = if remote { parent(id, 1, true, "") } else { Context::new() };
        let begin = std::time::Instant::now();
        while rate.stats().offered == 0 {
            let _ = ask(&sampler, &context, id);
            assert!(begin.elapsed().as_secs() < 60, "it takes a tenth of a second");
        }
    }
}

/// Guards what a thread keeps for its next root: it is not that of another threshold.
#[test]
fn samplers_in_turn_write_their_own_thresholds() {
    let high = TraceId::from(u128::MAX);
    let samplers = [0.5, 0.25].map(|share| Sampler::probability(share).expect("in range"));
    for _ in 0..3 {
        let headers =
            samplers.each_ref().map(|sampler| ask(sampler, &Context::new(), high).trace_state.header());
        assert_eq!(headers, ["ot=th:8", "ot=th:c"]);
    }
}

/// Guards the names and their arguments, in any case, and what is said of wrong ones.
#[test]
fn settings_are_read_as_the_specification_has_them() {
    use SamplerSetting::*;
    let parse = SamplerSetting::parse;
    for (name, setting) in [
        ("always_on", AlwaysOn),
        ("always_off", AlwaysOff),
        ("TraceIdRatio", TraceIdRatio(0.25)),
        ("parentbased_always_on", ParentBasedAlwaysOn),
        (" PARENTBASED_ALWAYS_OFF ", ParentBasedAlwaysOff),
        ("parentbased_traceidratio", ParentBasedTraceIdRatio(0.25)),
        ("", ParentBasedAlwaysOn),
    ] {
        assert_eq!(parse(name, Some(" 0.25 ")), Ok(setting), "{name}");
    }
    assert_eq!(parse("traceidratio", None), Ok(TraceIdRatio(1.0)));
    assert_eq!(parse("traceidratio", Some("")), Ok(TraceIdRatio(1.0)));
    for wrong in ["-0.1", "1.1", "NaN", "inf", "half"] {
        let error = parse("parentbased_traceidratio", Some(wrong)).expect_err(wrong);
        assert_eq!(error.instead(), ParentBasedTraceIdRatio(1.0));
        assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
    }
    for name in ["jaeger_remote", "Parentbased_Jaeger_Remote", "xray"] {
        let error = parse(name, Some("endpoint=http://localhost")).expect_err(name);
        assert_eq!(error, SamplerSettingError::Unsupported { sampler: name.to_owned() });
        assert_eq!(error.instead(), SamplerSetting::default());
    }
    let error = parse("always", None).expect_err("no such sampler");
    assert_eq!(error.to_string(), "no sampler is called `always`");
    assert_eq!(error.instead(), ParentBasedAlwaysOn);
    assert!(Probability(0.0).sampler().is_err());
}

/// Guards the promise: deciding allocates nothing, and a trace state no more than its own clone.
#[test]
fn decisions_allocate_what_the_trace_state_is_made_of() {
    let (rate, _) = Sampler::rate(&RateConfig::new(Target::ItemsPerSecond(1e9))).expect("in range");
    let rules = RuleSampler::new(0.5)
        .and_then(|rules| rules.with_rule(Predicate::attribute("key", ValueTest::at_least(1.0)), 0.1))
        .expect("in range");
    let high = TraceId::from(u128::MAX);
    let child = parent(high, 1, true, "");
    let known = parent(high, 1, true, "ot=th:8,a=b");
    let presets = [
        SamplerSetting::AlwaysOn,
        SamplerSetting::AlwaysOff,
        SamplerSetting::ParentBasedAlwaysOn,
        SamplerSetting::ParentBasedTraceIdRatio(0.5),
    ];
    for setting in presets {
        let sampler = setting.sampler().expect("in range");
        for context in [&Context::new(), &child] {
            let (_, allocations) = CountingAllocator::count(|| ask(&sampler, context, high));
            assert_eq!(allocations.count, 0, "{setting:?}");
        }
    }
    let own = |state: &TraceState| CountingAllocator::count(|| state.clone()).1.count;
    let samplers: [Box<dyn ShouldSample>; 3] =
        [Sampler::probability(0.5).expect("in range").into(), Sampler::rules(rules).into(), rate.into()];
    for sampler in samplers.iter().map(AsRef::as_ref) {
        // The first one of a thread makes what is cloned from then on.
        let root = ask(sampler, &Context::new(), high);
        let (_, allocations) = CountingAllocator::count(|| ask(sampler, &Context::new(), high));
        assert_eq!(allocations.count, own(&root.trace_state), "{sampler:?}");
        assert_eq!(allocations.count, 3, "{sampler:?}");
        let (result, allocations) = CountingAllocator::count(|| ask(sampler, &known, high));
        assert_eq!(allocations.count, own(&result.trace_state), "{sampler:?}");
        let low = TraceId::from(1);
        let (result, allocations) = CountingAllocator::count(|| ask(sampler, &Context::new(), low));
        if result.decision == SamplingDecision::Drop {
            assert_eq!(allocations.count, 0, "{sampler:?}");
        }
    }
}
