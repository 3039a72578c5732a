//! Counting and validating allocate nothing.

#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]

use crate::oracle::Request;
use aqueduct_wire::{Limits, Signal, scan, validate};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: both methods hand their arguments unchanged to the system allocator, whose contract is the same;
// the counter is a plain cell of the thread, without a destructor, and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; every block came from the system allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
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
