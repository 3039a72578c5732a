//! What a filter keeps and what it removes is all there was, and a filter that keeps everything changes nothing.
#![no_main]

use aqueduct_wire::filter;
use aqueduct_wire_fuzz::{items_of, valid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&wanted, data)) = data.split_first() else { return };
    let Some(chunk) = valid(data) else { return };
    let all = filter(&chunk, |_| true).expect("a valid request");
    assert_eq!((all.kept.to_bytes(), all.removed), (chunk.bytes().clone(), 0));
    let keeps = |item: &aqueduct_wire::Item<'_>| {
        item.bytes().iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) < wanted
    };
    let kept = filter(&chunk, keeps).expect("a valid request");
    let removed = filter(&chunk, |item| !keeps(item)).expect("a valid request");
    assert_eq!(kept.kept.items() + kept.removed, chunk.items());
    assert_eq!((kept.kept.items(), kept.removed), (removed.removed, removed.kept.items()));
    assert_eq!(items_of(&chunk, &kept.kept), kept.kept.items());
});
