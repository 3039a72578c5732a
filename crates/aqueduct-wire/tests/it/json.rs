//! OTLP/JSON: the deviations of the specification one by one, and opentelemetry-proto's serde as the oracle
//! for the rest.

use crate::generate::Generator;
use crate::operations::field;
use crate::oracle::Request;
use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::json::{
    JsonError, from_protobuf, response_from_json, response_to_json, status_from_json, status_to_json,
    to_protobuf,
};
use aqueduct_wire::rpc::{Code, ExportResponse, Status};
use aqueduct_wire::{InvalidKind, Limits, Signal, validate};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::time::Duration;

/// The first span of a request of one, given as the fields of the span.
fn span(fields: &str) -> Result<Span, JsonError> {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
    let bytes = to_protobuf(Signal::Traces, json.as_bytes())?;
    let mut request = ExportTraceServiceRequest::decode(bytes).expect("what we write is protobuf");
    Ok(request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0))
}

/// Everything that protobuf holds survives the way through JSON.
#[test]
fn round_trip() {
    for signal in Signal::ALL {
        for seed in 0..60 {
            let request = Request::generate(signal, seed);
            let json = from_protobuf(signal, &request.encode()).unwrap();
            let back = to_protobuf(signal, json.as_bytes()).unwrap();
            assert!(Request::decode(signal, &back).unwrap() == request, "{signal} {seed}");
            assert_eq!(validate(signal, &back, &Limits::DEFAULT), Ok(request.summary()));
        }
    }
}

/// What opentelemetry-proto writes, we read.
#[test]
fn the_json_of_opentelemetry_proto_is_read() {
    let mut seen = 0;
    for seed in 0..60 {
        let request = Generator(seed).traces();
        let theirs = serde_json::to_string(&request).unwrap();
        // It writes infinite doubles in attributes as null, which is a loss of its own.
        if theirs.contains("\"doubleValue\":null") {
            continue;
        }
        seen += 1;
        let bytes = to_protobuf(Signal::Traces, theirs.as_bytes()).unwrap();
        assert!(ExportTraceServiceRequest::decode(bytes).unwrap() == request, "{seed}");
    }
    assert!(seen > 10);
}

