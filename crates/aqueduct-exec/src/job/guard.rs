//! The net under code of users: what they panic with becomes text, and what panics while it is dropped ends there.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fork;

/// Runs a job's code. A child that it forks does not come back from here: see [`fork`].
pub(crate) fn run_job<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = fork::generation();
    let result = caught(work);
    if fork::generation() != before {
        fork::end_child(result.is_ok());
    }
    result
}

/// Runs code of a user; a panic becomes its message.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // What the closure touched is either dropped by the unwinding or belongs to its user, who shares it on their own account.
    catch_unwind(AssertUnwindSafe(work)).map_err(message)
}

/// Drops a value of a user. Whether that went without a panic.
pub(crate) fn drop_quietly<T>(value: T) -> bool {
    caught(|| drop(value)).is_ok()
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let text = if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is no text".to_owned()
    };
    // The payload is a value of the user as well, and so is what its drop panics with. Somewhere it must end: the last one is let go.
    let mut payload = payload;
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return text,
            Err(next) => payload = next,
        }
    }
    mem::forget(payload);
    text
}
