//! The flag `random` of level 2, which the SDK's types carry only part of the way.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceFlags, TraceId};

use crate::ids;

/// Bit 0x02: the last 7 bytes of the trace id are random.
pub(crate) const RANDOM: u8 = 0x02;

/// Whether a span's trace has a random id, so that 0x02 belongs into its flags
/// ([Trace Context level 2](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag)).
///
/// True of contexts that were extracted with the flag by [`Propagator`](crate::Propagator) and of recorded spans that go on from them, and of traces that were
/// begun in this process with ids of [`RandomIds`](crate::RandomIds). Ids of other generators are not known to be random.
///
/// The SDK forgets the flags of spans that it does not record; an encoder does not see those, and for the headers `Propagator` remembers in the context.
///
/// # Examples
///
/// ```
/// use aqueduct_opentelemetry::random_flag;
/// use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
///
/// let of = |flags| SpanContext::new(TraceId::from(7), SpanId::from(1), flags, true, TraceState::NONE);
/// assert!(random_flag(&of(TraceFlags::new(0x03))));
/// assert!(!random_flag(&of(TraceFlags::SAMPLED)));
/// ```
#[inline]
#[must_use]
pub fn random_flag(span: &SpanContext) -> bool {
    span.trace_flags() & TraceFlags::new(RANDOM) == TraceFlags::new(RANDOM) || ids::is_ours(span.trace_id())
}

/// In a context: the trace that was extracted with the flag. Spans of it that are not recorded lose their flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtractedRandom(pub(super) TraceId);

/// Whether the header of this span, the active one of the context, has the flag.
pub(super) fn of_header(context: &Context, span: &SpanContext) -> bool {
    random_flag(span)
        || context.get::<ExtractedRandom>().is_some_and(|extracted| extracted.0 == span.trace_id())
}
