//! Reading without locks, writing under a lock per shard, and growing.
//!
//! # Protocol
//!
//! The topmost bits of a hash choose the shard. A shard is a pointer to its table and, on another cache line, a lock for its writers.
//!
//! - *Read*: load the table's pointer, walk the buckets of the hash, load the entry's pointer where a tag matches, compare keys. Nothing
//!   is written, nothing is waited for; there is no retry.
//! - *Write*: under the lock. Replacing stores the new entry's pointer over the old one's; inserting stores the pointer, then the
//!   tag; removing stores null, then clears the tag. Entries never move within a table.
//! - *Grow*: under the lock, fill a new table with the same entries' pointers, then store its pointer. The old table is as it was at
//!   that moment, for ever.
//! - *Ownership*: the table that the pointer leads to owns its entries. Who takes an entry or a table out, under the lock, retires it to the
//!   epoch collector.
//!
//! # Why a reader sees the truth
//!
//! Take a lookup for key k. If it finds an entry, that entry's pointer was loaded from a slot: the entry was k's at that moment, or the table
//! had been replaced since the lookup loaded its pointer, and the entry was k's at the moment of replacing, which lies within the
//! lookup. If it finds none: had k been in the table from the lookup's first load to its last, its slot, its tag and the overflow
//! counts on the way would have stood still, and been seen. So k was absent at some moment in between (again, at the latest that of
//! replacing). Both ways there is a moment within the lookup at which its answer is right: lookups and writes of one key are
//! linearizable, and so are those of many, by the locality of linearizability (Herlihy and Wing, 1990).

use core::borrow::Borrow;
use core::marker::PhantomData;
use core::ptr;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crossbeam_utils::CachePadded;

use super::bucket::{Bucket, Entry, tag};
use super::guard::Guard;
use super::locked::{Locked, locate};
use super::table::{Table, prefetch};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The entries of a map.
pub(super) struct Shards<K, V> {
    /// A table a shard; a power of two of them, at most [`MOST`]. Written under the shard's lock, and seldom: growth, clearing. Read by everybody.
    tables: Box<[AtomicPtr<Bucket<K, V>>]>,
    /// What only writers touch, a line or two a shard.
    pub(super) writers: Box<[CachePadded<Writers>]>,
    /// How many entries there may be; `usize::MAX` for any number.
    limit: usize,
    /// How many entries there are, if there is a limit; otherwise 0. Written by those who insert or remove.
    total: CachePadded<AtomicUsize>,
    owns: PhantomData<Box<Entry<K, V>>>,
}

/// A shard, as its writers see it.
pub(super) struct Writers {
    pub(super) lock: Mutex<()>,
    /// How many entries the shard holds. Written under the lock, read by everybody.
    pub(super) len: AtomicUsize,
}

/// The most shards there can be: the topmost 7 bits of a hash choose.
pub(super) const MOST: usize = 128;

// SAFETY: threads share references to keys and values, and drop them wherever the collector happens to run.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for Shards<K, V> {}
// SAFETY: as above.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Shards<K, V> {}

/// Why an entry was not inserted. It comes back.
pub(super) enum Refused<'g, K, V> {
    /// Its key is there already, with this entry.
    Present(Box<Entry<K, V>>, &'g Entry<K, V>),
    /// The limit is reached.
    Full(Box<Entry<K, V>>),
}

