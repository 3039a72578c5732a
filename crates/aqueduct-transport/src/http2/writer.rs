//! What stands between the h2 crate and the socket: frames are written together, and bodies are not copied for that.
//!
//! The h2 crate writes one frame at a time, and frames have 16 KiB where the peer does not allow more: a system call for each is slow. A buffer that gathers
//! them would copy every byte once more. But the large ones are bytes of requests, which are shared memory: whoever sends them *lends* them to the connection
//! ([`Lent`]), and a [`Writer`] that is given a slice of lent memory keeps a reference to it in place of a copy. What is not lent is copied, so that nothing but speed depends on
//! what is found.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So many bytes are gathered before they are written, of which so many are copies at most.
const WRITE: usize = 512 << 10;
const COPY: usize = 128 << 10;

/// Pieces from this size on are lent: below, a copy costs no more than finding them.
const LEND: usize = 4 << 10;

/// Slices in a system call at most: half of them are heads of frames.
const SLICES: usize = 64;

/// The memory that requests on one connection have lent it, by address; and how many have lent the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Lent(Arc<Mutex<Pieces>>);

type Pieces = BTreeMap<usize, (Bytes, usize)>;

impl Lent {
    /// Lends these pieces until what is returned is dropped.
    pub(super) fn lend(&self, pieces: Arc<[Bytes]>) -> Loan {
        let mut lent = self.lock();
        for piece in large(&pieces) {
            let (there, loans) = lent.entry(address(piece)).or_insert_with(|| (piece.clone(), 0));
            *loans += 1;
            if there.len() < piece.len() {
                *there = piece.clone();
            }
        }
        drop(lent);
        Loan { lent: self.clone(), pieces }
    }

    /// The lent memory that this slice is of.
    fn find(&self, slice: &[u8]) -> Option<Bytes> {
        let lent = self.lock();
        let (start, (piece, _)) = lent.range(..=address(slice)).next_back()?;
        let within = address(slice) - start + slice.len() <= piece.len();
        within.then(|| piece.slice_ref(slice))
    }

    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn large(pieces: &[Bytes]) -> impl Iterator<Item = &Bytes> {
    pieces.iter().filter(|piece| piece.len() >= LEND)
}

fn address(slice: &[u8]) -> usize {
    slice.as_ptr().addr()
}

/// Takes back what was lent.
#[derive(Debug)]
pub(super) struct Loan {
    lent: Lent,
    pieces: Arc<[Bytes]>,
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut lent = self.lent.lock();
        for piece in large(&self.pieces) {
            if let Entry::Occupied(mut there) = lent.entry(address(piece)) {
                there.get_mut().1 -= 1;
                if there.get().1 == 0 {
                    there.remove();
                }
            }
        }
    }
}

/// A stream whose writes are gathered, until there is enough or a flush.
#[derive(Debug)]
pub(super) struct Writer<S> {
    stream: S,
    lent: Lent,
    /// What is to be written before `tail`.
    queue: VecDeque<Bytes>,
    /// What was copied since.
    tail: BytesMut,
    gathered: usize,
    /// How much of that is copied.
    copied: usize,
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    pub(super) fn new(stream: S, lent: Lent) -> Self {
        Self { stream, lent, queue: VecDeque::new(), tail: BytesMut::new(), gathered: 0, copied: 0 }
    }

