//! Tail sampling in the process: whole traces, truthful thresholds, nothing lost and nobody waiting.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use aqueduct_opentelemetry::{
    HeldSpan, LocalTail, LocalTailConfig, LocalTailError, LocalTailProcessor, RandomIds,
};
use aqueduct_sampling::tail::{
    AttributeValue, Policy, PolicyKind, StatusCode, TailConfig, TailSpan, Trigger,
};
use aqueduct_testkit::holds_in_a_child;
use opentelemetry::trace::{
    Event, Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    IdGenerator, SdkTracerProvider, Span, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use proptest::prelude::*;

/// Takes what ends, and counts the calls.
#[derive(Clone, Debug, Default)]
struct Taking(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    spans: Vec<SpanData>,
    started: usize,
    flushed: usize,
    shut_down: Option<Duration>,
    resource: bool,
}

impl Taking {
    fn spans(&self) -> Vec<SpanData> {
        self.0.lock().expect("no panic").spans.clone()
    }

    fn names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.name.into_owned()).collect()
    }
}

impl SpanProcessor for Taking {
    fn on_start(&self, _: &mut Span, _: &Context) {
        self.0.lock().expect("no panic").started += 1;
    }

    fn on_end(&self, span: SpanData) {
        self.0.lock().expect("no panic").spans.push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.lock().expect("no panic").flushed += 1;
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.lock().expect("no panic").shut_down = Some(timeout);
        Ok(())
    }

    fn set_resource(&mut self, _: &Resource) {
        self.0.lock().expect("no panic").resource = true;
    }
}

const SLOW: Duration = Duration::from_secs(3);

fn processor(share: f64) -> (LocalTailProcessor<Taking>, Taking) {
    let taking = Taking::default();
    let config = LocalTailConfig::new(SLOW, share);
    (LocalTailProcessor::new(taking.clone(), &config).expect("it can be meant"), taking)
}

/// A span of a millisecond without attributes.
fn span(trace: u128, name: &str, parent: u64) -> SpanData {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(trace),
            RandomIds::new().new_span_id(),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::from(parent),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.to_owned().into(),
        start_time: start,
        end_time: start + Duration::from_millis(1),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

fn with_state(mut span: SpanData, state: &str) -> SpanData {
    let before = span.span_context;
    let state = state.parse().expect("a trace state");
    span.span_context = SpanContext::new(
        before.trace_id(),
        before.span_id(),
        before.trace_flags(),
        before.is_remote(),
        state,
    );
    span
}

fn failed(mut span: SpanData) -> SpanData {
    span.status = Status::error("no such item");
    span
}

/// Guards what it is for: traces with an error or a long time go on whole, when their root ends and in the order in which their spans did; others do not.
#[test]
fn errors_and_slow_traces_are_kept_whole() {
    let (processor, taking) = processor(0.0);
    let mut slow = span(3, "slow", 0);
    slow.end_time += SLOW;
    for data in [
        span(1, "a child", 7),
        failed(span(1, "that failed", 7)),
        span(2, "of a trace that is fine", 7),
        span(3, "of a slow trace", 7),
    ] {
        processor.on_end(data);
    }
    assert!(taking.spans().is_empty(), "nothing before the root");
    processor.on_end(span(2, "fine", 0));
    processor.on_end(slow);
    assert_eq!(taking.names(), ["of a slow trace", "slow"]);
    processor.on_end(span(1, "a root", 0));
    assert_eq!(taking.names()[2..], ["a child", "that failed", "a root"]);
    // What comes late follows.
    processor.on_end(failed(span(2, "too late", 7)));
    processor.on_end(span(1, "late", 7));
    assert_eq!(taking.names()[5..], ["late"]);
    let stats = processor.tail().stats();
    assert_eq!((stats.offered_spans, stats.sampled_spans, stats.not_sampled_spans), (9, 6, 3));
}

/// Guards the local root: a span whose parent is elsewhere ends the local trace, whatever the trace is.
#[test]
fn a_span_with_a_parent_elsewhere_is_a_root() {
    let (processor, taking) = processor(0.0);
    let mut entry = failed(span(1, "entry", 7));
    entry.parent_span_is_remote = true;
    processor.on_end(span(1, "inner", 8));
    processor.on_end(entry);
    assert_eq!(taking.names(), ["inner", "entry"]);
}

/// Guards requests that come twice in one trace: by default the first decides about both; without a memory of what was dropped each decides for itself.
#[test]
fn a_second_local_root_of_a_trace() {
    let second = |limits: TailConfig| {
        let taking = Taking::default();
        let config = LocalTailConfig::new(SLOW, 0.0).with_limits(limits);
        let processor = LocalTailProcessor::new(taking.clone(), &config).expect("it can be meant");
        for data in [span(1, "first", 0), failed(span(1, "child", 7)), span(1, "second", 0)] {
            processor.on_end(data);
        }
        taking.names()
    };
    let limits = LocalTailConfig::local_limits();
    assert_eq!(second(limits.clone()), Vec::<String>::new());
    assert_eq!(second(limits.with_decision_cache(20_000, 0)), ["child", "second"]);
}

/// Guards thresholds: kept by chance, `th` says how likely that was and never less than before; kept for what it is, it stays.
#[test]
fn thresholds_are_truthful() {
    let (processor, taking) = processor(0.25);
    let high = u128::MAX;
    processor.on_end(with_state(span(high, "a", 0), "a=b"));
    processor.on_end(with_state(span(high - 1, "b", 0), "ot=th:8;rv:ffffffffffffff,a=b"));
    processor.on_end(with_state(span(high - 2, "c", 0), "ot=th:e;x:1"));
    processor.on_end(with_state(failed(span(1, "d", 0)), "ot=th:8"));
    processor.on_end(with_state(failed(span(2, "e", 0)), ""));
    processor.on_end(with_state(span(3, "dropped", 0), "ot=rv:bfffffffffffff"));
    let states: Vec<(String, String)> = taking
        .spans()
        .into_iter()
        .map(|span| (span.name.into_owned(), span.span_context.trace_state().header()))
        .collect();
    let expected = [
        ("a", "ot=th:c,a=b"),
        ("b", "ot=th:c;rv:ffffffffffffff,a=b"),
        ("c", "ot=th:e;x:1"),
        ("d", "ot=th:8"),
        ("e", ""),
    ];
    assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state.to_owned())));
    assert!(taking.spans().iter().all(|span| span.span_context.is_sampled()));
}