impl<K, V> Shards<K, V> {
    /// `shards` is rounded up to a power of two and down to [`MOST`].
    pub(super) fn new(shards: usize, capacity: usize, limit: usize) -> Shards<K, V> {
        let shards = shards.clamp(1, MOST).next_power_of_two();
        // Hashes do not spread evenly: an eighth on top lets most shards get by without growing.
        let each = capacity.div_ceil(shards);
        let table = || match each {
            0 => ptr::null_mut(),
            _ => Table::allocate(Table::<K, V>::log_for(each.saturating_add(each / 8))).into_raw(),
        };
        Shards {
            tables: (0..shards).map(|_| AtomicPtr::new(table())).collect(),
            writers: (0..shards)
                .map(|_| CachePadded::new(Writers { lock: Mutex::new(()), len: AtomicUsize::new(0) }))
                .collect(),
            limit,
            total: CachePadded::new(AtomicUsize::new(0)),
            owns: PhantomData,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.tables.len()
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether an insertion would be refused now.
    pub(super) fn is_full(&self) -> bool {
        // Relaxed: a hint; `admit` decides.
        self.total.load(Ordering::Relaxed) >= self.limit
    }

    pub(super) fn len(&self) -> usize {
        if self.limit != usize::MAX {
            // Relaxed: a number that was right at some moment.
            return self.total.load(Ordering::Relaxed);
        }
        // Relaxed: each is a number of its own, and the sum may be one that never was, if others write meanwhile.
        self.writers.iter().map(|writers| writers.len.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn capacity(&self) -> usize {
        // Relaxed: only the number in the pointer is used.
        self.tables.iter().map(|table| Table::from_raw(table.load(Ordering::Relaxed)).capacity()).sum()
    }

    #[inline]
    fn shard(&self, hash: u64) -> usize {
        (hash >> 57) as usize & (self.tables.len() - 1)
    }

    #[inline]
    pub(super) fn table(&self, shard: usize) -> Table<K, V> {
        debug_assert!(shard < self.tables.len());
        // SAFETY: all callers take the index from `shard`, which masks it with a power of two minus 1, or count up to the length.
        let table = unsafe { self.tables.get_unchecked(shard) };
        // Acquire: partner is the Release in `publish`; the buckets are read through it.
        Table::from_raw(table.load(Ordering::Acquire))
    }

    /// Starts to bring the bucket of a hash into the cache: to be called before pinning or allocating.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        self.table(self.shard(hash)).prefetch(hash);
    }

    /// Starts to bring the entry of a hash into the cache: to be called before locking.
    #[inline]
    fn prefetch_entry(&self, hash: u64, _guard: &Guard) {
        let table = self.table(self.shard(hash));
        if !table.is_none() {
            // SAFETY: loaded while the guard lives, which keeps the table.
            let bucket = unsafe { table.probe(hash) }.bucket();
            if let Some(slot) = bucket.control().matching(tag(hash)).next() {
                prefetch(bucket.entry(slot));
            }
        }
    }

    /// The table of a shard, for iteration. It stays readable as long as the guard lives.
    pub(super) fn snapshot<'g>(&'g self, shard: usize, _guard: &'g Guard) -> Table<K, V> {
        assert!(shard < self.tables.len(), "there is such a shard");
        self.table(shard)
    }

    pub(super) fn publish(&self, shard: usize, table: Table<K, V>) {
        // Release: partner is the Acquire in `table`.
        self.tables[shard].store(table.into_raw(), Ordering::Release);
    }

    /// The entry of a key.
    #[inline]
    pub(super) fn find<'g, Q>(&'g self, hash: u64, key: &Q, _guard: &'g Guard) -> Option<&'g Entry<K, V>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let table = self.table(self.shard(hash));
        if table.is_none() {
            return None;
        }
        // SAFETY: the table was reachable after the guard was made, so it and what is in it are retired, if at all, while the guard
        // lives, and freed after.
        let place = unsafe { locate(table, hash, |entry| (*entry).key.borrow() == key) }?;
        // SAFETY: as above; an entry is initialised before it can be found, and not written after.
        Some(unsafe { &*place.entry })
    }
}

impl<K: Eq + Send + 'static, V: Send + 'static> Shards<K, V> {
    fn lock(&self, shard: usize) -> Locked<'_, K, V> {
        Locked::new(self, shard)
    }

