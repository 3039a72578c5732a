//! Where a codec writes to: blocks of pooled memory that become pieces.

use aqueduct_pool::{BufferPool, BufferPoolConfig};
use bytes::Bytes;

/// Size of a block in bytes. Four HTTP/2 data frames of the default size.
pub(super) const BLOCK: usize = 64 << 10;

/// So much memory the pool of a compressor keeps; what is needed beyond comes from the allocator and goes back to it.
const POOLED: usize = 4 << 20;

/// The part of a block that may be left empty: an eighth. Where more would be, the bytes are copied into memory of their size.
const SPARE: usize = 8;

/// The pool that a compressor writes to. Without magazines: what is taken here is given back by whoever sent it.
pub(super) fn pool() -> BufferPool {
    BufferPool::new(BufferPoolConfig::default().with_max_bytes(POOLED).with_magazine_bytes(0))
}

/// The pieces of a body that is no use beyond a limit.
#[derive(Debug)]
pub(super) struct Output<'a> {
    pool: &'a BufferPool,
    pieces: Vec<Bytes>,
    len: usize,
    held: usize,
    limit: usize,
}

impl<'a> Output<'a> {
    pub(super) fn new(pool: &'a BufferPool, limit: usize) -> Self {
        Self { pool, pieces: Vec::new(), len: 0, held: 0, limit }
    }

    /// To be called after every write to the codec's block, which is empty after it has become full. `None` once the limit is passed.
    pub(super) fn written(&mut self, block: &mut Vec<u8>) -> Option<()> {
        if self.len + block.len() > self.limit {
            return None;
        }
        if block.len() >= BLOCK {
            self.keep(block);
        }
        Some(())
    }

    fn keep(&mut self, block: &mut Vec<u8>) {
        let mut piece = self.pool.take(block.len());
        let (piece, held) = if piece.capacity() - block.len() <= block.len() / SPARE {
            piece.extend_from_slice(block);
            let held = piece.capacity();
            (piece.freeze(), held)
        } else {
            (Bytes::copy_from_slice(block), block.len())
        };
        self.len += block.len();
        self.held += held;
        self.pieces.push(piece);
        block.clear();
    }

    /// The pieces, with what is left in the codec's block, and how many bytes they keep allocated.
    pub(super) fn finish(mut self, block: &mut Vec<u8>) -> (Vec<Bytes>, usize) {
        if !block.is_empty() {
            self.keep(block);
        }
        (self.pieces, self.held)
    }
}
