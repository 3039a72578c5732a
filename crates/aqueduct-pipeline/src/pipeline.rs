//! The pipeline's handle: build, offer, flush, look, shut down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aqueduct_exec::Spawner;
use aqueduct_pool::{BufferPool, BufferPoolConfig};
use aqueduct_wire::Signal;

use crate::config::{BuildError, LaneConfig, PipelineConfig};
use crate::destination::Destination;
use crate::dispatch;
use crate::intake::{Intake, Shared};
use crate::lane::{Lane, Phase};
use crate::notice::{Notice, NoticeHandler};
use crate::report::{FlushReport, LaneStatus, Report, ShutdownReport, WaitError};
use crate::worker::Worker;

/// After an abort the lanes only have bookkeeping to do; this bounds the wait for it.
const ABORT_GRACE: Duration = Duration::from_millis(500);

/// Builds a [`Pipeline`]; see [`Pipeline::builder`].
#[must_use]
pub struct Builder {
    signal: Signal,
    config: PipelineConfig,
    lanes: Vec<(Arc<Destination>, LaneConfig)>,
    worker: Option<Arc<Worker>>,
    notices: Option<NoticeHandler>,
    slabs: Option<BufferPool>,
    offload: Option<Spawner>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("signal", &self.signal)
            .field("config", &self.config)
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Replaces the settings of the pipeline as a whole.
    pub fn config(mut self, config: PipelineConfig) -> Self {
        self.config = config;
        self
    }

    /// Adds a destination. With several, each has a lane, a budget and a ledger of its own over shared bytes.
    pub fn destination(mut self, destination: Arc<Destination>, lane: LaneConfig) -> Self {
        self.lanes.push((destination, lane));
        self
    }

    /// Runs on this worker instead of starting one.
    pub fn worker(mut self, worker: Arc<Worker>) -> Self {
        self.worker = Some(worker);
        self
    }

    /// Sends notices here. Without a handler they are not made.
    pub fn notices(mut self, handler: impl Fn(Signal, &str, &Notice) + Send + Sync + 'static) -> Self {
        self.notices = Some(Arc::new(handler));
        self
    }

    /// Copies small chunks into buffers of this pool, which several pipelines may share; see [`Pipeline::slab_pool`]. Without it the pipeline has
    /// one of its own, which owns at most [`PipelineConfig::slab_pool_bytes`].
    ///
    /// Slabs have 4 to 64 KiB and come back when their batch has settled. When the pool has reached its cap further ones come from the allocator:
    /// what limits a pipeline is the byte budget of its lanes.
    pub fn slabs(mut self, pool: BufferPool) -> Self {
        self.slabs = Some(pool);
        self
    }

    /// Prepares batches of 64 KiB and more ([`Exporter::prepare`](crate::Exporter::prepare): compression) on these threads, so that neither the other lanes
    /// nor the timers of the pipeline's own thread wait for it, and several batches are compressed at a time.
    ///
    /// If the workers' queue is full, or they have stopped, the pipeline's thread does it.
    pub fn offload(mut self, workers: Spawner) -> Self {
        self.offload = Some(workers);
        self
    }

    /// Checks the settings and starts the pipeline.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting or the operating system's refusal.
    pub fn build(self) -> Result<Pipeline, BuildError> {
        let Self { signal, config, lanes, worker, notices, slabs, offload } = self;
        config.batch.validate().map_err(BuildError::Batch)?;
        if config.shards == 0 {
            return Err(BuildError::Zero("shards"));
        }
        if lanes.is_empty() {
            return Err(BuildError::NoDestination);
        }
        for (index, (destination, lane)) in lanes.iter().enumerate() {
            if lane.queue_bytes == 0 {
                return Err(BuildError::Zero("queue_bytes"));
            }
            if lane.max_in_flight == 0 {
                return Err(BuildError::Zero("max_in_flight"));
            }
            if lanes[..index].iter().any(|(other, _)| other.name() == destination.name()) {
                return Err(BuildError::DuplicateDestination(destination.name().to_owned()));
            }
        }
        let worker = match worker {
            Some(worker) if worker.was_forked() => return Err(BuildError::Forked),
            Some(worker) => worker,
            None => Arc::new(Worker::start("aqueduct-pipe").map_err(BuildError::Worker)?),
        };
        let lanes: Vec<_> = lanes
            .into_iter()
            .map(|(destination, lane)| Arc::new(Lane::new(signal, destination, &lane, offload.clone())))
            .collect();
        for lane in &lanes {
            worker.spawn(dispatch::run(Arc::clone(lane), notices.clone()));
        }
        let slabs = slabs.unwrap_or_else(|| Pipeline::slab_pool(config.slab_pool_bytes));
        let shared = Arc::new(Shared::new(signal, &config, &slabs, lanes));
        let sealer = worker.spawn_abortable(Arc::clone(&shared).run_sealer());
        Ok(Pipeline {
            shared,
            worker,
            sealer,
            drop_deadline: config.drop_deadline,
            shut: AtomicBool::new(false),
        })
    }
}

/// Carries the chunks of one signal to its destinations and accounts for every item.
///
/// Dropping a pipeline shuts it down with [`PipelineConfig::drop_deadline`]. In a forked child it abandons what it inherited, which the parent delivers.
#[derive(Debug)]
pub struct Pipeline {
    shared: Arc<Shared>,
    worker: Arc<Worker>,
    sealer: tokio::task::AbortHandle,
    drop_deadline: Duration,
    /// Whether a shutdown has run. Only `shutdown` writes it; it orders nothing else.
    shut: AtomicBool,
}

