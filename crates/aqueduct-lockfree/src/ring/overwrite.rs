//! Pushing into a full ring by displacing the oldest value.
//!
//! `tail` moves first, one position ahead of what the slots allow; this also settles the race with `close`. The position's slot still belongs
//! to the oldest value, a lap behind. Then there are two cases. If this thread also moves `head` over the oldest, it owns the slot and exchanges
//! the values in place. If a popper was faster, the slot becomes empty by itself as soon as that popper is done, and this thread fills it:
//! then nothing was displaced. In between others find the ring neither full nor the slot empty, and wait.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crossbeam_utils::Backoff;

use super::{CLOSED, Ring, STEP};
use crate::Closed;

impl<T> Ring<T> {
    /// Appends a value; if the ring is full, the oldest makes room and is returned. One value is displaced at most.
    ///
    /// # Errors
    /// The ring is closed; the value comes back.
    ///
    /// # Allocation
    /// None.
    #[doc(alias = "force_push")]
    pub fn push_overwrite(&self, value: T) -> Result<Option<T>, Closed<T>> {
        let backoff = Backoff::new();
        // Relaxed: a hint, confirmed by the move, as in `push`.
        let mut tail = self.tail.load(Relaxed);
        loop {
            if tail & CLOSED != 0 {
                self.count_refusals(1);
                return Err(Closed(value));
            }
            let slot = self.slot(tail);
            let stamp = slot.stamp();
            let full = stamp == self.previous_lap(tail) && self.is_full_at(tail);
            if stamp == tail || full {
                // SeqCst and Relaxed: as in `push`.
                match self.tail.compare_exchange_weak(tail, tail.wrapping_add(STEP), SeqCst, Relaxed) {
                    Ok(_) if full => return Ok(self.displace(value, tail)),
                    Ok(_) => {
                        // SAFETY: as in `push`: moved while the stamp said empty.
                        unsafe { slot.fill(value, tail.wrapping_add(1)) };
                        return Ok(None);
                    }
                    Err(now) => {
                        tail = now;
                        backoff.spin();
                    }
                }
            } else {
                backoff.snooze();
                tail = self.tail.load(Relaxed);
            }
        }
    }

    /// Puts the value of the position `tail`, which this thread owns, where the oldest is.
    #[cold]
    fn displace(&self, value: T, tail: u64) -> Option<T> {
        let slot = self.slot(tail);
        let oldest = tail.wrapping_sub(STEP * self.capacity() as u64);
        // SeqCst: as the moves of `pop`. Relaxed on failure: nothing is read through it; the stamp below orders the value. Strong: a
        // spurious failure would wait for a popper that does not exist.
        if self.head.compare_exchange(oldest, oldest.wrapping_add(STEP), SeqCst, Relaxed).is_ok() {
            self.displaced.fetch_add(1, Relaxed);
            // Acquire, by `stamp`: the value of the oldest was seen to be there before `tail` moved, by the same thread.
            // SAFETY: this thread moved `head` over the oldest, whose stamp said that it holds a value, and `tail` over the position
            // that follows it in this slot: nobody else may touch it until the stamp is released.
            return Some(unsafe { slot.exchange(value, tail.wrapping_add(1)) });
        }
        let backoff = Backoff::new();
        while slot.stamp() != tail {
            backoff.snooze();
        }
        // SAFETY: the position is ours and the stamp says that the popper is done with the slot.
        unsafe { slot.fill(value, tail.wrapping_add(1)) };
        None
    }
}
