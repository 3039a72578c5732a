//! Failures: what is tried again, what is given up, and what it is counted as.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Destination, LaneConfig, Notice, Pipeline};
use aqueduct_transport::RetryPolicy;
use aqueduct_wire::Signal;

use crate::scripted::{
    PATIENCE, Scripted, Step, assert_conserved, batches_of, chunk, destination, lane, numbers, pipeline,
    quick, told_pipeline, wait_failure,
};

/// A retried batch arrives once, with the same bytes.
#[test]
fn retryable_failures_are_tried_again_until_they_pass() {
    let exporter = Scripted::new(vec![Step::Retry(None); 20]);
    let pipeline = pipeline(&exporter, 2);
    let intake = pipeline.intake();
    for number in 0..10 {
        intake.offer(chunk(number)).unwrap();
    }
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(numbers(&exporter.log()), (0..10).collect::<Vec<_>>());
    let lane = lane(&pipeline);
    assert_eq!(lane.ledger.delivered, 10);
    assert_eq!(lane.attempts, 25);
    assert_eq!(lane.retries, 20);
    assert_conserved(&lane);
}

/// The server's wish is a lower bound of the pause, for everybody.
#[test]
fn a_pause_that_the_server_asks_for_is_kept() {
    let pause = Duration::from_millis(80);
    let exporter = Scripted::new([Step::Retry(Some(pause))]);
    let (pipeline, told) = told_pipeline(&exporter, LaneConfig::default());
    let start = Instant::now();
    pipeline.intake().offer(chunk(1)).unwrap();
    wait_failure(&told);
    // A batch that comes during the pause waits as well.
    pipeline.intake().offer(chunk(2)).unwrap();
    exporter.wait_attempts(2);
    assert!(start.elapsed() >= pause, "{:?}", start.elapsed());
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_conserved(&lane(&pipeline));
}

/// Permanent refusals are not tried again, and counted by reason.
#[test]
fn permanent_failures_are_dropped_and_counted() {
    let exporter = Scripted::new([Step::Permanent, Step::TooLarge, Step::Reject(1)]);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(2))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    let intake = pipeline.intake();
    for number in 0..8 {
        intake.offer(chunk(number)).unwrap();
    }
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(lane.ledger.dropped(DropReason::Permanent), 2);
    assert_eq!(lane.ledger.dropped(DropReason::TooLarge), 2);
    assert_eq!(lane.ledger.rejected, 1);
    assert_eq!(lane.ledger.delivered, 3);
    assert_eq!(lane.retries, 0);
    assert_conserved(&lane);
}

/// A batch older than the limit is given up at its next failure, not before.
#[test]
fn a_batch_that_fails_past_its_age_is_given_up() {
    let exporter = Scripted::new(vec![Step::Retry(None); 1_000]);
    let mut policy: RetryPolicy = quick();
    policy.max_elapsed = Some(Duration::ZERO);
    let destination = Arc::new(Destination::new("test", exporter.clone(), policy));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination, LaneConfig::default())
        .build()
        .unwrap();
    pipeline.intake().offer(chunk(1)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(lane.ledger.dropped(DropReason::MaxAge), 1);
    assert_eq!(exporter.log().attempts, 1);
    assert_conserved(&lane);
}

/// A panicking exporter loses an attempt, not a batch, and is visible.
#[test]
fn an_exporter_that_panics_loses_nothing() {
    let exporter = Scripted::new([Step::Panic, Step::Panic]);
    let pipeline = pipeline(&exporter, 1);
    pipeline.intake().offer(chunk(7)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(numbers(&exporter.log()), [7]);
    let lane = lane(&pipeline);
    assert_eq!(lane.exporter_panics, 2);
    assert_conserved(&lane);
}

/// One line per cause, one for the recovery.
#[test]
fn an_outage_is_told_once_and_its_end_too() {
    let exporter = Scripted::new(vec![Step::Retry(None); 50]);
    let (pipeline, told) = told_pipeline(&exporter, LaneConfig::default());
    pipeline.intake().offer(chunk(1)).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    let told: Vec<Notice> = told.try_iter().collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(matches!(&told[0], Notice::Failing { cause, failures: 1, held: 1 } if cause.contains("refused")));
    assert!(matches!(told[1], Notice::Recovered { .. }));
}

/// Requests that fail together are one failure, and when the pause ends one request goes first: the others wait for
/// its answer.
#[test]
fn one_probe_goes_first_after_a_pause() {
    let pause = Step::Retry(Some(Duration::from_millis(30)));
    let script = vec![pause; 8].into_iter().chain([Step::Hang]);
    let exporter = Scripted::new(script);
    let pipeline = pipeline(&exporter, 1);
    let intake = pipeline.intake();
    for number in 0..8 {
        intake.offer(chunk(number)).unwrap();
    }
    exporter.wait_attempts(9);
    // The probe hangs. While the shutdown waits in vain, no other request may start.
    let report = pipeline.shutdown(Duration::from_millis(100)).unwrap();
    assert_eq!(exporter.log().attempts, 9);
    assert_eq!(report.lanes[0].ledger.dropped(DropReason::UnknownOutcome), 1);
    assert_eq!(report.lanes[0].ledger.dropped(DropReason::Shutdown), 7);
    assert_conserved(&report.lanes[0]);
}

/// A server that closes its connections now and then is no outage: what it refused unread is sent again at once, and
/// nobody is told. Refused again, it is a failure like any other.
#[test]
fn a_request_refused_unread_is_sent_again_without_a_pause() {
    let exporter = Scripted::new([Step::Refuse]);
    let (pipeline, told) = told_pipeline(&exporter, LaneConfig::default());
    pipeline.intake().offer(chunk(1)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(told.try_iter().count(), 0);
    assert_eq!(lane(&pipeline).retries, 1);

    let exporter = Scripted::new([Step::Refuse, Step::Refuse]);
    let (pipeline, told) = told_pipeline(&exporter, LaneConfig::default());
    pipeline.intake().offer(chunk(1)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(told.try_iter().count(), 2, "failing, and recovered");
    assert_conserved(&lane(&pipeline));
}

/// Guards what failed together and has nobody new behind it: a destination that is back gets it at once, though the budget of retries is used up.
#[test]
fn retries_alone_go_one_by_one() {
    let exporter = Scripted::new((0..32).map(|_| Step::Retry(None)));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination("test", &exporter), LaneConfig::default().with_adaptive(false))
        .build()
        .unwrap();
    let intake = pipeline.intake();
    (0..32).for_each(|number| intake.offer(chunk(number)).unwrap());
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(numbers(&exporter.log()), (0..32).collect::<Vec<_>>());
}
