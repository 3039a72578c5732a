//! What is not touched: bytes, unknown fields, other signals.

use aqueduct_pipeline::{OtlpFacts, ProbabilisticSampler, Transform};
use aqueduct_sampling::{DownstreamMode, ItemFacts, Kind, Value};
use aqueduct_testkit::Generator;
use aqueduct_wire::{Chunk, Signal, filter};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::{integer, sampler, text, valid};

/// A field of bytes with a number that nobody knows, here 100.
const UNKNOWN: &[u8] = b"\xa2\x06\x07unknown";

/// A field of bytes, fewer than 16,384.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let key = number << 3 | 2;
    match (content.len() as u8 & 0x7f, (content.len() >> 7) as u8) {
        (len, 0) => [&[key, len], content].concat(),
        (low, high) => [&[key, low | 0x80, high], content].concat(),
    }
}

fn span(id: u8, rest: &[u8]) -> Vec<u8> {
    field(2, &[&field(1, &[id; 16])[..], &field(2, &[id; 8]), rest].concat())
}

/// Guards that nothing is decoded and encoded again: what is kept stays as it is, and only the trace state is another.
#[test]
fn unknown_fields_and_odd_order_survive() {
    let half = ProbabilisticSampler::new(sampler(50.0, DownstreamMode::Equalizing));
    let kept = span(0xff, &[UNKNOWN, &field(3, b"a=1,ot=x:1"), &field(5, b"name"), UNKNOWN].concat());
    let dropped = span(0x01, &field(5, b"name"));
    let scope = field(2, &[UNKNOWN, &kept, &dropped, UNKNOWN].concat());
    let request = field(1, &[&scope[..], UNKNOWN].concat());
    let out = half.transform(valid(Signal::Traces, request));
    let kept = span(0xff, &[UNKNOWN, &field(3, b"ot=th:8;x:1,a=1"), &field(5, b"name"), UNKNOWN].concat());
    let scope = field(2, &[UNKNOWN, &kept, UNKNOWN].concat());
    assert_eq!(out.bytes()[..], field(1, &[&scope[..], UNKNOWN].concat()));
    assert_eq!(out.items(), 1);
}

/// Guards that what says already what it would say stays as it is, in the same memory.
#[test]
fn what_changes_nothing_copies_nothing() {
    let half = ProbabilisticSampler::new(sampler(50.0, DownstreamMode::Equalizing));
    let spans =
        [span(0xff, &field(3, b"a=1, ot=rv:ffffffffffffff;th:80")), span(0xfe, &field(3, b"ot=th:c"))];
    let chunk = valid(Signal::Traces, field(1, &field(2, &spans.concat())));
    let out = half.transform(chunk.clone());
    assert_eq!(out.bytes().as_ptr(), chunk.bytes().as_ptr());
    assert_eq!(out, chunk);
}

/// Guards the signals: there is nothing to sample data points by.
#[test]
fn metrics_pass() {
    let none = ProbabilisticSampler::new(sampler(0.0, DownstreamMode::Proportional));
    let chunk = Generator::new(1).chunk(Signal::Metrics, 20);
    assert_eq!(none.transform(chunk.clone()), chunk);
}

/// Guards against bytes that were never valid: they are not ours to throw away.
#[test]
fn what_is_no_request_passes() {
    let none = ProbabilisticSampler::new(sampler(0.0, DownstreamMode::Proportional));
    let chunk = Chunk::from_valid(Signal::Traces, 3, Bytes::from_static(b"\x0a\x7f"));
    assert_eq!(none.transform(chunk.clone()), chunk);
}

/// Guards every fact.
#[test]
fn facts_are_those_of_the_item() {
    let attributes = vec![integer("http.status", 500), text("http.route", "/a"), text("http.route", "/b")];
    let span = Span {
        trace_id: vec![7; 16],
        span_id: vec![7; 8],
        trace_state: "a=1,ot=th:8".to_owned(),
        name: "GET /a".to_owned(),
        kind: 2,
        attributes,
        ..Span::default()
    };
    let resource = Resource { attributes: vec![text("service.name", "shop")], ..Resource::default() };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let record =
        ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![record] };
    let chunk = valid(Signal::Traces, request.encode_to_vec());
    let mut seen = 0;
    let looked = filter(&chunk, |item| {
        let facts = OtlpFacts::new(item);
        assert_eq!((facts.trace_id(), facts.ot(), facts.name()), ([7; 16], "th:8", "GET /a"));
        assert_eq!(facts.kind(), Kind::Server);
        assert_eq!(facts.attribute("http.status"), Some(Value::Int(500)));
        assert_eq!(facts.attribute("http.route"), Some(Value::Str("/a")));
        assert_eq!((facts.attribute("service.name"), facts.resource("http.route")), (None, None));
        assert_eq!(facts.resource("service.name"), Some(Value::Str("shop")));
        seen += 1;
        true
    });
    assert_eq!((looked.unwrap().removed, seen), (0, 1));
}