/// Guards the bytes: what is held stays within the budget, the oldest are decided early, and those kept under pressure say so.
#[test]
fn memory_is_bounded() {
    let taking = Taking::default();
    let limits = LocalTailConfig::local_limits()
        .with_num_traces(1_000)
        .with_decision_cache(1_000, 1_000)
        .with_pressure_sampling_percentage(50.0)
        .with_max_bytes(1 << 20);
    let config = LocalTailConfig::new(SLOW, 0.0).with_limits(limits);
    let processor = LocalTailProcessor::new(taking.clone(), &config).expect("it can be meant");
    let ids = RandomIds::new();
    for _ in 0..2_000 {
        let mut data = span(u128::from_be_bytes(ids.new_trace_id().to_bytes()), "unfinished", 7);
        data.attributes.push(KeyValue::new("text", "x".repeat(2_000)));
        processor.on_end(data);
        let stats = processor.tail().stats();
        assert!(stats.peak_bytes <= 1 << 20);
        assert!(stats.held_spans <= 450, "{}", stats.held_spans);
    }
    let stats = processor.tail().stats();
    assert!((1_000..2_000).contains(&(stats.pressure.sampled + stats.pressure.not_sampled)));
    let kept = taking.spans();
    assert!((600..1_100).contains(&kept.len()), "{}", kept.len());
    assert!(kept.iter().all(|span| span.span_context.trace_state().header() == "ot=th:8"));
}

