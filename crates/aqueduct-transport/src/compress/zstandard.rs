//! Zstandard over libzstd.

use std::io;

use bytes::Bytes;
use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};

use super::output::{BLOCK, Output};

/// A compression context that writes one frame per body.
pub(super) struct Zstd {
    context: Encoder<'static>,
    /// What is not in the output yet.
    block: Vec<u8>,
}

impl Zstd {
    /// `level` is from -7 to 19; the window stays within the 8 MiB that every decoder must have.
    pub(super) fn new(level: i32) -> io::Result<Self> {
        Ok(Self { context: Encoder::new(level)?, block: Vec::with_capacity(BLOCK) })
    }

    /// One frame of all pieces, `len` bytes together, or `None` if it would be larger than the output takes.
    pub(super) fn compress(
        &mut self,
        pieces: &[Bytes],
        len: usize,
        mut output: Output<'_>,
    ) -> Option<(Vec<Bytes>, usize)> {
        self.context.reinit().ok()?;
        // Lets libzstd choose tables that fit a small body, and the receiver allocate once.
        self.context.set_pledged_src_size(Some(len as u64)).ok()?;
        self.block.clear();
        for piece in pieces {
            let mut input = InBuffer::around(piece);
            while input.pos() < piece.len() {
                let written = self.block.len();
                self.context.run(&mut input, &mut OutBuffer::around_pos(&mut self.block, written)).ok()?;
                output.written(&mut self.block)?;
            }
        }
        loop {
            let written = self.block.len();
            let left =
                self.context.finish(&mut OutBuffer::around_pos(&mut self.block, written), true).ok()?;
            output.written(&mut self.block)?;
            if left == 0 {
                return Some(output.finish(&mut self.block));
            }
        }
    }
}
