//! A lock-free set of slot numbers, of which any thread may take one and put one back.
//!
//! A slot number in the set belongs to nobody. Taking it makes the taker the only owner of whatever the number stands for, until
//! it is put back. Two words of state make that exact:
//!
//! - `count` hands out *permits*: [`take`](SlotSet::take) first decrements it, and refuses only where it finds zero;
//! - `words` is a bitmap, one bit a slot, set while the slot is in the set. A holder of a permit clears one bit that it finds set.
//!
//! [`put`](SlotSet::put) sets the bit first and raises `count` afterwards, so there are never more permits than set bits, and whoever
//! has a permit finds a bit in the end. A pass over the bitmap that finds nothing means that other takers and putters made
//! progress meanwhile: the set is lock-free, not wait-free. There is no pointer in it, so there is no ABA problem.

use std::collections::TryReserveError;

use crate::sync::{AtomicUsize, Ordering, Padded, relax};

const BITS: usize = usize::BITS as usize;

/// So many items, or the allocator's refusal where collecting them would end the process.
pub(crate) fn slice<T>(count: usize, item: impl FnMut(usize) -> T) -> Result<Box<[T]>, TryReserveError> {
    let mut items = Vec::new();
    items.try_reserve_exact(count)?;
    items.extend((0..count).map(item));
    Ok(items.into_boxed_slice())
}

#[derive(Debug)]
pub(crate) struct SlotSet {
    /// Set bits are slots in the set. Takers clear a bit (and own the slot from then on), the owner sets it again.
    words: Box<[AtomicUsize]>,
    /// How many permits there are: lowered by takers before they look for a bit, raised by putters after they set one.
    count: Padded<AtomicUsize>,
}

impl SlotSet {
    /// The numbers `0..slots`, all of them in the set. Fails if the allocator does not give [`bytes_for`](SlotSet::bytes_for) them.
    pub(crate) fn full(slots: usize) -> Result<SlotSet, TryReserveError> {
        let word = |index: usize| match slots - index * BITS {
            rest if rest >= BITS => usize::MAX,
            rest => (1 << rest) - 1,
        };
        let words = slice(slots.div_ceil(BITS), |index| AtomicUsize::new(word(index)))?;
        Ok(SlotSet { words, count: Padded(AtomicUsize::new(slots)) })
    }

    /// Room for the numbers `0..slots`, none of them in the set. Fails as [`full`](SlotSet::full) does.
    pub(crate) fn empty(slots: usize) -> Result<SlotSet, TryReserveError> {
        let words = slice(slots.div_ceil(BITS), |_| AtomicUsize::new(0))?;
        Ok(SlotSet { words, count: Padded(AtomicUsize::new(0)) })
    }

    /// The bytes of a set with room for `0..slots`.
    pub(crate) fn bytes_for(slots: usize) -> usize {
        slots.div_ceil(BITS) * size_of::<AtomicUsize>()
    }

    /// Takes a number, the first one from `start` upwards that is there (and from 0 again after the last).
    ///
    /// `None` means that at some instant during the call no number was in the set and unclaimed.
    pub(crate) fn take(&self, start: usize) -> Option<usize> {
        self.permit()?;
        let mut word = (start / BITS) % self.words.len();
        let mut mask = usize::MAX << (start % BITS);
        let mut left = self.words.len();
        loop {
            // Relaxed: a hint of which bits are worth trying. The fetch_and below decides.
            let mut seen = self.words[word].load(Ordering::Relaxed) & mask;
            while seen != 0 {
                let bit = seen & seen.wrapping_neg();
                // Acquire pairs with the Release in `put`: what the last owner did to the slot happened before what we do.
                let before = self.words[word].fetch_and(!bit, Ordering::Acquire);
                if before & bit != 0 {
                    return Some(word * BITS + bit.trailing_zeros() as usize);
                }
                seen = before & mask & !bit;
            }
            mask = usize::MAX;
            word = if word + 1 == self.words.len() { 0 } else { word + 1 };
            if left == 0 {
                // A whole pass found nothing: others took what we saw and put back what we had passed.
                left = self.words.len();
                relax();
            }
            left -= 1;
        }
    }

    fn permit(&self) -> Option<()> {
        // Relaxed: the exchange checks the value again.
        let mut count = self.count.0.load(Ordering::Relaxed);
        loop {
            let less = count.checked_sub(1)?;
            // Acquire pairs with the Release in `put`: a permit comes after the bit that it stands for.
            match self.count.0.compare_exchange_weak(count, less, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(()),
                Err(now) => count = now,
            }
        }
    }

    /// Puts back a number that the caller owns: one that [`take`](SlotSet::take) gave, or that was never in the set.
    pub(crate) fn put(&self, slot: usize) {
        let bit = 1 << (slot % BITS);
        // Release pairs with the Acquire of the `fetch_and` in `take`.
        let before = self.words[slot / BITS].fetch_or(bit, Ordering::Release);
        debug_assert_eq!(before & bit, 0, "slot {slot} was put back twice");
        // Release pairs with the Acquire in `permit`.
        self.count.0.fetch_add(1, Ordering::Release);
    }

    /// How many numbers may be taken at this moment.
    pub(crate) fn len(&self) -> usize {
        // Relaxed: a figure for people.
        self.count.0.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(crossbeam_loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Guards the edges of the bitmap: every number of every size comes exactly once, from whichever start.
    #[test]
    fn every_number_comes_once() {
        for slots in [0, 1, 2, 63, 64, 65, 127, 128, 200] {
            for start in [0, 1, 62, 63, 64, 199, 1000, usize::MAX, usize::MAX - 63] {
                let set = SlotSet::full(slots).unwrap();
                let taken: BTreeSet<usize> = std::iter::from_fn(|| set.take(start)).collect();
                assert_eq!(taken, (0..slots).collect(), "{slots} slots from {start}");
                assert_eq!(set.len(), 0);
                taken.iter().for_each(|&slot| set.put(slot));
                assert_eq!(set.len(), slots);
            }
        }
    }

    /// Guards the rotation that round-robin is made of.
    #[test]
    fn the_search_begins_at_the_start() {
        let set = SlotSet::full(130).unwrap();
        assert_eq!(set.take(64), Some(64));
        assert_eq!(set.take(64), Some(65));
        assert_eq!(set.take(129), Some(129));
        assert_eq!(set.take(129), Some(0));
    }

    /// Guards that a set without room has none.
    #[test]
    fn an_empty_set_gives_what_was_put() {
        let set = SlotSet::empty(70).unwrap();
        assert_eq!(set.take(3), None);
        set.put(69);
        assert_eq!((set.take(3), set.take(3)), (Some(69), None));
    }
}
