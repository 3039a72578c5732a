//! One thread and its buffers: classes, growth, freezing, cap, trimming.

use std::io::{IoSlice, Read, Write};

use aqueduct_pool::{BufferPool, BufferPoolConfig, PooledBuf};
use bytes::{Buf, BufMut, Bytes};

fn pool(max_bytes: usize) -> BufferPool {
    BufferPool::new(BufferPoolConfig::default().with_max_bytes(max_bytes))
}

fn filled(mut buffer: PooledBuf, byte: u8) -> PooledBuf {
    buffer.put_bytes(byte, buffer.capacity());
    buffer
}

/// Guards the classes at their edges.
#[test]
fn capacities_are_powers_of_two() {
    let pool = BufferPool::default();
    for (asked, given) in
        [(0, 1024), (1, 1024), (1024, 1024), (1025, 2048), (65_536, 65_536), (4 << 20, 4 << 20)]
    {
        let buffer = pool.take(asked);
        assert_eq!((buffer.capacity(), buffer.len(), buffer.is_pooled()), (given, 0, true));
        assert_eq!(buffer.as_ptr() as usize % 64, 0, "buffers begin on a cache line");
    }
    let large = pool.take((4 << 20) + 1);
    assert_eq!((large.capacity(), large.is_pooled()), ((4 << 20) + 64, false));
}

/// Guards that the whole capacity is ours to write, in all classes and colours, next to buffers that do the same.
#[test]
fn buffers_do_not_overlap() {
    let pool = pool(1 << 30);
    for size in [1 << 10, 1 << 12, 1 << 16, 1 << 20, 5 << 20] {
        let buffers: Vec<_> = (0..20).map(|number| filled(pool.take(size), number)).collect();
        for (number, buffer) in buffers.iter().enumerate() {
            assert!(buffer.iter().all(|&byte| usize::from(byte) == number));
        }
    }
}

/// Guards what the pool is for: the memory of the last buffer is the next one's.
#[test]
fn memory_is_used_again() {
    let pool = BufferPool::default();
    let first = pool.take(4096).as_ptr();
    assert_eq!(pool.take(4000).as_ptr(), first);
    assert_ne!(pool.take(1024).as_ptr(), first);
    assert_eq!(pool.stats().made, 2);
}

/// Guards the ways to write, and the growth behind each.
#[test]
fn writing_grows_by_class() {
    let pool = BufferPool::default();
    let mut buffer = pool.take(0);
    buffer.put_slice(&[1; 1000]);
    buffer.write_all(&[2; 1000]).unwrap();
    assert_eq!(buffer.capacity(), 2048);
    buffer.put_bytes(3, 1000);
    write!(&mut buffer as &mut dyn std::fmt::Write, "{:1000}", "").unwrap();
    buffer.extend([4; 1000]);
    buffer.extend([5; 1000].iter());
    assert_eq!(buffer.write_vectored(&[IoSlice::new(&[6; 500]), IoSlice::new(&[6; 500])]).unwrap(), 1000);
    buffer.put_u16(0x0707);
    assert_eq!((buffer.len(), buffer.capacity()), (7002, 8192));
    let runs: Vec<_> = buffer.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    assert_eq!(
        runs,
        [(1, 1000), (2, 1000), (3, 1000), (b' ', 1000), (4, 1000), (5, 1000), (6, 1000), (7, 2)]
    );
    drop(buffer);
    let stats = pool.stats();
    assert_eq!((stats.in_use(), stats.taken, stats.returned), (0, 4, 4), "each class was taken once");
}

/// Guards growth beyond the largest class.
#[test]
fn growth_goes_past_the_classes() {
    let pool = pool(64 << 20);
    let mut buffer = filled(pool.take(4 << 20), 9);
    buffer.put_u8(1);
    assert_eq!((buffer.capacity(), buffer.is_pooled()), (8 << 20, false));
    assert!(buffer[..4 << 20].iter().all(|&byte| byte == 9));
    drop(buffer);
    assert_eq!(pool.stats().bytes, 4 << 20, "of the two, the pool keeps the one that has a class");
}

