//! Objects: reuse, hooks, bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aqueduct_pool::{ObjectPool, OwnedPooled, Pooled};

/// Counts how many of it are alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Alive {
        count.fetch_add(1, Ordering::Relaxed);
        Alive(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The guard's drop ignores `max_size`: it does not, borrowed or owned, and a burst leaves no more than the bound.
#[test]
fn the_guards_drop_ignores_max_size() {
    let alive = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&alive);
    let pool = ObjectPool::new(move || Alive::new(&count), 3);
    let burst: Vec<_> = (0..100).map(|_| pool.get()).collect();
    let owned: Vec<_> = (0..100).map(|_| pool.get_owned()).collect();
    assert_eq!(alive.load(Ordering::Relaxed), 200);
    drop((burst, owned));
    assert_eq!((alive.load(Ordering::Relaxed), pool.idle(), pool.max_size()), (3, 3, 3));
    pool.prefill(10).unwrap();
    assert_eq!(alive.load(Ordering::Relaxed), 3, "nor does prefilling");
    let stats = pool.stats();
    assert_eq!((stats.made, stats.dropped, stats.in_use(), stats.idle), (200, 197, 0, 3));
    assert_eq!(pool.clear(), 3);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    pool.prefill(2).unwrap();
    assert_eq!((alive.load(Ordering::Relaxed), pool.idle()), (2, 2));
    drop(pool);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// Stale state reaches the next user: the reset hook sees every object on its way back.
#[test]
fn stale_state_reaches_the_next_user() {
    let pool = ObjectPool::config(8).with_reset(|text: &mut String| text.clear()).build(String::new);
    pool.get().push_str("secret");
    pool.get_owned().push_str("secret");
    assert_eq!((pool.get().as_str(), pool.stats().made), ("", 1));
}

/// The factory runs inside the lock: here it may take from the same pool, and so may the hooks and destructors.
#[test]
fn the_factory_runs_inside_the_lock() {
    struct Nested(Option<OwnedPooled<Vec<u8>>>);
    let inner = ObjectPool::new(Vec::new, 2);
    let (for_factory, for_reset) = (inner.clone(), inner.clone());
    let pool = ObjectPool::config(2)
        .with_reset(move |nested: &mut Nested| nested.0 = Some(for_reset.get_owned()))
        .build(move || Nested(Some(for_factory.get_owned())));
    drop((pool.get(), pool.get(), pool.get()));
    assert_eq!(pool.idle(), 2);
    // A factory that uses its own pool.
    let handle: Arc<std::sync::OnceLock<ObjectPool<u32>>> = Arc::default();
    let weak = Arc::downgrade(&handle);
    let recursive = ObjectPool::new(
        move || match weak.upgrade().and_then(|pool| pool.get().map(|pool| pool.idle())) {
            Some(idle) => idle as u32,
            None => 99,
        },
        2,
    );
    handle.set(recursive).unwrap();
    assert_eq!(*handle.get().unwrap().get(), 0);
}

/// Guards validity at both ends: on return, and when an idle object has gone bad.
#[test]
fn invalid_objects_are_not_handed_out() {
    let good = Arc::new(AtomicUsize::new(1));
    let asked = Arc::clone(&good);
    let pool = ObjectPool::config(4)
        .with_is_valid(move |object: &u32| *object < 10 && asked.load(Ordering::Relaxed) == 1)
        .build(|| 5);
    *pool.get() = 50;
    assert_eq!((pool.idle(), pool.stats().dropped), (0, 1), "bad on return");
    drop((pool.get(), pool.get()));
    assert_eq!(pool.idle(), 2);
    good.store(0, Ordering::Relaxed);
    assert!(pool.get_idle().is_none());
    assert_eq!((pool.idle(), pool.stats().dropped), (0, 3), "bad while idle");
    assert_eq!(*pool.get(), 5, "what the factory makes is not questioned");
}

/// Guards a factory that fails: nothing is counted, the next attempt may do better.
#[test]
fn the_factory_may_fail() {
    let attempts = AtomicUsize::new(0);
    let pool = ObjectPool::config(2).try_build(move || match attempts.fetch_add(1, Ordering::Relaxed) {
        attempt if attempt % 2 == 0 => Err("refused"),
        attempt => Ok(attempt),
    });
    assert_eq!(pool.try_get().unwrap_err(), "refused");
    assert_eq!(*pool.try_get().unwrap(), 1);
    assert_eq!(*pool.try_get_owned().unwrap(), 1, "an idle one needs no factory");
    assert_eq!(pool.prefill(2).unwrap_err(), "refused");
    let stats = pool.stats();
    assert_eq!((stats.taken, stats.made, stats.returned, stats.idle), (2, 1, 2, 1));
}

/// Guards detaching: the object is the caller's, and the pool forgets it.
#[test]
fn detached_objects_do_not_come_back() {
    let pool = ObjectPool::new(|| Box::new(1), 4);
    let (first, second) = (Pooled::detach(pool.get()), OwnedPooled::detach(pool.get_owned()));
    assert_eq!((*first + *second, pool.idle()), (2, 0));
    let stats = pool.stats();
    assert_eq!((stats.detached, stats.returned, stats.in_use(), stats.dropped), (2, 0, 0, 0));
}

/// Guards objects of no size, of large alignment, of a megabyte; and a pool that keeps none.
#[test]
fn odd_objects() {
    #[repr(align(4096))]
    struct Aligned(u8);
    let units = ObjectPool::new(|| (), 2);
    drop((units.get(), units.get(), units.get()));
    assert_eq!(units.idle(), 2);
    let aligned = ObjectPool::new(|| Aligned(7), 2);
    drop((aligned.get(), aligned.get()));
    let object = aligned.get();
    assert_eq!((&raw const *object as usize % 4096, object.0), (0, 7));
    let large = ObjectPool::new(|| Box::new([1_u8; 1 << 20]), 2);
    drop(large.get());
    assert_eq!(large.get()[(1 << 20) - 1], 1);
    let none = ObjectPool::new(|| 1, 0);
    drop(none.get());
    assert_eq!((none.idle(), none.stats().dropped, none.clear()), (0, 1, 0));
}

/// Guards the debug output, which does not need the objects to have one.
#[test]
fn it_can_be_printed() {
    let pool = ObjectPool::new(|| Alive::new(&Arc::default()), 1);
    assert!(format!("{pool:?}").starts_with("ObjectPool { max_size: 1, stats: ObjectPoolStats"));
    assert_eq!(format!("{:?}", ObjectPool::new(|| 1, 1).get()), "Pooled(1)");
}
