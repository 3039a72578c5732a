//! Wherever a request is cut into pieces, its chunks are the same bytes, and the verdict is that on the whole.
#![no_main]

use aqueduct_wire::stream::Records;
use aqueduct_wire::{InvalidKind, Limits, validate};
use aqueduct_wire_fuzz::request;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&size, data)) = data.split_first() else { return };
    let Some((signal, request)) = request(data) else { return };
    // Sometimes with limits that are met.
    let limits =
        if size % 2 == 0 { Limits::NONE } else { Limits::DEFAULT.with_max_items(3).with_max_bytes(500) };
    let mut records = Records::new(signal, limits);
    let mut out = Vec::new();
    let mut failure = None;
    'all: for piece in request.chunks(usize::from(size).max(1)) {
        records.push(Bytes::copy_from_slice(piece));
        loop {
            match records.next_chunk() {
                Ok(Some(chunk)) => out.extend_from_slice(chunk.bytes()),
                Ok(None) => break,
                Err(invalid) => {
                    failure = Some(invalid);
                    break 'all;
                }
            }
        }
    }
    let ended = match failure {
        Some(invalid) => Err(invalid),
        None => records.finish(),
    };
    match (ended, validate(signal, request, &limits)) {
        (Ok(summary), Ok(whole)) => {
            assert_eq!(summary, whole);
            assert_eq!(out, request);
        }
        (Err(ours), Err(whole)) => {
            assert!(request.starts_with(&out));
            if ours.kind() == InvalidKind::Items && whole.kind() == InvalidKind::Items {
                assert_eq!(ours, whole);
            }
        }
        // A group at the top, which the stream does not wait for.
        (Err(invalid), Ok(_)) => assert_eq!(invalid.kind(), InvalidKind::Group, "{invalid}"),
        (Ok(_), Err(invalid)) => panic!("the stream lets pass: {invalid}"),
    }
});
