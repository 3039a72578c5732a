//! An exporter that does what the test says, and what the tests share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use aqueduct_batch::BatchConfig;
use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{
    Attempt, Destination, Exporter, LaneConfig, LaneStatus, Notice, Pipeline, PipelineConfig,
};
use aqueduct_transport::{Failure, FailureKind, Outcome, Request, RetryPolicy};
use aqueduct_wire::{Chunk, Signal};
use bytes::Bytes;
use tokio::sync::Notify;

/// No test waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the exporter does with one attempt.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Deliver,
    Reject(u64),
    Retry(Option<Duration>),
    /// Refused unread, as by a server that closes its connection.
    Refuse,
    Permanent,
    TooLarge,
    /// Delivers when the test says so.
    Wait(Arc<Notify>),
    /// Never answers.
    Hang,
    Panic,
}

/// Follows a script, then delivers everything; but what the script would take, and is too large, is refused as that.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    script: Mutex<VecDeque<Step>>,
    log: Mutex<Log>,
    changed: Condvar,
    /// The largest request in bytes that is taken; 0 takes all.
    limit: AtomicUsize,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Log {
    /// Attempts that began.
    pub(crate) attempts: usize,
    /// The bytes of the requests that were delivered, in order.
    pub(crate) delivered: Vec<Vec<u8>>,
    /// The sizes of those that were refused as too large.
    pub(crate) too_large: Vec<usize>,
    /// Attempts under way at once, at most.
    pub(crate) most_at_once: usize,
    now: usize,
}

impl Scripted {
    pub(crate) fn new(script: impl IntoIterator<Item = Step>) -> Self {
        let scripted = Self::default();
        scripted.0.script.lock().unwrap().extend(script);
        scripted
    }

    /// From now on takes requests of at most so many bytes.
    pub(crate) fn limit(&self, bytes: usize) {
        self.0.limit.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn log(&self) -> Log {
        self.0.log.lock().unwrap().clone()
    }

    /// Blocks until this many attempts have begun.
    pub(crate) fn wait_attempts(&self, attempts: usize) {
        let log = self.0.log.lock().unwrap();
        let (log, timeout) =
            self.0.changed.wait_timeout_while(log, PATIENCE, |log| log.attempts < attempts).unwrap();
        assert!(!timeout.timed_out(), "only {} of {attempts} attempts were made", log.attempts);
    }

    fn step(&self, bytes: usize) -> Step {
        let step = self.0.script.lock().unwrap().pop_front().unwrap_or(Step::Deliver);
        let limit = self.0.limit.load(Ordering::Relaxed);
        match step {
            Step::Deliver | Step::Reject(_) if limit > 0 && bytes > limit => Step::TooLarge,
            step => step,
        }
    }
}

struct UnderWay(Arc<Inner>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Ok(mut log) = self.0.log.lock() {
            log.now -= 1;
        }
    }
}

impl Exporter for Scripted {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        Box::pin(async move {
            {
                let mut log = self.0.log.lock().unwrap();
                log.attempts += 1;
                log.now += 1;
                log.most_at_once = log.most_at_once.max(log.now);
            }
            let _under_way = UnderWay(Arc::clone(&self.0));
            self.0.changed.notify_all();
            // Lets the other attempts of the same burst begin.
            tokio::task::yield_now().await;
            let step = self.step(request.uncompressed_len());
            let delivered = || {
                let bytes = request.pieces().iter().flat_map(|piece| piece.to_vec()).collect();
                self.0.log.lock().unwrap().delivered.push(bytes);
            };
            match step {
                Step::Deliver => {
                    delivered();
                    Outcome::Delivered
                }
                Step::Wait(go) => {
                    go.notified().await;
                    delivered();
                    Outcome::Delivered
                }
                Step::Reject(rejected) => {
                    delivered();
                    Outcome::Partial { rejected, message: "some were bad".into() }
                }
                Step::Retry(after) => {
                    Outcome::Retry { after, failure: Failure::new(FailureKind::Connect, "refused") }
                }
                Step::Refuse => {
                    let failure = Failure::new(FailureKind::Refused, "going away");
                    Outcome::Retry { after: None, failure }
                }
                Step::Permanent => Outcome::Permanent(Failure::new(FailureKind::Http(400), "bad data")),
                Step::TooLarge => {
                    self.0.log.lock().unwrap().too_large.push(request.uncompressed_len());
                    Outcome::TooLarge(Failure::new(FailureKind::Http(413), "too large"))
                }
                Step::Hang => std::future::pending().await,
                Step::Panic => panic!("scripted"),
            }
        })
    }
}

/// A retry policy that does not keep a test waiting.
pub(crate) fn quick() -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    policy.initial = Duration::from_millis(1);
    policy.cap = Duration::from_millis(5);
    policy
}

pub(crate) fn destination(name: &str, exporter: &Scripted) -> Arc<Destination> {
    Arc::new(Destination::new(name, exporter.clone(), quick()))
}

/// Seals after `items` or, practically, never.
pub(crate) fn batches_of(items: u64) -> PipelineConfig {
    let mut batch = BatchConfig::default();
    batch.max_items = items;
    batch.max_age = Duration::from_secs(3_600);
    let mut config = PipelineConfig::default();
    config.batch = batch;
    config
}

pub(crate) fn pipeline(exporter: &Scripted, items_per_batch: u64) -> Pipeline {
    Pipeline::builder(Signal::Traces)
        .config(batches_of(items_per_batch))
        .destination(destination("test", exporter), LaneConfig::default())
        .build()
        .unwrap()
}

/// A pipeline of one-chunk batches and a receiver of its notices.
pub(crate) fn told_pipeline(exporter: &Scripted, lane: LaneConfig) -> (Pipeline, Receiver<Notice>) {
    let (tell, told) = mpsc::channel();
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination("backend", exporter), lane)
        .notices(move |_, _, notice| {
            let _ = tell.send(notice.clone());
        })
        .build()
        .unwrap();
    (pipeline, told)
}

/// Blocks until a failure was booked; the pause has begun by then.
pub(crate) fn wait_failure(told: &Receiver<Notice>) {
    assert!(matches!(told.recv_timeout(PATIENCE), Ok(Notice::Failing { .. })));
}

/// A chunk of one item and eight recognisable bytes.
pub(crate) fn chunk(number: u64) -> Chunk {
    Chunk::from_valid(Signal::Traces, 1, Bytes::copy_from_slice(&number.to_be_bytes()))
}

/// The numbers of the chunks that were delivered, sorted.
pub(crate) fn numbers(log: &Log) -> Vec<u64> {
    let bytes: Vec<u8> = log.delivered.concat();
    let mut numbers: Vec<u64> =
        bytes.chunks(8).map(|number| u64::from_be_bytes(number.try_into().unwrap())).collect();
    numbers.sort_unstable();
    numbers
}

/// The only lane of a pipeline.
pub(crate) fn lane(pipeline: &Pipeline) -> LaneStatus {
    pipeline.status().remove(0)
}

/// The law: what came in is settled or held, the two ways of counting what is held agree, nothing leaked, and at rest
/// the budget is whole again.
pub(crate) fn assert_conserved(lane: &LaneStatus) {
    let ledger = &lane.ledger;
    assert_eq!(ledger.held(), lane.held_items(), "the ledger and the walk disagree: {lane:?}");
    assert_eq!(ledger.dropped(DropReason::Leaked), 0, "receipts leaked: {lane:?}");
    if lane.held_items() == 0 {
        assert_eq!(lane.held_bytes, 0, "the budget was not given back: {lane:?}");
    }
}
