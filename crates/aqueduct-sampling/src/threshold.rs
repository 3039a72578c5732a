//! The rejection threshold `th` of consistent probability sampling.

use std::fmt;
use std::str::FromStr;

use crate::hex;
use crate::{ParseHexError, ProbabilityError, Randomness};

/// 2^56: how many random values there are.
pub(crate) const SCALE: u64 = 1 << 56;

/// A rejection threshold of 56 bits: an item is kept if its [`Randomness`] is not below it.
///
/// It says how likely an item was to be kept, and so how many each kept one stands for. It travels as `th` in the member `ot` of the trace
/// state: 1 to 14 hexadecimal digits, of which trailing zeros are left out (OpenTelemetry specification, "Probability sampling" and
/// "`ot` in the trace state"). Zero keeps everything. No threshold drops everything: what is never kept has no adjusted count either, and is
/// `None` in this crate.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{Randomness, Threshold};
///
/// let tenth = Threshold::from_probability_rounded(0.1, 4)?;
/// assert_eq!(tenth.to_string(), "e666");
/// assert_eq!("e666".parse(), Ok(tenth));
/// assert!((tenth.adjusted_count() - 10.0).abs() < 1e-3);
/// assert!(tenth.keeps(Randomness::MAX) && !tenth.keeps(Randomness::MIN));
/// # Ok::<(), aqueduct_sampling::ProbabilityError>(())
/// ```
#[doc(alias = "th")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u64);

impl Threshold {
    /// Keeps everything: probability 1, adjusted count 1.
    pub const ALWAYS: Threshold = Threshold(0);
    /// Keeps one random value of 2^56, the highest.
    pub const MAX: Threshold = Threshold(SCALE - 1);

    /// The threshold with this value; `None` from 2^56 on.
    #[must_use]
    pub const fn new(value: u64) -> Option<Threshold> {
        if value < SCALE { Some(Threshold(value)) } else { None }
    }

    /// The threshold that keeps this share of all items, as exactly as 56 bits can.
    ///
    /// # Errors
    ///
    /// The probability is not a number from 2^-56 to 1.
    pub fn from_probability(probability: f64) -> Result<Threshold, ProbabilityError> {
        if !(probability >= 1.0 / SCALE as f64 && probability <= 1.0) {
            return Err(ProbabilityError(probability));
        }
        // What is kept, not what is rejected, is what has to be exact: near 0 the doubles are dense, near 1 they are not.
        let kept = (probability * SCALE as f64).round() as u64;
        Ok(Threshold(SCALE - kept.clamp(1, SCALE)))
    }

    /// The same with so many significant hexadecimal digits, which makes a shorter `th`. Digits `f` (and `0`) at the front, which only say that
    /// the probability is near 0 (near 1), do not count. 4 is the specification's default, and exact to 1 in 8,000 of the
    /// probability; from 14 on nothing is rounded, and 0 counts as 1.
    ///
    /// # Errors
    ///
    /// As of [`from_probability`](Self::from_probability).
    pub fn from_probability_rounded(probability: f64, digits: u32) -> Result<Threshold, ProbabilityError> {
        let exact = Self::from_probability(probability)?;
        Ok(exact.rounded(digits))
    }

    fn rounded(self, digits: u32) -> Threshold {
        // The bits that the value or its complement begins with, four to a digit.
        let leading = |value: u64| value.leading_zeros().saturating_sub(8) / 4;
        let insignificant = leading(self.0).max(leading(SCALE - 1 - self.0));
        let digits = digits.max(1).saturating_add(insignificant);
        if self.0 == 0 || digits >= hex::DIGITS {
            return self;
        }
        let dropped = 4 * (hex::DIGITS - digits);
        let rounded = ((self.0 + (1 << (dropped - 1))) >> dropped) << dropped;
        if rounded < SCALE { Threshold(rounded) } else { self }
    }

    /// The number itself, below 2^56.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Whether an item with this randomness is kept.
    #[inline]
    #[must_use]
    pub const fn keeps(self, randomness: Randomness) -> bool {
        randomness.value() >= self.0
    }

    /// The share of items that it keeps, from 2^-56 to 1.
    #[must_use]
    pub fn probability(self) -> f64 {
        (SCALE - self.0) as f64 / SCALE as f64
    }

    /// How many items each one stands for that was kept: the reciprocal of the probability, from 1 to 2^56. Its sum over kept items is an
    /// unbiased estimate of how many there were.
    #[must_use]
    pub fn adjusted_count(self) -> f64 {
        SCALE as f64 / (SCALE - self.0) as f64
    }

    /// Its text, from 1 to 14 digits, without an allocation.
    #[must_use]
    pub fn digits(self) -> impl AsRef<str> + fmt::Display + Copy {
        hex::Text::trimmed(self.0)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(hex::Text::trimmed(self.0).as_ref())
    }
}

impl FromStr for Threshold {
    type Err = ParseHexError;

    /// Reads 1 to 14 lower-case hexadecimal digits; those that lack at the end are zeros.
    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        let value = hex::parse(text).filter(|_| !text.is_empty());
        value.map(Threshold).ok_or(ParseHexError::Threshold)
    }
}
