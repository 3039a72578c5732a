//! `aqueduct-pipeline`: from an offered chunk to its settlement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline, PipelineConfig, Refused};
use aqueduct_transport::{Outcome, Request, RetryPolicy};
use aqueduct_wire::{Chunk, Signal};
use tokio::sync::mpsc;

use crate::harness::{Declared, Run, Suite};
use crate::{Failure, payload};

const PEER: &str = "tokio mpsc try_send";
const DEADLINE: Duration = Duration::from_secs(30);

/// Offers and deliveries, with an exporter that delivers at once.
pub(super) const SUITE: Suite = Suite {
    name: "pipeline",
    about: "An exporter that delivers at once stands behind the pipeline, so what remains is the pipeline: budget, ledger, batch, merge, \
            hand-over, settlement. `offer` is the time of the thread that offers, while the pipeline's thread keeps up; the peer puts \
            the same bytes into a bounded channel that another thread empties.",
    rows: &[
        Declared::lower("offer, 1 span", "ns/offer").against(PEER).bar("ours<=500"),
        Declared::lower("offer, 512 spans", "ns/offer").against(PEER).bar("ours<=1000"),
        Declared::higher("1 span: offered to settled", "chunks/s").bar("ours>=1000000"),
        Declared::higher("512 spans: offered to settled", "chunks/s"),
    ],
    measure,
};

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
            let (offering, whole) = pipeline(&chunk, chunks)?;
            rates.push(chunks as f64 / whole.as_secs_f64());
            Ok(offering.as_nanos() as f64 / chunks as f64)
        };
        let rounds = run.effort().pick(1, 3, 7);
        if run.wants(offer) {
            run.alternate(offer, rounds, ours, || {
                Ok(channel(&chunk, chunks).as_nanos() as f64 / chunks as f64)
            })?;
        } else {
            (0..rounds).map(|_| pipeline(&chunk, chunks)).try_for_each(|round| {
                rates.push(chunks as f64 / round?.1.as_secs_f64());
                Ok::<_, Failure>(())
            })?;
        }
        run.record(settled, &crate::harness::Samples { ours: rates, peer: Vec::new() })?;
    }
    Ok(())
}

/// How long offering took, without the waits for room, and how long until everything was settled.
fn pipeline(chunk: &Chunk, chunks: u64) -> Result<(Duration, Duration), Failure> {
    let destination = Arc::new(Destination::new("nowhere", Nowhere, RetryPolicy::default()));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(PipelineConfig::default())
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
    Ok((offered, settled))
}

/// The same through a channel.
fn channel(chunk: &Chunk, chunks: u64) -> Duration {
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
