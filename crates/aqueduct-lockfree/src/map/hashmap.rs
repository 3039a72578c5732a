//! The map's face.

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;
use std::thread;

use super::bucket::Entry;
use super::guard::Guard;
use super::hash::KeyedState;
use super::iter::Iter;
use super::pinned::Pinned;
use super::shards::{MOST, Refused, Shards};

/// A hash map for many readers and few writers, with lock-free reads.
///
/// See the [module](super) for what is lock-free and what is not, how long values live, and when another map is better.
///
/// # Examples
///
/// ```
/// use aqueduct_lockfree::HashMap;
///
/// let map = HashMap::new();
/// let pinned = map.pin();
/// assert_eq!(pinned.insert("answer", 41), None);
/// assert_eq!(pinned.insert("answer", 42), Some(&41));
/// assert_eq!(pinned.get("answer"), Some(&42));
/// drop(pinned);
///
/// assert_eq!(map.get_cloned("answer"), Some(42));
/// assert_eq!(map.len(), 1);
/// ```
///
/// Values cross threads, and are dropped in any of them:
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>() {}
/// sync::<aqueduct_lockfree::HashMap<u8, std::cell::Cell<u8>>>();
/// ```
///
/// ```compile_fail,E0277
/// let map = aqueduct_lockfree::HashMap::new();
/// map.pin().insert(1, std::rc::Rc::new(1));
/// ```
///
/// And some time later, so that they cannot borrow:
///
/// ```compile_fail,E0597
/// let map = aqueduct_lockfree::HashMap::new();
/// let text = String::from("gone before the value is dropped");
/// map.pin().insert(1, text.as_str());
/// ```
#[doc(alias = "LockFreeHashMap")]
#[doc(alias = "ConcurrentHashMap")]
pub struct HashMap<K, V, S = KeyedState> {
    pub(super) shards: Shards<K, V>,
    pub(super) hasher: S,
}

impl<K, V, S> UnwindSafe for HashMap<K, V, S> {}
impl<K, V, S: RefUnwindSafe> RefUnwindSafe for HashMap<K, V, S> {}

/// Shards at the least: what two writers need in order to meet in 1 of 32 cases.
const LEAST: usize = 32;

/// Four shards a core, so that two writers seldom meet.
fn default_shards() -> usize {
    // Asked once: it reads files where there are control groups.
    static SHARDS: OnceLock<usize> = OnceLock::new();
    if cfg!(crossbeam_loom) {
        return 1;
    }
    *SHARDS.get_or_init(|| {
        thread::available_parallelism().map_or(LEAST, |cores| 4 * cores.get()).clamp(LEAST, MOST)
    })
}

impl<K, V> HashMap<K, V> {
    /// Makes an empty map with keys hashed by [`KeyedState`].
    ///
    /// # Allocation
    /// 136 bytes a shard; four shards a core, 32 to 128. Tables are made when the first entry comes.
    #[must_use]
    pub fn new() -> HashMap<K, V> {
        HashMap::with_hasher(KeyedState::default())
    }

    /// Makes a map with room for about this many entries.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> HashMap<K, V> {
        HashMap::with_capacity_and_hasher(capacity, KeyedState::default())
    }
}

impl<K, V, S> HashMap<K, V, S> {
    /// Makes an empty map with a hasher of your own.
    ///
    /// All 64 bits of a hash are used: the topmost 7 for the shard, the 7 below for the tag, the lowest for the bucket. A hasher
    /// that leaves the upper ones constant (the identity) makes the map slow, not wrong.
    #[must_use]
    pub fn with_hasher(hasher: S) -> HashMap<K, V, S> {
        HashMap::with_capacity_and_hasher(0, hasher)
    }

    /// Makes a map with room for about this many entries and a hasher of your own.
    #[must_use]
    pub fn with_capacity_and_hasher(capacity: usize, hasher: S) -> HashMap<K, V, S> {
        HashMap::limited(capacity, usize::MAX, hasher)
    }

    pub(super) fn limited(capacity: usize, limit: usize, hasher: S) -> HashMap<K, V, S> {
        HashMap { shards: Shards::new(default_shards(), capacity, limit), hasher }
    }

    pub(super) fn limit(&self) -> usize {
        self.shards.limit()
    }

    pub(super) fn is_full(&self) -> bool {
        self.shards.is_full()
    }

    /// Pins the thread and gives a handle through which the map reads like one of the standard library. Make one for several operations.
    #[inline]
    #[must_use]
    pub fn pin(&self) -> Pinned<'_, K, V, S> {
        Pinned::new(self)
    }

    /// How many entries there are: exact while nobody writes. Otherwise a sum of numbers, one a shard, that were right one after the other.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// Whether there are no entries; as exact as [`len`](HashMap::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries fit before a table grows, if they spread evenly.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shards.capacity()
    }

    /// What hashes the keys.
    #[must_use]
    pub fn hasher(&self) -> &S {
        &self.hasher
    }

    /// The entries, in no order. Lock-free; see [`Iter`] for what it promises while others write.
    #[must_use]
    pub fn iter<'g>(&'g self, guard: &'g Guard) -> Iter<'g, K, V> {
        Iter::new(&self.shards, guard)
    }
}

