//! What is encoded from borrowed data is what prost decodes and encodes.

mod source;

use crate::oracle::Request;
use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::encode::{
    ArraySink, AttributeSink, ChunkBuilder, EncodedAttributes, Encoder, EventSink, EventSource, LogSource,
    ResourcePrefix, ScopePrefix, SpanSource, ValueRef, ValueSink,
};
use aqueduct_wire::{Chunk, Limits, MESSAGE_DEPTH, Signal, validate};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Gauge, Metric, NumberDataPoint};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;
use source::{Lent, encode};

/// An attribute without a value and one with an empty value mean the same; the encoder writes the latter.
fn give_values(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        give_value(attribute.value.get_or_insert_default());
    }
}

fn give_value(value: &mut AnyValue) {
    match &mut value.value {
        Some(Value::ArrayValue(list)) => list.values.iter_mut().for_each(give_value),
        Some(Value::KvlistValue(list)) => give_values(&mut list.values),
        _ => {}
    }
}

fn give_values_in(exemplars: &mut [Exemplar]) {
    exemplars.iter_mut().for_each(|exemplar| give_values(&mut exemplar.filtered_attributes));
}

/// The request as a builder makes it: no scopes without items, no resources without scopes, one record for the same scope twice in a
/// row, and values in all attributes.
fn tidy(mut request: Request) -> Request {
    macro_rules! records {
        ($records:expr, $scopes:ident, $items:ident, $item:expr) => {{
            for record in $records.iter_mut() {
                if let Some(resource) = &mut record.resource {
                    give_values(&mut resource.attributes);
                }
                record.$scopes.retain(|scope| !scope.$items.is_empty());
                record.$scopes.dedup_by(|next, before| {
                    let same = next.scope == before.scope && next.schema_url == before.schema_url;
                    if same {
                        before.$items.append(&mut next.$items);
                    }
                    same
                });
                for within in &mut record.$scopes {
                    if let Some(scope) = &mut within.scope {
                        give_values(&mut scope.attributes);
                    }
                    within.$items.iter_mut().for_each($item);
                }
            }
            $records.retain(|record| !record.$scopes.is_empty());
        }};
    }
    match &mut request {
        Request::Traces(request) => records!(request.resource_spans, scope_spans, spans, |span| {
            give_values(&mut span.attributes);
            span.events.iter_mut().for_each(|event| give_values(&mut event.attributes));
            span.links.iter_mut().for_each(|link| give_values(&mut link.attributes));
        }),
        Request::Logs(request) => records!(request.resource_logs, scope_logs, log_records, |log| {
            give_values(&mut log.attributes);
            log.body.iter_mut().for_each(give_value);
        }),
        Request::Metrics(request) => records!(request.resource_metrics, scope_metrics, metrics, |metric| {
            give_values(&mut metric.metadata);
            macro_rules! points {
                ($data:expr) => {
                    for point in &mut $data.data_points {
                        give_values(&mut point.attributes);
                        give_values_in(&mut point.exemplars);
                    }
                };
            }
            match &mut metric.data {
                None => {}
                Some(Data::Gauge(data)) => points!(data),
                Some(Data::Sum(data)) => points!(data),
                Some(Data::Histogram(data)) => points!(data),
                Some(Data::ExponentialHistogram(data)) => points!(data),
                Some(Data::Summary(data)) => {
                    data.data_points.iter_mut().for_each(|point| give_values(&mut point.attributes));
                }
            }
        }),
    }
    request
}

/// Without the only field that stands in another place than where prost writes it.
fn without_schema_urls(mut request: Request) -> Request {
    macro_rules! clear {
        ($records:expr, $scopes:ident) => {
            for record in &mut $records {
                record.schema_url.clear();
                record.$scopes.iter_mut().for_each(|scope| scope.schema_url.clear());
            }
        };
    }
    match &mut request {
        Request::Traces(request) => clear!(request.resource_spans, scope_spans),
        Request::Metrics(request) => clear!(request.resource_metrics, scope_metrics),
        Request::Logs(request) => clear!(request.resource_logs, scope_logs),
    }
    request
}

fn joined(chunks: &[Chunk]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| chunk.bytes().to_vec()).collect()
}

