//! The thread a pipeline runs on: ours, never the caller's.

use std::future::Future;
use std::io;
use std::thread::{self, JoinHandle, ThreadId};

use aqueduct_exec::fork;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// An operating-system thread with a single-threaded runtime of its own, on which pipelines batch, compress, send
/// and retry.
///
/// A pipeline never runs on the caller's runtime, so it makes no difference whether the caller has one: flushing from
/// a single-threaded runtime cannot deadlock. Several pipelines may share a worker ([`crate::Builder::worker`]); a
/// pipeline that is given none starts its own.
///
/// Dropping the worker stops its runtime at its next await point and joins the thread. Batches still held then are
/// counted as `dropped{leaked}`: shut the pipelines down first. In a forked child, where the thread does not exist, dropping does nothing.
#[derive(Debug)]
pub struct Worker {
    handle: Handle,
    thread_id: ThreadId,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// [`fork::generation`] of the process in which the thread runs.
    generation: u64,
}

impl Worker {
    /// Starts a worker thread with this name (the operating system shows its first 15 bytes).
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread or the runtime's descriptors.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // An error means that the sender is gone, which is a request to stop as well.
            let _ = runtime.block_on(stopped);
        })?;
        let thread_id = thread.thread().id();
        Ok(Self { handle, thread_id, stop: Some(stop), thread: Some(thread), generation: fork::generation() })
    }

    /// Runs a future on the worker's thread. It is dropped unfinished when the worker is.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.handle.spawn(future);
    }

    /// As [`Worker::spawn`], with a handle that drops the future.
    pub(crate) fn spawn_abortable<F>(&self, future: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.handle.spawn(future).abort_handle()
    }

    /// Whether this is another process than the one in which the thread runs.
    pub(crate) fn was_forked(&self) -> bool {
        fork::generation() != self.generation
    }

    /// Whether the calling thread is this worker's: blocking on its pipelines here would wait for ever.
    #[must_use]
    pub fn is_current(&self) -> bool {
        thread::current().id() == self.thread_id
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.was_forked() {
            // In the child: abandoned. The thread is not there to be joined, nor the other end of the channel to be woken.
            std::mem::forget((self.stop.take(), self.thread.take(), self.handle.clone()));
            return;
        }
        self.stop.take();
        // A worker dropped on its own thread (the last clone lived in a task) must not wait for itself.
        if let Some(thread) = self.thread.take()
            && !self.is_current()
        {
            // The thread's panic, if any, was already reported by the default hook; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}
