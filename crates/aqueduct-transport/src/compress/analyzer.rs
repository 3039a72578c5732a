//! What each codec would make of a user's own data, and which to use.

use std::fmt;

use aqueduct_wire::Merged;

use super::{CompressionStats, Compressor};
use crate::config::Compression;
use crate::error::ConfigError;
use crate::request::Request;

/// Compresses samples with several codecs, and reports ratio, savings and time of each, with advice.
///
/// Advice is arithmetic: on a link of so many bytes a second, a byte costs the time to compress it and the time to send what it became. The codec with the least
/// of both is advised; where that is none, the data does not compress or the link is faster than the codecs.
///
/// # Examples
///
/// ```
/// use aqueduct_transport::{Compression, CompressionAnalyzer};
/// use aqueduct_wire::{Chunk, Merged, Signal};
///
/// let batch = Merged::from_chunk(Chunk::from_valid(Signal::Logs, 0, b"\x0a\x00".repeat(5_000).into()));
/// let mut analyzer = CompressionAnalyzer::new()?;
/// analyzer.add(&batch);
/// // At 10 Mbit/s any compression pays for such data.
/// let report = analyzer.report(1_250_000);
/// assert_ne!(report.advice, Compression::None);
/// println!("{report}");
/// # Ok::<(), aqueduct_transport::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct CompressionAnalyzer {
    candidates: Vec<(Compression, Compressor)>,
}

impl CompressionAnalyzer {
    /// With the codecs of this build at the levels that are worth a look: gzip 1 and 6, Zstandard 1 and 3.
    ///
    /// # Errors
    ///
    /// None with these; the type is that of [`with_candidates`](Self::with_candidates).
    pub fn new() -> Result<Self, ConfigError> {
        let mut candidates = Vec::new();
        if cfg!(feature = "gzip") {
            candidates.extend([Compression::Gzip(1), Compression::Gzip(6)]);
        }
        if cfg!(feature = "zstd") {
            candidates.extend([Compression::Zstd(1), Compression::Zstd(3)]);
        }
        Self::with_candidates(candidates)
    }

    /// With these codecs. That of sending plain is always compared.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: a level is outside its codec's range, or this build does not know a codec.
    pub fn with_candidates(candidates: impl IntoIterator<Item = Compression>) -> Result<Self, ConfigError> {
        let candidates = candidates.into_iter().filter(|codec| *codec != Compression::None);
        let made = candidates.map(|codec| Ok((codec, Compressor::new(codec)?))).collect::<Result<_, _>>()?;
        Ok(Self { candidates: made })
    }

    /// Compresses one more sample with every codec. Takes their CPU time, keeps nothing of the sample.
    pub fn add(&mut self, batch: &Merged) {
        for (_, compressor) in &self.candidates {
            let _ = compressor.compress(Request::plain(batch));
        }
    }

    /// What was found so far, with advice for a link that carries so many bytes a second (1 Gbit/s is 125,000,000).
    #[must_use]
    pub fn report(&self, link_bytes_per_second: u64) -> CompressionReport {
        let send_ns = 1e9 / link_bytes_per_second.max(1) as f64;
        let row = |(codec, compressor): &(Compression, Compressor)| {
            let stats = compressor.stats();
            let total_ns_per_byte = stats.ns_per_byte() + send_ns / stats.ratio();
            CompressionRow { codec: *codec, stats, total_ns_per_byte }
        };
        let plain = CompressionRow {
            codec: Compression::None,
            stats: CompressionStats::default(),
            total_ns_per_byte: send_ns,
        };
        let rows: Vec<_> = std::iter::once(plain).chain(self.candidates.iter().map(row)).collect();
        let sampled = rows.iter().any(|row| row.stats.bytes_in > 0);
        let best = rows.iter().min_by(|a, b| a.total_ns_per_byte.total_cmp(&b.total_ns_per_byte));
        let advice = best.filter(|_| sampled).map_or(Compression::None, |best| best.codec);
        CompressionReport { rows, advice, link_bytes_per_second }
    }
}

/// What one codec made of the samples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CompressionRow {
    /// The codec and its level.
    pub codec: Compression,
    /// Bytes, ratio, savings, time.
    pub stats: CompressionStats,
    /// Nanoseconds to compress one byte of the samples and to send what it became over the link.
    pub total_ns_per_byte: f64,
}

/// What a [`CompressionAnalyzer`] found. `Display` makes a table of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CompressionReport {
    /// One row per codec, sending plain first.
    pub rows: Vec<CompressionRow>,
    /// The codec that moves a byte over the link in the least time; none without samples.
    pub advice: Compression,
    /// The link that the advice is for.
    pub link_bytes_per_second: u64,
}

impl fmt::Display for CompressionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:>7} {:>9} {:>9} {:>14}",
            "codec", "ratio", "saved %", "ns/byte", "with sending"
        )?;
        for CompressionRow { codec, stats, total_ns_per_byte } in &self.rows {
            writeln!(
                f,
                "{:<10} {:>7.2} {:>9.1} {:>9.2} {:>14.2}",
                codec.to_string(),
                stats.ratio(),
                stats.savings_percent(),
                stats.ns_per_byte(),
                total_ns_per_byte
            )?;
        }
        let mbit = self.link_bytes_per_second as f64 * 8.0 / 1e6;
        write!(f, "advice at {mbit:.0} Mbit/s: {}", self.advice)
    }
}

#[cfg(all(test, feature = "gzip", feature = "zstd"))]
mod tests {
    use aqueduct_wire::{Chunk, Signal};

    use super::*;

    fn batch(bytes: Vec<u8>) -> Merged {
        Merged::from_chunk(Chunk::from_valid(Signal::Traces, 1, bytes.into()))
    }

    /// Guards the advice at its ends: a link that nothing pays on, one that everything pays on, and data that nothing helps.
    #[test]
    fn advice_follows_the_link_and_the_data() {
        let mut analyzer = CompressionAnalyzer::new().expect("valid");
        assert_eq!(analyzer.report(1_000).advice, Compression::None, "without samples there is no advice");
        let text: Vec<u8> = (0..200_000u32).map(|n| b'a' + (n.wrapping_mul(n) >> 7) as u8 % 8).collect();
        analyzer.add(&batch(text));
        assert_eq!(analyzer.report(u64::MAX).advice, Compression::None);
        let slow = analyzer.report(1_000);
        let best = slow.rows.iter().map(|row| row.stats.ratio()).fold(0.0, f64::max);
        let advised = slow.rows.iter().find(|row| row.codec == slow.advice).expect("one of them");
        assert_eq!(advised.stats.ratio(), best);
        assert!(best > 2.0);
        assert!(slow.to_string().ends_with(&format!("Mbit/s: {}", slow.advice)));
        assert_eq!(slow.rows.len(), 5);
    }

    #[test]
    fn what_does_not_compress_is_sent_plain() {
        let mut state = 1u64;
        let noise = (0..100_000).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        });
        let mut analyzer =
            CompressionAnalyzer::with_candidates([Compression::Zstd(1), Compression::None]).expect("valid");
        analyzer.add(&batch(noise.collect()));
        let report = analyzer.report(1_000);
        assert_eq!((report.advice, report.rows.len()), (Compression::None, 2));
    }
}