fn agrees(signal: Signal, request: &Request, open: impl Fn(Signal, ResourcePrefix) -> ChunkBuilder) {
    let chunks = encode(request, &open);
    let bytes = joined(&chunks);
    let expected = tidy(request.clone());
    assert_eq!(Request::decode(signal, &bytes).as_ref(), Ok(&expected));
    assert_eq!(bytes.len(), expected.encode().len());
    let items: u64 = chunks.iter().map(Chunk::items).sum();
    let summary = validate(signal, &bytes, &Limits::DEFAULT).expect("valid");
    assert_eq!((summary, summary.items), (expected.summary(), items));

    let plain = without_schema_urls(request.clone());
    assert_eq!(joined(&encode(&plain, &open)), tidy(plain).encode(), "byte for byte");
}

fn signals() -> impl Strategy<Value = Signal> {
    prop::sample::select(Signal::ALL.to_vec())
}

proptest! {
    /// Guards every field of every message: prost decodes what it was made from, the validator accepts it, and it is as long as prost's,
    /// and the same bytes.
    #[test]
    fn what_is_encoded_is_what_prost_decodes(signal in signals(), seed: u64, capacity in 0..5_000_usize) {
        agrees(signal, &Request::generate(signal, seed), |signal, resource| {
            ChunkBuilder::new(signal, resource).with_capacity(capacity)
        });
    }

    /// The same for the requests that the other crates are tested with.
    #[test]
    fn requests_of_the_testkit_too(signal in signals(), seed: u64, items in 0..60_usize) {
        let bytes = aqueduct_testkit::Generator::new(seed).request(signal, items);
        agrees(signal, &Request::decode(signal, &bytes).unwrap(), ChunkBuilder::new);
    }

    /// Guards the pool's way: the same bytes, and the memory back.
    #[cfg(feature = "pool")]
    #[test]
    fn a_pool_changes_nothing(signal in signals(), seed: u64, capacity in 0..5_000_usize) {
        let pool = aqueduct_pool::BufferPool::default();
        agrees(signal, &Request::generate(signal, seed), |signal, resource| {
            ChunkBuilder::new(signal, resource).with_capacity(capacity).with_pool(pool.clone())
        });
        prop_assert_eq!(pool.stats().in_use(), 0);
    }

    /// Guards the one-byte lengths that are widened, and those that are computed: texts of all lengths in a key, a value, an event and
    /// an array.
    #[test]
    fn lengths_around_every_width(key in lengths(), text in lengths(), int: i64) {
        let value = |value| Some(AnyValue { value: Some(value) });
        let list = vec![value(Value::StringValue(text.clone())).unwrap(), value(Value::IntValue(int)).unwrap()];
        let array = value(Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue { values: list }));
        let attribute = |value| KeyValue { key: key.clone(), value, key_strindex: 0 };
        let attributes = vec![
            attribute(value(Value::StringValue(text.clone()))),
            attribute(value(Value::BytesValue(text.clone().into()))),
            attribute(value(Value::IntValue(int))),
            attribute(value(Value::DoubleValue(0.5))),
            attribute(array),
        ];
        let event = opentelemetry_proto::tonic::trace::v1::span::Event {
            name: text.clone(),
            attributes: attributes.clone(),
            ..Default::default()
        };
        let span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], attributes, events: vec![event], ..Span::default() };
        let mut encoder = Encoder::new();
        prop_assert_eq!(encoder.span(&Lent(&span)).body(), &span.encode_to_vec()[..]);
    }

    /// Guards lengths that are guessed from the point and the metric before, longer ones and shorter ones, by one encoder.
    #[test]
    fn points_longer_and_shorter_than_the_one_before(metrics in prop::collection::vec(prop::collection::vec(lengths(), 0..6), 1..6)) {
        let mut encoder = Encoder::new();
        for texts in metrics {
            let point = |text: String| NumberDataPoint {
                attributes: vec![KeyValue { key: text, value: Some(AnyValue { value: Some(Value::BoolValue(true)) }), key_strindex: 0 }],
                ..NumberDataPoint::default()
            };
            let data_points = texts.into_iter().map(point).collect();
            let data = Some(Data::Gauge(Gauge { data_points }));
            let metric = Metric { name: "requests".into(), data, ..Metric::default() };
            prop_assert_eq!(encoder.metric(&Lent(&metric)).body(), &metric.encode_to_vec()[..]);
        }
    }
}

/// Around the lengths at which a message's length takes a byte more, in and around attributes.
fn lengths() -> impl Strategy<Value = String> {
    let near = |len: usize| (len - 40..len + 4).prop_map(|len| "x".repeat(len));
    prop_oneof![(0..40_usize).prop_map(|len| "x".repeat(len)), near(128), near(16_384), "[a-zß語]{0,70}"]
}

