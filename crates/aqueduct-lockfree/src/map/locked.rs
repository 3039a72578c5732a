//! Finding an entry in a table, and changing a shard under its lock.

use core::borrow::Borrow;
use core::ptr;

use super::bucket::{Bucket, Entry, tag};
use super::guard::Guard;
use super::shards::Shards;
use super::table::Table;
use crate::sync::atomic::Ordering;
use crate::sync::{self, MutexGuard};

/// Where an entry was found.
pub(super) struct Place<'a, K, V> {
    pub(super) bucket: &'a Bucket<K, V>,
    pub(super) slot: usize,
    pub(super) entry: *mut Entry<K, V>,
}

/// Looks for an entry with this hash that `is` the one.
///
/// # Safety
/// There is a table, and neither it nor an entry that was in it during the call is freed as long as `'a` lasts.
#[inline]
pub(super) unsafe fn locate<'a, K, V>(
    table: Table<K, V>,
    hash: u64,
    is: impl Fn(*mut Entry<K, V>) -> bool,
) -> Option<Place<'a, K, V>> {
    let tag = tag(hash);
    // SAFETY: passed on.
    let mut probe = unsafe { table.probe(hash) };
    loop {
        let bucket = probe.bucket();
        let control = bucket.control();
        for slot in control.matching(tag) {
            let entry = bucket.entry(slot);
            // Null: removed since the control word was read.
            if !entry.is_null() && is(entry) {
                return Some(Place { bucket, slot, entry });
            }
        }
        if !control.overflows() || !probe.advance() {
            return None;
        }
    }
}

/// A shard with its lock held.
pub(super) struct Locked<'a, K, V> {
    shards: &'a Shards<K, V>,
    shard: usize,
    _held: MutexGuard<'a, ()>,
}

impl<'a, K: Eq + Send + 'static, V: Send + 'static> Locked<'a, K, V> {
    pub(super) fn new(shards: &'a Shards<K, V>, shard: usize) -> Locked<'a, K, V> {
        // A panic in a key's `Eq` is the only one there can be under the lock, and nothing is half done then.
        let held = sync::lock(&shards.writers[shard].lock);
        Locked { shards, shard, _held: held }
    }

    pub(super) fn table(&self) -> Table<K, V> {
        self.shards.table(self.shard)
    }

    pub(super) fn locate<Q>(&self, hash: u64, key: &Q) -> Option<Place<'a, K, V>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        // SAFETY: passed on; an entry in the table is initialised.
        self.locate_by(hash, |entry| unsafe { (*entry).key.borrow() == key })
    }

    pub(super) fn locate_exact(&self, entry: &Entry<K, V>) -> Option<Place<'a, K, V>> {
        self.locate_by(entry.hash, |other| ptr::eq(other, entry))
    }

    fn locate_by(&self, hash: u64, is: impl Fn(*mut Entry<K, V>) -> bool) -> Option<Place<'a, K, V>> {
        let table = self.table();
        if table.is_none() {
            return None;
        }
        // SAFETY: table and entries are retired only under the lock that we hold; those who call use the place only while they hold it, and
        // the entry only while their guard lives.
        unsafe { locate(table, hash, is) }
    }

    /// Adds an entry whose key is not there; gives it back if there is no room.
    pub(super) fn add(
        &self,
        entry: Box<Entry<K, V>>,
        guard: &'a Guard,
    ) -> Result<&'a Entry<K, V>, Box<Entry<K, V>>> {
        if !self.shards.admit() {
            return Err(entry);
        }
        // Relaxed: written under the lock that we hold.
        let len = self.shards.writers[self.shard].len.load(Ordering::Relaxed);
        let mut table = self.table();
        if len >= table.capacity() {
            table = self.rebuild(Table::<K, V>::log_for(len + 1), guard);
        }
        let entry = Box::into_raw(entry);
        // SAFETY: under the lock, and with room; the entry is initialised, ours until it is placed, and the table's after.
        unsafe {
            table.place((*entry).hash, entry);
            self.set_len(len + 1);
            Ok(&*entry)
        }
    }

    pub(super) fn take_out(&self, place: &Place<'_, K, V>) -> *mut Entry<K, V> {
        // SAFETY: under the lock, so table and place are as they were found, and the entry is alive.
        unsafe { self.table().unplace((*place.entry).hash, place.bucket, place.slot) };
        // Relaxed: written under the lock that we hold.
        let len = self.shards.writers[self.shard].len.load(Ordering::Relaxed);
        self.set_len(len - 1);
        self.shards.discharge(1);
        place.entry
    }

    pub(super) fn set_len(&self, len: usize) {
        // Relaxed: a number for `len`, and for writers, which the lock orders.
        self.shards.writers[self.shard].len.store(len, Ordering::Relaxed);
    }

    /// Moves the shard to a table of 2^`log` buckets, which must be enough.
    #[cold]
    pub(super) fn rebuild(&self, log: u32, guard: &Guard) -> Table<K, V> {
        let (old, new) = (self.table(), Table::allocate(log));
        if !old.is_none() {
            // SAFETY: under the lock, both tables are alive and the old one stands still. No key is in it twice. The new one has room.
            unsafe { old.entries().for_each(|entry| new.place((*entry).hash, entry)) };
        }
        self.shards.publish(self.shard, new);
        if !old.is_none() {
            // SAFETY: nobody finds the old table from now on, and we replaced it under the lock. Its entries belong to the new one.
            unsafe { guard.defer(move || old.free()) };
        }
        new
    }
}
