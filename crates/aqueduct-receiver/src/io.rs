//! The socket as the protocols see it.
//!
//! Four things stand between a socket and the HTTP libraries: the bytes that were read to find out which protocol it
//! is come first; the end of the client's stream is held back from HTTP/2 until what it had asked for is answered; and where
//! an answer went out before the request was read, closing waits a moment, because a kernel that closes with unread
//! data sends a reset that makes the client lose the answer. And nothing is read while the handler is under pressure.

use crate::accept::{Accept, Relief};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client that is still sending may do so after its answer.
const LINGER: Duration = Duration::from_secs(2);

/// What the task of the connection and its socket, owned by the HTTP library, tell each other.
///
/// Both are polled by one task, one after the other; the atomics are there because a task may move between threads, and that
/// move orders all memory. So every access is relaxed.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Bytes read so far. Written by the socket.
    read: AtomicU64,
    /// The client has closed its side. Written by the socket.
    ended: AtomicBool,
    /// Hold the end back. Written by the task.
    hold_end: AtomicBool,
    /// The client may be sending what nobody will read. Written by the task.
    linger: AtomicBool,
    /// Others are to have their turn before more is read. Written by the socket, cleared by the task.
    turn_over: AtomicBool,
}

impl Link {
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn hold_end(&self) {
        self.hold_end.store(true, Ordering::Relaxed);
    }

    /// Lets the end be seen. Returns whether it was held back, so that the reader has to be polled once more.
    pub(crate) fn let_end(&self) -> bool {
        self.hold_end.swap(false, Ordering::Relaxed)
    }

    /// Whether the task has to return before it reads on; it has been woken already.
    pub(crate) fn take_turn_over(&self) -> bool {
        self.turn_over.load(Ordering::Relaxed) && self.turn_over.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn linger(&self) {
        self.linger.store(true, Ordering::Relaxed);
    }
}

/// Lets reads through unless the handler is under pressure.
struct Gate {
    handler: Arc<dyn Accept>,
    closed: Option<Relief>,
    /// Bytes read since the connection last let others have their turn.
    turn: usize,
    /// Bytes that may be read after a wait before the handler is asked again.
    free: usize,
}

/// After so many bytes a connection lets the other tasks of its thread go first. A socket that always has more would
/// otherwise be read for as long as tokio's own budget lasts, 128 reads, which are tens of megabytes; meanwhile nothing
/// leaves the process.
const TURN: usize = 256 * 1024;

impl Gate {
    /// Ready when a read may be made. After a wait a whole turn is let through in any case, so that a handler which is always under
    /// pressure slows a connection down and does not stop it.
    fn poll_open(&mut self, link: &Link, cx: &mut Context<'_>) -> Poll<()> {
        if self.turn >= TURN {
            self.turn = 0;
            link.turn_over.store(true, Ordering::Relaxed);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.closed.is_none() && self.free == 0 {
            self.closed = self.handler.pressure();
        }
        if let Some(relief) = &mut self.closed {
            ready!(relief.as_mut().poll(cx));
            self.closed = None;
            self.free = TURN;
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("closed", &self.closed.is_some()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// Read before the protocol was known; handed out first.
    first: [u8; FIRST],
    first_range: std::ops::Range<usize>,
    link: Arc<Link>,
    gate: Gate,
    lingering: Option<Pin<Box<Sleep>>>,
}

/// Length of HTTP/2's preface, which is all it takes to know.
pub(crate) const FIRST: usize = 24;

impl Socket {
    /// `first` has `len` bytes of what the client sent.
    pub(crate) fn new(stream: TcpStream, first: [u8; FIRST], len: usize, handler: Arc<dyn Accept>) -> Socket {
        let gate = Gate { handler, closed: None, turn: 0, free: 0 };
        Socket { stream, first, first_range: 0..len, link: Arc::default(), gate, lingering: None }
    }

    pub(crate) fn link(&self) -> Arc<Link> {
        self.link.clone()
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.first_range.is_empty() {
            let count = buf.remaining().min(this.first_range.len());
            let end = this.first_range.start + count;
            buf.put_slice(&this.first[this.first_range.start..end]);
            this.first_range.start = end;
            return Poll::Ready(Ok(()));
        }
        if !this.link.has_ended() {
            ready!(this.gate.poll_open(&this.link, cx));
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let count = buf.filled().len() - before;
            if count > 0 {
                this.gate.turn += count;
                this.gate.free = this.gate.free.saturating_sub(count);
                // Not a read-modify-write: only this socket writes it.
                let read = this.link.read.load(Ordering::Relaxed);
                this.link.read.store(read + count as u64, Ordering::Relaxed);
                return Poll::Ready(Ok(()));
            }
            this.link.ended.store(true, Ordering::Relaxed);
        }
        // Whoever holds the end back polls again after letting go.
        if this.link.hold_end.load(Ordering::Relaxed) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if this.link.has_ended() || !this.link.linger.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let lingering = this.lingering.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + LINGER)));
        if lingering.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut unread = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut unread);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
