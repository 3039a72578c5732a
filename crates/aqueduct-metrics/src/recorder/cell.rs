//! What one thread has recorded in one distribution.
//!
//! A cell is changed by its owner alone, by relaxed loads and stores, and read by others at any time. Each word is right by itself; together they are
//! right at rest. Buckets have 32 bits, so that all of them fit into 16 KiB. One that is about to overflow hands what it has to the *spill* of its
//! distribution and starts anew, with the lock of the spill held; a reader holds it as well, so it sees the count in one place or the other.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aqueduct_lockfree::Absorb;

use crate::buckets;

/// Buckets that are allocated together: four powers of two, 1 KiB.
const BLOCK: usize = 256;
/// One more than needed, so that an index needs masking alone.
const BLOCKS: usize = 16;

const _: () = assert!(buckets::COUNT <= BLOCK * BLOCKS && BLOCKS.is_power_of_two());
/// 16 KiB for all blocks that there can be, the words beside them, and what an allocator adds.
const _: () =
    assert!(size_of::<Cell>() + buckets::COUNT.div_ceil(BLOCK) * (size_of::<Block>() + 16) + 16 <= 16 << 10);

type Block = [AtomicU32; BLOCK];

/// What did not fit into the buckets of the cells of one distribution, for all buckets; empty until something did not.
#[derive(Debug, Default)]
pub(super) struct Spill(Mutex<Vec<u64>>);

impl Spill {
    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Cell {
    /// Above `high` while nothing is recorded.
    low: AtomicU64,
    high: AtomicU64,
    /// What `high` is above `low`, for the owner.
    span: AtomicU64,
    /// Stays at the largest number once it would pass it.
    sum: AtomicU64,
    blocks: [OnceLock<Box<Block>>; BLOCKS],
    spill: Arc<Spill>,
}

/// What the cells of one distribution have, added up.
#[derive(Debug)]
pub(super) struct Total {
    pub(super) counts: Vec<u64>,
    pub(super) sum: u128,
    pub(super) low: u64,
    pub(super) high: u64,
}

impl Cell {
    pub(super) fn new(spill: Arc<Spill>) -> Cell {
        Cell {
            low: AtomicU64::new(u64::MAX),
            high: AtomicU64::new(0),
            span: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            blocks: [const { OnceLock::new() }; BLOCKS],
            spill,
        }
    }

    /// Records one value, as the owner.
    #[inline(always)]
    pub(super) fn record(&self, value: u64) {
        let index = buckets::index(value);
        let Some(block) = self.blocks[(index / BLOCK) % BLOCKS].get() else {
            return self.record_many(value, 1, value);
        };
        let bucket = &block[index % BLOCK];
        let Some(count) = bucket.load(Relaxed).checked_add(1) else {
            return self.record_many(value, 1, value);
        };
        bucket.store(count, Relaxed);
        self.add(value);
        // One comparison for both ends: below `low`, the difference wraps around.
        if value.wrapping_sub(self.low.load(Relaxed)) > self.span.load(Relaxed) {
            self.stretch(value, value);
        }
    }

    #[inline(always)]
    fn add(&self, sum: u64) {
        self.sum.store(self.sum.load(Relaxed).saturating_add(sum), Relaxed);
    }

    #[cold]
    #[inline(never)]
    fn stretch(&self, low: u64, high: u64) {
        let low = self.low.load(Relaxed).min(low);
        let high = self.high.load(Relaxed).max(high);
        self.low.store(low, Relaxed);
        self.high.store(high, Relaxed);
        self.span.store(high.saturating_sub(low), Relaxed);
    }

    /// Records `count` values of one bucket, that of `value`, which add up to `sum`, as the owner.
    #[cold]
    #[inline(never)]
    fn record_many(&self, value: u64, count: u64, sum: u64) {
        self.put(buckets::index(value), count);
        self.add(sum);
        self.stretch(value, value);
    }

