//! Editing attributes, against prost.

use crate::odd::{flat, odd};
use crate::operations::{config, mutants, request, signals};
use crate::oracle::{Of, Request};
use aqueduct_wire::edit::{Edit, Value};
use aqueduct_wire::{Chunk, Limits, Signal};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use proptest::prelude::*;

/// A change: what to do, which of a few keys, and with which value.
type Change = (u8, usize, u8);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0..4_u8, 0..4_usize, 0..5_u8), 0..6)
}

fn of() -> impl Strategy<Value = Of> {
    prop::sample::select(&[Of::Resources, Of::Scopes, Of::Items][..])
}

fn start(of: Of) -> Edit {
    match of {
        Of::Resources => Edit::resources(),
        Of::Scopes => Edit::scopes(),
        Of::Items => Edit::items(),
    }
}

fn value(n: u8) -> Value {
    match n {
        0 => Value::from("wört"),
        1 => Value::from(true),
        2 => Value::from(-5_i64),
        3 => Value::from(0.25),
        _ => Value::from("x".repeat(200)),
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
        0 => edit.with_insert(&keys[key], value(new)),
        1 => edit.with_update(&keys[key], value(new)),
        2 => edit.with_upsert(&keys[key], value(new)),
        _ => edit.with_delete(&keys[key]),
    })
}

/// The same on structs.
fn expect(attributes: &mut Vec<KeyValue>, changes: &[Change], keys: &[String]) {
    for &(action, key, new) in changes {
        let key = &keys[key];
        let new = match value(new) {
            Value::String(text) => any_value::Value::StringValue(text.into()),
            Value::Bool(value) => any_value::Value::BoolValue(value),
            Value::Int(value) => any_value::Value::IntValue(value),
            Value::Double(value) => any_value::Value::DoubleValue(value),
            other => panic!("no such value is made here: {other:?}"),
        };
        let new = KeyValue { key: key.clone(), value: Some(AnyValue { value: Some(new) }), key_strindex: 0 };
        let first = attributes.iter().position(|attribute| attribute.key == *key);
        match (action, first) {
            (0 | 2, None) => attributes.push(new),
            (1 | 2, Some(first)) => {
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

proptest! {
    #![proptest_config(config())]

    /// The same changes on prost's structs give the same request, however it is encoded: attributes twice,
    /// resources in pieces or absent.
    #[test]
    fn as_in_structs(signal in signals(), seed: u64, items in 0..20_usize, changes in changes(), of in of()) {
        let plain = request(signal, seed, items);
        let bytes = odd(signal, plain.bytes(), seed);
        for chunk in [plain, Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap()] {
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

    /// What is not edited keeps its bytes: all items, what is around them below the edited, and unknown
    /// fields, also in what is edited.
    #[test]
    fn the_rest_keeps_its_bytes(signal in signals(), seed: u64, items in 0..20_usize, of in of()) {
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
                Of::Items => (item.clone(), edited.clone()),
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
