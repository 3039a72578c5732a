//! The pipeline's handle: offer, flush, look, shut down.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aqueduct_pool::{BufferPool, BufferPoolConfig};
use aqueduct_wire::Signal;
use aqueduct_wire::encode::ResourcePrefix;
use tokio::sync::oneshot;

use crate::builder::Builder;
use crate::encode::EncodingIntake;
use crate::home::{Core, Home};
use crate::intake::Intake;
use crate::lane::{Lane, Phase};
use crate::report::{FlushReport, LaneStatus, Report, ShutdownReport, WaitError};
use crate::tail::{Stage, TailStatus};

/// After an abort the lanes only have bookkeeping to do; this bounds the wait for it.
const ABORT_GRACE: Duration = Duration::from_millis(500);

/// No deadline is further away than this.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Carries the chunks of one signal to its destinations and accounts for every item.
///
/// Dropping a pipeline shuts it down with [`PipelineConfig::drop_deadline`](crate::PipelineConfig::drop_deadline).
///
/// # Forks
///
/// A forked child has the handle, and none of the threads. The first offer there makes everything anew: worker, lanes, connections, empty ledgers. What was
/// inherited is left alone, for the parent to deliver, and told as [`LaneStatus::inherited`]. A child that never offers makes nothing.
#[derive(Debug)]
pub struct Pipeline {
    pub(crate) home: Arc<Home>,
}

impl Pipeline {
    /// Begins a pipeline for one signal.
    pub fn builder(signal: Signal) -> Builder {
        Builder::new(signal)
    }

    pub(crate) fn of(home: Arc<Home>) -> Self {
        Self { home }
    }

    /// A pool for [`Builder::slabs`] that owns at most so many bytes.
    ///
    /// It has no magazines: slabs are taken by the threads that offer and come back on the pipeline's, where a magazine would have to be full
    /// before anybody saw them again. Taking one costs a lock instead, once in 64 KiB.
    #[must_use]
    pub fn slab_pool(max_bytes: usize) -> BufferPool {
        BufferPool::new(BufferPoolConfig::default().with_max_bytes(max_bytes).with_magazine_bytes(0))
    }

