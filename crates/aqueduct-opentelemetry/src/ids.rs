//! Ids for spans and traces.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;
use rand::Rng;

use crate::random;

/// Makes random ids, and makes those of traces so that they are known again.
///
/// The last 12 bytes of a trace id are random, of which [level 2](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag) of Trace Context wants 7; the first 4 are
/// a mark, made of the others and a key of this process. So [`random_flag`](crate::random_flag) can tell traces that were begun here, though the SDK's
/// types have no place for the flag. To everybody else the mark looks random as well.
///
/// Each thread has a generator of its own, seeded by the system; a forked child seeds anew and never repeats its parent's ids. No id is zero.
/// Ids are not secret: who sees enough of them can tell the next.
///
/// # Allocation
///
/// None.
///
/// # Examples
///
/// ```
/// use aqueduct_opentelemetry::{RandomIds, random_flag};
/// use opentelemetry::trace::{Span, Tracer, TracerProvider};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder().with_id_generator(RandomIds::new()).build();
/// let span = provider.tracer("shop").start("checkout");
/// assert!(random_flag(span.span_context()));
/// ```
#[doc(alias = "RandomIdGenerator")]
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds {
    _private: (),
}

impl RandomIds {
    /// A generator. All are alike.
    #[must_use]
    pub const fn new() -> Self {
        RandomIds { _private: () }
    }
}

impl IdGenerator for RandomIds {
    fn new_trace_id(&self) -> TraceId {
        let (low, high) = random::with(|random| (not_zero(|| random.next_u64()), random.next_u32()));
        TraceId::from(u128::from(mark(high, low, key())) << 96 | u128::from(high) << 64 | u128::from(low))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(random::with(|random| not_zero(|| random.next_u64())))
    }
}

/// Whether [`RandomIds`] made it, in this process or in one that this process is a fork of. Wrong for one foreign id in 2^32.
#[inline]
pub(crate) fn is_ours(trace_id: TraceId) -> bool {
    let id = u128::from_be_bytes(trace_id.to_bytes());
    (id >> 96) as u32 == mark((id >> 64) as u32, id as u64, key())
}

/// The first four bytes of the id that ends in these, where this is the key.
fn mark(high: u32, low: u64, key: u64) -> u32 {
    // Two products folded: each bit of the key and of the id has a part in each bit of the mark. The constant is 2^64 divided by the golden ratio.
    let first = fold(low ^ key, 0x9e37_79b9_7f4a_7c15 ^ u64::from(high) << 16);
    (fold(first ^ key.rotate_left(32), 0xd6e8_feb8_6659_fd93) >> 32) as u32
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// The key of this process. A forked child keeps its parent's: it goes on with traces that the parent began.
#[inline]
fn key() -> u64 {
    // 0: none yet. Written once; it guards no other memory, so relaxed access is enough. No lock: a child forked meanwhile would wait for ever.
    static KEY: AtomicU64 = AtomicU64::new(0);
    #[cold]
    fn first() -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = random::seed();
        let new = u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1);
        KEY.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed).err().unwrap_or(new)
    }
    match KEY.load(Ordering::Relaxed) {
        0 => first(),
        key => key,
    }
}

/// Draws until it is not zero.
fn not_zero(mut draw: impl FnMut() -> u64) -> u64 {
    loop {
        let drawn = draw();
        if drawn != 0 {
            return drawn;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the one id that is none: a draw of zero is drawn again.
    #[test]
    fn zero_is_drawn_again() {
        let mut draws = [0, 0, 7].into_iter();
        assert_eq!(not_zero(|| draws.next().expect("enough")), 7);
    }

    /// Guards the mark: it depends on every bit of the id and of the key, and spreads.
    #[test]
    fn every_bit_moves_the_mark() {
        let draw = || random::with(|random| (random.next_u32(), random.next_u64(), random.next_u64()));
        let mut moved = [0_u32; 160];
        for _ in 0..1_000 {
            let (high, low, key) = draw();
            let before = mark(high, low, key);
            for (bit, moved) in moved.iter_mut().enumerate() {
                let (high, low, key) = match bit {
                    0..32 => (high ^ 1 << bit, low, key),
                    32..96 => (high, low ^ 1 << (bit - 32), key),
                    _ => (high, low, key ^ 1 << (bit - 96)),
                };
                *moved += (mark(high, low, key) ^ before).count_ones();
            }
        }
        // Of 32 bits some 16 change.
        for (bit, moved) in moved.iter().enumerate() {
            assert!((14_000..18_000).contains(moved), "bit {bit}: {moved}");
        }
    }
}
