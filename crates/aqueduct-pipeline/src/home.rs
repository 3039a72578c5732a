//! What a pipeline is made of, and what each process makes of it.
//!
//! A [`Recipe`] never changes; a [`Core`] is a pipeline at work: lanes, open batches, tasks on the worker. The process that built the
//! pipeline makes its core at once. A process that was forked from it makes its own when it first needs one, and does not touch the other: its threads do
//! not exist there, and its locks may be held for ever.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aqueduct_exec::fork::PerProcess;
use aqueduct_exec::{Spawner, WorkerPool};
use aqueduct_pool::BufferPool;
use aqueduct_wire::Signal;
use tokio::task::AbortHandle;

use crate::config::{LaneConfig, PipelineConfig};
use crate::destination::{Destination, NotHere};
use crate::dispatch;
use crate::intake::Shared;
use crate::lane::{Lane, Phase};
use crate::notice::NoticeHandler;
use crate::pipeline::Pipeline;
use crate::tail::{Stage, TailSampling};
use crate::transform::Transforms;
use crate::worker::Worker;

/// What all handles of a pipeline refer to.
#[derive(Debug)]
pub(crate) struct Home {
    /// Before the recipe, whose worker it needs until its end.
    core: PerProcess<Core>,
    pub(crate) recipe: Recipe,
    /// Whether the pipeline was shut down: a process that has no core makes none any more.
    closed: AtomicBool,
    /// A plain round-robin counter over the shards; nothing is ordered by it.
    next_shard: AtomicUsize,
}

/// How to make a core.
pub(crate) struct Recipe {
    pub(crate) signal: Signal,
    pub(crate) config: PipelineConfig,
    pub(crate) lanes: Vec<(Arc<Destination>, LaneConfig)>,
    pub(crate) worker: Arc<Worker>,
    pub(crate) notices: Option<NoticeHandler>,
    pub(crate) transforms: Transforms,
    pub(crate) tail: Option<TailSampling>,
    pub(crate) given: PerProcess<Given>,
}

/// What the user lent the pipeline, which is good in the user's process only.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) slabs: Option<BufferPool>,
    pub(crate) offload: Option<Spawner>,
    /// The pool that `offload` is of, to be resized.
    pub(crate) pool: Option<Arc<WorkerPool>>,
}

/// A pipeline at work.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sealer: AbortHandle,
    /// Of the tail sampler, if there is one.
    pub(crate) timer: Option<AbortHandle>,
    /// Whether a shutdown has run. Only `shutdown` writes it; it orders nothing else.
    pub(crate) shut: AtomicBool,
}

/// Why this process has no core.
#[derive(Debug)]
pub(crate) enum Absent {
    /// The pipeline was shut down.
    Closed,
    /// An exporter cannot be made anew, in a process that was forked.
    Exporter,
    /// The operating system refuses a thread.
    Worker(io::Error),
}

impl Home {
    pub(crate) fn new(recipe: Recipe) -> Result<Arc<Self>, Absent> {
        let home = Self {
            recipe,
            core: PerProcess::new(),
            closed: AtomicBool::new(false),
            next_shard: AtomicUsize::new(0),
        };
        home.core()?;
        Ok(Arc::new(home))
    }

    /// The core of this process, made now if there is none.
    #[inline]
    pub(crate) fn core(&self) -> Result<&Core, Absent> {
        match self.core.get() {
            Some(core) => Ok(core),
            None => self.make(),
        }
    }

    /// The core of this process, if there is one.
    #[inline]
    pub(crate) fn existing(&self) -> Option<&Core> {
        self.core.get()
    }

    #[cold]
    fn make(&self) -> Result<&Core, Absent> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Absent::Closed);
        }
        self.core.get_or_try_build(|inherited| Core::start(&self.recipe, inherited))
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Items that the process before this one held for each lane when this one was forked.
    pub(crate) fn inherited(&self) -> Vec<u64> {
        inherited(self.core.inherited(), self.recipe.lanes.len())
    }

    pub(crate) fn next_shard(&self) -> usize {
        self.next_shard.fetch_add(1, Ordering::Relaxed) % self.recipe.config.shards.max(1)
    }
}

/// Reads counters only, which no lock guards.
fn inherited(core: Option<&Core>, lanes: usize) -> Vec<u64> {
    match core {
        Some(core) => core.shared.lanes.iter().map(|lane| lane.ledger.snapshot().held()).collect(),
        None => vec![0; lanes],
    }
}

impl Core {
    fn start(recipe: &Recipe, before: Option<&Core>) -> Result<Self, Absent> {
        let given = recipe.given.get_or_build(|_| Given::default());
        let inherited = inherited(before, recipe.lanes.len());
        let mut lanes = Vec::with_capacity(recipe.lanes.len());
        for ((destination, config), inherited) in recipe.lanes.iter().zip(inherited) {
            let destination = destination.here().map_err(|NotHere| Absent::Exporter)?;
            let lane =
                Lane::new(recipe.signal, Arc::clone(destination), config, given.offload.clone(), inherited);
            lanes.push(Arc::new(lane));
        }
        let slabs = given.slabs.clone().unwrap_or_else(|| Pipeline::slab_pool(recipe.config.slab_pool_bytes));
        let worker = &recipe.worker;
        let thread = worker.thread_id().map_err(Absent::Worker)?;
        let mut shared = Shared::new(recipe.signal, &recipe.config, &slabs, thread, lanes);
        shared.transforms.clone_from(&recipe.transforms);
        let sampler = recipe.tail.as_ref().and_then(TailSampling::sampler);
        shared.tail = sampler.map(|sampler| Stage::new(sampler, &shared));
        let shared = Arc::new(shared);
        for lane in &shared.lanes {
            worker
                .spawn(dispatch::supervise(Arc::clone(lane), recipe.notices.clone()))
                .map_err(Absent::Worker)?;
        }
        let sealer =
            worker.spawn_abortable(Arc::clone(&shared).supervise_sealer()).map_err(Absent::Worker)?;
        let timer = match shared.tail {
            Some(_) => {
                Some(worker.spawn_abortable(Arc::clone(&shared).supervise_tail()).map_err(Absent::Worker)?)
            }
            None => None,
        };
        Ok(Self { shared, sealer, timer, shut: AtomicBool::new(false) })
    }

    /// Ends the tasks that seal and decide by age.
    pub(crate) fn stop_timers(&self) {
        self.sealer.abort();
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }

    /// Ends what can be ended without waiting.
    pub(crate) fn abandon(&self) {
        self.shared.seal_all(true, None, true);
        self.stop_timers();
        for lane in &self.shared.lanes {
            lane.enter(Phase::Aborting);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Made at the same time as another, which stayed; or the last handle is gone. After a shutdown it changes nothing.
        self.abandon();
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("signal", &self.signal)
            .field("config", &self.config)
            .field("lanes", &self.lanes)
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}
