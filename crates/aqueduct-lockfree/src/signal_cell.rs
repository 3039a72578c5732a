//! A value that one thread at a time has, and signals for whoever has it.
//!
//! One word says both: its lowest bit whether a thread has the value, the others which signals were given and not taken.
//!
//! Who owns what: the value belongs to the thread that set the lowest bit, from then on (Acquire) until it clears it (Release). Nobody else touches the value.
//!
//! That no signal is overlooked follows from all of them being changes of one word, which come one after the other. A signal comes either
//! before the holder's clearing of the bit, which then shows it to the holder, or after, and then who gave it finds the bit clear.

use std::fmt;

use crate::sync::UnsafeCell;
use crate::sync::atomic::{AtomicU32, Ordering};

/// A thread has the value.
const TAKEN: u32 = 1;
/// Where the signals begin.
const SIGNALS: u32 = 16;

/// A value that is only ever tried for, never waited for, and signals that reach whoever has it.
///
/// For a value that mostly one thread uses, and others want something of now and then: they leave a signal. Either they get at the value themselves, or
/// the thread that has it finds the signal when it gives the value back. There are 16 signals, each given or not; they are a mask.
///
/// # Guarantees
///
/// - One thread at a time has the value, and sees what those before it did with it.
/// - A signal is seen by somebody: if [`signal`](SignalCell::signal) says that a thread has the value, that thread (or one that takes it after) is told of it as it gives it back.
/// - Everything here is wait-free. Using the value takes two atomic read-modify-writes of one word; a mutex and a flag beside it take three.
/// - A panic gives the value back, as it is then. Signals stay.
///
/// # Examples
///
/// A list that is filled by one thread and emptied when another says so:
///
/// ```
/// use aqueduct_lockfree::SignalCell;
///
/// const EMPTY: u16 = 1;
/// let list = SignalCell::new(Vec::new());
/// let answer = |list: &SignalCell<Vec<u32>>| list.try_answer(|list, signals| if signals & EMPTY != 0 { list.clear() });
///
/// if let Some(((), signals)) = list.try_with(|list| list.push(7)) {
///     assert_eq!(signals, 0, "nobody wants anything");
/// }
/// // The other thread. If it does not get at the list, who has it sees the signal.
/// if !list.signal(EMPTY) {
///     answer(&list);
/// }
/// assert_eq!(list.try_with(|list| list.len()), Some((0, 0)));
/// ```
pub struct SignalCell<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value goes from thread to thread, and is used by one at a time: see the module.
unsafe impl<T: Send> Send for SignalCell<T> {}
// SAFETY: as above; a shared cell gives out the value to one thread at a time, never a shared reference to it.
unsafe impl<T: Send> Sync for SignalCell<T> {}

/// Gives the value back when it is dropped.
struct Taken<'a>(&'a AtomicU32);

/// The signals in the word.
#[inline]
fn signals(state: u32) -> u16 {
    (state >> SIGNALS) as u16
}

impl<T> SignalCell<T> {
    /// Nobody has the value, and no signal is given.
    pub fn new(value: T) -> SignalCell<T> {
        SignalCell { state: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Calls with the value, unless a thread has it (this one, for instance, if it is called from within): then `None`. Returns what `work` does, and the signals that are
    /// given and not taken, now that the value is given back.
    #[inline]
    pub fn try_with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<(R, u16)> {
        let taken = self.take()?;
        // SAFETY: this thread has the value, until `taken` is dropped.
        let done = self.value.with_mut(|value| work(unsafe { &mut *value }));
        Some((done, taken.give_back()))
    }

    /// As [`try_with`](SignalCell::try_with), and takes the signals first: `work` is told which were given.
    pub fn try_answer<R>(&self, work: impl FnOnce(&mut T, u16) -> R) -> Option<(R, u16)> {
        let taken = self.take()?;
        // Acquire: what came before a signal, in the thread that gave it, is seen here.
        let given = signals(self.state.fetch_and(TAKEN, Ordering::Acquire));
        // SAFETY: as above.
        let done = self.value.with_mut(|value| work(unsafe { &mut *value }, given));
        Some((done, taken.give_back()))
    }

    /// Gives signals, beside those that are given. Whether a thread has the value: it is told when it gives it back. If not, it is for the caller to see to them.
    pub fn signal(&self, given: u16) -> bool {
        // Release: see `try_answer`. Acquire: if nobody has the value, what the last one did is seen.
        self.state.fetch_or(u32::from(given) << SIGNALS, Ordering::AcqRel) & TAKEN != 0
    }

    #[inline]
    fn take(&self) -> Option<Taken<'_>> {
        // Acquire: pairs with the release of who had the value before.
        let state = self.state.fetch_or(TAKEN, Ordering::Acquire);
        (state & TAKEN == 0).then(|| Taken(&self.state))
    }
}

impl Taken<'_> {
    /// The signals that are given and not taken.
    #[inline]
    fn give_back(self) -> u16 {
        let state = std::mem::ManuallyDrop::new(self).clear();
        signals(state)
    }

    #[inline]
    fn clear(&self) -> u32 {
        // The bit is set, so that taking one away clears it and nothing else. Release: what was done with the value is seen by who has it next. Acquire: what came before a signal
        // is seen by who is told of it.
        self.0.fetch_sub(TAKEN, Ordering::AcqRel)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Without the value, which a thread may have.
impl<T> fmt::Debug for SignalCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.load(Ordering::Relaxed);
        f.debug_struct("SignalCell")
            .field("taken", &(state & TAKEN != 0))
            .field("signals", &signals(state))
            .finish_non_exhaustive()
    }
}
