//! What happens to items before a pipeline has them.

use std::fmt;

use aqueduct_lockfree::ShardedCounter;
use aqueduct_pipeline::Refused;

/// Why an item did not get into the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotTaken {
    /// There was no room; see [`LaneConfig::queue_bytes`](aqueduct_pipeline::LaneConfig::queue_bytes).
    QueueFull,
    /// It came after the shutdown of its processor, exporter or pipeline.
    AlreadyShutdown,
    /// A span that is recorded and not sampled, which exporters do not get (OpenTelemetry specification, "Recording Sampled reaction table").
    NotSampled,
    /// A filter said so.
    Filtered,
    /// A filter or a redactor panicked on it.
    Panicked,
    /// Telemetry is switched off, or nothing can be sent in this process; see [`Aqueduct::settings`](crate::Aqueduct::settings).
    Unavailable,
}

impl NotTaken {
    /// Every reason.
    pub const ALL: [NotTaken; 6] = [
        NotTaken::QueueFull,
        NotTaken::AlreadyShutdown,
        NotTaken::NotSampled,
        NotTaken::Filtered,
        NotTaken::Panicked,
        NotTaken::Unavailable,
    ];

    /// The reason as the value of an attribute (`error.type`), in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            NotTaken::QueueFull => "queue_full",
            NotTaken::AlreadyShutdown => "already_shutdown",
            NotTaken::NotSampled => "not_sampled",
            NotTaken::Filtered => "filtered",
            NotTaken::Panicked => "panicked",
            NotTaken::Unavailable => "unavailable",
        }
    }

    /// Whether somebody wanted the item and did not get it.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        !matches!(self, NotTaken::NotSampled | NotTaken::Filtered)
    }
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<Refused> for NotTaken {
    fn from(refused: Refused) -> NotTaken {
        match refused {
            Refused::Full { .. } => NotTaken::QueueFull,
            Refused::Closed => NotTaken::AlreadyShutdown,
            Refused::EncoderPanicked => NotTaken::Panicked,
            _ => NotTaken::Unavailable,
        }
    }
}

/// Where the parent of a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// There is none.
    None,
    Local,
    Remote,
}

impl Origin {
    pub(crate) const ALL: [Origin; 3] = [Origin::None, Origin::Local, Origin::Remote];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Origin::None => "none",
            Origin::Local => "local",
            Origin::Remote => "remote",
        }
    }
}

/// Counters of one signal in one process.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Spans that were started, by [`Origin`] and whether they are sampled.
    started: [[ShardedCounter; 2]; Origin::ALL.len()],
    /// Spans that were ended, by whether they are sampled.
    ended: [ShardedCounter; 2],
    /// Log records that were emitted.
    created: ShardedCounter,
    not_taken: [ShardedCounter; NotTaken::ALL.len()],
}

impl Counts {
    #[inline]
    pub(crate) fn started(&self, origin: Origin, sampled: bool) {
        self.started[origin as usize][usize::from(sampled)].inc();
    }

    #[inline]
    pub(crate) fn ended(&self, sampled: bool) {
        self.ended[usize::from(sampled)].inc();
    }

    #[inline]
    pub(crate) fn created(&self) {
        self.created.inc();
    }

    pub(crate) fn not_taken(&self, why: NotTaken, items: u64) {
        self.not_taken[why as usize].add(items);
    }

    pub(crate) fn all_started(&self, origin: Origin, sampled: bool) -> u64 {
        self.started[origin as usize][usize::from(sampled)].sum()
    }

    /// Spans that have not ended.
    pub(crate) fn live(&self, sampled: bool) -> u64 {
        // Ended first: one that is started and ended in between is counted as live rather than as less than none.
        let ended = self.ended[usize::from(sampled)].sum();
        let started = Origin::ALL.into_iter().map(|origin| self.all_started(origin, sampled));
        started.sum::<u64>().saturating_sub(ended)
    }

    pub(crate) fn all_created(&self) -> u64 {
        self.created.sum()
    }

    pub(crate) fn all_not_taken(&self, why: NotTaken) -> u64 {
        self.not_taken[why as usize].sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the table: a reason is counted under its own name.
    #[test]
    fn reasons_are_in_order() {
        for (index, reason) in NotTaken::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        for (index, origin) in Origin::ALL.into_iter().enumerate() {
            assert_eq!(origin as usize, index);
        }
    }
}
