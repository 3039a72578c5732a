//! A batch that a lane holds, in whatever form.

use std::sync::Arc;
use std::time::Instant;

use aqueduct_metrics::Receipt;
use aqueduct_transport::{Encoding, Format, Request};
use aqueduct_wire::Merged;

use crate::config::Priority;
use crate::halve::Rest;

/// A batch with its receipt.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: u64,
    /// The id of the batch as it was sealed: of which this is a part, or its own.
    pub(crate) batch: u64,
    pub(crate) content: Content,
    pub(crate) receipt: Receipt,
    pub(crate) charged: u64,
    pub(crate) times: Times,
    pub(crate) attempts: u32,
    /// Whether it was made of one that the destination has refused.
    pub(crate) part: bool,
    /// Whether it was found worth a try to compress it, once.
    pub(crate) squeezed: bool,
    pub(crate) priority: Priority,
}

impl Held {
    /// Whether sending it is no retry. Parts of what was tried are new requests.
    pub(crate) fn is_untried(&self) -> bool {
        self.attempts == 0 || matches!(self.content, Content::Rest(_))
    }

    /// Bytes of it when it is not compressed.
    pub(crate) fn whole(&self) -> u64 {
        self.content.len() as u64
    }

    /// Whether it is to be made smaller before it is sent.
    pub(crate) fn exceeds(&self, limit: usize) -> bool {
        match &self.content {
            Content::Rest(_) => true,
            // It is as it was, which may be good enough; that it will be sent is certain.
            Content::Prepared(..) | Content::Whole(_) | Content::Squeezed { tried: true, .. } => false,
            Content::Merged(_) | Content::Squeezed { tried: false, .. } => {
                self.content.len() > limit && self.receipt.items() > 1
            }
        }
    }
}

/// When a batch began and ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The first of it was offered.
    pub(crate) opened: Instant,
    pub(crate) sealed: Instant,
}

/// The bytes of a batch: charged to the budget until it has settled.
#[derive(Debug)]
pub(crate) enum Content {
    /// As merged.
    Merged(Merged),
    /// As merged, and cannot be made smaller.
    Whole(Merged),
    /// As sent, and as merged, in case it has to be made smaller.
    Prepared(Arc<Request>, Merged),
    /// Compressed, and nothing else: a batch can be made of it again. `tried`: as it was sent.
    Squeezed { frame: Arc<Request>, tried: bool },
    /// Of which parts are being made.
    Rest(Box<Rest>),
}

/// What an attempt begins with.
#[derive(Clone, Debug)]
pub(crate) enum Ready {
    /// To be prepared.
    Batch(Merged),
    /// To be inflated, and prepared.
    Frame(Arc<Request>),
    /// To be sent.
    Request(Arc<Request>),
}

/// Whether a batch can be kept as this alone: it is compressed, and what it inflates to is a batch.
fn is_frame(request: &Request) -> bool {
    request.encoding() != Encoding::Identity && request.format() == Format::Protobuf
}

impl Content {
    /// What is to be sent, if it is not the rest of something. `speaks`: whether frames in this encoding may be sent as they are.
    pub(crate) fn ready(&self, speaks: impl Fn(Encoding) -> bool) -> Option<Ready> {
        match self {
            Content::Merged(merged) | Content::Whole(merged) => Some(Ready::Batch(merged.clone())),
            Content::Prepared(request, _) => Some(Ready::Request(Arc::clone(request))),
            Content::Squeezed { frame, tried } if *tried || speaks(frame.encoding()) => {
                Some(Ready::Request(Arc::clone(frame)))
            }
            Content::Squeezed { frame, .. } => Some(Ready::Frame(Arc::clone(frame))),
            Content::Rest(_) => None,
        }
    }

    /// The same, once it was prepared.
    pub(crate) fn prepared(self, request: Arc<Request>) -> Content {
        match self {
            Content::Merged(merged) | Content::Whole(merged) | Content::Prepared(_, merged) => {
                Content::Prepared(request, merged)
            }
            Content::Squeezed { frame, .. } => {
                if is_frame(&request) {
                    return Content::Squeezed { frame: request, tried: true };
                }
                let source = if request.format() == Format::Protobuf { &request } else { &frame };
                match source.to_batch() {
                    Ok(batch) => Content::Prepared(request, batch),
                    Err(_) => Content::Squeezed { frame: request, tried: true },
                }
            }
            rest @ Content::Rest(_) => rest,
        }
    }

    /// The same, after an attempt that is to be repeated: what was inflated for it stays as it was kept.
    pub(crate) fn tried(self, request: Arc<Request>) -> Content {
        match self {
            Content::Squeezed { .. } if !is_frame(&request) => self,
            content => content.prepared(request),
        }
    }

    /// The same, to be kept for a while: what was compressed to be sent is not kept as merged, too.
    pub(crate) fn kept(self) -> Content {
        match self {
            Content::Prepared(frame, _) if is_frame(&frame) => Content::Squeezed { frame, tried: true },
            content => content,
        }
    }

    /// The batch as it can be compressed to be kept, if it is not.
    pub(crate) fn loose(&self) -> Option<&Merged> {
        match self {
            Content::Merged(merged) | Content::Whole(merged) => Some(merged),
            Content::Prepared(request, merged) if request.encoding() == Encoding::Identity => Some(merged),
            Content::Prepared(..) | Content::Squeezed { .. } | Content::Rest(_) => None,
        }
    }

    /// Bytes before compression; nothing of the rest of something.
    pub(crate) fn len(&self) -> usize {
        match self {
            Content::Merged(merged) | Content::Whole(merged) | Content::Prepared(_, merged) => merged.len(),
            Content::Squeezed { frame, .. } => frame.uncompressed_len(),
            Content::Rest(_) => 0,
        }
    }

    /// Bytes that it keeps allocated for itself, if that is known better than by what was charged for it.
    pub(crate) fn held_bytes(&self) -> Option<u64> {
        match self {
            Content::Squeezed { frame, .. } => Some(frame.held_bytes() as u64),
            _ => None,
        }
    }

    /// As merged; inflated if need be. `None` for the rest of something.
    pub(crate) fn batch(&self) -> Option<Merged> {
        match self {
            Content::Merged(merged) | Content::Whole(merged) | Content::Prepared(_, merged) => {
                Some(merged.clone())
            }
            // It was made here, so that it inflates is certain; if it did not, it would be treated as what cannot be divided.
            Content::Squeezed { frame, .. } => frame.to_batch().ok(),
            Content::Rest(_) => None,
        }
    }
}
