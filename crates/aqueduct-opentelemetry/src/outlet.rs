//! One signal's way out: its pipeline, made when it is first needed, and what is counted before it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use aqueduct_exec::fork::PerProcess;
use aqueduct_pipeline::{Destination, LaneConfig, Notice, NoticeHandler, Pipeline, PipelineConfig, Worker};
use aqueduct_transport::Client;
use aqueduct_wire::Signal;

use crate::counts::Counts;
use crate::telemetry::Peer;

/// What a pipeline is made of.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) destination: Arc<Destination>,
    /// What is behind it, if it is an OTLP client.
    pub(crate) client: Option<Arc<Client>>,
    /// Who is there, if it is an OTLP client.
    pub(crate) peer: Option<Peer>,
    pub(crate) lane: LaneConfig,
    pub(crate) pipeline: PipelineConfig,
}

pub(crate) struct Outlet {
    signal: Signal,
    /// `None` if the signal is switched off.
    recipe: Option<Recipe>,
    worker: Option<Arc<Worker>>,
    notices: Option<NoticeHandler>,
    /// `None` in it if the pipeline cannot be made.
    pipeline: OnceLock<Option<Pipeline>>,
    /// Processors and exporters that were not shut down.
    open: AtomicUsize,
    counts: PerProcess<Counts>,
}

impl Outlet {
    pub(crate) fn new(
        signal: Signal,
        recipe: Option<Recipe>,
        worker: Option<Arc<Worker>>,
        notices: Option<NoticeHandler>,
    ) -> Outlet {
        Outlet {
            signal,
            recipe,
            worker,
            notices,
            pipeline: OnceLock::new(),
            open: AtomicUsize::new(0),
            counts: PerProcess::new(),
        }
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    pub(crate) fn recipe(&self) -> Option<&Recipe> {
        self.recipe.as_ref()
    }

    pub(crate) fn worker(&self) -> Option<&Arc<Worker>> {
        self.worker.as_ref()
    }

    /// The pipeline, which is made now if it was not before. `None` if the signal is switched off or its pipeline cannot be made.
    pub(crate) fn pipeline(&self) -> Option<&Pipeline> {
        self.pipeline.get_or_init(|| self.build()).as_ref()
    }

    fn build(&self) -> Option<Pipeline> {
        let (recipe, worker) = (self.recipe.as_ref()?, self.worker.as_ref()?);
        let mut builder = Pipeline::builder(self.signal)
            .config(recipe.pipeline.clone())
            .destination(Arc::clone(&recipe.destination), recipe.lane.clone())
            .worker(Arc::clone(worker));
        if let Some(handler) = self.notices.clone() {
            builder = builder.notices(move |signal: Signal, destination: &str, notice: &Notice| {
                handler(signal, destination, notice);
            });
        }
        // The settings were checked when the handle was built; what is left is a forked child without threads.
        builder.build().ok()
    }

    /// The pipeline, if anything needed it yet.
    pub(crate) fn existing(&self) -> Option<&Pipeline> {
        self.pipeline.get().and_then(Option::as_ref)
    }

    #[inline]
    pub(crate) fn counts(&self) -> &Counts {
        self.counts.get_or_build(|_| Counts::default())
    }

    /// A processor or exporter begins.
    pub(crate) fn open(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// One ends. Whether it was the last.
    pub(crate) fn close(&self) -> bool {
        // A plain count: whoever sees the last one go shuts the pipeline down, which orders what follows.
        self.open.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet")
            .field("signal", &self.signal)
            .field("pipeline", &self.existing())
            .finish_non_exhaustive()
    }
}
