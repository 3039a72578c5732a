//! From the configuration to running parts: destinations, pipelines, servers.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use aqueduct::batch::BatchConfig;
use aqueduct::exec::{self, AffinityError, Spawner, WorkerPool};
use aqueduct::pipeline::{
    BuildError, Destination, Intake, LaneConfig, Pipeline, PipelineConfig, ProbabilisticSampler,
    TailSampling, Worker,
};
use aqueduct::pool::BufferPool;
use aqueduct::receiver::{Entry, ReceiveBudget, ReceiverConfig, Server};
use aqueduct::sampling::DownstreamSampler;
use aqueduct::transport::{self, Client, Jitter, ProxyConfig, RetryPolicy};
use aqueduct::wire::Signal;

use super::client;
use super::debug_exporter::DebugExporter;
use super::file_exporter::FileExporter;
use super::handler::{Acknowledge, Handler};
use super::log::Log;
use super::samplers;
use super::workers::{Door, bind};
use crate::config::{self, Config, ExporterKind, Listen, Listener, Receiver, Setting};

/// What all pipelines together keep of slabs for open batches and batches on their way. Some dozen batches: what waits longer than that, while
/// a destination is away, comes from the allocator and goes back to it.
const SLAB_POOL_BYTES: usize = 16 << 20;

/// Why the gateway could not start, although its configuration is sound.
#[derive(Debug)]
pub(crate) enum StartError {
    Resolve { listen: Listen, error: io::Error },
    Bind { listen: Listen, error: io::Error },
    Exporter { setting: Setting, error: transport::ConfigError },
    Environment { setting: Setting, error: transport::ConfigError },
    File { setting: Setting, error: io::Error },
    Pipeline { name: String, error: BuildError },
    Sampler { name: String, error: String },
    Worker(io::Error),
    Pin(AffinityError),
    Offload(exec::StartError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Resolve { listen, error } => {
                write!(f, "{}: cannot resolve {listen}: {error}", listen.setting)
            }
            StartError::Bind { listen, error } if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{}: port {} is in use on {}: another process listens there; stop it or choose another port",
                listen.setting, listen.port, listen.host
            ),
            StartError::Bind { listen, error } => {
                write!(f, "{}: cannot listen on {listen}: {error}", listen.setting)
            }
            // The setting is the file's word for what the client calls otherwise.
            StartError::Exporter {
                setting,
                error: transport::ConfigError::Tls { file: Some(file), reason, .. },
            } => {
                write!(f, "{setting}: {}: {reason}", file.display())
            }
            StartError::Exporter { setting, error } => write!(f, "{setting}: {error}"),
            StartError::Environment { setting, error } => write!(
                f,
                "{setting}: {error}; the environment says so (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY): correct it there, \
                 name the host in NO_PROXY, or set `proxy_url`"
            ),
            StartError::File { setting, error } => write!(f, "{setting}: cannot open the file: {error}"),
            StartError::Pipeline { name, error } => {
                write!(f, "service.pipelines.{name}: {error}")?;
                std::error::Error::source(error).map_or(Ok(()), |source| write!(f, ": {source}"))
            }
            StartError::Sampler { name, error } => write!(f, "service.pipelines.{name}.processors: {error}"),
            StartError::Worker(error) => write!(f, "cannot start a thread: {error}"),
            StartError::Pin(error) => write!(f, "--pin: {error}"),
            StartError::Offload(error) => write!(f, "cannot start the worker threads: {error}"),
        }
    }
}

/// The running pipelines and what belongs to them.
pub(crate) struct Pipelines {
    pub(crate) pipelines: Vec<Pipeline>,
    /// What the configuration calls them, in the same order.
    pub(crate) names: Vec<String>,
    /// Probabilistic samplers, each after the names of its pipeline and its own.
    pub(crate) samplers: Vec<(String, String, ProbabilisticSampler)>,
    /// The OTLP clients by exporter name, for their status.
    pub(crate) clients: Vec<(String, Arc<Client>)>,
    pub(crate) debug: Option<DebugExporter>,
    /// What open batches are made of.
    pub(crate) slabs: BufferPool,
    /// The thread on which they run.
    pub(crate) worker: Arc<Worker>,
}

