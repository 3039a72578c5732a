//! Settings that change while the pipeline runs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_exec::{WorkerPool, WorkerPoolConfig};
use aqueduct_pipeline::{Breaker, Destination, Knob, LaneConfig, Parameters, Pipeline, Refused};
use aqueduct_transport::{Client, ClientConfig, Compression, RetryPolicy};
use aqueduct_wire::Signal;
use tokio::sync::Notify;

use crate::scripted::{
    PATIENCE, Scripted, Step, batches_of, chunk, destination, lane, numbers, told_pipeline, wait_failure,
};

fn parameters(set: impl FnOnce(&mut Parameters)) -> Parameters {
    let mut parameters = Parameters::default();
    set(&mut parameters);
    parameters
}

/// Guards a batch that is open when the bounds change: smaller ones seal it, a nearer age is kept.
#[test]
fn open_batches_follow_new_bounds() {
    let exporter = Scripted::default();
    let pipeline = crate::scripted::pipeline(&exporter, 1_000);
    let intake = pipeline.intake();
    (0..5).for_each(|number| intake.offer(chunk(number)).unwrap());
    let applied = pipeline.apply(&parameters(|p| p.batch_items = Some(3)));
    assert_eq!(applied.changes.len(), 1);
    assert_eq!((applied.changes[0].from.as_str(), applied.changes[0].to.as_str()), ("1000", "3"));
    exporter.wait_attempts(1);
    intake.offer(chunk(5)).unwrap();
    let applied = pipeline.apply(&parameters(|p| p.batch_delay = Some(Duration::from_millis(1))));
    assert_eq!(applied.changes[0].knob, Knob::BatchDelay);
    exporter.wait_attempts(2);
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(numbers(&exporter.log()), (0..6).collect::<Vec<_>>());
}

/// Guards the number of requests under way, up and down.
#[test]
fn the_number_of_requests_changes() {
    let go: Vec<_> = (0..4).map(|_| Arc::new(Notify::new())).collect();
    let exporter = Scripted::new(go.iter().map(|go| Step::Wait(Arc::clone(go))));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(
            destination("test", &exporter),
            LaneConfig::default().with_max_in_flight(1).with_adaptive(false),
        )
        .build()
        .unwrap();
    let intake = pipeline.intake();
    (0..4).for_each(|number| intake.offer(chunk(number)).unwrap());
    exporter.wait_attempts(1);
    pipeline.apply(&parameters(|p| p.max_in_flight = Some(3)));
    exporter.wait_attempts(3);
    assert_eq!(exporter.log().most_at_once, 3);
    pipeline.apply(&parameters(|p| p.max_in_flight = Some(1)));
    go.iter().for_each(|go| go.notify_one());
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(exporter.log().most_at_once, 3);
}

/// Guards the budget: more lets in at once, less drops nothing.
#[test]
fn the_budget_changes() {
    let exporter = Scripted::new([Step::Retry(Some(Duration::from_millis(200)))]);
    let (pipeline, told) = told_pipeline(&exporter, LaneConfig::default().with_queue_bytes(16));
    let intake = pipeline.intake();
    intake.offer(chunk(0)).unwrap();
    wait_failure(&told);
    intake.offer(chunk(1)).unwrap();
    assert!(matches!(intake.offer(chunk(2)), Err(Refused::Full { .. })));
    pipeline.apply(&parameters(|p| p.queue_bytes = Some(24)));
    intake.offer(chunk(2)).unwrap();
    let shrunk = pipeline.apply(&parameters(|p| p.queue_bytes = Some(8)));
    assert_eq!(shrunk.changes[0].destination.as_deref(), Some("backend"));
    let held = lane(&pipeline);
    assert_eq!((held.held_bytes, held.queue_bytes), (24, 8));
    assert!(matches!(intake.offer(chunk(3)), Err(Refused::Full { .. })));
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(numbers(&exporter.log()), [0, 1, 2]);
}

/// Guards the rest: the codec of the client, the threads of the pool; and that nonsense is refused by itself.
#[test]
fn what_makes_no_sense_is_refused_and_the_rest_applied() {
    let client = Arc::new(Client::new(ClientConfig::default()).unwrap());
    let pool = WorkerPoolConfig::default().with_threads(NonZeroUsize::MIN);
    let pool: Arc<WorkerPool> =
        Arc::new(pool.with_max_threads(NonZeroUsize::new(2).unwrap()).build().unwrap());
    let to = Destination::new("client", Arc::clone(&client), RetryPolicy::default());
    let pipeline = Pipeline::builder(Signal::Traces)
        .destination(Arc::new(to), LaneConfig::default())
        .worker_pool(Arc::clone(&pool))
        .build()
        .unwrap();
    let applied = pipeline.apply(&parameters(|p| {
        p.batch_items = Some(0);
        p.max_in_flight = Some(0);
        p.connections = Some(2);
        p.compression = Some(Compression::Gzip(1));
        p.worker_threads = Some(2);
    }));
    let refused: Vec<_> = applied.not_applied.iter().map(|refused| refused.knob).collect();
    let changed: Vec<_> = applied.changes.iter().map(|change| change.knob).collect();
    assert_eq!(refused, [Knob::BatchItems, Knob::MaxInFlight]);
    assert_eq!(changed, [Knob::Connections, Knob::Compression, Knob::WorkerThreads]);
    assert_eq!((client.codec(), pool.stats().threads), (Compression::Gzip(1), 2));
    assert_eq!(client.max_connections(), 2);
    let again = pipeline.apply(&parameters(|p| p.compression = Some(Compression::Gzip(1))));
    assert!(again.changes.is_empty() && again.not_applied.is_empty(), "nothing to change");
    let applied = pipeline.apply(&parameters(|p| {
        p.compression = Some(Compression::Gzip(77));
        p.worker_threads = Some(0);
    }));
    assert_eq!(applied.not_applied.len(), 2);
    assert!(applied.not_applied[0].reason.contains("level"), "{applied:?}");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
}

/// Guards the glance: what an operator is told is what is.
#[test]
fn health_tells_what_is() {
    let exporter =
        Scripted::new([Step::Deliver, Step::Permanent, Step::Retry(Some(Duration::from_secs(100)))]);
    let (pipeline, told) =
        told_pipeline(&exporter, LaneConfig::default().with_queue_bytes(80).with_max_in_flight(1));
    let intake = pipeline.intake();
    assert!(pipeline.health().is_healthy());
    for number in 0..2 {
        intake.offer(chunk(number)).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
    }
    told.recv_timeout(PATIENCE).unwrap();
    intake.offer(chunk(2)).unwrap();
    wait_failure(&told);
    let health = pipeline.health();
    let lane = &health.lanes[0];
    assert!(!health.is_healthy());
    assert!(matches!(lane.breaker, Breaker::Open(left) if left > Duration::from_secs(90)), "{lane:?}");
    assert_eq!((lane.delivered, lane.held, lane.queue_fill), (1, 1, 0.1));
    assert_eq!(lane.dropped, [(aqueduct_metrics::DropReason::Permanent, 1)]);
    assert!(lane.last_success.is_some());
    let text = health.to_string();
    for says in ["traces to backend: paused for", "1 delivered", "1 held (10 % of the budget)", "refused"] {
        assert!(text.contains(says), "{says:?} in {text}");
    }
    pipeline.shutdown(Duration::ZERO).unwrap();
}
