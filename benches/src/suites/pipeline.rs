//! `aqueduct-pipeline`: from an offered chunk to its settlement.

mod encoding;
pub mod workload;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aqueduct_exec::{Spawner, WorkerPool};
use aqueduct_pipeline::{
    Attempt, Destination, Exporter, LaneConfig, LaneDistributions, Pipeline, PipelineConfig, Refused, Worker,
};
use aqueduct_transport::{Client, ClientConfig, Compression, Outcome, Request, RetryPolicy};
use aqueduct_wire::{Chunk, Merged, Signal};
use tokio::sync::mpsc;

use super::throughput;
use crate::harness::{Declared, Run, Suite};
use crate::{Failure, payload};

const PEER: &str = "tokio mpsc try_send";
const RAW: &str = "raw socket write";
const CPU: &str = "CPU-s/million spans";
const DEADLINE: Duration = Duration::from_secs(30);

/// Offers and deliveries, with an exporter that delivers at once.
pub(super) const SUITE: Suite = Suite {
    name: "pipeline",
    about: "An exporter that delivers at once stands behind the pipeline, so what remains is the pipeline: budget, ledger, batch, merge, \
            hand-over, settlement. `offer` is the time of the thread that offers, while the pipeline's thread keeps up; the peer puts \
            the same bytes into a bounded channel that another thread empties. `pooled slabs`: the same offers with open batches made of \
            buffers from a pool, and from the allocator. `beside a compression`: one pipeline compresses a batch of 8,192 spans with gzip; the figure is \
            how long another pipeline on the same thread takes from an offer to its settlement, with the compression on a worker thread, and \
            without worker threads. `1 MiB requests`: chunks of 64 KiB with spans of 220 bytes, encoded beforehand, go through the pipeline and \
            the OTLP client to a sink that counts; the thread that offers and the pipeline's have one core, the sink the other. The CPU is \
            that of the two threads. The peers are what the sinks take by themselves: the same bytes written to eight sockets by a thread \
            each, and messages as large through a bare h2 client. `CPU added` is the difference of two runs over HTTP. \
            `encode and push`: a span with four attributes through an encoding intake, in CPU time of the thread that has \
            it; the floor is the encoder alone, and the SDK's `on_end`, which encodes nothing yet, is what it takes the place of.",
    rows: &[
        Declared::lower("offer, 1 span", "ns/offer").against(PEER).bar("ours<=500"),
        Declared::lower("offer, 512 spans", "ns/offer").against(PEER).bar("ours<=1000"),
        Declared::higher("1 span: offered to settled", "chunks/s").bar("ours>=1000000"),
        Declared::higher("512 spans: offered to settled", "chunks/s"),
        Declared::lower(POOLED, "ns/offer").against("slabs from the allocator"),
        Declared::lower(BESIDE, "us").against("no worker threads").bar("ratio<=0.5"),
        Declared::lower(throughput::HTTP_CPU, CPU).against(RAW).bar("ours<=0.2"),
        Declared::higher(throughput::HTTP_RATE, "spans/s").against(RAW).bar("ours>=4000000"),
        Declared::lower(throughput::GRPC_CPU, CPU).against("ours over HTTP").bar("ratio<=1.3"),
        Declared::higher(throughput::GRPC_RATE, "spans/s").against("bare h2 client"),
        Declared::lower(throughput::ZSTD, "us/span").bar("ours<=0.7"),
        encoding::ONE,
        encoding::TWO,
        encoding::SDK,
    ],
    measure,
};

const POOLED: &str = "offer, 1 span, pooled slabs";
const BESIDE: &str = "offer to settled, beside a compression";

/// Takes every batch.
#[derive(Debug)]
struct Nowhere;

impl Exporter for Nowhere {
    fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> {
        Box::pin(std::future::ready(Outcome::Delivered))
    }
}

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    for (spans, offer, settled, chunks) in [
        (1, "offer, 1 span", "1 span: offered to settled", run.effort().pick(10, 100_000, 400_000)),
        (512, "offer, 512 spans", "512 spans: offered to settled", run.effort().pick(4, 5_000, 20_000)),
    ] {
        if !run.wants(offer) && !run.wants(settled) {
            continue;
        }
        let chunk = Chunk::from_valid(Signal::Traces, spans, payload::traces(spans as usize));
        let mut rates = Vec::new();
        let ours = || {
            let (offering, whole) = pipeline(&chunk, chunks, PipelineConfig::default())?;
            rates.push(chunks as f64 / whole.as_secs_f64());
            Ok(offering.as_nanos() as f64 / chunks as f64)
        };
        let rounds = run.effort().pick(1, 3, 7);
        if run.wants(offer) {
            run.alternate(offer, rounds, ours, || {
                Ok(through_channel(&chunk, chunks).as_nanos() as f64 / chunks as f64)
            })?;
        } else {
            (0..rounds).map(|_| pipeline(&chunk, chunks, PipelineConfig::default())).try_for_each(
                |round| {
                    rates.push(chunks as f64 / round?.1.as_secs_f64());
                    Ok::<_, Failure>(())
                },
            )?;
        }
        run.record(settled, &crate::harness::Samples { ours: rates, peer: Vec::new() })?;
    }
    if run.wants(POOLED) {
        let chunk = Chunk::from_valid(Signal::Traces, 1, payload::traces(1));
        let chunks = run.effort().pick(10, 100_000, 400_000);
        let offering = |config| -> Result<f64, Failure> {
            Ok(pipeline(&chunk, chunks, config)?.0.as_nanos() as f64 / chunks as f64)
        };
        let unpooled = || {
            let mut config = PipelineConfig::default();
            config.slab_pool_bytes = 0;
            config
        };
        let rounds = run.effort().pick(1, 3, 9);
        run.alternate(POOLED, rounds, || offering(PipelineConfig::default()), || offering(unpooled()))?;
    }
    if run.wants(BESIDE) {
        let workers = WorkerPool::new()?;
        let (with, without) = (Beside::new(Some(workers.spawner()))?, Beside::new(None)?);
        let rounds = run.effort().pick(1, 5, 31);
        run.alternate(BESIDE, rounds, || with.round(), || without.round())?;
    }
    throughput::measure(run)?;
    encoding::measure(run)
}