/// Guards the sizes that the budget is charged: no part of a span is left out.
#[test]
fn every_part_of_a_span_is_charged() {
    let bytes = |data: SpanData| HeldSpan::new(data).held_bytes();
    let text = || "x".repeat(1_000);
    let mut plain = span(1, "", 0);
    plain.name = "static".into();
    let base = bytes(plain.clone());
    let with = |change: &dyn Fn(&mut SpanData)| {
        let mut data = plain.clone();
        change(&mut data);
        bytes(data) - base
    };
    let event = |name: String, attributes| Event::new(name, SystemTime::UNIX_EPOCH, attributes, 0);
    let scope =
        |scope: InstrumentationScope| move |data: &mut SpanData| data.instrumentation_scope = scope.clone();
    type Change<'a> = (&'a str, &'a dyn Fn(&mut SpanData));
    let changes: [Change<'_>; 13] = [
        ("name", &|data| data.name = text().into()),
        ("status", &|data| data.status = Status::error(text())),
        ("key", &|data| data.attributes = vec![KeyValue::new(text(), 1)]),
        ("value", &|data| data.attributes = vec![KeyValue::new("a", text())]),
        ("room", &|data| data.attributes = Vec::with_capacity(20)),
        ("list", &|data| {
            let list = Array::String(vec![text().into()]);
            data.attributes = vec![KeyValue::new("a", Value::Array(list))];
        }),
        ("numbers", &|data| {
            data.attributes = vec![KeyValue::new("a", Value::Array(Array::I64(vec![7; 125])))];
        }),
        ("event", &|data| data.events.events = vec![event(text(), vec![])]),
        ("attribute of an event", &|data| {
            data.events.events = vec![event("a".into(), vec![KeyValue::new("a", text())])];
        }),
        ("attribute of a link", &|data| {
            data.links.links = vec![Link::new(SpanContext::NONE, vec![KeyValue::new("a", text())], 0)];
        }),
        ("name of the scope", &scope(InstrumentationScope::builder(text()).build())),
        ("trace state of a link", &|data| {
            let state = format!("a={},b={0},c={0},d={0}", "x".repeat(256)).parse().expect("a trace state");
            let of = SpanContext::new(TraceId::from(1), SpanId::from(1), TraceFlags::SAMPLED, true, state);
            data.links.links = vec![Link::new(of, Vec::new(), 0)];
        }),
        ("trace state", &|data| *data = with_state(data.clone(), &format!("a={}", "x".repeat(256)))),
    ];
    for (what, change) in changes {
        let least = if what == "trace state" { 500 } else { 1_000 };
        assert!((least..3 * least).contains(&with(change)), "{what}: {}", with(change));
    }
}

/// Guards flush and shutdown: both decide all that is left and go on to the other processor, and after a shutdown nothing is held any more.
#[test]
fn flush_and_shutdown_decide_what_is_left() {
    let (processor, taking) = processor(0.0);
    processor.on_end(failed(span(1, "a", 7)));
    processor.force_flush().expect("it flushes");
    assert_eq!((taking.names(), taking.0.lock().expect("no panic").flushed), (vec!["a".to_owned()], 1));
    processor.on_end(failed(span(2, "b", 7)));
    processor.shutdown_with_timeout(Duration::from_secs(7)).expect("it shuts down");
    assert_eq!(taking.names(), ["a", "b"]);
    assert_eq!(taking.0.lock().expect("no panic").shut_down, Some(Duration::from_secs(7)));
    processor.on_end(failed(span(3, "c", 7)));
    processor.on_end(span(4, "d", 7));
    assert_eq!(taking.names(), ["a", "b", "c"]);
    assert_eq!(processor.tail().stats().held_spans, 0);
}

/// Guards spans that are recorded only: they are not held, and get where they got before.
#[test]
fn spans_that_are_not_sampled_pass_through() {
    let (processor, taking) = processor(0.0);
    let mut data = span(1, "recorded", 7);
    let flags = TraceFlags::default();
    data.span_context = SpanContext::new(TraceId::from(1), SpanId::from(1), flags, false, TraceState::NONE);
    processor.on_end(data.clone());
    assert_eq!(taking.spans(), [data]);
    assert_eq!(processor.tail().stats().offered_spans, 0);
}

/// Guards against a lock that is held while the other processor works: one that ends a span itself, as instrumented exporters do, would wait for ever.
#[test]
fn the_other_processor_may_end_spans() {
    #[derive(Debug)]
    struct Ending {
        own: Arc<OnceLock<Weak<LocalTailProcessor<Ending>>>>,
        taking: Taking,
    }
    impl SpanProcessor for Ending {
        fn on_start(&self, _: &mut Span, _: &Context) {}
        fn on_end(&self, data: SpanData) {
            if data.name == "outer"
                && let Some(own) = self.own.get().and_then(Weak::upgrade)
            {
                own.on_end(failed(span(2, "inner", 0)));
            }
            self.taking.on_end(data);
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        for finish in [
            |processor: &LocalTailProcessor<Ending>| processor.on_end(span(1, "root", 0)),
            |processor: &LocalTailProcessor<Ending>| processor.force_flush().expect("it flushes"),
            |processor: &LocalTailProcessor<Ending>| processor.shutdown().expect("it shuts down"),
        ] {
            let (own, taking) = (Arc::default(), Taking::default());
            let ending = Ending { own: Arc::clone(&own), taking: taking.clone() };
            let config = LocalTailConfig::new(SLOW, 0.0);
            let processor = Arc::new(LocalTailProcessor::new(ending, &config).expect("it can be meant"));
            own.set(Arc::downgrade(&processor)).expect("once");
            processor.on_end(failed(span(1, "outer", 7)));
            finish(&processor);
            let names = taking.names();
            let _ = done.send(names.contains(&"outer".to_owned()) && names.contains(&"inner".to_owned()));
        }
    });
    for _ in 0..3 {
        assert_eq!(result.recv_timeout(Duration::from_secs(60)), Ok(true));
    }
}

