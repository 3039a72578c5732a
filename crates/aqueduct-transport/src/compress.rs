//! Compression of request bodies: contexts made once and used again, pieces in, pieces out.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod output;
#[cfg(feature = "zstd")]
mod zstandard;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Compression;
use crate::error::ConfigError;
use crate::request::{Encoding, Request};

/// What compression cost and brought. All counts are since the client was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "CompressionReport")]
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

/// The codec of a client with its idle contexts. A context is some hundred KiB of tables that take longer to set up
/// than a small body takes to compress.
pub(crate) struct Compressors {
    codec: Compression,
    idle: Mutex<Vec<Context>>,
    compressed: AtomicU64,
    plain: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    nanos: AtomicU64,
}

/// More idle contexts than this are freed: a burst of concurrent prepares shall not pin its memory for ever.
const MAX_IDLE: usize = 4;

enum Context {
    #[cfg(feature = "gzip")]
    Gzip(gzip::Gzip),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstandard::Zstd>),
}

impl Compressors {
    /// Checks the level.
    pub(crate) fn new(codec: Compression) -> Result<Self, ConfigError> {
        let range = |codec, level, lowest, highest| match (lowest..=highest).contains(&level) {
            true => Ok(()),
            false => Err(ConfigError::Level { codec, level, lowest, highest }),
        };
        let feature = match codec {
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
        match feature {
            Some(feature) => Err(ConfigError::FeatureMissing { feature }),
            None => Ok(Self {
                codec,
                idle: Mutex::default(),
                compressed: AtomicU64::new(0),
                plain: AtomicU64::new(0),
                bytes_in: AtomicU64::new(0),
                bytes_out: AtomicU64::new(0),
                nanos: AtomicU64::new(0),
            }),
        }
    }

    /// The request compressed, or as it is if that is not smaller.
    pub(crate) fn compress(&self, request: Request) -> Request {
        if self.codec == Compression::None || request.is_empty() {
            return request;
        }
        let started = Instant::now();
        let len = request.len();
        let request = match self.take() {
            Some(mut context) => {
                let request = context.compress(request);
                self.put(context);
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

    pub(crate) fn stats(&self) -> CompressionStats {
        CompressionStats {
            compressed: self.compressed.load(Ordering::Relaxed),
            plain: self.plain.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }

    /// An idle context or a new one. `None` if zstd has no memory for a new one: the body goes plain then.
    fn take(&self) -> Option<Context> {
        if let Some(context) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Some(context);
        }
        match self.codec {
            #[cfg(feature = "gzip")]
            Compression::Gzip(level) => Some(Context::Gzip(gzip::Gzip::new(level))),
            #[cfg(feature = "zstd")]
            Compression::Zstd(level) => {
                zstandard::Zstd::new(level).ok().map(|zstd| Context::Zstd(Box::new(zstd)))
            }
            _ => None,
        }
    }

    fn put(&self, context: Context) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(context);
        }
    }
}

impl Context {
    fn compress(&mut self, request: Request) -> Request {
        #[cfg(any(feature = "gzip", feature = "zstd"))]
        {
            // Not smaller is not worth the peer's time to inflate it.
            let limit = request.len() - 1;
            let (encoding, output) = match self {
                #[cfg(feature = "gzip")]
                Self::Gzip(gzip) => (Encoding::Gzip, gzip.compress(request.pieces(), limit)),
                #[cfg(feature = "zstd")]
                Self::Zstd(zstd) => (Encoding::Zstd, zstd.compress(request.pieces(), request.len(), limit)),
            };
            match output {
                Some((pieces, held)) => request.compressed(encoding, pieces, held),
                None => request,
            }
        }
        #[cfg(not(any(feature = "gzip", feature = "zstd")))]
        request
    }
}

impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressors")
            .field("codec", &self.codec)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "gzip", feature = "zstd"))]
mod tests;
