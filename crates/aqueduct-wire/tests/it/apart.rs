//! Items taken out of their requests and put together again, against prost.

use std::sync::Arc;

use aqueduct_testkit::{Generator, Oracle};
use aqueduct_wire::{Chunk, Envelope, Limits, Signal, put_together, take_apart};

fn apart(chunk: &Chunk) -> Vec<(Arc<Envelope>, Vec<u8>)> {
    let mut items = Vec::new();
    take_apart(chunk, |item, envelope| items.push((Arc::clone(envelope), item.bytes().to_vec())))
        .expect("it is valid");
    items
}

/// Guards conservation: every item with all that was around it, whatever the order and however many requests.
#[test]
fn items_keep_what_was_around_them() {
    for signal in Signal::ALL {
        for seed in 0..20 {
            let mut generator = Generator::new(seed);
            let chunks = [generator.chunk(signal, 1), generator.chunk(signal, 57)];
            let mut oracle = Oracle::new();
            chunks.iter().for_each(|chunk| oracle.expect(signal, chunk.bytes()));
            let mut items: Vec<_> = chunks.iter().flat_map(apart).collect();
            assert_eq!(items.len(), 58);
            // Out of order, and in three requests.
            items.sort_by(|(_, one), (_, other)| one.cmp(other));
            for part in items.chunks(20) {
                let request = put_together(signal, part.iter().map(|(envelope, item)| (envelope, &item[..])));
                assert_eq!(request.items(), part.len() as u64);
                let valid = Chunk::validate(signal, request.bytes().clone(), &Limits::default());
                assert_eq!(valid.expect("it is valid").items(), request.items());
                oracle.receive(signal, request.bytes());
            }
            oracle.assert_exact();
        }
    }
}

/// Guards that envelopes are shared, have the resource, and keep unknown fields of every level; and the order of items.
#[test]
fn an_envelope_is_what_is_around() {
    let field = |number: u8, content: &[u8]| [&[number << 3 | 2, content.len() as u8], content].concat();
    let attribute = [&field(1, b"k")[..], &field(2, b"\x10\x01")].concat();
    let resource = field(1, &field(1, &attribute));
    let scope =
        [&field(2, b"\x1a\x01A")[..], b"\xa2\x06\x03one", &field(2, b"\x1a\x01B"), &field(3, b"ur")].concat();
    let record = [&resource[..], &field(2, &scope), b"\xa2\x06\x00"].concat();
    let request = [&field(1, &record)[..], b"\xa2\x06\x03two"].concat();
    let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::default()).expect("it is valid");
    let items = apart(&chunk);
    assert_eq!(items.len(), 2);
    assert!(Arc::ptr_eq(&items[0].0, &items[1].0));
    let resource = items[0].0.resource().expect("there is one");
    assert!(resource.attributes().find("k").is_some_and(|value| value.as_bool() == Some(true)));
    let again = put_together(Signal::Logs, items.iter().map(|(envelope, item)| (envelope, &item[..])));
    for field in [&b"\xa2\x06\x03one"[..], b"\xa2\x06\x03two", b"\x1a\x02ur", b"\xa2\x06\x00"] {
        assert!(again.bytes().windows(field.len()).any(|window| window == field), "{field:?}");
    }
    assert_eq!(again.len(), chunk.len());
    assert_eq!(
        put_together(Signal::Traces, items.iter().map(|(envelope, item)| (envelope, &item[..]))).len(),
        0
    );
}
