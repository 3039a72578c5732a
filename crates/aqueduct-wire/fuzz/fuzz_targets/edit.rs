//! Editing keeps every item and makes nothing invalid, does the same twice, and deleting what was inserted leaves none of it.
#![no_main]

use aqueduct_wire::edit::{Edit, TraceStateEdit};
use aqueduct_wire::{Chunk, Invalid, Merged};
use aqueduct_wire_fuzz::{items_of, valid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&which, data)) = data.split_first() else { return };
    let Some(chunk) = valid(data) else { return };
    attributes(which, &chunk);
    trace_states(which, &chunk);
});

fn attributes(which: u8, chunk: &Chunk) {
    let edit = || match which % 6 {
        0 => Edit::resources(),
        1 => Edit::scopes(),
        2 => Edit::items(),
        3 => Edit::events(),
        4 => Edit::links(),
        _ => Edit::exemplars(),
    };
    let set = |edit: Edit| edit.with_upsert("fuzz.key", i64::from(which));
    again(chunk, |chunk| set(edit()).apply(chunk), |chunk| set(edit()).apply(chunk));
    let with = set(edit()).apply(chunk).expect("a valid request");
    let gone = edit().with_delete("fuzz.key").apply(&Chunk::from(with)).expect("a valid request");
    assert_eq!(items_of(chunk, &gone), chunk.items());
    // The empty key is the most frequent one here.
    again(
        chunk,
        |chunk| edit().with_hash("").with_insert("", "x").apply(chunk),
        |chunk| edit().with_insert("", "x").apply(chunk),
    );
    again(
        chunk,
        |chunk| edit().with_delete("").apply(chunk),
        |chunk| edit().with_delete("").with_hash("").with_update("", "x").apply(chunk),
    );
}

fn trace_states(which: u8, chunk: &Chunk) {
    let edit = if which % 2 == 0 { TraceStateEdit::new() } else { TraceStateEdit::new().with_links() };
    let set = edit.clone().with_delete("a").with_upsert("ot", "th:8").expect("a member");
    again(chunk, |chunk| set.apply(chunk), |chunk| set.apply(chunk));
    let clear = edit.with_clear();
    again(chunk, |chunk| clear.apply(chunk), |chunk| clear.apply(chunk));
}

/// The first edit makes a valid request of as many items, in which the second one changes nothing.
fn again(
    chunk: &Chunk,
    once: impl Fn(&Chunk) -> Result<Merged, Invalid>,
    twice: impl Fn(&Chunk) -> Result<Merged, Invalid>,
) {
    let once = once(chunk).expect("a valid request");
    assert_eq!(items_of(chunk, &once), chunk.items());
    let once = Chunk::from(once);
    let twice = twice(&once).expect("a valid request");
    assert_eq!(twice.to_bytes(), once.bytes().clone());
}
