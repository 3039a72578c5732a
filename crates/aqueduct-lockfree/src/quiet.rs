//! Running the code of strangers where a panic must go no further: the panic hook has reported it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` and ends with it, whether it returns or panics.
pub(crate) fn quietly(work: impl FnOnce()) {
    if let Err(thrown) = catch_unwind(AssertUnwindSafe(work)) {
        // What was thrown may have a destructor that panics as well. Beyond that it is kept rather than asked again.
        if let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(thrown))) {
            std::mem::forget(again);
        }
    }
}