/// Guards records, scopes and resources whose lengths are the last of one width and the first of the next.
#[test]
fn records_around_every_width() {
    let scope = ScopePrefix::new("", "");
    for edge in [1 << 7, 1 << 14, 1 << 21] {
        for len in (edge - 30..edge + 3).chain([edge * 2]) {
            let body = "x".repeat(len);
            let log = LogRecord { event_name: body, ..LogRecord::default() };
            let mut encoder = Encoder::new();
            let record = encoder.log(&Lent(&log));
            assert_eq!(record.body(), log.encode_to_vec());
            let mut out = Vec::new();
            record.put(&mut out);
            assert_eq!((out.len(), &out[..]), (record.len(), record.as_bytes()));

            // In the first scope, and in a later one.
            for others in 0..2 {
                let mut builder =
                    ChunkBuilder::new(Signal::Logs, ResourcePrefix::default()).with_capacity(10);
                for _ in 0..others {
                    builder.push_log(&ScopePrefix::new("other", ""), &Lent(&LogRecord::default()));
                }
                builder.push_log(&scope, &Lent(&log));
                let expected = builder.len();
                let chunk = builder.seal();
                assert_eq!(chunk.len(), expected);
                let Request::Logs(request) = Request::decode(Signal::Logs, chunk.bytes()).unwrap() else {
                    panic!("another signal");
                };
                assert_eq!(request.encoded_len(), expected, "lengths are minimal");
                assert_eq!(request.resource_logs[0].scope_logs[others].log_records[0], log);
            }
        }
    }
}

struct Nested(usize, bool);

impl Nested {
    fn with(&self, then: &mut dyn FnMut(ValueRef<'_>)) {
        let inner = Nested(self.0.saturating_sub(1), self.1);
        match self.0 {
            0 => then(ValueRef::Int(7)),
            _ if self.1 => then(ValueRef::KvList(&|out: &mut AttributeSink<'_>| {
                inner.with(&mut |value| out.push("k", value));
            })),
            _ => then(ValueRef::Array(&|out: &mut ArraySink<'_>| inner.with(&mut |value| out.push(value)))),
        }
    }
}

impl SpanSource for Nested {
    fn trace_id(&self) -> [u8; 16] {
        [1; 16]
    }
    fn span_id(&self) -> [u8; 8] {
        [1; 8]
    }
    fn name(&self) -> &str {
        ""
    }
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        self.with(&mut |value| out.push("deep", value));
    }
    fn events(&self, out: &mut EventSink<'_>) {
        out.push(&Inner(self));
    }
}

struct Inner<'a>(&'a Nested);

impl EventSource for Inner<'_> {
    fn name(&self) -> &str {
        ""
    }
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        SpanSource::attributes(self.0, out);
    }
}

impl LogSource for Nested {
    fn body(&self, out: ValueSink<'_>) {
        let mut out = Some(out);
        self.with(&mut |value| out.take().expect("one value").put(value));
    }
}

/// Guards the bound on recursion: values nested to any depth make a chunk that is valid, and nothing is cut that would have been.
#[test]
fn nested_values_are_cut_where_the_validator_stops() {
    let scope = ScopePrefix::new("s", "");
    for kvlist in [false, true] {
        for depth in 0..200 {
            let nested = Nested(depth, kvlist);
            let mut logs = ChunkBuilder::new(Signal::Logs, ResourcePrefix::default());
            logs.push_log(&scope, &nested);
            let mut spans = ChunkBuilder::new(Signal::Traces, ResourcePrefix::default());
            spans.push_span(&scope, &nested);
            // The body: request, three records, and then two messages for each array, three for each list of attributes.
            let levels = if kvlist { 3 } else { 2 };
            let fits = 3 + 1 + levels * depth <= MESSAGE_DEPTH && depth < Limits::DEFAULT.max_depth;
            assert_eq!(logs.cut_values(), u64::from(!fits), "{depth} {kvlist}");
            // The same in an attribute is one level further down, in one of an event two.
            let fits = |more: usize| 3 + more + 1 + levels * depth <= MESSAGE_DEPTH;
            assert_eq!(spans.cut_values(), u64::from(!fits(1)) + u64::from(!fits(2)), "{depth} {kvlist}");
            for builder in [&mut logs, &mut spans] {
                let chunk = builder.seal();
                assert_eq!(builder.cut_values(), 0);
                let summary = validate(chunk.signal(), chunk.bytes(), &Limits::DEFAULT).unwrap();
                assert_eq!(summary.items, 1);
                Request::decode(chunk.signal(), chunk.bytes()).unwrap();
            }
        }
    }
}

