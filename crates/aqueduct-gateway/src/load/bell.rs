//! Wake-ups without a task per request.
//!
//! One task drives a connection and all its requests. Each request in flight has its own waker, made once per slot; waking it
//! sets a bit and wakes the driving task, unless that task is running already and will look at the bits before it sleeps.
//! Against a task (or a `FuturesUnordered` entry) per request this saves an allocation and a trip through the scheduler each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// The bits and the waker of one driving task.
#[derive(Debug)]
pub(crate) struct Bell {
    /// The task to wake. Written by the task at the start of each poll.
    task: Mutex<Option<Waker>>,
    /// Set by the task while it polls.
    driving: AtomicBool,
    /// The connection itself has something to do.
    connection: AtomicBool,
    /// The time has come to send something.
    due: AtomicBool,
    /// One bit per slot that has something to do.
    slots: Box<[AtomicU64]>,
}

// All of this happens on one thread except for wake-ups at shutdown, and each flag only says "look again": the ordering that
// matters is between the flag and `driving`, hence SeqCst, which costs nothing measurable beside the h2 work.
const ORDER: Ordering = Ordering::SeqCst;

impl Bell {
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self {
            task: Mutex::new(None),
            driving: AtomicBool::new(false),
            connection: AtomicBool::new(false),
            due: AtomicBool::new(false),
            slots: (0..slots.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// A waker for one slot.
    pub(crate) fn slot_waker(self: &Arc<Self>, slot: usize) -> Waker {
        Waker::from(Arc::new(SlotBell { bell: Arc::clone(self), slot }))
    }

    /// The waker for the connection and its socket.
    pub(crate) fn connection_waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::new(ConnectionBell { bell: Arc::clone(self) }))
    }

    /// Says that the task polls now: wake-ups only set bits until [`rest`](Self::rest).
    pub(crate) fn drive(&self, task: &Waker) {
        {
            let mut held = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if held.as_ref().is_none_or(|held| !held.will_wake(task)) {
                *held = Some(task.clone());
            }
        }
        self.driving.store(true, ORDER);
    }

    /// Says that the task is about to sleep; `false` if it must look again first.
    pub(crate) fn rest(&self) -> bool {
        self.driving.store(false, ORDER);
        let awake = self.connection.load(ORDER)
            || self.due.swap(false, ORDER)
            || self.slots.iter().any(|word| word.load(ORDER) != 0);
        if awake {
            self.driving.store(true, ORDER);
        }
        !awake
    }

    /// Whether the connection rang since the last call.
    pub(crate) fn take_connection(&self) -> bool {
        self.connection.swap(false, ORDER)
    }

    /// Calls `each` with every slot that rang since the last call.
    pub(crate) fn take_slots(&self, mut each: impl FnMut(usize)) {
        for (index, word) in self.slots.iter().enumerate() {
            if word.load(ORDER) == 0 {
                continue;
            }
            let mut bits = word.swap(0, ORDER);
            while bits != 0 {
                each(index * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    /// Rings because something is due to be sent.
    pub(crate) fn ring_due(&self) {
        self.due.store(true, ORDER);
        self.wake();
    }

    /// Rings for the connection.
    pub(crate) fn ring_connection(&self) {
        self.connection.store(true, ORDER);
        self.wake();
    }

    fn wake(&self) {
        if !self.driving.load(ORDER)
            && let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner)
        {
            task.wake_by_ref();
        }
    }
}

struct SlotBell {
    bell: Arc<Bell>,
    slot: usize,
}

impl Wake for SlotBell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bell.slots[self.slot / 64].fetch_or(1 << (self.slot % 64), ORDER);
        self.bell.wake();
    }
}

struct ConnectionBell {
    bell: Arc<Bell>,
}

impl Wake for ConnectionBell {
    fn wake(self: Arc<Self>) {
        self.bell.ring_connection();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bell.ring_connection();
    }
}
