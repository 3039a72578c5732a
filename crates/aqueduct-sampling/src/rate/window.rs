//! The last seconds of the load, or fewer of them if it has changed since.

use std::collections::VecDeque;
use std::time::Duration;

use super::counts::Tally;

/// What is older has no influence. Long, because chance has as much a share in the result as there are few traces in it; a step of the load does not
/// wait for its end.
const SPAN: Duration = Duration::from_secs(8);
/// Ticks that are kept, at most: a bound for those who tick at the least distance.
const MOST: usize = 96;
/// In how many of the last ticks a change is looked for. Twice the longest of them is 6.4 s at the least distance of ticks.
const RECENT: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// A change counts if it is this many standard deviations large: by chance once in a million ticks.
const SIGNIFICANT: f64 = 5.0;
/// And if it is this large: smaller ones are left to the window.
const RELEVANT: f64 = 0.08;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// The newest one is the last.
    ticks: VecDeque<(Duration, Tally)>,
}

impl Window {
    pub(super) fn push(&mut self, elapsed: Duration, tally: Tally) {
        self.ticks.push_back((elapsed, tally));
        let mut span: Duration = self.ticks.iter().map(|(elapsed, _)| elapsed).sum();
        while self.ticks.len() > 1 && (span > SPAN || self.ticks.len() > MOST) {
            span -= self.ticks.pop_front().map_or(Duration::ZERO, |(elapsed, _)| elapsed);
        }
        // The shortest end that differs from what was before: what the load is now.
        if let Some(recent) = RECENT.into_iter().find(|&recent| self.changed(recent)) {
            self.ticks.drain(..self.ticks.len() - recent);
        }
    }

    /// Sums over the window, and its seconds.
    pub(super) fn sum(&self) -> (Tally, f64) {
        sum(self.ticks.iter())
    }

    /// Whether the load of the last so many ticks is not that of those before.
    fn changed(&self, recent: usize) -> bool {
        // At least as many before: else nobody knows what was usual.
        if self.ticks.len() < 2 * recent {
            return false;
        }
        let (before, seconds) = sum(self.ticks.iter().take(self.ticks.len() - recent));
        let (now, now_seconds) = sum(self.ticks.iter().skip(self.ticks.len() - recent));
        let share = now_seconds / seconds;
        let arrivals = (before.arrivals() as f64, now.arrivals() as f64);
        // Items come in clumps, the size of a trace.
        let items = (before.offered() as f64, now.offered() as f64);
        let clump = (items.0 + items.1) / (arrivals.0 + arrivals.1).max(1.0);
        differ(arrivals, share, 1.0) || differ(items, share, clump)
    }
}

/// Whether the second count is another than the first one leads to expect in such a share of the time, if things come in clumps.
fn differ((before, now): (f64, f64), share: f64, clump: f64) -> bool {
    let expected = before * share;
    // Of the difference, under the assumption that nothing has changed: then both counts tell the same rate. And one clump more or less says nothing.
    let clump = clump.max(1.0);
    let variance = (before + now) * share * clump + clump * clump;
    let difference = (now - expected).abs();
    difference > SIGNIFICANT * variance.sqrt() && difference > RELEVANT * expected
}

fn sum<'a>(ticks: impl Iterator<Item = &'a (Duration, Tally)>) -> (Tally, f64) {
    ticks.fold((Tally::default(), 0.0), |(mut all, seconds), (elapsed, tally)| {
        all.add(tally);
        (all, seconds + elapsed.as_secs_f64())
    })
}