impl Pipeline {
    /// Begins a pipeline for one signal.
    pub fn builder(signal: Signal) -> Builder {
        Builder {
            signal,
            config: PipelineConfig::default(),
            lanes: Vec::new(),
            worker: None,
            notices: None,
            slabs: None,
            offload: None,
        }
    }

    /// A pool for [`Builder::slabs`] that owns at most so many bytes.
    ///
    /// It has no magazines: slabs are taken by the threads that offer and come back on the pipeline's, where a magazine would have to be full
    /// before anybody saw them again. Taking one costs a lock instead, once in 64 KiB.
    #[must_use]
    pub fn slab_pool(max_bytes: usize) -> BufferPool {
        BufferPool::new(BufferPoolConfig::default().with_max_bytes(max_bytes).with_magazine_bytes(0))
    }

    /// The signal it carries.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.shared.signal()
    }

    /// A way in; see [`Intake`].
    #[must_use]
    pub fn intake(&self) -> Intake {
        self.shared.intake()
    }

    /// Sends what is held now without waiting for batches to fill, and waits until it has settled or the deadline
    /// has passed. Chunks that are offered meanwhile are not waited for.
    ///
    /// # Errors
    ///
    /// [`WaitError`] on the pipeline's own worker, and in a process that was forked from the pipeline's.
    pub fn flush(&self, deadline: Duration) -> Result<FlushReport, WaitError> {
        self.wait(deadline, |until| {
            self.shared.seal_all(false);
            // `all` may stop at the first lane that ran out of time: so has the deadline for the others.
            self.shared.lanes.iter().all(|lane| lane.wait_settled(until))
        })
    }

    /// Takes no more chunks, sends what is held, and ends. What could not be delivered by the deadline is dropped and
    /// counted: `unknown_outcome` for requests under way, `shutdown` for the rest. A second call returns at once.
    ///
    /// # Errors
    ///
    /// [`WaitError`] on the pipeline's own worker, and in a process that was forked from the pipeline's.
    pub fn shutdown(&self, deadline: Duration) -> Result<ShutdownReport, WaitError> {
        self.wait(deadline, |until| {
            self.shared.seal_all(true);
            self.sealer.abort();
            for lane in &self.shared.lanes {
                lane.enter(Phase::Draining);
            }
            let complete = self.shared.lanes.iter().all(|lane| lane.wait_ended(until));
            if !complete {
                for lane in &self.shared.lanes {
                    lane.enter(Phase::Aborting);
                }
                let until = Instant::now() + ABORT_GRACE;
                for lane in &self.shared.lanes {
                    lane.wait_ended(until);
                }
            }
            self.shut.store(true, Ordering::Relaxed);
            complete
        })
    }

    fn wait(&self, deadline: Duration, work: impl FnOnce(Instant) -> bool) -> Result<Report, WaitError> {
        if self.shared.was_forked() {
            return Err(WaitError::Forked);
        }
        if self.worker.is_current() {
            return Err(WaitError::WouldDeadlock);
        }
        let start = Instant::now();
        let complete = work(start.checked_add(deadline).unwrap_or(start + Duration::from_secs(86_400)));
        Ok(Report { complete, took: start.elapsed(), lanes: self.status() })
    }

    /// Every lane as it is now.
    ///
    /// The parts are read one after the other while items move, so sums agree exactly only at rest; in between they
    /// differ by no more than what moved during the read.
    ///
    /// Empty in a process that was forked from the pipeline's: its state may be locked there for ever.
    #[must_use]
    pub fn status(&self) -> Vec<LaneStatus> {
        if self.shared.was_forked() {
            return Vec::new();
        }
        let now = Instant::now();
        let open_items = self.shared.open_items();
        self.shared.lanes.iter().map(|lane| lane_status(lane, open_items, now)).collect()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if self.shared.was_forked() {
            // In the child: abandoned, not dropped. Locks may be held by threads that do not exist here, and the worker cannot be joined.
            std::mem::forget((Arc::clone(&self.shared), Arc::clone(&self.worker)));
            return;
        }
        if self.shut.load(Ordering::Relaxed) {
            return;
        }
        if self.shutdown(self.drop_deadline).is_err() {
            // On the worker itself nothing can be waited for: give up at once, and count it.
            self.shared.seal_all(true);
            self.sealer.abort();
            for lane in &self.shared.lanes {
                lane.enter(Phase::Aborting);
            }
        }
    }
}

fn lane_status(lane: &Lane, open_items: u64, now: Instant) -> LaneStatus {
    let walk = lane.walk();
    let counts = &lane.counts;
    let (last_success, last_failure) = {
        let state = lane.state();
        (state.last_success, state.last_failure.clone())
    };
    let ago = |then: Instant| now.saturating_duration_since(then);
    LaneStatus {
        signal: lane.signal,
        destination: lane.destination.name().to_owned(),
        ledger: lane.ledger.snapshot(),
        open_items,
        queued_items: walk.queued_items,
        retry_items: walk.retry_items,
        in_flight_items: walk.in_flight_items,
        in_flight_requests: walk.in_flight_batches,
        held_bytes: lane.budget.held(),
        queue_bytes: lane.budget.limit(),
        full: lane.budget.is_full(),
        attempts: counts.attempts.load(Ordering::Relaxed),
        retries: counts.retries.load(Ordering::Relaxed),
        sent_bytes: counts.sent_bytes.load(Ordering::Relaxed),
        exporter_panics: counts.panics.load(Ordering::Relaxed),
        splits: counts.splits.load(Ordering::Relaxed),
        paused: lane.destination.paused(now),
        last_success: last_success.map(ago),
        last_failure: last_failure.map(|(then, cause)| (ago(then), cause)),
    }
}
