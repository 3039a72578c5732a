//! Exporters that say goodbye, that panic where nobody expects it, and that prepare what cannot be read again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aqueduct_metrics::{DropReason, Settled};
use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Notice, Pipeline};
use aqueduct_testkit::Generator;
use aqueduct_transport::{
    Client, ClientConfig, Compression, Compressor, Encoding, Failure, FailureKind, Outcome, Protocol, Request,
};
use aqueduct_wire::{Chunk, Merged, Signal};
use bytes::Bytes;

use crate::acknowledge::settled;
use crate::scripted::{
    PATIENCE, Scripted, Step, assert_conserved, batches_of, chunk, lane, pipeline, quick, told_pipeline,
};

/// Guards against taking a server that rotates its connections for one that has too much to do: its first goodbyes slow nothing down.
#[test]
fn goodbyes_are_no_refusals() {
    let exporter = Scripted::new(vec![Step::Refuse; 8]);
    let pipeline = pipeline(&exporter, 1);
    // At a throttle's lowest rate they would take longer than anybody waits; a flush would not spare the server.
    let offer = |number| pipeline.intake().offer_acknowledged(chunk(number)).unwrap();
    let deliveries: Vec<_> = (0..100).map(offer).collect();
    assert!(deliveries.into_iter().all(|delivery| settled(delivery) == Settled::Delivered));
    assert_conserved(&lane(&pipeline));
    assert_eq!(lane(&pipeline).ledger.delivered, 100);
}

/// Guards the count in the notice of a recovery: what was just delivered is not waiting.
#[test]
fn a_recovery_counts_what_waits() {
    let exporter = Scripted::new([Step::Retry(None)]);
    let (pipeline, told) = told_pipeline(&exporter, LaneConfig::default());
    pipeline.intake().offer(chunk(1)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert!(told.try_iter().any(|notice| matches!(notice, Notice::Recovered { held: 0, .. })));
}

/// Panics once when it is asked what it speaks.
#[derive(Clone)]
struct Moody {
    calls: Arc<AtomicUsize>,
    panics_at: usize,
    away: Arc<AtomicBool>,
}

impl Exporter for Moody {
    fn prepare(&self, batch: &Merged) -> Request {
        Compressor::new(Compression::Zstd(1)).unwrap().compress(Request::plain(batch))
    }

    fn send<'a>(&'a self, _request: &'a Request) -> Attempt<'a> {
        Box::pin(async move {
            match self.away.swap(false, Ordering::Relaxed) {
                true => Outcome::Retry { after: None, failure: Failure::new(FailureKind::Connect, "away") },
                false => Outcome::Delivered,
            }
        })
    }

    fn speaks(&self, _encoding: Encoding) -> bool {
        assert_ne!(self.calls.fetch_add(1, Ordering::Relaxed), self.panics_at, "a bad moment");
        true
    }
}

/// Guards against losing the batch that an exporter was asked about when it panicked.
#[test]
fn a_panic_about_a_batch_loses_nothing() {
    for panics_at in 0..8 {
        let exporter = Moody { calls: Arc::default(), panics_at, away: Arc::new(AtomicBool::new(true)) };
        let lane_config = LaneConfig::default().with_compress_held_above(0).with_max_in_flight(1);
        let pipeline = Pipeline::builder(Signal::Traces)
            .config(batches_of(1))
            .destination(Arc::new(Destination::new("moody", exporter, quick())), lane_config)
            .build()
            .unwrap();
        for byte in 0..3 {
            let large = Bytes::from(vec![byte; 40_000]);
            pipeline.intake().offer(Chunk::from_valid(Signal::Traces, 1, large)).unwrap();
        }
        assert!(pipeline.flush(PATIENCE).unwrap().complete, "it panicked at call {panics_at}");
        let lane = lane(&pipeline);
        assert_eq!((lane.ledger.delivered, lane.ledger.dropped(DropReason::Leaked)), (3, 0), "{panics_at}");
    }
}

/// Prepares JSON, and would take Zstandard as well, as it says.
struct Bilingual {
    client: Client,
    up: Arc<AtomicBool>,
}

impl Exporter for Bilingual {
    fn prepare(&self, batch: &Merged) -> Request {
        self.client.prepare(batch)
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        Box::pin(async move {
            if !self.up.load(Ordering::Relaxed) {
                return Outcome::Retry { after: None, failure: Failure::new(FailureKind::Connect, "away") };
            }
            if request.uncompressed_len() > 30_000 {
                return Outcome::TooLarge(Failure::new(FailureKind::Http(413), "too large"));
            }
            Outcome::Delivered
        })
    }

    fn speaks(&self, encoding: Encoding) -> bool {
        encoding == Encoding::Zstd
    }
}

/// Guards against keeping as compressed what no batch can be made of again, and against trying to for ever.
#[test]
fn json_is_not_kept_compressed() {
    let mut config = ClientConfig::new("http://127.0.0.1:9", Protocol::HttpJson);
    config.compression = Compression::Gzip(1);
    let up = Arc::new(AtomicBool::new(false));
    let exporter = Bilingual { client: Client::new(config).unwrap(), up: Arc::clone(&up) };
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(500))
        .destination(
            Arc::new(Destination::new("json", exporter, quick())),
            LaneConfig::default().with_compress_held_above(0),
        )
        .build()
        .unwrap();
    let mut generator = Generator::new(7);
    for _ in 0..300 {
        let request = generator.request(Signal::Traces, 10);
        pipeline.intake().offer(Chunk::from_valid(Signal::Traces, 10, request)).unwrap();
    }
    while lane(&pipeline).compressed_to_bytes == 0 {
        std::thread::yield_now();
    }
    up.store(true, Ordering::Relaxed);
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_conserved(&lane(&pipeline));
    assert_eq!(lane(&pipeline).ledger.delivered, 3_000);
}
