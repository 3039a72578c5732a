//! What happens when there is no room.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{LaneConfig, Overflow, Pipeline, Priority, Refused, Worker};
use aqueduct_wire::{Chunk, Signal};
use tokio::sync::Notify;

use crate::scripted::{
    PATIENCE, Scripted, Step, assert_conserved, batches_of, chunk, destination, lane, numbers,
};

/// One request at a time, batches of one chunk, room for ten.
fn pipeline(exporter: &Scripted, overflow: Overflow, worker: &Arc<Worker>) -> Pipeline {
    let mut config = batches_of(1);
    config.overflow = overflow;
    Pipeline::builder(Signal::Traces)
        .config(config)
        .destination(
            destination("test", exporter),
            LaneConfig::default().with_queue_bytes(80).with_max_in_flight(1),
        )
        .worker(Arc::clone(worker))
        .build()
        .unwrap()
}

fn worker() -> Arc<Worker> {
    Arc::new(Worker::start("test").unwrap())
}

/// A destination that keeps its first request until it is told to go on.
fn waiting() -> (Scripted, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    (Scripted::new([Step::Wait(Arc::clone(&go))]), go)
}

/// Guards the order and the book: the oldest that wait go, what is under way stays.
#[test]
fn the_oldest_make_room() {
    let (exporter, go) = waiting();
    let pipeline = pipeline(&exporter, Overflow::DropOldest, &worker());
    let intake = pipeline.intake();
    intake.offer(chunk(0)).unwrap();
    exporter.wait_attempts(1);
    for number in 1..15 {
        intake.offer(chunk(number)).unwrap();
    }
    go.notify_one();
    let report = pipeline.shutdown(PATIENCE).unwrap();
    let ledger = &report.lanes[0].ledger;
    assert_eq!(numbers(&exporter.log()), [0].into_iter().chain(6..15).collect::<Vec<_>>());
    assert_eq!((ledger.accepted, ledger.dropped(DropReason::Budget), ledger.delivered), (15, 5, 10));
    assert_conserved(&report.lanes[0]);
}

/// Guards errors: they take the place of what is not one, and of nothing else.
#[test]
fn errors_take_the_place_of_the_rest() {
    let (exporter, go) = waiting();
    let pipeline = pipeline(&exporter, Overflow::KeepErrors, &worker());
    let intake = pipeline.intake();
    intake.offer(chunk(0)).unwrap();
    exporter.wait_attempts(1);
    for number in 1..10 {
        intake.offer(chunk(number)).unwrap();
    }
    assert!(matches!(intake.offer(chunk(10)), Err(Refused::Full { .. })));
    for number in 20..29 {
        intake.offer_prioritized(chunk(number), Priority::High).unwrap();
    }
    // Nothing is left that is worth less.
    assert!(matches!(intake.offer_prioritized(chunk(29), Priority::High), Err(Refused::Full { .. })));
    assert_eq!(lane(&pipeline).refused_items, 2);
    go.notify_one();
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!(numbers(&exporter.log()), [0].into_iter().chain(20..29).collect::<Vec<_>>());
    assert_eq!(report.lanes[0].ledger.dropped(DropReason::Budget), 9);
    assert_conserved(&report.lanes[0]);
}

/// Guards the same where both kinds may go: the oldest of the ordinary ones first, errors only for errors.
#[test]
fn ordinary_ones_go_before_errors() {
    let (exporter, go) = waiting();
    let pipeline = pipeline(&exporter, Overflow::DropOldest, &worker());
    let intake = pipeline.intake();
    intake.offer(chunk(0)).unwrap();
    exporter.wait_attempts(1);
    for number in 1..9 {
        intake.offer_prioritized(chunk(number), Priority::High).unwrap();
    }
    intake.offer(chunk(9)).unwrap();
    // It takes the place of the only ordinary one, and the next one that of itself.
    intake.offer_prioritized(chunk(10), Priority::High).unwrap();
    assert!(intake.offer(chunk(11)).is_err(), "an ordinary one takes no error's place");
    intake.offer_prioritized(chunk(12), Priority::High).unwrap();
    go.notify_one();
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!(numbers(&exporter.log()), [0].into_iter().chain(2..9).chain([10, 12]).collect::<Vec<_>>());
    assert_conserved(&report.lanes[0]);
}

