//! Outages: what waits is compressed, and comes out as it went in.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_exec::WorkerPool;
use aqueduct_pipeline::{
    Attempt, Builder, Destination, Exporter, LaneConfig, LaneStatus, Overflow, Pipeline, PipelineConfig,
};
use aqueduct_testkit::{Generator, Oracle};
use aqueduct_transport::{Compression, Compressor, Encoding, Failure, FailureKind, Outcome, Request};
use aqueduct_wire::{Chunk, Merged, Signal};
use tokio::sync::{Notify, Semaphore};

use crate::scripted::{PATIENCE, assert_conserved, batches_of, lane, quick};

const BUDGET: u64 = 512 << 10;

/// A destination that is away until the test says otherwise, and keeps what it takes, as soon as the test lets it.
#[derive(Clone)]
struct Away(Arc<Inner>);

struct Inner {
    up: AtomicBool,
    /// The largest request that is taken, before compression; 0 takes all.
    limit: AtomicUsize,
    codec: Compressor,
    taken: Mutex<Vec<(Encoding, Vec<u8>)>>,
    /// One for each request that may be answered.
    answers: Semaphore,
    begun: AtomicUsize,
    begins: Notify,
}

impl Away {
    fn new(codec: Compression) -> Self {
        Self(Arc::new(Inner {
            up: AtomicBool::new(false),
            limit: AtomicUsize::new(0),
            codec: Compressor::new(codec).unwrap(),
            taken: Mutex::default(),
            answers: Semaphore::new(Semaphore::MAX_PERMITS),
            begun: AtomicUsize::new(0),
            begins: Notify::new(),
        }))
    }

    /// It answers no more, until so many may be answered.
    fn holds_back(&self) {
        self.0.answers.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Waits until so many requests have reached it while it was there.
    async fn begun(&self, requests: usize) {
        loop {
            let begins = self.0.begins.notified();
            if self.0.begun.load(Ordering::Relaxed) >= requests {
                return;
            }
            begins.await;
        }
    }

    fn comes_back(&self) {
        self.0.up.store(true, Ordering::Relaxed);
    }

    fn taken(&self) -> Vec<(Encoding, Vec<u8>)> {
        self.0.taken.lock().unwrap().clone()
    }
}

impl Exporter for Away {
    fn prepare(&self, batch: &Merged) -> Request {
        self.0.codec.compress(Request::plain(batch))
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        Box::pin(async move {
            let limit = self.0.limit.load(Ordering::Relaxed);
            if !self.0.up.load(Ordering::Relaxed) {
                return Outcome::Retry { after: None, failure: Failure::new(FailureKind::Connect, "away") };
            }
            self.0.begun.fetch_add(1, Ordering::Relaxed);
            self.0.begins.notify_waiters();
            self.0.answers.acquire().await.unwrap().forget();
            if !self.0.up.load(Ordering::Relaxed) {
                return Outcome::Retry {
                    after: None,
                    failure: Failure::new(FailureKind::Http(503), "too much"),
                };
            }
            if limit > 0 && request.uncompressed_len() > limit {
                return Outcome::TooLarge(Failure::new(FailureKind::Http(413), "too large"));
            }
            let bytes = request.to_batch().unwrap().to_bytes().to_vec();
            self.0.taken.lock().unwrap().push((request.encoding(), bytes));
            Outcome::Delivered
        })
    }

