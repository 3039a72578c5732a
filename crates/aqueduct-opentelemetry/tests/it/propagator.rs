//! Headers: to the letter, with the flag of level 2, and never a panic.

use std::collections::HashMap;

use aqueduct_opentelemetry::{PropagationBatch, Propagator, RandomIds, Sampler, SamplerSetting, random_flag};
use aqueduct_testkit::CountingAllocator;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{
    Span, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use proptest::prelude::*;

type Headers = HashMap<String, String>;

fn headers(traceparent: &str, tracestate: Option<&str>) -> Headers {
    let traceparent = ("traceparent".to_owned(), traceparent.to_owned());
    let tracestate = tracestate.map(|value| ("tracestate".to_owned(), value.to_owned()));
    [traceparent].into_iter().chain(tracestate).collect()
}

fn extract(propagator: &dyn TextMapPropagator, headers: &Headers) -> SpanContext {
    propagator.extract_with_context(&Context::new(), headers).span().span_context().clone()
}

fn inject(propagator: &dyn TextMapPropagator, context: &Context) -> Headers {
    let mut headers = Headers::new();
    propagator.inject_context(context, &mut headers);
    headers
}

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const RANDOM: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03";

/// Guards the flag on its way through a service: from the header over recorded spans, and over dropped ones, to the next header.
#[test]
fn the_random_flag_goes_through() {
    let propagator = Propagator::new();
    for (setting, sampled) in [
        (SamplerSetting::ParentBasedAlwaysOn, 1),
        (SamplerSetting::AlwaysOff, 0),
        (SamplerSetting::AlwaysOn, 1),
    ] {
        let sampler = setting.sampler().expect("in range");
        let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
        for (header, random) in [(SAMPLED, false), (RANDOM, true)] {
            let extracted = propagator.extract_with_context(&Context::new(), &headers(header, None));
            assert_eq!(random_flag(extracted.span().span_context()), random);
            let span = provider.tracer("test").start_with_context("child", &extracted);
            let id = span.span_context().span_id();
            if sampled == 1 {
                assert_eq!(random_flag(span.span_context()), random, "what an encoder sees");
            }
            let sent = inject(&propagator, &extracted.with_span(span));
            let flags = sampled | if random { 2 } else { 0 };
            let expected = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{id}-{flags:02x}");
            assert_eq!(sent, headers(&expected, None));
        }
    }
}

/// Guards the flag of traces that begin here: set with our ids, dropped or not, and not with others.
#[test]
fn traces_that_begin_here_have_the_flag_of_their_ids() {
    for share in [1.0, 0.0] {
        let setting = SamplerSetting::ParentBasedTraceIdRatio(share);
        let build = || SdkTracerProvider::builder().with_sampler(setting.sampler().expect("in range"));
        let ours = build().with_id_generator(RandomIds::new()).build();
        for (provider, random) in [(ours, 2), (build().build(), 0)] {
            let span = provider.tracer("test").start("root");
            let sent = inject(&Propagator::new(), &Context::new().with_span(span));
            assert!(sent["traceparent"].ends_with(&format!("-{:02x}", random + share as u8)), "{sent:?}");
        }
    }
}

/// Guards the flag against a trace that it does not belong to: the context remembers which trace was extracted.
#[test]
fn another_trace_in_an_extracted_context_has_flags_of_its_own() {
    let extracted = Propagator::new().extract_with_context(&Context::new(), &headers(RANDOM, None));
    let other =
        SpanContext::new(TraceId::from(7), SpanId::from(7), TraceFlags::SAMPLED, false, TraceState::NONE);
    let sent = inject(&Propagator::new(), &extracted.with_remote_span_context(other));
    assert!(sent["traceparent"].ends_with("-01"), "{sent:?}");
}

/// Guards other flags: neither kept nor sent.
#[test]
fn unknown_flags_are_zeroed() {
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff";
    let extracted = Propagator::new().extract_with_context(&Context::new(), &headers(header, None));
    assert_eq!(extracted.span().span_context().trace_flags(), TraceFlags::new(3));
    let span =
        SpanContext::new(TraceId::from(7), SpanId::from(7), TraceFlags::new(0xf9), false, TraceState::NONE);
    let sent = inject(&Propagator::new(), &Context::new().with_remote_span_context(span));
    assert!(sent["traceparent"].ends_with("-01"), "{sent:?}");
}

/// Guards several headers of one name, as HTTP has it.
#[test]
fn trace_states_of_several_headers_are_one_list() {
    let carrier = Headings(vec![SAMPLED], vec!["a=1,b=2", " c=3"]);
    let context = Propagator::new().extract_with_context(&Context::new(), &carrier);
    assert_eq!(context.span().span_context().trace_state().header(), "a=1,b=2,c=3");
}

/// A carrier with several headers of a name.
struct Headings(Vec<&'static str>, Vec<&'static str>);

impl Extractor for Headings {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).and_then(|all| all.first().copied())
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let all = if key == "traceparent" { &self.0 } else { &self.1 };
        (!all.is_empty()).then(|| all.clone())
    }
}

