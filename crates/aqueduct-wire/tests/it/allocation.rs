//! Counting and validating allocate nothing.

use crate::oracle::Request;
use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::{Limits, Signal, scan, validate};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn allocations(work: impl FnOnce()) -> u64 {
    CountingAllocator::count(work).1.count
}

/// Guards the promise in the docs of `scan` and `validate`, with requests that have every field.
#[test]
fn validate_and_scan_allocate_nothing() {
    assert!(allocations(|| drop(Vec::<u8>::with_capacity(10))) > 0, "the counter counts");
    for signal in Signal::ALL {
        for seed in 0..100 {
            let bytes = Request::generate(signal, seed).encode();
            let count = allocations(|| {
                assert!(scan(signal, &bytes).is_ok());
                assert!(validate(signal, &bytes, &Limits::DEFAULT).is_ok());
            });
            assert_eq!(count, 0);
        }
    }
}
