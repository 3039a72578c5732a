//! Several values with one move of `tail` or `head`.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crossbeam_utils::Backoff;

use super::{CLOSED, Ring, STEP};

impl<T> Ring<T> {
    /// Appends as many values as there is room for, from the front of `values`, and returns how many. What was refused stays in `values`,
    /// in order, and is counted. The values of one batch are neighbours in the ring unless it had to be appended in parts.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Examples
    /// ```
    /// let ring = aqueduct_lockfree::Ring::new(4);
    /// let mut values = vec![1, 2, 3, 4, 5];
    /// assert_eq!(ring.push_batch(&mut values), 4);
    /// assert_eq!((values, ring.refused()), (vec![5], 1));
    /// ```
    pub fn push_batch(&self, values: &mut Vec<T>) -> usize {
        let backoff = Backoff::new();
        let offered = values.len();
        let mut pushed = 0;
        // Relaxed: a hint, confirmed by the move, as in `push`.
        let mut tail = self.tail.load(Relaxed);
        while pushed < offered {
            if tail & CLOSED != 0 {
                break;
            }
            let free = self.run(tail, 0, offered - pushed);
            if free > 0 {
                // SeqCst and Relaxed: as in `push`.
                match self.tail.compare_exchange_weak(
                    tail,
                    tail.wrapping_add(STEP * free as u64),
                    SeqCst,
                    Relaxed,
                ) {
                    Ok(_) => {
                        for _ in 0..free {
                            // SAFETY: within the vector, whose values before `pushed` are forgotten below; nothing in
                            // between can panic.
                            let value = unsafe { values.as_ptr().add(pushed).read() };
                            // SAFETY: this thread moved `tail` over the position while its stamp said empty.
                            unsafe { self.slot(tail).fill(value, tail.wrapping_add(1)) };
                            tail = tail.wrapping_add(STEP);
                            pushed += 1;
                        }
                    }
                    Err(now) => {
                        tail = now;
                        backoff.spin();
                    }
                }
                continue;
            }
            // Not empty: full, or claimed by a popper that is not done, or `tail` is out of date.
            let stamp = self.slot(tail).stamp();
            if stamp == self.previous_lap(tail) && self.is_full_at(tail) {
                break;
            }
            backoff.snooze();
            tail = self.tail.load(Relaxed);
        }
        forget_front(values, pushed);
        if pushed < offered {
            self.count_refusals(offered - pushed);
        }
        pushed
    }

    /// Takes up to `max` of the oldest values, appends them to `out` in order, and returns how many. Zero means that the ring was empty.
    ///
    /// # Allocation
    /// `out` grows if it has to.
    ///
    /// # Examples
    /// ```
    /// let ring = aqueduct_lockfree::Ring::new(4);
    /// ring.push_batch(&mut vec![1, 2, 3]);
    /// let mut out = Vec::new();
    /// assert_eq!(ring.pop_batch(2, &mut out), 2);
    /// assert_eq!(out, [1, 2]);
    /// ```
    pub fn pop_batch(&self, max: usize, out: &mut Vec<T>) -> usize {
        let backoff = Backoff::new();
        // Relaxed: a hint, as in `pop`.
        let mut head = self.head.load(Relaxed);
        if max == 0 {
            return 0;
        }
        loop {
            let ready = self.run(head, 1, max);
            if ready > 0 {
                // Before the values are ours: if this panics, nothing was taken.
                out.reserve(ready);
                // SeqCst and Relaxed: as in `pop`.
                match self.head.compare_exchange_weak(
                    head,
                    head.wrapping_add(STEP * ready as u64),
                    SeqCst,
                    Relaxed,
                ) {
                    Ok(_) => {
                        for _ in 0..ready {
                            // SAFETY: this thread moved `head` over the position while its stamp said that it holds a value.
                            let value = unsafe { self.slot(head).empty(self.next_lap(head)) };
                            // SAFETY: reserved above.
                            unsafe { push_reserved(out, value) };
                            head = head.wrapping_add(STEP);
                        }
                        return ready;
                    }
                    Err(now) => {
                        head = now;
                        backoff.spin();
                    }
                }
                continue;
            }
            let stamp = self.slot(head).stamp();
            if stamp == head && self.is_empty_at(head) {
                return 0;
            }
            backoff.snooze();
            head = self.head.load(Relaxed);
        }
    }

    /// How many slots from `position` on have the stamp that they need: `occupied` is 0 to push, 1 to pop.
    #[inline(always)]
    fn run(&self, position: u64, occupied: u64, most: usize) -> usize {
        let most = most.min(self.capacity());
        (0..most)
            .take_while(|&index| {
                let position = position.wrapping_add(STEP * index as u64);
                self.slot(position).stamp() == position.wrapping_add(occupied)
            })
            .count()
    }
}

/// Removes the first `count` values, which were moved out by reading, without dropping them.
fn forget_front<T>(values: &mut Vec<T>, count: usize) {
    let rest = values.len() - count;
    // SAFETY: the first `count` values were moved out; the rest moves to the front, within the vector, and the length follows. Until
    // then nothing can panic.
    unsafe {
        let start = values.as_mut_ptr();
        values.set_len(0);
        start.copy_from(start.add(count), rest);
        values.set_len(rest);
    }
}

/// Appends without a look at the capacity.
///
/// # Safety
/// There is room for one more.
#[inline(always)]
unsafe fn push_reserved<T>(out: &mut Vec<T>, value: T) {
    let len = out.len();
    // SAFETY: the caller vouches for the room; the length follows the value.
    unsafe {
        out.as_mut_ptr().add(len).write(value);
        out.set_len(len + 1);
    }
}