    /// The signal it carries.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.home.recipe.signal
    }

    /// What the tail sampler did so far; `None` without one, and in a process in which nothing was offered yet.
    #[must_use]
    pub fn tail_status(&self) -> Option<TailStatus> {
        self.home.existing()?.shared.tail.as_ref().map(Stage::status)
    }

    /// A way in; see [`Intake`].
    #[must_use]
    pub fn intake(&self) -> Intake {
        Intake::of(Arc::clone(&self.home))
    }

    /// A way in for items that are not encoded yet, such as spans in a type of one's own; see [`EncodingIntake`].
    ///
    /// The chunks it makes are of this resource. Make one for each resource and kind of items, and clone it for others that need it: each has open
    /// chunks of its own.
    pub fn encoding_intake<E>(&self, resource: ResourcePrefix, encoder: E) -> EncodingIntake<E> {
        EncodingIntake::new(&self.home, resource, encoder)
    }

    /// Sends what is held now without waiting for batches to fill, and waits until it has settled or the deadline
    /// has passed. Chunks that are offered meanwhile are not waited for.
    ///
    /// A destination that refuses some of what it gets, or has just come back, is not spared meanwhile.
    ///
    /// # Errors
    ///
    /// [`WaitError::WouldDeadlock`] on the pipeline's own worker.
    pub fn flush(&self, deadline: Duration) -> Result<FlushReport, WaitError> {
        self.wait(deadline, |core, until| {
            let sealed = core.shared.seal_all(false, Some(until), true);
            let _hurries = core.shared.insist();
            // `all` may stop at the first lane that ran out of time: so has the deadline for the others.
            core.shared.lanes.iter().all(|lane| lane.wait_settled(until)) && sealed
        })
    }

    /// As [`flush`](Self::flush), for asynchronous code on any runtime, the pipeline's own worker included. The batches are sealed by the call; the future
    /// waits, and ends by the deadline. It does not wait for an encoder that is at work when it is called: then the flush is not complete.
    ///
    /// # Errors
    ///
    /// [`WaitError::Stopped`] if the worker's thread ends before.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing but that nobody waits.
    pub fn flush_async(
        &self,
        deadline: Duration,
    ) -> impl Future<Output = Result<FlushReport, WaitError>> + Send + use<> {
        let start = Instant::now();
        let until = end(start, deadline);
        let home = Arc::clone(&self.home);
        let (tell, told) = oneshot::channel();
        if let Some(core) = home.existing() {
            let sealed = core.shared.seal_all(false, None, true);
            let lanes: Vec<_> =
                core.shared.lanes.iter().map(|lane| (Arc::clone(lane), lane.next_id())).collect();
            let hurries = core.shared.insist();
            let wait = async move {
                let all = async {
                    for (lane, before) in &lanes {
                        lane.settled(*before).await;
                    }
                };
                let settled = tokio::time::timeout_at(until.into(), all).await.is_ok();
                drop(hurries);
                // Nobody may wait any more.
                let _ = tell.send(settled && sealed);
            };
            // It has a thread, so none needs to be started; without one nobody tells.
            let _ = home.recipe.worker.spawn(wait);
        } else {
            // Nothing was ever offered in this process.
            let _ = tell.send(true);
        }
        async move {
            let complete = told.await.map_err(|_| WaitError::Stopped)?;
            Ok(report(&home, complete, start))
        }
    }

    /// Takes no more chunks, sends what is held, and ends. What could not be delivered by the deadline is dropped and
    /// counted: `unknown_outcome` for requests under way, `shutdown` for the rest. A second call returns at once.
    ///
    /// # Errors
    ///
    /// [`WaitError::WouldDeadlock`] on the pipeline's own worker.
    pub fn shutdown(&self, deadline: Duration) -> Result<ShutdownReport, WaitError> {
        let report = self.wait(deadline, |core, until| {
            let sealed = core.shared.seal_all(true, Some(until), true);
            core.stop_timers();
            for lane in &core.shared.lanes {
                lane.enter(Phase::Draining);
            }
            let complete = core.shared.lanes.iter().all(|lane| lane.wait_ended(until));
            if !complete {
                for lane in &core.shared.lanes {
                    lane.enter(Phase::Aborting);
                }
                let until = Instant::now() + ABORT_GRACE;
                for lane in &core.shared.lanes {
                    lane.wait_ended(until);
                }
            }
            core.shut.store(true, Ordering::Relaxed);
            complete && sealed
        })?;
        self.home.close();
        Ok(report)
    }

    fn wait(
        &self,
        deadline: Duration,
        work: impl FnOnce(&Core, Instant) -> bool,
    ) -> Result<Report, WaitError> {
        if self.home.recipe.worker.is_current() {
            return Err(WaitError::WouldDeadlock);
        }
        let start = Instant::now();
        // In a forked child nothing is made only to be waited for.
        let complete = self.home.existing().is_none_or(|core| work(core, end(start, deadline)));
        Ok(report(&self.home, complete, start))
    }

    /// Every lane as it is now.
    ///
    /// The parts are read one after the other while items move, so sums agree exactly only at rest; in between they
    /// differ by no more than what moved during the read.
    #[must_use]
    pub fn status(&self) -> Vec<LaneStatus> {
        status(&self.home)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let shut = self.home.existing().is_none_or(|core| core.shut.load(Ordering::Relaxed));
        if !shut && self.shutdown(self.home.recipe.config.drop_deadline).is_err() {
            // On the worker itself nothing can be waited for: give up at once, and count it.
            if let Some(core) = self.home.existing() {
                core.abandon();
            }
        }
        self.home.close();
    }
}

fn end(start: Instant, deadline: Duration) -> Instant {
    start.checked_add(deadline.min(LONGEST)).unwrap_or(start)
}

fn report(home: &Home, complete: bool, start: Instant) -> Report {
    Report { complete, took: start.elapsed(), lanes: status(home) }
}

pub(crate) fn status(home: &Home) -> Vec<LaneStatus> {
    let Some(core) = home.existing() else {
        let names = home.recipe.lanes.iter().map(|(destination, _)| destination.name());
        let idle = |(name, inherited)| LaneStatus::idle(home.recipe.signal, name, inherited);
        return names.zip(home.inherited()).map(idle).collect();
    };
    let now = Instant::now();
    let (encoding_items, open_items) = (core.shared.open_chunks.items(), core.shared.open_items());
    let tail_items = core.shared.tail.as_ref().map_or(0, Stage::items);
    let sealed_batches = core.shared.seals();
    let status = |lane: &Arc<Lane>| LaneStatus {
        encoding_items,
        open_items,
        tail_items,
        sealed_batches,
        ..lane_status(lane, now)
    };
    core.shared.lanes.iter().map(status).collect()
}

