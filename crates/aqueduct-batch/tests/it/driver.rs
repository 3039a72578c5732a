//! The future that drives a processor: polled by hand, so that nothing happens but what a test lets happen.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use aqueduct_batch::{
    Adding, Batch, BatchConfig, BatchProcessor, ConfigError, Failed, ProcessorBuilder, Refusal, Report,
    Retry, Timer, Weight,
};
use tokio::sync::oneshot;

const HOUR: Duration = Duration::from_secs(3600);
const ONE: Weight = Weight::new(1, 1);

/// A timer that a test reads, and that never fires.
#[derive(Clone, Default)]
struct Armed(Rc<Cell<Option<Instant>>>);

impl Timer for Armed {
    fn poll_until(&mut self, at: Instant, _context: &mut Context<'_>) -> Poll<()> {
        self.0.set(Some(at));
        Poll::Pending
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll<F: Future>(future: Pin<&mut F>, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(wakes))))
}

fn quiet<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

type Answer = Result<(), ()>;

/// Batches that are being handled, with the way to answer each. A dropped sender is a panic of the handler.
type Desk = Rc<RefCell<VecDeque<(Vec<u32>, oneshot::Sender<Answer>)>>>;

/// What is being done with a batch.
type Handling = Pin<Box<dyn Future<Output = Result<(), Failed<u32>>>>>;

/// Handles each batch when the test answers for it.
fn gated(desk: &Desk) -> impl FnMut(Batch<u32>) -> Handling + use<> {
    let desk = Rc::clone(desk);
    move |batch| {
        let (answer, answered) = oneshot::channel();
        desk.borrow_mut().push_back((batch.as_slice().to_vec(), answer));
        Box::pin(async move {
            match answered.await.expect("the test answers") {
                Ok(()) => Ok(()),
                Err(()) => Err(Failed::retry(batch)),
            }
        })
    }
}

fn answer(desk: &Desk, answer: Answer) -> Vec<u32> {
    let (items, way) = desk.borrow_mut().pop_front().expect("a batch is being handled");
    way.send(answer).expect("its future is there");
    items
}

/// Batches of two, a queue of six, no time.
fn small<T, H>(builder: ProcessorBuilder<T, H>) -> ProcessorBuilder<T, H> {
    let batch = BatchConfig::default().with_max_items(2).with_max_bytes(1000).with_max_age(Duration::MAX);
    builder.with_batch(batch).with_queue_items(6).with_queue_bytes(1000)
}

fn add(processor: &BatchProcessor<u32>, ids: impl IntoIterator<Item = u32>) {
    ids.into_iter().for_each(|id| processor.add(id, ONE).expect("there is room"));
}

fn balanced(processor: &BatchProcessor<u32>) {
    let stats = processor.stats();
    let settled = stats.handled.items + stats.failed.total().items + stats.dropped.total().items;
    assert_eq!(stats.accepted.items, settled + stats.held.items, "{stats:?}");
}

/// Guards the trap by its name: handling is bounded, belongs to the driver, and is over when the shutdown is.
#[test]
fn detached_tasks_that_nobody_joins() {
    let desk = Desk::default();
    let builder = small(BatchProcessor::builder(gated(&desk))).with_max_concurrent(2);
    let (processor, driver) = builder.drive(Armed::default()).unwrap();
    let mut driver = pin!(driver);
    add(&processor, 0..6);
    assert!(quiet(driver.as_mut()).is_pending());
    assert_eq!(desk.borrow().len(), 2, "as many as may, and no more");
    let mut ending = pin!(processor.shutdown_async(HOUR));
    assert!(quiet(ending.as_mut()).is_pending());
    assert_eq!(answer(&desk, Ok(())), [0, 1]);
    assert!(quiet(driver.as_mut()).is_pending());
    assert_eq!(desk.borrow().len(), 2);
    assert_eq!(processor.stats().running.items, 4);
    assert_eq!(answer(&desk, Ok(())), [2, 3]);
    assert!(quiet(driver.as_mut()).is_pending());
    assert!(quiet(ending.as_mut()).is_pending(), "the last batch is still being handled");
    assert_eq!(answer(&desk, Ok(())), [4, 5]);
    assert!(quiet(driver.as_mut()).is_ready());
    assert_eq!(Rc::strong_count(&desk), 1, "the handler was let go of, and its futures");
    let Poll::Ready(report) = quiet(ending.as_mut()) else { panic!("it ended") };
    assert!(report.complete);
    assert_eq!(report.stats.handled.items, 6);
}

