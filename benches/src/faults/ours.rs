//! The application with our pipeline: spans are encoded where they end, and offered in chunks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{
    Attempt, Destination, Exporter, Intake, LaneConfig, Pipeline, PipelineConfig, Refused, Worker,
};
use aqueduct_transport::{Client, ClientConfig, Outcome, Protocol, Request, RetryPolicy};
use aqueduct_wire::encode::{ChunkBuilder, ScopePrefix};
use aqueduct_wire::{Chunk, Merged, Signal};

use super::job::{Books, Job, Told};
use super::pace::Pace;
use super::sample::{Sample, resource, scope};
use crate::Failure;
use crate::process::Usage;

/// When spans are ended: every so often, as many as are due.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// A chunk is handed over when it has so many bytes,
const CHUNK_BYTES: usize = 60 * 1024;
/// or when its first span is so old.
const CHUNK_AGE: Duration = Duration::from_millis(50);
/// How often to look at what is held.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(job: &Job) -> Result<Told, Failure> {
    let worker = Arc::new(Worker::start("app-pipe")?);
    let clients = job.clients.max(1);
    let mut lines =
        (1..=clients).map(|client| Line::new(job, client, &worker)).collect::<Result<Vec<_>, _>>()?;
    let mut told = Told::default();
    super::say(&"started")?;
    let start = Instant::now();
    let seconds = Duration::from_secs_f64(job.seconds);
    let (mut pace, mut turn, mut looked) = (Pace::new(job.rate), 0, start);
    while start.elapsed() < seconds {
        for _ in 0..pace.due(start.elapsed()) {
            lines[turn].end_span()?;
            turn = (turn + 1) % lines.len();
        }
        let now = Instant::now();
        for line in &mut lines {
            line.hand_over_old(now)?;
        }
        if now.duration_since(looked) >= LOOK {
            looked = now;
            look(&lines, &mut told);
        }
        std::thread::sleep(TICK);
    }
    let deadline = Instant::now() + Duration::from_secs_f64(job.shutdown_seconds);
    let ended = Instant::now();
    let mut books = Books::default();
    for line in &mut lines {
        line.hand_over()?;
    }
    for line in &lines {
        line.close(deadline, &mut told, &mut books)?;
    }
    told.shutdown_seconds = ended.elapsed().as_secs_f64();
    told.books = Some(books);
    told.peak_rss = Usage::of(std::process::id())?.peak_rss;
    Ok(told)
}

/// Notes what is held, if it was never more.
fn look(lines: &[Line], told: &mut Told) {
    let (mut raw, mut held) = (0.0, 0);
    for line in lines {
        let mean = line.bytes as f64 / line.offered.max(1) as f64;
        for lane in line.pipeline.status() {
            raw += mean * lane.held_items() as f64;
            held += lane.held_bytes;
        }
    }
    if raw > told.raw_bytes {
        (told.raw_bytes, told.held_bytes) = (raw, held);
    }
}

/// A pipeline with the spans that go into it.
struct Line {
    pipeline: Pipeline,
    intake: Intake,
    witness: Arc<Witness>,
    encoding: Encoding,
    sample: Sample,
    generated: u64,
    /// Spans in chunks that were offered, and those chunks' bytes.
    offered: u64,
    bytes: u64,
    refused: u64,
}

/// The chunk that spans are encoded into.
struct Encoding {
    builder: ChunkBuilder,
    scope: ScopePrefix,
    opened: Option<Instant>,
}

impl Encoding {
    fn new() -> Encoding {
        let builder = ChunkBuilder::new(Signal::Traces, resource());
        Encoding { builder, scope: scope(), opened: None }
    }

    /// Encodes a span. A chunk, if it is full now.
    fn end(&mut self, span: &Sample, now: Instant) -> Option<Chunk> {
        self.builder.push_span(&self.scope, span);
        self.opened.get_or_insert(now);
        self.builder.is_full(CHUNK_BYTES).then(|| self.seal())
    }

