//! Whether things went well, and if not, why.

use std::sync::Arc;

use aqueduct_lockfree::ShardedCounter;
use aqueduct_lockfree::map::{Capped, Guard};

/// The kind under which errors are counted whose kind found no room.
pub(crate) const OTHER: &str = "other";
/// Longer names are cut.
const LONGEST: usize = 64;
/// Cells of a kind's counter: errors are rarer than successes.
const CELLS: usize = 8;

/// Counts successes, and errors by kind. Clones count into the same.
///
/// There is room for a fixed number of kinds, which come into being when they are first met. Errors of further kinds are counted as `other`. A name longer
/// than 64 bytes is cut.
///
/// # Allocation
///
/// Some 2 KiB when made, and 1 KiB for each kind.
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::Outcomes;
///
/// let exports = Outcomes::with_kinds(1);
/// (0..98).for_each(|_| exports.success());
/// exports.error("timeout");
/// exports.error("one kind too many");
/// let counts = exports.read();
/// assert_eq!((counts.successes, counts.errors()), (98, 2));
/// assert_eq!(counts.by_kind, [("other".to_owned(), 1), ("timeout".to_owned(), 1)]);
/// assert_eq!(counts.success_rate(), Some(0.98));
/// ```
#[derive(Clone, Debug)]
pub struct Outcomes {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    successes: ShardedCounter,
    kinds: Capped<String, ShardedCounter>,
}

impl Outcomes {
    /// How many kinds there is room for unless told otherwise.
    pub const DEFAULT_KINDS: usize = 32;

    /// Nothing counted yet, room for 32 kinds, and of no recorder.
    pub fn new() -> Self {
        Self::with_kinds(Self::DEFAULT_KINDS)
    }

    /// As [`new`](Self::new), with room for so many kinds, 1,024 at most.
    pub fn with_kinds(kinds: usize) -> Self {
        let inner = Inner {
            successes: ShardedCounter::new(),
            kinds: Capped::new(kinds.min(1024), ShardedCounter::with_cells(CELLS)),
        };
        Outcomes { inner: Arc::new(inner) }
    }

    /// Counts a success.
    #[inline]
    pub fn success(&self) {
        self.inner.successes.inc();
    }

    /// Counts so many successes.
    #[inline]
    pub fn successes(&self, count: u64) {
        self.inner.successes.add(count);
    }

    /// Counts an error of a kind: a short name from a small set, as `timeout` or `connection_refused`. The empty name counts as `other`.
    pub fn error(&self, kind: &str) {
        self.errors(kind, 1);
    }

    /// Counts so many errors of a kind.
    pub fn errors(&self, kind: &str, count: u64) {
        let kind = shortened(kind, LONGEST);
        let Inner { kinds, .. } = &*self.inner;
        if kind.is_empty() || kind == OTHER {
            return kinds.overflow().add(count);
        }
        let guard = Guard::pin();
        if let Some(counter) = kinds.get(kind, &guard) {
            return counter.add(count);
        }
        kinds
            .get_or_insert_with(kind.to_owned(), || ShardedCounter::with_cells(CELLS), &guard)
            .value()
            .add(count);
    }

    /// Everything counted so far.
    pub fn read(&self) -> OutcomeCounts {
        let guard = Guard::pin();
        let Inner { kinds, successes } = &*self.inner;
        let mut by_kind: Vec<_> =
            kinds.iter(&guard).map(|(kind, counter)| (kind.clone(), counter.sum())).collect();
        let other = kinds.overflow().sum();
        if other > 0 {
            by_kind.push((OTHER.to_owned(), other));
        }
        by_kind.sort_unstable();
        OutcomeCounts { successes: successes.sum(), by_kind }
    }
}

impl Default for Outcomes {
    fn default() -> Self {
        Self::new()
    }
}

/// How often things went well and how often not, as read from [`Outcomes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutcomeCounts {
    /// What went well.
    pub successes: u64,
    /// What did not, by kind, in the order of the names; `other` for kinds without room.
    pub by_kind: Vec<(String, u64)>,
}

impl OutcomeCounts {
    /// Errors of all kinds.
    pub fn errors(&self) -> u64 {
        self.by_kind.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count))
    }

    /// Successes and errors.
    pub fn total(&self) -> u64 {
        self.successes.saturating_add(self.errors())
    }

    /// Which share of all went well, 0 to 1; none if nothing happened.
    pub fn success_rate(&self) -> Option<f64> {
        let total = self.total();
        (total > 0).then(|| self.successes as f64 / total as f64)
    }

    /// What came after `earlier`, a reading of the same.
    pub fn since(&self, earlier: &OutcomeCounts) -> OutcomeCounts {
        let before = |kind: &String| {
            earlier
                .by_kind
                .binary_search_by(|(other, _)| other.cmp(kind))
                .map_or(0, |at| earlier.by_kind[at].1)
        };
        let by_kind =
            self.by_kind.iter().map(|(kind, count)| (kind.clone(), count.saturating_sub(before(kind))));
        OutcomeCounts {
            successes: self.successes.saturating_sub(earlier.successes),
            by_kind: by_kind.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

/// The beginning of a text, of at most so many bytes.
pub(crate) fn shortened(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}