/// Guards whoever waits for room: it is woken by it, and by nothing else before its time.
#[test]
fn a_thread_waits_for_room_and_no_longer_than_it_said() {
    let (exporter, go) = waiting();
    let pipeline = pipeline(&exporter, Overflow::Block(PATIENCE), &worker());
    let intake = pipeline.intake();
    intake.offer(chunk(0)).unwrap();
    exporter.wait_attempts(1);
    for number in 1..10 {
        intake.offer(chunk(number)).unwrap();
    }
    thread::scope(|scope| {
        let waiters: Vec<_> = (10..14)
            .map(|number| {
                let intake = intake.clone();
                scope.spawn(move || intake.offer(chunk(number)))
            })
            .collect();
        go.notify_one();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap() == Ok(())));
    });
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(numbers(&exporter.log()), (0..14).collect::<Vec<_>>());

    let (exporter, go) = waiting();
    let worker = worker();
    let patience = Duration::from_millis(30);
    let pipeline = Arc::new(self::pipeline(&exporter, Overflow::Block(patience), &worker));
    let intake = pipeline.intake();
    intake.offer(chunk(0)).unwrap();
    exporter.wait_attempts(1);
    (1..10).for_each(|number| intake.offer(chunk(number)).unwrap());
    let start = Instant::now();
    assert!(matches!(intake.offer(chunk(10)), Err(Refused::Full { .. })));
    assert!(start.elapsed() >= patience);
    // The thread that makes room does not wait for it.
    let (tell, told) = mpsc::channel();
    worker.spawn(async move { tell.send(intake.offer(chunk(11))).unwrap() }).unwrap();
    assert!(matches!(told.recv_timeout(PATIENCE).unwrap(), Err(Refused::Full { .. })));
    go.notify_one();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
}

/// Guards those who wait for room that never comes because the pipeline ends.
#[test]
fn whoever_waits_is_sent_away_at_shutdown() {
    let exporter = Scripted::new([Step::Hang]);
    let pipeline = pipeline(&exporter, Overflow::Block(PATIENCE), &worker());
    let intake = pipeline.intake();
    (0..10).for_each(|number| intake.offer(chunk(number)).unwrap());
    exporter.wait_attempts(1);
    let (tell, told) = mpsc::channel();
    let waiter = thread::spawn(move || tell.send(intake.offer(chunk(10))).unwrap());
    assert!(!pipeline.shutdown(Duration::from_millis(20)).unwrap().complete);
    assert_eq!(told.recv_timeout(PATIENCE / 2).unwrap(), Err(Refused::Closed));
    waiter.join().unwrap();
    assert_conserved(&lane(&pipeline));
}

/// Guards what is dropped: as much as is missing, and nothing if that would not do.
#[test]
fn no_more_is_dropped_than_is_missing() {
    let (exporter, go) = waiting();
    let pipeline = pipeline(&exporter, Overflow::DropOldest, &worker());
    let intake = pipeline.intake();
    intake.offer(sized(40)).unwrap();
    exporter.wait_attempts(1);
    (1..6).for_each(|number| intake.offer(chunk(number)).unwrap());
    // Forty bytes are under way, and stay; of the other forty all would have to go for this one, and they would not do.
    assert!(intake.offer(sized(48)).is_err());
    assert_eq!(lane(&pipeline).ledger.dropped_total(), 0);
    intake.offer(sized(16)).unwrap();
    assert_eq!(lane(&pipeline).ledger.dropped(DropReason::Budget), 2);
    go.notify_one();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_conserved(&lane(&pipeline));
}

fn sized(bytes: usize) -> Chunk {
    Chunk::from_valid(Signal::Traces, 1, vec![0; bytes].into())
}

/// Guards against evicting what the lane's thread is about to take: it goes on, with all of its permits.
#[test]
fn evicting_does_not_hold_up_the_lane() {
    let exporter = Scripted::default();
    let pipeline = pipeline(&exporter, Overflow::DropOldest, &worker());
    thread::scope(|scope| {
        for _ in 0..2 {
            let intake = pipeline.intake();
            scope.spawn(move || {
                (0..20_000).for_each(|number| {
                    let _ = intake.offer(chunk(number));
                })
            });
        }
    });
    let report = pipeline.flush(PATIENCE).unwrap();
    assert!(report.complete, "{report:?}");
    let ledger = &report.lanes[0].ledger;
    assert_eq!(ledger.delivered + ledger.dropped(DropReason::Budget), ledger.accepted);
    assert_conserved(&report.lanes[0]);
}

/// Guards a wait without an end: it is one.
#[test]
fn whoever_waits_for_ever_waits() {
    let (exporter, go) = waiting();
    let pipeline = pipeline(&exporter, Overflow::Block(Duration::MAX), &worker());
    let intake = pipeline.intake();
    (0..10).for_each(|number| intake.offer(chunk(number)).unwrap());
    exporter.wait_attempts(1);
    let waiter = thread::spawn(move || intake.offer(chunk(10)));
    go.notify_one();
    assert_eq!(waiter.join().unwrap(), Ok(()));
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
}
