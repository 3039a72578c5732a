//! Compression of request bodies: contexts made once and used again, pieces in, pieces out.

mod analyzer;
#[cfg(feature = "gzip")]
mod gzip;
mod inflate;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod output;
#[cfg(feature = "zstd")]
mod zstandard;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use analyzer::{CompressionAnalyzer, CompressionReport, CompressionRow};
pub use inflate::InflateError;

use crate::config::Compression;
use crate::error::ConfigError;
use crate::request::{Encoding, Request};

/// What compression cost and brought. All counts are since the client or the compressor was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompressionStats {
    /// Bodies that were compressed and sent so.
    pub compressed: u64,
    /// Bodies that did not get smaller and were sent plain; their cost is counted, too.
    pub plain: u64,
    /// Bytes that went in.
    pub bytes_in: u64,
    /// Bytes that came out, plain bodies at their own size.
    pub bytes_out: u64,
    /// Time spent, summed over threads.
    pub time: Duration,
}

impl CompressionStats {
    /// How many times smaller bodies became: 4 means a quarter of the bytes. 1 before the first.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.bytes_out == 0 { 1.0 } else { self.bytes_in as f64 / self.bytes_out as f64 }
    }

    /// Bytes saved, in percent of what went in.
    #[must_use]
    pub fn savings_percent(&self) -> f64 {
        if self.bytes_in == 0 { 0.0 } else { 100.0 - 100.0 * self.bytes_out as f64 / self.bytes_in as f64 }
    }

    /// Nanoseconds for each byte that went in.
    #[must_use]
    pub fn ns_per_byte(&self) -> f64 {
        if self.bytes_in == 0 { 0.0 } else { self.time.as_nanos() as f64 / self.bytes_in as f64 }
    }
}

/// A codec with its contexts, which are used again: a context is some hundred KiB of tables that take longer to set up
/// than a small body takes to compress. Any number of threads may compress at once; up to four contexts are kept idle.
///
/// # Examples
///
/// ```
/// use aqueduct_transport::{Compression, Compressor, Encoding, Request};
/// use aqueduct_wire::{Chunk, Merged, Signal};
///
/// let batch = Merged::from_chunk(Chunk::from_valid(Signal::Logs, 0, b"\x0a\x00".repeat(500).into()));
/// let compressor = Compressor::new(Compression::Zstd(1))?;
/// let request = compressor.compress(Request::plain(&batch));
/// assert_eq!(request.encoding(), Encoding::Zstd);
/// assert!(request.len() < 50);
/// assert_eq!(request.to_batch()?.to_bytes(), batch.to_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Compressor {
    /// The codec, and contexts of it that nobody uses.
    idle: Mutex<Idle>,
    /// What is sent is written here.
    #[cfg(any(feature = "gzip", feature = "zstd"))]
    blocks: aqueduct_pool::BufferPool,
    compressed: AtomicU64,
    plain: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    nanos: AtomicU64,
}

struct Idle {
    codec: Compression,
    contexts: Vec<Context>,
}

/// More idle contexts than this are freed: a burst of concurrent prepares shall not pin its memory for ever.
const MAX_IDLE: usize = 4;

enum Context {
    #[cfg(feature = "gzip")]
    Gzip(gzip::Gzip),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstandard::Zstd>),
}

/// Checks the level, and that this build knows the codec.
fn check(codec: Compression) -> Result<(), ConfigError> {
    let range = |codec, level, lowest, highest| match (lowest..=highest).contains(&level) {
        true => Ok(()),
        false => Err(ConfigError::Level { codec, level, lowest, highest }),
    };
    let missing = match codec {
        Compression::None => None,
        Compression::Gzip(level) => {
            range("gzip", level.into(), 0, 9)?;
            (!cfg!(feature = "gzip")).then_some("gzip")
        }
        Compression::Zstd(level) => {
            range("zstd", level.into(), -7, 19)?;
            (!cfg!(feature = "zstd")).then_some("zstd")
        }
    };
    missing.map_or(Ok(()), |feature| Err(ConfigError::FeatureMissing { feature }))
}