/// Guards the other end: a driver that is dropped takes its futures with it, says so in the books, and leaves nobody waiting.
#[test]
fn a_dropped_driver_ends_the_processor() {
    let desk = Desk::default();
    let (processor, driver) = small(BatchProcessor::builder(gated(&desk))).drive(Armed::default()).unwrap();
    let mut driver = Box::pin(driver);
    add(&processor, 0..5);
    assert!(quiet(driver.as_mut()).is_pending());
    let mut flushing = pin!(processor.flush_async());
    let wakes = Arc::new(Wakes::default());
    assert!(poll(flushing.as_mut(), &wakes).is_pending());
    let mut adding = pin!(processor.add_async(9, Weight::new(6, 1)));
    assert!(poll(adding.as_mut(), &wakes).is_pending());

    drop(driver);
    assert_eq!(Rc::strong_count(&desk), 1);
    assert!(desk.borrow_mut().pop_front().unwrap().1.is_closed(), "the handler's future is gone");
    assert_eq!(wakes.count(), 2, "both waiters were woken");
    let Poll::Ready(Report { complete, stats, .. }) = quiet(flushing.as_mut()) else {
        panic!("nobody settles it")
    };
    assert!(!complete);
    assert_eq!((stats.held, stats.dropped.shutdown.items), (Weight::default(), 5));
    let Poll::Ready(Err(refused)) = quiet(adding.as_mut()) else { panic!("nobody makes room") };
    assert_eq!((refused.reason(), refused.into_inner()), (Refusal::Closed, 9));
    assert_eq!(processor.add(1, ONE).unwrap_err().reason(), Refusal::Closed);
    assert!(!processor.shutdown(HOUR).unwrap().complete);
    balanced(&processor);
}

/// Guards idle processors: no timer is armed, and nobody is woken for an item that changes nothing.
#[test]
fn an_idle_processor_does_nothing() {
    let desk = Desk::default();
    let timer = Armed::default();
    let config = BatchConfig::default().with_max_items(10).with_max_age(HOUR);
    let builder = BatchProcessor::builder(gated(&desk)).with_batch(config);
    let (processor, driver) = builder.drive(timer.clone()).unwrap();
    let mut driver = pin!(driver);
    let wakes = Arc::new(Wakes::default());
    assert!(poll(driver.as_mut(), &wakes).is_pending());
    assert_eq!((timer.0.get(), wakes.count()), (None, 0), "there is nothing to wait for");

    add(&processor, [0]);
    assert_eq!(wakes.count(), 1, "the first item has a deadline");
    assert!(poll(driver.as_mut(), &wakes).is_pending());
    assert!(timer.0.take().is_some());
    add(&processor, 1..9);
    assert_eq!(wakes.count(), 1, "the deadline is the same");
    add(&processor, [9]);
    assert_eq!(wakes.count(), 2, "the batch is full");
    assert!(poll(driver.as_mut(), &wakes).is_pending());
    add(&processor, 10..30);
    assert_eq!(wakes.count(), 2, "the handler is busy");
    answer(&desk, Ok(()));
    assert_eq!(wakes.count(), 3, "the handler's own future");
    assert!(poll(driver.as_mut(), &wakes).is_pending());
    assert_eq!(timer.0.get(), None);
}

/// Guards back-pressure: those who wait get room in their order, and one that is dropped has added nothing and lost nothing for the others.
#[test]
fn who_waits_for_room_is_served_in_order_and_may_leave() {
    let desk = Desk::default();
    let (processor, driver) = small(BatchProcessor::builder(gated(&desk))).drive(Armed::default()).unwrap();
    let mut driver = pin!(driver);
    add(&processor, 0..6);
    assert!(quiet(driver.as_mut()).is_pending());
    let wakes: [Arc<Wakes>; 4] = Default::default();
    let mut waiting: Vec<_> = [(10, 3), (11, 1), (12, 1), (13, 1)]
        .map(|(id, items)| Box::pin(processor.add_async(id, Weight::new(items, 1))))
        .into();
    for (adding, wakes) in waiting.iter_mut().zip(&wakes) {
        assert!(poll(adding.as_mut(), wakes).is_pending());
    }
    answer(&desk, Ok(()));
    assert!(quiet(driver.as_mut()).is_pending());
    assert!(wakes.iter().all(|wakes| wakes.count() == 0), "two free places are not enough for the first");
    assert!(poll(waiting[1].as_mut(), &wakes[1]).is_pending(), "and the second does not overtake it");

    // The first gives up, and has its item back; the second is woken and gives up before it looks.
    let first: Pin<Box<Adding<'_, u32>>> = waiting.remove(0);
    assert_eq!(Pin::into_inner(first).into_inner(), Some(10));
    assert_eq!(wakes[1].count(), 1);
    drop(waiting.remove(0));
    assert_eq!(wakes[2].count(), 1, "the wake is passed on");
    assert!(quiet(waiting[0].as_mut()).is_ready());
    assert_eq!(wakes[3].count(), 1, "there is room for one more");
    assert!(quiet(waiting[1].as_mut()).is_ready());
    assert_eq!(processor.stats().accepted.items, 8);

    drop(waiting);
    let mut seen = Vec::new();
    let mut ending = pin!(processor.shutdown_async(HOUR));
    while !desk.borrow().is_empty() {
        seen.extend(answer(&desk, Ok(())));
        let _ = quiet(driver.as_mut());
    }
    assert_eq!(seen, [2, 3, 4, 5, 12, 13]);
    assert!(quiet(ending.as_mut()).is_ready());
}

