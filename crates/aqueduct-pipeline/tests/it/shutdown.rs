//! Shutdown and flush: always in time, always with an account.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Destination, LaneConfig, Pipeline, Refused, WaitError, Worker};
use aqueduct_transport::{Jitter, RetryPolicy};
use aqueduct_wire::Signal;
use tokio::sync::Notify;

use crate::scripted::{
    PATIENCE, Scripted, Step, assert_conserved, batches_of, chunk, destination, lane, numbers, pipeline,
    wait_failure,
};

/// The drain sends open batches too, and refuses what comes later.
#[test]
fn shutdown_delivers_what_is_held_and_refuses_what_comes_later() {
    let exporter = Scripted::default();
    let pipeline = pipeline(&exporter, 1_000);
    let intake = pipeline.intake();
    for number in 0..10 {
        intake.offer(chunk(number)).unwrap();
    }
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    assert_eq!(numbers(&exporter.log()), (0..10).collect::<Vec<_>>());
    assert_eq!(intake.offer(chunk(11)), Err(Refused::Closed));
    assert_conserved(&report.lanes[0]);
    // A second call has nothing to do.
    assert!(pipeline.shutdown(Duration::ZERO).unwrap().complete);
}

/// A destination that never answers cannot hold the shutdown up, and its items are counted by what is known of them.
#[test]
fn shutdown_returns_in_time_from_a_destination_that_hangs() {
    let exporter = Scripted::new(vec![Step::Hang; 8]);
    let pipeline = pipeline(&exporter, 1);
    let intake = pipeline.intake();
    for number in 0..10 {
        intake.offer(chunk(number)).unwrap();
    }
    exporter.wait_attempts(8);
    let start = Instant::now();
    let report = pipeline.shutdown(Duration::from_millis(50)).unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(!report.complete);
    let ledger = &report.lanes[0].ledger;
    assert_eq!(ledger.dropped(DropReason::UnknownOutcome), 8);
    assert_eq!(ledger.dropped(DropReason::Shutdown), 2);
    assert_conserved(&report.lanes[0]);
}

/// A flush that cannot finish says so and drops nothing.
#[test]
fn a_flush_that_runs_out_of_time_keeps_everything() {
    let exporter = Scripted::new([Step::Hang]);
    let pipeline = pipeline(&exporter, 1);
    pipeline.intake().offer(chunk(1)).unwrap();
    let report = pipeline.flush(Duration::from_millis(20)).unwrap();
    assert!(!report.complete);
    assert_eq!(report.lanes[0].ledger.held(), 1);
    assert_conserved(&lane(&pipeline));
    pipeline.shutdown(Duration::ZERO).unwrap();
}

/// From inside any runtime of the caller: blocking there cannot starve the pipeline, which has its own thread.
#[test]
fn flushing_inside_a_single_threaded_runtime_does_not_hang() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let exporter = Scripted::default();
        let pipeline = pipeline(&exporter, 1_000);
        pipeline.intake().offer(chunk(1)).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        drop(pipeline);
        assert_eq!(exporter.log().delivered.len(), 1);
    });
}

/// Dropping the handle is a shutdown.
#[test]
fn dropping_a_pipeline_delivers_what_it_holds() {
    let exporter = Scripted::default();
    let dropped = pipeline(&exporter, 1_000);
    dropped.intake().offer(chunk(1)).unwrap();
    drop(dropped);
    assert_eq!(numbers(&exporter.log()), [1]);
}

/// On its own worker a pipeline would wait for itself: it says so instead.
#[test]
fn waiting_on_the_own_worker_is_refused() {
    let exporter = Scripted::default();
    let worker = Arc::new(Worker::start("shared").unwrap());
    let pipeline = Arc::new(
        Pipeline::builder(Signal::Traces)
            .config(batches_of(10))
            .destination(destination("test", &exporter), LaneConfig::default())
            .worker(Arc::clone(&worker))
            .build()
            .unwrap(),
    );
    let (tell, told) = mpsc::channel();
    let inside = Arc::clone(&pipeline);
    worker
        .spawn(async move {
            let _ = tell.send((inside.flush(PATIENCE).err(), inside.shutdown(PATIENCE).err()));
        })
        .unwrap();
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap(),
        (Some(WaitError::WouldDeadlock), Some(WaitError::WouldDeadlock))
    );
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
}

