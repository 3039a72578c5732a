//! What a lane's task has others do: attempts, and the CPU work before them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aqueduct_exec::{JobError, JobHandle, Spawner};
use aqueduct_transport::{Outcome, Request};

use crate::held::Ready;
use crate::lane::{Counts, Lane};

/// From this size on batches are prepared by worker threads: compressing this much takes a quarter of a millisecond and more, handing it over
/// some microseconds.
pub(crate) const OFFLOAD_BYTES: usize = 64 * 1024;

/// What a task brings.
pub(crate) enum Landing {
    Prepared(Arc<Request>),
    Answered(Arc<Request>, Outcome),
}

/// One attempt; the first one of a small batch prepares it, and each one of a batch that was kept compressed inflates it.
pub(crate) async fn attempt(lane: Arc<Lane>, ready: Ready) -> Landing {
    let request = match ready {
        Ready::Frame(frame) if frame.uncompressed_len() >= OFFLOAD_BYTES => {
            made_aside(&lane, Ready::Frame(frame)).await
        }
        ready => made(&lane, ready),
    };
    Counts::add(&lane.counts.sent_bytes, request.len() as u64);
    let outcome = lane.destination.exporter().send(&request).await;
    Landing::Answered(request, outcome)
}

/// What is sent.
fn made(lane: &Lane, ready: Ready) -> Arc<Request> {
    let exporter = lane.destination.exporter();
    match ready {
        Ready::Request(request) => request,
        Ready::Batch(merged) => Arc::new(exporter.prepare(&merged)),
        // What does not inflate, which cannot be, is sent as it is: the destination can still take it or refuse it.
        Ready::Frame(frame) => frame.to_batch().map_or(frame, |merged| Arc::new(exporter.prepare(&merged))),
    }
}

/// Prepares a batch on a worker thread: compressing it here would hold up every other lane of this thread.
pub(crate) async fn prepare(lane: Arc<Lane>, ready: Ready) -> Landing {
    Landing::Prepared(made_aside(&lane, ready).await)
}

/// What is sent, made by a worker thread.
async fn made_aside(lane: &Arc<Lane>, ready: Ready) -> Arc<Request> {
    let there = Arc::clone(lane);
    aside(lane.offload.as_ref(), move || made(&there, ready)).await
}

/// Runs work on a worker thread, if there are any that have time, and otherwise here.
pub(crate) async fn aside<T: Send + 'static>(
    workers: Option<&Spawner>,
    work: impl FnOnce() -> T + Clone + Send + 'static,
) -> T {
    let Some(workers) = workers else { return work() };
    match workers.spawn(work.clone()) {
        Ok(job) => match Aside(job).await {
            Ok(result) => result,
            // As if it had been called here: the attempt is lost, and counted, and not the batch.
            Err(JobError::Panicked(message)) => std::panic::resume_unwind(Box::new(message)),
            // They stopped before they came to it.
            Err(_) => work(),
        },
        // They have too much to do, or have stopped: then it is done here.
        Err(refused) => refused.into_inner()(),
    }
}

/// A job whose result nobody wants any more when this is dropped: if it has not begun it never will.
struct Aside<T>(JobHandle<T>);

impl<T: Send + 'static> Future for Aside<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Aside<T> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
