//! Views show what prost decodes, whatever the encoding.

mod odd;
mod read;

use crate::generate::Generator;
use crate::oracle::Request;
use aqueduct_wire::view::{self, MetricData, Number, Severity, SeverityNumber, SpanKind, Value};
use aqueduct_wire::{Chunk, Limits, Signal, validate};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use proptest::prelude::*;
use prost::Message;

fn re_encode(signal: Signal, bytes: &[u8], seed: u64) -> Vec<u8> {
    let of = match signal {
        Signal::Metrics => odd::METRICS,
        Signal::Logs => odd::LOGS,
        _ => odd::TRACES,
    };
    odd::re_encode(bytes, of, &mut Generator(seed))
}

fn any_signal() -> impl Strategy<Value = Signal> {
    prop::sample::select(Signal::ALL.to_vec())
}

proptest! {
    /// Every field of every message, as encoders write them.
    #[test]
    fn views_show_what_prost_decodes(signal in any_signal(), seed: u64) {
        let request = Request::generate(signal, seed);
        prop_assert_eq!(read::request(signal, &request.encode()), request);
    }

    /// Fields in another order, messages in pieces, replaced values and alternatives, lists half packed, keys and lengths of too many
    /// bytes, unknown fields and groups: legal, and without meaning.
    #[test]
    fn odd_encodings_mean_the_same(signal in any_signal(), seed: u64) {
        let request = Request::generate(signal, seed);
        let odd = re_encode(signal, &request.encode(), seed);
        prop_assert_eq!(&Request::decode(signal, &odd).expect("legal"), &request, "the oddities are wrong");
        prop_assert!(validate(signal, &odd, &Limits::DEFAULT).is_ok());
        prop_assert_eq!(read::request(signal, &odd), request);
    }

    /// Broken bytes: nothing panics, and what is still valid is read as prost reads it.
    #[test]
    fn broken_bytes_do_no_harm(
        signal in any_signal(),
        seed: u64,
        odd: bool,
        changes in prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = Request::generate(signal, seed).encode();
        if odd {
            bytes = re_encode(signal, &bytes, seed);
        }
        for (change, at, byte) in changes {
            let at = at.index(bytes.len() + 1);
            match change {
                _ if at >= bytes.len() => bytes.push(byte),
                0 => bytes[at] ^= 1 << (byte & 7),
                1 => bytes[at] = byte,
                2 => bytes.insert(at, byte),
                _ => drop(bytes.drain(at..bytes.len().min(at + 1 + usize::from(byte % 8)))),
            }
        }
        let read = read::request(signal, &bytes);
        if validate(signal, &bytes, &Limits::DEFAULT).is_ok() {
            let decoded = Request::decode(signal, &bytes).expect("valid");
            // By their encoding: the changes may have made a NaN.
            prop_assert_eq!(read.encode(), decoded.encode());
        }
    }

    /// Bytes without any structure.
    #[test]
    fn random_bytes_do_no_harm(signal in any_signal(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read::request(signal, &bytes);
    }

    /// Profiles have the envelopes of logs, with the same numbers: what is told of these must hold of those.
    #[test]
    fn profiles_down_to_the_scope(seed: u64) {
        let logs = Generator(seed).logs();
        let bytes = logs.encode_to_vec();
        let profiles = view::Profiles::new(&bytes);
        prop_assert!(profiles.dictionary().is_none());
        let records: Vec<_> = profiles.resource_profiles().collect();
        prop_assert_eq!(records.len(), logs.resource_logs.len());
        for (record, expected) in records.into_iter().zip(&logs.resource_logs) {
            prop_assert_eq!(&record.resource().map(read::resource), &expected.resource);
            prop_assert_eq!(record.schema_url(), &expected.schema_url);
            let scopes: Vec<_> = record.scope_profiles().collect();
            prop_assert_eq!(scopes.len(), expected.scope_logs.len());
            for (scope, expected) in scopes.into_iter().zip(&expected.scope_logs) {
                prop_assert_eq!(&scope.scope().map(read::scope), &expected.scope);
                prop_assert_eq!(scope.schema_url(), &expected.schema_url);
                let profiles: Vec<_> = scope.profiles().map(<[u8]>::to_vec).collect();
                let items: Vec<_> = expected.log_records.iter().map(Message::encode_to_vec).collect();
                prop_assert_eq!(profiles, items);
            }
        }
    }
}

/// The record of an item is what came, unknown fields included, and decodes to what the view shows.
#[test]
fn records_pass_through() {
    for seed in 0..50 {
        let bytes = re_encode(Signal::Traces, &Request::generate(Signal::Traces, seed).encode(), seed);
        for record in view::Traces::new(&bytes).resource_spans() {
            if let Some(resource) = record.resource() {
                let whole: Vec<u8> = resource.body().pieces().flatten().copied().collect();
                assert_eq!(whole.len(), resource.body().len());
                assert_eq!(resource.body().as_slice().is_some(), resource.body().pieces().count() == 1);
                assert_eq!(Message::decode(&whole[..]), Ok(read::resource(resource)));
                assert_eq!(read::resource(view::Resource::new(&whole[..])), read::resource(resource));
            }
            for span in record.scope_spans().flat_map(|scope| scope.spans()) {
                assert_eq!(Message::decode(span.bytes()), Ok(read::span(span)));
                assert!(bytes.as_ptr_range().contains(&span.bytes().as_ptr()));
            }
        }
    }
}

/// Trap: an array in a value in pieces, the value in pieces too, and another alternative in the middle. Only what comes after that counts,
/// across both levels.
#[test]
fn an_array_in_pieces_of_a_value_in_pieces() {
    let (one, two, three, four) = ([0x18, 1], [0x18, 2], [0x18, 3], [0x18, 4]);
    let array = |value: [u8; 2]| [&[0x2a, 4, 0x0a, 2][..], &value].concat();
    let text = [0x0a, 1, b'x'].to_vec();
    let list = [0x32, 0].to_vec();
    let body = |fields: &[Vec<u8>]| {
        let fields = fields.concat();
        [&[0x2a, fields.len() as u8][..], &fields].concat()
    };
    for (pieces, expected) in [
        (vec![body(&[array(one)])], vec![1]),
        (vec![body(&[array(one), array(two)])], vec![1, 2]),
        (vec![body(&[array(one)]), body(&[array(two)])], vec![1, 2]),
        (
            vec![body(&[array(one), text.clone(), array(two)]), body(&[array(three), array(four)])],
            vec![2, 3, 4],
        ),
        (
            vec![body(&[array(one), text.clone()]), body(&[]), body(&[array(two)]), body(&[array(three)])],
            vec![2, 3],
        ),
        (
            vec![body(&[array(one)]), body(&[array(two), list, array(three)]), body(&[array(four)])],
            vec![3, 4],
        ),
        (
            vec![body(&[array(one)]), body(&[text, array(two)]), vec![0x10, 9], body(&[array(three)])],
            vec![2, 3],
        ),
    ] {
        let bytes = pieces.concat();
        let Some(Value::Array(array)) = view::LogRecord::new(&bytes).body() else { panic!("an array") };
        let read: Vec<_> = array.iter().filter_map(|value| value.as_int()).collect();
        assert_eq!(read, expected, "{bytes:02x?}");
        assert_eq!(Message::decode(&bytes[..]), Ok(read::log_record(view::LogRecord::new(&bytes))));
    }
}

/// Trap: a metric with two kinds of data. The last kind counts, and of that only what comes after the other one.
#[test]
fn of_two_kinds_of_data_the_last_one_counts() {
    let point = [0x0a, 0];
    let gauge = [&[0x2a, 2][..], &point].concat();
    let sum = [&[0x3a, 4][..], &point, &point].concat();
    let points = |fields: &[&Vec<u8>]| {
        let bytes: Vec<u8> = fields.iter().flat_map(|field| field.iter().copied()).collect();
        match view::Metric::new(&bytes).data() {
            Some(MetricData::Gauge(gauge)) => ("gauge", gauge.data_points().count()),
            Some(MetricData::Sum(sum)) => ("sum", sum.data_points().count()),
            _ => ("", 0),
        }
    };
    assert_eq!(points(&[]), ("", 0));
    assert_eq!(points(&[&gauge, &gauge]), ("gauge", 2));
    assert_eq!(points(&[&gauge, &gauge, &sum]), ("sum", 2));
    assert_eq!(points(&[&gauge, &sum, &gauge]), ("gauge", 1));
    assert_eq!(points(&[&sum, &gauge, &sum, &sum]), ("sum", 4));
}

/// Trap: a number as an integer and as a double. They are two fields, and the last one counts.
#[test]
fn of_two_numbers_the_last_one_counts() {
    let double = [&[0x21][..], &1.5_f64.to_le_bytes()].concat();
    let int = [&[0x31][..], &7_i64.to_le_bytes()].concat();
    let point = |fields: [&Vec<u8>; 3]| view::NumberPoint::new(&fields.map(Vec::as_slice).concat()).value();
    assert_eq!(point([&double, &double, &int]), Some(Number::Int(7)));
    assert_eq!(point([&int, &int, &double]), Some(Number::Double(1.5)));
    // In an exemplar the double has another number than in a point.
    let exemplar = [&[0x19][..], &2.5_f64.to_le_bytes()].concat();
    assert_eq!(view::Exemplar::new(&exemplar).value(), Some(Number::Double(2.5)));
    assert_eq!(view::Exemplar::new(&[exemplar, int].concat()).value(), Some(Number::Int(7)));
}

/// Profiles refer to a table of strings, in keys and in values, and bring it along.
#[test]
fn places_in_the_table_of_strings() {
    let pair = KeyValue {
        key_strindex: 3,
        value: Some(AnyValue { value: Some(any_value::Value::StringValueStrindex(-4)) }),
        ..KeyValue::default()
    };
    let bytes = pair.encode_to_vec();
    let attribute = view::KeyValue::new(&bytes);
    assert_eq!((attribute.key().as_str(), attribute.key_strindex()), ("", 3));
    assert!(matches!(attribute.value(), Value::StrIndex(-4)));

    let profiles = [0x12, 3, 0x2a, 1, b'a', 0x0a, 0, 0x12, 3, 0x2a, 1, b'b'];
    let profiles = view::Profiles::new(&profiles);
    assert_eq!(profiles.resource_profiles().count(), 1);
    let dictionary = profiles.dictionary().expect("two pieces of it");
    assert_eq!(dictionary.pieces().collect::<Vec<_>>(), [[0x2a, 1, b'a'], [0x2a, 1, b'b']]);
    assert_eq!((dictionary.as_slice(), dictionary.len(), dictionary.is_empty()), (None, 6, false));
}

/// Trap: the value of an attribute is written before its key, the key twice, and neither is found by the short way.
#[test]
fn an_attribute_the_other_way_around() {
    let bytes = [0x12, 2, 0x10, 1, 0x0a, 1, b'x', 0x0a, 3, b'k', b'e', b'y'];
    let attribute = view::KeyValue::new(&bytes);
    assert_eq!((attribute.key().as_str(), attribute.value().as_bool()), ("key", Some(true)));
}

/// Trap: text that is not UTF-8 is empty, and text that is stays.
#[test]
fn broken_text_is_empty() {
    for (text, expected) in [(&b"good"[..], "good"), (b"b\xffd", ""), (b"\xc3\xa4", "\u{e4}")] {
        for (key, expected_key) in [(&b"key"[..], "key"), (b"\xff", ""), (b"", "")] {
            let value = [&[0x0a, text.len() as u8][..], text].concat();
            let pair = [&[0x0a, key.len() as u8][..], key, &[0x12, value.len() as u8], &value].concat();
            let span = [&[0x4a, pair.len() as u8][..], &pair].concat().repeat(3);
            let attributes: Vec<_> = view::Span::new(&span).attributes().iter().collect();
            assert_eq!(attributes.len(), 3);
            for attribute in attributes {
                assert_eq!(attribute.key().as_str(), expected_key);
                assert_eq!(attribute.value().as_str(), Some(expected));
                assert!(matches!(attribute.value(), Value::Str(same) if same.as_bytes() == text));
            }
        }
    }
}

/// Trap: values nested far deeper than anything valid. Looking at the outermost level goes no deeper.
#[test]
fn nesting_costs_no_stack() {
    let mut value = vec![0x10, 1];
    while value.len() < 20_000 {
        for field in [0x0a, 0x2a] {
            let mut around = vec![field];
            let mut len = value.len();
            while len >= 0x80 {
                around.push(len as u8 | 0x80);
                len >>= 7;
            }
            around.push(len as u8);
            around.extend_from_slice(&value);
            value = around;
        }
    }
    let view = Value::new(&value[..]);
    assert!(matches!(view, Value::Array(_)));
    assert!(format!("{view:?}").len() < 100);
    let mut depth = 0;
    let mut next = Some(view);
    while let Some(Value::Array(array)) = next {
        depth += 1;
        next = array.iter().next();
    }
    assert!(depth > 3_000 && next.is_some_and(|value| value.as_bool() == Some(true)));
}

/// A chunk gives the view of its signal and no other.
#[test]
fn a_chunk_knows_its_signal() {
    let bytes = Bytes::from(ExportLogsServiceRequest::default().encode_to_vec());
    for signal in Signal::ALL {
        let chunk = Chunk::validate(signal, bytes.clone(), &Limits::DEFAULT).expect("empty is valid");
        assert_eq!(chunk.traces().is_some(), signal == Signal::Traces);
        assert_eq!(chunk.metrics().is_some(), signal == Signal::Metrics);
        assert_eq!(chunk.logs().is_some(), signal == Signal::Logs);
    }
}

/// Numbers that are in no enumeration yet are kept.
#[test]
fn unknown_kinds_are_kept() {
    assert_eq!(SpanKind::from_number(2), SpanKind::Server);
    assert_eq!(SpanKind::from_number(77), SpanKind::Unknown(77));
    for number in [-1, 0, 5, 6, i32::MAX] {
        assert_eq!(SpanKind::from_number(number).number(), number);
    }
    let severities =
        [0, 1, 4, 5, 9, 13, 17, 24, 25, -1].map(|number| SeverityNumber::from_number(number).severity());
    let (unknown, warn) = (Severity::Unknown, Severity::Warn);
    assert_eq!(
        severities,
        [
            Severity::Unspecified,
            Severity::Trace,
            Severity::Trace,
            Severity::Debug,
            Severity::Info,
            warn,
            Severity::Error,
            Severity::Fatal,
            unknown,
            unknown
        ]
    );
}
