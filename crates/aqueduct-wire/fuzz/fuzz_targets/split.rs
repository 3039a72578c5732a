//! Whatever the limits, the parts keep to them, are valid, and hold with the refusals exactly the items of the request.
#![no_main]

use aqueduct_wire::split;
use aqueduct_wire_fuzz::{items_of, valid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([items, bytes], data)) = data.split_first_chunk() else { return };
    let Some(chunk) = valid(data) else { return };
    let (max_items, max_bytes) = (u64::from(*items).max(1), usize::from(*bytes) * 8);
    let mut total = 0;
    for part in split(&chunk, max_items, max_bytes).expect("a valid request") {
        match part {
            Ok(part) => {
                assert!(part.items() <= max_items && part.len() <= max_bytes);
                assert_eq!(items_of(&chunk, &part), part.items());
                total += part.items();
            }
            Err(refused) => {
                assert!(refused.items() > max_items || refused.bytes() > max_bytes, "{refused}");
                total += refused.items();
            }
        }
    }
    assert_eq!(total, chunk.items());
});