/// Guards the room that readers read into: never empty, and exactly what is left.
#[test]
fn spare_room_is_handed_out_uninitialised() {
    let pool = BufferPool::default();
    let mut buffer = pool.take(1024);
    assert_eq!(buffer.chunk_mut().len(), 1024);
    buffer.put_bytes(1, 1000);
    assert_eq!((buffer.chunk_mut().len(), buffer.spare_capacity_mut().len()), (24, 24));
    buffer.put_bytes(1, 24);
    assert_eq!(buffer.spare_capacity_mut().len(), 0);
    assert_eq!(buffer.chunk_mut().len(), 1024, "a full buffer grows when asked for room");
    let mut source = Read::take(&[7; 5000][..], 3000);
    let mut copied = pool.take(1024);
    std::io::copy(&mut source, &mut copied).unwrap();
    assert_eq!(&copied[..], [7; 3000]);
}

/// Guards against writing past the end by a wrong count.
#[test]
#[should_panic(expected = "advanced by 1025 bytes where 1024 are left")]
fn advancing_past_the_capacity_panics() {
    let mut buffer = BufferPool::default().take(1024);
    // SAFETY: it panics, which is the point.
    unsafe { buffer.advance_mut(1025) };
}

/// Guards the slice side: contents can be read, changed, cut and forgotten.
#[test]
fn it_reads_like_a_slice() {
    let mut buffer = BufferPool::default().take(10);
    assert!(buffer.is_empty());
    buffer.put_slice(b"abcdef");
    buffer[0] = b'A';
    buffer.reverse();
    buffer.truncate(100);
    assert_eq!(&buffer[..], b"fedcbA");
    buffer.truncate(2);
    assert_eq!((AsRef::<[u8]>::as_ref(&buffer), buffer.len()), (&b"fe"[..], 2));
    assert_eq!(buffer.as_mut(), b"fe");
    assert_eq!(format!("{buffer:?}"), "PooledBuf { len: 2, capacity: 1024, pooled: true, .. }");
    buffer.clear();
    assert_eq!((buffer.len(), buffer.capacity()), (0, 1024));
}

/// Guards that frozen memory comes back with the last of its clones and slices, not before.
#[test]
fn frozen_memory_comes_back_with_the_last_slice() {
    let pool = BufferPool::default();
    let mut buffer = pool.take(1024);
    buffer.put_slice(b"head body tail");
    let address = buffer.as_ptr();
    let whole = buffer.freeze();
    assert_eq!(whole.as_ptr(), address, "nothing was copied");
    let (body, mut tail) = (whole.slice(5..9), whole.clone());
    tail.advance(10);
    drop(whole);
    assert_ne!(pool.take(1024).as_ptr(), address);
    drop(body);
    assert_eq!((&tail[..], pool.stats().in_use()), (&b"tail"[..], 1));
    drop(tail);
    assert_eq!(pool.stats().in_use(), 0);
    assert_eq!(pool.take(1024).as_ptr(), address);
    assert_eq!(Bytes::from(pool.take(1)), Bytes::new());
}

/// Guards the cap: refused where that was asked for, given and counted where it was not, and never kept.
#[test]
fn the_cap_holds() {
    let pool = pool(10 << 10);
    let within: Vec<_> = (0..10).map(|_| pool.try_take(1024).unwrap()).collect();
    let refused = pool.try_take(1024).unwrap_err();
    assert_eq!((refused.asked, refused.max_bytes, refused.is_retryable()), (1024, 10 << 10, true));
    assert_eq!(
        refused.to_string(),
        "a buffer of 1024 bytes does not fit below the pool's cap of 10240 bytes"
    );
    let beyond = filled(pool.take(1024), 1);
    assert!(!beyond.is_pooled());
    let stats = pool.stats();
    assert_eq!((stats.bytes, stats.high_water_bytes), (11 << 10, 11 << 10));
    assert_eq!((stats.over_cap, stats.refused), (1, 1));
    drop((within, beyond));
    let stats = pool.stats();
    assert_eq!((stats.bytes, stats.dropped, stats.in_use()), (10 << 10, 1, 0));
    assert_eq!(stats.high_water_bytes, 11 << 10);
    assert!(!pool.try_take(20 << 10).unwrap_err().is_retryable());
}