impl<K, V, S> HashMap<K, V, S>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
{
    /// The value of a key, as long as the guard lives. Wait-free, apart from the key's own `Hash` and `Eq`.
    ///
    /// # Allocation
    /// None.
    #[inline]
    pub fn get<'g, Q>(&'g self, key: &Q, guard: &'g Guard) -> Option<&'g V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(&self.shards.find(self.hasher.hash_one(key), key, guard)?.value)
    }

    /// The key as it is in the map, and its value.
    pub fn get_key_value<'g, Q>(&'g self, key: &Q, guard: &'g Guard) -> Option<(&'g K, &'g V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entry = self.shards.find(self.hasher.hash_one(key), key, guard)?;
        Some((&entry.key, &entry.value))
    }

    /// Calls `read` with the value of a key, if there is one. Pins for the time of the call.
    #[inline]
    pub fn get_with<Q, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        self.shards.prefetch(hash);
        let guard = Guard::pin();
        self.shards.find(hash, key, &guard).map(|entry| read(&entry.value))
    }

    /// A copy of a key's value. Pins for the time of the call.
    #[inline]
    pub fn get_cloned<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.get_with(key, V::clone)
    }

    /// Whether a key is there. Pins for the time of the call.
    #[inline]
    #[doc(alias = "contains")]
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.get_with(key, |_| ()).is_some()
    }

    /// Puts a value in, and returns the one that had the key before. Blocks while another writes to the same shard.
    ///
    /// # Allocation
    /// The entry, and now and then a table of twice the size.
    #[doc(alias = "upsert")]
    pub fn insert<'g>(&'g self, key: K, value: V, guard: &'g Guard) -> Option<&'g V> {
        self.try_insert(key, value, guard)
            .unwrap_or_else(|_| unreachable!("a HashMap by itself has no limit"))
    }

    #[inline]
    pub(super) fn try_insert<'g>(
        &'g self,
        key: K,
        value: V,
        guard: &'g Guard,
    ) -> Result<Option<&'g V>, (K, V)> {
        match self.shards.insert(self.entry(key, value), guard) {
            Ok((_, old)) => Ok(old.map(|old| &old.value)),
            Err(back) => Err((back.key, back.value)),
        }
    }

    /// The value of a key, or else that of `make`, which is put in.
    ///
    /// `make` is called without a lock, at most once, and only if the key is not there. If another thread puts a value in meanwhile, then
    /// that one stays and is returned, and the one made here is dropped.
    pub fn get_or_insert_with<'g>(&'g self, key: K, make: impl FnOnce() -> V, guard: &'g Guard) -> &'g V {
        self.try_get_or_insert_with(key, make, guard)
            .unwrap_or_else(|()| unreachable!("a HashMap by itself has no limit"))
    }

    #[inline]
    pub(super) fn try_get_or_insert_with<'g>(
        &'g self,
        key: K,
        make: impl FnOnce() -> V,
        guard: &'g Guard,
    ) -> Result<&'g V, ()> {
        let hash = self.hasher.hash_one(&key);
        if let Some(entry) = self.shards.find(hash, &key, guard) {
            return Ok(&entry.value);
        }
        if self.shards.is_full() {
            // Another thread may have taken the last place for this very key: its place is counted before the entry can be found, both under the lock.
            return self.shards.find_locked(hash, &key, guard).map(|entry| &entry.value).ok_or(());
        }
        match self.shards.insert_absent(Box::new(Entry { hash, key, value: make() }), guard) {
            Ok(entry) | Err(Refused::Present(_, entry)) => Ok(&entry.value),
            Err(Refused::Full(_)) => Err(()),
        }
    }

    /// Takes a key's entry out and returns its value. Blocks while another writes to the same shard.
    ///
    /// The entry is dropped when no guard can see it any more, by whichever thread finds out.
    pub fn remove<'g, Q>(&'g self, key: &Q, guard: &'g Guard) -> Option<&'g V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(&self.shards.remove(self.hasher.hash_one(key), key, guard)?.value)
    }

    /// Takes out the entries that `keep` refuses. `keep` is called without a lock, once for each entry that is there from beginning to end. An entry
    /// replaced between the call and the removal stays: nobody decided about the new value.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) {
        let guard = Guard::pin();
        let mut entries = self.iter(&guard);
        while let Some(entry) = entries.next_entry() {
            if !keep(&entry.key, &entry.value) {
                self.shards.remove_exact(entry, &guard);
            }
        }
    }

    /// Takes all entries out, shard by shard, and gives the tables back. Blocks as [`insert`](HashMap::insert) does.
    pub fn clear(&self) {
        self.shards.clear(&Guard::pin());
    }

    /// Replaces tables that are larger than their entries need. Blocks as [`insert`](HashMap::insert) does; readers go on.
    pub fn shrink_to_fit(&self) {
        self.shards.shrink(&Guard::pin());
    }

    #[inline]
    fn entry(&self, key: K, value: V) -> Box<Entry<K, V>> {
        let hash = self.hasher.hash_one(&key);
        // While the entry is allocated.
        self.shards.prefetch(hash);
        Box::new(Entry { hash, key, value })
    }
}

impl<K, V, S: Default> Default for HashMap<K, V, S> {
    fn default() -> HashMap<K, V, S> {
        HashMap::with_hasher(S::default())
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for HashMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter(&Guard::pin())).finish()
    }
}

impl<K, V, S> Extend<(K, V)> for HashMap<K, V, S>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
{
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let mut guard = Guard::pin();
        for (key, value) in entries {
            self.insert(key, value, &guard);
            guard.refresh();
        }
    }
}

impl<K, V, S> FromIterator<(K, V)> for HashMap<K, V, S>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher + Default,
{
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> HashMap<K, V, S> {
        let entries = entries.into_iter();
        let mut map = HashMap::with_capacity_and_hasher(entries.size_hint().0, S::default());
        map.extend(entries);
        map
    }
}
