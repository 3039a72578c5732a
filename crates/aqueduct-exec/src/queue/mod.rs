//! The work-stealing queue: a thin face over [crossbeam-deque](https://docs.rs/crossbeam-deque), the Chase-Lev deque
//! ("Dynamic Circular Work-Stealing Deque", SPAA 2005; memory orderings after Le et al., PPoPP 2013).
//!
//! What this face adds: one name per operation, attempts that failed only because another thread got ahead are repeated here
//! and not by every caller, "steal half" means half, and a queue that keeps one order whichever way items reach it.

mod injector;
#[cfg(crossbeam_loom)]
mod modelled;
mod stealer;
mod worker;

#[cfg(not(crossbeam_loom))]
use crossbeam_deque as raw;
#[cfg(crossbeam_loom)]
use modelled as raw;

pub use injector::Injector;
pub use stealer::Stealer;
pub use worker::{Order, WorkStealingQueue};

/// Repeats an attempt until it is decided. Each repetition means that another thread took something meanwhile.
#[inline]
fn decided<T>(mut attempt: impl FnMut() -> raw::Steal<T>) -> Option<T> {
    loop {
        match attempt() {
            raw::Steal::Success(value) => return Some(value),
            raw::Steal::Empty => return None,
            raw::Steal::Retry => std::hint::spin_loop(),
        }
    }
}
