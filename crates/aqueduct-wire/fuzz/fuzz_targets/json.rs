//! Text never makes invalid protobuf, and what was read and written again reads as the same bytes.
#![no_main]

use aqueduct_wire::json::{JsonError, from_protobuf, to_protobuf};
use aqueduct_wire::{InvalidKind, Limits, validate};
use aqueduct_wire_fuzz::request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((signal, request)) = request(data) else { return };
    // As text. What may be missing in what it makes are ids.
    if let Ok(bytes) = to_protobuf(signal, request) {
        let text = match from_protobuf(signal, &bytes) {
            Ok(text) => text,
            Err(JsonError::Protobuf(invalid)) if invalid.kind() == InvalidKind::MissingId => return,
            Err(error) => panic!("{error}"),
        };
        let again = to_protobuf(signal, text.as_bytes()).expect("what was written can be read");
        let canonical = from_protobuf(signal, &again).expect("and written again");
        assert_eq!(text, canonical);
    }
    // As protobuf.
    if validate(signal, request, &Limits::NONE).is_ok()
        && let Ok(text) = from_protobuf(signal, request)
        && let Ok(bytes) = to_protobuf(signal, text.as_bytes())
    {
        assert_eq!(from_protobuf(signal, &bytes).as_deref(), Ok(text.as_str()));
    }
});
