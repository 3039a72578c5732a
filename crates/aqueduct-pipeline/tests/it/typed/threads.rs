//! Several threads at once: some push, another flushes, shuts down, or waits for room.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_pipeline::{Destination, LaneConfig, Overflow, Pipeline, Refused};
use aqueduct_wire::Signal;

use super::{Numbered, assert_delivered, assert_over, build_with, intake, numbered, sized};
use crate::scripted::{PATIENCE, Scripted, Step, batches_of, lane, quick};

/// Four threads push while another one flushes, and then shuts down beneath them: what was taken is delivered once and whole, what was refused is
/// not there, and the ledger says so.
#[test]
fn nothing_is_lost_between_pushes_flushes_and_a_shutdown() {
    for round in 0..if cfg!(debug_assertions) { 10 } else { 40 } {
        let exporter = Scripted::default();
        let mut config = sized(64, 1_500);
        config.shards = 1 + round % 3;
        config.batch = config.batch.with_max_age(Duration::from_micros(300));
        // So little that the threads cannot run far ahead of the pipeline's.
        let pipeline = build_with(&exporter, config, LaneConfig::default().with_queue_bytes(100_000));
        let intake = intake(&pipeline);
        let under_way = AtomicUsize::new(0);
        let mut complete = Vec::new();
        let taken: Vec<Numbered> = thread::scope(|threads| {
            let push = |thread: u64| {
                let mut taken = Vec::new();
                for number in 0.. {
                    let number = thread << 32 | number;
                    let span = Numbered { number, padding: (number % 90) as usize };
                    match intake.push(&span) {
                        Ok(()) => taken.push(span),
                        Err(Refused::Full { .. }) => thread::yield_now(),
                        Err(refused) => {
                            assert_eq!(refused, Refused::Closed);
                            return taken;
                        }
                    }
                    under_way.fetch_add(1, Ordering::Relaxed);
                }
                taken
            };
            let pushing: Vec<_> = (0..4).map(|thread| threads.spawn(move || push(thread))).collect();
            for flushes in 1..5 {
                while under_way.load(Ordering::Relaxed) < 500 * flushes {
                    thread::yield_now();
                }
                complete.push(pipeline.flush(PATIENCE).unwrap().complete);
            }
            complete.push(pipeline.shutdown(PATIENCE).unwrap().complete);
            pushing.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(complete, [true; 5]);
        let lane = lane(&pipeline);
        assert_eq!(lane.ledger.accepted, taken.len() as u64);
        assert_eq!(lane.ledger.delivered, taken.len() as u64);
        assert_delivered(&exporter, taken);
        assert_over(&lane);
    }
}

/// Guards a flush: what a thread has pushed before it is delivered after it, while others are pushing into the same slots.
#[test]
fn a_flush_delivers_what_was_pushed_before() {
    let exporter = Scripted::default();
    let lane_config = LaneConfig::default().with_queue_bytes(100_000);
    let mut config = batches_of(1_000_000);
    // Or a full budget would stay so between two flushes.
    config.batch = config.batch.with_max_age(Duration::from_millis(1));
    let pipeline = build_with(&exporter, config, lane_config);
    let intake = intake(&pipeline);
    let stop = AtomicBool::new(false);
    let taken = AtomicUsize::new(0);
    let mut missing = Vec::new();
    thread::scope(|threads| {
        // More threads than slots on a small machine, so that some share one.
        for _ in 0..6 {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    match intake.push(&numbered(1)) {
                        Ok(()) => _ = taken.fetch_add(1, Ordering::SeqCst),
                        Err(_) => thread::yield_now(),
                    }
                }
            });
        }
        for round in 1..21 {
            while taken.load(Ordering::SeqCst) < 50 * round {
                thread::yield_now();
            }
            let before = taken.load(Ordering::SeqCst) as u64;
            let report = pipeline.flush(PATIENCE).unwrap();
            missing.push((report.complete, before.saturating_sub(report.lanes[0].ledger.delivered)));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(missing, [(true, 0); 20]);
    assert!(taken.load(Ordering::SeqCst) > 0);
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(lane(&pipeline).ledger.delivered, taken.load(Ordering::SeqCst) as u64);
    assert_over(&lane(&pipeline));
}

/// Guards the end of a program from a thread that waits for room: it waits where it is in nobody's way, and what can be delivered is.
#[test]
fn who_waits_for_room_holds_up_no_shutdown() {
    let exporter = Scripted::new([Step::Retry(None)]);
    let mut patient = quick();
    patient.initial = Duration::from_secs(3_000);
    patient.cap = patient.initial;
    let mut config = sized(1, 1024);
    config.overflow = Overflow::Block(PATIENCE);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(config)
        .destination(
            Arc::new(Destination::new("test", exporter.clone(), patient)),
            LaneConfig::default().with_queue_bytes(1024),
        )
        .build()
        .unwrap();
    let spans = intake(&pipeline);
    spans.push(&numbered(1)).unwrap();
    exporter.wait_attempts(1);
    let (tell, told) = mpsc::channel();
    thread::scope(|threads| {
        threads.spawn(|| {
            tell.send(()).unwrap();
            // Room comes with the drain, and with it the end.
            let _ = spans.push(&numbered(2));
        });
        told.recv().unwrap();
        let start = Instant::now();
        assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
        assert!(start.elapsed() < PATIENCE / 2);
    });
    assert_over(&lane(&pipeline));
}