/// Guards the lane against its operator: a handler of notices that panics costs nothing but its notice.
#[test]
fn a_panic_on_the_worker_is_survived_and_counted() {
    let exporter = Scripted::new([Step::Permanent, Step::Permanent]);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(1))
        .notices(move |_, _, _| {
            if counted.fetch_add(1, Ordering::Relaxed) == 0 {
                panic!("an operator's mistake");
            }
        })
        .build()
        .unwrap();
    let intake = pipeline.intake();
    for number in 0..10 {
        intake.offer(chunk(number)).unwrap();
    }
    let report = pipeline.shutdown(PATIENCE).unwrap();
    let lane = &report.lanes[0];
    assert!(report.complete);
    assert_eq!((lane.ledger.delivered, lane.ledger.dropped(DropReason::Permanent)), (8, 2));
    assert_eq!((lane.ledger.held(), lane.held_items(), lane.held_bytes), (0, 0, 0));
    assert_eq!(lane.restarts, 1);
}

/// Guards waiting without a thread: on a runtime of the user's, on none, and on the worker itself, where the other form would wait for itself.
#[test]
fn flushing_waits_on_any_executor() {
    let release = Arc::new(Notify::new());
    let exporter = Scripted::new([Step::Wait(Arc::clone(&release)), Step::Hang]);
    let worker = Arc::new(Worker::start("own").unwrap());
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(10))
        .destination(destination("test", &exporter), LaneConfig::default())
        .worker(Arc::clone(&worker))
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    pipeline.intake().offer(chunk(1)).unwrap();
    // Neither I/O nor time on that runtime: the pipeline has its own.
    let flushed = runtime.block_on(async {
        let flush = pipeline.flush_async(PATIENCE);
        exporter.wait_attempts(1);
        release.notify_one();
        flush.await
    });
    assert!(flushed.unwrap().complete);
    pipeline.intake().offer(chunk(2)).unwrap();
    let (tell, told) = mpsc::channel();
    let flush = pipeline.flush_async(Duration::from_millis(20));
    worker
        .spawn(async move {
            let _ = tell.send(flush.await.unwrap());
        })
        .unwrap();
    let report = told.recv_timeout(PATIENCE).unwrap();
    assert!(!report.complete);
    assert_eq!(report.lanes[0].held_items(), 1);
    assert!(!pipeline.shutdown(Duration::ZERO).unwrap().complete);
}

/// Guards the end of an outage at the end of a program: nobody sleeps through the drain because of a pause that was computed before. But what the destination
/// demands is kept.
#[test]
fn a_drain_does_not_wait_for_the_end_of_a_pause() {
    let mut patient = RetryPolicy::default();
    patient.initial = Duration::from_secs(3_000);
    patient.cap = patient.initial;
    patient.jitter = Jitter::None;
    for (hint, complete) in [(None, true), (Some(Duration::from_secs(100)), false)] {
        let exporter = Scripted::new([Step::Retry(hint)]);
        let to = Arc::new(Destination::new("test", exporter.clone(), patient.clone()));
        let (tell, told) = mpsc::channel();
        let pipeline = Pipeline::builder(Signal::Traces)
            .config(batches_of(1))
            .destination(to, LaneConfig::default())
            .notices(move |_, _, notice| {
                let _ = tell.send(notice.clone());
            })
            .build()
            .unwrap();
        pipeline.intake().offer(chunk(1)).unwrap();
        wait_failure(&told);
        let deadline = if complete { PATIENCE } else { Duration::from_millis(50) };
        assert_eq!(pipeline.shutdown(deadline).unwrap().complete, complete);
    }
}

/// Guards room: a destination that is away is looked for more often when there is little left.
#[test]
fn a_full_budget_shortens_pauses() {
    let mut patient = RetryPolicy::default();
    patient.initial = Duration::from_secs(3_000);
    patient.cap = patient.initial;
    patient.jitter = Jitter::None;
    let go = Arc::new(Notify::new());
    let exporter = Scripted::new([Step::Wait(Arc::clone(&go)), Step::Retry(None)]);
    let to = Arc::new(Destination::new("test", exporter.clone(), patient));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(to, LaneConfig::default().with_queue_bytes(80).with_max_in_flight(1))
        .build()
        .unwrap();
    let intake = pipeline.intake();
    (0..8).for_each(|number| intake.offer(chunk(number)).unwrap());
    exporter.wait_attempts(1);
    go.notify_one();
    exporter.wait_attempts(2);
    // It fails with seven of ten places taken. Without regard to that the next attempt were in fifty minutes.
    exporter.wait_attempts(3);
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
}

/// Guards those who wait while a handler of notices panics: what has settled then is told to them all the same.
#[test]
fn a_flush_hears_of_the_end_after_a_panic() {
    let exporter = Scripted::new([Step::Permanent]);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination("test", &exporter), LaneConfig::default())
        .notices(|_, _, _| panic!("an operator's mistake"))
        .build()
        .unwrap();
    let start = Instant::now();
    pipeline.intake().offer(chunk(1)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert!(start.elapsed() < PATIENCE / 2, "nobody told");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
}
