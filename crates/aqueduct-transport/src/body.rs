//! A request body over the list of pieces.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Yields the pieces as they are; hyper writes several of them with one vectored system call.
#[derive(Debug)]
pub(crate) struct Pieces {
    pieces: Arc<[Bytes]>,
    next: usize,
    left: usize,
    taken: Arc<AtomicBool>,
}

impl Pieces {
    /// `len` is the length of all pieces together. `taken` is set once the connection has taken the last piece: as long
    /// as it is not, the server cannot have seen a complete request. Relaxed everywhere: it is read after the connection
    /// has reported its end through a channel, which orders it.
    pub(crate) fn new(pieces: Arc<[Bytes]>, len: usize, taken: Arc<AtomicBool>) -> Self {
        if len == 0 {
            taken.store(true, Ordering::Relaxed);
        }
        Self { pieces, next: 0, left: len, taken }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while let Some(piece) = self.pieces.get(self.next).cloned() {
            self.next += 1;
            if piece.is_empty() {
                continue;
            }
            self.left -= piece.len();
            if self.left == 0 {
                self.taken.store(true, Ordering::Relaxed);
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        // Exact, so that the request has a content-length instead of chunks.
        SizeHint::with_exact(self.left as u64)
    }
}
