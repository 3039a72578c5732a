//! gzip over zlib-rs.

use bytes::Bytes;
use flate2::{Compress, FlushCompress, Status};

use super::output::{BLOCK, Output};

/// A deflate context that writes gzip members.
pub(super) struct Gzip {
    context: Compress,
    /// What is not in the output yet.
    block: Vec<u8>,
}

/// 32 KiB, the window that every decoder has.
const WINDOW_BITS: u8 = 15;

impl Gzip {
    /// `level` is from 0 to 9.
    pub(super) fn new(level: u32) -> Self {
        Self {
            context: Compress::new_gzip(flate2::Compression::new(level), WINDOW_BITS),
            block: Vec::with_capacity(BLOCK),
        }
    }

    /// One gzip member of all pieces, or `None` if it would be larger than the output takes.
    pub(super) fn compress(
        &mut self,
        pieces: &[Bytes],
        mut output: Output<'_>,
    ) -> Option<(Vec<Bytes>, usize)> {
        self.context.reset();
        self.block.clear();
        for piece in pieces {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let before = self.context.total_in();
                self.context.compress_vec(rest, &mut self.block, FlushCompress::None).ok()?;
                // What was consumed is part of `rest`, so it fits a usize.
                rest = &rest[(self.context.total_in() - before) as usize..];
                output.written(&mut self.block)?;
            }
        }
        loop {
            let status = self.context.compress_vec(&[], &mut self.block, FlushCompress::Finish).ok()?;
            output.written(&mut self.block)?;
            if status == Status::StreamEnd {
                return Some(output.finish(&mut self.block));
            }
        }
    }
}
