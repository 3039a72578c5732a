//! One call on one stream.

use std::future::{Future, poll_fn};
use std::pin::Pin;

use h2::Reason;
use h2::client::ResponseFuture;

use super::Answer;
use super::upload::Upload;
use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;

/// Sends the rest of the body while waiting for the answer, and reads the answer: a server may answer before it has
/// read everything, and it may announce an answer long before it ends it.
pub(super) async fn exchange(
    mut response: ResponseFuture,
    mut upload: Upload<'_>,
    limit: usize,
) -> (Outcome, Option<String>) {
    let head = poll_fn(|cx| {
        upload.poll(cx);
        Pin::new(&mut response).poll(cx)
    });
    let (head, mut body) = match head.await {
        Ok(response) => response.into_parts(),
        Err(error) => return (lost(&error), None),
    };
    let mut answer = Answer::new(head.status, head.headers, limit);
    if let Some(outcome) = answer.decided_by_head() {
        return (outcome, None);
    }
    loop {
        let data = poll_fn(|cx| {
            upload.poll(cx);
            body.poll_data(cx)
        });
        match data.await {
            None => break,
            Some(Err(error)) => return (lost(&error), None),
            Some(Ok(data)) => {
                // An error here is one of the stream, and the next poll tells it.
                let _ = body.flow_control().release_capacity(data.len());
                if let Err(outcome) = answer.push(data) {
                    return (outcome, None);
                }
            }
        }
    }
    let trailers = poll_fn(|cx| {
        upload.poll(cx);
        body.poll_trailers(cx)
    });
    match trailers.await {
        Ok(trailers) => answer.finish(trailers),
        Err(error) => (lost(&error), None),
    }
}

/// The outcome of a call whose stream or connection failed.
fn lost(error: &h2::Error) -> Outcome {
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