/// Guards against whoever smuggles a parent of his own in front of the real one: of two nobody knows which it is.
#[test]
fn two_parents_are_none() {
    const OTHER: &str = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01";
    for parents in [vec![SAMPLED, OTHER], vec![SAMPLED, SAMPLED], vec![SAMPLED, "nonsense"]] {
        let carrier = Headings(parents, vec!["a=1"]);
        let context = Propagator::new().extract_with_context(&Context::new(), &carrier);
        assert!(!context.has_active_span(), "{:?}", carrier.0);
    }
}

/// Guards the grammar of `tracestate` (Trace Context level 2, section 3.3): what does not follow it is not passed on, and costs nothing but itself.
#[test]
fn trace_states_are_read_to_the_letter() {
    let members = |count: usize| (0..count).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
    let long = |key: usize, value: usize| format!("{}={}", "k".repeat(key), "v".repeat(value));
    let read = |state: &str| {
        let context = extract(&Propagator::new(), &headers(SAMPLED, Some(state)));
        assert!(context.is_valid(), "the parent stays: {state}");
        context.trace_state().header()
    };
    for good in [
        "a=1,b=2",
        "0a=1",
        "a-b_c*d/e=1",
        "tenant@system=1",
        "0tenant@s=x y",
        "a= leading",
        "a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~",
        &members(32),
        &long(256, 256),
    ] {
        assert_eq!(read(good), good);
    }
    for (odd, expected) in [
        (" a=1 ,\t, b=2\t,", "a=1,b=2"),
        // The first of a list is the latest.
        ("a=1,b=2,a=3", "a=1,b=2"),
        // The SDK's type has no such keys, and what is beside them stays.
        ("a@b@c=1,b=2", "b=2"),
        ("a@b23456789012345=1,b=2", "b=2"),
    ] {
        assert_eq!(read(odd), expected, "{odd:?}");
    }
    for bad in [
        "a",
        "=1",
        "a=",
        "a==1",
        "a=1=2",
        "A=1",
        "_a=1",
        "a b=1",
        "a.b=1",
        "@a=1",
        "a@B=1",
        "a=sch\u{f6}n",
        "a=b\u{7f}",
        "a=b\r\nx-evil: 1",
        "a=b\tc",
        "a=1,nonsense",
        &members(33),
        &long(257, 1),
        &long(1, 257),
    ] {
        assert_eq!(read(bad), "", "{bad:?}");
    }
}

/// Guards contexts: what is not a header leaves everything as it was, and fields are told for carriers that are reused.
#[test]
fn what_is_not_there_changes_nothing() {
    let before = Context::new().with_value(7_u8);
    for missing in [Headers::new(), headers("", None), headers("nonsense", Some("a=b"))] {
        let context = Propagator::new().extract_with_context(&before, &missing);
        assert!(!context.has_active_span() && context.get::<u8>() == Some(&7));
    }
    assert!(inject(&Propagator::new(), &before).is_empty());
    let propagator = Propagator::new();
    assert_eq!(propagator.fields().collect::<Vec<_>>(), ["traceparent", "tracestate"]);
}

/// Guards carriers: all come back, in order, when the batch is full and when it is flushed.
#[test]
fn carriers_of_a_batch_come_back() {
    let context = |span: u64| {
        let flags = TraceFlags::SAMPLED;
        let span = SpanContext::new(TraceId::from(7), span.into(), flags, false, TraceState::NONE);
        Context::new().with_remote_span_context(span)
    };
    let contexts: Vec<Context> = (1..=250).map(context).collect();
    let alone: Vec<Headers> = contexts.iter().map(|context| inject(&Propagator::new(), context)).collect();
    assert_eq!(Propagator::new().inject_batch(&contexts, Headers::new), alone);

    let mut batch = PropagationBatch::new(Propagator::new());
    let mut sent = Vec::new();
    for (at, context) in contexts.into_iter().enumerate() {
        let full = batch.push(context, Headers::new());
        assert_eq!(full.as_ref().map(Vec::len), (at % 100 == 99).then_some(100));
        sent.extend(full.unwrap_or_default());
    }
    assert_eq!(batch.len(), 50);
    sent.extend(batch.flush());
    assert_eq!(sent, alone);
    assert!(batch.is_empty() && batch.flush().is_empty());

    let mut single = PropagationBatch::new(Propagator::new()).with_limit(0);
    assert_eq!(single.push(context(1), Headers::new()), Some(vec![alone[0].clone()]));
}

/// Guards the promise: a string for each header.
#[test]
fn injecting_allocates_the_headers_alone() {
    struct Taken(usize);
    impl Injector for Taken {
        fn set(&mut self, _: &str, value: String) {
            self.0 += value.len();
        }
    }
    let propagator = Propagator::new();
    for (state, strings) in [(None, 1), (Some("ot=th:8,a=b,congo=t61rcWkgMzE"), 2)] {
        let context = propagator.extract_with_context(&Context::new(), &headers(RANDOM, state));
        let mut taken = Taken(0);
        let (_, allocations) = CountingAllocator::count(|| propagator.inject_context(&context, &mut taken));
        assert_eq!(taken.0, RANDOM.len() + state.map_or(0, str::len));
        assert_eq!(allocations.count, strings);
    }
}