/// Builds the exporters and starts the pipelines; each has an open batch per receiving thread, and compresses what is large on `offload`.
pub(crate) fn pipelines(
    config: &Config,
    shards: usize,
    offload: &Arc<WorkerPool>,
    log: &Log,
) -> Result<Pipelines, StartError> {
    let worker = Arc::new(Worker::start("aqueduct-pipe").map_err(StartError::Worker)?);
    let proxy = ProxyConfig::from_env();
    let mut clients = Vec::new();
    let mut debug = None;
    let mut destinations = Vec::new();
    for (index, exporter) in config.exporters.iter().enumerate() {
        let (destination, lane) = match &exporter.kind {
            ExporterKind::Otlp(otlp) => {
                let client = Arc::new(client::open(config, index, otlp, &proxy)?);
                clients.push((exporter.name.clone(), Arc::clone(&client)));
                let lane = LaneConfig::default()
                    .with_queue_bytes(otlp.queue.max_bytes)
                    .with_max_in_flight(otlp.queue.num_consumers as usize);
                (Destination::new(&exporter.name, client, retry_policy(&otlp.retry)), lane)
            }
            ExporterKind::Debug => {
                let exporter_debug = debug.get_or_insert_with(DebugExporter::default).clone();
                (
                    Destination::new(&exporter.name, exporter_debug, RetryPolicy::default()),
                    LaneConfig::default(),
                )
            }
            ExporterKind::File(file) => {
                let opened = FileExporter::open(&file.path, file.append)
                    .map_err(|error| StartError::File { setting: file.setting.clone(), error })?;
                // One writer: lines must not be torn, and a batch is one line.
                let lane = LaneConfig::default().with_max_in_flight(1);
                (Destination::new(&exporter.name, opened, retry_policy(&config::Retry::default())), lane)
            }
        };
        destinations.push((Arc::new(destination), lane));
    }
    let mut pipelines = Vec::new();
    let mut samplers = Vec::new();
    let slabs = Pipeline::slab_pool(SLAB_POOL_BYTES);
    for pipeline in &config.pipelines {
        let mut settings = PipelineConfig::default();
        settings.batch = batch(pipeline.batch.as_ref());
        settings.shards = shards;
        let log = log.clone();
        let mut builder = Pipeline::builder(pipeline.signal)
            .config(settings)
            .worker(Arc::clone(&worker))
            .slabs(slabs.clone())
            .worker_pool(Arc::clone(offload))
            .notices(move |signal, destination, notice| log.notice(signal, destination, notice));
        for exporter in &pipeline.exporters {
            let (destination, lane) = &destinations[*exporter];
            builder = builder.destination(Arc::clone(destination), lane.clone());
        }
        for wanted in &pipeline.samplers {
            let sampler =
                DownstreamSampler::new(&samplers::downstream(wanted, pipeline.signal)).map_err(|error| {
                    StartError::Sampler { name: pipeline.name.clone(), error: error.to_string() }
                })?;
            let transform = ProbabilisticSampler::new(sampler);
            samplers.push((pipeline.name.clone(), wanted.name.clone(), transform.clone()));
            builder = builder.transform(transform);
        }
        if let Some(tail) = &pipeline.tail {
            let tail = TailSampling::new(tail.config.clone(), tail.policies.clone()).map_err(|error| {
                StartError::Sampler { name: pipeline.name.clone(), error: error.to_string() }
            })?;
            builder = builder.tail_sampling(tail);
        }
        let built =
            builder.build().map_err(|error| StartError::Pipeline { name: pipeline.name.clone(), error })?;
        pipelines.push(built);
    }
    let names = config.pipelines.iter().map(|pipeline| pipeline.name.clone()).collect();
    Ok(Pipelines { pipelines, names, samplers, clients, debug, slabs, worker })
}

