//! Oracles: a buffer against `Vec<u8>`, a block pool against a set of free numbers, under random operations.

use std::collections::BTreeSet;

use aqueduct_pool::{BlockPool, BufferPool, BufferPoolConfig, ObjectPool};
use bytes::BufMut;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Write {
    Slice(u16),
    Repeat(u8, u32),
    Byte(u8),
    Clear,
    Truncate(u32),
    Reserve(u32),
    Freeze,
    Take(u32),
    Trim,
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        4 => any::<u16>().prop_map(Write::Slice),
        2 => (any::<u8>(), 0..100_000_u32).prop_map(|(byte, count)| Write::Repeat(byte, count)),
        2 => any::<u8>().prop_map(Write::Byte),
        1 => Just(Write::Clear),
        1 => (0..200_000_u32).prop_map(Write::Truncate),
        1 => (0..300_000_u32).prop_map(Write::Reserve),
        1 => Just(Write::Freeze),
        1 => (0..100_000_u32).prop_map(Write::Take),
        1 => Just(Write::Trim),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards contents through growth, reuse, freezing and trimming, with a cap that is often reached.
    #[test]
    fn a_buffer_is_a_vector(writes in prop::collection::vec(write(), 1..60), max_bytes in 0..2_000_000_usize) {
        let pool = BufferPool::new(BufferPoolConfig::default().with_max_bytes(max_bytes));
        let mut frozen = Vec::new();
        let (mut ours, mut oracle) = (pool.take(0), Vec::new());
        for write in writes {
            match write {
                Write::Slice(len) => {
                    let bytes: Vec<u8> = (0..len).map(|index| index as u8).collect();
                    ours.put_slice(&bytes);
                    oracle.extend_from_slice(&bytes);
                }
                Write::Repeat(byte, count) => {
                    ours.put_bytes(byte, count as usize);
                    oracle.resize(oracle.len() + count as usize, byte);
                }
                Write::Byte(byte) => {
                    ours.put_u8(byte);
                    oracle.push(byte);
                }
                Write::Clear => {
                    ours.clear();
                    oracle.clear();
                }
                Write::Truncate(len) => {
                    ours.truncate(len as usize);
                    oracle.truncate(len as usize);
                }
                Write::Reserve(more) => {
                    ours.reserve(more as usize);
                    prop_assert!(ours.capacity() - ours.len() >= more as usize);
                }
                Write::Freeze => {
                    frozen.push((std::mem::replace(&mut ours, pool.take(0)).freeze(), std::mem::take(&mut oracle)));
                }
                Write::Take(capacity) => {
                    ours = pool.take(capacity as usize);
                    oracle.clear();
                    prop_assert!(ours.capacity() >= capacity as usize);
                }
                Write::Trim => {
                    pool.trim();
                }
            }
            prop_assert_eq!(&ours[..], &oracle[..]);
        }
        for (bytes, oracle) in &frozen {
            prop_assert_eq!(&bytes[..], &oracle[..]);
        }
        drop((ours, frozen));
        let stats = pool.stats();
        prop_assert_eq!(stats.in_use(), 0);
        prop_assert!(stats.bytes <= max_bytes, "{:?}", stats);
        pool.trim();
        let stats = pool.stats();
        prop_assert_eq!((stats.bytes, stats.made), (0, stats.dropped));
    }

    /// Guards which block is handed out, and when none is.
    #[test]
    fn blocks_are_a_set_of_numbers(blocks in 1..140_usize, takes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..400)) {
        let pool = BlockPool::new(blocks, 16).unwrap();
        let mut free: BTreeSet<usize> = (0..blocks).collect();
        let (mut held, mut next) = (Vec::new(), 0);
        for (take, which) in takes {
            if take {
                let expected = free.range(next..).chain(free.range(..next)).next().copied();
                let block = pool.take(16).ok();
                prop_assert_eq!(block.as_ref().map(|block| block.index()), expected);
                if let Some(block) = block {
                    free.remove(&block.index());
                    next = (block.index() + 1) % blocks;
                    held.push(block);
                }
            } else if !held.is_empty() {
                let block = held.swap_remove(which.index(held.len()));
                free.insert(block.index());
            }
            prop_assert_eq!(pool.available(), free.len());
        }
    }

    /// Guards how many objects are kept and destroyed, whatever is taken, returned and detached.
    #[test]
    fn objects_are_counted(max_size in 0..70_usize, takes in prop::collection::vec((0..4_u8, any::<prop::sample::Index>()), 1..300)) {
        let pool = ObjectPool::new(|| Box::new(0), max_size);
        let (mut held, mut idle, mut made, mut dropped) = (Vec::new(), 0, 0, 0);
        for (what, which) in takes {
            match what {
                0 | 1 => {
                    held.push(pool.get());
                    if idle > 0 { idle -= 1 } else { made += 1 }
                }
                2 if !held.is_empty() => {
                    drop(held.swap_remove(which.index(held.len())));
                    if idle < max_size { idle += 1 } else { dropped += 1 }
                }
                3 if !held.is_empty() => {
                    let _: Box<i32> = aqueduct_pool::Pooled::detach(held.swap_remove(which.index(held.len())));
                }
                _ => {}
            }
            let stats = pool.stats();
            prop_assert_eq!((stats.idle, stats.made, stats.dropped), (idle, made, dropped));
            prop_assert_eq!(stats.in_use(), held.len() as u64);
        }
    }
}
