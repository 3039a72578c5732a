//! The application with our pipeline: spans are encoded where they end, into its open chunk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aqueduct_pipeline::{
    Attempt, Destination, Encode, EncodingIntake, Exporter, ItemSink, LaneConfig, Pipeline, PipelineConfig,
    Refused, Worker,
};
use aqueduct_transport::{Client, ClientConfig, Outcome, Protocol, Request, RetryPolicy};
use aqueduct_wire::encode::ScopePrefix;
use aqueduct_wire::{Merged, Signal};

use super::job::{Books, Content, Job, Told};
use super::pace;
use super::sample::{Sample, chunks, resource, scope};
use crate::Failure;
use crate::process::Usage;

/// How often to look at what is held.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(job: &Job) -> Result<Told, Failure> {
    let worker = Arc::new(Worker::start("app-pipe")?);
    let clients = job.clients.max(1);
    let mut lines =
        (1..=clients).map(|client| Line::new(job, client, &worker)).collect::<Result<Vec<_>, _>>()?;
    let mut told = Told::default();
    let size = span_size(job.content);
    let (mut turn, mut looked) = (0, Instant::now());
    pace::keep(job, |due| {
        for _ in 0..due {
            lines[turn].end_span()?;
            turn = (turn + 1) % lines.len();
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            look(&lines, size, &mut told);
        }
        Ok(())
    })?;
    let deadline = Instant::now() + Duration::from_secs_f64(job.shutdown_seconds);
    let ended = Instant::now();
    let mut books = Books::default();
    for line in lines {
        line.close(deadline, &mut told, &mut books)?;
    }
    told.shutdown_seconds = ended.elapsed().as_secs_f64();
    told.books = Some(books);
    told.peak_rss = Usage::of(std::process::id())?.peak_rss;
    Ok(told)
}

/// Bytes of a span as it is encoded, in the mean.
fn span_size(content: Content) -> f64 {
    let chunks = chunks(content, 64 * 1024, 1, 1);
    chunks.iter().map(|chunk| chunk.len() as f64 / chunk.items() as f64).sum()
}

/// Notes what is held, if it was never more.
fn look(lines: &[Line], size: f64, told: &mut Told) {
    let (mut raw, mut held) = (0.0, 0);
    for lane in lines.iter().flat_map(|line| line.pipeline.status()) {
        raw += size * lane.held_items() as f64;
        held += lane.held_bytes;
    }
    if raw > told.raw_bytes {
        (told.raw_bytes, told.held_bytes) = (raw, held);
    }
}

/// Writes spans of one scope.
struct Encoder(ScopePrefix);

impl Encode<Sample> for Encoder {
    fn encode(&self, span: &Sample, out: &mut ItemSink<'_>) {
        out.push_span(&self.0, span);
    }
}

/// A pipeline with the spans that go into it.
struct Line {
    pipeline: Pipeline,
    spans: EncodingIntake<Encoder>,
    witness: Arc<Witness>,
    sample: Sample,
    generated: u64,
    refused: u64,
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
        if job.compress_above > 0 {
            lane.compress_held_above = job.compress_above;
        }
        let pipeline = Pipeline::builder(Signal::Traces)
            .config(config)
            .worker(Arc::clone(worker))
            .destination(Arc::new(destination), lane)
            .build()?;
        Ok(Line {
            spans: pipeline.encoding_intake(resource(), Encoder(scope())),
            pipeline,
            witness,
            sample: Sample::new(job.content, client, job.seed),
            generated: 0,
            refused: 0,
        })
    }

    /// An application does not wait for room: what is refused is lost.
    fn end_span(&mut self) -> Result<(), Failure> {
        self.sample.turn(self.generated);
        self.generated += 1;
        match self.spans.push(&self.sample) {
            Ok(()) => Ok(()),
            Err(Refused::Full { .. }) => {
                self.refused += 1;
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Shuts down and adds what came of it.
    fn close(self, deadline: Instant, told: &mut Told, books: &mut Books) -> Result<(), Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        let report = self.pipeline.shutdown(left)?;
        told.generated += self.generated;
        told.refused += self.refused;
        // Relaxed: nothing is sent any more.
        told.unknown += self.witness.unknown.load(Ordering::Relaxed);
        for lane in &report.lanes {
            books.add(lane);
            told.attempts += lane.attempts;
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
