//! A shard's table: a power of two of buckets behind one pointer that also says how many.

use core::marker::PhantomData;

use super::bucket::{Bucket, Entry, SLOTS, tag};

/// A table, or none. A word: the address of the first bucket, with the binary logarithm of their number in the low bits that
/// alignment leaves free, so that a lookup needs no header.
pub(super) struct Table<K, V> {
    tagged: *mut Bucket<K, V>,
}

/// 64-byte alignment leaves 6 bits, and no address space has more than 2^58 buckets.
const LOG_BITS: usize = align_of::<Bucket<u8, u8>>() - 1;

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Table<K, V> {
        *self
    }
}

impl<K, V> Copy for Table<K, V> {}

impl<K, V> Table<K, V> {
    /// Of the pointer that [`into_raw`](Table::into_raw) gave, or null.
    #[inline]
    pub(super) fn from_raw(tagged: *mut Bucket<K, V>) -> Table<K, V> {
        Table { tagged }
    }

    #[inline]
    pub(super) fn into_raw(self) -> *mut Bucket<K, V> {
        self.tagged
    }

    /// A new table of 2^`log` empty buckets, owned by whoever [`free`](Table::free)s it.
    pub(super) fn allocate(log: u32) -> Table<K, V> {
        let buckets = Box::into_raw(empty_buckets::<K, V>(1 << log)).cast::<Bucket<K, V>>();
        Table { tagged: buckets.map_addr(|address| address | log as usize) }
    }

    /// How many entries 2^`log` buckets take before they are too full: three quarters of their slots. (One a bucket
    /// in models, so that they grow.)
    pub(super) fn capacity_of(log: u32) -> usize {
        let slots = SLOTS << log;
        if cfg!(crossbeam_loom) { 1 << log } else { slots - slots.div_ceil(4) }
    }

    /// The smallest table that takes this many entries.
    pub(super) fn log_for(entries: usize) -> u32 {
        let mut log = 0;
        while Self::capacity_of(log) < entries {
            log += 1;
        }
        log
    }

    #[inline]
    pub(super) fn is_none(self) -> bool {
        self.tagged.is_null()
    }

    #[inline]
    fn log(self) -> u32 {
        (self.tagged.addr() & LOG_BITS) as u32
    }

    /// How many entries fit; 0 for none.
    pub(super) fn capacity(self) -> usize {
        if self.is_none() { 0 } else { Self::capacity_of(self.log()) }
    }

    /// How many buckets there are.
    ///
    /// # Panics
    /// If there is no table, in debug builds.
    #[inline]
    pub(super) fn buckets(self) -> usize {
        debug_assert!(!self.is_none());
        1 << self.log()
    }

    /// The buckets that may hold a hash, from its home on. Ends after one round.
    ///
    /// # Safety
    /// There is a table, and it is not freed as long as `'a` lasts.
    #[inline]
    pub(super) unsafe fn probe<'a>(self, hash: u64) -> Probe<'a, K, V> {
        let buckets = self.tagged.map_addr(|address| address & !LOG_BITS);
        let mask = self.buckets() - 1;
        Probe { buckets, mask, at: hash as usize & mask, left: mask, lives: PhantomData }
    }

    /// Tells the processor that the home bucket of a hash will be looked at. Nothing is read, so the table may even be gone.
    #[inline]
    pub(super) fn prefetch(self, hash: u64) {
        if !self.is_none() {
            let first = self.tagged.map_addr(|address| address & !LOG_BITS);
            prefetch(first.wrapping_add(hash as usize & (self.buckets() - 1)));
        }
    }

    /// A bucket by its place.
    ///
    /// # Safety
    /// As for [`probe`](Table::probe), and `at` is below [`buckets`](Table::buckets).
    #[inline]
    pub(super) unsafe fn bucket<'a>(self, at: usize) -> &'a Bucket<K, V> {
        debug_assert!(at < self.buckets());
        // SAFETY: there are more than `at` buckets, alive for `'a`.
        unsafe { &*self.tagged.map_addr(|address| address & !LOG_BITS).add(at) }
    }

