//! gzip over zlib-rs.

use bytes::Bytes;
use flate2::{Compress, FlushCompress, Status};

use super::output::Output;

/// A deflate context that writes gzip members.
pub(super) struct Gzip {
    context: Compress,
    output: Output,
}

/// 32 KiB, the window that every decoder has.
const WINDOW_BITS: u8 = 15;

impl Gzip {
    /// `level` is from 0 to 9.
    pub(super) fn new(level: u32) -> Self {
        Self {
            context: Compress::new_gzip(flate2::Compression::new(level), WINDOW_BITS),
            output: Output::new(),
        }
    }

    /// One gzip member of all pieces, or `None` if it would be larger than `limit`.
    pub(super) fn compress(&mut self, pieces: &[Bytes], limit: usize) -> Option<(Vec<Bytes>, usize)> {
        self.context.reset();
        self.output.start(limit);
        for piece in pieces {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let before = self.context.total_in();
                self.context.compress_vec(rest, self.output.block(), FlushCompress::None).ok()?;
                // What was consumed is part of `rest`, so it fits a usize.
                rest = &rest[(self.context.total_in() - before) as usize..];
                self.output.written()?;
            }
        }
        loop {
            let status = self.context.compress_vec(&[], self.output.block(), FlushCompress::Finish).ok()?;
            self.output.written()?;
            if status == Status::StreamEnd {
                return Some(self.output.finish());
            }
        }
    }
}
