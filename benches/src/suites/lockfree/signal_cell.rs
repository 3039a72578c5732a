//! `SignalCell` against a mutex with a flag beside it, which is looked at after the lock was released.

use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use aqueduct_lockfree::SignalCell;

use crate::Failure;
use crate::harness::{Declared, Run};

const ROW: &str = "signal cell: use, and look for a signal";

pub(super) const ROWS: &[Declared] = &[Declared::lower(ROW, "ns").against("Mutex::try_lock and a flag")];

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let (cell, mutex, flag) = (SignalCell::new(0_u64), Mutex::new(0_u64), AtomicU8::new(0));
    let ours = || {
        let signals = cell.try_with(|value| *value = black_box(*value + 1)).map(|((), signals)| signals);
        black_box(signals)
    };
    let theirs = || {
        match mutex.try_lock() {
            Ok(mut value) => *value = black_box(*value + 1),
            Err(TryLockError::Poisoned(value)) => *value.into_inner() += 1,
            Err(TryLockError::WouldBlock) => {}
        }
        // Not a load: it must not come before the release of the lock.
        black_box(flag.compare_exchange(0, 0, Ordering::AcqRel, Ordering::Acquire))
    };
    run.compare(ROW, 1, ours, theirs)?;
    let used = cell.try_with(|value| *value).map_or(0, |(value, _)| value);
    if run.wants(ROW) && (used == 0 || *mutex.lock().unwrap_or_else(PoisonError::into_inner) == 0) {
        return Err("a side was not used".into());
    }
    Ok(())
}
