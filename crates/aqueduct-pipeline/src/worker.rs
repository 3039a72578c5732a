//! The thread a pipeline runs on: ours, never the caller's.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};

use aqueduct_exec::fork::PerProcess;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Runs on the worker's thread before anything else; what it returns is dropped when the thread ends.
type ThreadStart = Arc<dyn Fn() -> Box<dyn Any> + Send + Sync>;

/// An operating-system thread with a single-threaded runtime of its own, on which pipelines batch, compress, send
/// and retry.
///
/// A pipeline never runs on the caller's runtime, so it makes no difference whether the caller has one: flushing from
/// a single-threaded runtime cannot deadlock. Several pipelines may share a worker ([`crate::Builder::worker`]); a
/// pipeline that is given none starts its own.
///
/// What happens on this thread never becomes telemetry: the HTTP/2 library emits `tracing` events about each frame, and an application that exports
/// its `tracing` events would export those, and thereby make more. On this thread they have no subscriber.
///
/// Dropping the worker stops its runtime at its next await point and joins the thread. Batches still held then are
/// counted as `dropped{leaked}`: shut the pipelines down first. A forked child has a thread of its own from the first use on; dropping
/// what it inherited does nothing.
pub struct Worker {
    name: String,
    start: Option<ThreadStart>,
    thread: PerProcess<Thread>,
}

/// The thread of one process.
struct Thread {
    handle: Handle,
    id: ThreadId,
    stop: Option<oneshot::Sender<()>>,
    join: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a worker thread with this name (the operating system shows its first 15 bytes).
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread or the runtime's descriptors.
    pub fn start(name: &str) -> io::Result<Self> {
        Self::launch(name, None)
    }

    /// As [`Worker::start`], with a function that runs first on the thread; what it returns lives as long as the thread does. For a scope
    /// that tells other libraries to leave this thread alone, such as OpenTelemetry's suppression of telemetry.
    ///
    /// # Errors
    ///
    /// As [`Worker::start`].
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_pipeline::Worker;
    ///
    /// let worker = Worker::start_with("quiet", || Box::new("a guard of the thread's"))?;
    /// assert!(!worker.is_current());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_with(
        name: &str,
        on_start: impl Fn() -> Box<dyn Any> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::launch(name, Some(Arc::new(on_start)))
    }

    fn launch(name: &str, start: Option<ThreadStart>) -> io::Result<Self> {
        let worker = Self { name: name.to_owned(), start, thread: PerProcess::new() };
        worker.thread()?;
        Ok(worker)
    }

    /// The thread of this process: in a forked child one that is started now.
    fn thread(&self) -> io::Result<&Thread> {
        self.thread.get_or_try_build(|_| Thread::start(&self.name, self.start.clone()))
    }

    /// The thread of this process.
    pub(crate) fn thread_id(&self) -> io::Result<ThreadId> {
        Ok(self.thread()?.id)
    }

    /// Runs a future on the worker's thread. It is dropped unfinished when the worker is.
    ///
    /// # Errors
    ///
    /// Only in a forked child, where the thread has to be started anew: when the operating system refuses it.
    pub fn spawn<F>(&self, future: F) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_abortable(future).map(drop)
    }

    /// As [`Worker::spawn`], with a handle that drops the future.
    pub(crate) fn spawn_abortable<F>(&self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Ok(self.thread()?.handle.spawn(future).abort_handle())
    }

    /// Whether the calling thread is this worker's: blocking on its pipelines here would wait for ever.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.thread.get().is_some_and(Thread::is_current)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Thread {
    fn start(name: &str, start: Option<ThreadStart>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let join = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _untraced = tracing::dispatcher::set_default(&tracing::Dispatch::none());
            let _guard = start.map(|start| start());
            // An error means that the sender is gone, which is a request to stop as well.
            let _ = runtime.block_on(stopped);
            // Before the guard: what the tasks do at their end is part of it.
            drop(runtime);
        })?;
        let id = join.thread().id();
        Ok(Self { handle, id, stop: Some(stop), join: Some(join) })
    }

    fn is_current(&self) -> bool {
        thread::current().id() == self.id
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.take();
        // A worker dropped on its own thread (the last clone lived in a task) must not wait for itself.
        if let Some(thread) = self.join.take()
            && !self.is_current()
        {
            // The thread's panic, if any, was already reported by the default hook; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}
