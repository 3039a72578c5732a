//! Few values of an attribute that has many.
//!
//! # How it works
//!
//! Each key has a table of *admitted* values, at most as many as are allowed. A value that is in it passes: one lookup without a lock. One that is not is admitted while there
//! is room, and after that becomes the overflow value and is counted in a sketch.
//!
//! When a window is over, what overflowed often takes the places of what is seldom used: the heaviest of the sketch against the lightest of the table, for as long as it is more
//! than twice as heavy. That much keeps two values of about the same weight from taking turns. Its place is *reserved* for a hash, as the sketch knows no texts, until the value
//! comes again. So within a window nothing leaves the table, and what is admitted, reserved and free together is never more than allowed.

mod sketch;
mod table;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_exec::fork::PerProcess;
use aqueduct_lockfree::ShardedCounter;
use aqueduct_wire::encode::ValueRef;
use opentelemetry::{KeyValue, StringValue, Value};

use table::Table;

/// What a [`CardinalityLimiter`] is to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CardinalityConfig {
    /// Values that each key may have in a window, at most; the overflow value is not one of them. Default 500. With 0 every value overflows.
    pub max_values: usize,
    /// How long what is admitted stays, at least. Default 5 minutes. Backends count the series or values of some hours: the shorter it is, the sooner new heavy hitters come in, and the
    /// more values there are in all.
    pub window: Duration,
    /// Bytes of a value that may be admitted, at most: longer ones overflow. Default 256. It bounds the memory.
    pub max_value_bytes: usize,
    /// What stands for values that are not admitted. Default `_OTHER`, as the semantic conventions have it for `http.request.method`.
    pub overflow: Arc<str>,
}

impl Default for CardinalityConfig {
    fn default() -> Self {
        CardinalityConfig {
            max_values: 500,
            window: Duration::from_secs(300),
            max_value_bytes: 256,
            overflow: Arc::from("_OTHER"),
        }
    }
}

impl CardinalityConfig {
    /// Sets [`max_values`](Self::max_values).
    #[must_use]
    pub fn with_max_values(mut self, values: usize) -> Self {
        self.max_values = values;
        self
    }

    /// Sets [`window`](Self::window).
    #[must_use]
    pub fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets [`max_value_bytes`](Self::max_value_bytes).
    #[must_use]
    pub fn with_max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Sets [`overflow`](Self::overflow).
    #[must_use]
    pub fn with_overflow(mut self, text: impl Into<Arc<str>>) -> Self {
        self.overflow = text.into();
        self
    }
}

/// Keeps the values of some attributes few: the frequent ones stay, the rest become one overflow value.
///
/// For attributes like user ids, paths and statements, whose hundred thousand values make an index dear and say little each. [`Builder::limit_cardinality`](crate::Builder::limit_cardinality) asks it about everything that spans and log records carry; or call it
/// wherever attributes are made, for data points above all.
///
/// # Guarantees
///
/// - In a window no more than [`max_values`](CardinalityConfig::max_values) different values of a key pass, exactly, whatever the number of threads.
/// - A value that was admitted stays for its window at least, and longer unless another that came more than twice as often needs its place.
/// - A value that is frequent is admitted at the end of its first window, whatever came before it; until then it overflows, if there was no room.
/// - Every value is counted, as kept or as overflowed.
/// - A forked child goes on with the values that its parent had admitted, in a window of its own and with counts of its own, and waits for no lock of its parent's.
///
/// # Allocation
///
/// None for values that are admitted, or overflow. Memory is bounded by `max_values * (max_value_bytes + 1,200 bytes)` for each key, whatever comes; a key that never overflows takes
/// some 100 bytes for a value, and the value.
///
/// # Overload
///
/// A value that is admitted costs a lookup, wait-free and without a write to a shared line but for one time in sixteen. One that overflows looks at the clock and
/// takes a lock if nobody has it; if somebody has, it is not counted in the sketch. Values that come while there is room wait for the lock.
///
/// # Examples
///
/// ```
/// use aqueduct_opentelemetry::{CardinalityConfig, CardinalityLimiter, Limited};
/// use opentelemetry::KeyValue;
///
/// let config = CardinalityConfig::default().with_max_values(2);
/// let limiter = CardinalityLimiter::new(["user.id"], config);
/// assert_eq!(limiter.limit("user.id", "anna"), Limited::Kept("anna"));
/// assert_eq!(limiter.limit("user.id", "bert"), Limited::Kept("bert"));
/// assert_eq!(limiter.limit("user.id", "carl"), Limited::Overflow("_OTHER"));
/// assert_eq!(limiter.limit("user.id", "anna").value(), "anna");
/// assert_eq!(limiter.limit("shop", "any"), Limited::Kept("any"), "another key");
///
/// let mut attributes = vec![KeyValue::new("user.id", "dora"), KeyValue::new("shop", "any")];
/// assert_eq!(limiter.limit_attributes(&mut attributes), 1);
/// assert_eq!(attributes[0].value.as_str(), "_OTHER");
/// ```
#[doc(alias = "HighCardinality")]
#[doc(alias = "AttributeLimiter")]
pub struct CardinalityLimiter {
    keys: Box<[Box<str>]>,
    /// Bit `n` is set if a key of `n` bytes is limited; 63 stands for all longer ones. Most attributes of a span have no key that is, and one look tells it.
    lengths: u64,
    config: CardinalityConfig,
    /// A thread of the parent may have had a lock in it when the process was forked.
    state: PerProcess<State>,
}

