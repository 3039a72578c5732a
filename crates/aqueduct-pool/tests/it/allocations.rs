//! Claims about allocation, with an allocator that counts what each thread asks of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use aqueduct_pool::{BlockPool, BufferPool, ObjectPool};
use bytes::BufMut;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// More than any machine has. Refused here, because sanitizers end the process instead.
const MOST: u64 = 1 << 50;

pub(crate) struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() as u64 > MOST {
            return std::ptr::null_mut();
        }
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's obligations are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// How many allocations this thread makes in `work`.
pub(crate) fn count<R>(work: impl FnOnce() -> R) -> usize {
    let before = COUNT.get();
    let result = work();
    let count = COUNT.get() - before;
    drop(result);
    count
}

/// Guards that a warm pool does not allocate, with one buffer at a time and with many.
#[test]
fn a_warm_buffer_pool_allocates_nothing() {
    let pool = BufferPool::default();
    let mut held = Vec::with_capacity(100);
    for _ in 0..3 {
        held.extend((0..100).map(|_| pool.take(4096)));
        held.clear();
    }
    let work = || {
        for _ in 0..50 {
            held.extend((0..100).map(|_| pool.take(4096)));
            held.iter_mut().for_each(|buffer| buffer.put_slice(&[1; 4096]));
            held.clear();
        }
    };
    assert_eq!(count(work), 0);
}

/// Guards the documented price of `freeze`: one object, and none for an empty buffer.
#[test]
fn freezing_allocates_one_object() {
    let pool = BufferPool::default();
    drop(pool.take(1024));
    let frozen = || {
        let mut buffer = pool.take(1024);
        buffer.put_slice(b"x");
        let bytes = buffer.freeze();
        drop((bytes.slice(..0), bytes.clone(), bytes));
    };
    assert_eq!(count(frozen), 1);
    assert_eq!(count(|| drop(pool.take(1024).freeze())), 0);
    assert_eq!(pool.stats().in_use(), 0);
}

/// Guards the promise of the block pool: no allocation after construction, refusals included.
#[test]
fn no_block_is_allocated_after_construction() {
    let pool = BlockPool::new(8, 4096).unwrap();
    let work = || {
        for _ in 0..20 {
            let blocks: [_; 8] = std::array::from_fn(|_| pool.take(4096).unwrap());
            assert!(pool.take(1).is_err() && pool.take(9999).is_err());
            drop(blocks);
            drop(pool.take_owned(10).unwrap());
        }
    };
    assert_eq!(count(work), 0);
}

/// Guards that an object pool adds no allocation to what the factory does.
#[test]
fn a_warm_object_pool_allocates_nothing() {
    let pool =
        ObjectPool::config(4).with_reset(|list: &mut Vec<u8>| list.clear()).build(|| Vec::with_capacity(64));
    drop((pool.get(), pool.get()));
    let work = || {
        for _ in 0..50 {
            let (mut first, second) = (pool.get(), pool.get_owned());
            first.extend_from_slice(&[1; 64]);
            drop((first, second));
        }
    };
    assert_eq!(count(work), 0);
}
