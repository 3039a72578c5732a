//! Generated requests are valid OTLP and carry the ids they should.

use super::*;
use crate::ids::{Tally, for_each_id};
use aqueduct::wire::{Chunk, Limits, json};
use bytes::Bytes;

fn shape(signal: Signal, items: usize, encoding: Encoding) -> Shape {
    Shape { signal, items, attributes: 10, encoding }
}

fn ids(signal: Signal, request: &[u8]) -> (Tally, Vec<ItemId>) {
    let mut ids = Vec::new();
    let tally = for_each_id(signal, request, |id| ids.push(id));
    (tally, ids)
}

/// Guards the template and its patches for every signal: valid OTLP, as many items as ordered, exactly the identities asked for.
#[test]
fn patched_requests_are_valid_and_carry_their_identities() {
    for signal in Signal::ALL {
        for items in [1, 10, 25] {
            let template = Template::new(shape(signal, items, Encoding::Protobuf), 77).expect("a template");
            let mut request = template.bytes().to_vec();
            for first in [0, 1_000_000_007] {
                template.patch(&mut request, first, 1_800_000_000_000_000_000);
                let chunk = Chunk::validate(signal, Bytes::copy_from_slice(&request), &Limits::default())
                    .expect("valid");
                assert_eq!(chunk.items(), items as u64);
                let expected: Vec<_> =
                    (first..first + items as u64).map(|sequence| ItemId { producer: 77, sequence }).collect();
                assert_eq!(ids(signal, &request), (Tally { marked: items as u64, foreign: 0 }, expected));
            }
        }
    }
}

/// Guards JSON's positions: patched as text and converted back, it must be byte for byte what patching protobuf gives.
#[test]
fn json_says_the_same_as_protobuf() {
    for signal in Signal::ALL {
        let binary = Template::new(shape(signal, 12, Encoding::Protobuf), 5).expect("a template");
        let text = Template::new(shape(signal, 12, Encoding::Json), 5).expect("a template");
        let (mut expected, mut request) = (binary.bytes().to_vec(), text.bytes().to_vec());
        for first in [7, 99_999] {
            binary.patch(&mut expected, first, 1_800_000_000_123_456_789);
            text.patch(&mut request, first, 1_800_000_000_123_456_789);
            let converted = json::to_protobuf(signal, &request).expect("valid JSON");
            assert_eq!(ids(signal, &converted), ids(signal, &expected));
            assert_eq!(converted.len(), expected.len(), "{signal}");
        }
    }
}

/// Guards the sizes that published measurements name: about 770 bytes for one span, about 430 for each further one.
#[test]
fn sizes_are_those_of_real_spans() {
    let len = |items| {
        let shape = shape(Signal::Traces, items, Encoding::Grpc);
        Template::new(shape, 1).expect("a template").bytes().len()
    };
    assert!((750..800).contains(&len(1)), "{}", len(1));
    let further = (len(512) - len(1)) / 511;
    assert!((415..440).contains(&further), "{further}");
}
