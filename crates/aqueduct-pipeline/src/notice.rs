//! What a pipeline has to say to its operator: one line per cause, with running totals, never one per failure.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_wire::Signal;

/// A cause that goes on is repeated with new totals at most this often.
const REPEAT_AFTER: Duration = Duration::from_secs(30);
/// Causes told apart per lane; a destination that fails in more ways than this shares the last entry.
const MAX_CAUSES: usize = 16;

/// Something that an operator should know about one lane of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Attempts fail and will be made again; the batches are kept.
    Failing {
        /// What failed, as the exporter told it.
        cause: String,
        /// Failures of this cause since the pipeline started.
        failures: u64,
        /// Items waiting in this lane now.
        held: u64,
    },
    /// Items were given up.
    Dropped {
        /// The ledger's reason.
        reason: DropReason,
        /// What was told about it.
        cause: String,
        /// Items dropped for this reason since the pipeline started.
        items: u64,
    },
    /// The first delivery after failures.
    Recovered {
        /// How long nothing could be delivered.
        after: Duration,
        /// Items waiting in this lane now.
        held: u64,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Failing { cause, failures, held } => {
                write!(f, "export fails and is retried: {cause} ({failures} so far, {held} items held)")
            }
            Notice::Dropped { reason, cause, items } => {
                write!(f, "items dropped ({}): {cause} ({items} items so far)", reason.as_str())
            }
            Notice::Recovered { after, held } => {
                write!(f, "export works again after {:.1} s ({held} items held)", after.as_secs_f64())
            }
        }
    }
}

/// Receives notices with the lane they are about. Called on the pipeline's thread: it must not block.
pub type NoticeHandler = Arc<dyn Fn(Signal, &str, &Notice) + Send + Sync>;

/// Decides which events become notices. Sans-I/O: the clock is an argument.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    causes: Vec<Cause>,
    failing_since: Option<Instant>,
    /// Whether this spell of failures was told, so that its end is worth telling too. A destination that fails now
    /// and then would otherwise recover aloud many times a second.
    failing_told: bool,
}

#[derive(Debug)]
struct Cause {
    key: String,
    total: u64,
    told: Instant,
}

impl Notices {
    /// Counts an event of this cause; the running total when it is time to tell it.
    fn count(&mut self, key: &str, by: u64, now: Instant) -> Option<u64> {
        let known = self.causes.iter().position(|cause| cause.key == key);
        let index = known.or_else(|| (self.causes.len() == MAX_CAUSES).then_some(MAX_CAUSES - 1));
        let Some(cause) = index.and_then(|index| self.causes.get_mut(index)) else {
            self.causes.push(Cause { key: key.to_owned(), total: by, told: now });
            return Some(by);
        };
        cause.total += by;
        if now.saturating_duration_since(cause.told) < REPEAT_AFTER {
            return None;
        }
        cause.told = now;
        Some(cause.total)
    }

    pub(crate) fn failed(&mut self, kind: &str, cause: &str, held: u64, now: Instant) -> Option<Notice> {
        self.failing_since.get_or_insert(now);
        let failures = self.count(kind, 1, now)?;
        self.failing_told = true;
        Some(Notice::Failing { cause: cause.to_owned(), failures, held })
    }

    pub(crate) fn dropped(
        &mut self,
        reason: DropReason,
        cause: &str,
        items: u64,
        now: Instant,
    ) -> Option<Notice> {
        let items = self.count(reason.as_str(), items, now)?;
        Some(Notice::Dropped { reason, cause: cause.to_owned(), items })
    }

    /// Whether the next delivery may be worth telling.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing_since.is_some()
    }

    pub(crate) fn delivered(&mut self, held: u64, now: Instant) -> Option<Notice> {
        let since = self.failing_since.take()?;
        if !std::mem::take(&mut self.failing_told) {
            return None;
        }
        Some(Notice::Recovered { after: now.saturating_duration_since(since), held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_and_then_every_thirty_seconds_with_its_total() {
        let mut notices = Notices::default();
        let start = Instant::now();
        assert!(notices.failed("connect", "connection refused", 5, start).is_some());
        for second in 1..30 {
            assert_eq!(
                notices.failed("connect", "connection refused", 5, start + Duration::from_secs(second)),
                None
            );
        }
        let again = notices.failed("connect", "connection refused", 7, start + Duration::from_secs(30));
        let expected = Notice::Failing { cause: "connection refused".into(), failures: 31, held: 7 };
        assert_eq!(again, Some(expected));
        // Another cause is told at once.
        assert!(notices.failed("timeout", "timed out", 5, start + Duration::from_secs(31)).is_some());
    }

    #[test]
    fn recovery_is_told_once() {
        let mut notices = Notices::default();
        let start = Instant::now();
        assert_eq!(notices.delivered(0, start), None);
        notices.failed("connect", "refused", 1, start);
        let told = notices.delivered(3, start + Duration::from_secs(2));
        assert_eq!(told, Some(Notice::Recovered { after: Duration::from_secs(2), held: 3 }));
        assert_eq!(notices.delivered(3, start + Duration::from_secs(3)), None);
    }

    #[test]
    fn a_spell_of_failures_that_was_not_told_ends_in_silence() {
        let mut notices = Notices::default();
        let start = Instant::now();
        notices.failed("unavailable", "try later", 1, start);
        assert!(notices.delivered(0, start + Duration::from_secs(1)).is_some());
        notices.failed("unavailable", "try later", 1, start + Duration::from_secs(2));
        assert_eq!(notices.delivered(0, start + Duration::from_secs(3)), None);
    }

    #[test]
    fn the_number_of_causes_is_bounded() {
        let mut notices = Notices::default();
        let start = Instant::now();
        for cause in 0..1_000 {
            notices.failed(&format!("cause {cause}"), "told", 0, start);
        }
        assert_eq!(notices.causes.len(), MAX_CAUSES);
    }
}
