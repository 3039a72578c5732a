//! Editing attributes, against prost.

use crate::odd::{flat, odd};
use crate::odd_items::{message_of, odd_items, unknown_fields};
use crate::operations::{config, mutants, request, signals};
use crate::oracle::{Of, Request};
use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::edit::Edit;
use aqueduct_wire::encode::ValueRef;
use aqueduct_wire::{Chunk, Limits, Signal};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use proptest::prelude::*;

/// A change: what to do, which of a few keys, and with which value.
type Change = (u8, usize, u8);

/// With the action `hash`, if there is one.
const ACTIONS: u8 = if cfg!(feature = "hash") { 5 } else { 4 };

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0..ACTIONS, 0..4_usize, 0..7_u8), 0..6)
}

const OF: [Of; 6] = [Of::Resources, Of::Scopes, Of::Items, Of::Events, Of::Links, Of::Exemplars];

fn of() -> impl Strategy<Value = Of> {
    prop::sample::select(&OF[..])
}

fn start(of: Of) -> Edit {
    match of {
        Of::Resources => Edit::resources(),
        Of::Scopes => Edit::scopes(),
        Of::Items => Edit::items(),
        Of::Events => Edit::events(),
        Of::Links => Edit::links(),
        Of::Exemplars => Edit::exemplars(),
    }
}

/// What is given to the edit, and what prost has to find.
fn value(n: u8) -> (ValueRef<'static>, Option<any_value::Value>) {
    const LONG: &str = match core::str::from_utf8(&[b'x'; 200]) {
        Ok(text) => text,
        Err(_) => "",
    };
    match n {
        0 => (ValueRef::from("wört"), Some(any_value::Value::StringValue("wört".to_owned()))),
        1 => (ValueRef::from(true), Some(any_value::Value::BoolValue(true))),
        2 => (ValueRef::from(-5_i64), Some(any_value::Value::IntValue(-5))),
        3 => (ValueRef::from(0.25), Some(any_value::Value::DoubleValue(0.25))),
        4 => (ValueRef::Empty, None),
        5 => {
            let values = [80, 443].map(|port| AnyValue { value: Some(any_value::Value::IntValue(port)) });
            let array = any_value::Value::ArrayValue(ArrayValue { values: values.to_vec() });
            (ValueRef::Ints(&[80, 443]), Some(array))
        }
        _ => (ValueRef::from(LONG), Some(any_value::Value::StringValue(LONG.to_owned()))),
    }
}

/// Keys that occur in the request, and some that do not.
fn keys(request: &Request, of: Of) -> Vec<String> {
    let found = std::cell::RefCell::new(Vec::new());
    request.clone().edit(of, |attributes| {
        found.borrow_mut().extend(attributes.iter().map(|attribute| attribute.key.clone()));
    });
    let mut keys = found.into_inner();
    keys.truncate(2);
    keys.extend(["service.name".to_owned(), "new".to_owned(), String::new(), "ключ".to_owned()]);
    keys.truncate(4);
    keys
}

fn edit(of: Of, changes: &[Change], keys: &[String]) -> Edit {
    changes.iter().fold(start(of), |edit, &(action, key, new)| match action {
        0 => edit.with_insert(&keys[key], value(new).0),
        1 => edit.with_update(&keys[key], value(new).0),
        2 => edit.with_upsert(&keys[key], value(new).0),
        3 => edit.with_delete(&keys[key]),
        #[cfg(feature = "hash")]
        4 => edit.with_hash(&keys[key]),
        _ => unreachable!("no such action"),
    })
}

