//! Inflating bodies, with a bound on what comes out.
//!
//! Output grows by doubling, each step reserved in the budget first, so that a bomb costs what it inflates to
//! up to the limit and no more. Contexts are kept per thread: setting one up costs more than inflating a small request.

use crate::head::Encoding;
use crate::held::{Held, into_bytes, too_large};
use crate::refusal::Refusal;
use crate::stats::RefuseReason;
use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};
use std::cell::RefCell;

/// Inflates `input`. On return `held` has grown by what the result holds.
pub(crate) fn inflate(
    encoding: Encoding,
    input: &[u8],
    limit: usize,
    held: &mut Held,
) -> Result<Bytes, Refusal> {
    let mut output = Output { buffer: Vec::new(), len: 0, limit, held };
    match encoding {
        Encoding::Identity => return Ok(Bytes::copy_from_slice(input)),
        Encoding::Gzip => gunzip(input, &mut output)?,
        #[cfg(feature = "zstd")]
        Encoding::Zstd => unzstd(input, &mut output)?,
    }
    Ok(output.finish())
}

/// First guess of the inflated size: telemetry shrinks 5 to 10 times.
const USUAL_RATIO: usize = 10;
/// A size that the data itself announces is believed up to this ratio.
const PLAUSIBLE_RATIO: usize = 64;
const SMALLEST: usize = 4096;

struct Output<'a> {
    /// Zeroed up to its length, which is its capacity.
    buffer: Vec<u8>,
    /// How much of it is written.
    len: usize,
    limit: usize,
    held: &'a mut Held,
}

impl Output<'_> {
    /// Makes the first room, of the announced size if that is plausible.
    fn start(&mut self, input: usize, announced: Option<usize>) -> Result<(), Refusal> {
        let plausible = announced.filter(|&size| size <= input.saturating_mul(PLAUSIBLE_RATIO).max(SMALLEST));
        self.resize(plausible.unwrap_or(input.saturating_mul(USUAL_RATIO)).max(SMALLEST))
    }

    /// Room to write in, at least one byte.
    fn room(&mut self) -> Result<&mut [u8], Refusal> {
        if self.len == self.buffer.len() {
            self.resize(self.buffer.len() * 2)?;
        }
        Ok(&mut self.buffer[self.len..])
    }

    /// One byte more than the limit is allowed for, so that an output of exactly the limit is told from a longer one.
    fn resize(&mut self, size: usize) -> Result<(), Refusal> {
        let size = size.min(self.limit + 1);
        let more = size - self.buffer.len();
        if more == 0 {
            return Err(too_large(self.limit));
        }
        self.held.grow(more)?;
        self.buffer.reserve_exact(more);
        self.buffer.resize(size, 0);
        Ok(())
    }

    fn wrote(&mut self, count: usize) -> Result<(), Refusal> {
        self.len += count;
        if self.len > self.limit { Err(too_large(self.limit)) } else { Ok(()) }
    }

    fn finish(mut self) -> Bytes {
        self.buffer.truncate(self.len);
        into_bytes(self.buffer, self.held)
    }
}

fn corrupt(encoding: &'static str, detail: &'static str) -> Refusal {
    Refusal::new(RefuseReason::Inflate, format!("the body is not valid {encoding}: {detail}"))
}

thread_local! {
    static GUNZIP: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

/// Reads one or more gzip members (RFC 1952, 2.2) up to the end of the input.
fn gunzip(mut input: &[u8], output: &mut Output<'_>) -> Result<(), Refusal> {
    // Taken out rather than borrowed: the context is simply made anew if this thread should ever be in here twice.
    let mut context =
        GUNZIP.with(|kept| kept.borrow_mut().take()).unwrap_or_else(|| Decompress::new_gzip(15));
    // The last four bytes are the size of the last member, nearly always the only one.
    let announced = input.last_chunk().map(|size| u32::from_le_bytes(*size) as usize);
    // The spare byte lets the end of the stream be seen without another round.
    output.start(input.len(), announced.map(|size| size.saturating_add(1)))?;
    context.reset(true);
    loop {
        let (read, written) = (context.total_in(), context.total_out());
        let status = context.decompress(input, output.room()?, FlushDecompress::None);
        let status = status.map_err(|_| corrupt("gzip", "corrupt data"))?;
        let read = (context.total_in() - read) as usize;
        let written = (context.total_out() - written) as usize;
        input = &input[read..];
        output.wrote(written)?;
        match status {
            Status::StreamEnd if input.is_empty() => break,
            Status::StreamEnd => context.reset(true),
            Status::Ok | Status::BufError if read == 0 && written == 0 => {
                return Err(corrupt("gzip", "the data ends too early"));
            }
            Status::Ok | Status::BufError => {}
        }
    }
    GUNZIP.with(|kept| *kept.borrow_mut() = Some(context));
    Ok(())
}

#[cfg(feature = "zstd")]
use zstd::zstd_safe::{self, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

#[cfg(feature = "zstd")]
thread_local! {
    static UNZSTD: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// RFC 9659: a decoder needs no window larger than 8 MiB, and an encoder for the web must not ask for one.
#[cfg(feature = "zstd")]
const WINDOW_LOG_MAX: u32 = 23;
/// A context that grew beyond this for a large window is not kept.
#[cfg(feature = "zstd")]
const KEPT_CONTEXT: usize = 1 << 20;

/// Reads one or more zstd frames (RFC 8878, 3) up to the end of the input.
#[cfg(feature = "zstd")]
fn unzstd(input: &[u8], output: &mut Output<'_>) -> Result<(), Refusal> {
    let fault = |code| corrupt("zstd", zstd_safe::get_error_name(code));
    let mut context = match UNZSTD.with(|kept| kept.borrow_mut().take()) {
        Some(context) => context,
        None => {
            let mut context = DCtx::create();
            context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(fault)?;
            context
        }
    };
    let announced = zstd_safe::get_frame_content_size(input).ok().flatten();
    output.start(input.len(), announced.and_then(|size| usize::try_from(size).ok()))?;
    context.reset(ResetDirective::SessionOnly).map_err(fault)?;
    let mut input = InBuffer::around(input);
    loop {
        let read = input.pos();
        let room = output.room()?;
        let size = room.len();
        let mut written = OutBuffer::around(room);
        // 0 at the end of a frame.
        let more = context.decompress_stream(&mut written, &mut input).map_err(fault)?;
        let written = written.pos();
        output.wrote(written)?;
        let consumed = input.pos() == input.src.len();
        if more == 0 && consumed {
            break;
        }
        if more != 0 && ((consumed && written < size) || (written == 0 && input.pos() == read)) {
            return Err(corrupt("zstd", "the data ends too early"));
        }
    }
    if context.sizeof() <= KEPT_CONTEXT {
        UNZSTD.with(|kept| *kept.borrow_mut() = Some(context));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
