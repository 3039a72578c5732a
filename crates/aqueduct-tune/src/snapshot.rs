//! What was observed.

use std::time::Duration;

use aqueduct_metrics::{DropReason, LeakReport};

/// What a pipeline did over one window of time. Differences of counters are for the window; levels are those at its end, or means over it.
///
/// What is not known stays `None`, or zero for counters: nothing is concluded from it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How long the window was. A window of no length is not looked at.
    pub window: Duration,
    /// Items that somebody wanted to have carried: accepted or refused.
    pub offered_items: u64,
    /// Items that were accepted.
    pub accepted_items: u64,
    /// Items that were delivered.
    pub delivered_items: u64,
    /// Items that the destination rejected for good.
    pub rejected_items: u64,
    /// Items that were refused for want of room. They stayed with whoever offered them.
    pub refused_items: u64,
    /// Items that were dropped, by [`DropReason::index`].
    pub dropped_items: [u64; DropReason::COUNT],
    /// Bytes of accepted items, before compression.
    pub bytes_in: u64,
    /// Bytes that were sent, after compression, those of retries included.
    pub bytes_sent: u64,
    /// Requests that ended.
    pub requests: u64,
    /// Of these, those that succeeded.
    pub requests_succeeded: u64,
    /// Of these, those that were another attempt.
    pub retries: u64,
    /// How long half of the requests took at most, from the first byte sent to the answer.
    pub export_p50: Option<Duration>,
    /// How long 99 of 100 requests took at most.
    pub export_p99: Option<Duration>,
    /// How long 99 of 100 items waited at most until their request was sent: in the batch, in the queue, for another attempt.
    pub wait_p99: Option<Duration>,
    /// Bytes held.
    pub held_bytes: u64,
    /// Bytes that may be held; 0 if nobody knows.
    pub queue_bytes: u64,
    /// Cores that the process used, as a mean: 1.5 is one and a half.
    pub cpu_used: Option<f64>,
    /// Cores that it may use.
    pub cpu_available: Option<f64>,
    /// Cores that telemetry alone used in the process, as a mean, if somebody tells it from the rest: for a [`CpuTarget`](crate::CpuTarget).
    pub telemetry_cpu_used: Option<f64>,
    /// Memory that the process has, in bytes.
    pub rss_bytes: Option<u64>,
    /// Memory that it may have, in bytes.
    pub memory_limit_bytes: Option<u64>,
    /// Whether its memory grows without end, if somebody watches that.
    pub leak: Option<LeakReport>,
    /// Bytes a second that the way to the destination carries, if that is known.
    pub network_limit: Option<f64>,
    /// Requests under way, as a mean over the window.
    pub in_flight: f64,
    /// Requests that might be under way; 0 if nobody knows.
    pub in_flight_limit: u64,
    /// Items in a batch over what it may hold, as a mean.
    pub batch_fill: Option<f64>,
    /// Why batches were sealed.
    pub sealed: Seals,
    /// Bytes before compression over bytes after; 1 without compression.
    pub compression_ratio: Option<f64>,
    /// What compressing costs, in nanoseconds for each byte before it.
    pub compression_ns_per_byte: Option<f64>,
    /// How many values the keys of attributes have, if somebody counts them.
    pub cardinality: Vec<KeyCardinality>,
    /// The share of items that sampling really kept.
    pub sampling_rate: Option<f64>,
}

/// How many batches were sealed, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seals {
    /// They held as many items as they may.
    pub items: u64,
    /// They held as many bytes as they may.
    pub bytes: u64,
    /// Their time had come.
    pub age: u64,
    /// Anything else: a flush, a shutdown.
    pub other: u64,
}

impl Seals {
    /// The share of this many batches in all; 0 of none.
    fn share(&self, batches: u64) -> f64 {
        let all = [self.items, self.bytes, self.age, self.other]
            .iter()
            .fold(0_u64, |sum, n| sum.saturating_add(*n));
        if all == 0 { 0.0 } else { batches as f64 / all as f64 }
    }

    /// The share that was sealed because of the number of items.
    #[must_use]
    pub fn by_items(&self) -> f64 {
        self.share(self.items)
    }

