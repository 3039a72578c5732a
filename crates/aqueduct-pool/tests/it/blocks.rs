//! Blocks: exclusive, bounded, in rotation.

use std::collections::HashSet;

use aqueduct_pool::{BlockPool, BlockPoolConfig, BuildBlocksError, TakeBlockError};

/// `&mut` handed out from `&self`: two guards at a time never show the same bytes.
#[test]
fn mut_handed_out_from_a_shared_reference() {
    let pool = BlockPool::new(16, 100).unwrap();
    let mut blocks: Vec<_> = (0..16).map(|_| pool.take(100).unwrap()).collect();
    for (number, block) in blocks.iter_mut().enumerate() {
        block.fill(number as u8);
    }
    for (number, block) in blocks.iter().enumerate() {
        assert!(block.iter().all(|&byte| usize::from(byte) == number));
        assert_eq!(block.as_ptr() as usize % 64, 0);
    }
    assert_eq!(blocks.iter().map(|block| block.index()).collect::<HashSet<_>>().len(), 16);
}

/// Blocks never come back: they do, as often as one likes, in any order.
#[test]
fn blocks_never_come_back() {
    let pool = BlockPool::new(3, 64).unwrap();
    for _ in 0..100 {
        let (first, second, third) =
            (pool.take(64).unwrap(), pool.take_owned(64).unwrap(), pool.take(1).unwrap());
        assert_eq!(pool.take(1).unwrap_err(), TakeBlockError::Exhausted { blocks: 3 });
        drop(second);
        let again = pool.take_owned(2).unwrap();
        drop((first, again, third));
    }
    let stats = pool.stats();
    assert_eq!((stats.taken, stats.returned, stats.refused, stats.in_use()), (400, 400, 100, 0));
    assert_eq!((pool.available(), pool.blocks(), pool.block_size()), (3, 3, 64));
}

/// The index wraps and two users share a block: after the last block comes the first, unless it is in use.
#[test]
fn the_index_wraps_and_two_users_share_a_block() {
    let pool = BlockPool::new(5, 10).unwrap();
    let order: Vec<_> = (0..12).map(|_| pool.take(10).unwrap().index()).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]);
    let held = pool.take(10).unwrap();
    assert_eq!(held.index(), 2);
    let order: Vec<_> = (0..8).map(|_| pool.take(10).unwrap().index()).collect();
    assert_eq!(order, [3, 4, 0, 1, 3, 4, 0, 1], "the one in use is passed over");
}

/// Old contents reach the next user: zeroed by default, kept where that was asked for.
#[test]
fn old_contents_reach_the_next_user() {
    let pool = BlockPool::new(1, 64).unwrap();
    pool.take(64).unwrap().fill(1);
    assert_eq!(&pool.take(64).unwrap()[..], [0; 64]);
    let pool = BlockPoolConfig::new(1, 64).with_contents_kept().build().unwrap();
    assert_eq!(&pool.take(64).unwrap()[..], [0; 64], "zeroes at first");
    pool.take(32).unwrap().fill(1);
    assert_eq!(pool.take(64).unwrap().iter().map(|&byte| u32::from(byte)).sum::<u32>(), 32);
}

/// Guards the two refusals and their texts.
#[test]
fn refusals_say_why() {
    let pool = BlockPool::new(1, 4096).unwrap();
    let large = pool.take(4097).unwrap_err();
    assert_eq!(large, TakeBlockError::TooLarge { asked: 4097, block_size: 4096 });
    assert_eq!(
        (large.to_string().as_str(), large.is_retryable()),
        ("4097 bytes asked for, a block has 4096", false)
    );
    let _block = pool.take(1).unwrap();
    let exhausted = pool.take(1).unwrap_err();
    assert_eq!((exhausted.to_string().as_str(), exhausted.is_retryable()), ("all 1 blocks are in use", true));
}

/// Guards odd shapes: no blocks, blocks without bytes, a megabyte, more than there can be.
#[test]
fn odd_shapes() {
    assert_eq!(BlockPool::new(0, 10).unwrap().take(1).unwrap_err(), TakeBlockError::Exhausted { blocks: 0 });
    let empty = BlockPool::new(70, 0).unwrap();
    let blocks: Vec<_> = (0..70).map(|_| empty.take(0).unwrap()).collect();
    assert!(empty.take(0).is_err() && empty.take(1).is_err());
    drop(blocks);
    let large = BlockPool::new(3, 1 << 20).unwrap();
    let mut block = large.take(1 << 20).unwrap();
    block[(1 << 20) - 1] = 1;
    let too_large = BlockPool::new(usize::MAX, 64).unwrap_err();
    assert_eq!(too_large, BuildBlocksError::TooLarge { blocks: usize::MAX, block_size: 64 });
    assert!(BlockPool::new(1, usize::MAX).is_err());
    // More than the allocator of these tests gives, and less than the type allows.
    let refused = BlockPool::new(1 << 10, 1 << 52).unwrap_err();
    assert_eq!(refused, BuildBlocksError::OutOfMemory { bytes: 1 << 62 });
}
