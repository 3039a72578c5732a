//! One cache line of the table: seven entries and what a lookup has to know about them.
//!
//! The control word holds a tag for each slot, 7 bits of the entry's hash with the top bit set, or 0 for a free slot; and in
//! its last byte the *overflow*: how many entries that belong here, or before, were put behind this bucket because it was full.
//! A lookup reads the word once, looks only at slots with the right tag, and goes on to the next bucket only if the overflow is
//! not 0. So one that finds its key costs two cache lines, this and the entry, and one that does not mostly costs one.
//!
//! The scheme is that of F14 (Bronson and Shi, *Open-sourcing F14*, 2019). Counting the overflow instead of leaving tombstones lets
//! slots be used again at once, so that a table in which entries come and go never has to be cleaned up.

use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// How many entries a bucket holds. With the control word, one cache line.
pub(super) const SLOTS: usize = 7;

/// A key and its value, allocated together. Immutable once it can be found.
pub(super) struct Entry<K, V> {
    /// Kept so that growing needs no user's code.
    pub(super) hash: u64,
    pub(super) key: K,
    pub(super) value: V,
}

/// A line of the table.
#[repr(align(64))]
pub(super) struct Bucket<K, V> {
    /// Tags and overflow. Written under the shard's lock, read by everybody.
    control: AtomicU64,
    /// The entries. Written under the shard's lock, read by everybody who found the tag.
    slots: [AtomicPtr<Entry<K, V>>; SLOTS],
}

/// A control word as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Control(u64);

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// The bytes that are tags.
const TAGS: u64 = 0x00ff_ffff_ffff_ffff;
const OVERFLOW_SHIFT: u32 = 56;
/// At this count the overflow stays, because it no longer knows how many there are.
const SATURATED: u64 = 255;

/// The tag of a hash: never 0. The table uses the lower bits for the bucket and the topmost 7 for the shard.
#[inline]
pub(super) fn tag(hash: u64) -> u8 {
    (hash >> 50) as u8 | 0x80
}

/// Slots of a bucket, first to last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matches(u64);

impl Iterator for Matches {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

impl Control {
    /// The slots with this tag. Now and then another slot too (the subtraction borrows), which comparing keys sorts out.
    #[inline]
    pub(super) fn matching(self, tag: u8) -> Matches {
        let difference = self.0 ^ (u64::from(tag) * LOW_BITS);
        Matches(difference.wrapping_sub(LOW_BITS) & !difference & HIGH_BITS & TAGS)
    }

    /// The slots that hold an entry.
    #[inline]
    pub(super) fn occupied(self) -> Matches {
        Matches(self.0 & HIGH_BITS & TAGS)
    }

    /// A free slot.
    #[inline]
    fn free(self) -> Option<usize> {
        Matches(!self.0 & HIGH_BITS & TAGS).next()
    }

    #[inline]
    fn overflow(self) -> u64 {
        self.0 >> OVERFLOW_SHIFT
    }

    /// Whether entries that belong here may be further on.
    #[inline]
    pub(super) fn overflows(self) -> bool {
        self.overflow() != 0
    }
}

impl<K, V> Bucket<K, V> {
    #[cfg(crossbeam_loom)]
    pub(super) fn new() -> Bucket<K, V> {
        Bucket { control: AtomicU64::new(0), slots: core::array::from_fn(|_| AtomicPtr::default()) }
    }

    /// The control word.
    #[inline]
    pub(super) fn control(&self) -> Control {
        // Acquire: partner is the Release in `fill`; the slot of a tag is not read before the tag.
        Control(self.control.load(Ordering::Acquire))
    }

    /// What a slot leads to: null, or an entry that was there during the call.
    #[inline]
    pub(super) fn entry(&self, slot: usize) -> *mut Entry<K, V> {
        // Acquire: partner is the Release in `fill` and `replace`, after which the entry is initialised.
        self.slots[slot].load(Ordering::Acquire)
    }

    /// Puts an entry into a free slot, if there is one. Under the shard's lock.
    #[inline]
    pub(super) fn fill(&self, tag: u8, entry: *mut Entry<K, V>) -> bool {
        let control = self.writers_control();
        let Some(slot) = control.free() else { return false };
        // Release: partner is the Acquire in `entry`. Needed although the tag follows: a reader may come here by the tag of the slot's
        // former entry.
        self.slots[slot].store(entry, Ordering::Release);
        // Release: partner is the Acquire in `control`. From here on the entry is found.
        self.control.store(control.0 | u64::from(tag) << (8 * slot), Ordering::Release);
        true
    }

    /// Puts an entry in the place of another with the same key. Under the shard's lock.
    #[inline]
    pub(super) fn replace(&self, slot: usize, entry: *mut Entry<K, V>) {
        // Release: partner is the Acquire in `entry`.
        self.slots[slot].store(entry, Ordering::Release);
    }

    /// Empties a slot. Under the shard's lock.
    #[inline]
    pub(super) fn empty(&self, slot: usize) {
        // Release, both: a reader that sees them sees what this writer did before; nothing here depends on it. From the first on, the entry
        // is not found.
        self.slots[slot].store(core::ptr::null_mut(), Ordering::Release);
        self.control.store(self.writers_control().0 & !(0xff << (8 * slot)), Ordering::Release);
    }

    /// One more entry goes past this bucket. Under the shard's lock, and before the entry can be found.
    #[cold]
    pub(super) fn overflow_up(&self) {
        let control = self.writers_control();
        if control.overflow() < SATURATED {
            // Release: as for every store to the control word, so that a reader who sees it sees the slots of its tags.
            self.control.store(control.0 + (1 << OVERFLOW_SHIFT), Ordering::Release);
        }
    }

    /// One entry less is behind this bucket. Under the shard's lock, and after the entry cannot be found any more.
    #[cold]
    pub(super) fn overflow_down(&self) {
        let control = self.writers_control();
        if control.overflow() < SATURATED {
            // Release: as above.
            self.control.store(control.0 - (1 << OVERFLOW_SHIFT), Ordering::Release);
        }
    }

    fn writers_control(&self) -> Control {
        // Relaxed: only written under the lock that the caller holds.
        Control(self.control.load(Ordering::Relaxed))
    }
}