/// The same on structs.
fn expect(attributes: &mut Vec<KeyValue>, changes: &[Change], keys: &[String]) {
    for &(action, key, new) in changes {
        let key = &keys[key];
        let first = attributes.iter().position(|attribute| attribute.key == *key);
        let value = match action {
            4 => first.and_then(|first| hashed(attributes[first].value.as_ref())),
            _ => value(new).1,
        };
        let new = KeyValue { key: key.clone(), value: Some(AnyValue { value }), key_strindex: 0 };
        match (action, first) {
            (0 | 2, None) => attributes.push(new),
            (1 | 2 | 4, Some(first)) => {
                let mut at = 0;
                attributes.retain(|attribute| {
                    at += 1;
                    at - 1 <= first || attribute.key != *key
                });
                attributes[first] = new;
            }
            (3, _) => attributes.retain(|attribute| attribute.key != *key),
            _ => {}
        }
    }
}

/// What the OpenTelemetry Collector's attributes processor makes of a value with the action `hash`.
#[cfg(feature = "hash")]
fn hashed(value: Option<&AnyValue>) -> Option<any_value::Value> {
    use any_value::Value;
    use sha2::{Digest, Sha256};
    let bytes = match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.as_bytes().to_vec(),
        Some(Value::BoolValue(truth)) => vec![u8::from(*truth)],
        Some(Value::IntValue(number)) => number.to_le_bytes().to_vec(),
        Some(Value::DoubleValue(number)) => number.to_le_bytes().to_vec(),
        _ => return Some(Value::StringValue(String::new())),
    };
    Some(Value::StringValue(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()))
}

#[cfg(not(feature = "hash"))]
fn hashed(_: Option<&AnyValue>) -> Option<any_value::Value> {
    None
}

fn valid(signal: Signal, request: Vec<u8>) -> Chunk {
    Chunk::validate(signal, request.into(), &Limits::DEFAULT).expect("a valid request")
}

