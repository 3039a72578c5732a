//! What pipelines did over a window of time, as a tuner wants to know it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use aqueduct_batch::SealReason;
use aqueduct_metrics::{DropReason, Histogram, ResourceProbe, Resources, ThreadProbe, machine_memory_bytes};
use aqueduct_tune::Snapshot;

use crate::home::Home;
use crate::measured::{LaneDistributions, distributions};
use crate::pipeline::{Pipeline, status};
use crate::report::LaneStatus;

/// Looks at pipelines again and again, and says what they did in between as a [`Snapshot`].
///
/// Several pipelines count as one: their items, requests and bytes are added up, and durations are taken from all their requests. With several destinations each counts by
/// itself, so that an item that goes to two is offered twice.
///
/// What it cannot know stays empty: the network's capacity, what compression costs, how many values attributes have. A wait is that from the first item of a batch to
/// the batch's first attempt. CPU and memory are those of the whole process, and are missing where [`ResourceProbe`] has no figures.
///
/// It does not keep the pipelines running. What has been shut down no longer counts.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use aqueduct_pipeline::Observer;
/// # use std::sync::Arc;
/// # use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline};
/// # use aqueduct_transport::{Outcome, Request, RetryPolicy};
/// # struct Taker;
/// # impl Exporter for Taker {
/// #     fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> { Box::pin(async { Outcome::Delivered }) }
/// # }
/// # let destination = Arc::new(Destination::new("sink", Taker, RetryPolicy::default()));
/// # let pipeline = Pipeline::builder(aqueduct_wire::Signal::Traces).destination(destination, LaneConfig::default()).build()?;
///
/// let mut observer = Observer::new([&pipeline], Instant::now());
/// // Some time later:
/// let snapshot = observer.observe(Instant::now());
/// println!("{:.0} items/s", snapshot.delivered_rate());
/// for found in aqueduct_tune::diagnose(&snapshot) {
///     println!("{found}");
/// }
/// # Ok::<(), aqueduct_pipeline::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Observer {
    homes: Vec<Weak<Home>>,
    process: ResourceProbe,
    machine_memory: Option<u64>,
    /// Of the threads whose CPU time is told apart.
    threads: Option<ThreadProbe>,
    before: Look,
}

/// Everything at one instant.
#[derive(Debug)]
struct Look {
    at: Instant,
    lanes: Vec<Lane>,
    process: Option<Resources>,
    /// CPU time of the threads that are told apart.
    telemetry: Option<Duration>,
}

#[derive(Debug)]
struct Lane {
    /// Which pipeline, and which of its destinations.
    key: (usize, usize),
    status: LaneStatus,
    measured: Option<LaneDistributions>,
    max_in_flight: u64,
    max_batch_items: u64,
}

impl Observer {
    /// Looks at these pipelines; the first window begins now.
    pub fn new<'a>(pipelines: impl IntoIterator<Item = &'a Pipeline>, now: Instant) -> Self {
        let homes: Vec<Weak<Home>> =
            pipelines.into_iter().map(|pipeline| Arc::downgrade(&pipeline.home)).collect();
        let mut process = ResourceProbe::new();
        let before = look(&homes, &mut process, None, now);
        Self { homes, process, machine_memory: machine_memory_bytes(), threads: None, before }
    }

    /// Tells the CPU time of threads with such names from the rest, from now on.
    pub(super) fn tell_threads(&mut self, begin: &str) {
        let mut threads = ThreadProbe::new(begin);
        self.before.telemetry = threads.sample().ok();
        self.threads = Some(threads);
    }

    pub(super) fn homes(&self) -> impl Iterator<Item = Arc<Home>> {
        self.homes.iter().filter_map(Weak::upgrade)
    }

    /// What happened since the last call, or since [`new`](Self::new). `now` must not be earlier than then; if it is, the window has no length.
    ///
    /// Reads every counter and adds up some thousand buckets for each destination: for windows of 100 ms and more.
    pub fn observe(&mut self, now: Instant) -> Snapshot {
        let after = look(&self.homes, &mut self.process, self.threads.as_mut(), now);
        let before = std::mem::replace(&mut self.before, after);
        let window = now.saturating_duration_since(before.at);
        let mut sum = Sum::default();
        for lane in &self.before.lanes {
            sum.add(before.lanes.iter().find(|other| other.key == lane.key), lane);
        }
        let mut snapshot = sum.snapshot(window);
        if let (Some(then), Some(now)) = (before.telemetry, self.before.telemetry)
            && !window.is_zero()
        {
            let used = now.saturating_sub(then).as_secs_f64() / window.as_secs_f64();
            snapshot.telemetry_cpu_used = Some(used);
        }
        if let Some(process) = &self.before.process {
            let seconds = window.as_secs_f64();
            let used = before.process.map(|before| process.cpu.saturating_sub(before.cpu).as_secs_f64());
            snapshot.cpu_used = used.filter(|_| seconds > 0.0).map(|used| used / seconds);
            snapshot.cpu_available = cores(process);
            snapshot.rss_bytes = Some(process.rss_bytes);
            snapshot.memory_limit_bytes = process.memory_limit_bytes.or(self.machine_memory);
        }
        snapshot
    }
}

