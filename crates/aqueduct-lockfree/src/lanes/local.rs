//! The producers of the calling thread, for [`Lanes::push`](super::Lanes::push).
//!
//! A thread keeps a list of the producers that it made, one for each queue, which is dropped when the thread ends: so the items are handed over.
//! A word beside it remembers the producer used last, so that a thread with one queue compares a number and follows a pointer.
//!
//! Invariant: `LAST` names a producer in `MINE` of the same thread, or none. Producers of closed queues are swept when the thread makes
//! another; never while one of them may be at work further up the stack, which only the user's notifier makes possible.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::{Producer, shared::Shared};
use crate::PushError;

#[derive(Clone, Copy)]
struct Last {
    /// Of the queue; zero for none.
    id: u64,
    /// Its `Producer<T>`.
    producer: *const (),
}

const NONE: Last = Last { id: 0, producer: std::ptr::null() };

/// A producer of any type.
trait Any {
    fn is_closed(&self) -> bool;
}

impl<T> Any for Producer<T> {
    fn is_closed(&self) -> bool {
        Producer::is_closed(self)
    }
}

struct Entry {
    id: u64,
    /// Made by `Box::into_raw` of a `Producer<T>`; this entry owns it.
    producer: *mut dyn Any,
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: made by `Box::into_raw`, owned by this entry, and out of the list, so that nothing else leads to it.
        drop(unsafe { Box::from_raw(self.producer) });
    }
}

/// The list, dropped at the end of the thread.
struct Mine(RefCell<Vec<Entry>>);

impl Drop for Mine {
    fn drop(&mut self) {
        LAST.set(NONE);
    }
}

thread_local! {
    static LAST: Cell<Last> = const { Cell::new(NONE) };
    static NOTIFYING: Cell<bool> = const { Cell::new(false) };
    static MINE: Mine = const { Mine(RefCell::new(Vec::new())) };
}

/// While it lives, the user's notifier runs on this thread.
pub(super) struct Notifying {
    before: bool,
}

impl Notifying {
    pub(super) fn begin() -> Notifying {
        Notifying { before: NOTIFYING.replace(true) }
    }
}

impl Drop for Notifying {
    fn drop(&mut self) {
        NOTIFYING.set(self.before);
    }
}

#[inline]
pub(super) fn push<T: Send + 'static>(shared: &Arc<Shared<T>>, id: u64, item: T) -> Result<(), PushError<T>> {
    let last = LAST.get();
    if last.id == id {
        // SAFETY: ids are never used twice, so the producer is of this queue and of its type. It is in `MINE`, and removed only by this
        // thread, with no push of it further up the stack.
        return unsafe { &*last.producer.cast::<Producer<T>>() }.push(item);
    }
    push_slowly(shared, item)
}

#[cold]
#[inline(never)]
fn push_slowly<T: Send + 'static>(shared: &Arc<Shared<T>>, item: T) -> Result<(), PushError<T>> {
    let found = MINE.try_with(|mine| {
        let mine = mine.0.borrow();
        mine.iter()
            .find(|entry| entry.id == shared.id())
            .map(|entry| entry.producer.cast_const().cast::<()>())
    });
    let producer = match found {
        Ok(Some(producer)) => producer,
        Ok(None) => match remember(shared) {
            Some(producer) => producer,
            None => return refuse(shared, item),
        },
        // The thread ends and its list is gone: a producer for this one item, handed over at once.
        Err(_) if shared.is_closed() => return refuse(shared, item),
        Err(_) => return Producer::new(shared.clone()).push(item),
    };
    LAST.set(Last { id: shared.id(), producer });
    // SAFETY: as in `push`.
    unsafe { &*producer.cast::<Producer<T>>() }.push(item)
}

/// Without a lane: one would stay on the list until the consumer looks, and nobody may look any more.
fn refuse<T>(shared: &Shared<T>, item: T) -> Result<(), PushError<T>> {
    shared.refused_after_closing();
    Err(PushError::Closed(item))
}

/// Makes the producer of this thread for a queue, and drops those of closed queues. `None` if the queue is closed itself.
fn remember<T: Send + 'static>(shared: &Arc<Shared<T>>) -> Option<*const ()> {
    if shared.is_closed() {
        return None;
    }
    let swept: Vec<Entry> = MINE.with(|mine| {
        let mut mine = mine.0.borrow_mut();
        if NOTIFYING.get() {
            return Vec::new();
        }
        LAST.set(NONE);
        // SAFETY: an entry of the list owns its producer, which lives as long.
        mine.extract_if(.., |entry| unsafe { &*entry.producer }.is_closed()).collect()
    });
    // Outside: this may drop items, whose destructors may push to any queue.
    drop(swept);
    // One of them may have pushed to this very queue; a second producer would break the thread's order.
    let found = MINE.with(|mine| {
        mine.0
            .borrow()
            .iter()
            .find(|entry| entry.id == shared.id())
            .map(|entry| entry.producer.cast_const().cast::<()>())
    });
    if found.is_some() {
        return found;
    }
    let producer = Box::into_raw(Box::new(Producer::new(shared.clone())));
    MINE.with(|mine| mine.0.borrow_mut().push(Entry { id: shared.id(), producer }));
    Some(producer.cast_const().cast())
}
