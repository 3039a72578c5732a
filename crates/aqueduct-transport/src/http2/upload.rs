//! Sending the body of a request: a list of pieces that is never joined.

use std::slice;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use h2::SendStream;

use crate::request::Request;

/// A body up to this many bytes is handed over as a whole; h2 keeps references to it until the flow-control window
/// allows it out. Saves the bookkeeping of capacity for the common small call.
const WHOLE: usize = 64 << 10;

/// How much of the connection's window a large body asks for at a time. What one stream has been granted no other can
/// have, so asking for all of it would starve the other calls on the connection. Each step waits for its turn behind the other tasks of the thread: with
/// a quarter of this a gateway whose one thread also receives held twice the memory.
const STEP: usize = 1 << 20;

/// A first piece up to this size shares a data frame with gRPC's message prefix, for the price of copying it. Measured
/// over loopback: at 773 bytes 4.8 us of CPU per call with the copy and 5.1 without; at 16 KB 6.0 and 5.7.
const COALESCE: usize = 4 << 10;

/// The part of a body that is not handed to the connection yet.
#[derive(Debug)]
pub(super) struct Upload<'a> {
    stream: SendStream<Bytes>,
    current: Bytes,
    rest: slice::Iter<'a, Bytes>,
    left: usize,
    whole: bool,
}

impl<'a> Upload<'a> {
    /// `begins` is sent before the pieces of the request.
    pub(super) fn new(stream: SendStream<Bytes>, begins: &[u8], request: &'a Request) -> Self {
        let mut rest = request.pieces().iter();
        let mut current = Bytes::new();
        if !begins.is_empty() {
            let first = rest.as_slice().first().map_or(0, Bytes::len);
            let shared = first <= COALESCE;
            let mut together = BytesMut::with_capacity(begins.len() + if shared { first } else { 0 });
            together.put_slice(begins);
            if shared && let Some(piece) = rest.next() {
                together.put_slice(piece);
            }
            current = together.freeze();
        }
        let left = begins.len() + request.len();
        Self { stream, current, rest, left, whole: left <= WHOLE }
    }

    /// Hands over what the connection takes now and arranges to be woken for the rest.
    ///
    /// An error of the stream ends the upload silently: whoever waits for the answer is told the same error.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while self.left > 0 {
            if self.current.is_empty() {
                match self.rest.next() {
                    Some(piece) => self.current = piece.clone(),
                    None => self.left = 0,
                }
                continue;
            }
            let room = if self.whole { self.current.len() } else { self.room(cx) };
            if room == 0 {
                return;
            }
            let part = self.current.split_to(room.min(self.current.len()));
            self.left -= part.len();
            if self.stream.send_data(part, self.left == 0).is_err() {
                self.left = 0;
            }
        }
    }

    /// How many bytes the stream takes now; none means that there is nothing to do until woken.
    fn room(&mut self, cx: &mut Context<'_>) -> usize {
        loop {
            let room = self.stream.capacity();
            if room > 0 {
                return room;
            }
            self.stream.reserve_capacity(self.left.min(STEP));
            if self.stream.capacity() > 0 {
                continue;
            }
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None | Some(Err(_))) => {
                    self.left = 0;
                    return 0;
                }
                Poll::Pending => return 0,
            }
        }
    }
}