proptest! {
    #![proptest_config(config())]

    /// The same changes on prost's structs give the same request, however it is encoded: attributes twice,
    /// resources in pieces or absent.
    #[test]
    fn as_in_structs(signal in signals(), seed: u64, items in 0..20_usize, changes in changes(), of in of()) {
        let plain = request(signal, seed, items);
        let around = valid(signal, odd(signal, plain.bytes(), seed));
        let inside = valid(signal, odd_items(signal, around.bytes(), seed));
        for chunk in [plain, around, inside] {
            let mut expected = Request::decode(signal, chunk.bytes()).unwrap();
            let keys = keys(&expected, of);
            expected.edit(of, |attributes| expect(attributes, &changes, &keys));
            let edited = edit(of, &changes, &keys).apply(&chunk).unwrap();
            let bytes = edited.to_bytes();
            prop_assert_eq!(&Request::decode(signal, &bytes).unwrap(), &expected);
            prop_assert_eq!((edited.items(), edited.len()), (chunk.items(), bytes.len()));
            let again = Chunk::validate(signal, bytes, &Limits::DEFAULT).unwrap();
            prop_assert_eq!(again.items(), chunk.items());
        }
    }

    /// Unknown fields survive in every message, edited or not, and what it already says is not written again.
    #[test]
    fn unknown_fields_survive(signal in signals(), seed: u64, items in 0..20_usize, of in of()) {
        let plain = request(signal, seed, items);
        let chunk = valid(signal, odd_items(signal, plain.bytes(), seed));
        let added = start(of).with_upsert("added.here", 7).apply(&chunk).unwrap();
        let added = valid(signal, added.to_bytes().to_vec());
        let (before, after) = (unknown_fields(signal, chunk.bytes()), unknown_fields(signal, added.bytes()));
        prop_assert_eq!(before, after);
        let again = start(of).with_upsert("added.here", 7).with_delete("not there").apply(&added).unwrap();
        prop_assert_eq!(again.to_bytes().as_ptr_range(), added.bytes().as_ptr_range());
        let nothing = start(of).with_insert("added.here", 7).with_delete("added.here").apply(&chunk).unwrap();
        prop_assert_eq!(nothing.to_bytes().as_ptr_range(), chunk.bytes().as_ptr_range());
    }

    /// What is not edited keeps its bytes: all items, what is around them below the edited, and unknown
    /// fields, also in what is edited.
    #[test]
    fn the_rest_keeps_its_bytes(
        signal in signals(), seed: u64, items in 0..20_usize, of in prop::sample::select(&OF[..3]),
    ) {
        let bytes = odd(signal, request(signal, seed, items).bytes(), seed);
        let chunk = Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap();
        let added = start(of).with_upsert("added.here", 7).apply(&chunk).unwrap();
        let added = Chunk::validate(signal, added.to_bytes(), &Limits::DEFAULT).unwrap();
        let (before, after) = (flat(signal, chunk.bytes()), flat(signal, added.bytes()));
        prop_assert_eq!(before.len(), after.len());
        for ((mut before, item), (mut after, edited)) in before.into_iter().zip(after) {
            let (before_edit, after_edit) = match of {
                Of::Resources => (before.remove(1), after.remove(1)),
                Of::Scopes => (before.remove(2), after.remove(2)),
                _ => (item.clone(), edited.clone()),
            };
            prop_assert_eq!(before, after);
            prop_assert!(of == Of::Items || item == edited);
            // The new attribute, and the fields that were there.
            prop_assert!(after_edit.len() > before_edit.len());
            prop_assert!(of != Of::Items || after_edit.starts_with(&before_edit));
        }
        // What it already says is not written again, and what is taken away again leaves everything else as
        // it was.
        let again = start(of).with_upsert("added.here", 7).with_delete("not there").apply(&added).unwrap();
        prop_assert_eq!(again.to_bytes().as_ptr_range(), added.bytes().as_ptr_range());
        let nothing = start(of).with_insert("added.here", 7).with_delete("added.here").apply(&chunk).unwrap();
        prop_assert_eq!(nothing.to_bytes().as_ptr_range(), chunk.bytes().as_ptr_range());
    }

    /// Bytes wrongly given as valid are refused or passed on, and never cause a panic.
    #[test]
    fn broken_bytes_do_no_harm(signal in signals(), seed: u64, changes in changes(), of in of()) {
        let keys = ["service.name".to_owned(), "new".to_owned(), String::new(), "host".to_owned()];
        let edit = edit(of, &changes, &keys);
        for chunk in mutants(signal, seed) {
            if let Ok(edited) = edit.apply(&chunk) {
                prop_assert_eq!(edited.to_bytes().len(), edited.len());
            }
        }
    }
}

/// The items of a large request are never copied: the cost must not depend on how many there are.
#[test]
fn items_stay_where_they_are() {
    let chunk = request(Signal::Traces, 5, 400);
    let edited = Edit::resources().with_upsert("deployment.environment.name", "test").apply(&chunk).unwrap();
    let shared: usize = edited
        .pieces()
        .iter()
        .filter(|piece| chunk.bytes().as_ptr_range().contains(&piece.as_ptr()))
        .map(|piece| piece.len())
        .sum();
    assert!(shared + 16 * 1024 * 4 > chunk.len(), "{shared} of {}", chunk.len());
}

/// A key that occurs twice, which the protocol forbids and encoders write: after an update it is there once,
/// where it was first.
#[test]
fn a_doubled_key() {
    let attribute = |value: u8| [0x0a, 8, 0x0a, 1, b'k', 0x12, 3, 0x0a, 1, value];
    let resource = [&[0x0a, 20][..], &attribute(b'1'), &attribute(b'2')].concat();
    let request = [&[0x0a, 22][..], &resource].concat();
    let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::DEFAULT).unwrap();
    let apply = |edit: Edit| edit.apply(&chunk).unwrap().to_bytes();
    let once = |value| [&[0x0a, 12, 0x0a, 10][..], &attribute(value)].concat();
    assert_eq!(apply(Edit::resources().with_update("k", "3")), once(b'3'));
    assert_eq!(apply(Edit::resources().with_upsert("k", "1")), once(b'1'));
    assert_eq!(apply(Edit::resources().with_delete("k")), [0x0a, 2, 0x0a, 0][..]);
    assert_eq!(apply(Edit::resources().with_delete("k").with_insert("k", "4")), once(b'4'));
    assert_eq!(apply(Edit::resources().with_insert("k", "4")).as_ptr(), chunk.bytes().as_ptr());
}

