//! The body of an answer while it arrives.

use bytes::{Bytes, BytesMut};

use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;

/// The pieces so far, at most `limit` bytes. An answer is almost always one piece, and then there is nothing to copy.
#[derive(Debug)]
pub(super) struct Gather {
    first: Bytes,
    all: BytesMut,
    limit: usize,
}

impl Gather {
    pub(super) fn new(limit: usize) -> Self {
        Self { first: Bytes::new(), all: BytesMut::new(), limit }
    }

    pub(super) fn push(&mut self, data: Bytes) -> Result<(), Outcome> {
        if data.len() > self.limit - self.first.len().max(self.all.len()) {
            let message = format!("more than {} bytes", self.limit);
            let failure = Failure::with_unknown_outcome(FailureKind::ResponseTooLarge, message);
            return Err(Outcome::Permanent(failure));
        }
        if self.first.is_empty() && self.all.is_empty() {
            self.first = data;
        } else {
            if self.all.is_empty() {
                self.all.extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.all.extend_from_slice(&data);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}