fn look(
    homes: &[Weak<Home>],
    process: &mut ResourceProbe,
    threads: Option<&mut ThreadProbe>,
    now: Instant,
) -> Look {
    let mut lanes = Vec::new();
    for (index, home) in homes.iter().enumerate() {
        let Some(home) = home.upgrade() else { continue };
        let mut measured = distributions(&home).into_iter();
        let core = home.existing().map(|core| &core.shared);
        let max_batch_items = core.map_or(0, |shared| shared.batch_config().max_items);
        for (place, status) in status(&home).into_iter().enumerate() {
            let lane = core.and_then(|shared| shared.lanes.get(place));
            lanes.push(Lane {
                key: (index, place),
                status,
                measured: measured.next(),
                max_in_flight: lane.map_or(0, |lane| lane.max_in_flight() as u64),
                max_batch_items,
            });
        }
    }
    let telemetry = threads.and_then(|threads| threads.sample().ok());
    Look { at: now, lanes, process: process.sample().ok(), telemetry }
}

fn cores(process: &Resources) -> Option<f64> {
    let there = std::thread::available_parallelism().ok().map(|cores| cores.get() as f64);
    match (there, process.cpu_limit) {
        (Some(there), Some(limit)) => Some(there.min(limit)),
        (there, limit) => there.or(limit),
    }
}

/// The differences of all lanes together.
#[derive(Debug, Default)]
struct Sum {
    snapshot: Snapshot,
    attempts: Histogram,
    waited: Histogram,
    items: u128,
    bytes: u128,
    batches: u64,
    /// Items that these batches might have held.
    room: f64,
}

impl Sum {
    fn add(&mut self, before: Option<&Lane>, after: &Lane) {
        let counter = |read: fn(&LaneStatus) -> u64| {
            read(&after.status).saturating_sub(before.map_or(0, |before| read(&before.status)))
        };
        let all = &mut self.snapshot;
        let accepted = counter(|status| status.ledger.accepted);
        let refused = counter(|status| status.refused_items);
        all.accepted_items += accepted;
        all.refused_items += refused;
        all.offered_items += accepted + refused;
        all.delivered_items += counter(|status| status.ledger.delivered);
        all.rejected_items += counter(|status| status.ledger.rejected);
        for reason in DropReason::ALL {
            let earlier = before.map_or(0, |before| before.status.ledger.dropped(reason));
            all.dropped_items[reason.index()] += after.status.ledger.dropped(reason).saturating_sub(earlier);
        }
        all.bytes_sent += counter(|status| status.sent_bytes);
        all.retries += counter(|status| status.retries);
        all.held_bytes += after.status.held_bytes;
        all.queue_bytes += after.status.queue_bytes;
        all.in_flight_limit += after.max_in_flight;
        let failed = counter(|status| status.failed_attempts);
        let sealed = |reason: SealReason| {
            let earlier = before.map_or(0, |before| before.status.sealed_batches[reason.index()]);
            after.status.sealed_batches[reason.index()].saturating_sub(earlier)
        };
        all.sealed.items += sealed(SealReason::Items);
        all.sealed.bytes += sealed(SealReason::Bytes);
        all.sealed.age += sealed(SealReason::Age);
        all.sealed.other += sealed(SealReason::Idle) + sealed(SealReason::Flush);

        let Some(measured) = &after.measured else { return };
        let earlier = before.and_then(|before| before.measured.as_ref());
        let since = |read: fn(&LaneDistributions) -> &Histogram| {
            earlier.map_or_else(|| read(measured).clone(), |earlier| read(measured).since(read(earlier)))
        };
        let attempts = since(|measured| &measured.attempts);
        all.requests += attempts.count();
        all.requests_succeeded += attempts.count().saturating_sub(failed);
        self.attempts.merge(&attempts);
        self.waited.merge(&since(|measured| &measured.waited));
        let items = since(|measured| &measured.items);
        self.batches += items.count();
        self.room += items.count() as f64 * after.max_batch_items as f64;
        self.items += items.sum();
        self.bytes += since(|measured| &measured.bytes).sum();
    }

    fn snapshot(self, window: Duration) -> Snapshot {
        let quantile =
            |of: &Histogram, q: f64| (!of.is_empty()).then(|| Duration::from_nanos(of.quantile(q)));
        let mut snapshot = self.snapshot;
        snapshot.window = window;
        snapshot.export_p50 = quantile(&self.attempts, 0.5);
        snapshot.export_p99 = quantile(&self.attempts, 0.99);
        snapshot.wait_p99 = quantile(&self.waited, 0.99);
        // What was under way as a mean, by Little's law: the time that all requests took together, over the time in which they ended.
        let seconds = window.as_secs_f64();
        if seconds > 0.0 {
            snapshot.in_flight = self.attempts.sum() as f64 / 1e9 / seconds;
        }
        snapshot.bytes_in = u64::try_from(self.bytes).unwrap_or(u64::MAX);
        snapshot.batch_fill = (self.room > 0.0).then(|| self.items as f64 / self.room);
        // Without retries what was sent is what these batches became.
        let alike = snapshot.retries == 0 && snapshot.bytes_sent > 0 && self.batches > 0;
        snapshot.compression_ratio = alike.then(|| self.bytes as f64 / snapshot.bytes_sent as f64);
        snapshot
    }
}