/// Guards that a batch that waits for its next attempt takes nobody's place, and that the shutdown gives it one.
#[test]
fn a_failed_batch_holds_up_nobody() {
    let desk = Desk::default();
    let builder = small(BatchProcessor::builder(gated(&desk))).with_retry(Retry::by(2, |_| HOUR));
    let timer = Armed::default();
    let (processor, driver) = builder.drive(timer.clone()).unwrap();
    let mut driver = pin!(driver);
    add(&processor, 0..6);
    assert!(quiet(driver.as_mut()).is_pending());
    assert_eq!(answer(&desk, Err(())), [0, 1]);
    assert!(quiet(driver.as_mut()).is_pending());
    assert_eq!(answer(&desk, Ok(())), [2, 3]);
    assert!(quiet(driver.as_mut()).is_pending());
    assert_eq!(answer(&desk, Ok(())), [4, 5]);
    assert!(quiet(driver.as_mut()).is_pending());
    assert!(timer.0.take().is_some_and(|at| at > Instant::now() + HOUR / 2), "armed for the next attempt");
    assert_eq!(processor.stats().held.items, 2, "it is paid for meanwhile");

    let mut ending = pin!(processor.shutdown_async(HOUR / 2));
    assert!(quiet(driver.as_mut()).is_pending());
    assert_eq!(answer(&desk, Err(())), [0, 1]);
    assert!(quiet(driver.as_mut()).is_ready());
    let Poll::Ready(report) = quiet(ending.as_mut()) else { panic!("it ended") };
    assert!(report.complete, "failed is not lost at shutdown");
    assert_eq!((report.stats.failed.attempts.items, report.stats.handled.items), (2, 4));
}

/// Guards against a handler that panics, when it is called and when its future is polled.
#[test]
fn a_panicking_future_is_counted_and_survived() {
    let desk = Desk::default();
    let mut calls = 0;
    let mut gated = gated(&desk);
    let handler = move |batch| {
        calls += 1;
        assert_ne!(calls, 2, "as the test wants it");
        gated(batch)
    };
    let (processor, driver) = small(BatchProcessor::builder(handler)).drive(Armed::default()).unwrap();
    let mut driver = pin!(driver);
    add(&processor, 0..6);
    assert!(quiet(driver.as_mut()).is_pending());
    // The future panics at its next poll; the second call panics; the third is well.
    drop(desk.borrow_mut().pop_front());
    assert!(quiet(driver.as_mut()).is_pending());
    assert_eq!(answer(&desk, Ok(())), [4, 5]);
    assert!(quiet(driver.as_mut()).is_pending());
    let stats = processor.stats();
    assert_eq!((stats.failed.panic.items, stats.panics, stats.handled.items), (4, 2, 2));
    balanced(&processor);
}

/// Guards a flush that is given up: it goes on, and another one sees its end.
#[test]
fn a_flush_may_be_dropped() {
    let desk = Desk::default();
    let (processor, driver) = small(BatchProcessor::builder(gated(&desk))).drive(Armed::default()).unwrap();
    let mut driver = pin!(driver);
    add(&processor, [0]);
    {
        let mut flushing = Box::pin(processor.flush_async());
        assert!(quiet(flushing.as_mut()).is_pending());
    }
    assert!(quiet(driver.as_mut()).is_pending());
    let mut flushing = pin!(processor.flush_async());
    assert!(quiet(flushing.as_mut()).is_pending());
    // What comes later is none of its business.
    add(&processor, [1]);
    assert_eq!(answer(&desk, Ok(())), [0]);
    assert!(quiet(driver.as_mut()).is_pending());
    let Poll::Ready(report) = quiet(flushing.as_mut()) else { panic!("all of it is settled") };
    assert!(report.complete);
    assert_eq!(report.stats.held.items, 1);
}

