//! The default hasher: quick, and keyed with the operating system's randomness.

use core::fmt;
use core::hash::{BuildHasher, Hasher};
use std::collections::hash_map;
use std::sync::OnceLock;

use foldhash::SharedSeed;
use foldhash::quality::{FoldHasher, SeedableRandomState};

/// Makes the hashers of a [`HashMap`](super::HashMap): [foldhash](https://docs.rs/foldhash), keyed afresh for each map.
///
/// The keys come from the operating system's generator, through [`std::hash::RandomState`], so that nobody can prepare a set of
/// keys that collide in a process or map they have not watched. Foldhash is not a cryptographic function: whoever can measure
/// how long single lookups take may learn enough to make collisions in the long run, at the price of slow lookups, never of
/// wrong ones. Where keys come from such a peer, name `std::hash::RandomState` (SipHash, 3-5 times the cost for short keys) as the
/// map's third parameter.
///
/// # Examples
///
/// ```
/// use std::hash::BuildHasher;
/// use aqueduct_lockfree::map::KeyedState;
///
/// let (one, other) = (KeyedState::default(), KeyedState::default());
/// assert_eq!(one.hash_one("key"), one.hash_one("key"));
/// assert_ne!(one.hash_one("key"), other.hash_one("key"));
/// ```
#[derive(Clone)]
pub struct KeyedState(SeedableRandomState);

/// Random for the process.
static SHARED: OnceLock<SharedSeed> = OnceLock::new();

fn random() -> u64 {
    // Never the same twice: the standard library draws keys once a thread and counts them up with each state.
    hash_map::RandomState::new().hash_one(0)
}

impl Default for KeyedState {
    fn default() -> KeyedState {
        KeyedState(SeedableRandomState::with_seed(
            random(),
            SHARED.get_or_init(|| SharedSeed::from_u64(random())),
        ))
    }
}

impl fmt::Debug for KeyedState {
    /// Without the key, which must not get into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedState").finish_non_exhaustive()
    }
}

impl BuildHasher for KeyedState {
    type Hasher = KeyedHasher;

    #[inline]
    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher(self.0.build_hasher())
    }
}

/// The hasher that [`KeyedState`] makes.
#[derive(Clone)]
pub struct KeyedHasher(FoldHasher<'static>);

impl fmt::Debug for KeyedHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedHasher").finish_non_exhaustive()
    }
}

impl Hasher for KeyedHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.0.write_u8(value);
    }

    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.0.write_u16(value);
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.0.write_u32(value);
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.0.write_u64(value);
    }

    #[inline]
    fn write_u128(&mut self, value: u128) {
        self.0.write_u128(value);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.0.write_usize(value);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0.finish()
    }
}
