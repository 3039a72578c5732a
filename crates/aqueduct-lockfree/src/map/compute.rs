//! Changing an entry by what is there.

use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

use super::bucket::Entry;
use super::guard::Guard;
use super::hashmap::HashMap;
use super::shards::Refused;

/// What [`HashMap::compute`] is to do with an entry. Complete: there is nothing else one can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<V> {
    /// Put this value in, whether there was one or not.
    Insert(V),
    /// Take the entry out, if there is one.
    Remove,
    /// Leave everything as it is.
    Keep,
}

/// What [`HashMap::compute`] has done. Complete, as [`Operation`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computed<'g, V> {
    /// There was no entry; now there is one with this value.
    Inserted(&'g V),
    /// The value was replaced.
    Updated {
        /// The value that is there now.
        new: &'g V,
        /// The value that was there.
        old: &'g V,
    },
    /// The entry was taken out; this was its value.
    Removed(&'g V),
    /// Nothing was done; this is the value, if there is one.
    Kept(Option<&'g V>),
}

impl<'g, V> Computed<'g, V> {
    /// The value that is in the map after the computation.
    #[must_use]
    pub fn current(&self) -> Option<&'g V> {
        match *self {
            Computed::Inserted(value) | Computed::Updated { new: value, .. } => Some(value),
            Computed::Removed(_) => None,
            Computed::Kept(value) => value,
        }
    }
}

impl<K, V, S> HashMap<K, V, S>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
{
    /// Replaces the value of a key by one made of it, and returns the new one; `None` if the key is not there.
    ///
    /// `change` is called without a lock. If another thread changes the entry meanwhile, it is called again with what is there then, so
    /// that no change is lost.
    pub fn update<'g, Q>(
        &'g self,
        key: &Q,
        mut change: impl FnMut(&V) -> V,
        guard: &'g Guard,
    ) -> Option<&'g V>
    where
        K: Borrow<Q> + Clone,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        loop {
            let old = self.shards.find(hash, key, guard)?;
            let new = Box::new(Entry { hash, key: old.key.clone(), value: change(&old.value) });
            if let Ok(new) = self.shards.replace_exact(old, new, guard) {
                return Some(&new.value);
            }
        }
    }

    /// Decides about a key's entry by what is there: insert, replace, remove, or keep. Compare-and-swap is a special case.
    ///
    /// `decide` is called without a lock. If another thread changes the entry meanwhile, it is called again with what is there then.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_lockfree::HashMap;
    /// use aqueduct_lockfree::map::{Computed, Operation};
    ///
    /// let map = HashMap::new();
    /// let pinned = map.pin();
    /// // A multiset: take one away, and the entry with the last.
    /// pinned.insert("apple", 1);
    /// let took = pinned.compute("apple", |count| match count {
    ///     None => Operation::Keep,
    ///     Some(1) => Operation::Remove,
    ///     Some(count) => Operation::Insert(count - 1),
    /// });
    /// assert_eq!(took, Computed::Removed(&1));
    /// ```
    #[doc(alias = "compare_and_update")]
    #[doc(alias = "compare_and_swap")]
    #[doc(alias = "entry")]
    pub fn compute<'g>(
        &'g self,
        key: K,
        decide: impl FnMut(Option<&V>) -> Operation<V>,
        guard: &'g Guard,
    ) -> Computed<'g, V> {
        self.try_compute(key, decide, guard)
            .unwrap_or_else(|_| unreachable!("a HashMap by itself has no limit"))
    }

    pub(super) fn try_compute<'g>(
        &'g self,
        mut key: K,
        mut decide: impl FnMut(Option<&V>) -> Operation<V>,
        guard: &'g Guard,
    ) -> Result<Computed<'g, V>, (K, V)> {
        let hash = self.hasher.hash_one(&key);
        loop {
            let old = self.shards.find(hash, &key, guard);
            let value = match (decide(old.map(|old| &old.value)), old) {
                (Operation::Keep, old) => return Ok(Computed::Kept(old.map(|old| &old.value))),
                (Operation::Remove, None) => return Ok(Computed::Kept(None)),
                (Operation::Remove, Some(old)) => {
                    if self.shards.remove_exact(old, guard) {
                        return Ok(Computed::Removed(&old.value));
                    }
                    continue;
                }
                (Operation::Insert(value), _) => value,
            };
            let entry = Box::new(Entry { hash, key, value });
            let back = match old {
                Some(old) => match self.shards.replace_exact(old, entry, guard) {
                    Ok(new) => return Ok(Computed::Updated { new: &new.value, old: &old.value }),
                    Err(back) => back,
                },
                None => match self.shards.insert_absent(entry, guard) {
                    Ok(new) => return Ok(Computed::Inserted(&new.value)),
                    Err(Refused::Present(back, _)) => back,
                    Err(Refused::Full(back)) => return Err((back.key, back.value)),
                },
            };
            key = back.key;
        }
    }
}