/// Headers near enough to good ones, and some that are not.
fn traceparents() -> impl Strategy<Value = String> {
    let nearly =
        ("[0-9a-fA-F]{1,3}", "[0-9a-fA-F]{31,33}", "[0-9a-f]{15,17}", "[0-9a-f]{1,3}", "(-[ -~]{0,5})?")
            .prop_map(|(version, trace, span, flags, rest)| {
                format!("{version}-{trace}-{span}-{flags}{rest}")
            });
    prop_oneof![nearly, any::<String>(), "[0-9a-f-]{0,70}", level_1()]
}

/// What both levels have.
fn level_1() -> impl Strategy<Value = String> {
    (1..=u128::MAX, 1..=u64::MAX, any::<u8>())
        .prop_map(|(trace, span, flags)| format!("00-{trace:032x}-{span:016x}-{flags:02x}"))
}

/// What follows the grammar, and what the SDK's type holds.
fn good_trace_states() -> impl Strategy<Value = Option<String>> {
    let key = prop_oneof!["[a-z0-9][a-z0-9_*/-]{0,20}", "[a-z0-9][a-z0-9_*/-]{0,20}@[a-z0-9]{1,12}"];
    let members = prop::collection::btree_map(key, "[!-+--<>-~]{1,30}", 0..=32);
    let list = members.prop_map(|members| {
        members.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    });
    prop::option::of(list)
}

fn trace_states() -> impl Strategy<Value = Option<String>> {
    let member = ("[a-z0-9][a-z0-9_*/@-]{0,20}", "[!-+--<>-~]{0,30}")
        .prop_map(|(key, value)| format!("{key}={value}"));
    let list = prop::collection::vec(member, 0..40).prop_map(|list| list.join(","));
    prop::option::of(prop_oneof![list, any::<String>()])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards level 1: the SDK's propagator reads and writes the same, but for the flag `random` and for an empty trace state.
    #[test]
    fn level_1_is_as_from_the_sdk(header in level_1(), state in good_trace_states()) {
        let (ours, theirs) = (Propagator::new(), TraceContextPropagator::new());
        let sent = headers(&header, state.as_deref());
        let (read, reference) = (extract(&ours, &sent), extract(&theirs, &sent));
        let masked = SpanContext::new(
            read.trace_id(),
            read.span_id(),
            read.trace_flags() & TraceFlags::SAMPLED,
            read.is_remote(),
            read.trace_state().clone(),
        );
        prop_assert_eq!(&masked, &reference);

        let context = Context::new().with_remote_span_context(reference);
        let mut expected = inject(&theirs, &context);
        expected.retain(|_, value| !value.is_empty());
        prop_assert_eq!(inject(&ours, &context), expected);
    }

    /// Guards against panics and against readings that the SDK's propagator refuses; what is read comes out as it came in, at version 00.
    #[test]
    fn anything_is_read_or_not(header in traceparents(), state in trace_states()) {
        let (ours, theirs) = (Propagator::new(), TraceContextPropagator::new());
        let sent = headers(&header, state.as_deref());
        let context = ours.extract_with_context(&Context::new(), &sent);
        let read = context.span().span_context().clone();
        if read.is_valid() {
            let reference = extract(&theirs, &sent);
            prop_assert_eq!((read.trace_id(), read.span_id()), (reference.trace_id(), reference.span_id()));
            prop_assert_eq!(read.is_sampled(), reference.is_sampled());
            let again = inject(&ours, &context);
            prop_assert_eq!(&again["traceparent"][3..53], &header.trim()[3..53]);
            prop_assert_eq!(extract(&ours, &again), read);
        } else {
            prop_assert!(inject(&ours, &context).is_empty());
        }
    }
}

/// Guards consistent sampling over two services: `th` goes out with the header and the next service follows it.
#[test]
fn thresholds_travel() {
    let build = |share| {
        let sampler = Sampler::probability(share).expect("in range");
        SdkTracerProvider::builder().with_sampler(sampler).with_id_generator(RandomIds::new()).build()
    };
    let (first, second) = (build(0.25), build(0.01));
    let mut kept = 0;
    for _ in 0..1_000 {
        let root = first.tracer("first").start("root");
        let sent = inject(&Propagator::new(), &Context::new().with_span(root));
        let context = Propagator::new().extract_with_context(&Context::new(), &sent);
        let child = second.tracer("second").start_with_context("child", &context);
        let (child, root) = (child.span_context(), context.span().span_context().clone());
        assert_eq!(child.is_sampled(), root.is_sampled());
        assert_eq!(child.trace_state().header(), if root.is_sampled() { "ot=th:c" } else { "" });
        kept += u32::from(child.is_sampled());
    }
    assert!((150..350).contains(&kept), "{kept}");
}
