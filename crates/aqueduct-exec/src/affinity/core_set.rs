//! Sets of cores.

use std::collections::BTreeSet;
use std::fmt;

use super::{AffinityError, sys};

/// More cores than any kernel is built for.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MOST: usize = 1 << 20;

/// A set of cores, by the numbers that the operating system gives them.
///
/// # Examples
///
/// ```
/// use aqueduct_exec::CoreSet;
///
/// let some = CoreSet::from_iter([5, 2, 5]);
/// assert_eq!(some.iter().collect::<Vec<_>>(), [2, 5]);
/// assert!(some.contains(5) && !some.contains(0));
/// assert_eq!(some.to_string(), "2,5");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreSet {
    cores: BTreeSet<usize>,
}

impl CoreSet {
    /// The cores that this process was given, by a container, a CPU set, `taskset` or nobody: those of its first thread. If the program
    /// pinned that thread itself, ask before it does.
    ///
    /// # Errors
    ///
    /// The platform has no call for it, or the kernel refused.
    pub fn allowed() -> Result<CoreSet, AffinityError> {
        sys::of_process()
    }

    /// The cores on which the calling thread may run.
    ///
    /// # Errors
    ///
    /// As [`allowed`](Self::allowed).
    pub fn of_current_thread() -> Result<CoreSet, AffinityError> {
        sys::of_thread()
    }

    /// Has the calling thread, and no other, run on these cores only. Those of the set that the process was not given are left out by
    /// the kernel.
    ///
    /// # Errors
    ///
    /// An empty set, a platform without a call for it, or a refusal of the kernel: above all when none of the cores is allowed.
    #[doc(alias("set_thread_affinity", "set_affinity"))]
    pub fn pin_current_thread(&self) -> Result<(), AffinityError> {
        if self.is_empty() { Err(AffinityError::Empty) } else { sys::pin_thread(self) }
    }

    /// How many cores it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cores.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cores.is_empty()
    }

    /// Whether it has this one.
    #[must_use]
    pub fn contains(&self, core: usize) -> bool {
        self.cores.contains(&core)
    }

    /// The cores in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.cores.iter().copied()
    }

    /// The cores whose bits are set, in the order of the machine's words: byte by byte on little-endian machines.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn from_bytes(bytes: impl Iterator<Item = u8>) -> CoreSet {
        // The kernel's words are `unsigned long`. On big-endian machines the bytes of a word stand the other way round.
        let swap = if cfg!(target_endian = "big") { size_of::<libc::c_ulong>() - 1 } else { 0 };
        let bits = bytes.enumerate().flat_map(|(place, byte)| {
            (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| (place ^ swap) * 8 + bit)
        });
        bits.collect()
    }

    /// The set as the kernel wants it, in words of 8 bytes for the sake of their alignment.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn to_words(&self) -> Vec<u64> {
        let swap = if cfg!(target_endian = "big") { size_of::<libc::c_ulong>() - 1 } else { 0 };
        // What no kernel has, it would leave out as well; and a wild number must not cost gigabytes.
        let cores = || self.iter().take_while(|core| *core < MOST);
        let mut words = vec![[0_u8; 8]; cores().last().unwrap_or(0) / 64 + 1];
        for core in cores() {
            let place = (core / 8) ^ swap;
            words[place / 8][place % 8] |= 1 << (core % 8);
        }
        words.into_iter().map(u64::from_ne_bytes).collect()
    }
}

impl FromIterator<usize> for CoreSet {
    fn from_iter<I: IntoIterator<Item = usize>>(cores: I) -> CoreSet {
        CoreSet { cores: cores.into_iter().collect() }
    }
}

impl fmt::Display for CoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, core) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{core}")?;
        }
        Ok(())
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    /// Guards the numbers of the bits, across words and at their edges.
    #[test]
    fn cores_survive_the_kernels_form() {
        for cores in [vec![0], vec![63, 64], vec![0, 1, 7, 8, 31, 32, 1023, 1024, 4095]] {
            let set: CoreSet = cores.iter().copied().collect();
            let back = CoreSet::from_bytes(set.to_words().iter().flat_map(|word| word.to_ne_bytes()));
            assert_eq!(back, set);
        }
    }
}