/// The key of an attribute is its last one, as for every decoder, and empty if there is none.
#[test]
fn the_last_key_counts() {
    let request = b"\x0a\x0e\x0a\x0c\x0a\x06\x0a\x01a\x0a\x01b\x0a\x02\x12\x00";
    let chunk = Chunk::validate(Signal::Logs, request.to_vec().into(), &Limits::DEFAULT).unwrap();
    let left = |key| Edit::resources().with_delete(key).apply(&chunk).unwrap().to_bytes();
    assert_eq!(left("a"), chunk.bytes());
    assert_eq!(left("b"), b"\x0a\x06\x0a\x04\x0a\x02\x12\x00"[..]);
    assert_eq!(left(""), b"\x0a\x0a\x0a\x08\x0a\x06\x0a\x01a\x0a\x01b"[..]);
}

/// More attributes with one key than are remembered: what lies after them is found again.
#[test]
fn more_of_one_key_than_are_remembered() {
    let attribute = |key: u8, value: u8| [0x0a, 8, 0x0a, 1, key, 0x12, 3, 0x0a, 1, value];
    for twins in [1, 63, 64, 65, 200] {
        let mut resource = Vec::new();
        for n in 0..twins {
            resource.extend(attribute(b'k', b'a' + n as u8 % 26));
            // Field 50, which is unknown.
            resource.extend([0x90, 3, n as u8 & 0x7f]);
        }
        resource.extend([attribute(b'l', b'x'), attribute(b'm', b'x'), attribute(b'l', b'y')].concat());
        // In two pieces, which are cut anywhere between attributes.
        for cut in [0, 13, 13 * (twins / 2), resource.len()] {
            let (one, two) = resource.split_at(cut);
            let record = [message_of(1, one), message_of(1, two)].concat();
            let request = message_of(1, &record);
            let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::NONE).unwrap();
            let edits = [
                vec![(1, 0, 0)],
                vec![(3, 0, 0), (2, 1, 1)],
                vec![(3, 1, 0)],
                vec![(0, 0, 0), (2, 1, 2)],
                vec![(2, 0, 0), (3, 0, 0), (0, 0, 1)],
            ];
            let keys = ["k", "l", "new", "m"].map(String::from);
            for changes in edits {
                let mut expected = Request::decode(Signal::Logs, chunk.bytes()).unwrap();
                expected.edit(Of::Resources, |attributes| expect(attributes, &changes, &keys));
                let edited = edit(Of::Resources, &changes, &keys).apply(&chunk).unwrap().to_bytes();
                assert_eq!(Request::decode(Signal::Logs, &edited).unwrap(), expected, "{twins} {cut}");
                let unknown = unknown_fields(Signal::Logs, &edited);
                assert_eq!(unknown, unknown_fields(Signal::Logs, chunk.bytes()));
            }
        }
    }
}

