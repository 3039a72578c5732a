//! One test for each defect that was found, named after it.

use aqueduct_pool::{BufferPool, BufferPoolConfig};

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