    fn seal(&mut self) -> Chunk {
        self.opened = None;
        self.builder.seal()
    }
}

impl Line {
    fn new(job: &Job, client: u16, worker: &Arc<Worker>) -> Result<Line, Failure> {
        let protocol = if job.http { Protocol::HttpProtobuf } else { Protocol::Grpc };
        let client_config = ClientConfig::new(job.endpoint.clone(), protocol);
        let witness = Arc::new(Witness { client: Client::new(client_config)?, unknown: AtomicU64::new(0) });
        let destination = Destination::new("sink", Arc::clone(&witness), RetryPolicy::default());
        let mut config = PipelineConfig::default();
        if job.batch_items > 0 {
            config.batch = config.batch.with_max_items(job.batch_items);
        }
        let mut lane = LaneConfig::default();
        if job.queue_bytes > 0 {
            lane.queue_bytes = job.queue_bytes;
        }
        let pipeline = Pipeline::builder(Signal::Traces)
            .config(config)
            .worker(Arc::clone(worker))
            .destination(Arc::new(destination), lane)
            .build()?;
        Ok(Line {
            intake: pipeline.intake(),
            pipeline,
            witness,
            encoding: Encoding::new(),
            sample: Sample::new(job.content, client, job.seed),
            generated: 0,
            offered: 0,
            bytes: 0,
            refused: 0,
        })
    }

    fn end_span(&mut self) -> Result<(), Failure> {
        self.sample.turn(self.generated);
        self.generated += 1;
        match self.encoding.end(&self.sample, Instant::now()) {
            Some(chunk) => self.offer(chunk),
            None => Ok(()),
        }
    }

    fn hand_over_old(&mut self, now: Instant) -> Result<(), Failure> {
        match self.encoding.opened {
            Some(opened) if now.duration_since(opened) >= CHUNK_AGE => self.hand_over(),
            _ => Ok(()),
        }
    }

    fn hand_over(&mut self) -> Result<(), Failure> {
        let chunk = self.encoding.seal();
        if chunk.is_empty() { Ok(()) } else { self.offer(chunk) }
    }

    /// An application does not wait for room: what is refused is lost.
    fn offer(&mut self, chunk: Chunk) -> Result<(), Failure> {
        let spans = chunk.items();
        self.offered += spans;
        self.bytes += chunk.len() as u64;
        match self.intake.offer(chunk) {
            Ok(()) => Ok(()),
            Err(Refused::Full { .. }) => {
                self.refused += spans;
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Shuts down and adds what came of it.
    fn close(&self, deadline: Instant, told: &mut Told, books: &mut Books) -> Result<(), Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        let report = self.pipeline.shutdown(left)?;
        told.generated += self.generated;
        told.refused += self.refused;
        // Relaxed: nothing is sent any more.
        told.unknown += self.witness.unknown.load(Ordering::Relaxed);
        for lane in &report.lanes {
            books.accepted += lane.ledger.accepted;
            books.delivered += lane.ledger.delivered;
            books.rejected += lane.ledger.rejected;
            books.held += lane.held_items();
            told.attempts += lane.attempts;
            for reason in DropReason::ALL {
                let items = lane.ledger.dropped(reason);
                if items > 0 {
                    *books.dropped.entry(reason.as_str().to_owned()).or_default() += items;
                }
            }
        }
        Ok(())
    }
}

/// The client, with an eye on attempts after which nobody knows whether the sink has the spans: only these explain duplicates.
struct Witness {
    client: Client,
    unknown: AtomicU64,
}

impl Exporter for Witness {
    fn prepare(&self, batch: &Merged) -> Request {
        self.client.prepare(batch)
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        Box::pin(async move {
            let outcome = self.client.send(request).await;
            if let Outcome::Retry { failure, .. } = &outcome
                && failure.outcome_unknown
            {
                // Relaxed: a sum that is read when all is over.
                self.unknown.fetch_add(request.items(), Ordering::Relaxed);
            }
            outcome
        })
    }
}
