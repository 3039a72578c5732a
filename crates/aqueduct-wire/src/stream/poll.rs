//! Records off an asynchronous stream of bytes.

use super::Records;
use crate::{Chunk, Invalid, Limits, Signal};
use bytes::Bytes;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::Stream;

/// A stream of validated chunks from a stream of pieces, such as the body of a request or response of any HTTP library.
///
/// After an error, and after the end, the stream has ended.
///
/// # Cancel safety
///
/// Nothing is lost by dropping the future of one `next`: what has arrived stays here.
///
/// # Allocation
///
/// That of [`Records`].
#[derive(Debug)]
pub struct StreamRecords<S> {
    source: S,
    records: Option<Records>,
}

impl<S> StreamRecords<S> {
    /// Takes pieces from `source` up to its end.
    pub fn new(signal: Signal, source: S, limits: Limits) -> StreamRecords<S> {
        StreamRecords { source, records: Some(Records::new(signal, limits)) }
    }
}

impl<S, E> StreamRecords<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>, StreamError<E>>> {
        let Some(records) = &mut self.records else { return Poll::Ready(Ok(None)) };
        loop {
            if let Some(chunk) = records.next_chunk().map_err(StreamError::Invalid)? {
                return Poll::Ready(Ok(Some(chunk)));
            }
            match ready!(Pin::new(&mut self.source).poll_next(cx)) {
                Some(Ok(piece)) => records.push(piece),
                Some(Err(error)) => return Poll::Ready(Err(StreamError::Source(error))),
                None => {
                    let ended = self.records.take().map(Records::finish);
                    return Poll::Ready(ended.transpose().map(|_| None).map_err(StreamError::Invalid));
                }
            }
        }
    }
}

impl<S, E> Stream for StreamRecords<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Chunk, StreamError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let step = ready!(self.poll_step(cx)).transpose();
        if !matches!(step, Some(Ok(_))) {
            self.records = None;
        }
        Poll::Ready(step)
    }
}

/// Why a stream was not read to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamError<E> {
    /// The source failed.
    Source(E),
    /// What it brought is not valid.
    Invalid(Invalid),
}

impl<E: fmt::Display> fmt::Display for StreamError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Source(error) => write!(f, "the body could not be read: {error}"),
            StreamError::Invalid(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for StreamError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            StreamError::Source(error) => Some(error),
            StreamError::Invalid(_) => None,
        }
    }
}
