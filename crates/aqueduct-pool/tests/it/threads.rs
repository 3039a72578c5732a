//! Several threads and several pools: ways home, ends of threads, ends of pools.

use std::cell::RefCell;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use aqueduct_pool::{BlockPool, BufferPool, ObjectPool, PooledBuf};
use bytes::BufMut;

/// Guards the normal case: what one thread makes and another frees is used again by the first, not made anew each time.
#[test]
fn made_here_freed_there() {
    let pool = BufferPool::default();
    let (sender, receiver) = sync_channel::<PooledBuf>(16);
    let consumer =
        thread::spawn(move || receiver.into_iter().map(|buffer| buffer.freeze().len()).sum::<usize>());
    for _ in 0..10_000 {
        let mut buffer = pool.take(4096);
        buffer.put_slice(&[1; 100]);
        sender.send(buffer).unwrap();
    }
    drop(sender);
    assert_eq!(consumer.join().unwrap(), 1_000_000);
    let stats = pool.stats();
    assert_eq!((stats.taken, stats.in_use()), (10_000, 0));
    // In flight, in the hands of both, and half a magazine that each may lag behind.
    assert!(stats.made < 200, "{stats:?}");
}

/// Guards the end of a thread: its magazines are the depot's, and its counters are not lost.
#[test]
fn a_thread_that_ends_hands_its_magazines_over() {
    let pool = BufferPool::default();
    let worker = pool.clone();
    thread::spawn(move || drop((0..20).map(|_| worker.take(2048)).collect::<Vec<_>>())).join().unwrap();
    assert_eq!(pool.stats().returned, 20);
    let buffers: Vec<_> = (0..20).map(|_| pool.take(2048)).collect();
    assert_eq!(pool.stats().made, 20, "the 20 of the other thread");
    drop(buffers);
}

/// Guards buffers that are dropped by the destructor of a thread-local, when the magazines may be gone already.
#[test]
fn buffers_in_thread_locals() {
    thread_local! {
        static KEPT: RefCell<Vec<(BufferPool, PooledBuf)>> = const { RefCell::new(Vec::new()) };
    }
    let pool = BufferPool::default();
    for first_kept in [true, false] {
        let mine = pool.clone();
        let keep = move || {
            // Whichever thread-local is used first is destroyed first, or last: both orders are tried.
            if !first_kept {
                drop(mine.take(1));
            }
            KEPT.with_borrow_mut(|kept| kept.push((mine.clone(), mine.take(1))));
        };
        thread::spawn(keep).join().unwrap();
    }
    assert_eq!(pool.stats().in_use(), 0);
    let stats = pool.stats();
    assert_eq!(stats.bytes as u64, 1024 * (stats.made - stats.dropped));
    pool.trim();
    assert_eq!(pool.stats().bytes, 0, "nothing is lost");
}

/// Guards many pools in one thread, more than it finds without a search.
#[test]
fn pools_do_not_mix() {
    let pools: Vec<_> = (0..30).map(|_| BufferPool::default()).collect();
    for _ in 0..3 {
        let buffers: Vec<_> = pools.iter().map(|pool| (pool.take(1024), pool.take(2048))).collect();
        drop(buffers);
    }
    for pool in &pools {
        let stats = pool.stats();
        assert_eq!((stats.taken, stats.made, stats.bytes), (6, 2, 3 * 1024));
    }
    let addresses: std::collections::HashSet<_> = pools.iter().map(|pool| pool.take(1024).as_ptr()).collect();
    assert_eq!(addresses.len(), 30);
}

/// Guards buffers and frozen bytes that outlive their pool, on this thread and another.
#[test]
fn the_pool_is_dropped_while_buffers_are_out() {
    let pool = BufferPool::default();
    let mut buffers: Vec<_> = (0..50).map(|number| (number, pool.take(1024))).collect();
    drop(pool.take(1024));
    drop(pool);
    for (number, buffer) in &mut buffers {
        buffer.put_bytes(*number, 3000);
    }
    let mut rest = buffers.split_off(25);
    let there = thread::spawn(move || {
        for (number, buffer) in rest.drain(..) {
            assert!(buffer.freeze().iter().all(|&byte| byte == number));
        }
    });
    for (number, buffer) in buffers {
        assert!(buffer.iter().all(|&byte| byte == number));
    }
    there.join().unwrap();
}

/// Guards trimming across threads: the others follow at their next operation.
#[test]
fn other_threads_trim_when_they_come_by() {
    let pool = BufferPool::default();
    let (go, wait) = channel::<()>();
    let (done, finished) = channel();
    let worker = pool.clone();
    let thread = thread::spawn(move || {
        drop((0..10).map(|_| worker.take(1024)).collect::<Vec<_>>());
        done.send(()).unwrap();
        wait.recv().unwrap();
        drop(worker.take(1024));
        done.send(()).unwrap();
        wait.recv().unwrap();
    });
    finished.recv().unwrap();
    pool.trim();
    assert_eq!(pool.stats().bytes, 10 * 1024, "nobody else may touch that thread's magazine");
    go.send(()).unwrap();
    finished.recv().unwrap();
    assert_eq!(pool.stats().bytes, 1024);
    go.send(()).unwrap();
    thread.join().unwrap();
}

/// Guards handles: the pool lives as long as any of them.
#[test]
fn clones_name_the_same_pool() {
    let pool = BufferPool::default();
    let clone = pool.clone();
    drop(pool.take(1024));
    drop(pool);
    assert_eq!((clone.stats().taken, clone.stats().bytes), (1, 1024));
    drop(clone.take(1024));
    assert_eq!(clone.stats().made, 1);
}

/// Guards owned guards of blocks and objects that outlive every handle.
#[test]
fn owned_guards_outlive_their_pools() {
    let blocks = BlockPool::new(2, 100).unwrap();
    let mut block = blocks.take_owned(100).unwrap();
    let objects = ObjectPool::new(|| vec![1], 4);
    let object = objects.get_owned();
    drop((blocks, objects));
    thread::spawn(move || {
        block.fill(7);
        assert_eq!(block.freeze(), [7; 100][..]);
        assert_eq!(*object, [1]);
    })
    .join()
    .unwrap();
}