    fn speaks(&self, encoding: Encoding) -> bool {
        matches!((self.0.codec.codec(), encoding), (Compression::Zstd(_), Encoding::Zstd))
    }
}

fn config(overflow: Overflow) -> PipelineConfig {
    let mut config = batches_of(50);
    config.overflow = overflow;
    config
}

fn builder(exporter: &Away, overflow: Overflow, lane: LaneConfig) -> Builder {
    let destination = Arc::new(Destination::new("away", exporter.clone(), quick()));
    Pipeline::builder(Signal::Traces)
        .config(config(overflow))
        .destination(destination, lane.with_queue_bytes(BUDGET))
}

/// Offers a quarter more than the budget is, all of which is taken, and remembers what it was. The generator's data hardly repeats itself: a little less than
/// two thirds are left of it.
fn offer_too_much(pipeline: &Pipeline) -> Oracle {
    let (mut generator, mut oracle) = (Generator::new(7), Oracle::new());
    let intake = pipeline.intake();
    let mut offered = 0;
    while offered < BUDGET as usize * 5 / 4 {
        let request = generator.request(Signal::Traces, 10);
        oracle.expect(Signal::Traces, &request);
        offered += request.len();
        let taken = intake.offer(Chunk::from_valid(Signal::Traces, 10, request));
        assert_eq!(taken, Ok(()), "after {offered} bytes: {:?}", lane(pipeline));
    }
    oracle
}

/// The lane at a moment in which nothing is under way.
fn between_probes(pipeline: &Pipeline) -> LaneStatus {
    loop {
        let now = lane(pipeline);
        if now.in_flight_requests == 0 {
            return now;
        }
        std::thread::yield_now();
    }
}

fn assert_exact(exporter: &Away, mut oracle: Oracle) {
    for (_, bytes) in exporter.taken() {
        oracle.receive(Signal::Traces, &bytes);
    }
    oracle.assert_exact();
}

/// What an outage does with one way of sending: more is held than the budget could, and every item arrives as it was.
fn outlasts_an_outage(codec: Compression, build: impl Fn(Builder) -> Builder) -> Vec<Encoding> {
    let exporter = Away::new(codec);
    let pipeline =
        build(builder(&exporter, Overflow::Block(PATIENCE), LaneConfig::default())).build().unwrap();
    let oracle = offer_too_much(&pipeline);
    let during = between_probes(&pipeline);
    assert_eq!((during.ledger.delivered, during.refused_items), (0, 0));
    // One may be about to probe, and is charged twice.
    const INFLATED: u64 = 30 << 10;
    assert!(during.held_bytes <= BUDGET + INFLATED, "{during:?}");
    assert!(during.compressed_to_bytes < during.compressed_from_bytes * 3 / 4, "{during:?}");
    exporter.comes_back();
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    assert_conserved(&report.lanes[0]);
    assert_eq!(report.lanes[0].ledger.delivered, report.lanes[0].ledger.accepted);
    assert_exact(&exporter, oracle);
    exporter.taken().into_iter().map(|(encoding, _)| encoding).collect()
}

/// Guards the promise of the budget: in an outage it holds several times as much as it has bytes.
#[test]
fn an_outage_holds_more_than_the_budget() {
    let sent = outlasts_an_outage(Compression::None, |builder| builder);
    assert!(sent.iter().all(|encoding| *encoding == Encoding::Identity), "it is sent as it would have been");
    let sent = outlasts_an_outage(Compression::Gzip(1), |builder| builder);
    assert!(sent.iter().all(|encoding| *encoding == Encoding::Gzip));
}

/// Guards the budget after an outage: what is inflated to be sent is charged as what it is, and no more at once than has room, but for a few.
#[test]
fn the_end_of_an_outage_stays_within_the_budget() {
    const BATCHES: usize = 200;
    const SIZE: usize = 16 << 10;
    let pool = Arc::new(WorkerPool::new().unwrap());
    for workers in [false, true] {
        let exporter = Away::new(Compression::None);
        let lane_config = LaneConfig::default().with_adaptive(false).with_max_in_flight(100);
        let mut builder = builder(&exporter, Overflow::Block(PATIENCE), lane_config);
        if workers {
            builder = builder.worker_pool(Arc::clone(&pool));
        }
        let pipeline = builder.build().unwrap();
        let intake = pipeline.intake();
        for batch in 0..BATCHES {
            let chunk = Chunk::from_valid(Signal::Traces, 50, vec![batch as u8; SIZE].into());
            assert_eq!(intake.offer(chunk), Ok(()), "{:?}", lane(&pipeline));
        }
        exporter.holds_back();
        exporter.comes_back();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for answered in 0..BATCHES {
            // What has begun is not answered before the test has looked.
            runtime.block_on(exporter.begun(answered + 1));
            let now = lane(&pipeline);
            assert!(now.held_bytes <= BUDGET + 4 * SIZE as u64, "after {answered}: {now:?}");
            assert!(now.in_flight_requests <= 4 + BUDGET / SIZE as u64, "after {answered}: {now:?}");
            exporter.0.answers.add_permits(1);
        }
        let report = pipeline.shutdown(PATIENCE).unwrap();
        assert!(report.complete);
        assert_conserved(&report.lanes[0]);
        assert_eq!(exporter.taken().len(), BATCHES);
    }
}

/// Guards the budget when a destination that is back refuses what it was sent: what was inflated for that is kept as it was, small, and sent again.
#[test]
fn what_was_inflated_and_refused_is_kept_small() {
    let pool = Arc::new(WorkerPool::new().unwrap());
    // Large batches are inflated by the workers, if there are any.
    for (workers, size, batches, at_once) in
        [(false, 16 << 10, 100, 24), (false, 64 << 10, 25, 6), (true, 64 << 10, 25, 6)]
    {
        let exporter = Away::new(Compression::None);
        let lane_config = LaneConfig::default().with_adaptive(false).with_max_in_flight(100);
        let lane_config = lane_config.with_compress_held_above(0);
        let mut builder = builder(&exporter, Overflow::Block(PATIENCE), lane_config);
        if workers {
            builder = builder.worker_pool(Arc::clone(&pool));
        }
        let pipeline = builder.build().unwrap();
        let intake = pipeline.intake();
        for batch in 0..batches {
            let chunk = Chunk::from_valid(Signal::Traces, 50, vec![batch; size].into());
            assert_eq!(intake.offer(chunk), Ok(()), "{:?}", lane(&pipeline));
        }
        while between_probes(&pipeline).compressed_from_bytes < (usize::from(batches) * size) as u64 {
            std::thread::yield_now();
        }
        exporter.holds_back();
        exporter.0.up.store(true, Ordering::Relaxed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The first one probes.
        runtime.block_on(exporter.begun(1));
        exporter.0.answers.add_permits(1);
        runtime.block_on(exporter.begun(1 + at_once));
        let under_way = lane(&pipeline);
        assert!(under_way.held_bytes >= (at_once * size) as u64, "{under_way:?}");
        exporter.0.up.store(false, Ordering::Relaxed);
        exporter.0.answers.add_permits(1 << 20);
        let refused = between_probes(&pipeline);
        assert!(refused.held_bytes <= 4 * size as u64, "{refused:?}");
        exporter.comes_back();
        let report = pipeline.shutdown(PATIENCE).unwrap();
        assert!(report.complete);
        assert_conserved(&report.lanes[0]);
        let mut taken: Vec<_> = exporter.taken().into_iter().map(|(_, bytes)| bytes).collect();
        taken.sort();
        let sent: Vec<_> = (0..batches).map(|batch| vec![batch; size]).collect();
        assert!(taken == sent, "each once, as it was");
    }
}

/// Guards against compressing twice what is sent in the same codec.
#[test]
fn what_was_compressed_is_sent_as_it_is() {
    let sent = outlasts_an_outage(Compression::Zstd(1), |builder| builder);
    assert!(sent.iter().all(|encoding| *encoding == Encoding::Zstd));
}

/// Guards the same where worker threads compress.
#[test]
fn worker_threads_compress_what_waits() {
    let pool = Arc::new(WorkerPool::new().unwrap());
    for codec in [Compression::None, Compression::Gzip(1), Compression::Zstd(1)] {
        outlasts_an_outage(codec, |builder| builder.worker_pool(Arc::clone(&pool)));
    }
}

/// Guards batches that are compressed and too large: parts are made of what they were.
#[test]
fn what_was_compressed_can_be_divided() {
    for codec in [Compression::None, Compression::Gzip(1), Compression::Zstd(1)] {
        let exporter = Away::new(codec);
        let pipeline = builder(&exporter, Overflow::Block(PATIENCE), LaneConfig::default()).build().unwrap();
        let oracle = offer_too_much(&pipeline);
        exporter.0.limit.store(20 << 10, Ordering::Relaxed);
        exporter.comes_back();
        let report = pipeline.shutdown(PATIENCE).unwrap();
        assert!(report.complete && report.lanes[0].splits > 0);
        assert_conserved(&report.lanes[0]);
        assert_exact(&exporter, oracle);
    }
}

/// Guards the account where nothing helps: what no codec makes smaller is dropped from the oldest on, and each item is counted.
#[test]
fn what_does_not_compress_is_dropped_by_the_book() {
    let exporter = Away::new(Compression::None);
    let pipeline = builder(&exporter, Overflow::DropOldest, LaneConfig::default()).build().unwrap();
    let mut state = 1_u64;
    let mut noise = |len: usize| -> Vec<u8> {
        let byte = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        (0..len).map(byte).collect()
    };
    let intake = pipeline.intake();
    const CHUNKS: u64 = 200;
    for _ in 0..CHUNKS {
        intake.offer(Chunk::from_valid(Signal::Traces, 200, noise(16 << 10).into())).unwrap();
    }
    let during = lane(&pipeline);
    let dropped = during.ledger.dropped(aqueduct_metrics::DropReason::Budget);
    assert_eq!(during.ledger.accepted, CHUNKS * 200);
    assert_eq!(during.compressed_from_bytes, 0);
    assert!(during.held_bytes <= BUDGET && during.held_bytes > BUDGET / 2, "{during:?}");
    exporter.comes_back();
    let report = pipeline.shutdown(PATIENCE).unwrap();
    let ledger = &report.lanes[0].ledger;
    assert!(report.complete);
    assert_eq!(dropped, ledger.dropped_total());
    assert_eq!(ledger.delivered + dropped, ledger.accepted);
    assert_eq!(exporter.taken().len() as u64 * 200, ledger.delivered);
    assert_conserved(&report.lanes[0]);
}

/// Guards the switch: at 100 % nothing is compressed, and the budget is what it is.
#[test]
fn nothing_is_compressed_that_should_not_be() {
    let exporter = Away::new(Compression::None);
    let lane_config = LaneConfig::default().with_compress_held_above(100);
    let overflow = Overflow::Block(Duration::from_millis(1));
    let pipeline = builder(&exporter, overflow, lane_config).build().unwrap();
    let mut generator = Generator::new(7);
    let intake = pipeline.intake();
    let mut refused = 0;
    for _ in 0..100 {
        let request = generator.request(Signal::Traces, 100);
        refused += u64::from(intake.offer(Chunk::from_valid(Signal::Traces, 100, request)).is_err());
    }
    let during = lane(&pipeline);
    assert_eq!((during.compressed_from_bytes, during.refused_items), (0, refused * 100));
    assert!(refused > 0 && during.held_bytes <= BUDGET);
    exporter.comes_back();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
}