/// Hostile requests of a mebibyte, of fields of two to four bytes, cost less than twice their size: nothing is
/// remembered of fields that are stepped over.
#[test]
fn small_fields_are_not_remembered() {
    const MIB: usize = 1 << 20;
    let one = |field: &[u8]| field.repeat(MIB / field.len());
    let resource = |content: &[u8]| message_of(1, &message_of(1, content));
    let record = |content: &[u8]| {
        let items = message_of(2, &message_of(2, content));
        message_of(1, &items)
    };
    let unknown = one(&[0x20, 0]);
    let attributes = one(&[0x0a, 0]);
    let both = one(&[0x0a, 0, 0x20, 0]);
    let pieces = message_of(1, &one(&[0x0a, 0]));
    let cases = [
        (resource(&unknown), Edit::resources().with_upsert("k", 1)),
        (resource(&attributes), Edit::resources().with_upsert("k", 1)),
        (resource(&attributes), Edit::resources().with_delete("")),
        (resource(&attributes), Edit::resources().with_upsert("", "x")),
        (resource(&both), Edit::resources().with_delete("")),
        (pieces.clone(), Edit::resources().with_upsert("k", 1)),
        (pieces, Edit::resources().with_delete("")),
        (record(&one(&[0x68, 0])), Edit::items().with_upsert("k", 1)),
        (record(&one(&[0x32, 0])), Edit::items().with_update("", 1)),
        (record(&one(&[0x32, 0, 0x68, 0])), Edit::items().with_update("", 1)),
    ];
    for (at, (request, edit)) in cases.into_iter().enumerate() {
        let len = request.len() as u64;
        let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::NONE).unwrap();
        let (edited, made) = CountingAllocator::count(|| edit.apply(&chunk).unwrap());
        assert!(made.bytes < 2 * len, "{at}: {} bytes for {len}", made.bytes);
        assert!(!edited.is_empty() && made.count < 50, "{at}: {} times", made.count);
    }
    // What is kept between many that go is copied, or its place remembered, and copied to the result: once more in buffers that
    // double.
    for stretch in [1, 11, 31, 32, 33, 60] {
        let content = [[0x20, 0].repeat(stretch), vec![0x0a, 0]].concat();
        let chunk = Chunk::validate(Signal::Logs, resource(&one(&content)).into(), &Limits::NONE).unwrap();
        let edit = Edit::resources().with_update("", "x");
        let (edited, made) = CountingAllocator::count(|| edit.apply(&chunk).unwrap());
        assert!(made.bytes < 3 * chunk.len() as u64 + 4096, "{stretch}: {} bytes", made.bytes);
        assert!(edited.len() < chunk.len());
    }
}

/// The values of the OpenTelemetry Collector's own tests, hashed as there, and a hash that is hashed.
#[cfg(feature = "hash")]
#[test]
fn hashes_are_the_collectors() {
    let hash = |value: &[u8], edit: &Edit| {
        let pair = [&[0x0a, 1, b'k', 0x12, value.len() as u8][..], value].concat();
        let resource = message_of(1, &message_of(1, &pair));
        let chunk = valid(Signal::Logs, message_of(1, &resource));
        let edited = edit.apply(&chunk).unwrap().to_bytes();
        String::from_utf8(edited[edited.len() - 64..].to_vec()).unwrap()
    };
    let once = Edit::resources().with_hash("k");
    let foo = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    assert_eq!(hash(b"\x0a\x03foo", &once), foo);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hash(b"\x0a\x00", &once), empty);
    let one = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a";
    assert_eq!(hash(&[0x10, 1], &once), one);
    let zero = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(hash(&[0x10, 0], &once), zero);
    let text = |text: &str| [&[0x0a, text.len() as u8][..], text.as_bytes()].concat();
    assert_eq!(hash(b"\x0a\x03foo", &once.clone().with_hash("k")), hash(&text(foo), &once));
    // What was put in just before is hashed too.
    assert_eq!(hash(b"\x0a\x03bar", &Edit::resources().with_update("k", "foo").with_hash("k")), foo);
    assert_eq!(
        hash(b"\x0a\x03bar", &Edit::resources().with_delete("k").with_insert("k", "foo").with_hash("k")),
        foo
    );
}

/// What is configured may be a secret: it is not in the debug output, and the keys are.
#[test]
fn debug_output_has_no_values() {
    let edit = Edit::items().with_upsert("user", "secret").with_delete("host");
    let shown = format!("{edit:?}");
    assert_eq!(shown, r#"Edit { of: Items, changes: [("upsert", "user"), ("delete", "host")], .. }"#);
}
