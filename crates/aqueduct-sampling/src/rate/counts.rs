//! Counting from many threads.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many groups of counters there are: threads that decide about different traces rarely meet.
const STRIPES: usize = 16;

/// Counters in groups, which a trace's id selects.
#[derive(Debug, Default)]
pub(super) struct Counts {
    stripes: [Stripe; STRIPES],
}

/// A group of counters, on cache lines of its own. Each counts items below and sampled ones above 32 bits, so that one addition does both.
///
/// Decisions add to them, ticks take what is there. They guard no other memory, so relaxed access is enough. An overflow of the lower half,
/// of 2^32 items without a tick, counts as one sampled item.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Stripe {
    roots: AtomicU64,
    entries: AtomicU64,
    children: AtomicU64,
}

/// Items of which some were sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pair {
    pub(super) offered: u64,
    pub(super) sampled: u64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Spans without a parent.
    pub(super) roots: Pair,
    /// Spans with a parent in another process.
    pub(super) entries: Pair,
    /// Spans with a parent in this process.
    pub(super) children: Pair,
}

impl Counts {
    #[inline]
    pub(super) fn stripe(&self, trace_id: &[u8; 16]) -> &Stripe {
        &self.stripes[usize::from(trace_id[15]) % STRIPES]
    }

    /// What was counted since the last time.
    pub(super) fn take(&self) -> Tally {
        let mut tally = Tally::default();
        for stripe in &self.stripes {
            tally.roots.add(taken(&stripe.roots));
            tally.entries.add(taken(&stripe.entries));
            tally.children.add(taken(&stripe.children));
        }
        tally
    }
}

impl Stripe {
    #[inline]
    pub(super) fn root(&self, sampled: bool) {
        count(&self.roots, sampled);
    }

    #[inline]
    pub(super) fn entry(&self, sampled: bool) {
        count(&self.entries, sampled);
    }

    #[inline]
    pub(super) fn child(&self, sampled: bool) {
        count(&self.children, sampled);
    }
}

#[inline]
fn count(counter: &AtomicU64, sampled: bool) {
    counter.fetch_add(1 | u64::from(sampled) << 32, Ordering::Relaxed);
}

fn taken(counter: &AtomicU64) -> Pair {
    let taken = counter.swap(0, Ordering::Relaxed);
    Pair { offered: taken & u64::from(u32::MAX), sampled: taken >> 32 }
}

impl Pair {
    fn add(&mut self, other: Pair) {
        self.offered = self.offered.saturating_add(other.offered);
        self.sampled = self.sampled.saturating_add(other.sampled);
    }
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.roots.add(other.roots);
        self.entries.add(other.entries);
        self.children.add(other.children);
    }

    pub(super) fn offered(&self) -> u64 {
        self.roots.offered.saturating_add(self.entries.offered).saturating_add(self.children.offered)
    }

    pub(super) fn sampled(&self) -> u64 {
        self.roots.sampled.saturating_add(self.entries.sampled).saturating_add(self.children.sampled)
    }

    /// Traces that began here or came in.
    pub(super) fn arrivals(&self) -> u64 {
        self.roots.offered.saturating_add(self.entries.offered)
    }
}
