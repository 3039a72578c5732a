//! A map and a guard together.

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use super::compute::{Computed, Operation};
use super::guard::Guard;
use super::hash::KeyedState;
use super::hashmap::HashMap;
use super::iter::Iter;

/// A map in the hands of a thread that is pinned: lookups cost no pinning of their own, and write nothing at all.
///
/// What holds for a [`Guard`] holds for this: keep it for a batch of operations, and [`refresh`](Pinned::refresh) it in between.
///
/// # Examples
///
/// ```
/// use aqueduct_lockfree::HashMap;
///
/// let squares: HashMap<u64, u64> = (0..100).map(|n| (n, n * n)).collect();
/// let mut pinned = squares.pin();
/// for batch in 0..10 {
///     let sum: u64 = (0..10).filter_map(|n| pinned.get(&(10 * batch + n))).sum();
///     assert!(sum >= 285);
///     pinned.refresh();
/// }
/// ```
pub struct Pinned<'m, K, V, S = KeyedState> {
    map: &'m HashMap<K, V, S>,
    guard: Guard,
}

impl<'m, K, V, S> Pinned<'m, K, V, S> {
    #[inline]
    pub(super) fn new(map: &'m HashMap<K, V, S>) -> Pinned<'m, K, V, S> {
        Pinned { map, guard: Guard::pin() }
    }

    /// The map.
    #[must_use]
    pub fn map(&self) -> &'m HashMap<K, V, S> {
        self.map
    }

    /// The guard, for calls to the map itself.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Lets go of everything that was read and pins anew; see [`Guard::refresh`].
    pub fn refresh(&mut self) {
        self.guard.refresh();
    }

    /// The entries; see [`HashMap::iter`].
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.map.iter(&self.guard)
    }
}

impl<K, V, S> Pinned<'_, K, V, S>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
{
    /// The value of a key; see [`HashMap::get`].
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.get(key, &self.guard)
    }

    /// Whether a key is there.
    #[inline]
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.get(key).is_some()
    }

    /// Puts a value in and returns the one before; see [`HashMap::insert`].
    pub fn insert(&self, key: K, value: V) -> Option<&V> {
        self.map.insert(key, value, &self.guard)
    }

    /// The value of a key, made if it is not there; see [`HashMap::get_or_insert_with`].
    pub fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> &V {
        self.map.get_or_insert_with(key, make, &self.guard)
    }

    /// Replaces the value of a key by one made of it; see [`HashMap::update`].
    pub fn update<Q>(&self, key: &Q, change: impl FnMut(&V) -> V) -> Option<&V>
    where
        K: Borrow<Q> + Clone,
        Q: Hash + Eq + ?Sized,
    {
        self.map.update(key, change, &self.guard)
    }

    /// Inserts, replaces, removes or keeps; see [`HashMap::compute`].
    pub fn compute(&self, key: K, decide: impl FnMut(Option<&V>) -> Operation<V>) -> Computed<'_, V> {
        self.map.compute(key, decide, &self.guard)
    }

    /// Takes a key's entry out; see [`HashMap::remove`].
    pub fn remove<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.remove(key, &self.guard)
    }
}

impl<'a, K, V, S> IntoIterator for &'a Pinned<'_, K, V, S> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for Pinned<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