/// What changes.
struct State {
    /// In the order of the keys.
    tables: Box<[Table]>,
    kept: ShardedCounter,
    overflowed: ShardedCounter,
}

/// What becomes of a value. Complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited<'a> {
    /// It stays.
    Kept(&'a str),
    /// It is replaced by this, the overflow value.
    Overflow(&'a str),
}

impl<'a> Limited<'a> {
    /// What to write.
    #[must_use]
    pub fn value(self) -> &'a str {
        match self {
            Limited::Kept(value) | Limited::Overflow(value) => value,
        }
    }

    /// Whether it was replaced.
    #[must_use]
    pub fn is_overflow(self) -> bool {
        matches!(self, Limited::Overflow(_))
    }
}

/// What a [`CardinalityLimiter`] has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CardinalityStats {
    /// Values of limited keys that stayed.
    pub kept: u64,
    /// Values of limited keys that were replaced.
    pub overflowed: u64,
    /// Each limited key.
    pub keys: Vec<KeyStats>,
}

/// What a [`CardinalityLimiter`] has done to one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyStats {
    /// The key.
    pub key: String,
    /// Values that are admitted now.
    pub admitted: usize,
    /// Values that had to make room for more frequent ones.
    pub displaced: u64,
    /// Windows that are over.
    pub windows: u64,
}

impl CardinalityLimiter {
    /// Limits the values of these keys, each for itself. Keys are found by looking through them: for tens, not for thousands.
    #[must_use]
    pub fn new<K: Into<Box<str>>>(keys: impl IntoIterator<Item = K>, config: CardinalityConfig) -> Self {
        let keys: Box<[Box<str>]> = keys.into_iter().map(Into::into).collect();
        let lengths = keys.iter().fold(0, |lengths, key| lengths | bit(key));
        let state = PerProcess::with(State::new(keys.len(), &config));
        CardinalityLimiter { keys, lengths, config, state }
    }

    /// Says what becomes of a value. Reads the clock, but for values that are admitted.
    pub fn limit<'a>(&'a self, key: &str, value: &'a str) -> Limited<'a> {
        self.decide(key, value, Instant::now)
    }

    /// The same at a time that is given. A time before one that was given already does nothing.
    pub fn limit_at<'a>(&'a self, key: &str, value: &'a str, now: Instant) -> Limited<'a> {
        self.decide(key, value, || now)
    }

