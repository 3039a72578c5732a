//! OTLP/JSON against opentelemetry-proto's serde and against prost, for generated requests and for broken text.

use crate::generate::Generator;
use crate::odd::odd;
use crate::operations::{config, request, signals};
use crate::oracle::Request;
use aqueduct_wire::json::{from_protobuf, to_protobuf};
use aqueduct_wire::{Signal, scan};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// What opentelemetry-proto reads.
fn their_reading(signal: Signal, text: &str) -> serde_json::Result<Request> {
    match signal {
        Signal::Metrics => serde_json::from_str(text).map(Request::Metrics),
        Signal::Logs => serde_json::from_str(text).map(Request::Logs),
        _ => serde_json::from_str(text).map(Request::Traces),
    }
}

/// What opentelemetry-proto writes.
fn their_writing(request: &Request) -> String {
    let text = match request {
        Request::Traces(request) => serde_json::to_string(request),
        Request::Metrics(request) => serde_json::to_string(request),
        Request::Logs(request) => serde_json::to_string(request),
    };
    text.expect("no request has a key that is no string")
}

/// Adds what opentelemetry-proto misses where it is not there: a few of its structs have no defaults. `name` is the
/// key that the value has.
fn complete(value: &mut Value, name: &str) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|element| complete(element, name)),
        Value::Object(object) => {
            let missed: &[(&str, Value)] = match name {
                "attributes" | "filteredAttributes" | "metadata" => &[("key", json!(""))],
                "arrayValue" | "kvlistValue" => &[("values", json!([]))],
                "entityRefs" => &[
                    ("schemaUrl", json!("")),
                    ("type", json!("")),
                    ("idKeys", json!([])),
                    ("descriptionKeys", json!([])),
                ],
                "positive" | "negative" => &[("offset", json!(0)), ("bucketCounts", json!([]))],
                "quantileValues" => &[("quantile", json!(0.0)), ("value", json!(0.0))],
                "events" => {
                    &[("timeUnixNano", json!("0")), ("name", json!("")), ("droppedAttributesCount", json!(0))]
                }
                "links" => &[
                    ("traceId", json!("")),
                    ("spanId", json!("")),
                    ("traceState", json!("")),
                    ("droppedAttributesCount", json!(0)),
                    ("flags", json!(0)),
                ],
                _ => &[],
            };
            for (key, default) in missed {
                object.entry(*key).or_insert_with(|| default.clone());
            }
            for (key, inner) in object {
                complete(inner, if name == "kvlistValue" { "attributes" } else { key });
            }
        }
        _ => {}
    }
}

