//! How many spans a second leave, and what they cost: from chunks that are encoded already to a sink that only counts.
//!
//! The thread that offers and the pipeline's share one core, the sink has another.

mod sink;

use std::io::{IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_exec::CoreSet;
use aqueduct_pipeline::{Destination, LaneConfig, Pipeline, PipelineConfig, Refused, Worker};
use aqueduct_transport::{Client, ClientConfig, Compression, Protocol, RetryPolicy};
use aqueduct_wire::{Chunk, Merged, Merger, Signal};

use super::loopback::{ServerThread, ThreadClock, drive, framed, runtime};
use crate::Failure;
use crate::faults::{Content, chunks};
use crate::harness::{Run, Samples};
use crate::process::Cores;
use sink::{ANSWER, HttpSink};

// Rows of the suite `pipeline`.
pub(super) const HTTP_CPU: &str = "1 MiB requests over HTTP, one core: CPU";
pub(super) const HTTP_RATE: &str = "1 MiB requests over HTTP, one core: spans/s";
pub(super) const GRPC_CPU: &str = "1 MiB requests over gRPC, one core: CPU";
pub(super) const GRPC_RATE: &str = "1 MiB requests over gRPC, one core: spans/s";
pub(super) const ZSTD: &str = "1 MiB requests, zstd 1 on spans of 500 B: CPU added";

const REQUEST: usize = 1 << 20;
/// Sixteen to a request, and large enough not to be copied.
const CHUNK: usize = REQUEST / 16;
/// So many different chunks are sent in turns: more than a cache holds.
const CHUNKS: usize = 128;
/// As many as a lane has requests under way.
const CONNECTIONS: usize = 8;
const SEED: u64 = 20_261_122;
const DEADLINE: Duration = Duration::from_secs(30);
/// How long who is refused waits: the pipeline's thread needs the core.
const FULL: Duration = Duration::from_micros(500);

/// One way of sending, once.
#[derive(Clone, Copy, Debug)]
struct Sent {
    spans: f64,
    took: Duration,
    cpu: Duration,
}

impl Sent {
    fn cpu_seconds_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.spans
    }

    fn spans_per_second(&self) -> f64 {
        self.spans / self.took.as_secs_f64()
    }
}

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let sends = [HTTP_CPU, HTTP_RATE, GRPC_CPU, GRPC_RATE].iter().any(|row| run.wants(row));
    if !sends && !run.wants(ZSTD) {
        return Ok(());
    }
    let cores = Cores::allowed();
    let (http, grpc) = on_core(cores.generator, || Ok((HttpSink::start()?, ServerThread::bare()?)))?;
    if sends {
        plain(run, &http, &grpc, cores.gateway)?;
    }
    if run.wants(ZSTD) {
        zstd(run, &http, cores.gateway)?;
    }
    Ok(())
}

fn plain(
    run: &mut Run<'_>,
    http: &HttpSink,
    grpc: &ServerThread,
    core: Option<usize>,
) -> Result<(), Failure> {
    let spans = run.effort().pick(20_000, 2_000_000, 8_000_000);
    let chunks = chunks(Content::Plain, CHUNK, CHUNKS, SEED);
    let (mut raw, mut bare, mut over_http, mut over_grpc) = (vec![], vec![], vec![], vec![]);
    for _ in 0..run.effort().pick(1, 1, 3) {
        // The sinks alone come first: what they take is the most that can leave.
        raw.push(on_core(core, || write_raw(http.address, &chunks, spans))?);
        bare.push(on_core(core, || send_bare(grpc.address, &chunks, spans))?);
        let before = http.bytes();
        let config = client(http.address, Protocol::HttpProtobuf, Compression::None);
        over_http.push(on_core(core, || send(config, &chunks, spans))?);
        arrived(http.bytes() - before, &chunks, spans)?;
        let config = client(grpc.address, Protocol::Grpc, Compression::None);
        over_grpc.push(on_core(core, || send(config, &chunks, spans))?);
    }
    let mut record = |row, ours: &[Sent], peer: &[Sent], figure: fn(&Sent) -> f64| {
        let [ours, peer] = [ours, peer].map(|all| all.iter().map(figure).collect());
        run.record(row, &Samples { ours, peer })
    };
    record(HTTP_CPU, &over_http, &raw, Sent::cpu_seconds_per_million)?;
    record(HTTP_RATE, &over_http, &raw, Sent::spans_per_second)?;
    record(GRPC_CPU, &over_grpc, &over_http, Sent::cpu_seconds_per_million)?;
    record(GRPC_RATE, &over_grpc, &bare, Sent::spans_per_second)
}

