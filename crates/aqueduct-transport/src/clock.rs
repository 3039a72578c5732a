//! The present and chance, for the drivers of state machines that take both as arguments.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// The runtime's present, which tests can move.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Evenly from 0 to below 1: each [`RandomState`] has other keys, from the operating system's generator, and a hash under
/// them is random enough for jitter.
pub(crate) fn unit_random() -> f64 {
    (RandomState::new().hash_one(()) >> 11) as f64 / (1u64 << 53) as f64
}
