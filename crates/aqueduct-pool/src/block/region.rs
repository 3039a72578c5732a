//! The memory of a block pool, and who may use which part of it.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use super::pool::{BlockPoolConfig, BlockPoolStats};
use crate::error::{BuildBlocksError, TakeBlockError};
use crate::slots::SlotSet;
use crate::sync::{AtomicU64, AtomicUsize, Ordering, Padded};

/// Blocks begin on a cache line, so that neighbours do not share one.
const ALIGN: usize = 64;

#[derive(Debug)]
pub(super) struct Region {
    /// All blocks; dangling if they have no bytes.
    start: NonNull<u8>,
    layout: Layout,
    /// From one block to the next: the block size in whole cache lines.
    stride: usize,
    config: BlockPoolConfig,
    /// The numbers of the blocks that nobody uses.
    free: SlotSet,
    /// Where the next search begins: behind the block taken last. Written by takers, read by takers, right or wrong.
    next: AtomicUsize,
    counts: Padded<Counts>,
    /// Stands for the bytes where loom can see it.
    #[cfg(crossbeam_loom)]
    watched: Vec<loom::cell::UnsafeCell<()>>,
}

/// Plain counters: Relaxed throughout, they order nothing.
#[derive(Debug, Default)]
struct Counts {
    /// Raised by takers.
    taken: AtomicU64,
    /// Raised by guards that are dropped.
    returned: AtomicU64,
    /// Raised by takers that found nothing.
    refused: AtomicU64,
}

/// What a guard owns: `len` bytes from `start`, which is block `index`.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) start: NonNull<u8>,
    pub(super) len: usize,
    pub(super) index: usize,
}

// SAFETY: `start` is an address in memory that nobody uses but through claims, and each claim has one owner.
unsafe impl Send for Region {}
// SAFETY: as above; everything else in it is made for sharing.
unsafe impl Sync for Region {}

impl Region {
    pub(super) fn new(config: BlockPoolConfig) -> Result<Region, BuildBlocksError> {
        let BlockPoolConfig { blocks, block_size, .. } = config;
        let too_large = BuildBlocksError::TooLarge { blocks, block_size };
        let stride = block_size.checked_next_multiple_of(ALIGN).ok_or(too_large)?;
        let bytes = stride.checked_mul(blocks).ok_or(too_large)?;
        let layout = Layout::from_size_align(bytes, ALIGN).map_err(|_| too_large)?;
        // First, because it is given back by itself if the blocks are refused.
        let free = SlotSet::full(blocks)
            .map_err(|_| BuildBlocksError::OutOfMemory { bytes: SlotSet::bytes_for(blocks) })?;
        let start = match bytes {
            0 => NonNull::without_provenance(
                const { std::num::NonZeroUsize::new(ALIGN).expect("64 is not 0") },
            ),
            _ => {
                // SAFETY: the size is not zero.
                let start = unsafe { alloc_zeroed(layout) };
                NonNull::new(start).ok_or(BuildBlocksError::OutOfMemory { bytes })?
            }
        };
        Ok(Region {
            start,
            layout,
            stride,
            free,
            next: AtomicUsize::new(0),
            counts: Padded::default(),
            #[cfg(crossbeam_loom)]
            watched: (0..blocks).map(|_| loom::cell::UnsafeCell::new(())).collect(),
            config,
        })
    }

    pub(super) fn config(&self) -> &BlockPoolConfig {
        &self.config
    }

    pub(super) fn available(&self) -> usize {
        self.free.len()
    }

    pub(super) fn stats(&self) -> BlockPoolStats {
        // Relaxed: see `Counts`. `returned` before `taken`, so that no block seems returned before it was taken.
        let returned = self.counts.0.returned.load(Ordering::Relaxed);
        BlockPoolStats {
            taken: self.counts.0.taken.load(Ordering::Relaxed),
            returned,
            refused: self.counts.0.refused.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub(super) fn take(&self, len: usize) -> Result<Claim, TakeBlockError> {
        if len > self.config.block_size {
            self.counts.0.refused.fetch_add(1, Ordering::Relaxed);
            return Err(TakeBlockError::TooLarge { asked: len, block_size: self.config.block_size });
        }
        // Relaxed: only a place to begin; two threads that read the same number look at the same block, and one gets it.
        let Some(index) = self.free.take(self.next.load(Ordering::Relaxed)) else {
            self.counts.0.refused.fetch_add(1, Ordering::Relaxed);
            return Err(TakeBlockError::Exhausted { blocks: self.config.blocks });
        };
        let next = if index + 1 == self.config.blocks { 0 } else { index + 1 };
        self.next.store(next, Ordering::Relaxed);
        self.counts.0.taken.fetch_add(1, Ordering::Relaxed);
        self.used(index);
        // SAFETY: `index` is below the number of blocks, so this is within the allocation (or no bytes at all, if blocks have none).
        let start = unsafe { self.start.add(index * self.stride) };
        Ok(Claim { start, len, index })
    }

    /// Ends a claim.
    ///
    /// # Safety
    /// The claim is one that `take` of this region gave out, it has not been ended, and nobody uses its bytes afterwards.
    #[inline]
    pub(super) unsafe fn put(&self, claim: &Claim) {
        self.used(claim.index);
        if self.config.zero_on_return {
            // SAFETY: the claim's bytes are the caller's still. More than these it could not write.
            unsafe { claim.start.as_ptr().write_bytes(0, claim.len) };
        }
        self.counts.0.returned.fetch_add(1, Ordering::Relaxed);
        self.free.put(claim.index);
    }

    /// Tells loom that the caller uses the bytes of a block. Nothing otherwise.
    #[inline]
    fn used(&self, index: usize) {
        #[cfg(crossbeam_loom)]
        self.watched[index].with_mut(|_| ());
        #[cfg(not(crossbeam_loom))]
        let _ = index;
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: allocated with this layout. Guards borrow the pool or keep the region alive, so there are none.
            unsafe { dealloc(self.start.as_ptr(), self.layout) };
        }
    }
}