    /// Replaces the values of attributes that are not admitted, and says how many it replaced. Texts and whole numbers are limited, values of other types are left as they are.
    ///
    /// # Allocation
    ///
    /// None.
    pub fn limit_attributes(&self, attributes: &mut [KeyValue]) -> usize {
        let mut replaced = 0;
        for attribute in attributes {
            let Some(key) = self.place(attribute.key.as_str()) else { continue };
            let mut digits = Digits::default();
            let value = match &attribute.value {
                Value::String(text) => text.as_str(),
                Value::I64(number) => digits.of(*number),
                _ => continue,
            };
            if !self.passes(key, value, Instant::now) {
                attribute.value = Value::String(StringValue::from(Arc::clone(&self.config.overflow)));
                replaced += 1;
            }
        }
        replaced
    }

    /// What is to be written instead of a value, if it is not admitted. As [`limit_attributes`](Self::limit_attributes).
    pub(crate) fn overflow_of(&self, key: &str, value: &ValueRef<'_>) -> Option<&str> {
        let key = self.place(key)?;
        let mut digits = Digits::default();
        let value = match value {
            ValueRef::Str(text) => text,
            ValueRef::Int(number) => digits.of(*number),
            _ => return None,
        };
        (!self.passes(key, value, Instant::now)).then_some(&*self.config.overflow)
    }

    /// What it has done in this process.
    #[must_use]
    pub fn stats(&self) -> CardinalityStats {
        let State { tables, kept, overflowed } = self.state();
        let keys = self.keys.iter().zip(tables).map(|(key, table)| table.stats(key)).collect();
        CardinalityStats { kept: kept.sum(), overflowed: overflowed.sum(), keys }
    }

    fn decide<'a>(&'a self, key: &str, value: &'a str, now: impl FnOnce() -> Instant) -> Limited<'a> {
        match self.place(key) {
            Some(key) if !self.passes(key, value, now) => Limited::Overflow(&self.config.overflow),
            _ => Limited::Kept(value),
        }
    }

    fn passes(&self, key: usize, value: &str, now: impl FnOnce() -> Instant) -> bool {
        let State { tables, kept, overflowed } = self.state();
        let table = &tables[key];
        // The length first: what is too long is never admitted, and need not be hashed to find that out.
        let passes = value.len() <= self.config.max_value_bytes
            && (table.is_admitted(value) || table.admit(value, now(), self.config.window));
        if passes { kept } else { overflowed }.inc();
        passes
    }

    /// Where the key is among those that are limited, if it is.
    #[inline]
    fn place(&self, key: &str) -> Option<usize> {
        if self.lengths & bit(key) == 0 {
            return None;
        }
        self.keys.iter().position(|limited| **limited == *key)
    }

    #[inline]
    fn state(&self) -> &State {
        self.state.get_or_build(|inherited| match inherited {
            Some(parent) => State::of_child(parent, &self.config),
            None => State::new(self.keys.len(), &self.config),
        })
    }
}

impl State {
    fn new(keys: usize, config: &CardinalityConfig) -> Self {
        let now = Instant::now();
        Self::with((0..keys).map(|_| Table::new(config.max_values, now)).collect())
    }

    fn of_child(parent: &State, config: &CardinalityConfig) -> Self {
        let now = Instant::now();
        Self::with(parent.tables.iter().map(|table| table.of_child(config.max_values, now)).collect())
    }

    fn with(tables: Box<[Table]>) -> Self {
        State { tables, kept: ShardedCounter::new(), overflowed: ShardedCounter::new() }
    }
}

impl fmt::Debug for CardinalityLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardinalityLimiter")
            .field("config", &self.config)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn bit(key: &str) -> u64 {
    1 << key.len().min(63)
}

/// A whole number as text, on the stack.
#[derive(Default)]
struct Digits {
    // Nineteen digits and a sign.
    text: [u8; 20],
}

impl Digits {
    fn of(&mut self, number: i64) -> &str {
        let (mut rest, mut at) = (number.unsigned_abs(), self.text.len());
        loop {
            at -= 1;
            self.text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            at -= 1;
            self.text[at] = b'-';
        }
        // Digits and a sign only, so this cannot fail.
        std::str::from_utf8(&self.text[at..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards numbers at the edges: the least has no positive counterpart.
    #[test]
    fn numbers_are_written_as_they_are() {
        for number in [0, 7, -7, 10, 404, i64::MAX, i64::MIN] {
            assert_eq!(Digits::default().of(number), number.to_string());
        }
    }
}
