//! A map with a limit, and one entry for all that goes beyond.

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::sync::atomic::{AtomicU64, Ordering};
use std::error::Error;

use super::compute::{Computed, Operation};
use super::guard::Guard;
use super::hash::KeyedState;
use super::hashmap::HashMap;
use super::iter::Iter;

/// A [`HashMap`] that never holds more than a given number of entries, with one more value, the *overflow*, for all keys beyond.
///
/// It is for tables whose keys come from outside: series of metrics, interned attributes, tenants. A flood of new keys costs lookups,
/// and is counted, but takes no memory.
///
/// # Overload
///
/// At the limit, keys that are there go on as before; new ones get the overflow ([`get_or_insert_with`](Capped::get_or_insert_with)) or are
/// given back ([`insert`](Capped::insert)). The limit is exact: it is not passed for a moment, whatever the number of threads.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use aqueduct_lockfree::map::{Capped, Guard};
///
/// let requests: Capped<String, AtomicU64> = Capped::new(2, AtomicU64::new(0));
/// let guard = Guard::pin();
/// for path in ["/", "/login", "/", "/%00", "/%01"] {
///     requests.get_or_insert_with(path.to_owned(), || AtomicU64::new(0), &guard).value().fetch_add(1, Relaxed);
/// }
/// assert_eq!(requests.get("/", &guard).expect("the first of two").load(Relaxed), 2);
/// assert_eq!(requests.overflow().load(Relaxed), 2);
/// assert_eq!((requests.len(), requests.overflowed()), (2, 2));
/// ```
#[doc(alias = "CardinalityLimit")]
pub struct Capped<K, V, S = KeyedState> {
    map: HashMap<K, V, S>,
    overflow: V,
    /// How many calls got the overflow. A plain counter, of the standard library's atomics since no decision hangs on it.
    overflowed: AtomicU64,
}

/// What [`Capped::get_or_insert_with`] found. Complete: a key is in the map or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted<'g, V> {
    /// The key's own value.
    Own(&'g V),
    /// The value of all keys for which there was no room.
    Overflow(&'g V),
}

impl<'g, V> Admitted<'g, V> {
    /// The value, whosever it is.
    #[inline]
    #[must_use]
    pub fn value(self) -> &'g V {
        match self {
            Admitted::Own(value) | Admitted::Overflow(value) => value,
        }
    }
}

/// A new key did not fit; it comes back with its value. Complete: it is what was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<K, V> {
    /// The key that is not in the map.
    pub key: K,
    /// Its value.
    pub value: V,
}

impl<K, V> fmt::Display for Full<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the map has as many entries as it may")
    }
}

impl<K: fmt::Debug, V: fmt::Debug> Error for Full<K, V> {}

impl<K, V> Capped<K, V> {
    /// Makes an empty map for up to `limit` entries. 0 is allowed: every key overflows.
    #[must_use]
    pub fn new(limit: usize, overflow: V) -> Capped<K, V> {
        Capped::with_hasher(limit, overflow, KeyedState::default())
    }
}

impl<K, V, S> Capped<K, V, S> {
    /// As [`new`](Capped::new), with a hasher of your own; see [`HashMap::with_hasher`].
    #[must_use]
    pub fn with_hasher(limit: usize, overflow: V, hasher: S) -> Capped<K, V, S> {
        // One below the value that stands for "no limit"; nobody will notice.
        let map = HashMap::limited(0, limit.min(usize::MAX - 1), hasher);
        Capped { map, overflow, overflowed: AtomicU64::new(0) }
    }

    /// How many entries there may be.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.map.limit()
    }

    /// The value of all keys for which there was no room.
    #[must_use]
    pub fn overflow(&self) -> &V {
        &self.overflow
    }

    /// How many times [`get_or_insert_with`](Capped::get_or_insert_with) answered with the overflow, or an insertion was given back.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// How many entries there are, without the overflow; always a number that was right at a moment, and never above the limit.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Whether a new key would find no room now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.map.is_full()
    }

    /// The entries, without the overflow; see [`HashMap::iter`].
    #[must_use]
    pub fn iter<'g>(&'g self, guard: &'g Guard) -> Iter<'g, K, V> {
        self.map.iter(guard)
    }

    fn count_overflow(&self) {
        self.overflowed.fetch_add(1, Ordering::Relaxed);
    }
}

impl<K, V, S> Capped<K, V, S>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
{
    /// The value of a key that is there; see [`HashMap::get`].
    #[inline]
    pub fn get<'g, Q>(&'g self, key: &Q, guard: &'g Guard) -> Option<&'g V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.get(key, guard)
    }

    /// The value of a key, made if it is not there and there is room; else the overflow. See [`HashMap::get_or_insert_with`].
    #[inline]
    pub fn get_or_insert_with<'g>(
        &'g self,
        key: K,
        make: impl FnOnce() -> V,
        guard: &'g Guard,
    ) -> Admitted<'g, V> {
        match self.map.try_get_or_insert_with(key, make, guard) {
            Ok(value) => Admitted::Own(value),
            Err(()) => {
                self.count_overflow();
                Admitted::Overflow(&self.overflow)
            }
        }
    }

    /// Puts a value in and returns the one before; see [`HashMap::insert`].
    ///
    /// # Errors
    /// The key is new and there is no room.
    pub fn insert<'g>(&'g self, key: K, value: V, guard: &'g Guard) -> Result<Option<&'g V>, Full<K, V>> {
        self.map.try_insert(key, value, guard).map_err(|(key, value)| {
            self.count_overflow();
            Full { key, value }
        })
    }

    /// Inserts, replaces, removes or keeps; see [`HashMap::compute`].
    ///
    /// # Errors
    /// The key is new and there is no room.
    pub fn compute<'g>(
        &'g self,
        key: K,
        decide: impl FnMut(Option<&V>) -> Operation<V>,
        guard: &'g Guard,
    ) -> Result<Computed<'g, V>, Full<K, V>> {
        self.map.try_compute(key, decide, guard).map_err(|(key, value)| {
            self.count_overflow();
            Full { key, value }
        })
    }

    /// Takes a key's entry out, which makes room; see [`HashMap::remove`].
    pub fn remove<'g, Q>(&'g self, key: &Q, guard: &'g Guard) -> Option<&'g V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.remove(key, guard)
    }

    /// Takes out the entries that `keep` refuses; see [`HashMap::retain`].
    pub fn retain(&self, keep: impl FnMut(&K, &V) -> bool) {
        self.map.retain(keep);
    }

    /// Takes all entries out; see [`HashMap::clear`]. The overflow stays.
    pub fn clear(&self) {
        self.map.clear();
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for Capped<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capped")
            .field("limit", &self.limit())
            .field("entries", &self.map)
            .field("overflow", &self.overflow)
            .field("overflowed", &self.overflowed())
            .finish()
    }
}