    fn gather(&mut self, slice: &[u8]) {
        self.gathered += slice.len();
        match (slice.len() >= LEND).then(|| self.lent.find(slice)).flatten() {
            Some(piece) => {
                self.seal();
                self.queue.push_back(piece);
            }
            None => {
                self.tail.extend_from_slice(slice);
                self.copied += slice.len();
            }
        }
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.queue.push_back(self.tail.split().freeze());
        }
    }

    /// Writes all that was gathered.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seal();
        while self.gathered > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = slices.len().min(self.queue.len());
            slices.iter_mut().zip(&self.queue).for_each(|(slice, piece)| *slice = IoSlice::new(piece));
            let stream = Pin::new(&mut self.stream);
            let written = match &slices[..filled] {
                [only] => ready!(stream.poll_write(cx, only))?,
                several => ready!(stream.poll_write_vectored(cx, several))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written(written);
        }
        self.copied = 0;
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, mut bytes: usize) {
        self.gathered -= bytes;
        while let Some(first) = self.queue.front_mut().filter(|_| bytes > 0) {
            let part = bytes.min(first.len());
            first.advance(part);
            bytes -= part;
            if first.is_empty() {
                self.queue.pop_front();
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Writer<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, slice: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(slice)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.gathered >= WRITE || this.copied >= COPY {
            ready!(this.poll_drain(cx))?;
        }
        slices.iter().for_each(|slice| this.gather(slice));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Writer<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes at most so many bytes a call, and nothing when asked for the first time after that.
    #[derive(Debug)]
    struct Slow {
        taken: Vec<u8>,
        calls: usize,
        at_once: usize,
        ready: bool,
    }

    impl Slow {
        fn new(at_once: usize) -> Self {
            Self { taken: Vec::new(), calls: 0, at_once, ready: true }
        }
    }

    impl AsyncWrite for Slow {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, slice: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(slice)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.ready = !self.ready;
            if self.ready {
                return Poll::Pending;
            }
            self.calls += 1;
            let before = self.taken.len();
            let taken = slices.iter().flat_map(|slice| slice.iter().copied()).take(self.at_once);
            self.taken.extend(taken);
            Poll::Ready(Ok(self.taken.len() - before))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn finish<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> T {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = poll(&mut cx) {
                return done.expect("it takes everything");
            }
        }
    }

    fn bytes(len: usize, seed: usize) -> Bytes {
        (0..len).map(|at| ((at * 31 + seed) % 251) as u8).collect::<Vec<_>>().into()
    }

    /// Writes pieces as frames of 16 KiB with a head, as the h2 crate does, and returns what should arrive.
    fn frames(writer: &mut Writer<Slow>, pieces: &[Bytes]) -> Vec<u8> {
        let mut expected = Vec::new();
        for frame in pieces.iter().flat_map(|piece| piece.chunks(16 << 10)) {
            let head = (frame.len() as u64).to_be_bytes();
            let slices = [IoSlice::new(&head), IoSlice::new(frame)];
            let written = finish(|cx| Pin::new(&mut *writer).poll_write_vectored(cx, &slices));
            assert_eq!(written, head.len() + frame.len());
            expected.extend_from_slice(&head);
            expected.extend_from_slice(frame);
        }
        expected
    }

    /// Guards every byte and its place, lent and copied mixed, whatever the stream takes at a time.
    #[test]
    fn what_arrives_is_what_was_written() {
        let lent = [bytes(70_000, 1), bytes(3_000, 2), bytes(16_384, 3), bytes(5_000, 4)];
        let own = [bytes(40_000, 5), bytes(9, 6)];
        for at_once in [1, 7, 4_096, 100_000, usize::MAX] {
            let registry = Lent::default();
            let _loan = registry.lend(lent.clone().into());
            let mut writer = Writer::new(Slow::new(at_once), registry.clone());
            let mut expected = frames(&mut writer, &lent);
            expected.extend(frames(&mut writer, &own));
            // A part from within, and one that reaches past the end of what was lent.
            expected.extend(frames(&mut writer, &[lent[0].slice(1_000..60_000)]));
            finish(|cx| Pin::new(&mut writer).poll_flush(cx));
            assert_eq!(writer.gathered, 0);
            assert!(writer.stream.taken == expected, "{at_once} at once");
        }
    }

    /// Guards the point of it: large pieces are not copied, and frames share system calls.
    #[test]
    fn lent_memory_is_referred_to() {
        let registry = Lent::default();
        let pieces = [bytes(64 << 10, 1)];
        let loan = registry.lend(pieces.clone().into());
        let mut writer = Writer::new(Slow::new(usize::MAX), registry.clone());
        frames(&mut writer, &pieces);
        let range = pieces[0].as_ptr_range();
        let referred = writer.queue.iter().filter(|queued| range.contains(&queued.as_ptr())).count();
        assert_eq!((referred, writer.stream.calls), (4, 0));
        // Whoever lends the same does not take it away; and what was gathered stays when the loan ends.
        drop(registry.lend(pieces.clone().into()));
        assert_eq!(registry.lock().len(), 1);
        drop(loan);
        assert!(registry.lock().is_empty());
        finish(|cx| Pin::new(&mut writer).poll_flush(cx));
        assert_eq!(writer.stream.calls, 1);
        // From now on it is copied.
        frames(&mut writer, &pieces);
        assert!(writer.queue.is_empty() && !writer.tail.is_empty());
    }

    /// Guards the bound: a connection that does not take anything holds so much and no more.
    #[test]
    fn it_waits_when_enough_is_gathered() {
        let mut writer = Writer::new(Slow { ready: false, ..Slow::new(1) }, Lent::default());
        let frame = bytes(16 << 10, 1);
        let mut cx = Context::from_waker(Waker::noop());
        let taken =
            (0..100).take_while(|_| Pin::new(&mut writer).poll_write(&mut cx, &frame).is_ready()).count();
        assert_eq!(taken, COPY / frame.len());
    }

    /// Guards against taking an address for a reference: memory that ends early is copied.
    #[test]
    fn what_is_lent_in_part_is_copied() {
        let whole = bytes(20_000, 1);
        let registry = Lent::default();
        let part = [whole.slice(..10_000)];
        let _loan = registry.lend(part.into());
        assert!(registry.find(&whole[5_000..15_000]).is_none());
        assert!(registry.find(&whole[12_000..16_000]).is_none());
        assert_eq!(registry.find(&whole[1_000..10_000]).as_deref(), Some(&whole[1_000..10_000]));
    }
}
