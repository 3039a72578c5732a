//! A value for each thread, read by one who sees them all.
//!
//! A thread has a *place*, a small number that no other living thread has (module `place`). The structure has a slot for each place, with a pointer to
//! the value of the thread there, or null.
//!
//! Who owns what: a slot is written by the thread at its place alone, and only while it holds the lock. So the owner may read it without the lock, and
//! finds what it stored itself. Others read slots and follow their pointers with the lock held. A value is freed by its owner, with the lock held, when the
//! owner ends, or by who drops the structure, when nobody else can see it. A new owner of a place comes after the old one has given it back, and
//! by then the slot is null. Beside the slots, the lock guards the *rest*: a value into which those of ended threads are absorbed, and
//! that threads without a slot use, one at a time.

use std::fmt;
use std::sync::OnceLock;

use crate::place::{self, HandOver};
use crate::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// So many threads find their slot without a second look.
const FIRST: usize = 64;

/// Groups of slots beyond the first: each doubles what there is. Threads at places beyond all of them, 65,536, use the rest.
const GROUPS: usize = 10;

/// A value that can take over another's contents.
pub trait Absorb: Send + Sync {
    /// Takes over what `other` holds, which is dropped afterwards.
    ///
    /// `self` is used by nobody else meanwhile but for reading, `other` by nobody. Called with a lock held: it must not use the
    /// [`PerThread`] that the values belong to, and not panic; what a panic keeps from being absorbed is lost.
    fn absorb(&self, other: &Self);
}

/// A value for each thread that asks for one, made when it does, and absorbed into a common rest when the thread ends.
///
/// Clones are the same structure. Values are shared references: their owner changes them through atomics, by load and store, as nobody else writes, and readers load.
///
/// # Guarantees
///
/// - A value is used by one thread at a time, apart from readers. What a thread did with its value is seen by the threads that use it later,
///   and by readers that synchronize with it.
/// - Nothing is lost when a thread ends, and its memory is freed.
/// - [`with`](PerThread::with) is wait-free but for a thread's first call, which takes a lock and allocates. It writes no line that another thread writes.
///   [`read`](PerThread::read) takes the lock.
///
/// # Allocation
///
/// About 600 bytes when made; a value for each living thread; a pointer for each thread beyond 64 at a time.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use aqueduct_lockfree::{Absorb, PerThread};
///
/// #[derive(Default)]
/// struct Bytes(AtomicU64);
///
/// impl Bytes {
///     fn add(&self, bytes: u64) {
///         self.0.store(self.0.load(Relaxed) + bytes, Relaxed); // this thread alone writes
///     }
/// }
///
/// impl Absorb for Bytes {
///     fn absorb(&self, other: &Self) {
///         self.add(other.0.load(Relaxed));
///     }
/// }
///
/// let bytes = PerThread::new(Bytes::default);
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| (0..1000).for_each(|_| bytes.with(|bytes| bytes.add(2))));
///     }
/// });
/// assert_eq!(bytes.read(|all| all.map(|bytes| bytes.0.load(Relaxed)).sum::<u64>()), 8000);
/// ```
pub struct PerThread<T: Absorb + 'static> {
    // The standard library's under loom as well: a model has no threads that end and look whether it is still there.
    inner: std::sync::Arc<Inner<T>>,
}

