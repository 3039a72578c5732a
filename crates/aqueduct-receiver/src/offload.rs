//! Where a body is judged that takes long: aside, so that the other connections of the thread do not wait.
//!
//! On worker threads if the server was given some, which bounds how much of this there is at a time; on the blocking pool of the runtime
//! otherwise.

use crate::held::Held;
use crate::refusal::Refusal;
use crate::said::panicked;
use crate::stats::RefuseReason;
use aqueduct_exec::{JobError, JobHandle, Spawner};
use aqueduct_wire::Chunk;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_blocking};

/// What a body turned out to be.
pub(crate) type Verdict = Result<(Chunk, Held), Refusal>;

/// Where to.
#[derive(Debug)]
pub(crate) enum Offload {
    Runtime,
    Workers(Spawner),
}

impl Offload {
    /// Starts to judge. Workers that have too much to do already leave it to the calling thread: its connections wait, and nothing
    /// is refused.
    pub(crate) fn start(&self, judge: impl FnOnce() -> Verdict + Send + 'static) -> Judging {
        match self {
            Offload::Runtime => Judging::Runtime(spawn_blocking(judge)),
            Offload::Workers(workers) => match workers.spawn(judge) {
                Ok(job) => Judging::Job(job),
                Err(refused) => {
                    let verdict = catch_unwind(AssertUnwindSafe(refused.into_inner()));
                    Judging::Done(Some(Box::new(verdict.unwrap_or_else(|_| Err(panicked())))))
                }
            },
        }
    }
}

/// The verdict, when it is there. Must not be polled again after that.
pub(crate) enum Judging {
    Runtime(JoinHandle<Verdict>),
    Job(JobHandle<Verdict>),
    Done(Option<Box<Verdict>>),
}

/// Whoever asked has gone: what has not begun need not.
impl Drop for Judging {
    fn drop(&mut self) {
        if let Judging::Job(job) = self {
            job.cancel();
        }
    }
}

impl Future for Judging {
    type Output = Verdict;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        Poll::Ready(match self.get_mut() {
            // Judging does not panic; if it did, that would be this request's end alone.
            Judging::Runtime(handle) => ready!(Pin::new(handle).poll(cx)).unwrap_or_else(|_| Err(panicked())),
            Judging::Job(job) => match ready!(Pin::new(job).poll(cx)) {
                Ok(verdict) => verdict,
                Err(JobError::Panicked(_)) => Err(panicked()),
                // The workers stopped first. The client still has the request.
                Err(_) => Err(Refusal::overload(
                    RefuseReason::Overloaded,
                    "the server is stopping",
                    Duration::from_secs(1),
                )),
            },
            Judging::Done(verdict) => verdict.take().map_or_else(|| Err(panicked()), |verdict| *verdict),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aqueduct_exec::{WorkerPool, WorkerPoolConfig};
    use std::num::NonZeroUsize;
    use std::sync::mpsc;

    fn one_worker(capacity: usize) -> WorkerPool {
        let config = WorkerPoolConfig::default().with_threads(NonZeroUsize::MIN).with_capacity(capacity);
        config.with_name("judge").build().expect("a thread")
    }

    /// A verdict that names the thread it was made on.
    fn here() -> Verdict {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        Err(Refusal::new(RefuseReason::Invalid, name))
    }

    fn message(verdict: Verdict) -> String {
        verdict.expect_err("all verdicts here are refusals").status().message
    }

    /// Guards the point of it: the thread of the connection does not do the work.
    #[tokio::test]
    async fn workers_judge_when_there_are_some() {
        let pool = one_worker(10);
        let verdict = Offload::Workers(pool.spawner()).start(here).await;
        assert!(message(verdict).starts_with("judge"));
    }

    /// Guards against a request that is refused, or lost, because its judges are busy or gone.
    #[tokio::test]
    async fn without_room_or_workers_the_calling_thread_judges() {
        let me = message(here());
        let full = one_worker(0);
        assert_eq!(message(Offload::Workers(full.spawner()).start(here).await), me);
        let stopped = one_worker(10);
        let workers = stopped.spawner();
        drop(stopped);
        assert_eq!(message(Offload::Workers(workers).start(here).await), me);
    }

    /// Guards the answer when workers stop with the request still in their queue: the client may send it again, and is told so.
    #[tokio::test]
    async fn a_request_that_the_workers_leave_may_be_sent_again() {
        let pool = one_worker(10);
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let blocking = pool.spawn(move || {
            begun.send(()).expect("the test waits");
            released.recv()
        });
        begins.recv().expect("the worker begins");
        let judging = Offload::Workers(pool.spawner()).start(here);
        pool.shut_down(Duration::ZERO);
        release.send(()).expect("the worker waits");
        let refusal = judging.await.expect_err("not judged");
        assert_eq!(refusal.reason, RefuseReason::Overloaded);
        assert!(refusal.status().retry_delay.is_some());
        drop(blocking);
    }

    /// Guards the rest from a panic in judging.
    #[tokio::test]
    async fn a_panic_is_a_refusal() {
        let pool = one_worker(10);
        let full = one_worker(0);
        let workers = [pool.spawner(), full.spawner()].map(Offload::Workers);
        for offload in workers.into_iter().chain([Offload::Runtime]) {
            let refusal = offload.start(|| panic!("on purpose")).await.expect_err("no verdict");
            assert_eq!(refusal.reason, RefuseReason::Panicked);
        }
    }
}
