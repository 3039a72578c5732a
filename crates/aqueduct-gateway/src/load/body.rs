//! Request bodies: patched, perhaps compressed, and their buffers used again.

use super::payload::{Encoding, Shape, Template};
use aqueduct::wire::grpc;
use bytes::{Bytes, BytesMut};
use flate2::{Compress, Compression, Crc, FlushCompress};
use std::io;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How request bodies are compressed.
///
/// Complete: these are the encodings that OTLP receivers know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoder {
    /// Not at all.
    #[default]
    None,
    /// gzip at level 1.
    Gzip,
    /// zstd at level 1.
    Zstd,
}

impl Encoder {
    /// The name in `grpc-encoding` and `content-encoding`.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// Makes the bodies of one connection.
pub(crate) struct Bodies {
    template: Template,
    codec: Codec,
    /// Buffers that hold the template with the identities of some earlier request.
    spare: Vec<BytesMut>,
    clock: Clock,
}

enum Codec {
    None,
    Gzip(Box<Compress>),
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

impl Bodies {
    pub(crate) fn new(shape: Shape, producer: u32, encoder: Encoder) -> Result<Self, super::LoadError> {
        let codec = match encoder {
            Encoder::None => Codec::None,
            Encoder::Gzip => Codec::Gzip(Box::new(Compress::new(Compression::new(1), false))),
            Encoder::Zstd => Codec::Zstd(Box::new(zstd::bulk::Compressor::new(1)?)),
        };
        Ok(Self { template: Template::new(shape, producer)?, codec, spare: Vec::new(), clock: Clock::new() })
    }

    /// The body of the request whose items begin at sequence `first`.
    pub(crate) fn make(&mut self, first: u64, now: Instant) -> io::Result<Bytes> {
        let mut buffer = self.spare.pop().unwrap_or_else(|| BytesMut::from(self.template.bytes()));
        self.template.patch(&mut buffer, first, self.clock.unix_nanos(now));
        if matches!(self.codec, Codec::None) {
            return Ok(buffer.freeze());
        }
        let framed = self.template.shape().encoding == Encoding::Grpc;
        let skip = if framed { grpc::PREFIX_LEN } else { 0 };
        let mut out = Vec::with_capacity(buffer.len() / 2 + 64);
        out.resize(skip, 0);
        match &mut self.codec {
            Codec::None => {}
            Codec::Gzip(deflate) => gzip(deflate, &buffer[skip..], &mut out)?,
            Codec::Zstd(zstd) => out.extend_from_slice(&zstd.compress(&buffer[skip..])?),
        }
        if framed {
            let len = u32::try_from(out.len() - skip).map_err(io::Error::other)?;
            out[..skip].copy_from_slice(&grpc::prefix(len, true));
        }
        self.spare.push(buffer);
        Ok(out.into())
    }

    /// Takes a body back whose request is over.
    pub(crate) fn recycle(&mut self, body: Bytes) {
        if matches!(self.codec, Codec::None)
            && let Ok(buffer) = body.try_into_mut()
        {
            self.spare.push(buffer);
        }
    }
}

/// Appends a gzip member (RFC 1952), so that the compressor's 300 KB of state need not be made anew per request.
fn gzip(deflate: &mut Compress, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    // Magic, method "deflate", no flags, no time, fastest, unknown system.
    out.extend_from_slice(&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 255]);
    deflate.reset();
    loop {
        out.reserve(plain.len() / 4 + 64);
        let consumed = deflate.total_in() as usize;
        let status = deflate.compress_vec(&plain[consumed..], out, FlushCompress::Finish)?;
        if status == flate2::Status::StreamEnd {
            break;
        }
    }
    let mut crc = Crc::new();
    crc.update(plain);
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    Ok(())
}

/// Wall-clock time from the monotonic clock, so that one reading serves both.
#[derive(Debug)]
struct Clock {
    instant: Instant,
    unix_nanos: u64,
}

impl Clock {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), unix_nanos: since.as_nanos() as u64 }
    }

    fn unix_nanos(&self, now: Instant) -> u64 {
        self.unix_nanos + now.saturating_duration_since(self.instant).as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aqueduct::wire::Signal;
    use std::io::Read;

    /// Guards the hand-written gzip frame: an independent reader must see the patched request.
    #[test]
    fn gzip_and_zstd_carry_the_patched_request() {
        let shape = Shape { signal: Signal::Traces, items: 50, attributes: 10, encoding: Encoding::Grpc };
        let mut plain = Bodies::new(shape, 7, Encoder::None).expect("a template");
        let now = Instant::now();
        plain.clock = Clock { instant: now, unix_nanos: 1_800_000_000_000_000_000 };
        let expected = plain.make(1000, now).expect("a body");
        for encoder in [Encoder::Gzip, Encoder::Zstd] {
            let mut bodies = Bodies::new(shape, 7, encoder).expect("a template");
            bodies.clock = Clock { instant: now, unix_nanos: 1_800_000_000_000_000_000 };
            for _ in 0..3 {
                let body = bodies.make(1000, now).expect("a body");
                assert_eq!(body[0], 1, "the compressed flag");
                assert_eq!(body[1..5], ((body.len() - 5) as u32).to_be_bytes());
                let mut read = Vec::new();
                match encoder {
                    Encoder::Gzip => {
                        flate2::read::GzDecoder::new(&body[5..]).read_to_end(&mut read).expect("valid gzip");
                    }
                    _ => read = zstd::decode_all(&body[5..]).expect("valid zstd"),
                }
                assert_eq!(read, expected[5..]);
                assert!(body.len() < expected.len() / 2);
                bodies.recycle(body);
            }
        }
    }

    /// Guards the cheap path: a body that came back is patched in place, not copied again.
    #[test]
    fn a_returned_buffer_is_used_again() {
        let shape = Shape { signal: Signal::Logs, items: 1, attributes: 10, encoding: Encoding::Protobuf };
        let mut bodies = Bodies::new(shape, 1, Encoder::None).expect("a template");
        let first = bodies.make(0, Instant::now()).expect("a body");
        let at = first.as_ptr();
        bodies.recycle(first);
        let second = bodies.make(1, Instant::now()).expect("a body");
        assert_eq!(second.as_ptr(), at);
    }
}