/// What the lane itself knows.
fn lane_status(lane: &Lane, now: Instant) -> LaneStatus {
    let walk = lane.walk();
    let counts = &lane.counts;
    let (last_success, last_failure) = {
        let state = lane.state();
        (state.last_success, state.last_failure.clone())
    };
    let ago = |then: Instant| now.saturating_duration_since(then);
    LaneStatus {
        signal: lane.signal,
        destination: lane.destination.name().to_owned(),
        ledger: lane.ledger.snapshot(),
        encoding_items: 0,
        tail_items: 0,
        open_items: 0,
        sealed_batches: Default::default(),
        queued_items: walk.queued_items,
        retry_items: walk.retry_items,
        in_flight_items: walk.in_flight_items,
        in_flight_requests: walk.in_flight_batches,
        in_flight_limit: lane.limit().limit(),
        held_bytes: lane.budget.held(),
        queue_bytes: lane.budget.limit(),
        full: lane.budget.is_full(),
        attempts: counts.attempts.load(Ordering::Relaxed),
        retries: counts.retries.load(Ordering::Relaxed),
        failed_attempts: counts.failed.load(Ordering::Relaxed),
        sent_bytes: counts.sent_bytes.load(Ordering::Relaxed),
        exporter_panics: counts.panics.load(Ordering::Relaxed),
        splits: counts.splits.load(Ordering::Relaxed),
        restarts: counts.restarts.load(Ordering::Relaxed),
        refused_items: counts.refused.load(Ordering::Relaxed),
        compressed_from_bytes: walk.squeezed_from,
        compressed_to_bytes: walk.squeezed_to,
        inherited: lane.inherited,
        paused: lane.destination.paused(now),
        last_success: last_success.map(ago),
        last_failure: last_failure.map(|(then, cause)| (ago(then), cause)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread;

    use aqueduct_transport::{Outcome, Request, RetryPolicy};
    use aqueduct_wire::Chunk;
    use bytes::Bytes;
    use tokio::sync::Notify;

    use super::*;
    use crate::{Attempt, Destination, Exporter, LaneConfig};

    /// Longer than anything takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Says that it has a request, and answers when it is told to.
    #[derive(Clone)]
    struct Slow {
        began: Sender<()>,
        answer: Arc<Notify>,
    }

    impl Exporter for Slow {
        fn send<'a>(&'a self, _request: &'a Request) -> Attempt<'a> {
            Box::pin(async {
                let _ = self.began.send(());
                self.answer.notified().await;
                Outcome::Delivered
            })
        }
    }

    /// Guards flushes behind a destination that is being spared: nobody is held back as long as one waits, and no longer.
    #[test]
    fn a_flush_is_in_a_hurry() {
        let (began, begins) = channel();
        let slow = Slow { began, answer: Arc::default() };
        let destination = Arc::new(Destination::new("slow", slow.clone(), RetryPolicy::default()));
        let builder = Pipeline::builder(Signal::Traces).destination(destination, LaneConfig::default());
        let pipeline = builder.build().expect("a pipeline");
        let chunk = |number: u8| Chunk::from_valid(Signal::Traces, 1, Bytes::copy_from_slice(&[number; 8]));
        let is_hurried = || {
            let core = pipeline.home.core().expect("it is not closed");
            core.shared.lanes.iter().all(|lane| lane.destination.is_hurried())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        pipeline.intake().offer(chunk(1)).expect("room");
        assert!(!is_hurried());
        let flush = pipeline.flush_async(PATIENCE);
        begins.recv_timeout(PATIENCE).expect("the flush sends");
        assert!(is_hurried(), "an asynchronous flush waits");
        slow.answer.notify_one();
        assert!(runtime.block_on(flush).expect("it is told").complete);
        assert!(!is_hurried());
        pipeline.intake().offer(chunk(2)).expect("room");
        thread::scope(|scope| {
            let flush = scope.spawn(|| pipeline.flush(PATIENCE));
            begins.recv_timeout(PATIENCE).expect("the flush sends");
            while !is_hurried() {
                // What is sealed may be sent before the flush begins to wait.
                thread::yield_now();
            }
            slow.answer.notify_one();
            assert!(flush.join().expect("no panic").expect("not on the worker").complete);
        });
        assert!(!is_hurried());
    }
}
