//! W3C Trace Context, level 2, between carriers and contexts.

mod batch;
mod flags;
mod traceparent;
mod tracestate;

use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};

pub use batch::PropagationBatch;
pub(crate) use flags::RANDOM;
pub use flags::random_flag;
use traceparent::Traceparent;

/// Reads and writes the headers `traceparent` and `tracestate`.
///
/// As the SDK's `TraceContextPropagator`, and beyond it:
///
/// - the flag `random` of [level 2](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag) is read, kept and written, see [`random_flag`]; other flags
///   than `sampled` and `random` are not, as both levels have it;
/// - a `traceparent` is read to the letter: 55 bytes in version 00, lower case, ids of their length and not zero; of a version from 01 to fe what begins so and goes on
///   with a dash or not at all. Anything else is no parent, and neither are several, where the carrier tells of them ([`Extractor::get_all`]); spaces at the ends do not count;
/// - a `tracestate` is read to the letter, several of them as one list: at most 32 members, keys and values of the characters that they may have. Anything else is no trace
///   state, and costs the parent nothing. Of several members with one key the first stays; keys that the SDK's type does not hold are left out;
/// - an empty `tracestate` is not written.
///
/// # Allocation
///
/// Writing: a string for each header that is written, as [`Injector`] takes strings. Reading: what a context and a trace state are made of; for a context with the flag `random` an
/// entry that remembers it for spans which are not recorded.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use aqueduct_opentelemetry::Propagator;
/// use opentelemetry::Context;
/// use opentelemetry::propagation::TextMapPropagator;
///
/// let propagator = Propagator::new();
/// let received = HashMap::from([
///     ("traceparent".to_owned(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03".to_owned()),
///     ("tracestate".to_owned(), "ot=th:8".to_owned()),
/// ]);
/// let context = propagator.extract_with_context(&Context::new(), &received);
/// let mut sent = HashMap::new();
/// propagator.inject_context(&context, &mut sent);
/// assert_eq!(sent, received);
/// ```
#[doc(alias = "TraceContextPropagator")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Propagator {
    _private: (),
}

impl Propagator {
    /// A propagator. All are alike.
    #[must_use]
    pub const fn new() -> Self {
        Propagator { _private: () }
    }

    /// Writes each context into a carrier of its own, and gives the carriers back in the order of the contexts.
    ///
    /// A context without a valid span leaves its carrier as it was made. See [`PropagationBatch`] for contexts that come one by one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use aqueduct_opentelemetry::Propagator;
    /// use opentelemetry::Context;
    /// use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
    ///
    /// let contexts: Vec<Context> = (1..=3_u64)
    ///     .map(|span| SpanContext::new(TraceId::from(7), span.into(), TraceFlags::SAMPLED, false, TraceState::NONE))
    ///     .map(|span| Context::new().with_remote_span_context(span))
    ///     .collect();
    /// let headers: Vec<HashMap<String, String>> = Propagator::new().inject_batch(&contexts, HashMap::new);
    /// assert_eq!(headers[2]["traceparent"], "00-00000000000000000000000000000007-0000000000000003-01");
    /// ```
    #[doc(alias = "ContextPropagationBatcher")]
    #[must_use = "the headers are in the carriers"]
    pub fn inject_batch<'a, C: Injector>(
        &self,
        contexts: impl IntoIterator<Item = &'a Context>,
        mut make_carrier: impl FnMut() -> C,
    ) -> Vec<C> {
        let injected = contexts.into_iter().map(|context| {
            let mut carrier = make_carrier();
            self.inject_context(context, &mut carrier);
            carrier
        });
        injected.collect()
    }
}

impl TextMapPropagator for Propagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let active = context.span();
        let span = active.span_context();
        if !span.is_valid() {
            return;
        }
        let sampled = span.trace_flags() & TraceFlags::SAMPLED;
        let random = if flags::of_header(context, span) { flags::RANDOM } else { 0 };
        let traceparent = Traceparent {
            trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(span.span_id().to_bytes()),
            flags: sampled.to_u8() | random,
        };
        injector.set(TRACEPARENT, traceparent.to_text());
        let tracestate = text_of(span.trace_state());
        if !tracestate.is_empty() {
            injector.set(TRACESTATE, tracestate);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let Some(read) = traceparent(extractor) else { return context.clone() };
        let known = TraceFlags::new(read.flags & (TraceFlags::SAMPLED.to_u8() | flags::RANDOM));
        let trace_id = read.trace_id.into();
        let span = SpanContext::new(trace_id, read.span_id.into(), known, true, trace_state(extractor));
        let context = context.with_remote_span_context(span);
        if read.flags & flags::RANDOM == 0 {
            return context;
        }
        context.with_value(flags::ExtractedRandom(trace_id))
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: LazyLock<[String; 2]> =
            LazyLock::new(|| [TRACEPARENT.to_owned(), TRACESTATE.to_owned()]);
        FieldIter::new(&*FIELDS)
    }
}

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Of several headers nobody knows which is the parent, so none is.
fn traceparent(extractor: &dyn Extractor) -> Option<Traceparent> {
    let first = extractor.get(TRACEPARENT)?;
    // It allocates, which a context without a parent need not.
    if extractor.get_all(TRACEPARENT).is_some_and(|all| all.len() > 1) {
        return None;
    }
    Traceparent::parse(first.trim())
}

fn trace_state(extractor: &dyn Extractor) -> TraceState {
    let Some(first) = extractor.get(TRACESTATE) else { return TraceState::NONE };
    match extractor.get_all(TRACESTATE) {
        Some(all) => tracestate::read(all),
        None => tracestate::read([first]),
    }
}

/// As in the header.
fn text_of(state: &TraceState) -> String {
    // Each with an equals sign and a comma.
    let length = state.into_iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let mut text = String::with_capacity(length);
    for (key, value) in state {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    text
}
