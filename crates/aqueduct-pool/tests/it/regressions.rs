//! One test for each defect that was found, named after it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use aqueduct_pool::{BlockPool, BufferPool, BufferPoolConfig, BuildBlocksError, ObjectPool, Pooled};

fn capped(bytes: usize) -> BufferPool {
    BufferPool::new(BufferPoolConfig::default().with_max_bytes(bytes))
}

/// One refused call of `try_reserve` counted twice: once for the doubling and once for what was needed.
#[test]
fn a_refused_reserve_was_counted_twice() {
    let pool = capped(10 << 10);
    let mut buffer = pool.try_take(4096).expect("room");
    buffer.extend_with(1, 4096);
    assert!(buffer.try_reserve(10).is_err());
    assert_eq!(pool.stats().refused, 1);
}

/// A `try_reserve` that found room for what was needed, though not for twice of it, counted as refused.
#[test]
fn a_reserve_that_succeeded_was_counted_as_refused() {
    let pool = capped(9 << 20);
    let mut buffer = pool.try_take(4 << 20).expect("room");
    buffer.extend_with(1, 4 << 20);
    assert!(buffer.try_reserve(10).is_ok());
    assert_eq!(pool.stats().refused, 0);
}

/// A `reserve` went past the cap in order to double, although what was needed fitted.
#[test]
fn a_reserve_went_past_the_cap_for_more_than_it_needed() {
    let pool = capped(9 << 20);
    let mut buffer = pool.try_take(4 << 20).expect("room");
    buffer.extend_with(1, 4 << 20);
    buffer.reserve(10);
    assert_eq!(pool.stats().over_cap, 0, "{:?}", pool.stats());
}

/// What a thread kept in its own magazines made the pool refuse that very thread for ever.
#[test]
fn a_threads_own_magazine_was_in_its_way() {
    let pool = capped(64 << 10);
    drop(pool.take(1024));
    assert!(pool.try_take(64 << 10).is_ok());
    drop(pool.take(64 << 10));
    assert_eq!(pool.stats().over_cap, 0);
}

/// The bits that stand for blocks were allocated without asking, so that a number of blocks for which there is no memory ended the process,
/// if the blocks had no bytes themselves.
#[test]
fn an_absurd_number_of_blocks_ended_the_process() {
    for (blocks, bytes) in [(1 << 60, 1 << 57), (usize::MAX, 1 << 61)] {
        assert_eq!(BlockPool::new(blocks, 0).unwrap_err(), BuildBlocksError::OutOfMemory { bytes });
    }
}

fn panic_of(build: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(build).expect_err("it panics");
    payload.downcast_ref::<String>().expect("a formatted message").clone()
}

/// So did a number of objects; and with objects of no size the constructor counted through them first.
#[test]
fn an_absurd_number_of_objects_ended_the_process() {
    for max_size in [1 << 57, usize::MAX] {
        let messages = [
            panic_of(|| drop(ObjectPool::new(|| 0_u64, max_size))),
            panic_of(|| drop(ObjectPool::new(|| (), max_size))),
        ];
        for message in messages {
            assert!(message.starts_with(&format!("no slots for max_size = {max_size} objects")), "{message}");
        }
    }
}

/// `prefill` went on for as long as others took what it made. Here its factory does that itself.
#[test]
fn a_prefill_went_on_while_others_took_as_fast() {
    let (made, taker) = (Arc::new(AtomicUsize::new(0)), Arc::new(OnceLock::<ObjectPool<usize>>::new()));
    let (count, takes) = (Arc::clone(&made), Arc::downgrade(&taker));
    let factory = move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        // Ends in any case, so that the defect is a failure and no hang.
        let taker = takes.upgrade().filter(|_| number < 1000);
        if let Some(idle) = taker.as_deref().and_then(OnceLock::get).and_then(ObjectPool::get_idle) {
            let _ = Pooled::detach(idle);
        }
        number
    };
    let pool = taker.get_or_init(|| ObjectPool::new(factory, 8));
    pool.prefill(4).unwrap();
    assert_eq!((made.load(Ordering::Relaxed), pool.idle()), (4, 1));
    pool.prefill(0).unwrap();
    assert_eq!(made.load(Ordering::Relaxed), 4);
}
