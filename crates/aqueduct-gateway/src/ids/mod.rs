//! Identity for every item: how `aqueduct load` marks what it sends and `aqueduct sink` recognises what arrives.
//!
//! Rates cannot show a loss next to a duplicate; only identities can. Each span, log record and data point that the load
//! generator makes carries a *producer* (which generator thread made it) and a *sequence* (a counter from zero), placed where
//! a conforming proxy has no business to touch them:
//!
//! | signal | where | layout |
//! |---|---|---|
//! | spans | `trace_id` | magic (4 bytes), producer (4, big-endian), sequence (8, big-endian) |
//! | log records | `trace_id` | the same |
//! | data points of a gauge or sum | `start_time_unix_nano` and `as_int` | magic in the upper half of the time and producer in the lower; the value is [`VALUE_BASE`] + sequence |
//!
//! A data point has no identifier of its own, so it borrows the two fields that define a cumulative series: when it began
//! (which does identify its producer) and how far it has counted. Attributes would survive as well but cost a string
//! comparison for every point. The magic start time lies in November 2023, so the points look like those of a long-lived process.
//!
//! What OTLP looks like is the wire crate's knowledge; that it is right is checked there, against another implementation. This
//! module looks at identities only, with places for them that it learns from the encoder.

mod census;
mod layout;
pub mod ranges;
mod seen;
mod walk;

pub use census::{Census, ProducerRanges};
pub use ranges::{count, subtract};
pub use seen::Seen;
pub use walk::{Tally, for_each_id};

/// The first four bytes of the trace id of a marked span or log record. Random traffic matches it once in 4.3 billion items.
pub const MAGIC: [u8; 4] = [0xA9, 0x0E, 0xDC, 0x7E];

/// The upper 32 bits of the start time of a marked data point: 4.3 seconds of 2023-11-14, away from round numbers that tests like to use.
pub const POINT_MAGIC: u32 = 0x1797_A1B3;

/// What is added to the sequence to make a data point's value, so that it always has 19 decimal digits and can be replaced
/// in place in JSON. Sequences up to 8.2e18 fit.
pub const VALUE_BASE: i64 = 1_000_000_000_000_000_000;

/// Who made an item and how many it had made before.
///
/// Complete: the layout above has no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId {
    /// Which generator made it.
    pub producer: u32,
    /// The generator's counter, from zero.
    pub sequence: u64,
}

impl ItemId {
    /// The trace id that carries this identity.
    pub fn to_trace_id(self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&MAGIC);
        id[4..8].copy_from_slice(&self.producer.to_be_bytes());
        id[8..].copy_from_slice(&self.sequence.to_be_bytes());
        id
    }

    /// The identity in a trace id, or `None` for a foreign one.
    #[inline]
    pub fn from_trace_id(id: &[u8]) -> Option<Self> {
        let id: &[u8; 16] = id.try_into().ok()?;
        let whole = u128::from_be_bytes(*id);
        if (whole >> 96) as u32 != u32::from_be_bytes(MAGIC) {
            return None;
        }
        Some(Self { producer: (whole >> 64) as u32, sequence: whole as u64 })
    }

    /// The `start_time_unix_nano` and the `as_int` value that carry this identity.
    pub fn to_point(self) -> (u64, i64) {
        let start = (u64::from(POINT_MAGIC) << 32) | u64::from(self.producer);
        (start, VALUE_BASE.wrapping_add_unsigned(self.sequence))
    }

    /// The identity in a data point's start time and value, or `None` for a foreign one.
    #[inline]
    pub fn from_point(start_time_unix_nano: u64, as_int: i64) -> Option<Self> {
        if (start_time_unix_nano >> 32) as u32 != POINT_MAGIC || as_int < VALUE_BASE {
            return None;
        }
        Some(Self { producer: start_time_unix_nano as u32, sequence: (as_int - VALUE_BASE) as u64 })
    }

    /// A span id for this item: distinct within a producer and never all zero, which the specification forbids.
    #[inline]
    pub fn span_id(self) -> [u8; 8] {
        // An odd multiplier is a bijection on 64 bits, and only sequence u64::MAX maps to zero.
        self.sequence.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()
    }
}

#[cfg(test)]
mod tests;
