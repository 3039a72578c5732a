//! Counting looks at less than validating, and never differs from it on what is valid.
#![no_main]

use aqueduct_wire::{Limits, scan, validate};
use aqueduct_wire_fuzz::request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((signal, request)) = request(data) else { return };
    let scanned = scan(signal, request);
    if let Ok(summary) = validate(signal, request, &Limits::NONE) {
        assert_eq!(scanned, Ok(summary));
    }
});