/// Guards batches from encoded attributes within encoded attributes: nested beyond what the validator takes they are left out and counted, as if they had
/// been pushed one in another at once; short of that nothing is.
#[test]
fn encoded_attributes_in_one_another_are_cut_where_the_validator_stops() {
    struct Log(EncodedAttributes);
    impl LogSource for Log {
        fn attributes(&self, out: &mut AttributeSink<'_>) {
            out.push_encoded(&self.0);
        }
    }
    let mut attributes = EncodedAttributes::new(|out| out.push("k", ValueRef::Int(1)));
    let mut cut_before = 0;
    for rounds in 1..150 {
        let inner = attributes;
        attributes =
            EncodedAttributes::new(|out| out.push("k", ValueRef::KvList(&|out| out.push_encoded(&inner))));
        let mut builder = ChunkBuilder::new(Signal::Logs, ResourcePrefix::default());
        builder.push_log(&ScopePrefix::default(), &Log(attributes.clone()));
        let cut = builder.cut_values();
        let chunk = builder.seal();
        assert_eq!(
            validate(Signal::Logs, chunk.bytes(), &Limits::DEFAULT).map(|summary| summary.items),
            Ok(1),
            "{rounds}"
        );
        assert!(rounds > 10 || cut == 0, "{rounds}");
        assert!(cut >= cut_before);
        cut_before = cut;
    }
    assert!(cut_before > 0);
}

/// Guards the reuse of encoded attributes: under the key of whatever message they are put in, the same as if pushed one by one.
#[test]
fn encoded_attributes_fit_every_message() {
    let push = |out: &mut AttributeSink<'_>| {
        out.push("name", ValueRef::Str("value"));
        out.push("", ValueRef::Empty);
        out.push("long", ValueRef::Str(&"x".repeat(300)));
        out.push("many", ValueRef::Strs(&["a", "b"]));
        out.push("flags", ValueRef::Bools(&[true, false]));
        out.push("numbers", ValueRef::Ints(&[-1, 0, i64::MAX]));
        out.push("shares", ValueRef::Doubles(&[0.0, -0.0, f64::INFINITY]));
    };
    let encoded = EncodedAttributes::new(push);
    assert_eq!(encoded.count(), 7);
    let pair = [ResourcePrefix::new(push), ResourcePrefix::new(|out| out.push_encoded(&encoded))];
    assert_eq!(pair[0], pair[1]);
    let scope = ScopePrefix::new("s", "1");
    assert!(scope.clone().with_attributes(push) == scope.with_attributes(|out| out.push_encoded(&encoded)));

    struct With<'a>(&'a dyn Fn(&mut AttributeSink<'_>));
    impl LogSource for With<'_> {
        fn attributes(&self, out: &mut AttributeSink<'_>) {
            (self.0)(out);
        }
    }
    let (mut a, mut b) = (Encoder::new(), Encoder::new());
    let record = a.log(&With(&push));
    assert_eq!(record.as_bytes(), b.log(&With(&|out| out.push_encoded(&encoded))).as_bytes());
    assert_eq!(LogRecord::decode(record.body()).unwrap().attributes.len(), 7);
}

fn some_spans(count: u64) -> Vec<Span> {
    let attribute = |n: u64, key: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(if n.is_multiple_of(2) {
                Value::IntValue(n.cast_signed() * 1_000_003)
            } else {
                Value::StringValue(format!("{n:030}"))
            }),
        }),
        key_strindex: 0,
    };
    (0..count)
        .map(|n| Span {
            trace_id: vec![n as u8; 16],
            span_id: vec![n as u8; 8],
            name: "GET /".to_owned(),
            attributes: (0..10).map(|k| attribute(n + k, "http.request.header")).collect(),
            events: vec![opentelemetry_proto::tonic::trace::v1::span::Event {
                name: "exception".to_owned(),
                attributes: vec![attribute(n, "exception.stacktrace")],
                ..Default::default()
            }],
            ..Span::default()
        })
        .collect()
}

/// Guards the promise of `ChunkBuilder`: nothing is allocated for a span, and two or three buffers for a chunk.
#[test]
fn a_span_allocates_nothing() {
    let spans = some_spans(100);
    let scope = ScopePrefix::new("http", "1");
    let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")));
    let mut builder = ChunkBuilder::new(Signal::Traces, resource);
    builder.push_span(&scope, &Lent(&spans[0]));
    let fill = |builder: &mut ChunkBuilder| {
        for span in &spans {
            builder.push_span(&scope, &Lent(span));
        }
    };
    let (_, made) = CountingAllocator::count(|| fill(&mut builder));
    assert_eq!(made.count, 0, "a hundred spans");
    drop(builder.seal());
    for _ in 0..3 {
        let (chunk, made) = CountingAllocator::count(|| {
            fill(&mut builder);
            builder.seal()
        });
        assert_eq!(chunk.items(), 100);
        assert!((1..=3).contains(&made.count), "{} for a chunk", made.count);
    }
    let mut encoder = Encoder::new();
    encoder.span(&Lent(&spans[0]));
    let (_, made) = CountingAllocator::count(|| {
        for span in &spans {
            encoder.span(&Lent(span));
        }
    });
    assert_eq!(made.count, 0);
}