/// Guards timeouts: what nobody ends is decided when another item comes, and a grace waits for those that end after their root.
#[test]
fn what_is_due_is_decided_by_whoever_comes() {
    let start = Instant::now();
    let limits = LocalTailConfig::local_limits().with_root_grace(Some(Duration::from_secs(1)));
    let config = LocalTailConfig::new(SLOW, 0.0).with_limits(limits);
    let tail = LocalTail::new(&config).expect("it can be meant");
    let offer = |data, seconds| tail.offer(HeldSpan::new(data), start + Duration::from_secs(seconds));
    assert!(offer(span(1, "child", 7), 0).is_empty());
    assert!(offer(span(2, "root", 0), 0).is_empty());
    assert!(offer(failed(span(2, "ends after its root", 7)), 0).is_empty());
    let decided = offer(span(3, "another", 7), 1);
    assert_eq!((decided.len(), decided[0].trigger, decided[0].spans.len()), (1, Trigger::Root, 2));
    assert!(decided[0].verdict.is_sampled());
    let decided = offer(span(4, "another", 7), 30);
    assert_eq!((decided.len(), decided[0].trigger), (1, Trigger::Timeout));
    assert_eq!(tail.drain(start + Duration::from_secs(30)).len(), 2);
}

/// Guards the way through the SDK, from several threads: whole traces, and every span accounted for.
#[test]
fn traces_of_the_sdk_are_kept_whole() {
    const TRACES: usize = 200;
    let (processor, taking) = processor(0.0);
    let tail = processor.tail();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_id_generator(RandomIds::new())
        .build();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let tracer = provider.tracer("test");
            scope.spawn(move || {
                for at in 0..TRACES {
                    let root = Context::new().with_span(tracer.start("root"));
                    for child in 0..3 {
                        let mut span = tracer.start_with_context("child", &root);
                        if child == 1 && (at + thread) % 4 == 0 {
                            span.set_status(Status::error("no"));
                        }
                        span.end();
                    }
                    root.span().end();
                }
            });
        }
    });
    let mut traces = BTreeMap::<_, Vec<SpanData>>::new();
    for span in taking.spans() {
        traces.entry(span.span_context.trace_id().to_bytes()).or_default().push(span);
    }
    assert_eq!(traces.len(), TRACES);
    assert!(traces.values().all(|spans| spans.len() == 4));
    let stats = tail.stats();
    let counts = (stats.offered_spans, stats.sampled_spans, stats.held_spans);
    assert_eq!(counts, (16 * TRACES as u64, 4 * TRACES as u64, 0));
    let taken = taking.0.lock().expect("no panic");
    assert!(taken.started == 16 * TRACES && taken.resource);
}

/// Guards configurations: what cannot be meant is said, with its source.
#[test]
fn wrong_configurations_are_refused() {
    let of = |config: LocalTailConfig| LocalTail::<HeldSpan>::new(&config).expect_err("it cannot be meant");
    let slow = LocalTailConfig::new(SLOW, 0.5);
    let twice = of(slow.clone().with_policy(Policy::new("slow", PolicyKind::AlwaysSample)));
    assert!(matches!(twice, LocalTailError::Policy(_)));
    assert!(std::error::Error::source(&twice).is_some_and(|source| source.to_string().contains("slow")));
    let none = slow.limits.clone().with_num_traces(0);
    assert!(matches!(of(slow.with_limits(none)), LocalTailError::Limits(_)));
    for share in [-0.1, f64::NAN] {
        assert!(matches!(of(LocalTailConfig::new(SLOW, share)), LocalTailError::Policy(_)), "{share}");
    }
}

/// What should become of spans: the rules, without limits, locks and tables.
#[derive(Default)]
struct Model {
    held: BTreeMap<u128, (Vec<String>, bool)>,
    decided: HashMap<u128, bool>,
    passed: Vec<String>,
}

impl Model {
    fn end(&mut self, trace: u128, name: String, is_root: bool, is_special: bool) {
        if let Some(kept) = self.decided.get(&trace) {
            self.passed.extend(kept.then_some(name));
            return;
        }
        let held = self.held.entry(trace).or_default();
        held.0.push(name);
        held.1 |= is_special;
        if is_root {
            self.decide(trace);
        }
    }