/// Breaks a text in a few places, some of them so that it is JSON still.
fn break_text(text: &mut Vec<u8>, generator: &mut Generator) {
    const PIECES: [&[u8]; 16] = [
        b"{", b"}", b"[", b"]", b",", b":", b"\"", b"\\", b"\\ud800", b"null", b"-1", b"1e400", b"\"NaN\"",
        b"true", b" \n", b"\xff",
    ];
    for _ in 0..=generator.below(2) {
        let at = generator.below(text.len() as u64 + 1) as usize;
        match generator.below(6) {
            0 => text.truncate(at),
            1 if at < text.len() => text[at] ^= 1 << generator.below(8),
            2 if at < text.len() => drop(text.remove(at)),
            3 if at < text.len() => text[at] = b'0' + generator.below(10) as u8,
            4 => {
                let piece = PIECES[generator.below(PIECES.len() as u64) as usize];
                text.splice(at..at, piece.iter().copied());
            }
            _ => {
                let end = text.len().min(at + generator.below(40) as usize);
                text.drain(at..end);
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    /// Guards the lengths in front of messages, whatever was expected of them: what comes from JSON is as long as what
    /// prost writes, which is in the shortest way.
    #[test]
    fn nothing_is_longer_than_it_need_be(signal in signals(), seed: u64, items in 0..300_usize) {
        for bytes in [Request::generate(signal, seed).encode(), request(signal, seed, items).bytes().to_vec()] {
            let text = from_protobuf(signal, &bytes).unwrap();
            let back = to_protobuf(signal, text.as_bytes()).unwrap();
            let plain = Request::decode(signal, &bytes).unwrap();
            prop_assert!(Request::decode(signal, &back).unwrap() == plain);
            prop_assert_eq!(back.len(), plain.encode().len());
        }
    }

    /// Guards both directions against opentelemetry-proto: it reads what we write, and we read what it writes.
    #[test]
    fn opentelemetry_proto_agrees(signal in signals(), seed: u64) {
        let text = from_protobuf(signal, &Request::generate(signal, seed).encode()).unwrap();
        // What has no number in JSON it writes as null, in all but a few fields.
        let text = text.replace("\"Infinity\"", "1.5e300").replace("\"-Infinity\"", "-0.1");
        let mut value = serde_json::from_str(&text).unwrap();
        complete(&mut value, "");
        let text = value.to_string();
        let ours = Request::decode(signal, &to_protobuf(signal, text.as_bytes()).unwrap()).unwrap();
        let theirs = their_reading(signal, &text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(ours == theirs, "{text}");
        let text = their_writing(&theirs);
        let back = Request::decode(signal, &to_protobuf(signal, text.as_bytes()).unwrap()).unwrap();
        prop_assert!(back == theirs, "{text}");
    }

    /// Guards the writer's two ways: a request as no encoder writes it has the JSON of the plain one.
    #[test]
    fn order_does_not_matter(signal in signals(), seed: u64, items in 0..10_usize) {
        let plain = request(signal, seed, items);
        let odd = odd(signal, plain.bytes(), seed);
        prop_assert_eq!(from_protobuf(signal, &odd).unwrap(), from_protobuf(signal, plain.bytes()).unwrap());
    }

    /// Guards against text of any kind: it is an error with a place, or a request that can be read.
    #[test]
    fn broken_text(signal in signals(), seed: u64) {
        let text = from_protobuf(signal, &Request::generate(signal, seed).encode()).unwrap();
        let mut generator = Generator(seed);
        for _ in 0..8 {
            let mut broken = text.clone().into_bytes();
            break_text(&mut broken, &mut generator);
            match to_protobuf(signal, &broken) {
                Ok(bytes) => {
                    prop_assert!(scan(signal, &bytes).is_ok());
                    prop_assert!(Request::decode(signal, &bytes).is_ok());
                    // In what is ignored an escape may stand for half a character.
                    let theirs = serde_json::from_slice::<IgnoredAny>(&broken);
                    prop_assert!(theirs.is_ok(), "{theirs:?}: {}", String::from_utf8_lossy(&broken));
                }
                Err(error) => {
                    let (line, column) = (error.line().unwrap(), error.column().unwrap());
                    let lines: Vec<&[u8]> = broken.split(|byte| *byte == b'\n').collect();
                    prop_assert!((1..=lines.len()).contains(&line), "{error}");
                    prop_assert!(column <= lines[line - 1].len() + 1, "{error}");
                }
            }
        }
    }
}

/// Guards the place of what is no text, in a value, in a key and in what is ignored, and the other trap: a byte that
/// is missing at the end.
#[test]
fn text_that_is_not_utf8() {
    for (text, line, column) in [
        (&b"{\"resourceLogs\":[{\"schemaUrl\":\"\xff\"}]}"[..], 1, 32),
        (b"{\n \"\xc3(\":1}", 2, 3),
        (b"{\"new\":\n\n[\"\xe8\xaa\x9e\xed\xa0\x80\"]}", 3, 6),
        (b"\x80", 1, 1),
        (b"{}\n\xe8\xaa", 2, 1),
    ] {
        let error = to_protobuf(Signal::Logs, text).unwrap_err();
        assert_eq!((error.line(), error.column()), (Some(line), Some(column)), "{error}");
        assert_eq!(error.to_string(), format!("invalid UTF-8 at line {line} column {column}"));
    }
    let text = "{\"resourceLogs\":[{\"schemaUrl\":\"\\u8a9e語\u{1f600}\\ud83d\\ude00\"}]}";
    let bytes = to_protobuf(Signal::Logs, text.as_bytes()).unwrap();
    assert!(bytes.ends_with("語語\u{1f600}\u{1f600}".as_bytes()));
    assert!(to_protobuf(Signal::Logs, b"{\"resourceLogs\":[{\"schemaUrl\":\"\\ud83d\"}]}").is_err());
}

/// Guards the room for lengths where one message is much longer, or shorter, than the one before: around each number
/// of bytes that a length can have.
#[test]
fn lengths_that_were_not_expected() {
    let mut state = Generator(7);
    let sizes = [0, 5, 90, 130, 250, 16_200, 16_300, 16_400, 33_000, 2_100_000];
    for _ in 0..30 {
        let names: Vec<String> = (0..4)
            .map(|_| "n".repeat(sizes[state.below(10) as usize] + 1 + state.below(60) as usize))
            .collect();
        let spans: Vec<String> = names
            .iter()
            .map(|name| {
                format!(
                    r#"{{"name":"{name}","attributes":[{{"key":"k","value":{{"stringValue":"{name}"}}}},{{"key":"k"}}]}}"#
                )
            })
            .collect();
        let record = format!(r#"{{"scopeSpans":[{{"spans":[{}]}},{{}}]}}"#, spans.join(","));
        let text = format!(r#"{{"resourceSpans":[{{}},{record},{{}},{record}]}}"#);
        let bytes = to_protobuf(Signal::Traces, text.as_bytes()).unwrap();
        let read = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        let spans = &read.resource_spans[3].scope_spans[0].spans;
        assert!(spans.iter().map(|span| &span.name).eq(&names));
        assert!(read.encode_to_vec() == bytes);
    }
}

/// Guards the search for keys, which goes on where the last one was found: any order is read, and of a key that is
/// there twice both values reach the protobuf, where the last one counts.
#[test]
fn keys_in_any_order() {
    let ascending = r#""name":"n","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2","flags":3"#;
    let descending = r#""flags":3,"endTimeUnixNano":"2","startTimeUnixNano":"1","kind":2,"name":"n""#;
    let twice =
        r#""name":"m","flags":9,"kind":2,"name":"n","endTimeUnixNano":2,"startTimeUnixNano":1,"flags":3"#;
    let close =
        r#""names":"m","nama":"m","startTimeUnixNanos":7,"StartTimeUnixNano":7,"startTimeUnixnano":7,"":7"#;
    let read = |fields: &str| {
        let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
        let bytes = to_protobuf(Signal::Traces, text.as_bytes()).unwrap();
        ExportTraceServiceRequest::decode(bytes).unwrap()
    };
    let expected = read(ascending);
    assert_eq!(expected.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano, 1);
    for other in [descending, twice, &format!("{close},{ascending},{close}")] {
        assert_eq!(read(other), expected, "{other}");
    }
}

/// Guards the fast way to read integers: what has digits only, of any number, and what has not.
#[test]
fn integers_as_text() {
    let read = |text: &str| {
        let text = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"{text}"}}]}}]}}]}}"#
        );
        let bytes = to_protobuf(Signal::Logs, text.as_bytes()).ok()?;
        let Request::Logs(mut read) = Request::decode(Signal::Logs, &bytes).unwrap() else { return None };
        Some(read.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0).time_unix_nano)
    };
    for digits in 1..30 {
        for text in
            ["1234567890".repeat(3)[..digits].to_owned(), "9".repeat(digits), "0".repeat(digits) + "7"]
        {
            assert_eq!(read(&text), text.parse().ok(), "{text}");
            for at in 0..digits {
                for wrong in ['/', ':', ' ', 'a', '\u{7f}', 'é', '+', '-'] {
                    let mut text = text.clone();
                    text.replace_range(at..=at, &wrong.to_string());
                    assert_eq!(read(&text), text.parse().ok(), "{text}");
                }
            }
        }
    }
}
