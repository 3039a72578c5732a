//! A value of which each process has its own.
//!
//! # Protocol
//!
//! A list of values, the newest first, that only grows while the owner lives. Each is marked with the generation of the process that built it; whoever
//! finds that the first is of another generation builds one and puts it in front by compare-and-exchange. Who comes second drops what he has built and takes what is there.
//! There is no lock, so there is none that a thread could have held when the process was forked.
//!
//! # Safety design
//!
//! - A node is made from a `Box`, becomes reachable by the exchange (Release; readers load with Acquire) and is never changed after that nor freed
//!   before the owner is dropped, so a reference to it lives as long as a borrow of the owner.
//! - Dropping has the only reference (`&mut self`), frees each node once, and drops the value of this process only. The others are *forgotten*: what
//!   they refer to belongs to processes before this one.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::OnceLock;

use super::generation;
use crate::sync::{AtomicPtr, Ordering};

/// A value that a forked child does not use, nor drop, but builds anew when it first needs it.
///
/// For what a fork breaks: threads, sockets, locks that a thread of the parent may have held. In the process that built it, getting at the value costs two
/// loads and a comparison.
///
/// # Examples
///
/// ```
/// use std::sync::Mutex;
/// use aqueduct_exec::fork::PerProcess;
///
/// let log: PerProcess<Mutex<Vec<u32>>> = PerProcess::new();
/// log.get_or_build(|_| Mutex::default()).lock().unwrap().push(1);
/// assert_eq!(log.get().unwrap().lock().unwrap().len(), 1);
/// // A child that asks gets an empty one, also if a thread of its parent holds the lock.
/// ```
pub struct PerProcess<T> {
    newest: AtomicPtr<Node<T>>,
    /// Built by one thread, read by all, dropped by another: what that asks of `T` is what this type asks.
    values: PhantomData<OnceLock<T>>,
}

struct Node<T> {
    generation: u64,
    value: ManuallyDrop<T>,
    older: *mut Node<T>,
}

impl<T> PerProcess<T> {
    /// Nothing was built yet, in any process.
    #[must_use]
    pub fn new() -> Self {
        PerProcess { newest: AtomicPtr::new(ptr::null_mut()), values: PhantomData }
    }

    /// With this value for this process.
    #[must_use]
    pub fn with(value: T) -> Self {
        let cell = PerProcess::new();
        cell.get_or_build(|_| value);
        cell
    }

    /// The value of this process, if it has one yet.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.newest().filter(|node| node.generation == generation()).map(|node| &*node.value)
    }

    /// What was inherited: the newest value of a process before this one.
    ///
    /// For looking at what never changes in it. Its locks may be held for ever.
    #[must_use]
    pub fn inherited(&self) -> Option<&T> {
        self.inherited_at(generation())
    }

    /// The value of this process, built now if it has none; `build` is given what was inherited, as [`inherited`](Self::inherited) is.
    ///
    /// When several threads build at the same time, one value stays and the others are dropped.
    #[inline]
    pub fn get_or_build(&self, build: impl FnOnce(Option<&T>) -> T) -> &T {
        match self.get_or_try_build(|inherited| Ok::<T, Infallible>(build(inherited))) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_build`](Self::get_or_build), for what may fail to be built.
    ///
    /// # Errors
    ///
    /// Those of `build`; the next call tries again.
    #[inline]
    pub fn get_or_try_build<E>(&self, build: impl FnOnce(Option<&T>) -> Result<T, E>) -> Result<&T, E> {
        match self.get() {
            Some(value) => Ok(value),
            None => self.build_at(generation(), build),
        }
    }

    #[cold]
    fn build_at<E>(&self, generation: u64, build: impl FnOnce(Option<&T>) -> Result<T, E>) -> Result<&T, E> {
        let value = ManuallyDrop::new(build(self.inherited_at(generation))?);
        let node = Box::into_raw(Box::new(Node { generation, value, older: ptr::null_mut() }));
        loop {
            let newest = self.newest.load(Ordering::Acquire);
            // SAFETY: `newest` is null or a node of the list, see the module.
            if let Some(other) = unsafe { newest.as_ref() }
                && other.generation == generation
            {
                // SAFETY: it came from the box above and was not published.
                let mut node = unsafe { Box::from_raw(node) };
                // SAFETY: the node is freed next, so nobody sees the value again.
                unsafe { ManuallyDrop::drop(&mut node.value) };
                return Ok(&other.value);
            }
            // SAFETY: not published, so this is the only reference.
            unsafe { (*node).older = newest };
            // Release: whoever finds the node finds what is in it. On failure the list is looked at again.
            if self.newest.compare_exchange(newest, node, Ordering::Release, Ordering::Relaxed).is_ok() {
                // SAFETY: a node of the list by now.
                return Ok(unsafe { &(*node).value });
            }
        }
    }

    fn inherited_at(&self, generation: u64) -> Option<&T> {
        let mut node = self.newest()?;
        while node.generation == generation {
            // SAFETY: `older` is null or a node of the list, see the module.
            node = unsafe { node.older.as_ref() }?;
        }
        Some(&node.value)
    }

    #[inline]
    fn newest(&self) -> Option<&Node<T>> {
        // SAFETY: null or a node of the list, see the module.
        unsafe { self.newest.load(Ordering::Acquire).as_ref() }
    }
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` is the only reference, and whatever made it so ordered what came before.
        let mut next = self.newest.load(Ordering::Relaxed);
        while !next.is_null() {
            // SAFETY: each node came from a box, and is met once.
            let mut node = unsafe { Box::from_raw(next) };
            next = node.older;
            if node.generation == generation() {
                // SAFETY: the node is freed at the end of this turn.
                unsafe { ManuallyDrop::drop(&mut node.value) };
            }
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PerProcess").field(&self.get()).finish()
    }
}

#[cfg(all(test, not(crossbeam_loom), not(aqueduct_shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    /// Counts how often it was dropped.
    struct Counted<'a>(u32, &'a AtomicUsize);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
        }
    }

    /// Guards what a child must not do: drop what it inherited. And what it must: its own.
    #[test]
    fn only_the_value_of_this_process_is_dropped() {
        let drops = AtomicUsize::new(0);
        let cell = PerProcess::new();
        let of = |generation, number| {
            let built = cell.build_at(generation, |inherited: Option<&Counted<'_>>| {
                let before = inherited.map_or(0, |inherited| inherited.0);
                Ok::<_, ()>(Counted(10 * before + number, &drops))
            });
            built.map(|value| value.0).unwrap_or_default()
        };
        let now = generation();
        assert_eq!(of(now - 1, 1), 1);
        assert_eq!(of(now, 2), 12, "it was built with what was inherited in sight");
        assert_eq!(of(now, 3), 12, "and stays");
        assert_eq!(drops.load(Relaxed), 1, "the value that came second is dropped");
        assert_eq!(cell.get().map(|value| value.0), Some(12));
        assert_eq!(cell.inherited().map(|value| value.0), Some(1));
        drop(cell);
        assert_eq!(drops.load(Relaxed), 2);
    }

    #[test]
    fn what_could_not_be_built_is_tried_again() {
        let cell = PerProcess::new();
        assert_eq!(cell.get_or_try_build(|_| Err("no")), Err("no"));
        assert_eq!(cell.get(), None);
        assert_eq!(cell.get_or_try_build(|_| Ok::<_, ()>(7)), Ok(&7));
        assert_eq!(cell.get_or_build(|_| 8), &7);
    }
}
