//! One request on one stream.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};

use super::connection::Connection;
use super::upload::Upload;
use super::writer::Loan;
use crate::connect::refusal;
use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;
use crate::request::Request;

/// A request that is under way. Whoever waits for a part of the answer sends the rest of the body meanwhile: a server may
/// answer before it has read everything, and it may announce an answer long before it ends it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    response: ResponseFuture,
    upload: Upload<'a>,
    body: Option<RecvStream>,
    answers: &'a AtomicU64,
    /// Of the request's body, while it may be sent.
    _loan: Loan,
}

impl<'a> Call<'a> {
    /// Opens a stream and sends the head on it. After an error nothing was sent.
    ///
    /// `begins` is what is sent before the request's own bytes.
    pub(crate) async fn open(
        connection: &'a Connection,
        head: http::Request<()>,
        begins: &[u8],
        request: &'a Request,
    ) -> Result<Self, h2::Error> {
        let mut send = connection.send.clone().ready().await?;
        let empty = begins.is_empty() && request.is_empty();
        let (response, stream) = send.send_request(head, empty)?;
        let upload = Upload::new(stream, begins, request);
        let loan = connection.lent.lend(request.shared_pieces());
        Ok(Self { response, upload, body: None, answers: &connection.answers, _loan: loan })
    }

    /// The head of the answer.
    pub(crate) async fn head(&mut self) -> Result<http::response::Parts, Outcome> {
        let head = poll_fn(|cx| {
            self.upload.poll(cx);
            Pin::new(&mut self.response).poll(cx)
        });
        let (head, body) = head.await.map_err(|error| lost(&error))?.into_parts();
        self.body = Some(body);
        self.answers.fetch_add(1, Ordering::Relaxed);
        Ok(head)
    }

    /// The next piece of the answer's body; none at its end.
    pub(crate) async fn data(&mut self) -> Result<Option<Bytes>, Outcome> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let data = poll_fn(|cx| {
            self.upload.poll(cx);
            body.poll_data(cx)
        });
        let Some(data) = data.await.transpose().map_err(|error| lost(&error))? else {
            return Ok(None);
        };
        // An error here is one of the stream, and the next poll tells it.
        let _ = body.flow_control().release_capacity(data.len());
        Ok(Some(data))
    }

    /// What follows the answer's body.
    #[cfg(feature = "grpc")]
    pub(crate) async fn trailers(&mut self) -> Result<Option<http::HeaderMap>, Outcome> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let trailers = poll_fn(|cx| {
            self.upload.poll(cx);
            body.poll_trailers(cx)
        });
        trailers.await.map_err(|error| lost(&error))
    }
}

/// The outcome of a call whose stream or connection failed.
fn lost(error: &h2::Error) -> Outcome {
    if let Some(failure) = error.get_io().and_then(refusal) {
        return Outcome::retry(failure);
    }
    let text = error.to_string();
    if error.is_reset() && error.is_library() {
        // We ended the stream ourselves, because the answer broke the protocol or our limit on headers and trailers.
        // The connection is fine; the same request would get the same answer.
        return Outcome::Permanent(Failure::with_unknown_outcome(FailureKind::Protocol, text));
    }
    Outcome::retry(match error.reason() {
        // RFC 9113 sections 6.8 and 8.7: not processed in any way.
        Some(Reason::REFUSED_STREAM) => Failure::new(FailureKind::Refused, text),
        _ if error.is_go_away() && error.is_remote() => Failure::new(FailureKind::Refused, text),
        // Whoever is at the other end does not speak HTTP/2.
        _ if error.is_go_away() => Failure::with_unknown_outcome(FailureKind::Protocol, text),
        _ => Failure::with_unknown_outcome(FailureKind::Reset, text),
    })
}
