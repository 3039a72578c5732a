//! Building a pipeline: what it is given, and the checks of it.

use std::fmt;
use std::sync::Arc;

use aqueduct_exec::fork::PerProcess;
use aqueduct_exec::{Spawner, WorkerPool};
use aqueduct_pool::BufferPool;
use aqueduct_wire::Signal;

use crate::config::{BuildError, LaneConfig, PipelineConfig};
use crate::destination::Destination;
use crate::home::{Absent, Given, Home, Recipe};
use crate::notice::{Notice, NoticeHandler};
use crate::pipeline::Pipeline;
use crate::tail::TailSampling;
use crate::transform::{Transform, Transforms};
use crate::worker::Worker;

/// Builds a [`Pipeline`]; see [`Pipeline::builder`].
#[must_use]
pub struct Builder {
    signal: Signal,
    config: PipelineConfig,
    lanes: Vec<(Arc<Destination>, LaneConfig)>,
    worker: Option<Arc<Worker>>,
    notices: Option<NoticeHandler>,
    transforms: Transforms,
    tail: Option<TailSampling>,
    given: Given,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("signal", &self.signal)
            .field("config", &self.config)
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(signal: Signal) -> Self {
        Self {
            signal,
            config: PipelineConfig::default(),
            lanes: Vec::new(),
            worker: None,
            notices: None,
            transforms: Transforms::new(),
            tail: None,
            given: Given::default(),
        }
    }

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

    /// Changes each chunk before room for it is reserved, after those that were given before; see [`Transform`]. Without one nothing is looked at.
    pub fn transform(mut self, transform: impl Transform) -> Self {
        self.transforms.push(Arc::new(transform));
        self
    }

    /// Samples whole traces, after the transforms; see [`TailSampling`]. For pipelines of traces.
    pub fn tail_sampling(mut self, tail: TailSampling) -> Self {
        self.tail = Some(tail);
        self
    }

    /// Copies small chunks into buffers of this pool, which several pipelines may share; see [`Pipeline::slab_pool`]. Without it the pipeline has
    /// one of its own, which owns at most [`PipelineConfig::slab_pool_bytes`]. In a forked child it has one of its own in any case.
    ///
    /// Slabs have 4 to 64 KiB and come back when their batch has settled. When the pool has reached its cap further ones come from the allocator:
    /// what limits a pipeline is the byte budget of its lanes.
    pub fn slabs(mut self, pool: BufferPool) -> Self {
        self.given.slabs = Some(pool);
        self
    }

    /// Prepares batches of 64 KiB and more ([`Exporter::prepare`](crate::Exporter::prepare): compression) on these threads, so that neither the other lanes
    /// nor the timers of the pipeline's own thread wait for it, and several batches are compressed at a time.
    ///
    /// If the workers' queue is full, or they have stopped, the pipeline's thread does it; in a forked child, where they do not exist, always.
    pub fn offload(mut self, workers: Spawner) -> Self {
        self.given.offload = Some(workers);
        self
    }

    /// As [`offload`](Self::offload), with a pool that [`Pipeline::apply`] may resize.
    pub fn worker_pool(mut self, pool: Arc<WorkerPool>) -> Self {
        self.given.offload = Some(pool.spawner());
        self.given.pool = Some(pool);
        self
    }

    /// Checks the settings and starts the pipeline.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting or the operating system's refusal.
    pub fn build(self) -> Result<Pipeline, BuildError> {
        let Self { signal, config, lanes, worker, notices, transforms, tail, given } = self;
        config.batch.validate().map_err(BuildError::Batch)?;
        if config.shards == 0 {
            return Err(BuildError::Zero("shards"));
        }
        if config.chunk_bytes == 0 {
            return Err(BuildError::Zero("chunk_bytes"));
        }
        if tail.is_some() && signal != Signal::Traces {
            return Err(BuildError::TailOf(signal));
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
            Some(worker) => worker,
            None => Arc::new(Worker::start("aqueduct-pipe").map_err(BuildError::Worker)?),
        };
        let given = PerProcess::with(given);
        let recipe = Recipe { signal, config, lanes, worker, notices, transforms, tail, given };
        match Home::new(recipe) {
            Ok(home) => Ok(Pipeline::of(home)),
            Err(Absent::Worker(error)) => Err(BuildError::Worker(error)),
            Err(Absent::Exporter | Absent::Closed) => Err(BuildError::Forked),
        }
    }
}
