//! One request on an HTTP/2 connection.

use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, StatusCode, Version};

use super::answer::{failed_by_head, outcome};
use super::gather::Gather;
use crate::client::Progress;
use crate::connect::refusal;
use crate::failure::Failure;
use crate::http2::{Call, Connection};
use crate::outcome::Outcome;
use crate::request::Request;

/// One request, with a head that has the full URL and all headers. An error if the connection had ended before, so that
/// the same may be done again elsewhere; with a failure if the peer refused to go on.
pub(super) async fn exchange(
    connection: &Connection,
    mut head: http::Request<()>,
    request: &Request,
    progress: &Progress,
    max_response_bytes: usize,
) -> Result<(Outcome, Option<String>), Option<Failure>> {
    *head.version_mut() = Version::HTTP_2;
    head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(request.len()));
    let refused = |error: h2::Error| error.get_io().and_then(refusal);
    let mut call = Call::open(connection, head, &[], request).await.map_err(refused)?;
    progress.started(&connection.standing);
    let head = match call.head().await {
        Ok(head) => head,
        Err(outcome) => return Ok((outcome, None)),
    };
    let verdict = failed_by_head(head.status, &head.headers);
    if let Some(verdict) = verdict.clone() {
        let _ = progress.verdict.set(verdict);
    }
    Ok(read(&mut call, head.status, &head.headers, max_response_bytes).await.unwrap_or_else(|cut_off| {
        // A response that is too large is permanent, whatever its head says; one that is lost leaves the head.
        let verdict = verdict.filter(|_| matches!(cut_off, Outcome::Retry { .. }));
        (verdict.unwrap_or(cut_off), None)
    }))
}

async fn read(
    call: &mut Call<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    limit: usize,
) -> Result<(Outcome, Option<String>), Outcome> {
    let mut gather = Gather::new(limit);
    while let Some(data) = call.data().await? {
        gather.push(data)?;
    }
    Ok(outcome(status, headers, &gather.finish()))
}