    fn put(&self, index: usize, count: u64) {
        let block = self.blocks[(index / BLOCK) % BLOCKS]
            .get_or_init(|| Box::new([const { AtomicU32::new(0) }; BLOCK]));
        let bucket = &block[index % BLOCK];
        let before = bucket.load(Relaxed);
        match u32::try_from(u64::from(before).saturating_add(count)) {
            Ok(after) => bucket.store(after, Relaxed),
            Err(_) => {
                let mut spill = self.spill.lock();
                spill.resize(buckets::COUNT, 0);
                spill[index] = spill[index].saturating_add(count).saturating_add(before.into());
                bucket.store(0, Relaxed);
            }
        }
    }

    /// Records the values that would have been recorded `expected` apart while one of `value` kept them from it: `value`, `value - expected`, and so
    /// on down to `expected`. Takes no more steps than there are buckets.
    pub(super) fn record_corrected(&self, value: u64, expected: u64) {
        self.record(value);
        if expected == 0 {
            return;
        }
        let mut next = value.checked_sub(expected).filter(|next| *next >= expected);
        while let Some(high) = next {
            // All steps from `high` down that fall into its bucket, at once.
            let low = buckets::lowest(buckets::index(high)).max(expected);
            let steps = (high - low) / expected;
            let lowest = high - steps * expected;
            let count = u128::from(steps) + 1;
            let sum = (u128::from(high) + u128::from(lowest)) * count / 2;
            self.record_many(high, steps + 1, u64::try_from(sum).unwrap_or(u64::MAX));
            self.stretch(lowest, high);
            next = lowest.checked_sub(expected).filter(|next| *next >= expected);
        }
    }

    /// Adds up all cells of a distribution.
    pub(super) fn total(cells: &mut dyn Iterator<Item = &Cell>, spill: &Spill) -> Total {
        // Held while the buckets are read: what moves here from one of them is counted once.
        let spill = spill.lock();
        let mut total = Total { counts: vec![0; buckets::COUNT], sum: 0, low: u64::MAX, high: 0 };
        total.counts[..spill.len()].copy_from_slice(&spill);
        for cell in cells {
            for (block, counts) in cell.blocks.iter().zip(total.counts.chunks_mut(BLOCK)) {
                let Some(block) = block.get() else { continue };
                for (bucket, count) in block.iter().zip(counts) {
                    *count = count.saturating_add(bucket.load(Relaxed).into());
                }
            }
            total.sum = total.sum.saturating_add(cell.sum.load(Relaxed).into());
            total.low = total.low.min(cell.low.load(Relaxed));
            total.high = total.high.max(cell.high.load(Relaxed));
        }
        total
    }
}

impl Absorb for Cell {
    fn absorb(&self, other: &Self) {
        for (number, block) in other.blocks.iter().enumerate() {
            let Some(block) = block.get() else { continue };
            for (offset, bucket) in block.iter().enumerate() {
                let count = bucket.load(Relaxed);
                if count > 0 {
                    self.put(number * BLOCK + offset, count.into());
                }
            }
        }
        self.add(other.sum.load(Relaxed));
        self.stretch(other.low.load(Relaxed), other.high.load(Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(cells: &[&Cell]) -> Total {
        Cell::total(&mut cells.iter().copied(), &cells[0].spill)
    }

    /// Guards counts beyond 32 bits: in a bucket, when cells are joined, and a sum beyond 64 bits, which stays where it is.
    #[test]
    fn full_buckets_spill() {
        let spill = Arc::new(Spill::default());
        let [one, two] = [(); 2].map(|()| Cell::new(spill.clone()));
        one.put(7, u32::MAX.into());
        assert_eq!(total(&[&one]).counts[7], u64::from(u32::MAX));
        one.record(7);
        one.record(7);
        assert_eq!(total(&[&one]).counts[7], u64::from(u32::MAX) + 2);
        two.put(7, u64::from(u32::MAX) - 1);
        two.absorb(&one);
        assert_eq!(total(&[&two]).counts[7], 2 * u64::from(u32::MAX) + 1);
        one.record(u64::MAX);
        one.record(5);
        assert_eq!(total(&[&one]).sum, u128::from(u64::MAX));
        assert_eq!(total(&[&one]).counts.iter().sum::<u64>(), u64::from(u32::MAX) + 4);
    }
}
