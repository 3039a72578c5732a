//! Items to push: counted ones, ones that panic when dropped, odd sizes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// How many items live, and how many were dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Balance {
    made: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Balance {
    pub(crate) fn item(&self, number: usize) -> Counted {
        self.made.fetch_add(1, SeqCst);
        Counted { number, panics: false, dropped: self.dropped.clone() }
    }

    /// Panics when dropped, after it was counted.
    pub(crate) fn bomb(&self, number: usize) -> Counted {
        let mut item = self.item(number);
        item.panics = true;
        item
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(SeqCst)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(SeqCst)
    }

    pub(crate) fn is_even(&self) -> bool {
        self.made() == self.dropped()
    }
}

/// Counts its drop; a double drop makes the balance uneven, and is seen by the address sanitizer through the box.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) number: usize,
    panics: bool,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, SeqCst);
        assert!(!self.panics, "the destructor panics, as asked for");
    }
}

/// Runs something that is to panic, without the message.
pub(crate) fn panics(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

/// An item wider than a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(256))]
pub(crate) struct Aligned(pub(crate) u64);

impl Aligned {
    pub(crate) fn is_aligned(&self) -> bool {
        std::ptr::from_ref(self).addr().is_multiple_of(256)
    }
}

/// How long a stress test lasts: `AQUEDUCT_STRESS_SECONDS`, by default one, shared among the tests.
pub(crate) fn stress_time() -> Duration {
    let seconds =
        std::env::var("AQUEDUCT_STRESS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    Duration::from_secs_f64(seconds)
}