impl Compressor {
    /// A compressor without contexts; they are made when they are needed.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: the level is outside the codec's range, or this build does not know the codec.
    pub fn new(codec: Compression) -> Result<Self, ConfigError> {
        check(codec)?;
        Ok(Self {
            idle: Mutex::new(Idle { codec, contexts: Vec::new() }),
            #[cfg(any(feature = "gzip", feature = "zstd"))]
            blocks: output::pool(),
            compressed: AtomicU64::new(0),
            plain: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
        })
    }

    /// The codec in use.
    #[must_use]
    pub fn codec(&self) -> Compression {
        self.idle().codec
    }

    /// Uses this codec from now on. Requests that are compressed already stay as they are, the figures go on.
    ///
    /// # Errors
    ///
    /// As [`Compressor::new`]; then nothing has changed.
    pub fn set_codec(&self, codec: Compression) -> Result<(), ConfigError> {
        check(codec)?;
        let mut idle = self.idle();
        if idle.codec != codec {
            *idle = Idle { codec, contexts: Vec::new() };
        }
        Ok(())
    }

    /// The request compressed, or as it is if that is not smaller, or if it is compressed already.
    #[must_use]
    pub fn compress(&self, request: Request) -> Request {
        if request.is_empty() || request.encoding() != Encoding::Identity {
            return request;
        }
        let Some((codec, context)) = self.take() else { return request };
        let started = Instant::now();
        let len = request.len();
        let request = match context {
            Some(mut context) => {
                let request = self.run(&mut context, request);
                self.put(codec, context);
                request
            }
            None => request,
        };
        let counter = if request.encoding() == Encoding::Identity { &self.plain } else { &self.compressed };
        counter.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(len as u64, Ordering::Relaxed);
        self.bytes_out.fetch_add(request.len() as u64, Ordering::Relaxed);
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        request
    }

    /// What it cost and brought, over all codecs it had.
    #[must_use]
    pub fn stats(&self) -> CompressionStats {
        CompressionStats {
            compressed: self.compressed.load(Ordering::Relaxed),
            plain: self.plain.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // Every write is of whole values.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The codec, with an idle context of it or a new one; without a context if zstd has no memory for a new one: the body goes plain then. `None` if there is
    /// nothing to be done.
    fn take(&self) -> Option<(Compression, Option<Context>)> {
        let mut idle = self.idle();
        let codec = idle.codec;
        if let Some(context) = idle.contexts.pop() {
            return Some((codec, Some(context)));
        }
        drop(idle);
        match codec {
            #[cfg(feature = "gzip")]
            Compression::Gzip(level) => Some((codec, Some(Context::Gzip(gzip::Gzip::new(level))))),
            #[cfg(feature = "zstd")]
            Compression::Zstd(level) => {
                let context = zstandard::Zstd::new(level).ok();
                Some((codec, context.map(|zstd| Context::Zstd(Box::new(zstd)))))
            }
            _ => None,
        }
    }

    fn put(&self, codec: Compression, context: Context) {
        let mut idle = self.idle();
        if idle.codec == codec && idle.contexts.len() < MAX_IDLE {
            idle.contexts.push(context);
        }
    }

    #[cfg_attr(
        not(any(feature = "gzip", feature = "zstd")),
        allow(clippy::unused_self, reason = "there is no codec")
    )]
    fn run(&self, context: &mut Context, request: Request) -> Request {
        #[cfg(any(feature = "gzip", feature = "zstd"))]
        {
            // Not smaller is not worth the peer's time to inflate it.
            let output = output::Output::new(&self.blocks, request.len() - 1);
            let (encoding, output) = match context {
                #[cfg(feature = "gzip")]
                Context::Gzip(gzip) => (Encoding::Gzip, gzip.compress(request.pieces(), output)),
                #[cfg(feature = "zstd")]
                Context::Zstd(zstd) => {
                    (Encoding::Zstd, zstd.compress(request.pieces(), request.len(), output))
                }
            };
            match output {
                Some((pieces, held)) => request.compressed(encoding, pieces, held),
                None => request,
            }
        }
        #[cfg(not(any(feature = "gzip", feature = "zstd")))]
        {
            let _ = context;
            request
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("codec", &self.codec())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "gzip", feature = "zstd"))]
mod tests;
