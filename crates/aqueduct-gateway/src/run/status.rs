//! What the admin endpoint shows, read from the running parts.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aqueduct::metrics::{Desc, DropReason, Exposition, ResourceProbe, Resources};
use aqueduct::pipeline::{self, LaneStatus, Pipeline, RunningTuner};
use aqueduct::receiver::{ReceiveBudget, Server, StatsSnapshot};
use aqueduct::transport::{self, Client};

use super::build::Pipelines;
use super::leak::{self, LeakWatch, Reading};
use super::tuning;
use super::workers::Door;
use crate::admin::{
    ExporterState, PipelineStatus, Readiness, ReadyState, Requests, Status, StatusReport, TunerStatus,
};

const UP: Desc = Desc::gauge("aqueduct_build_info", "1", "Always 1; the version is a label.")
    .with_attributes(&["version"]);
const UPTIME: Desc = Desc::gauge("aqueduct_process_uptime_seconds", "s", "Time since the start.");
const BUDGET: Desc = Desc::gauge(
    "aqueduct_receiver_budget_used_bytes",
    "By",
    "Bytes of requests that are being received or inflated.",
);
const BUDGET_CAPACITY: Desc =
    Desc::gauge("aqueduct_receiver_budget_capacity_bytes", "By", "The process-wide receive budget.");
const CPUS: Desc = Desc::gauge(
    "aqueduct_process_available_cpus",
    "{cpu}",
    "CPUs that the process may use, by affinity and quota; absent where nobody can tell.",
);

/// What the gateway itself adds to the metrics of its parts.
pub(crate) const METRICS: &[Desc] =
    &[UP, UPTIME, CPUS, BUDGET, BUDGET_CAPACITY, leak::VERDICT, leak::SLOPE, leak::BUFFERS];

/// Above this share of the receive budget the gateway calls itself full.
const FULL_PERCENT: usize = 95;

/// The running gateway as the admin endpoint and the drain see it.
pub(crate) struct GatewayStatus {
    started: Instant,
    pipelines: Pipelines,
    servers: Vec<Server>,
    budget: ReceiveBudget,
    /// Set once, when the drain begins; nothing is published through it.
    draining: AtomicBool,
    probe: Mutex<ResourceProbe>,
    leak: Mutex<LeakWatch>,
    requests: Requests,
    /// Until the drain begins: what is sent then is not to be learnt from.
    tuner: Mutex<Option<RunningTuner>>,
}

impl fmt::Debug for GatewayStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayStatus").field("pipelines", &self.pipelines.pipelines).finish_non_exhaustive()
    }
}

impl GatewayStatus {
    pub(crate) fn new(
        pipelines: Pipelines,
        doors: &[Door],
        budget: ReceiveBudget,
        tuner: Option<RunningTuner>,
    ) -> Self {
        Self {
            started: Instant::now(),
            pipelines,
            servers: doors.iter().map(|door| door.server.clone()).collect(),
            budget,
            draining: AtomicBool::new(false),
            probe: Mutex::new(ResourceProbe::new()),
            leak: Mutex::default(),
            requests: Requests::new(Instant::now()),
            tuner: Mutex::new(tuner),
        }
    }

    pub(crate) fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines.pipelines
    }

    /// From now on `/readyz` and the gRPC health service send clients elsewhere.
    pub(crate) fn draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.servers.iter().for_each(|server| server.set_serving(false));
        // Its thread ends here.
        drop(self.running_tuner().take());
    }

    /// Takes a reading of memory and buffers, at [`leak::EVERY`]; lines for the log.
    pub(crate) fn watch_memory(&self, now: Instant) -> Vec<String> {
        let lanes = self.lanes();
        let tails: Vec<_> = self.pipelines().iter().filter_map(Pipeline::tail_status).collect();
        let slabs = self.pipelines.slabs.stats();
        let reading = Reading {
            rss_bytes: self.resources().ok().map(|resources| resources.rss_bytes),
            held_bytes: sum(lanes.iter().map(|lane| lane.held_bytes))
                .saturating_add(sum(tails.iter().map(|tail| tail.stats.held_bytes))),
            capacity_bytes: sum(lanes.iter().map(|lane| lane.queue_bytes))
                .saturating_add(sum(tails.iter().map(|tail| tail.max_bytes))),
            taken: slabs.taken,
            returned: slabs.returned,
        };
        self.leak().observe(now, &reading)
    }

    fn resources(&self) -> io::Result<Resources> {
        self.probe.lock().unwrap_or_else(PoisonError::into_inner).sample()
    }

    fn leak(&self) -> MutexGuard<'_, LeakWatch> {
        self.leak.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running_tuner(&self) -> MutexGuard<'_, Option<RunningTuner>> {
        self.tuner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lanes(&self) -> Vec<LaneStatus> {
        self.pipelines().iter().flat_map(Pipeline::status).collect()
    }

    fn client(&self, destination: &str) -> Option<&Arc<Client>> {
        self.pipelines.clients.iter().find(|(name, _)| name == destination).map(|(_, client)| client)
    }

    fn write_samplers(&self, page: &mut Exposition) {
        let Pipelines { pipelines, names, samplers, .. } = &self.pipelines;
        let tails: Vec<_> = names
            .iter()
            .zip(pipelines)
            .filter_map(|(name, pipeline)| Some((name.as_str(), pipeline.tail_status()?)))
            .collect();
        pipeline::write_tail_metrics(tails.iter().map(|(name, status)| (*name, status)), page);
        let samplers =
            samplers.iter().map(|(pipeline, name, sampler)| (pipeline.as_str(), name.as_str(), sampler));
        pipeline::write_sampler_metrics(samplers, page);
    }

    fn exporter(&self, lane: &LaneStatus) -> ExporterState {
        let mut state = ExporterState::new(lane.signal.as_str(), &lane.destination);
        state.held_bytes = lane.held_bytes;
        state.capacity_bytes = lane.queue_bytes;
        let failing = lane.last_failure.as_ref().filter(|(failed, _)| {
            // An error that was followed by a success is over.
            lane.last_success.is_none_or(|succeeded| succeeded > *failed)
        });
        state.connected = match self.client(&lane.destination) {
            // HTTP connections come and go with the requests: the last answer counts as well.
            Some(client) => client.status().connected || (failing.is_none() && lane.last_success.is_some()),
            None => failing.is_none(),
        };
        state.last_error = failing.map(|(_, cause)| cause.clone());
        state
    }
}

