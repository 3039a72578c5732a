//! What a threshold is compared with.

use std::fmt;
use std::str::FromStr;

use rand::Rng;

use crate::ParseHexError;
use crate::hex;
use crate::threshold::SCALE;

/// The 56 random bits that all decisions about a trace share.
///
/// They are the last 7 bytes of its id, which the random flag of trace context level 2 vouches for, or `rv` in the member `ot` of the trace
/// state where an id is not random.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::Randomness;
///
/// let id = 0x4bf92f35_77b34da6_a3ce929d_0e0e4736_u128.to_be_bytes();
/// let randomness = Randomness::from_trace_id(&id);
/// assert_eq!(randomness.to_string(), "ce929d0e0e4736");
/// assert_eq!("ce929d0e0e4736".parse(), Ok(randomness));
/// ```
#[doc(alias = "rv")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Randomness(u64);

impl Randomness {
    /// Zero, which only [`Threshold::ALWAYS`](crate::Threshold::ALWAYS) keeps.
    pub const MIN: Randomness = Randomness(0);
    /// 2^56 - 1, which every threshold keeps.
    pub const MAX: Randomness = Randomness(SCALE - 1);

    /// The randomness with this value; `None` from 2^56 on.
    #[must_use]
    pub const fn new(value: u64) -> Option<Randomness> {
        if value < SCALE { Some(Randomness(value)) } else { None }
    }

    /// That of a trace: the last 7 bytes of its id.
    #[inline]
    #[must_use]
    pub const fn from_trace_id(id: &[u8; 16]) -> Randomness {
        Randomness(u128::from_be_bytes(*id) as u64 & (SCALE - 1))
    }

    /// A new one: for the `rv` of a root whose id is not random, and for decisions that must not depend on the trace.
    #[must_use]
    pub fn fresh(rng: &mut (impl Rng + ?Sized)) -> Randomness {
        Randomness(rng.next_u64() >> 8)
    }

    /// The number itself, below 2^56.
    #[inline]
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Its text, always 14 digits, without an allocation.
    #[must_use]
    pub fn digits(self) -> impl AsRef<str> + fmt::Display + Copy {
        hex::Text::whole(self.0)
    }
}

impl fmt::Display for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(hex::Text::whole(self.0).as_ref())
    }
}

impl FromStr for Randomness {
    type Err = ParseHexError;

    /// Reads exactly 14 lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        let value = hex::parse(text).filter(|_| text.len() == hex::DIGITS as usize);
        value.map(Randomness).ok_or(ParseHexError::Randomness)
    }
}
