//! The threads that receive: one per core with a runtime each, or one runtime shared by all.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use aqueduct::exec::Affinity;
use aqueduct::pipeline::Worker;
use aqueduct::receiver::{Entry, Server, Shutdown};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::handler::enter_worker;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// How the receiving threads share the work; measured in `docs/adr/002-runtime.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RuntimeKind {
    /// A single-threaded runtime per worker; each accepts from the same listening sockets and keeps what it accepts.
    PerCore,
    /// One work-stealing runtime with as many threads.
    Shared,
}

/// A bound listening socket and what is served on it.
pub(crate) struct Door {
    pub(crate) listener: StdListener,
    pub(crate) entry: Entry,
    pub(crate) server: Server,
    /// The key path of the address, for messages.
    pub(crate) setting: String,
}

impl Door {
    /// What speaks there.
    pub(crate) fn name(&self) -> &'static str {
        match self.entry {
            Entry::Grpc => "OTLP/gRPC",
            Entry::Http => "OTLP/HTTP",
        }
    }
}

/// Binds a listening socket.
pub(crate) fn bind(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Lets a restart bind while connections of the previous process linger in TIME_WAIT; two live listeners still
    // conflict.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The receiving threads.
pub(crate) struct Workers {
    /// How many there are.
    waiting: usize,
    /// Each sends once when all of its connections have ended.
    ended: mpsc::Receiver<()>,
}

impl Workers {
    /// Starts serving the doors on `count` threads. With a single core one thread shares the pipelines': a second would only
    /// take turns with the first, and hand memory over that is cold by then.
    pub(crate) fn start(
        kind: RuntimeKind,
        count: usize,
        doors: Vec<Door>,
        shutdown: &Shutdown,
        pipelines: &Worker,
        pin: Option<Affinity>,
    ) -> io::Result<Self> {
        let doors = Arc::new(doors);
        let (tell, ended) = mpsc::channel();
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        if kind == RuntimeKind::PerCore && count == 1 && cores == 1 {
            let shutdown = shutdown.clone();
            pipelines.spawn(async move {
                pin_to_next(pin.as_ref());
                serve_all(&doors, &shutdown).await;
                // The gateway may have stopped waiting.
                let _ = tell.send(());
            })?;
            return Ok(Self { waiting: 1, ended });
        }
        let runtimes = match kind {
            RuntimeKind::PerCore => count,
            RuntimeKind::Shared => 1,
        };
        for index in 0..runtimes {
            let runtime = match kind {
                RuntimeKind::PerCore => Builder::new_current_thread().enable_all().build()?,
                RuntimeKind::Shared => shared_runtime(count)?,
            };
            let (doors, shutdown, tell) = (Arc::clone(&doors), shutdown.clone(), tell.clone());
            // The threads of a shared runtime go where there is work.
            let pin = pin.clone().filter(|_| kind == RuntimeKind::PerCore);
            let serve = move || {
                enter_worker(index);
                pin_to_next(pin.as_ref());
                runtime.block_on(serve_all(&doors, &shutdown));
                // The gateway may have stopped waiting.
                let _ = tell.send(());
            };
            std::thread::Builder::new().name(format!("aqueduct-rx-{index}")).spawn(serve)?;
        }
        Ok(Self { waiting: runtimes, ended })
    }

    /// Waits until every connection has ended; `false` when the deadline came first.
    pub(crate) fn wait(&self, deadline: Instant) -> bool {
        let mut waiting = self.waiting;
        while waiting > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.ended.recv_timeout(left.max(Duration::from_millis(1))) {
                Ok(()) => waiting -= 1,
                // A worker that panicked tells nothing and has no connections left.
                Err(mpsc::RecvTimeoutError::Disconnected) => return true,
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
            }
        }
        true
    }
}

/// Pins the calling thread. That it cannot be is no reason not to serve.
fn pin_to_next(pin: Option<&Affinity>) {
    if let Some(Err(error)) = pin.map(Affinity::pin_current_thread) {
        eprintln!("aqueduct: a receiving thread is not pinned: {error}");
    }
}

fn shared_runtime(threads: usize) -> io::Result<Runtime> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    // A plain counter that numbers the threads.
    let next = AtomicUsize::new(0);
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("aqueduct-rx")
        .on_thread_start(move || enter_worker(next.fetch_add(1, Ordering::Relaxed) % threads))
        .enable_all()
        .build()
}

async fn serve_all(doors: &[Door], shutdown: &Shutdown) {
    let mut serving = tokio::task::JoinSet::new();
    for door in doors {
        match door.listener.try_clone().and_then(TcpListener::from_std) {
            Ok(listener) => {
                let (server, entry, shutdown) = (door.server.clone(), door.entry, shutdown.clone());
                serving.spawn(async move { server.serve(listener, entry, shutdown).await });
            }
            Err(error) => eprintln!("aqueduct: a worker cannot accept connections: {error}"),
        }
    }
    while serving.join_next().await.is_some() {}
}
