//! A socket that gathers small writes until it is told to send.
//!
//! h2 flushes after every frame larger than a kilobyte and after every 16 KiB of smaller ones; each flush is a system call of a
//! microsecond or more. Here `poll_flush` from h2 does nothing: the driver sends once, after h2 has written all it has.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Written when this much has gathered, whether asked to or not.
const HIGH_WATER: usize = 128 * 1024;

/// Pieces at least this large are sent together with what has gathered, rather than copied: from here on the copy costs more
/// than the system call.
const LARGE: usize = 8 * 1024;

struct Socket {
    stream: TcpStream,
    gathered: Vec<u8>,
    /// How much of `gathered` is sent.
    sent: usize,
}

/// One of two handles to the socket: the connection reads and writes through it, the driver flushes.
#[derive(Clone)]
pub(crate) struct Coalesce {
    socket: Rc<RefCell<Socket>>,
}

impl Coalesce {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let socket = Socket { stream, gathered: Vec::with_capacity(HIGH_WATER + LARGE), sent: 0 };
        Self { socket: Rc::new(RefCell::new(socket)) }
    }

    /// Sends what has gathered.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.borrow_mut().poll_send(cx)
    }
}

impl Socket {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.gathered.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.gathered[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        self.gathered.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        if piece.len() < LARGE {
            if self.gathered.len() >= HIGH_WATER {
                ready!(self.poll_send(cx))?;
            }
            self.gathered.extend_from_slice(piece);
            return Poll::Ready(Ok(piece.len()));
        }
        loop {
            let rest = self.gathered.len() - self.sent;
            let slices = [IoSlice::new(&self.gathered[self.sent..]), IoSlice::new(piece)];
            let n = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if n < rest {
                self.sent += n;
                continue;
            }
            self.gathered.clear();
            self.sent = 0;
            if n > rest {
                return Poll::Ready(Ok(n - rest));
            }
        }
    }
}

impl AsyncRead for Coalesce {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket.borrow_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Coalesce {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.borrow_mut().poll_write(cx, piece)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = self.socket.borrow_mut();
        ready!(socket.poll_send(cx))?;
        Pin::new(&mut socket.stream).poll_shutdown(cx)
    }
}
