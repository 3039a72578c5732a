//! What a request is answered, before it is put into gRPC or HTTP.

use crate::accept::{Accept, Answer, Incoming, Reply};
use crate::refusal::{Refusal, http_status};
use crate::stats::{RefuseReason, SignalSnapshot, Tally};
use aqueduct_wire::rpc::{Code, ExportResponse, Status, health::ServingStatus};
use aqueduct_wire::{Chunk, Signal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

#[derive(Debug)]
pub(crate) enum Said {
    /// Success, and nothing to add.
    Full,
    Partial(ExportResponse),
    Health(ServingStatus),
    Failed(Failure),
    /// An HTTP answer in whatever protocol.
    Raw {
        status: u16,
        retry_after: Option<Duration>,
        message: String,
    },
    Disconnect,
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    pub(crate) http: u16,
    /// Decides over headers that explain more: `allow`, `accept-encoding`.
    pub(crate) reason: RefuseReason,
    /// Said by HTTP even to a gRPC client.
    pub(crate) below_grpc: bool,
}

impl From<Refusal> for Said {
    fn from(refusal: Refusal) -> Said {
        Said::Failed(Failure {
            status: refusal.status(),
            http: refusal.http_status(),
            reason: refusal.reason,
            below_grpc: refusal.is_below_grpc(),
        })
    }
}

/// An accepted chunk's share in the statistics, should it be taken.
pub(crate) fn share(chunk: &Chunk, wire_bytes: usize) -> SignalSnapshot {
    SignalSnapshot {
        requests: 1,
        items: chunk.items(),
        rejected_items: 0,
        wire_bytes: wire_bytes as u64,
        bytes: chunk.len() as u64,
    }
}

/// Hands a request to the handler. A panic is an answer too.
pub(crate) fn offer(handler: &dyn Accept, incoming: Incoming) -> Result<Reply, Refusal> {
    // The handler is `Sync` and gets the request by value: what it leaves half done is its own.
    catch_unwind(AssertUnwindSafe(|| handler.accept(incoming))).map_err(|_| panicked())
}

pub(crate) fn panicked() -> Refusal {
    Refusal::new(RefuseReason::Panicked, "internal error")
}

/// Counts an answer and says what it means.
pub(crate) fn settle(tally: &mut Tally, signal: Signal, mut share: SignalSnapshot, answer: Answer) -> Said {
    match answer {
        Answer::Accepted => {
            tally.accepted(signal, share);
            Said::Full
        }
        Answer::Partial { rejected, message } => {
            share.rejected_items = rejected;
            tally.accepted(signal, share);
            Said::Partial(ExportResponse { rejected, message })
        }
        Answer::Overloaded { retry_after } => {
            tally.refuse(RefuseReason::Overloaded);
            Refusal::overload(RefuseReason::Overloaded, "overloaded, try again later", retry_after).into()
        }
        Answer::Status(status) if status.code == Code::Ok => {
            tally.accepted(signal, share);
            Said::Full
        }
        Answer::Status(status) => {
            tally.refuse(RefuseReason::Rejected);
            let http = http_status(&status);
            Said::Failed(Failure { status, http, reason: RefuseReason::Rejected, below_grpc: false })
        }
        Answer::Http { status, retry_after, message } => {
            tally.refuse(RefuseReason::Rejected);
            let status = if (200..=999).contains(&status) { status } else { 500 };
            Said::Raw { status, retry_after, message }
        }
        Answer::Disconnect => {
            tally.refuse(RefuseReason::Rejected);
            Said::Disconnect
        }
    }
}

/// `Retry-After` in seconds: rounded up, so that nobody comes too early, and at least 1 (RFC 9110, 10.2.3 allows 0,
/// which clients take for "at once").
pub(crate) fn retry_after_seconds(delay: Duration) -> u64 {
    delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0)).max(1)
}
