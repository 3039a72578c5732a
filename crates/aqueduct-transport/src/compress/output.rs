//! Where a codec writes to: blocks that become pieces.

use bytes::Bytes;

/// Size of a block in bytes. Four HTTP/2 data frames of the default size; small enough that the part of the last one
/// that is not needed is cheap to leave behind by copying what is.
const BLOCK: usize = 64 << 10;

/// A list of full blocks and one that is being filled, which stays with the codec's context: a body that compresses to
/// less than a block costs one allocation of exactly its size.
#[derive(Debug)]
pub(super) struct Output {
    current: Vec<u8>,
    full: Vec<Bytes>,
    len: usize,
    limit: usize,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { current: Vec::with_capacity(BLOCK), full: Vec::new(), len: 0, limit: 0 }
    }

    /// Starts anew, for a body that is no use beyond `limit` bytes.
    pub(super) fn start(&mut self, limit: usize) {
        self.current.clear();
        self.full.clear();
        self.len = 0;
        self.limit = limit;
    }

    /// The block to write to, never full.
    pub(super) const fn block(&mut self) -> &mut Vec<u8> {
        &mut self.current
    }

    /// To be called after every write. `None` once the limit is passed.
    pub(super) fn written(&mut self) -> Option<()> {
        if self.current.len() == self.current.capacity() {
            self.len += self.current.len();
            let block = std::mem::replace(&mut self.current, Vec::with_capacity(BLOCK));
            self.full.push(Bytes::from(block));
        }
        (self.len + self.current.len() <= self.limit).then_some(())
    }

    /// The pieces and how many bytes they keep allocated.
    pub(super) fn finish(&mut self) -> (Vec<Bytes>, usize) {
        let mut pieces = std::mem::take(&mut self.full);
        if !self.current.is_empty() {
            self.len += self.current.len();
            pieces.push(Bytes::copy_from_slice(&self.current));
        }
        (pieces, self.len)
    }
}
