//! One request: its body as it arrives, and how it is answered.

use crate::grpc;
use crate::head::{Format, Head, Style};
use crate::held::Gather;
use crate::http;
use crate::judge::admit;
use crate::refusal::Refusal;
use crate::said::Said;
use ::http::HeaderValue;
use ::http::header::CONTENT_LENGTH;
use aqueduct_wire::Signal;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use std::task::{Context, Poll};
use tokio::time::Instant;

/// A request whose body is arriving.
pub(super) struct Stream {
    pub(super) head: Head,
    pub(super) body: RecvStream,
    pub(super) respond: SendResponse<Bytes>,
    pub(super) gather: Gather,
    /// How much had arrived when the present span of `body_timeout` began.
    pub(super) progress: usize,
    /// The end of that span.
    pub(super) deadline: Instant,
}

/// What became of reading a body.
pub(super) enum Read {
    Whole,
    Refused(Refusal),
    /// The client reset the stream, or the connection broke.
    Gone,
    /// Not all there; whether something new came.
    Partly(bool),
}

impl Stream {
    /// Takes what has arrived.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, limit: usize) -> Read {
        let mut progress = false;
        loop {
            match self.body.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    progress = true;
                    let count = piece.len();
                    let kept = admit(self.head.style, self.gather.bytes(), &piece, limit)
                        .and_then(|expected| self.gather.push(piece, expected));
                    if let Err(refusal) = kept {
                        return Read::Refused(refusal);
                    }
                    if self.body.is_end_stream() {
                        // h2 takes the capacity of a stream back by itself when it is dropped.
                        return Read::Whole;
                    }
                    // Cannot fail: this is what was received.
                    let _ = self.body.flow_control().release_capacity(count);
                }
                Poll::Ready(Some(Err(_))) => return Read::Gone,
                Poll::Ready(None) => return Read::Whole,
                Poll::Pending => return Read::Partly(progress),
            }
        }
    }
}

/// What it takes to answer.
pub(super) struct Caller {
    pub(super) respond: SendResponse<Bytes>,
    pub(super) style: Style,
    pub(super) signal: Signal,
}

impl Caller {
    pub(super) fn say(&mut self, said: Said) {
        say(&mut self.respond, self.style, Some(self.signal), said, true);
    }
}

/// Says it. An answer to HEAD goes without its body.
pub(super) fn say(
    respond: &mut SendResponse<Bytes>,
    style: Style,
    signal: Option<Signal>,
    said: Said,
    with_body: bool,
) {
    let (said, format) = match style {
        Style::Grpc => match grpc::say(respond, said) {
            Ok(()) => return,
            Err(said) => (said, Format::Protobuf),
        },
        Style::Http(format) => (said, format),
    };
    let Some(response) = http::response(said, format, signal) else {
        return respond.send_reset(Reason::INTERNAL_ERROR);
    };
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let response = ::http::Response::from_parts(parts, ());
    let with_body = with_body && !body.is_empty();
    // A failure means that the client has gone.
    if let Ok(mut stream) = respond.send_response(response, !with_body)
        && with_body
    {
        let _ = stream.send_data(body, true);
    }
}
