//! Admission by bytes: what all requests together may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound, shared by everything that receives, on the bytes held by requests that are being received.
///
/// Bytes are reserved as they arrive and as they are inflated, and are free again when the handler has
/// returned from [`Accept::accept`](crate::Accept::accept): what it keeps is its own to bound. Cloning gives another handle on the
/// same budget; a process normally has one for all its servers.
///
/// # Overload
///
/// A request that finds no room is refused with a retryable answer and counted as
/// [`RefuseReason::Budget`](crate::RefuseReason::Budget). Nothing waits for room.
///
/// # Examples
///
/// ```
/// use aqueduct_receiver::ReceiveBudget;
///
/// let budget = ReceiveBudget::new(1000);
/// let mut held = budget.try_reserve(600).expect("there is room");
/// assert!(budget.try_reserve(600).is_none());
/// assert!(held.grow(400) && !held.grow(1));
/// drop(held);
/// assert_eq!(budget.used(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct ReceiveBudget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    capacity: usize,
    /// Sum of all reservations. Changed by every reservation; a plain amount that guards no other memory, so
    /// all accesses are relaxed.
    used: AtomicUsize,
    /// Largest value that `used` had, for reports only.
    peak: AtomicUsize,
}

impl ReceiveBudget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: usize) -> ReceiveBudget {
        let inner = Inner { capacity: bytes, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) };
        ReceiveBudget { inner: Arc::new(inner) }
    }

    /// Takes `bytes` out of the budget until the reservation is dropped; `None` if so much is not free.
    #[must_use]
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        self.take(bytes).then(|| Reservation { budget: self.clone(), bytes })
    }

    /// A reservation to grow.
    pub(crate) fn reserve_nothing(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Bytes reserved now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.inner.used.load(Ordering::Relaxed)
    }

    /// The largest number of bytes that was ever reserved at one time.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.inner.peak.load(Ordering::Relaxed)
    }

    /// Bytes that can be reserved in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.inner.capacity
    }

    fn take(&self, bytes: usize) -> bool {
        let inner = &*self.inner;
        let taken = inner.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|&sum| sum <= inner.capacity)
        });
        let Ok(before) = taken else { return false };
        let now = before + bytes;
        // The plain load keeps the common case, no new peak, free of a second read-modify-write.
        if now > inner.peak.load(Ordering::Relaxed) {
            inner.peak.fetch_max(now, Ordering::Relaxed);
        }
        true
    }

    fn give_back(&self, bytes: usize) {
        self.inner.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes taken out of a [`ReceiveBudget`]; dropping it gives them back.
#[derive(Debug)]
#[must_use = "dropping a reservation gives its bytes back"]
pub struct Reservation {
    budget: ReceiveBudget,
    bytes: usize,
}

impl Reservation {
    /// Takes `more` bytes from the same budget. Returns whether there was room; if not, nothing changes.
    #[must_use]
    pub fn grow(&mut self, more: usize) -> bool {
        let room = self.budget.take(more);
        if room {
            self.bytes += more;
        }
        room
    }

    /// Gives back all but `bytes`. No effect if it holds less.
    pub fn shrink_to(&mut self, bytes: usize) {
        if let Some(less) = self.bytes.checked_sub(bytes) {
            self.bytes = bytes;
            self.budget.give_back(less);
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the bound, and that nothing leaks through growing, shrinking and dropping.
    #[test]
    fn reservations_are_bounded_and_returned() {
        let budget = ReceiveBudget::new(100);
        let mut a = budget.try_reserve(60).expect("room");
        assert!(budget.try_reserve(41).is_none());
        let b = budget.try_reserve(40).expect("exactly full");
        assert!(!a.grow(1));
        drop(b);
        assert!(a.grow(40));
        assert_eq!((a.bytes(), budget.used(), budget.peak()), (100, 100, 100));
        a.shrink_to(10);
        a.shrink_to(20);
        assert_eq!((a.bytes(), budget.used()), (10, 10));
        drop(a);
        assert_eq!((budget.used(), budget.peak()), (0, 100));
    }

    /// Guards against wrapping around when a caller asks for absurd amounts.
    #[test]
    fn overflow_is_no_room() {
        let budget = ReceiveBudget::new(usize::MAX);
        let held = budget.try_reserve(10).expect("room");
        assert!(budget.try_reserve(usize::MAX).is_none());
        assert_eq!(budget.used(), 10);
        drop(held);
    }

    /// Guards the sum under concurrency: never above the capacity, zero at the end.
    #[test]
    fn threads_share_one_bound() {
        let budget = ReceiveBudget::new(1000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..2000 {
                        let held = budget.try_reserve(n % 700);
                        assert!(budget.used() <= 1000);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
        assert!(budget.peak() <= 1000);
    }
}
