//! The `flags` of spans and links (OTLP, `SpanFlags`).

use opentelemetry::trace::SpanContext;

use crate::propagator::{RANDOM, random_flag};

/// Bit 8: bit 9 says whether the context is remote.
const HAS_IS_REMOTE: u32 = 0x100;
/// Bit 9: it is.
const IS_REMOTE: u32 = 0x200;

/// The trace flags of the context, and whether `remote` (the parent of a span, the linked span of a link) came from another process.
#[inline]
pub(super) fn flags(context: &SpanContext, remote: bool) -> u32 {
    let random = if random_flag(context) { RANDOM } else { 0 };
    let remote = if remote { IS_REMOTE } else { 0 };
    u32::from(context.trace_flags().to_u8() | random) | HAS_IS_REMOTE | remote
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    fn of(flags: u8, remote: bool) -> u32 {
        let context = SpanContext::new(
            TraceId::from(1),
            SpanId::from(1),
            TraceFlags::new(flags),
            false,
            TraceState::NONE,
        );
        super::flags(&context, remote)
    }

    /// Guards the bits of OTLP's `SpanFlags`.
    #[test]
    fn bits() {
        assert_eq!(of(0x00, false), 0x100);
        assert_eq!(of(0x01, false), 0x101);
        assert_eq!(of(0x01, true), 0x301);
        assert_eq!(of(0x03, true), 0x303);
    }
}