    /// Puts an entry where a lookup for its hash will find it. Under the shard's lock.
    ///
    /// # Safety
    /// As for [`probe`](Table::probe). The table is not full, and holds no entry with this key.
    pub(super) unsafe fn place(self, hash: u64, entry: *mut Entry<K, V>) {
        // SAFETY: passed on.
        let mut probe = unsafe { self.probe(hash) };
        while !probe.bucket().fill(tag(hash), entry) {
            probe.bucket().overflow_up();
            let more = probe.advance();
            debug_assert!(more, "a table that is not full has a free slot");
        }
    }

    /// Empties the slot of an entry. Under the shard's lock.
    ///
    /// # Safety
    /// As for [`probe`](Table::probe); `bucket` and `slot` are where the entry with this hash is.
    pub(super) unsafe fn unplace(self, hash: u64, bucket: &Bucket<K, V>, slot: usize) {
        bucket.empty(slot);
        // SAFETY: passed on.
        let mut probe = unsafe { self.probe(hash) };
        while !core::ptr::eq(probe.bucket(), bucket) {
            probe.bucket().overflow_down();
            let more = probe.advance();
            debug_assert!(more, "the entry was placed along this way");
        }
    }

    /// The entries that are in the table, each as it is at its turn.
    ///
    /// # Safety
    /// As for [`probe`](Table::probe).
    pub(super) unsafe fn entries<'a>(self) -> impl Iterator<Item = *mut Entry<K, V>> + use<'a, K, V>
    where
        K: 'a,
        V: 'a,
    {
        let buckets = if self.is_none() { 0 } else { self.buckets() };
        (0..buckets).flat_map(move |at| {
            // SAFETY: below `buckets`; the rest is passed on.
            let bucket: &'a Bucket<K, V> = unsafe { self.bucket(at) };
            bucket.control().occupied().map(|slot| bucket.entry(slot)).filter(|entry| !entry.is_null())
        })
    }

    /// Gives back the memory of the buckets. The entries stay.
    ///
    /// # Safety
    /// There is a table from [`allocate`](Table::allocate), nobody uses it any more, and it is freed once.
    pub(super) unsafe fn free(self) {
        let count = self.buckets();
        let buckets = self.tagged.map_addr(|address| address & !LOG_BITS);
        // SAFETY: this is the box that `allocate` took apart.
        drop(unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(buckets, count)) });
    }
}

/// A walk along the buckets that may hold a hash.
pub(super) struct Probe<'a, K, V> {
    buckets: *mut Bucket<K, V>,
    mask: usize,
    at: usize,
    left: usize,
    lives: PhantomData<&'a Bucket<K, V>>,
}

impl<'a, K, V> Probe<'a, K, V> {
    /// Where the walk is.
    #[inline]
    pub(super) fn bucket(&self) -> &'a Bucket<K, V> {
        // SAFETY: `at` is masked to the number of buckets, which live for `'a` as `Table::probe` was promised.
        unsafe { &*self.buckets.add(self.at) }
    }

    /// One bucket further; `false` after a whole round.
    #[inline]
    pub(super) fn advance(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.at = (self.at + 1) & self.mask;
        true
    }
}

/// Starts to bring a cache line, without waiting. Locked instructions, such as those for pinning and for locks, hold up the loads behind
/// them; this one they do not.
#[inline]
pub(super) fn prefetch<T>(pointer: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: an SSE instruction, which every x86_64 has; it ignores addresses that cannot be read.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(pointer.cast::<i8>());
    }
    // Elsewhere there is no stable way to say so.
    let _ = pointer;
}

#[cfg(not(crossbeam_loom))]
fn empty_buckets<K, V>(count: usize) -> Box<[Bucket<K, V>]> {
    use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

    let layout = Layout::array::<Bucket<K, V>>(count).expect("a table fits into the address space");
    // SAFETY: a bucket is not empty, and `count` is at least 1.
    let memory = unsafe { alloc_zeroed(layout) }.cast::<Bucket<K, V>>();
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    // SAFETY: the memory has the layout of the slice and comes from the global allocator; atomics of zero and null are an empty bucket.
    unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(memory, count)) }
}

#[cfg(crossbeam_loom)]
fn empty_buckets<K, V>(count: usize) -> Box<[Bucket<K, V>]> {
    (0..count).map(|_| Bucket::new()).collect()
}
