//! The keep-alive connections to one place: as many as there are concurrent sends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::Pieces;
use crate::connect::Dial;
use crate::failure::Failure;
use crate::status::Counters;

/// How long a connection may take to become ready after its last answer was read to the end: a turn of its task, unless
/// something is wrong with it.
const SETTLE: Duration = Duration::from_millis(50);

/// Idle connections, the most recently used last.
#[derive(Debug)]
pub(super) struct Connections {
    dial: Dial,
    max_header_bytes: usize,
    idle_timeout: Duration,
    idle: Mutex<Vec<Idle>>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<Pieces>,
    since: Instant,
}

impl Connections {
    pub(super) fn new(
        dial: Dial,
        max_header_bytes: usize,
        idle_timeout: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        Self { dial, max_header_bytes, idle_timeout, idle: Mutex::default(), counters }
    }

    /// An idle connection that, as far as we can tell, is still open. The most recently used one, so that the others
    /// can grow old and be closed.
    pub(super) async fn reuse(&self) -> Option<SendRequest<Pieces>> {
        loop {
            let mut sender = self.pop()?;
            // Ready at once, or as soon as the connection's task has seen the end of the last answer. It never is if
            // the server answered early and does not read the rest of that request.
            if let Ok(Ok(())) = timeout(SETTLE, sender.ready()).await {
                return Some(sender);
            }
        }
    }

    fn pop(&self) -> Option<SendRequest<Pieces>> {
        let mut idle = self.idle();
        let now = Instant::now();
        let expired =
            idle.iter().take_while(|idle| now.duration_since(idle.since) >= self.idle_timeout).count();
        idle.drain(..expired);
        idle.pop().map(|idle| idle.sender)
    }

    /// A new connection, driven by a task of the current runtime until it ends or its sender is dropped.
    pub(super) async fn open(&self) -> Result<SendRequest<Pieces>, Failure> {
        let opened = self.try_open().await;
        if opened.is_err() {
            self.counters.connect_failed();
        }
        opened
    }

    async fn try_open(&self) -> Result<SendRequest<Pieces>, Failure> {
        let deadline = Instant::now() + self.dial.timeout;
        let stream = self.dial.connect(deadline).await?;
        let handshake = Builder::new().max_header_size(self.max_header_bytes).handshake(TokioIo::new(stream));
        let (sender, connection) = match timeout_at(deadline, handshake).await {
            Ok(Ok(open)) => open,
            Ok(Err(error)) => return Err(self.dial.failure(&error.to_string())),
            Err(_) => return Err(self.dial.failure("timed out")),
        };
        let up = self.counters.connected();
        tokio::spawn(async move {
            // Whoever waits for an answer on it is told the same error.
            let _ = connection.await;
            drop(up);
        });
        Ok(sender)
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, sender: SendRequest<Pieces>) {
        if !sender.is_closed() {
            self.idle().push(Idle { sender, since: Instant::now() });
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        // A panic cannot leave a vector of whole entries half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