    fn decide(&mut self, trace: u128) {
        let (names, special) = self.held.remove(&trace).unwrap_or_default();
        let kept = special || trace & (1 << 55) != 0;
        self.passed.extend(names.into_iter().filter(|_| kept));
        self.decided.insert(trace, kept);
    }

    fn drain(&mut self) {
        let all: Vec<u128> = self.held.keys().copied().collect();
        all.into_iter().for_each(|trace| self.decide(trace));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards every decision against the model: whatever ends when, the spans of the same traces go on, each once, and all are counted.
    #[test]
    fn decisions_are_those_of_the_model(
        steps in prop::collection::vec((0..16_u128, 0..4_u8, 0..12_u8, 0..30_u8), 0..200),
    ) {
        let (processor, taking) = processor(0.5);
        let mut model = Model::default();
        for (at, (trace, parent, kind, flush)) in steps.iter().enumerate() {
            // A share of one half keeps what has the highest of the 56 random bits.
            let trace = 1 | trace << 52;
            let mut data = span(trace, &at.to_string(), u64::from(*parent));
            match kind {
                0 => data = failed(data),
                1 => data.end_time += SLOW,
                _ => {}
            }
            processor.on_end(data);
            model.end(trace, at.to_string(), *parent == 0, *kind < 2);
            if *flush == 0 {
                processor.force_flush().expect("it flushes");
                model.drain();
            }
        }
        processor.shutdown().expect("it shuts down");
        model.drain();
        let (mut passed, mut expected) = (taking.names(), model.passed);
        passed.sort();
        expected.sort();
        prop_assert_eq!(&passed, &expected);
        let stats = processor.tail().stats();
        let counts = (stats.offered_spans, stats.sampled_spans, stats.held_spans);
        prop_assert_eq!(counts, (steps.len() as u64, passed.len() as u64, 0));
        prop_assert_eq!(stats.offered_spans, stats.sampled_spans + stats.not_sampled_spans);
    }
}

/// Guards a forked child: what was held is its parent's to send, and only that; the child decides its own, also when another thread of its parent has the lock, and a tail that was closed stays so.
#[cfg(unix)]
#[test]
fn a_forked_child_has_a_tail_of_its_own() {
    let (processor, taking) = processor(0.0);
    processor.on_end(failed(span(1, "of the parent", 7)));
    assert!(holds_in_a_child(|| {
        processor.force_flush().expect("it flushes");
        let before = (taking.names().is_empty(), processor.tail().stats().offered_spans);
        processor.on_end(failed(span(2, "of the child", 7)));
        processor.on_end(span(2, "root", 0));
        before == (true, 0) && taking.names() == ["of the child", "root"]
    }));
    processor.on_end(span(1, "root", 0));
    assert_eq!(taking.names(), ["of the parent", "root"]);
    processor.shutdown_with_timeout(Duration::ZERO).expect("it shuts down");
    assert!(holds_in_a_child(|| {
        processor.on_end(failed(span(3, "late", 7)));
        taking.names().last().is_some_and(|last| last == "late")
    }));
}

/// An item whose policies take their time: until told to go on.
struct Waiting(Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>);

impl TailSpan for Waiting {
    fn trace_id(&self) -> [u8; 16] {
        [1; 16]
    }

    fn is_root(&self) -> bool {
        true
    }

    fn start_unix_nano(&self) -> u64 {
        0
    }

    fn end_unix_nano(&self) -> u64 {
        0
    }

    fn status(&self) -> StatusCode {
        if let Some((begun, go_on)) = &self.0 {
            let _ = begun.send(());
            let _ = go_on.recv();
        }
        StatusCode::Unset
    }

    fn attribute(&self, _: &str) -> Option<AttributeValue<'_>> {
        None
    }

    fn trace_state(&self) -> &str {
        ""
    }

    fn held_bytes(&self) -> usize {
        1
    }
}

/// Guards the child against the lock itself: a thread of the parent has it while the process is forked.
#[cfg(unix)]
#[test]
fn a_forked_child_does_not_wait_for_a_thread_that_it_has_not() {
    let tail = LocalTail::<Waiting>::new(&LocalTailConfig::new(SLOW, 0.0)).expect("it can be meant");
    let (begin, begun) = mpsc::channel();
    let (go_on, wait) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| tail.offer(Waiting(Some((begin, wait))), Instant::now()));
        begun.recv().expect("a policy looks at it");
        assert!(holds_in_a_child(|| {
            let decided = tail.offer(Waiting(None), Instant::now()).len();
            decided == 1 && tail.stats().offered_spans == 1
        }));
        go_on.send(()).expect("it waits");
    });
}
