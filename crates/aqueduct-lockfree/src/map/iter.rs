//! Iteration.

use core::fmt;

use super::bucket::{Bucket, Entry, Matches};
use super::guard::Guard;
use super::shards::Shards;
use super::table::Table;

/// The entries of a map, in no order, each as it is at its turn. Lock-free.
///
/// A key that is in the map from the beginning to the end of the iteration comes once. One that is inserted or removed meanwhile may
/// come or not; one that is removed and inserted again may come twice, and a value replaced meanwhile may be the old or the new one.
pub struct Iter<'g, K, V> {
    shards: &'g Shards<K, V>,
    guard: &'g Guard,
    /// The shard after the one whose table we are in.
    next_shard: usize,
    table: Table<K, V>,
    /// The bucket after the one we are in, and how many there are.
    next_bucket: usize,
    buckets: usize,
    current: Option<(&'g Bucket<K, V>, Matches)>,
}

impl<'g, K, V> Iter<'g, K, V> {
    pub(super) fn new(shards: &'g Shards<K, V>, guard: &'g Guard) -> Iter<'g, K, V> {
        let table = Table::from_raw(core::ptr::null_mut());
        Iter { shards, guard, next_shard: 0, table, next_bucket: 0, buckets: 0, current: None }
    }

    pub(super) fn next_entry(&mut self) -> Option<&'g Entry<K, V>> {
        loop {
            if let Some((bucket, slots)) = &mut self.current {
                for slot in slots {
                    let entry = bucket.entry(slot);
                    if !entry.is_null() {
                        // SAFETY: it was in the table while the guard lived, so it is not freed before the guard is gone.
                        return Some(unsafe { &*entry });
                    }
                }
            }
            if self.next_bucket < self.buckets {
                // SAFETY: below the number of buckets; the table was loaded while the guard lived, so it is not freed before.
                let bucket: &'g Bucket<K, V> = unsafe { self.table.bucket(self.next_bucket) };
                self.next_bucket += 1;
                self.current = Some((bucket, bucket.control().occupied()));
            } else {
                if self.next_shard == self.shards.count() {
                    self.current = None;
                    return None;
                }
                self.table = self.shards.snapshot(self.next_shard, self.guard);
                self.next_shard += 1;
                self.next_bucket = 0;
                self.buckets = if self.table.is_none() { 0 } else { self.table.buckets() };
            }
        }
    }
}

impl<'g, K, V> Iterator for Iter<'g, K, V> {
    type Item = (&'g K, &'g V);

    fn next(&mut self) -> Option<(&'g K, &'g V)> {
        self.next_entry().map(|entry| (&entry.key, &entry.value))
    }
}

impl<K, V> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("shard", &self.next_shard).finish_non_exhaustive()
    }
}