impl GatewayStatus {
    /// All metrics, as they are now.
    pub(crate) fn exposition(&self) -> Exposition {
        let mut page = Exposition::new();
        page.family(&UP).sample(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
        page.family(&UPTIME).sample(&[], self.started.elapsed().as_secs_f64());
        if let Ok(cpus) = std::thread::available_parallelism() {
            page.family(&CPUS).sample(&[], cpus.get() as u64);
        }
        // Not every platform can tell; a scrape without these families says so.
        if let Ok(resources) = self.resources() {
            page.resources(&resources);
        }
        self.leak().write(&mut page);
        page.family(&BUDGET).sample(&[], self.budget.used() as u64);
        page.family(&BUDGET_CAPACITY).sample(&[], self.budget.capacity() as u64);
        let mut received = StatsSnapshot::default();
        self.servers.iter().for_each(|server| received.add(&server.stats().snapshot()));
        received.write_metrics(&mut page);
        pipeline::write_metrics(&self.lanes(), &mut page);
        let measured: Vec<_> = self.pipelines().iter().flat_map(Pipeline::distributions).collect();
        pipeline::write_distributions(&measured, &mut page);
        self.write_samplers(&mut page);
        let clients = self.pipelines.clients.iter().map(|(name, client)| (name.as_str(), &**client));
        transport::write_metrics(clients, &mut page);
        if let Some(tuner) = &*self.running_tuner() {
            tuning::write(tuner, &mut page);
        }
        self.requests.write(Instant::now(), &mut page);
        page
    }
}

impl Status for GatewayStatus {
    fn metrics(&self) -> String {
        self.exposition().prometheus_text()
    }

    fn requests(&self) -> &Requests {
        &self.requests
    }

    fn ready(&self) -> Readiness {
        let lanes = self.lanes();
        let state = if self.draining.load(Ordering::Relaxed) {
            ReadyState::Draining
        } else if lanes.iter().any(|lane| lane.full)
            || self.budget.used() >= self.budget.capacity() / 100 * FULL_PERCENT
        {
            ReadyState::Full
        } else {
            ReadyState::Ready
        };
        Readiness::new(state, lanes.iter().map(|lane| self.exporter(lane)).collect())
    }

    fn tuner(&self) -> Option<TunerStatus> {
        self.running_tuner().as_ref().map(tuning::status)
    }

    fn statusz(&self) -> StatusReport {
        let rows = self.lanes().iter().map(row).collect();
        StatusReport::new(Duration::from_secs(self.started.elapsed().as_secs()), rows)
    }
}

/// What people configure may be more than there is.
fn sum(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.fold(0, u64::saturating_add)
}

fn row(lane: &LaneStatus) -> PipelineStatus {
    let mut row = PipelineStatus::new(lane.signal.as_str(), &lane.destination);
    row.accepted = lane.ledger.accepted;
    row.delivered = lane.ledger.delivered;
    row.rejected = lane.ledger.rejected;
    row.held = lane.ledger.held();
    row.refused = lane.refused_items;
    row.in_flight_requests = lane.in_flight_requests;
    row.in_flight_limit = lane.in_flight_limit as u64;
    row.compressed_from_bytes = lane.compressed_from_bytes;
    row.compressed_to_bytes = lane.compressed_to_bytes;
    row.restarts = lane.restarts;
    row.dropped = DropReason::ALL
        .iter()
        .filter(|reason| lane.ledger.dropped(**reason) > 0)
        .map(|reason| (reason.as_str().to_owned(), lane.ledger.dropped(*reason)))
        .collect();
    row
}