struct Inner<T: Absorb> {
    /// Each written by the thread at its place, with `rest` locked; read by it without, by others with the lock.
    first: [AtomicPtr<T>; FIRST],
    /// As `first`, for the places from 64 on. A group is made with `rest` locked, and stays.
    more: [OnceLock<Box<[AtomicPtr<T>]>>; GROUPS],
    /// What ended threads left, and what threads without a slot use.
    rest: Mutex<T>,
    make: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: Absorb + 'static> PerThread<T> {
    /// No values yet but the rest; `make` makes them all. It runs with a lock held: it must not use this structure.
    pub fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        let inner = Inner {
            first: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            more: [const { OnceLock::new() }; GROUPS],
            rest: Mutex::new(make()),
            make: Box::new(make),
        };
        PerThread { inner: std::sync::Arc::new(inner) }
    }

    /// Calls with the value of the calling thread.
    ///
    /// A thread without a place, as at the very end of its life, gets the rest, with the lock held: `work` must not use this structure.
    #[inline(always)]
    pub fn with<R>(&self, work: impl FnOnce(&T) -> R) -> R {
        let place = place::known();
        if let Some(slot) = self.inner.first.get(place) {
            // Relaxed: written by this thread, or before its place became its own.
            let value = slot.load(Relaxed);
            if !value.is_null() {
                // SAFETY: the slot is that of this thread's place. Its value is freed when this thread ends, which it does not do in here, or
                // when the structure is dropped, which is borrowed.
                return work(unsafe { &*value });
            }
        }
        self.slowly(work)
    }

    #[cold]
    #[inline(never)]
    fn slowly<R>(&self, work: impl FnOnce(&T) -> R) -> R {
        let place = place::mine();
        match self.find(place, || place::at_end(std::sync::Arc::downgrade(&self.inner) as _)) {
            // SAFETY: as in `with`.
            Some(value) => work(unsafe { &*value }),
            None => work(&lock(&self.inner.rest)),
        }
    }

    /// The value at this place, which must be the calling thread's; made if there is none, and if the end of the thread will be noticed.
    fn find(&self, place: usize, at_end: impl FnOnce() -> bool) -> Option<*const T> {
        let inner = &*self.inner;
        if let Some(slot) = inner.slot(place) {
            // Relaxed: as in `with`.
            let value = slot.load(Relaxed);
            if !value.is_null() {
                return Some(value);
            }
        }
        let (group, slots) = group_of(place)?;
        if !at_end() {
            return None;
        }
        let _rest = lock(&inner.rest);
        if let Some(group) = group {
            let empty = || (0..slots).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect();
            inner.more[group].get_or_init(empty);
        }
        let value = Box::into_raw(Box::new((inner.make)()));
        // Relaxed: others read it with the lock held.
        inner.slot(place)?.store(value, Relaxed);
        Some(value)
    }

    /// Calls with all values: those of living threads, which may change meanwhile, and the rest, which does not.
    ///
    /// Blocks threads that begin or end, not those that use their values. `read` must not use this structure.
    pub fn read<R>(&self, read: impl FnOnce(&mut dyn Iterator<Item = &T>) -> R) -> R {
        let rest = lock(&self.inner.rest);
        let mut values = self.inner.slots().filter_map(|slot| {
            // Relaxed: stored with the lock held that is held here.
            let value = slot.load(Relaxed);
            // SAFETY: a value in a slot is freed with the lock held that is held here, or by who drops the structure, which is borrowed.
            unsafe { value.as_ref() }
        });
        let mut all = values.by_ref().chain(std::iter::once(&*rest));
        read(&mut all)
    }

    /// How many threads have a value now.
    pub fn threads(&self) -> usize {
        self.read(|all| all.count()) - 1
    }

    /// Calls with the value of the thread at this place, which is the calling one, for models in which threads know their places.
    #[cfg(crossbeam_loom)]
    #[doc(hidden)]
    pub fn with_at<R>(&self, place: usize, work: impl FnOnce(&T) -> R) -> R {
        match self.find(place, || true) {
            // SAFETY: as in `with`.
            Some(value) => work(unsafe { &*value }),
            None => work(&lock(&self.inner.rest)),
        }
    }

    /// What happens when the thread at this place ends.
    #[cfg(crossbeam_loom)]
    #[doc(hidden)]
    pub fn end_at(&self, place: usize) {
        self.inner.hand_over(place);
    }
}

/// The group of a place, none for the first, and how many slots it has; or nothing beyond the last.
fn group_of(place: usize) -> Option<(Option<usize>, usize)> {
    if place < FIRST {
        return Some((None, FIRST));
    }
    let group = (place / FIRST).ilog2() as usize;
    (group < GROUPS).then_some((Some(group), FIRST << group))
}

impl<T: Absorb> Inner<T> {
    /// The slot of this place, if there is one yet.
    fn slot(&self, place: usize) -> Option<&AtomicPtr<T>> {
        match group_of(place)? {
            (None, _) => self.first.get(place),
            // A group begins at the place that is its size.
            (Some(group), size) => self.more[group].get()?.get(place - size),
        }
    }

    fn slots(&self) -> impl Iterator<Item = &AtomicPtr<T>> {
        self.first.iter().chain(self.more.iter().filter_map(OnceLock::get).flatten())
    }
}

impl<T: Absorb> HandOver for Inner<T> {
    fn hand_over(&self, place: usize) {
        let rest = lock(&self.rest);
        let Some(slot) = self.slot(place) else { return };
        // Relaxed: this is the owner, and readers have the lock.
        let value = slot.load(Relaxed);
        if value.is_null() {
            return;
        }
        slot.store(std::ptr::null_mut(), Relaxed);
        // SAFETY: made by `Box::into_raw`, and no longer in the slot; the thread at this place, which alone might use it without the
        // lock, is the one that ends here.
        let value = unsafe { Box::from_raw(value) };
        rest.absorb(&value);
    }
}

impl<T: Absorb> Drop for Inner<T> {
    fn drop(&mut self) {
        for slot in self.slots() {
            let value = slot.load(Relaxed);
            if !value.is_null() {
                // SAFETY: made by `Box::into_raw`; nobody else sees this structure any more.
                drop(unsafe { Box::from_raw(value) });
            }
        }
    }
}

impl<T: Absorb + 'static> Clone for PerThread<T> {
    fn clone(&self) -> Self {
        PerThread { inner: self.inner.clone() }
    }
}

impl<T: Absorb + 'static> fmt::Debug for PerThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerThread").field("threads", &self.threads()).finish()
    }
}
