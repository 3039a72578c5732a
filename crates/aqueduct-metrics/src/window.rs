//! The last while: a ring of snapshots, and the differences between them.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::Snapshot;

/// The intervals of the last while, for one reader of a [`Recorder`](crate::Recorder).
///
/// Give it a snapshot at every tick. It keeps as many as it has room for, and answers what happened in the last interval or the last minute.
///
/// # Allocation
///
/// The snapshots that it keeps; nothing else.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
/// use std::time::{Duration, Instant};
/// use aqueduct_metrics::{Desc, Recorder, Window};
///
/// const SPANS: Desc = Desc::counter("shop_spans_total", "{span}", "Spans made.");
///
/// let start = Instant::now();
/// let recorder = Recorder::new(start);
/// let spans = recorder.counter(&SPANS, &[])?;
/// let mut window = Window::new(recorder.snapshot(start), const { NonZeroUsize::new(6).unwrap() });
/// for tick in 1..=100 {
///     spans.add(tick);
///     let interval = window.tick(recorder.snapshot(start + Duration::from_secs(10 * tick)));
///     assert_eq!(interval.count(&SPANS, &[]), tick);
/// }
/// assert_eq!(window.over(Duration::from_secs(60)).count(&SPANS, &[]), 95 + 96 + 97 + 98 + 99 + 100);
/// # Ok::<(), aqueduct_metrics::SeriesError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Window {
    /// The lifetime snapshots with which intervals began, oldest first; at most `intervals`.
    snapshots: VecDeque<Snapshot>,
    intervals: usize,
    /// The one with which the last ended.
    newest: Snapshot,
}

impl Window {
    /// With room for so many intervals, the first of which begins with `first`, a lifetime snapshot.
    pub fn new(first: Snapshot, intervals: NonZeroUsize) -> Self {
        Window { snapshots: VecDeque::new(), intervals: intervals.get(), newest: first }
    }

    /// Ends an interval with a lifetime snapshot of the same recorder, and returns what happened in it. The oldest interval is forgotten
    /// where there are too many.
    pub fn tick(&mut self, now: Snapshot) -> Snapshot {
        let before = std::mem::replace(&mut self.newest, now);
        let interval = self.newest.since(&before);
        if self.snapshots.len() == self.intervals {
            self.snapshots.pop_front();
        }
        self.snapshots.push_back(before);
        interval
    }

    /// What happened in the intervals that began not longer than `last` before the newest snapshot; nothing if there are none.
    ///
    /// The snapshot says how long it really is: no longer than what is kept, or than `last`.
    pub fn over(&self, last: Duration) -> Snapshot {
        let age = |snapshot: &Snapshot| self.newest.to().saturating_duration_since(snapshot.to());
        let begin = self.snapshots.iter().find(|snapshot| age(snapshot) <= last);
        self.newest.since(begin.unwrap_or(&self.newest))
    }

    /// What happened since the recorder was made.
    pub fn lifetime(&self) -> &Snapshot {
        &self.newest
    }

    /// How many intervals are kept now.
    pub fn len(&self) -> usize {
        self.snapshots.len()
    }

    /// Whether no interval has ended yet.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty()
    }
}
