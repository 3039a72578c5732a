//! The idle objects, the hooks, and the counters: all that guards need to know of a pool.

use std::collections::TryReserveError;
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::slots::{SlotSet, slice};
use crate::sync::{AtomicU64, Ordering, Padded, UnsafeCell};

/// What an [`ObjectPool`](crate::ObjectPool) has done so far.
///
/// At rest, `made - dropped - detached` objects exist, of which [`in_use`](ObjectPoolStats::in_use) are with users and `idle` in the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPoolStats {
    /// Objects handed out.
    pub taken: u64,
    /// Guards that came back with their object, kept or not.
    pub returned: u64,
    /// Objects that the factory made.
    pub made: u64,
    /// Objects that were destroyed: no room, not valid, a panic on the way, or [`clear`](crate::ObjectPool::clear).
    pub dropped: u64,
    /// Objects that left the pool for good.
    pub detached: u64,
    /// Idle objects.
    pub idle: usize,
}

impl ObjectPoolStats {
    /// Objects in use.
    #[must_use]
    pub fn in_use(&self) -> u64 {
        self.taken.saturating_sub(self.returned + self.detached)
    }
}

/// Plain counters: Relaxed throughout, they order nothing.
#[derive(Debug, Default)]
struct Counts {
    /// Raised by whoever takes, returns, makes, drops or detaches; so the others.
    taken: AtomicU64,
    returned: AtomicU64,
    made: AtomicU64,
    dropped: AtomicU64,
    detached: AtomicU64,
}

type Reset<T> = Box<dyn Fn(&mut T) + Send + Sync>;
type IsValid<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

pub(super) struct Store<T> {
    /// A slot is used by whoever owns its number; those in `occupied` are initialised.
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    occupied: SlotSet,
    vacant: SlotSet,
    reset: Option<Reset<T>>,
    is_valid: Option<IsValid<T>>,
    counts: Padded<Counts>,
}

// SAFETY: the store owns its objects, and gives each to one thread at a time; no two threads ever see the same object through it, so
// `T: Send` is enough. The hooks are `Send` and `Sync` themselves.
unsafe impl<T: Send> Send for Store<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Store<T> {}

impl<T> Store<T> {
    pub(super) fn new(max_size: usize) -> Result<Store<T>, TryReserveError> {
        // The sets come first: of objects without a size there can be more slots than anybody could count through.
        let (occupied, vacant) = (SlotSet::empty(max_size)?, SlotSet::full(max_size)?);
        let slots = slice(max_size, |_| UnsafeCell::new(MaybeUninit::uninit()))?;
        Ok(Store { slots, occupied, vacant, reset: None, is_valid: None, counts: Padded::default() })
    }

    pub(super) fn set_reset(&mut self, reset: Reset<T>) {
        self.reset = Some(reset);
    }

    pub(super) fn set_is_valid(&mut self, is_valid: IsValid<T>) {
        self.is_valid = Some(is_valid);
    }

    pub(super) fn max_size(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn idle(&self) -> usize {
        self.occupied.len()
    }

    pub(super) fn stats(&self) -> ObjectPoolStats {
        // Relaxed: see `Counts`. What leaves is read before what comes, so that nothing seems to leave before it came.
        let counts = &self.counts.0;
        let (returned, detached) =
            (counts.returned.load(Ordering::Relaxed), counts.detached.load(Ordering::Relaxed));
        let dropped = counts.dropped.load(Ordering::Relaxed);
        ObjectPoolStats {
            taken: counts.taken.load(Ordering::Relaxed),
            returned,
            made: counts.made.load(Ordering::Relaxed),
            dropped,
            detached,
            idle: self.idle(),
        }
    }

    pub(super) fn count_taken(&self) {
        self.counts.0.taken.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_made(&self) {
        self.counts.0.made.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_detached(&self) {
        self.counts.0.detached.fetch_add(1, Ordering::Relaxed);
    }

    /// An idle object that is still valid. Those that are not are dropped on the way.
    pub(super) fn take(&self) -> Option<T> {
        loop {
            let object = self.pop()?;
            match self.checked(object) {
                Ok(object) => return Some(object),
                Err(object) => self.discard(object),
            }
        }
    }

    /// Takes an object back from its user: resets it, and keeps it if it is valid and there is room.
    ///
    /// During a panic the object is not trusted, nor are the hooks called: it is dropped.
    pub(super) fn put_back(&self, object: T) {
        self.counts.0.returned.fetch_add(1, Ordering::Relaxed);
        if std::thread::panicking() {
            // A second panic that left a destructor would end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.discard(object)));
            return;
        }
        let object = match &self.reset {
            Some(reset) => self.guarded(object, |object| reset(object)).0,
            None => object,
        };
        match self.checked(object) {
            Ok(object) => self.keep(object),
            Err(object) => self.discard(object),
        }
    }

    /// Keeps an object if there is room, otherwise drops it.
    pub(super) fn keep(&self, object: T) {
        if let Err(object) = self.push(object) {
            self.discard(object);
        }
    }

    /// Drops an object, with no slot in hand.
    pub(super) fn discard(&self, object: T) {
        self.counts.0.dropped.fetch_add(1, Ordering::Relaxed);
        drop(object);
    }

    /// The object as `Ok` if it may be used again.
    fn checked(&self, object: T) -> Result<T, T> {
        let Some(is_valid) = &self.is_valid else { return Ok(object) };
        let (object, valid) = self.guarded(object, |object| is_valid(object));
        if valid { Ok(object) } else { Err(object) }
    }

    /// Calls a hook with the object. If the hook panics, the object is dropped and the panic goes on.
    fn guarded<R>(&self, mut object: T, hook: impl FnOnce(&mut T) -> R) -> (T, R) {
        match catch_unwind(AssertUnwindSafe(|| hook(&mut object))) {
            Ok(result) => (object, result),
            Err(panic) => {
                // Of two panics only the first can go on.
                let _ = catch_unwind(AssertUnwindSafe(|| self.discard(object)));
                resume_unwind(panic)
            }
        }
    }

    pub(super) fn pop(&self) -> Option<T> {
        // From 0 upwards: the low slots are used again and again, and stay warm.
        let slot = self.occupied.take(0)?;
        // SAFETY: the number came from `occupied`, so the slot is ours and initialised. It goes to `vacant`, as uninitialised.
        let object = self.slots[slot].with_mut(|object| unsafe { (*object).assume_init_read() });
        self.vacant.put(slot);
        Some(object)
    }

    fn push(&self, object: T) -> Result<(), T> {
        let Some(slot) = self.vacant.take(0) else { return Err(object) };
        self.slots[slot].with_mut(|place| {
            // SAFETY: the number came from `vacant`, so the slot is ours and holds nothing. It goes to `occupied`, as initialised.
            unsafe { (*place).write(object) };
        });
        self.occupied.put(slot);
        Ok(())
    }
}

impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        let mut first = None;
        while let Some(object) = self.pop() {
            // The others are dropped too if one destructor panics.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(object))) {
                first.get_or_insert(panic);
            }
        }
        if let Some(panic) = first
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

impl<T> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