/// Guards that memory of one size, idle since the morning, does not keep another size out for ever.
#[test]
fn idle_memory_of_other_classes_gives_way() {
    let pool = pool(64 << 10);
    assert_eq!(pool.prefill(1024, 100), 64);
    let buffer = pool.try_take(32 << 10).expect("32 idle buffers of 1 KiB are freed for it");
    assert_eq!((pool.stats().dropped, pool.stats().bytes), (32, 64 << 10));
    drop(buffer);
    assert!(pool.try_take(128 << 10).is_err());
    assert_eq!(pool.stats().dropped, 32, "what can never fit drives nothing out");
}

/// Guards `try_reserve`: refused without harm, and content with the least where doubling does not fit.
#[test]
fn growing_within_the_cap() {
    let pool = pool(8 << 10);
    let mut buffer = pool.take(1024);
    buffer.put_slice(b"kept");
    buffer.try_reserve(1500).unwrap();
    assert_eq!((buffer.capacity(), &buffer[..]), (2048, &b"kept"[..]));
    let refused = buffer.try_reserve(8000).unwrap_err();
    assert_eq!((refused.asked, &buffer[..]), (8192, &b"kept"[..]));
    buffer.reserve(8000);
    assert_eq!((buffer.capacity(), &buffer[..]), (8192, &b"kept"[..]));
}

/// Guards trimming, and that counters and memory agree afterwards.
#[test]
fn trimming_frees_what_is_idle() {
    let pool = BufferPool::default();
    let held = pool.take(4096);
    drop((0..100).map(|_| pool.take(4096)).collect::<Vec<_>>());
    assert_eq!(pool.stats().bytes, 101 * 4096);
    assert_eq!(pool.trim(), 100 * 4096);
    assert_eq!(pool.stats().bytes, 4096);
    drop(held);
    assert_eq!((pool.trim(), pool.stats().bytes), (4096, 0));
    let stats = pool.stats();
    assert_eq!((stats.made, stats.dropped), (101, 101));
}

/// Guards prefilled memory: it is there, counted, and used.
#[test]
fn prefilled_memory_is_used() {
    let pool = BufferPool::default();
    assert_eq!((pool.prefill(10_000, 40), pool.prefill(5 << 20, 3)), (40, 0));
    let buffers: Vec<_> = (0..40).map(|_| pool.take(10_000)).collect();
    assert_eq!(pool.stats().made, 40);
    drop(buffers);
}

/// Old contents reach the next user: not through safe code, and with `zero_on_return` not at all.
#[test]
fn old_contents_reach_the_next_user() {
    for size in [1 << 10, 1 << 16, 4 << 20] {
        let pool = BufferPool::new(BufferPoolConfig::default().with_zero_on_return());
        let mut buffer = filled(pool.take(size), 0xaa);
        let address = buffer.as_ptr();
        buffer.truncate(1);
        drop(buffer);
        let mut buffer = pool.take(size);
        assert_eq!((buffer.as_ptr(), buffer.len()), (address, 0));
        // SAFETY: the earlier user initialised all of it, and the pool has overwritten it.
        unsafe { buffer.set_len(size) };
        assert!(buffer.iter().all(|&byte| byte == 0));
    }
}

/// Guards a pool that may keep nothing: everything works, nothing stays.
#[test]
fn a_cap_of_zero_keeps_nothing() {
    let pool = pool(0);
    drop(filled(pool.take(4096), 1).freeze());
    assert!(pool.try_take(1).is_err());
    assert_eq!((pool.prefill(1024, 1), pool.trim(), pool.stats().bytes), (0, 0, 0));
    assert_eq!((pool.stats().made, pool.stats().dropped, pool.stats().over_cap), (1, 1, 1));
}

/// Guards the bound on magazines: a small pool does not lie idle in one thread.
#[test]
fn magazines_are_small_in_small_pools() {
    let pool = pool(64 << 10);
    let buffers: Vec<_> = (0..64).map(|_| pool.take(1024)).collect();
    drop(buffers);
    let there = std::thread::spawn({
        let pool = pool.clone();
        move || (0..60).map(|_| pool.try_take(1024)).filter(Result::is_ok).count()
    });
    assert_eq!(there.join().unwrap(), 60, "a sixteenth of the pool, 4 buffers, may stay with this thread");
}