fn batch(batch: Option<&config::Batch>) -> BatchConfig {
    let config = BatchConfig::default();
    match batch {
        Some(batch) => config
            .with_max_items(batch.send_batch_size.unwrap_or(u64::MAX))
            .with_max_bytes(batch.send_batch_max_bytes)
            .with_max_age(batch.timeout),
        // Without batching every request leaves as it came.
        None => config.with_max_items(1).with_max_age(Duration::from_millis(1)),
    }
}

pub(super) fn retry_policy(retry: &config::Retry) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    policy.initial = retry.initial_interval;
    policy.cap = retry.max_interval;
    policy.multiplier = retry.multiplier;
    policy.jitter = retry.randomization_factor.map_or(Jitter::Full, Jitter::Proportional);
    policy.max_elapsed = retry.max_elapsed_time;
    policy.max_attempts = (!retry.enabled).then_some(1);
    policy
}

/// Binds every listener and joins it with a server that offers to the pipelines.
pub(crate) fn doors(
    config: &Config,
    pipelines: &Pipelines,
    workers: usize,
    offload: &Spawner,
    budget: &ReceiveBudget,
) -> Result<Vec<Door>, StartError> {
    let mut doors = Vec::new();
    for (index, receiver) in config.receivers.iter().enumerate() {
        let handler = Arc::new(handler(config, pipelines, index, receiver, workers));
        let entries = [(Entry::Grpc, &receiver.grpc), (Entry::Http, &receiver.http)];
        for (entry, listener) in entries {
            let Some(listener) = listener else { continue };
            let server = Server::with_workers(
                receiver_config(receiver, listener),
                budget.clone(),
                Arc::clone(&handler) as _,
                offload.clone(),
            );
            let bound = bind_first(&listener.listen)?;
            doors.push(Door {
                listener: bound,
                entry,
                server,
                setting: listener.listen.setting.path.clone(),
            });
        }
    }
    Ok(doors)
}

fn handler(
    config: &Config,
    pipelines: &Pipelines,
    receiver: usize,
    settings: &Receiver,
    workers: usize,
) -> Handler {
    let intakes = Signal::ALL.map(|wanted| -> Vec<Intake> {
        let fed = config.pipelines.iter().zip(&pipelines.pipelines);
        let mut fed =
            fed.filter(|(pipeline, _)| pipeline.signal == wanted && pipeline.receivers.contains(&receiver));
        // The configuration allows at most one pipeline of a signal per receiver.
        fed.next().map_or_else(Vec::new, |(_, pipeline)| (0..workers).map(|_| pipeline.intake()).collect())
    });
    let acknowledge = match settings.acknowledge {
        config::Acknowledge::Enqueued => Acknowledge::Enqueued,
        config::Acknowledge::Exported => Acknowledge::Exported,
    };
    Handler::new(intakes, acknowledge)
}

fn receiver_config(receiver: &Receiver, listener: &Listener) -> ReceiverConfig {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let small = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut config = ReceiverConfig::default();
    config.max_request_bytes = size(listener.max_request_bytes);
    config.max_connections = size(receiver.limits.max_connections);
    config.max_streams_per_connection = listener.max_concurrent_streams;
    config.max_header_list_bytes = small(receiver.limits.max_header_list_size);
    config.header_timeout = listener.read_header_timeout;
    config.body_timeout = listener.read_timeout;
    config.idle_timeout = listener.idle_timeout;
    config.keepalive_interval = Some(listener.keepalive.time);
    config.keepalive_timeout = listener.keepalive.timeout;
    config.limits = config
        .limits
        .with_max_items(receiver.limits.max_items)
        .with_max_depth(size(receiver.limits.max_depth))
        .with_max_envelopes(receiver.limits.max_envelopes)
        .with_max_attributes(receiver.limits.max_attributes);
    config
}

/// Binds the first address that the host resolves to.
pub(crate) fn bind_first(listen: &Listen) -> Result<std::net::TcpListener, StartError> {
    let addresses: Vec<SocketAddr> = (listen.host.as_str(), listen.port)
        .to_socket_addrs()
        .map_err(|error| StartError::Resolve { listen: listen.clone(), error })?
        .collect();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(StartError::Bind { listen: listen.clone(), error: failure })
}
