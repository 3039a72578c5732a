//! A sink in a thread of its own.

use super::doors::{self, Door};
use super::recorder::Recorder;
use super::{SinkArgs, SinkError, SinkReport};
use crate::sink::faults::Faults;
use aqueduct::metrics::ResourceProbe;
use aqueduct::receiver::{
    Entry, ReceiveBudget, ReceiverConfig, ReceiverStats, RefuseReason, Server, StatsSnapshot,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Room for requests that arrive at once. The sink stands for a backend with plenty of memory.
const BUDGET: usize = 1 << 30;

/// A running sink. Ends when dropped.
#[derive(Debug)]
pub struct Sink {
    grpc: SocketAddr,
    http: Option<SocketAddr>,
    recorder: Arc<Recorder>,
    stats: ReceiverStats,
    probe: Mutex<ResourceProbe>,
    cpu_before: Duration,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// Starts a sink; when this returns it listens.
    ///
    /// # Errors
    ///
    /// Options that contradict each other, an address that cannot be listened on, a thread or runtime that the system refuses.
    pub fn start(args: &SinkArgs) -> Result<Self, SinkError> {
        args.check()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let open = |option: &'static str, address: &str, entry: Entry| {
            let _inside = runtime.enter();
            let failed = |source| SinkError::Listen { option, address: address.to_owned(), source };
            let listener = doors::resolve(address).and_then(doors::bind).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            Ok::<_, SinkError>((Door { address, entry }, listener))
        };
        let mut doors = vec![open("--listen", &args.listen, Entry::Grpc)?];
        if let Some(address) = &args.listen_http {
            doors.push(open("--listen-http", address, Entry::Http)?);
        }
        let grpc = doors[0].0.address;
        let http = doors.get(1).map(|(door, _)| door.address);

        let recorder = Arc::new(Recorder::new(args));
        let mut config = ReceiverConfig::default();
        config.max_connections = 65_536;
        config.max_streams_per_connection = 65_536;
        config.idle_timeout = Duration::from_secs(24 * 3600);
        let server = Server::new(config, ReceiveBudget::new(BUDGET), Arc::clone(&recorder) as _);
        let stats = server.stats();
        let down = Faults::new(args).down();

        let mut probe = ResourceProbe::new();
        let cpu_before = probe.sample().map(|sample| sample.cpu).unwrap_or_default();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = doors::serve(server, Arc::clone(&recorder), doors, down);
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serving => {}
                    // The sender's end is an order to stop as well.
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("sink".to_owned()).spawn(run)?;
        Ok(Self {
            grpc,
            http,
            recorder,
            stats,
            probe: Mutex::new(probe),
            cpu_before,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where OTLP/gRPC is spoken.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc
    }

    /// Where OTLP/HTTP is spoken, if it is.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http
    }

    /// What it has seen so far.
    pub fn report(&self) -> SinkReport {
        let cpu = self
            .probe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sample()
            .map(|sample| sample.cpu.saturating_sub(self.cpu_before))
            .unwrap_or_default();
        let stats = self.stats.snapshot();
        self.recorder.with(|record| SinkReport::new(record, &stats, cpu, Instant::now()))
    }

    /// Waits until `items` distinct items of the load generator have been received; `false` if they are not within `timeout`.
    /// Blocks.
    pub fn wait_for_items(&self, items: u64, timeout: Duration) -> bool {
        self.recorder.wait_for(timeout, |record| record.census.len() >= items)
    }

    /// Stops listening, cuts off the connections and says what was seen.
    pub fn stop(mut self) -> SinkReport {
        self.end();
        self.report()
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been printed; what was recorded until then stands.
            let _ = thread.join();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.end();
    }
}

/// Requests that the receiver turned away by itself, by reason; faults as ordered are not among them.
pub(crate) fn refusals(stats: &StatsSnapshot) -> BTreeMap<&'static str, u64> {
    RefuseReason::ALL
        .iter()
        .filter(|reason| !matches!(reason, RefuseReason::Overloaded | RefuseReason::Rejected))
        .map(|reason| (reason.as_str(), stats.refused(*reason)))
        .filter(|(_, count)| *count > 0)
        .collect()
}
