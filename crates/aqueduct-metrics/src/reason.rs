//! Why an item was dropped: a closed list, so that no drop goes without a reason and no label set grows without bound.

use std::fmt;
use std::str::FromStr;

/// Why an accepted item was neither delivered nor rejected by its destination.
///
/// The list is closed on purpose: it is the label set of the `dropped` counters, and each entry names one decision of the
/// pipeline that an operator can act on. It is `#[non_exhaustive]` because later stages may add a decision of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum DropReason {
    /// The queue was full in items and its policy said to drop.
    QueueFull,
    /// The memory budget in bytes was used up.
    Budget,
    /// The destination answered with an error that no retry can cure.
    Permanent,
    /// The item grew older than the longest time it may be retried for.
    MaxAge,
    /// The request was sent, nobody knows whether it arrived, and sending it again was not allowed.
    UnknownOutcome,
    /// The item alone is larger than the largest request the destination takes.
    TooLarge,
    /// The shutdown deadline passed while the item was still held.
    Shutdown,
    /// A sampling decision or a filter removed the item. The only reason that is not a loss.
    NotSampled,
    /// A receipt was dropped without being settled: a bug in the code that held it.
    Leaked,
    /// A forked child abandoned what it had inherited; the parent still delivers it.
    Inherited,
}

impl DropReason {
    /// Every reason, in the order of [`DropReason::index`].
    pub const ALL: [DropReason; 10] = [
        DropReason::QueueFull,
        DropReason::Budget,
        DropReason::Permanent,
        DropReason::MaxAge,
        DropReason::UnknownOutcome,
        DropReason::TooLarge,
        DropReason::Shutdown,
        DropReason::NotSampled,
        DropReason::Leaked,
        DropReason::Inherited,
    ];

    /// How many reasons there are: the length of a table indexed by [`DropReason::index`].
    pub const COUNT: usize = Self::ALL.len();

    /// The position in [`DropReason::ALL`], for tables of counters.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason as a label value, in snake case: `queue_full`, `max_age`, ...
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::QueueFull => "queue_full",
            DropReason::Budget => "budget",
            DropReason::Permanent => "permanent",
            DropReason::MaxAge => "max_age",
            DropReason::UnknownOutcome => "unknown_outcome",
            DropReason::TooLarge => "too_large",
            DropReason::Shutdown => "shutdown",
            DropReason::NotSampled => "not_sampled",
            DropReason::Leaked => "leaked",
            DropReason::Inherited => "inherited",
        }
    }

    /// Whether somebody wanted the item and did not get it: true for every reason but [`DropReason::NotSampled`].
    ///
    /// A sender whose items were only not sampled has nothing to send again.
    pub const fn is_loss(self) -> bool {
        !matches!(self, DropReason::NotSampled)
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no [`DropReason`]: what parsing one returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownDropReason;

impl fmt::Display for UnknownDropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown drop reason")
    }
}

impl std::error::Error for UnknownDropReason {}

impl FromStr for DropReason {
    type Err = UnknownDropReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(UnknownDropReason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the tables of counters: `index` must be the position in `ALL`, or drops would be counted under another name.
    #[test]
    fn index_is_the_position_and_names_round_trip() {
        for (position, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), position);
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        assert_eq!("Queue full".parse::<DropReason>(), Err(UnknownDropReason));
    }

    /// Guards what a waiting sender is told: only sampling is no loss.
    #[test]
    fn only_sampling_is_not_a_loss() {
        let harmless: Vec<_> = DropReason::ALL.into_iter().filter(|reason| !reason.is_loss()).collect();
        assert_eq!(harmless, [DropReason::NotSampled]);
    }
}