/// Two pipelines on one thread, of which one compresses.
struct Beside {
    slow: Pipeline,
    quick: Pipeline,
    batch: Chunk,
    span: Chunk,
    begins: Receiver<()>,
}

/// Compresses as the OTLP client does, tells when it begins, and sends nothing.
struct Compressing {
    client: Client,
    begun: Mutex<Sender<()>>,
}

impl Exporter for Compressing {
    fn prepare(&self, batch: &Merged) -> Request {
        // A mutex because a sender of old is not to be shared; an error means that nobody measures any more.
        let _ = self.begun.lock().map(|begun| begun.send(()));
        self.client.prepare(batch)
    }

    fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> {
        Box::pin(std::future::ready(Outcome::Delivered))
    }
}

impl Beside {
    fn new(offload: Option<Spawner>) -> Result<Beside, Failure> {
        let worker = Arc::new(Worker::start("bench-pipe")?);
        let (begun, begins) = channel();
        let mut config = ClientConfig::default();
        config.compression = Compression::Gzip(6);
        let compressing = Compressing { client: Client::new(config)?, begun: Mutex::new(begun) };
        let slow = Arc::new(Destination::new("slow", compressing, RetryPolicy::default()));
        let quick = Arc::new(Destination::new("quick", Nowhere, RetryPolicy::default()));
        let build = |destination| {
            let mut config = PipelineConfig::default();
            config.batch = config.batch.with_max_items(1);
            let builder = Pipeline::builder(Signal::Traces).config(config).worker(Arc::clone(&worker));
            let builder = builder.destination(destination, LaneConfig::default());
            match &offload {
                Some(workers) => builder.offload(workers.clone()),
                None => builder,
            }
            .build()
        };
        Ok(Beside {
            slow: build(slow)?,
            quick: build(quick)?,
            batch: Chunk::from_valid(Signal::Traces, 8192, payload::traces(8192)),
            span: Chunk::from_valid(Signal::Traces, 1, payload::traces(1)),
            begins,
        })
    }

    /// Microseconds.
    fn round(&self) -> Result<f64, Failure> {
        self.slow.intake().offer(self.batch.clone())?;
        self.begins.recv()?;
        let start = Instant::now();
        self.quick.intake().offer(self.span.clone())?;
        let complete = self.quick.flush(DEADLINE)?.complete;
        let took = start.elapsed();
        if !complete || !self.slow.flush(DEADLINE)?.complete {
            return Err("a batch was not delivered in time".into());
        }
        Ok(took.as_secs_f64() * 1e6)
    }
}

/// How long offering took, without the waits for room, and how long until everything was settled.
fn pipeline(chunk: &Chunk, chunks: u64, config: PipelineConfig) -> Result<(Duration, Duration), Failure> {
    let (offered, settled, _) = through_pipeline(chunk, chunks, config)?;
    Ok((offered, settled))
}

/// As [`pipeline`], and what the pipeline has measured.
fn through_pipeline(
    chunk: &Chunk,
    chunks: u64,
    config: PipelineConfig,
) -> Result<(Duration, Duration, Vec<LaneDistributions>), Failure> {
    let destination = Arc::new(Destination::new("nowhere", Nowhere, RetryPolicy::default()));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(config)
        .destination(destination, LaneConfig::default())
        .build()?;
    let intake = pipeline.intake();
    let start = Instant::now();
    let mut waited = Duration::ZERO;
    for _ in 0..chunks {
        while let Err(refused) = intake.offer(chunk.clone()) {
            if !matches!(refused, Refused::Full { .. }) {
                return Err(format!("a chunk was refused: {refused:?}").into());
            }
            let full = Instant::now();
            std::thread::sleep(Duration::from_micros(100));
            waited += full.elapsed();
        }
    }
    let offered = start.elapsed() - waited;
    pipeline.flush(DEADLINE)?;
    let settled = start.elapsed();
    let delivered: u64 = pipeline.status().iter().map(|lane| lane.ledger.delivered).sum();
    if delivered != chunks * chunk.items() {
        return Err(format!("{delivered} items were delivered of {}", chunks * chunk.items()).into());
    }
    pipeline.shutdown(DEADLINE)?;
    Ok((offered, settled, pipeline.distributions()))
}

/// The same through a channel.
fn through_channel(chunk: &Chunk, chunks: u64) -> Duration {
    let (sender, mut receiver) = mpsc::channel(8192);
    let other = std::thread::spawn(move || {
        let mut bytes = 0;
        while let Some(chunk) = receiver.blocking_recv() {
            let chunk: Chunk = chunk;
            bytes += chunk.len();
        }
        bytes
    });
    let start = Instant::now();
    let mut waited = Duration::ZERO;
    for _ in 0..chunks {
        let mut next = chunk.clone();
        while let Err(mpsc::error::TrySendError::Full(back)) = sender.try_send(next) {
            let full = Instant::now();
            std::thread::sleep(Duration::from_micros(100));
            waited += full.elapsed();
            next = back;
        }
    }
    let offered = start.elapsed() - waited;
    drop(sender);
    // The thread only adds up; the sum keeps the compiler from removing it.
    std::hint::black_box(other.join().ok());
    offered
}