/// Seconds for a million spans are microseconds for one.
fn zstd(run: &mut Run<'_>, http: &HttpSink, core: Option<usize>) -> Result<(), Failure> {
    let spans = run.effort().pick(2_000, 300_000, 1_500_000);
    let chunks = chunks(Content::Wide, CHUNK, CHUNKS, SEED);
    let once = |compression| {
        let config = client(http.address, Protocol::HttpProtobuf, compression);
        Ok::<_, Failure>(on_core(core, || send(config, &chunks, spans))?.cpu_seconds_per_million())
    };
    let mut added = Vec::new();
    for _ in 0..run.effort().pick(1, 1, 3) {
        // In a run of milliseconds noise may be more than compressing takes.
        added.push((once(Compression::Zstd(1))? - once(Compression::None)?).max(0.0));
    }
    run.record(ZSTD, &Samples { ours: added, peer: Vec::new() })
}

/// Does something on a thread that runs on this core only, and so do the threads that it starts.
fn on_core<T: Send>(
    core: Option<usize>,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Some(core) = core {
                CoreSet::from_iter([core]).pin_current_thread()?;
            }
            work()
        });
        thread.join().unwrap_or_else(|_| Err("the measurement panicked".into()))
    })
}

fn client(to: SocketAddr, protocol: Protocol, compression: Compression) -> ClientConfig {
    let mut config = ClientConfig::new(format!("http://{to}"), protocol);
    config.compression = compression;
    config
}

/// Through a pipeline.
fn send(config: ClientConfig, chunks: &[Chunk], spans: u64) -> Result<Sent, Failure> {
    let worker = Arc::new(Worker::start("bench-pipe")?);
    let workers_clock = clock_of(&worker)?;
    let destination = Arc::new(Destination::new("sink", Client::new(config)?, RetryPolicy::default()));
    let mut config = PipelineConfig::default();
    config.batch = config.batch.with_max_bytes(REQUEST as u64);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(config)
        .worker(Arc::clone(&worker))
        .destination(destination, LaneConfig::default())
        .build()?;
    let intake = pipeline.intake();
    let clocks = [ThreadClock::here()?, workers_clock];
    let spent = || clocks.iter().map(ThreadClock::read).sum::<Result<Duration, _>>();
    let (before, start) = (spent()?, Instant::now());
    let mut offered = 0;
    for chunk in chunks.iter().cycle() {
        if offered >= spans {
            break;
        }
        while let Err(refused) = intake.offer(chunk.clone()) {
            match refused {
                Refused::Full { .. } => thread::sleep(FULL),
                other => return Err(other.into()),
            }
        }
        offered += chunk.items();
    }
    let complete = pipeline.flush(DEADLINE)?.complete;
    let (took, cpu) = (start.elapsed(), spent()? - before);
    let report = pipeline.shutdown(DEADLINE)?;
    let delivered: u64 = report.lanes.iter().map(|lane| lane.ledger.delivered).sum();
    if !complete || delivered != offered {
        return Err(format!("{delivered} spans were delivered of {offered}").into());
    }
    Ok(Sent { spans: offered as f64, took, cpu })
}

