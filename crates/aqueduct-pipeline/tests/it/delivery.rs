//! Batching and delivery without faults.

use std::time::Duration;

use aqueduct_pipeline::{LaneConfig, Pipeline, PipelineConfig, Refused};
use aqueduct_wire::{Chunk, Signal};
use bytes::Bytes;

use crate::scripted::{PATIENCE, Scripted, assert_conserved, chunk, destination, lane, numbers, pipeline};

/// Guards the main path: concatenation in order, one request per full batch, an exact ledger.
#[test]
fn full_batches_leave_as_one_request_with_the_bytes_in_order() {
    let exporter = Scripted::default();
    let pipeline = pipeline(&exporter, 4);
    let intake = pipeline.intake();
    for number in 0..10 {
        intake.offer(chunk(number)).unwrap();
    }
    let report = pipeline.flush(PATIENCE).unwrap();
    assert!(report.complete);
    let log = exporter.log();
    let mut sizes: Vec<_> = log.delivered.iter().map(|request| request.len() / 8).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 4, 4]);
    assert_eq!(numbers(&log), (0..10).collect::<Vec<_>>());
    for request in &log.delivered {
        assert!(request.chunks(8).is_sorted(), "concatenation keeps the order");
    }
    let lane = lane(&pipeline);
    assert_eq!((lane.ledger.accepted, lane.ledger.delivered), (10, 10));
    assert_conserved(&lane);
}

/// The inventory's trap: the timer fires once and never again. Nobody flushes here; only age seals.
#[test]
fn the_timer_fires_again_for_every_batch() {
    let exporter = Scripted::default();
    let mut config = PipelineConfig::default();
    config.batch.max_age = Duration::from_millis(1);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(config)
        .destination(destination("test", &exporter), LaneConfig::default())
        .build()
        .unwrap();
    let intake = pipeline.intake();
    for round in 0..50 {
        intake.offer(chunk(round)).unwrap();
        exporter.wait_attempts(round as usize + 1);
    }
    pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!(numbers(&exporter.log()), (0..50).collect::<Vec<_>>());
    assert_conserved(&lane(&pipeline));
}

/// Many threads, several shards: nothing lost, nothing twice, the ledger exact.
#[test]
fn many_threads_lose_nothing() {
    const THREADS: u64 = 4;
    const EACH: u64 = 20_000;
    let exporter = Scripted::default();
    let mut config = PipelineConfig::default();
    config.batch.max_items = 100;
    config.batch.max_age = Duration::from_millis(1);
    config.shards = 3;
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(config)
        .destination(destination("test", &exporter), LaneConfig::default())
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let intake = pipeline.intake();
            scope.spawn(move || {
                for number in 0..EACH {
                    let number = thread * EACH + number;
                    while intake.offer(chunk(number)).is_err() {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete, "{report}");
    assert_eq!(numbers(&exporter.log()), (0..THREADS * EACH).collect::<Vec<_>>());
    assert_conserved(&report.lanes[0]);
}

/// The limit on requests under way is both reached and kept.
#[test]
fn at_most_the_allowed_requests_are_under_way() {
    let exporter = Scripted::default();
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(crate::scripted::batches_of(1))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(3))
        .build()
        .unwrap();
    let intake = pipeline.intake();
    for number in 0..200 {
        intake.offer(chunk(number)).unwrap();
    }
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let log = exporter.log();
    assert_eq!(numbers(&log).len(), 200);
    assert!(log.most_at_once <= 3, "{}", log.most_at_once);
    assert!(log.most_at_once > 1, "requests never overlapped");
    assert_conserved(&lane(&pipeline));
}

/// An empty request is a success of nothing and makes no request.
#[test]
fn an_empty_chunk_is_accepted_and_not_sent() {
    let exporter = Scripted::default();
    let pipeline = pipeline(&exporter, 1);
    pipeline.intake().offer(Chunk::from_valid(Signal::Traces, 0, Bytes::new())).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(exporter.log().attempts, 0);
    assert_conserved(&lane(&pipeline));
}

/// A chunk of another signal would make a request that no server takes.
#[test]
fn a_chunk_of_another_signal_is_refused() {
    let exporter = Scripted::default();
    let pipeline = pipeline(&exporter, 1);
    let logs = Chunk::from_valid(Signal::Logs, 1, Bytes::from_static(b"x"));
    assert_eq!(pipeline.intake().offer(logs), Err(Refused::WrongSignal));
    assert_eq!(lane(&pipeline).ledger.accepted, 0);
}
