//! Limits: each one holds at its own value, and what exceeds it says which limit, where, and what was found.

use crate::operations::field;
use aqueduct_wire::stream::Records;
use aqueduct_wire::{Exceeded, InvalidKind, Limits, Signal, validate};

/// An attribute `k` with a string, in the shape that SDKs write.
const ATTRIBUTE: &[u8] = b"\x0a\x01k\x12\x03\x0a\x01v";

/// A request of one log record with this body.
fn log(record: &[u8]) -> Vec<u8> {
    field(1, &field(2, &field(2, record)))
}

fn refused(bytes: &[u8], limits: &Limits) -> (InvalidKind, Option<Exceeded>, String) {
    let invalid = validate(Signal::Logs, bytes, limits).expect_err("beyond a limit");
    (invalid.kind(), invalid.limit(), invalid.to_string())
}

/// Guards the limit of attributes: of each message by itself, whatever shape they have and whatever stands between them.
#[test]
fn attributes_are_counted_in_each_message() {
    let limits = Limits::default().with_max_attributes(5);
    let usual = field(6, ATTRIBUTE);
    // The value before the key, and the field's key in two bytes: neither is the usual shape.
    let turned = field(6, b"\x12\x03\x0a\x01v\x0a\x01k");
    let long_key = [&[0xb2, 0][..], &usual[1..]].concat();
    let between = b"\x1a\x01x";
    let five = [&usual[..], &turned, between, &usual, &long_key, between, &usual].concat();
    assert!(validate(Signal::Logs, &log(&five), &limits).is_ok());
    for sixth in [&usual, &turned, &long_key] {
        let (kind, limit, text) = refused(&log(&[&five[..], sixth].concat()), &limits);
        assert_eq!(kind, InvalidKind::Attributes);
        let Exceeded { limit, found, .. } = limit.unwrap();
        assert_eq!((limit, found), (5, 6));
        assert!(text.starts_with("too many attributes (6, the limit is 5) at byte "), "{text}");
        assert!(text.ends_with(" in resource_logs.scope_logs.log_records"), "{text}");
    }
    // Ten in all, five in each of two records.
    let two = field(1, &field(2, &[field(2, &five), field(2, &five)].concat()));
    assert!(validate(Signal::Logs, &two, &limits).is_ok());
}

/// Guards the limit in values: a list of pairs is a message of its own, also where the validator goes without recursion.
#[test]
fn lists_of_pairs_in_values_are_held_to_it() {
    let limits = Limits::default().with_max_attributes(5);
    let list = |pairs: usize| field(6, &field(1, ATTRIBUTE).repeat(pairs));
    for depth in 0..20 {
        let wrap = |value: Vec<u8>| (0..depth).fold(value, |value, _| field(5, &field(1, &value)));
        let record = |pairs| log(&field(5, &wrap(list(pairs))));
        assert!(validate(Signal::Logs, &record(5), &limits).is_ok(), "{depth}");
        assert_eq!(refused(&record(6), &limits).0, InvalidKind::Attributes, "{depth}");
    }
}

/// Guards the lengths of a record and of a request, and what their errors say.
#[test]
fn records_and_requests_have_a_length() {
    let record = log(&field(3, &[b'x'; 94]));
    assert_eq!(record.len(), 102);
    let limits = Limits::default().with_max_record_bytes(100);
    assert!(validate(Signal::Logs, &record.repeat(3), &limits).is_ok());
    let limits = limits.with_max_record_bytes(99);
    let (kind, limit, text) = refused(&record, &limits);
    assert_eq!((kind, limit.unwrap().found), (InvalidKind::RecordBytes, 100));
    assert_eq!(text, "record too long (100, the limit is 99) at byte 2 in resource_logs");

    let limits = Limits::default().with_max_bytes(102);
    assert!(validate(Signal::Logs, &record, &limits).is_ok());
    let (kind, limit, text) = refused(&record.repeat(2), &limits);
    assert_eq!((kind, limit.unwrap().found), (InvalidKind::Bytes, 204));
    assert_eq!(text, "request too long (204, the limit is 102) at byte 0");
}

