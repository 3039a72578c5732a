//! Folding keeps every item, makes nothing longer, and finds nothing to do the second time.
#![no_main]

use aqueduct_wire::{Chunk, fold, fold_scopes};
use aqueduct_wire_fuzz::{items_of, valid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(chunk) = valid(data) else { return };
    for fold in [fold, fold_scopes] {
        let folded = fold(&chunk).expect("a valid request");
        assert!(folded.len() <= chunk.len());
        assert_eq!(items_of(&chunk, &folded), chunk.items());
        let again = fold(&Chunk::from(folded.clone())).expect("a valid request");
        assert_eq!(again.to_bytes(), folded.to_bytes());
    }
});