/// Guards the check of values that a person wrote.
#[test]
fn no_concurrency_is_refused() {
    let desk = Desk::default();
    let result = BatchProcessor::builder(gated(&desk)).with_max_concurrent(0).drive(Armed::default());
    assert_eq!(result.err(), Some(ConfigError::ZeroConcurrent));
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use std::sync::mpsc;

    use super::*;

    fn reporting() -> (mpsc::Sender<Vec<u32>>, mpsc::Receiver<Vec<u32>>) {
        mpsc::channel()
    }

    /// Guards the timer: batches are sealed by age, each time, and on time that nobody waits for.
    #[tokio::test(start_paused = true)]
    async fn batches_are_sealed_by_age_again_and_again() {
        let (sender, receiver) = reporting();
        let processor = BatchProcessor::builder(move |batch: Batch<u32>| {
            sender.send(batch.into_items()).unwrap();
            std::future::ready(Ok(()))
        })
        .with_batch(BatchConfig::default().with_max_age(HOUR))
        .spawn_on(&tokio::runtime::Handle::current())
        .unwrap();
        for round in 0..3 {
            processor.add(round, ONE).unwrap();
            tokio::time::sleep(HOUR * 2).await;
            assert_eq!(receiver.try_recv(), Ok(vec![round]));
        }
        assert!(processor.shutdown_async(HOUR).await.complete);
    }

    /// Guards the deadline of a shutdown: futures that never end are dropped, and counted.
    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_at_its_deadline() {
        let processor = BatchProcessor::builder(async |batch: Batch<u32>| {
            std::future::pending::<()>().await;
            drop(batch);
            Ok(())
        })
        .with_max_concurrent(3)
        .with_batch(BatchConfig::default().with_max_items(1))
        .spawn_on(&tokio::runtime::Handle::current())
        .unwrap();
        (0..5).for_each(|id| processor.add(id, ONE).unwrap());
        let report = processor.shutdown_async(HOUR).await;
        assert!(!report.complete);
        assert_eq!((report.stats.dropped.shutdown.items, report.stats.held), (5, Weight::default()));
        assert!(!processor.shutdown(HOUR).unwrap().complete, "the second returns at once");
    }

    /// Guards a processor that is dropped on the thread that would have to do its work: nothing is lost, nobody waits.
    #[tokio::test]
    async fn dropped_on_its_executor_it_goes_on_to_its_end() {
        let (sender, receiver) = reporting();
        let handler = move |batch: Batch<u32>| {
            sender.send(batch.into_items()).unwrap();
            std::future::ready(Ok(()))
        };
        let (processor, driver) =
            BatchProcessor::builder(handler).drive(aqueduct_batch::TokioTimer::default()).unwrap();
        let driver = tokio::spawn(driver);
        processor.add(1, ONE).unwrap();
        drop(processor);
        let report = driver.await.unwrap();
        assert!(report.complete);
        assert_eq!(receiver.try_recv(), Ok(vec![1]));
    }

    /// Guards a runtime that ends first.
    #[test]
    fn a_runtime_that_ends_ends_the_processor() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let processor =
            BatchProcessor::builder(async |_batch: Batch<u32>| Ok(())).spawn_on(runtime.handle()).unwrap();
        processor.add(1, ONE).unwrap();
        drop(runtime);
        assert_eq!(processor.add(2, ONE).unwrap_err().reason(), Refusal::Closed);
        assert_eq!(processor.shutdown(HOUR).unwrap().stats.dropped.shutdown.items, 1);
    }

    /// Guards waiting threads beside a runtime: the blocking calls work from outside of it.
    #[test]
    fn threads_wait_for_a_driver_on_a_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let processor = Arc::new(
            BatchProcessor::builder(async |_batch: Batch<u32>| Ok(())).spawn_on(runtime.handle()).unwrap(),
        );
        let caller = std::thread::spawn({
            let processor = Arc::clone(&processor);
            move || {
                processor.add(1, ONE).unwrap();
                let flushed = processor.flush(HOUR).unwrap();
                (flushed, processor.shutdown(HOUR).unwrap())
            }
        });
        runtime.block_on(processor.add_async(2, ONE)).unwrap();
        // The runtime's only thread works as long as it has something to wait for.
        runtime.block_on(async {
            while processor.add_async(3, ONE).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        let mut ending = std::pin::pin!(processor.shutdown_async(HOUR));
        runtime.block_on(ending.as_mut());
        let (flushed, closed) = caller.join().unwrap();
        assert!(flushed.complete && closed.complete, "{flushed:?} {closed:?}");
    }
}
