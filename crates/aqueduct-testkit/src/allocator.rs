//! An allocator that counts, so that "does not allocate" can be a test.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator with a count per thread.
///
/// ```
/// use aqueduct_testkit::CountingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator;
///
/// let (made, allocations) = CountingAllocator::count(|| vec![0_u8; 100]);
/// assert_eq!((allocations.count, allocations.bytes), (1, 100));
/// let (_, allocations) = CountingAllocator::count(|| made.iter().sum::<u8>());
/// assert_eq!(allocations.count, 0);
/// ```
#[derive(Debug)]
pub struct CountingAllocator;

/// What one thread allocated during a call.
///
/// Complete: an allocator sees no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Allocations and reallocations.
    pub count: u64,
    /// Bytes asked for; of a reallocation, the growth.
    pub bytes: u64,
    /// Blocks given back.
    pub frees: u64,
}

thread_local! {
    // Constant initialisation and no destructor: reading it can neither allocate nor find it gone, which an allocator must not risk.
    static MADE: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0, frees: 0 }) };
}

impl CountingAllocator {
    /// Runs `work` and says what it allocated on this thread. All zeros if the allocator is not installed, so let a test first see
    /// it count something.
    pub fn count<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
        let before = MADE.get();
        let done = work();
        let after = MADE.get();
        let made = Allocations {
            count: after.count - before.count,
            bytes: after.bytes - before.bytes,
            frees: after.frees - before.frees,
        };
        (done, made)
    }
}

fn note(count: u64, bytes: u64, frees: u64) {
    let made = MADE.get();
    MADE.set(Allocations { count: made.count + count, bytes: made.bytes + bytes, frees: made.frees + frees });
}

// SAFETY: every method passes its arguments on to `System` unchanged and returns what it returns; counting touches a thread-local
// `Cell` only, which neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as u64, 0);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, 0, 1);
        // SAFETY: `block` came from `System` with this layout, since every allocation here does.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as u64, 0);
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size.saturating_sub(layout.size()) as u64, 0);
        // SAFETY: as in `dealloc`; the caller vouches for `size`.
        unsafe { System.realloc(block, layout, size) }
    }
}
