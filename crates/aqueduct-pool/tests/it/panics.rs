//! Panics in the middle: of users, factories, hooks and destructors.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aqueduct_pool::{BlockPool, BufferPool, ObjectPool};

/// The panic that is meant to happen.
struct Meant;

fn panics(work: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(work)) else { unreachable!("it was meant to panic") };
    assert!(panic.is::<Meant>());
}

/// Dropped exactly once, and panics at that if told to.
struct Bomb {
    armed: bool,
    drops: Arc<AtomicUsize>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
        if self.armed {
            panic_any(Meant);
        }
    }
}

fn bombs(max_size: usize) -> (ObjectPool<Bomb>, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&drops);
    (ObjectPool::new(move || Bomb { armed: false, drops: Arc::clone(&count) }, max_size), drops)
}

/// Guards buffers and blocks of a user who panics: they come back.
#[test]
fn a_user_panics() {
    let (buffers, blocks) = (BufferPool::default(), BlockPool::new(1, 8).unwrap());
    panics(|| {
        let _both = (buffers.take(1), blocks.take(8).unwrap());
        panic_any(Meant);
    });
    assert_eq!((buffers.stats().in_use(), blocks.available()), (0, 1));
}

/// Guards an object whose user panics: it is not trusted again.
#[test]
fn an_object_whose_user_panics_is_destroyed() {
    let (pool, drops) = bombs(4);
    panics(|| {
        let _object = pool.get();
        panic_any(Meant);
    });
    assert_eq!((drops.load(Ordering::Relaxed), pool.idle(), pool.stats().in_use()), (1, 0, 0));
}

/// Guards a factory that panics: no lock is poisoned, the next call works.
#[test]
fn the_factory_panics() {
    let calls = AtomicUsize::new(0);
    let pool = ObjectPool::new(
        move || match calls.fetch_add(1, Ordering::Relaxed) {
            0 => panic_any(Meant),
            call => call,
        },
        2,
    );
    panics(|| drop(pool.get()));
    assert_eq!(*pool.get(), 1);
    assert_eq!((pool.stats().made, pool.stats().taken), (1, 1));
}

/// Guards hooks that panic: the object is destroyed once, the books balance, and the panic is not hidden.
#[test]
fn hooks_panic() {
    let drops = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&drops);
    let pool = ObjectPool::config(2)
        .with_reset(|bomb: &mut Bomb| {
            if bomb.armed {
                panic_any(Meant)
            }
        })
        .build(move || Bomb { armed: false, drops: Arc::clone(&count) });
    // The destructor panics as well, and only the first panic is passed on.
    panics(|| pool.get().armed = true);
    assert_eq!((drops.load(Ordering::Relaxed), pool.stats().dropped, pool.idle()), (1, 1, 0));

    let asked = Arc::new(AtomicUsize::new(0));
    let times = Arc::clone(&asked);
    let pool = ObjectPool::config(2)
        .with_is_valid(
            move |_: &u32| if times.fetch_add(1, Ordering::Relaxed) == 1 { panic_any(Meant) } else { true },
        )
        .build(|| 1);
    drop(pool.get());
    panics(|| drop(pool.get()));
    assert_eq!((pool.idle(), pool.stats().dropped), (0, 1));
    drop(pool.get());
    assert_eq!(pool.idle(), 1);
}

/// Guards destructors that panic while the pool makes room: the pool is whole before they run.
#[test]
fn destructors_panic() {
    let (pool, drops) = bombs(1);
    let (first, mut second) = (pool.get(), pool.get());
    second.armed = true;
    drop(first);
    panics(|| drop(second));
    assert_eq!((drops.load(Ordering::Relaxed), pool.idle(), pool.stats().in_use()), (1, 1, 0));
}

/// Guards the end of a pool whose objects panic as they go: each is dropped once all the same.
#[test]
fn the_pool_is_dropped_with_panicking_objects() {
    let (pool, drops) = bombs(5);
    let mut objects: Vec<_> = (0..5).map(|_| pool.get()).collect();
    objects.iter_mut().for_each(|object| object.armed = true);
    drop(objects);
    panics(|| drop(pool));
    assert_eq!(drops.load(Ordering::Relaxed), 5);
}

/// Guards an owner of frozen bytes that is dropped in an unwinding thread.
#[test]
fn frozen_bytes_in_a_panic() {
    let pool = BufferPool::default();
    let mut buffer = pool.take(10);
    buffer.extend_from_slice(b"x");
    let bytes = buffer.freeze();
    let thread = std::thread::spawn(move || {
        let _bytes = bytes;
        panic_any(Meant);
    });
    assert!(thread.join().is_err());
    assert_eq!(pool.stats().in_use(), 0);
}
