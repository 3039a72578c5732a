//! Zstandard over libzstd.

use std::io;

use bytes::Bytes;
use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};

use super::output::Output;

/// A compression context that writes one frame per body.
pub(super) struct Zstd {
    context: Encoder<'static>,
    output: Output,
}

impl Zstd {
    /// `level` is from -7 to 19; the window stays within the 8 MiB that every decoder must have.
    pub(super) fn new(level: i32) -> io::Result<Self> {
        Ok(Self { context: Encoder::new(level)?, output: Output::new() })
    }

    /// One frame of all pieces, `len` bytes together, or `None` if it would be larger than `limit`.
    pub(super) fn compress(
        &mut self,
        pieces: &[Bytes],
        len: usize,
        limit: usize,
    ) -> Option<(Vec<Bytes>, usize)> {
        self.context.reinit().ok()?;
        // Lets libzstd choose tables that fit a small body, and the receiver allocate once.
        self.context.set_pledged_src_size(Some(len as u64)).ok()?;
        self.output.start(limit);
        for piece in pieces {
            let mut input = InBuffer::around(piece);
            while input.pos() < piece.len() {
                let block = self.output.block();
                let written = block.len();
                self.context.run(&mut input, &mut OutBuffer::around_pos(block, written)).ok()?;
                self.output.written()?;
            }
        }
        loop {
            let block = self.output.block();
            let written = block.len();
            let left = self.context.finish(&mut OutBuffer::around_pos(block, written), true).ok()?;
            self.output.written()?;
            if left == 0 {
                return Some(self.output.finish());
            }
        }
    }
}
