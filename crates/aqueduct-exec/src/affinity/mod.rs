//! Which cores this process may use, and pinning threads to them. Nothing is pinned unless asked for.
//!
//! The cores of a machine are not numbered 0 to n from the point of view of a process: a container, a CPU set, or `taskset`
//! leaves it some of them, with whatever numbers they have. [`CoreSet::allowed`] asks the kernel which.
//!
//! # Safety design
//!
//! The two foreign calls of Linux, `sched_getaffinity` and `sched_setaffinity`, read and write a bit set in memory of ours whose length
//! in bytes goes with it. Everything else is safe code. On other platforms every call is [`AffinityError::Unsupported`].

mod core_set;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod unsupported;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use core_set::CoreSet;

#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as sys;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use unsupported as sys;

/// Why cores could not be read or a thread not be pinned.
#[derive(Debug)]
#[non_exhaustive]
pub enum AffinityError {
    /// This platform has no call for it, or none that this crate knows.
    #[doc(alias("UnsupportedPlatform"))]
    Unsupported,
    /// A set without cores.
    Empty,
    /// The kernel refused: for instance none of the cores is allowed to this process.
    Os(io::Error),
}

impl fmt::Display for AffinityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AffinityError::Unsupported => f.write_str("pinning threads is not supported on this platform"),
            AffinityError::Empty => f.write_str("the set has no cores"),
            AffinityError::Os(error) => write!(f, "the kernel refused: {error}"),
        }
    }
}

impl std::error::Error for AffinityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AffinityError::Os(error) => Some(error),
            AffinityError::Unsupported | AffinityError::Empty => None,
        }
    }
}

/// Deals out the cores of a set, one after the other, to threads that pin themselves. Clones deal from the same hand.
///
/// # Examples
///
/// ```
/// use aqueduct_exec::{Affinity, AffinityError, CoreSet};
///
/// match CoreSet::allowed().and_then(Affinity::new) {
///     Ok(affinity) => {
///         let core = std::thread::spawn(move || affinity.pin_current_thread()).join().unwrap();
///         println!("pinned to core {}", core?);
///     }
///     Err(AffinityError::Unsupported) => println!("no pinning here"),
///     Err(error) => return Err(error),
/// }
/// # Ok::<(), AffinityError>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("CpuAffinityManager", "set_thread_affinity", "get_next_cpu", "cpuset"))]
pub struct Affinity {
    hand: Arc<Hand>,
}

#[derive(Debug)]
struct Hand {
    cores: Box<[usize]>,
    /// How many were dealt, modulo the word. Written and read by whoever takes one.
    dealt: AtomicUsize,
}

impl Affinity {
    /// Deals out the cores of this set, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// [`AffinityError::Empty`].
    pub fn new(cores: CoreSet) -> Result<Affinity, AffinityError> {
        let cores: Box<[usize]> = cores.iter().collect();
        if cores.is_empty() {
            return Err(AffinityError::Empty);
        }
        Ok(Affinity { hand: Arc::new(Hand { cores, dealt: AtomicUsize::new(0) }) })
    }

    /// The next core, round and round.
    #[doc(alias("get_next_cpu", "next_cpu"))]
    pub fn next(&self) -> usize {
        let cores = &self.hand.cores;
        // Relaxed: a number is drawn, nothing else hangs on it. The count goes round the set and never beyond the word, so that no core
        // is skipped when the word would wrap.
        let turn = |dealt: usize| Some((dealt + 1) % cores.len());
        let dealt = self.hand.dealt.fetch_update(Ordering::Relaxed, Ordering::Relaxed, turn);
        cores[dealt.unwrap_or_else(|dealt| dealt)]
    }

    /// Pins the calling thread, and no other, to the next core, and returns the core.
    ///
    /// # Errors
    ///
    /// The platform has no call for it, or the kernel refused.
    pub fn pin_current_thread(&self) -> Result<usize, AffinityError> {
        let core = self.next();
        CoreSet::from_iter([core]).pin_current_thread()?;
        Ok(core)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the platforms that this machine is not: a clear error, and no pretending.
    #[test]
    fn elsewhere_the_error_is_clear() {
        assert!(matches!(unsupported::of_process(), Err(AffinityError::Unsupported)));
        assert!(matches!(unsupported::of_thread(), Err(AffinityError::Unsupported)));
        assert!(matches!(unsupported::pin_thread(&CoreSet::default()), Err(AffinityError::Unsupported)));
        assert_eq!(
            AffinityError::Unsupported.to_string(),
            "pinning threads is not supported on this platform"
        );
    }
}