/// The clock of a worker's thread.
fn clock_of(worker: &Worker) -> Result<ThreadClock, Failure> {
    let (tell, told) = mpsc::channel();
    // Nobody waiting any more means that nobody needs it.
    worker.spawn(async move { drop(tell.send(ThreadClock::here())) })?;
    told.recv()?
}

/// The requests that a pipeline makes of chunks.
fn requests(chunks: &[Chunk]) -> Vec<Merged> {
    let merged = |chunks: &[Chunk]| {
        let mut merger = Merger::new(Signal::Traces);
        chunks.iter().for_each(|chunk| merger.push(chunk.clone()));
        merger.finish()
    };
    chunks.chunks(REQUEST / CHUNK).map(merged).collect()
}

/// The same bytes written to as many sockets as ours may have requests under way, by a thread each.
fn write_raw(to: SocketAddr, chunks: &[Chunk], spans: u64) -> Result<Sent, Failure> {
    let requests = requests(chunks);
    let share = spans / CONNECTIONS as u64;
    let start = Instant::now();
    let (mut sent, mut cpu) = (0, Duration::ZERO);
    thread::scope(|scope| {
        let write = |first| write_some(to, requests.iter().cycle().skip(first), share);
        let threads: Vec<_> = (0..CONNECTIONS).map(|first| scope.spawn(move || write(first))).collect();
        for thread in threads {
            let (spans, spent) = thread.join().unwrap_or_else(|_| Err("a writer panicked".into()))?;
            sent += spans;
            cpu += spent;
        }
        Ok::<_, Failure>(())
    })?;
    Ok(Sent { spans: sent as f64, took: start.elapsed(), cpu })
}

/// Spans written, and what that took of the calling thread.
fn write_some<'a>(
    to: SocketAddr,
    requests: impl Iterator<Item = &'a Merged>,
    spans: u64,
) -> Result<(u64, Duration), Failure> {
    let mut socket = TcpStream::connect(to)?;
    socket.set_nodelay(true)?;
    let clock = ThreadClock::here()?;
    let before = clock.read()?;
    let mut sent = 0;
    for request in requests {
        if sent >= spans {
            break;
        }
        let head =
            format!("POST /v1/traces HTTP/1.1\r\nhost: {to}\r\ncontent-length: {}\r\n\r\n", request.len());
        let pieces = request.pieces().iter().map(|piece| IoSlice::new(piece));
        let mut slices: Vec<_> = std::iter::once(IoSlice::new(head.as_bytes())).chain(pieces).collect();
        let mut left = &mut slices[..];
        while !left.is_empty() {
            let written = socket.write_vectored(left)?;
            IoSlice::advance_slices(&mut left, written);
        }
        socket.read_exact(&mut [0; ANSWER.len()])?;
        sent += request.items();
    }
    Ok((sent, clock.read()? - before))
}

/// Requests as large as ours through an h2 client with nothing before it.
fn send_bare(to: SocketAddr, chunks: &[Chunk], spans: u64) -> Result<Sent, Failure> {
    let first = requests(chunks).into_iter().next().ok_or("there are chunks")?;
    let message = framed(&first.to_bytes());
    let requests = spans.div_ceil(first.items());
    let runtime = runtime()?;
    let clock = ThreadClock::here()?;
    let (before, start) = (clock.read()?, Instant::now());
    runtime.block_on(drive(to, Signal::Traces.grpc_path(), &message, requests, CONNECTIONS as u64))?;
    let (took, cpu) = (start.elapsed(), clock.read()? - before);
    Ok(Sent { spans: (requests * first.items()) as f64, took, cpu })
}

/// Whether the sink has as many bytes as the spans had.
fn arrived(bytes: u64, chunks: &[Chunk], spans: u64) -> Result<(), Failure> {
    let (mut offered, mut expected) = (0, 0);
    for chunk in chunks.iter().cycle() {
        if offered >= spans {
            break;
        }
        offered += chunk.items();
        expected += chunk.len() as u64;
    }
    if bytes == expected { Ok(()) } else { Err(format!("{bytes} bytes arrived of {expected}").into()) }
}
