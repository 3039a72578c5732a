//! Where the bytes of batches live, and which threads work on them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_exec::{WorkerPool, WorkerPoolConfig};
use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline, Worker};
use aqueduct_transport::{Outcome, Request};
use aqueduct_wire::{Chunk, Merged, Signal};

use crate::scripted::{PATIENCE, Scripted, Step, batches_of, chunk, destination, lane, quick, wait_failure};

/// Delivers everything, and does in `prepare` what the test says.
struct Preparing<F>(F);

impl<F: Fn(&Merged) + Send + Sync + 'static> Exporter for Preparing<F> {
    fn prepare(&self, batch: &Merged) -> Request {
        (self.0)(batch);
        Request::plain(batch)
    }

    fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> {
        Box::pin(async { Outcome::Delivered })
    }
}

fn preparing(prepare: impl Fn(&Merged) + Send + Sync + 'static) -> Arc<Destination> {
    Arc::new(Destination::new("preparing", Preparing(prepare), quick()))
}

/// A destination that tells the names of the threads it prepares on.
fn telling() -> (Arc<Destination>, Receiver<String>) {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let prepare = move |_: &Merged| {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        tell.lock().unwrap().send(name).unwrap();
    };
    (preparing(prepare), told)
}

fn workers() -> WorkerPool {
    WorkerPoolConfig::default().with_name("work").build().unwrap()
}

/// One item of so many bytes.
fn sized(bytes: usize) -> Chunk {
    Chunk::from_valid(Signal::Traces, 1, vec![0; bytes].into())
}

/// Guards the threads: what is large goes to the workers, what is small is not worth the way; and when the workers have gone, nothing is left lying.
#[test]
fn large_batches_are_prepared_by_the_workers() {
    let pool = workers();
    let (destination, told) = telling();
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination, LaneConfig::default())
        .worker(Arc::new(Worker::start("pipe").unwrap()))
        .offload(pool.spawner())
        .build()
        .unwrap();
    let prepared_on = |chunk| {
        pipeline.intake().offer(chunk).unwrap();
        told.recv_timeout(PATIENCE).unwrap()
    };
    assert!(prepared_on(sized(100_000)).starts_with("work"));
    assert_eq!(prepared_on(sized(1_000)), "pipe");
    drop(pool);
    assert_eq!(prepared_on(sized(100_000)), "pipe");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(lane(&pipeline).ledger.delivered, 3);
}

/// Guards the other lanes: one pipeline compresses, and does not come to an end, and another one on the same thread delivers.
#[test]
fn a_slow_compression_holds_up_nobody_else() {
    let pool = workers();
    let worker = Arc::new(Worker::start("pipe").unwrap());
    let (begun, begins) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let gates = Mutex::new((begun, released));
    let slow = preparing(move |_| {
        let (begun, released) = &*gates.lock().unwrap();
        begun.send(()).unwrap();
        released.recv().unwrap();
    });
    let build = |destination| {
        let builder = Pipeline::builder(Signal::Traces).config(batches_of(1)).worker(Arc::clone(&worker));
        builder.destination(destination, LaneConfig::default()).offload(pool.spawner()).build().unwrap()
    };
    let exporter = Scripted::default();
    let (slow, quick) = (build(slow), build(destination("quick", &exporter)));
    slow.intake().offer(sized(100_000)).unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    quick.intake().offer(chunk(1)).unwrap();
    assert!(quick.flush(PATIENCE).unwrap().complete);
    assert_eq!(lane(&slow).in_flight_items, 1);
    release.send(()).unwrap();
    assert!(slow.shutdown(PATIENCE).unwrap().complete);
}

/// Guards the pause: a batch whose preparation began before the destination asked for one is not sent into it. And the account: what was only prepared
/// when the deadline came has not been sent, so its fate is not unknown; a preparation that has not begun never does.
#[test]
fn preparing_is_not_sending() {
    let pool = WorkerPoolConfig::default().with_threads(NonZeroUsize::MIN).build().unwrap();
    let (begun, begins) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let gates = Mutex::new((begun, released));
    let prepared = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&prepared);
    let exporter = Scripted::new([Step::Retry(Some(Duration::from_secs(3_600)))]);
    let gated = Gated(exporter.clone(), move |batch: &Merged| {
        if batch.len() > 64 * 1024 {
            count.fetch_add(1, Ordering::Relaxed);
            let (begun, released) = &*gates.lock().unwrap();
            begun.send(()).unwrap();
            // The test may be over.
            let _ = released.recv();
        }
    });
    let (tell, told) = mpsc::channel();
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(Arc::new(Destination::new("gated", gated, quick())), LaneConfig::default())
        .offload(pool.spawner())
        .notices(move |_, _, notice| drop(tell.send(notice.clone())))
        .build()
        .unwrap();
    (0..3).for_each(|_| pipeline.intake().offer(sized(100_000)).unwrap());
    begins.recv_timeout(PATIENCE).unwrap();
    // It is sent at once, and answered with a pause of an hour.
    pipeline.intake().offer(chunk(1)).unwrap();
    wait_failure(&told);
    release.send(()).unwrap();
    // The second preparation begins, so the first is over: nothing of it may be sent now.
    begins.recv_timeout(PATIENCE).unwrap();
    assert!(!pipeline.shutdown(Duration::ZERO).unwrap().complete);
    assert_eq!(exporter.log().attempts, 1);
    let ledger = lane(&pipeline).ledger;
    assert_eq!((ledger.dropped(DropReason::UnknownOutcome), ledger.dropped(DropReason::Shutdown)), (0, 4));
    // With the pipeline its thread has ended, and everything on it.
    drop(pipeline);
    release.send(()).unwrap();
    assert!(pool.shut_down(PATIENCE).drained);
    assert_eq!(prepared.load(Ordering::Relaxed), 2, "the third was never begun");
}

/// A scripted exporter that does in `prepare` what the test says.
struct Gated<F>(Scripted, F);

impl<F: Fn(&Merged) + Send + Sync + 'static> Exporter for Gated<F> {
    fn prepare(&self, batch: &Merged) -> Request {
        (self.1)(batch);
        Request::plain(batch)
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        self.0.send(request)
    }
}

/// Guards the batch from a panic on a worker: the attempt is lost and counted, and the next one delivers.
#[test]
fn a_panic_on_a_worker_costs_an_attempt() {
    let pool = workers();
    let first = Mutex::new(true);
    let destination = preparing(move |_| {
        let first = std::mem::take(&mut *first.lock().unwrap());
        assert!(!first, "on purpose");
    });
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination, LaneConfig::default())
        .offload(pool.spawner())
        .build()
        .unwrap();
    pipeline.intake().offer(sized(100_000)).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!((lane.exporter_panics, lane.ledger.delivered), (1, 1));
}

/// Guards the slabs: they come from the pool, are back when the batch has settled, and the next batch is made of the same memory.
#[test]
fn slabs_return_when_their_batch_has_settled() {
    let slabs = Pipeline::slab_pool(1 << 20);
    let exporter = Scripted::default();
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(100))
        .destination(destination("test", &exporter), LaneConfig::default())
        .slabs(slabs.clone())
        .build()
        .unwrap();
    let intake = pipeline.intake();
    let mut made = Vec::new();
    for _ in 0..3 {
        (0..99).for_each(|_| intake.offer(sized(1_500)).unwrap());
        assert!(slabs.stats().in_use() > 0);
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        made.push(slabs.stats().made);
    }
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    drop(pipeline);
    assert_eq!(slabs.stats().in_use(), 0);
    assert!(made[0] > 0 && made[0] == made[2], "{made:?}");
}