    /// The share that was sealed because of the number of bytes.
    #[must_use]
    pub fn by_bytes(&self) -> f64 {
        self.share(self.bytes)
    }

    /// The share that was sealed by time.
    #[must_use]
    pub fn by_age(&self) -> f64 {
        self.share(self.age)
    }
}

/// How many values an attribute has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyCardinality {
    /// The attribute's key.
    pub key: String,
    /// How many different values it had.
    pub distinct: u64,
}

impl Snapshot {
    /// Items a second that somebody wanted to have carried. 0 for a window of no length.
    #[must_use]
    pub fn offered_rate(&self) -> f64 {
        self.per_second(self.offered_items)
    }

    /// Items a second that were delivered. 0 for a window of no length.
    #[must_use]
    pub fn delivered_rate(&self) -> f64 {
        self.per_second(self.delivered_items)
    }

    /// Items that were lost: rejected, refused, or dropped for a reason other than sampling.
    #[must_use]
    pub fn lost_items(&self) -> u64 {
        let dropped = DropReason::ALL.into_iter().filter(|reason| *reason != DropReason::NotSampled);
        dropped
            .map(|reason| self.dropped_items[reason.index()])
            .fold(self.rejected_items.saturating_add(self.refused_items), u64::saturating_add)
    }

    /// Items that should have been delivered: those that were offered, without those that sampling took out.
    #[must_use]
    pub fn wanted_items(&self) -> u64 {
        self.offered_items.saturating_sub(self.dropped_items[DropReason::NotSampled.index()])
    }

    /// [`wanted_items`](Self::wanted_items) a second. 0 for a window of no length.
    #[must_use]
    pub fn wanted_rate(&self) -> f64 {
        self.per_second(self.wanted_items())
    }

    /// The share of requests that succeeded; `None` if none ended.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| (self.requests_succeeded as f64 / self.requests as f64).min(1.0))
    }

    /// The share of the byte budget that is used; 0 if there is none.
    #[must_use]
    pub fn queue_fill(&self) -> f64 {
        if self.queue_bytes == 0 { 0.0 } else { self.held_bytes as f64 / self.queue_bytes as f64 }
    }

    /// The share of the requests that might be under way that is; 0 if the limit is not known.
    #[must_use]
    pub fn in_flight_fill(&self) -> f64 {
        if self.in_flight_limit == 0 { 0.0 } else { sane(self.in_flight) / self.in_flight_limit as f64 }
    }

    /// The share of the cores that may be used that is.
    #[must_use]
    pub fn cpu_share(&self) -> Option<f64> {
        ratio(self.cpu_used, self.cpu_available)
    }

    /// The share of the memory that may be used that is.
    #[must_use]
    pub fn memory_share(&self) -> Option<f64> {
        ratio(self.rss_bytes.map(|b| b as f64), self.memory_limit_bytes.map(|b| b as f64))
    }

    /// The share of the network's capacity that is used.
    #[must_use]
    pub fn network_share(&self) -> Option<f64> {
        ratio(Some(self.per_second(self.bytes_sent)), self.network_limit)
    }

    /// How long 99 of 100 items took from acceptance to delivery, as the sum of [`wait_p99`](Self::wait_p99) and
    /// [`export_p99`](Self::export_p99): a little too much.
    #[must_use]
    pub fn latency_p99(&self) -> Option<Duration> {
        match (self.wait_p99, self.export_p99) {
            (None, None) => None,
            (wait, export) => Some(wait.unwrap_or_default().saturating_add(export.unwrap_or_default())),
        }
    }

    /// CPU time for each delivered item, in nanoseconds.
    #[must_use]
    pub fn cpu_ns_per_item(&self) -> Option<f64> {
        let used = sane(self.cpu_used?) * self.window.as_secs_f64() * 1e9;
        (self.delivered_items > 0).then(|| used / self.delivered_items as f64)
    }

    fn per_second(&self, count: u64) -> f64 {
        let seconds = self.window.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }
}

/// Without what is no number or negative.
pub(crate) fn sane(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(0.0, f64::MAX) }
}

fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let (part, whole) = (sane(part?), whole?);
    (whole > 0.0 && whole.is_finite()).then(|| (part / whole).min(f64::MAX))
}