/// Guards the size at which a chunk is sealed, and that the next one begins like the first.
#[test]
fn a_builder_is_full_and_used_again() {
    let spans = some_spans(50);
    let scopes = [ScopePrefix::new("a", ""), ScopePrefix::new("b", "").with_schema_url("https://b")];
    let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")));
    let mut builder = ChunkBuilder::new(Signal::Traces, resource).with_capacity(5_000);
    let mut chunks = Vec::new();
    for (n, span) in spans.iter().enumerate() {
        builder.push_span(&scopes[n / 3 % 2], &Lent(span));
        if builder.is_full(4_000) {
            assert!(builder.len() >= 4_000);
            chunks.push(builder.seal());
        }
    }
    chunks.push(builder.seal());
    assert!(chunks.len() > 5);
    assert_eq!(chunks.iter().map(Chunk::items).sum::<u64>(), 50);
    let mut names = Vec::new();
    for chunk in &chunks {
        let Request::Traces(request) = Request::decode(Signal::Traces, chunk.bytes()).unwrap() else {
            panic!("another signal");
        };
        assert_eq!(request.encoded_len(), chunk.len());
        let [record] = &request.resource_spans[..] else { panic!("one resource") };
        assert_eq!(record.resource.as_ref().unwrap().attributes.len(), 1);
        names.extend(record.scope_spans.iter().flat_map(|scope| {
            assert_eq!(scope.schema_url.is_empty(), scope.scope.as_ref().unwrap().name == "a");
            scope.spans.iter().map(|span| span.span_id.clone())
        }));
    }
    assert_eq!(names, spans.iter().map(|span| span.span_id.clone()).collect::<Vec<_>>(), "in order");
}

/// Guards what is easily done wrong: sealing nothing, and items of another signal.
#[test]
fn a_builder_wrongly_used() {
    let mut builder = ChunkBuilder::new(Signal::Logs, ResourcePrefix::default());
    let (empty, made) = CountingAllocator::count(|| builder.seal());
    assert_eq!((empty.len(), empty.items(), made.count), (0, 0, 0));
    let scope = ScopePrefix::default();
    let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        builder.push_span(&scope, &Nested(0, false));
    }));
    assert!(wrong.is_err());
    assert!(builder.is_empty(), "and nothing was changed");
    builder.push_log(&scope, &Nested(0, false));
    assert_eq!(builder.seal().items(), 1);
}

/// Guards a chunk against a source that panics in the middle of an item: what was there before stays whole.
#[test]
fn a_source_that_panics_leaves_the_chunk_whole() {
    struct Bad;
    impl LogSource for Bad {
        fn body(&self, out: ValueSink<'_>) {
            out.put(ValueRef::Str("half"));
            panic!("no more");
        }
    }
    let scope = ScopePrefix::new("s", "");
    let mut builder = ChunkBuilder::new(Signal::Logs, ResourcePrefix::default());
    builder.push_log(&scope, &Nested(0, false));
    let bad = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        builder.push_log(&ScopePrefix::new("t", ""), &Bad);
    }));
    assert!(bad.is_err());
    builder.push_log(&scope, &Nested(1, false));
    let chunk = builder.seal();
    assert_eq!(validate(Signal::Logs, chunk.bytes(), &Limits::DEFAULT).unwrap().items, 2);
    let Request::Logs(request) = Request::decode(Signal::Logs, chunk.bytes()).unwrap() else {
        panic!("another signal");
    };
    assert_eq!(request.resource_logs[0].scope_logs.len(), 1);
}

/// A chunk that is sealed early holds memory in proportion to its length.
#[test]
fn a_small_chunk_is_held_in_little_memory() {
    let mut builder = ChunkBuilder::new(Signal::Logs, ResourcePrefix::default());
    builder.push_log(&ScopePrefix::default(), &Nested(0, false));
    let (chunk, made) = CountingAllocator::count(|| builder.seal());
    assert!(made.bytes < 200, "{} bytes for {}", made.bytes, chunk.len());
    assert_eq!(made.frees, 1, "the large buffer is not held by it");
}
