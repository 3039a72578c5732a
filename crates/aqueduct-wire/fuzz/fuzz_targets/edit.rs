//! Editing attributes keeps every item and makes nothing invalid, and deleting what was inserted leaves none of it.
#![no_main]

use aqueduct_wire::Chunk;
use aqueduct_wire::edit::{Edit, Value};
use aqueduct_wire_fuzz::{items_of, valid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&which, data)) = data.split_first() else { return };
    let Some(chunk) = valid(data) else { return };
    let edit = || match which % 3 {
        0 => Edit::resources(),
        1 => Edit::scopes(),
        _ => Edit::items(),
    };
    let set =
        edit().with_upsert("fuzz.key", Value::Int(i64::from(which))).apply(&chunk).expect("a valid request");
    assert_eq!(items_of(&chunk, &set), chunk.items());
    let set = Chunk::from(set);
    let again =
        edit().with_upsert("fuzz.key", Value::Int(i64::from(which))).apply(&set).expect("a valid request");
    assert_eq!(again.to_bytes(), set.bytes().clone());
    let gone = edit().with_delete("fuzz.key").apply(&set).expect("a valid request");
    assert_eq!(items_of(&chunk, &gone), chunk.items());
});