/// What we write, opentelemetry-proto reads.
#[test]
fn opentelemetry_proto_reads_our_json() {
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174",
        "name":"x","kind":2,"startTimeUnixNano":"1544712660000000000","attributes":[{"key":"n","value":{"intValue":"7"}}]}]}]}]}"#;
    let bytes = to_protobuf(Signal::Traces, json.as_bytes()).unwrap();
    let ours = from_protobuf(Signal::Traces, &bytes).unwrap();
    let read: ExportTraceServiceRequest = serde_json::from_str(&ours).unwrap();
    assert_eq!(read, ExportTraceServiceRequest::decode(bytes).unwrap());
    assert!(ours.contains(r#""traceId":"5b8efff798038103d269b633813fc60c""#), "{ours}");
    assert!(
        ours.contains(r#""kind":2"#) && ours.contains(r#""startTimeUnixNano":"1544712660000000000""#),
        "{ours}"
    );
}

/// Deviation 1: ids are hexadecimal, in either case, and of their length.
#[test]
fn ids_are_hexadecimal() {
    let upper =
        span(r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"""#)
            .unwrap();
    let lower = span(r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#).unwrap();
    assert_eq!((&upper.trace_id, &upper.span_id), (&lower.trace_id, &lower.span_id));
    assert_eq!(upper.span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
    for wrong in [
        r#""spanId":"W47/94gDgQM=""#,
        r#""spanId":"eee1""#,
        r#""spanId":"""#,
        r#""spanId":"gggggggggggggggg""#,
    ] {
        assert!(span(wrong).is_err(), "{wrong}");
    }
    assert!(span(r#""parentSpanId":"ee""#).is_err());
}

/// Deviation 2: enumerations are integers; names are not taken.
#[test]
fn enumerations_are_integers() {
    assert_eq!(span(r#""kind":3"#).unwrap().kind, 3);
    assert!(span(r#""kind":"SPAN_KIND_CLIENT""#).is_err());
}

/// Deviation 3: keys are lowerCamelCase; the names of the `.proto` file are unknown keys.
#[test]
fn keys_are_camel_case() {
    let both = span(r#""start_time_unix_nano":"1","startTimeUnixNano":"2""#).unwrap();
    assert_eq!(both.start_time_unix_nano, 2);
    assert_eq!(span(r#""start_time_unix_nano":"1""#).unwrap().start_time_unix_nano, 0);
}

/// Deviation 4: unknown keys are ignored, whatever they hold, at every level.
#[test]
fn unknown_keys_are_ignored() {
    let read = span(
        r#""new":{"a":[1,{"b":null}]},"name":"x","attributes":[{"key":"k","other":1,"value":{"what":2,"boolValue":true}}]"#,
    );
    let read = read.unwrap();
    assert_eq!(read.name, "x");
    assert_eq!(read.attributes[0].value.as_ref().unwrap().value, Some(Value::BoolValue(true)));
}

/// 64-bit integers in both forms, and the limits of each type.
#[test]
fn integers() {
    for text in ["18446744073709551615", "\"18446744073709551615\""] {
        assert_eq!(span(&format!(r#""endTimeUnixNano":{text}"#)).unwrap().end_time_unix_nano, u64::MAX);
    }
    assert_eq!(span(r#""endTimeUnixNano":1e3"#).unwrap().end_time_unix_nano, 1000);
    let value = |text: &str| {
        let read = span(&format!(r#""attributes":[{{"key":"k","value":{{"intValue":{text}}}}}]"#))?;
        Ok::<_, JsonError>(read.attributes[0].value.clone().unwrap().value)
    };
    assert_eq!(value("\"-9223372036854775808\"").unwrap(), Some(Value::IntValue(i64::MIN)));
    assert_eq!(value("-1").unwrap(), Some(Value::IntValue(-1)));
    assert_eq!(value("null").unwrap(), None);
    for wrong in ["\"9223372036854775808\"", "1.5", "true", "\"\"", "\"1x\"", "{}", "[1]"] {
        assert!(value(wrong).is_err(), "{wrong}");
    }
    assert!(span(r#""endTimeUnixNano":-1"#).is_err());
    assert!(span(r#""flags":4294967296"#).is_err());
    assert_eq!(span(r#""flags":257"#).unwrap().flags, 257);
}

/// Doubles that JSON has no number for, and bytes in each way of writing base64.
#[test]
fn doubles_and_bytes() {
    let value = |text: &str| {
        let read = span(&format!(r#""attributes":[{{"key":"k","value":{{{text}}}}}]"#))?;
        Ok::<_, JsonError>(read.attributes[0].value.clone().unwrap().value.unwrap())
    };
    assert_eq!(value(r#""doubleValue":"-Infinity""#).unwrap(), Value::DoubleValue(f64::NEG_INFINITY));
    assert_eq!(value(r#""doubleValue":3"#).unwrap(), Value::DoubleValue(3.0));
    assert_eq!(value(r#""doubleValue":"2.5""#).unwrap(), Value::DoubleValue(2.5));
    assert!(
        matches!(value(r#""doubleValue":"NaN""#).unwrap(), Value::DoubleValue(number) if number.is_nan())
    );
    assert!(value(r#""doubleValue":"inf""#).is_err());
    for text in ["+/8=", "+/8", "-_8="] {
        assert_eq!(value(&format!(r#""bytesValue":"{text}""#)).unwrap(), Value::BytesValue(vec![0xfb, 0xff]));
    }
    assert!(value(r#""bytesValue":"?""#).is_err());
}

/// An error names its line and column.
#[test]
fn errors_have_a_place() {
    let error =
        to_protobuf(Signal::Logs, b"{\n  \"resourceLogs\": [\n    {\"schemaUrl\": 5}\n  ]\n}").unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(3), Some(19)));
    assert_eq!(error.to_string(), "invalid type: integer `5`, expected a string at line 3 column 19");
    for wrong in [
        "",
        "[]",
        "null",
        "5",
        "{",
        "{}x",
        "{\"resourceLogs\":{}}",
        "{\"resourceLogs\":[null]}",
        "{\"resourceLogs\":[[]]}",
    ] {
        assert!(to_protobuf(Signal::Logs, wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(to_protobuf(Signal::Logs, b"{\"resourceLogs\":[{\"schemaUrl\":\"\xff\"}]}").is_err());
    assert!(to_protobuf(Signal::Logs, b"{}").unwrap().is_empty());
    let invalid = from_protobuf(Signal::Logs, &[0x0a, 9]).unwrap_err();
    assert!(matches!(&invalid, JsonError::Protobuf(_)), "{invalid}");
}

/// Depth is bounded, for known and unknown keys, without a stack in the measure of the text.
#[test]
fn nesting_is_bounded() {
    let work = || {
        let known = |depth: usize| {
            let open = r#"{"arrayValue":{"values":["#.repeat(depth);
            let close = "]}}".repeat(depth);
            format!(r#""attributes":[{{"key":"k","value":{open}{close}}}]"#)
        };
        assert!(span(&known(10)).is_ok());
        for depth in [100, 10_000, 300_000] {
            assert!(span(&known(depth)).is_err());
            let unknown = format!(r#""new":{}{}"#, "[".repeat(depth), "]".repeat(depth));
            // Whether what is ignored may be deep is the tokenizer's affair; the stack is ours.
            let _ = span(&unknown);
        }
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(work).unwrap().join().unwrap();
}

/// The answers of a server, with the names of each signal.
#[test]
fn responses() {
    let partial = ExportResponse { rejected: 3, message: "a \"b\"\n\u{1}é".to_owned() };
    assert_eq!(response_to_json(Signal::Traces, &ExportResponse::FULL), "{}");
    for (signal, key) in
        Signal::ALL.into_iter().zip(["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"])
    {
        let json = response_to_json(signal, &partial);
        assert!(json.contains(&format!("\"{key}\":\"3\"")), "{json}");
        assert_eq!(response_from_json(json.as_bytes()).unwrap(), partial);
    }
    let number = br#"{"partialSuccess":{"rejectedSpans":4},"new":1}"#;
    assert_eq!(response_from_json(number).unwrap().rejected, 4);
    let warning = ExportResponse { rejected: 0, message: "careful".to_owned() };
    assert_eq!(response_from_json(response_to_json(Signal::Logs, &warning).as_bytes()).unwrap(), warning);
    assert!(response_from_json(b"[]").is_err() && response_from_json(b"{\"partialSuccess\":1}").is_err());
    assert!(response_from_json(b"{\"partialSuccess\":null}").unwrap().is_full());
    assert!(response_from_json(br#"{"partialSuccess":{"rejectedSpans":null}}"#).unwrap().is_full());
    assert_eq!(response_from_json(br#"{"partialSuccess":{"rejectedSpans":1e1}}"#).unwrap().rejected, 10);
    let wrong = response_from_json(b"{\n \"partialSuccess\":{\"rejectedSpans\":\"x\"}}").unwrap_err();
    assert_eq!((wrong.line(), wrong.column()), (Some(2), Some(38)));
}

/// Statuses, with and without a delay.
#[test]
fn statuses() {
    let status = Status::new(Code::InvalidArgument, "no \\ good");
    assert_eq!(status_to_json(&status), r#"{"code":3,"message":"no \\ good"}"#);
    for delay in [Duration::ZERO, Duration::from_secs(3), Duration::from_millis(1500), Duration::new(1, 1)] {
        let status = Status::new(Code::Unavailable, "").with_retry_delay(delay);
        assert_eq!(status_from_json(status_to_json(&status).as_bytes()).unwrap(), status);
    }
    let delayed = Status::new(Code::Unavailable, "").with_retry_delay(Duration::from_millis(1500));
    assert!(status_to_json(&delayed).contains(r#""retryDelay":"1.500s""#), "{}", status_to_json(&delayed));
    let other = br#"{"code":99,"details":[{"@type":"type.googleapis.com/google.rpc.Help"},7]}"#;
    assert_eq!(status_from_json(other).unwrap(), Status::new(Code::Unknown, ""));
    assert!(status_from_json(br#"{"code":"x"}"#).is_err());
    assert!(status_from_json(br#"{"details":7}"#).is_err());
    assert_eq!(
        status_from_json(br#"{"code":3,"details":[[{}],"a",null,true,-1,0.5]}"#).unwrap().code,
        Code::InvalidArgument
    );
}

/// The trap of a hostile server: an answer whose unknown parts are large is not kept.
#[test]
fn answers_are_not_kept() {
    for element in ["{\"\":0},", "[0],", "0,"] {
        let text = format!("{{\"x\":[{}0]}}", element.repeat(100_000));
        for read in
            [|text: &[u8]| response_from_json(text).is_ok(), |text: &[u8]| status_from_json(text).is_ok()]
        {
            let (read, made) = CountingAllocator::count(|| read(text.as_bytes()));
            assert!(read && made.bytes < 1000, "{made:?}");
        }
    }
}

/// The trap of messages in two pieces, each in another such: every level would be put together in memory of its own.
#[test]
fn scattered_messages_are_not_put_together_without_bound() {
    let request = |levels: usize| {
        let mut value = field(1, &[b'a'; 50_000]);
        for _ in 0..levels {
            // A list of one key, with the value in two pieces.
            value = field(6, &field(1, &[field(2, &value), field(2, b"")].concat()));
        }
        field(1, &field(2, &field(2, &field(5, &value))))
    };
    assert!(from_protobuf(Signal::Logs, &request(3)).is_ok());
    let deep = request(30);
    assert!(validate(Signal::Logs, &deep, &Limits::DEFAULT).is_ok());
    let (text, made) = CountingAllocator::count(|| from_protobuf(Signal::Logs, &deep));
    let JsonError::Protobuf(error) = text.unwrap_err() else { panic!("it is the request that is wrong") };
    assert_eq!(error.kind(), InvalidKind::Depth);
    assert!(made.bytes < 8 * deep.len() as u64, "{made:?}");
}

/// Integers that would come out as others are refused, and those that are only written oddly are read.
#[test]
fn integers_keep_their_digits() {
    let read = |number: &str| {
        let text = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{"intValue":{number}}}}}]}}]}}]}}"#
        );
        let bytes = to_protobuf(Signal::Logs, text.as_bytes()).ok()?;
        let text = from_protobuf(Signal::Logs, &bytes).unwrap();
        Some(text.split('"').rev().nth(1).unwrap().to_owned())
    };
    for (number, expected) in [
        ("-9223372036854775809", None),
        ("9223372036854775808", None),
        ("-9223372036854775808", Some("-9223372036854775808")),
        ("1544712660000000001.0", None),
        ("1234567890123456789e0", None),
        ("9007199254740992.0", Some("9007199254740992")),
        ("1e5", Some("100000")),
        ("\"1e5\"", Some("100000")),
        ("\"-25.0\"", Some("-25")),
        ("\"0.5\"", None),
        ("\"\"", None),
        ("\" 1\"", None),
    ] {
        assert_eq!(read(number).as_deref(), expected, "{number}");
    }
}

/// What somebody put into a field of another type is not repeated in the error, which ends up in logs.
#[test]
fn errors_do_not_repeat_data() {
    for field in ["intValue", "boolValue", "bytesValue", "doubleValue", "arrayValue"] {
        let text = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{"{field}":"4111 1111"}}}}]}}]}}]}}"#
        );
        let error = to_protobuf(Signal::Logs, text.as_bytes()).unwrap_err();
        assert!(!error.to_string().contains("4111"), "{error}");
    }
    let error = to_protobuf(Signal::Logs, b"\"4111 1111\"").unwrap_err();
    assert!(!error.to_string().contains("4111"), "{error}");
}