/// Guards the numbers in the errors of the limits that were there first.
#[test]
fn depth_and_items_say_what_was_found() {
    let limits = Limits::default().with_max_items(1).with_max_depth(2);
    let two = log(b"").repeat(2);
    let (kind, limit, _) = refused(&two, &limits);
    assert_eq!((kind, limit.unwrap().limit, limit.unwrap().found), (InvalidKind::Items, 1, 2));
    let deep = log(&field(5, &field(5, &field(1, &field(5, &field(1, b"\x10\x01"))))));
    let (kind, limit, _) = refused(&deep, &limits);
    assert_eq!((kind, limit.unwrap().limit, limit.unwrap().found), (InvalidKind::Depth, 2, 3));
    assert_eq!(validate(Signal::Logs, b"\x07", &limits).unwrap_err().limit(), None);
}

/// Guards the limit of what operations remember: records, scopes and metrics are counted together, and items are not.
#[test]
fn envelopes_are_records_and_scopes() {
    let scope = field(2, &field(2, b""));
    // A record with two scopes, and one with none: four.
    let request = [field(1, &scope.repeat(2)), field(1, b"")].concat();
    for signal in [Signal::Metrics, Signal::Logs] {
        // In each of the two scopes is an item, or a metric.
        let most = if signal == Signal::Metrics { 6 } else { 4 };
        let limits = Limits::default().with_max_envelopes(most);
        assert!(validate(signal, &request, &limits).is_ok());
        let more = [&request[..], &field(1, b"")].concat();
        let invalid = validate(signal, &more, &limits).unwrap_err();
        let at = more.len();
        assert_eq!(invalid.kind(), InvalidKind::Envelopes);
        let Exceeded { limit, found, .. } = invalid.limit().unwrap();
        assert_eq!((limit, found, invalid.offset()), (most, most + 1, at));
        let record = if signal == Signal::Logs { "resource_logs" } else { "resource_metrics" };
        let text =
            format!("too many resources, scopes and metrics ({found}, the limit is {limit}) at byte {at}");
        assert!(invalid.to_string().starts_with(&text), "{invalid} {record}");
        // A scope, or a metric, is the first too many here.
        let invalid = validate(signal, &request, &limits.with_max_envelopes(2)).unwrap_err();
        assert_eq!((invalid.kind(), invalid.limit().unwrap().found), (InvalidKind::Envelopes, 3));
        let scopes = if signal == Signal::Logs { "scope_logs" } else { "scope_metrics" };
        assert_eq!(invalid.path(), format!("{record}.{scopes}"));
    }
    assert_eq!(Limits::default().max_envelopes, 1_000_000);
    let many = b"\x0a\x00".repeat(1_000_001);
    assert!(validate(Signal::Traces, &many[2..], &Limits::default()).is_ok());
    assert_eq!(
        validate(Signal::Traces, &many, &Limits::default()).unwrap_err().kind(),
        InvalidKind::Envelopes
    );
}

/// Guards that a body that comes in pieces is held to the same number, and says the same of it.
#[test]
fn envelopes_of_a_stream_add_up() {
    let record = log(b"");
    let run = |count: usize| {
        let mut records = Records::new(Signal::Logs, Limits::default().with_max_envelopes(6));
        for _ in 0..count {
            records.push(record.clone().into());
            while records.next_chunk()?.is_some() {}
        }
        records.finish()
    };
    assert_eq!(run(3).unwrap().records, 3);
    let invalid = run(4).unwrap_err();
    assert_eq!(invalid.kind(), InvalidKind::Envelopes);
    let Exceeded { limit, found, .. } = invalid.limit().unwrap();
    assert_eq!((limit, found), (6, 7));
    assert!(invalid.offset() >= 3 * record.len());
}

/// Guards what an error says of depth: the limit that was met, not the other one.
#[test]
fn depth_says_which_limit() {
    let found = |request: &[u8], limits: &Limits| {
        let invalid = validate(Signal::Logs, request, limits).unwrap_err();
        assert_eq!(invalid.kind(), InvalidKind::Depth);
        let Exceeded { limit, found, .. } = invalid.limit().unwrap();
        (limit, found)
    };
    let mut value = Vec::new();
    for _ in 0..60 {
        // An array of one value.
        value = field(5, &field(1, &value));
    }
    let request = log(&field(5, &value));
    assert_eq!(found(&request, &Limits::default().with_max_depth(7)), (7, 8));
    assert_eq!(found(&request, &Limits::default()), (100, 101));
    // Groups of an unknown field, one in another: no values at all.
    let groups = [[0xa3, 0x06].repeat(120), [0xa4, 0x06].repeat(120)].concat();
    assert_eq!(found(&log(&groups), &Limits::default().with_max_depth(1)), (100, 101));
}
