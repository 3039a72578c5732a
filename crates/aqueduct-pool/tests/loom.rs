//! Models of the pools, every interleaving of which is run: `RUSTFLAGS="--cfg crossbeam_loom" cargo test --release --test loom`.
//!
//! loom sees each piece of memory and each block as a cell that whoever takes or returns it writes to. Two owners at a time, and an
//! owner that does not come after the one before, are therefore reported as races by loom itself; so are leaked reference counts.
//! Racks hold two buffers here, so that a third goes through the depot.
#![cfg(crossbeam_loom)]

use aqueduct_pool::{BlockPool, BufferPool, BufferPoolConfig, ObjectPool, PooledBuf, TakeBlockError};
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 100_000;
    builder.preemption_bound = Some(3);
    builder.check(check);
}

/// Guards exclusiveness, and that a block refused to one thread is in use by another.
#[test]
fn one_block_for_two() {
    model(|| {
        let pool = BlockPool::new(1, 1).unwrap();
        let other = pool.clone();
        let thread = thread::spawn(move || other.take(1).map(|_| ()).is_ok());
        let ours = pool.take(1).map(|mut block| block[0] = 1).is_ok();
        let theirs = thread.join().unwrap();
        assert!(ours || theirs);
        assert_eq!(pool.available(), 1);
        assert!(pool.take(1).is_ok());
    });
}

/// Guards that no thread is refused while a block is free for it, whatever the others take and return.
#[test]
fn as_many_blocks_as_threads() {
    model(|| {
        let pool = BlockPool::new(2, 1).unwrap();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || {
                    for _ in 0..2 {
                        drop(pool.take(1).expect("two blocks for two threads"));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(pool.available(), 2);
    });
}

/// Guards three takers of two blocks: exactly those are refused that come while both are in use, and nobody hangs.
#[test]
fn three_for_two_blocks() {
    model(|| {
        let pool = BlockPool::new(2, 1).unwrap();
        let take = |pool: BlockPool| {
            move || match pool.take_owned(1) {
                Ok(block) => drop(block),
                Err(refused) => assert_eq!(refused, TakeBlockError::Exhausted { blocks: 2 }),
            }
        };
        let threads = [thread::spawn(take(pool.clone())), thread::spawn(take(pool.clone()))];
        take(pool.clone())();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((pool.available(), pool.stats().in_use()), (2, 0));
    });
}

/// Guards `max_size` and the balance of objects under concurrent returns.
#[test]
fn objects_returned_at_once() {
    model(|| {
        let pool = Arc::new(ObjectPool::new(|| Box::new(0), 1));
        let other = Arc::clone(&pool);
        let thread = thread::spawn(move || **other.get() += 1);
        **pool.get() += 1;
        thread.join().unwrap();
        let stats = pool.stats();
        assert_eq!(stats.idle, 1, "one of them is kept: {stats:?}");
        assert_eq!(stats.made - stats.dropped, 1, "{stats:?}");
        assert_eq!(stats.in_use(), 0);
    });
}

/// Guards an object that goes from hand to hand: what one user wrote is there for the next.
#[test]
fn objects_go_from_hand_to_hand() {
    model(|| {
        let pool = ObjectPool::new(|| Box::new(0), 2);
        let other = pool.clone();
        let thread = thread::spawn(move || **other.get_owned() += 1);
        **pool.get() += 1;
        thread.join().unwrap();
        let sum: i32 = std::iter::from_fn(|| pool.get_idle().map(aqueduct_pool::Pooled::detach))
            .map(|object| *object)
            .sum();
        assert_eq!(sum, 2);
    });
}

fn fill(mut buffer: PooledBuf) -> PooledBuf {
    buffer.extend_from_slice(b"x");
    buffer
}

/// Guards the normal case: made here, freed there, and taken again by whoever comes first once the other thread has ended.
#[test]
fn buffers_made_here_freed_there() {
    model(|| {
        let pool = BufferPool::default();
        let buffer = fill(pool.take(1));
        let frozen = fill(pool.take(1)).freeze();
        let thread = thread::spawn(move || {
            drop(buffer);
            drop(frozen);
        });
        drop(fill(pool.take(1)));
        thread.join().unwrap();
        drop(fill(pool.take(1)));
        let stats = pool.stats();
        assert_eq!((stats.in_use(), stats.taken), (0, 4), "{stats:?}");
    });
}

/// Guards the way through the depot: both threads spill and refill at the same time.
#[test]
fn buffers_through_the_depot() {
    model(|| {
        let pool = BufferPool::default();
        let work = |pool: &BufferPool| {
            let buffers: Vec<_> = (0..3).map(|_| fill(pool.take(1))).collect();
            drop(buffers);
        };
        let other = pool.clone();
        let thread = thread::spawn(move || work(&other));
        work(&pool);
        thread.join().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.in_use(), stats.dropped), (0, 0), "{stats:?}");
    });
}

/// Guards the end of a pool while a buffer is out and comes back on another thread: all memory is freed, once.
#[test]
fn the_pool_ends_before_its_buffers() {
    model(|| {
        let pool = BufferPool::default();
        let (first, second) = (fill(pool.take(1)), fill(pool.take(1)));
        let thread = thread::spawn(move || drop(first));
        drop(pool);
        drop(second);
        thread.join().unwrap();
    });
}

/// Guards the end of a pool whose memory lies in another thread's rack, while that thread hands it to the depot.
#[test]
fn the_pool_ends_while_a_thread_ends() {
    model(|| {
        let pool = BufferPool::default();
        let other = pool.clone();
        let thread = thread::spawn(move || drop(fill(other.take(1))));
        drop(fill(pool.take(1)));
        drop(pool);
        thread.join().unwrap();
    });
}

/// Guards trimming against a thread that takes and returns meanwhile.
#[test]
fn trim_while_in_use() {
    model(|| {
        let pool = BufferPool::default();
        let other = pool.clone();
        let thread = thread::spawn(move || {
            drop(fill(other.take(1)));
            drop(fill(other.take(1)));
        });
        pool.trim();
        thread.join().unwrap();
        pool.trim();
        let stats = pool.stats();
        // loom joins before it destroys thread-locals, so one buffer may be in the other thread's rack still.
        assert!(stats.made - stats.dropped <= 1, "{stats:?}");
        assert_eq!(stats.bytes as u64, 1024 * (stats.made - stats.dropped), "{stats:?}");
    });
}

/// Guards the cap against two threads that go for the last of it: neither gets what is not there, and the books balance.
#[test]
fn the_last_of_the_cap() {
    model(|| {
        let pool = BufferPool::new(BufferPoolConfig::default().with_max_bytes(1024));
        let other = pool.clone();
        let thread = thread::spawn(move || other.try_take(1).map(fill).is_ok());
        let ours = pool.try_take(1).map(fill).is_ok();
        assert!(thread.join().unwrap() || ours);
        assert!(pool.stats().high_water_bytes <= 1024);
        assert!(pool.try_take(1).is_ok());
    });
}
