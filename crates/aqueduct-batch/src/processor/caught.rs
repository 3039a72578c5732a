//! Code of the user whose panics end here.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs something of the user's; `None` if it panicked, which the panic hook has told of.
pub(super) fn caught<R>(run: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Some(result),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops something of the user's.
pub(super) fn discard<V>(value: V) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // Its destructor may panic as well, and where would that end.
        std::mem::forget(payload);
    }
}