    /// Puts an entry in, over the one that has its key. Returns both, the old one second; or gives it back if there is no room.
    #[expect(clippy::type_complexity, reason = "read by one caller each in two files")]
    pub(super) fn insert<'g>(
        &'g self,
        entry: Box<Entry<K, V>>,
        guard: &'g Guard,
    ) -> Result<(&'g Entry<K, V>, Option<&'g Entry<K, V>>), Box<Entry<K, V>>> {
        self.prefetch_entry(entry.hash, guard);
        let locked = self.lock(self.shard(entry.hash));
        match locked.locate(entry.hash, &entry.key) {
            None => Ok((locked.add(entry, guard)?, None)),
            Some(place) => {
                let (new, old) = (Box::into_raw(entry), place.entry);
                place.bucket.replace(place.slot, new);
                drop(locked);
                // SAFETY: both were in the table while the guard lived.
                Ok(unsafe { (&*new, Some(retire(old, guard))) })
            }
        }
    }

    /// The entry of a key, when no writer is at work on its shard.
    #[cold]
    pub(super) fn find_locked<'g>(
        &'g self,
        hash: u64,
        key: &K,
        _guard: &'g Guard,
    ) -> Option<&'g Entry<K, V>> {
        let place = self.lock(self.shard(hash)).locate(hash, key)?;
        // SAFETY: in the table while the guard lives.
        Some(unsafe { &*place.entry })
    }

    /// Puts an entry in if its key is not there.
    pub(super) fn insert_absent<'g>(
        &'g self,
        entry: Box<Entry<K, V>>,
        guard: &'g Guard,
    ) -> Result<&'g Entry<K, V>, Refused<'g, K, V>> {
        let locked = self.lock(self.shard(entry.hash));
        match locked.locate(entry.hash, &entry.key) {
            None => locked.add(entry, guard).map_err(Refused::Full),
            // SAFETY: in the table while the guard lives.
            Some(place) => Err(Refused::Present(entry, unsafe { &*place.entry })),
        }
    }

    /// Puts an entry in the place of this very one, unless that is not there any more. The keys are the same.
    pub(super) fn replace_exact<'g>(
        &'g self,
        old: &'g Entry<K, V>,
        new: Box<Entry<K, V>>,
        guard: &'g Guard,
    ) -> Result<&'g Entry<K, V>, Box<Entry<K, V>>> {
        let locked = self.lock(self.shard(old.hash));
        let Some(place) = locked.locate_exact(old) else { return Err(new) };
        let new = Box::into_raw(new);
        place.bucket.replace(place.slot, new);
        drop(locked);
        // SAFETY: both were in the table while the guard lived; the old one is out of it, and we took it out.
        unsafe {
            retire(place.entry, guard);
            Ok(&*new)
        }
    }

    /// Takes the entry of a key out.
    pub(super) fn remove<'g, Q>(&'g self, hash: u64, key: &Q, guard: &'g Guard) -> Option<&'g Entry<K, V>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.prefetch_entry(hash, guard);
        let locked = self.lock(self.shard(hash));
        let place = locked.locate(hash, key)?;
        let entry = locked.take_out(&place);
        drop(locked);
        // SAFETY: taken out under the lock, by us.
        Some(unsafe { retire(entry, guard) })
    }

    /// Takes this very entry out, unless it is not there any more.
    pub(super) fn remove_exact(&self, old: &Entry<K, V>, guard: &Guard) -> bool {
        let locked = self.lock(self.shard(old.hash));
        let Some(place) = locked.locate_exact(old) else { return false };
        let entry = locked.take_out(&place);
        drop(locked);
        // SAFETY: taken out under the lock, by us.
        unsafe { retire(entry, guard) };
        true
    }

    /// Takes all entries out, and gives the tables back.
    pub(super) fn clear(&self, guard: &Guard) {
        for shard in 0..self.count() {
            let locked = self.lock(shard);
            let table = locked.table();
            let len = self.writers[shard].len.load(Ordering::Relaxed);
            if table.is_none() {
                continue;
            }
            self.publish(shard, Table::from_raw(ptr::null_mut()));
            locked.set_len(0);
            self.discharge(len);
            drop(locked);
            // SAFETY: taken out under the lock, with all its entries, which nobody else can take out any more. K and V are Send and own
            // what they hold.
            unsafe { guard.defer(move || drop(drop_all(table))) };
        }
    }

    /// Makes the tables as small as they can be.
    pub(super) fn shrink(&self, guard: &Guard) {
        for shard in 0..self.count() {
            let locked = self.lock(shard);
            let len = self.writers[shard].len.load(Ordering::Relaxed);
            let log = Table::<K, V>::log_for(len);
            if Table::<K, V>::capacity_of(log) < locked.table().capacity() {
                locked.rebuild(log, guard);
            }
        }
    }

    /// Takes one of the places that the limit leaves.
    pub(super) fn admit(&self) -> bool {
        if self.limit == usize::MAX {
            return true;
        }
        // Relaxed: a counter; the entries themselves are published by their shards. Never above the limit, not even for a moment.
        self.total
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |total| {
                (total < self.limit).then_some(total + 1)
            })
            .is_ok()
    }

    pub(super) fn discharge(&self, entries: usize) {
        if self.limit != usize::MAX {
            // Relaxed: as in `admit`.
            self.total.fetch_sub(entries, Ordering::Relaxed);
        }
    }
}

/// Hands an entry to the collector; it can be read as long as the guard lives.
///
/// # Safety
/// The entry was taken out of the table under the lock, by the caller, while the guard lived.
unsafe fn retire<K, V>(entry: *mut Entry<K, V>, guard: &Guard) -> &Entry<K, V>
where
    K: Send + 'static,
    V: Send + 'static,
{
    // SAFETY: threads that pin from now on find neither it nor a table that leads to it; who takes an entry out is alone in retiring it. K and V are
    // Send and own what they hold.
    unsafe { guard.defer(move || drop(Box::from_raw(entry))) };
    // SAFETY: freed only after the guard is gone.
    unsafe { &*entry }
}

/// Frees a table and its entries; returns the first panic of a destructor.
///
/// # Safety
/// Nobody else uses either, now or later.
unsafe fn drop_all<K, V>(table: Table<K, V>) -> Option<Box<dyn Any + Send>> {
    let mut panicked = None;
    // SAFETY: the caller is alone; the entries are freed once, and the table after them.
    unsafe {
        for entry in table.entries() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(entry)))) {
                panicked.get_or_insert(payload);
            }
        }
        table.free();
    }
    panicked
}

impl<K, V> Drop for Shards<K, V> {
    fn drop(&mut self) {
        let mut panicked = None;
        for table in &self.tables {
            // Relaxed: exclusive access has ordered everything before.
            let table = Table::from_raw(table.load(Ordering::Relaxed));
            if !table.is_none() {
                // SAFETY: no reference into the map outlives the map; what is retired is not in the table any more.
                panicked = panicked.or(unsafe { drop_all(table) });
            }
        }
        if let Some(payload) = panicked
            && !std::thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}
