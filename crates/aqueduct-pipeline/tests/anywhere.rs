//! Flushing and shutting down from wherever a program may be, whatever the destination does: always in time, and with a destination that answers, complete.
//!
//! A program of its own, because a panic hook is one for the whole process.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline, Report};
use aqueduct_transport::{Failure, FailureKind, Outcome, Request, RetryPolicy};
use aqueduct_wire::{Chunk, Signal};
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

/// For a destination that answers. No test waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// For one that does not.
const SHORT: Duration = Duration::from_millis(30);
const ITEMS: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Collector {
    Healthy,
    Refusing,
    Hanging,
}

impl Exporter for Collector {
    fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> {
        Box::pin(async move {
            match self {
                Collector::Healthy => Outcome::Delivered,
                Collector::Refusing => {
                    Outcome::Retry { after: None, failure: Failure::new(FailureKind::Connect, "refused") }
                }
                Collector::Hanging => std::future::pending().await,
            }
        })
    }
}

impl Collector {
    const ALL: [Collector; 3] = [Collector::Healthy, Collector::Refusing, Collector::Hanging];

    fn deadline(self) -> Duration {
        if self == Collector::Healthy { PATIENCE } else { SHORT }
    }

    /// A pipeline that holds ten items.
    fn pipeline(self) -> Pipeline {
        let destination = Arc::new(Destination::new("test", self, RetryPolicy::default()));
        let pipeline = Pipeline::builder(Signal::Traces)
            .destination(destination, LaneConfig::default())
            .build()
            .expect("valid");
        let intake = pipeline.intake();
        for _ in 0..ITEMS {
            let chunk = Chunk::from_valid(Signal::Traces, 1, Bytes::from_static(b"\x0a\x00"));
            intake.offer(chunk).expect("there is room");
        }
        pipeline
    }

    /// Holds a flush and a shutdown against what they promise.
    fn check(self, pipeline: &Pipeline) {
        let start = Instant::now();
        let flushed = pipeline.flush(self.deadline()).expect("not on the worker");
        let shut = pipeline.shutdown(self.deadline()).expect("not on the worker");
        assert!(start.elapsed() < PATIENCE, "{self:?}");
        self.judge(&flushed, &shut);
    }

    fn judge(self, flushed: &Report, shut: &Report) {
        let healthy = self == Collector::Healthy;
        assert_eq!((flushed.complete, shut.complete), (healthy, healthy), "{self:?}");
        let ledger = &shut.lanes[0].ledger;
        let given_up = ledger.dropped(DropReason::Shutdown) + ledger.dropped(DropReason::UnknownOutcome);
        assert_eq!((ledger.accepted, ledger.held()), (ITEMS, 0), "{self:?}");
        assert_eq!((ledger.delivered, given_up), if healthy { (ITEMS, 0) } else { (0, ITEMS) }, "{self:?}");
        let held = flushed.lanes[0].held_items();
        assert_eq!(held, if healthy { 0 } else { ITEMS }, "the report says what is still held: {self:?}");
    }
}

fn runtimes() -> Vec<(&'static str, Runtime)> {
    let multi =
        |threads| Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("threads");
    let current = Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Without I/O and time, which are none of ours.
    let bare = Builder::new_current_thread().build().expect("a runtime");
    vec![
        ("bare", bare),
        ("current_thread", current),
        ("multi_thread(1)", multi(1)),
        ("multi_thread(2)", multi(2)),
    ]
}

/// Guards programs without a runtime.
#[test]
fn without_a_runtime() {
    for collector in Collector::ALL {
        collector.check(&collector.pipeline());
    }
}

/// Guards the oldest complaint there is: an exporter that waits for the very runtime on which its caller waits for it.
#[test]
fn inside_any_runtime() {
    for (name, runtime) in runtimes() {
        for collector in Collector::ALL {
            println!("{name} {collector:?}");
            runtime.block_on(async { collector.check(&collector.pipeline()) });
            let task = async move {
                // On the only thread that there is, for two of the runtimes.
                collector.check(&collector.pipeline());
            };
            runtime.block_on(async { tokio::spawn(task).await.expect("it holds") });
            let waiting = async {
                let pipeline = collector.pipeline();
                let flushed = pipeline.flush_async(collector.deadline()).await.expect("the worker lives");
                let shut = pipeline.shutdown(collector.deadline()).expect("not on the worker");
                collector.judge(&flushed, &shut);
            };
            runtime.block_on(waiting);
        }
    }
}

/// Guards the end of a program: what is dropped there is shut down first, inside a runtime or not.
#[test]
fn from_a_destructor() {
    for (_, runtime) in runtimes() {
        let pipeline = Collector::Healthy.pipeline();
        let intake = pipeline.intake();
        runtime.block_on(async { drop(pipeline) });
        assert!(intake.offer(Chunk::from_valid(Signal::Traces, 0, Bytes::from_static(b"\x0a\x00"))).is_err());
    }
}

/// Guards the last words of a program: a panic hook flushes, on the thread that panics.
#[test]
fn from_a_panic_hook() {
    let pipelines: Arc<Mutex<Vec<(Collector, Pipeline)>>> = Arc::default();
    let seen = Arc::clone(&pipelines);
    panic::set_hook(Box::new(move |_| {
        if thread::current().name() == Some("panics") {
            let (collector, pipeline) = seen.lock().expect("not poisoned").pop().expect("one for each panic");
            collector.check(&pipeline);
        }
    }));
    let panics = || {
        for collector in Collector::ALL {
            pipelines.lock().expect("not poisoned").push((collector, collector.pipeline()));
            assert!(panic::catch_unwind(AssertUnwindSafe(|| panic!("as a program may"))).is_err());
        }
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("panics".to_owned()).spawn_scoped(scope, || {
            panics();
            for (_, runtime) in runtimes() {
                runtime.block_on(async { panics() });
            }
        });
        thread.expect("a thread").join().expect("each panic was caught");
    });
    let _ = panic::take_hook();
    assert!(pipelines.lock().expect("not poisoned").is_empty(), "the hook ran each time");
}
