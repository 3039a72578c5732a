//! Writes spans into a chunk.

use std::sync::Arc;

use aqueduct_exec::fork::PerProcess;
use aqueduct_pipeline::{Encode, ItemSink};
use aqueduct_wire::encode::{ChunkBuilder, ScopePrefix};
use opentelemetry_sdk::trace::SpanData;

use super::source::Source;
use crate::encode::{ITEM, Scopes, with_trace_state};
use crate::limits::Limits;
use crate::redact::Redactor;

/// A reference count to clone.
#[derive(Clone)]
pub(crate) struct SpanEncoder(Arc<Rules>);

struct Rules {
    limits: Limits,
    redactor: Redactor,
    /// A slot that was being filled when the process was forked would never be ready in the child.
    scopes: PerProcess<Scopes>,
}

impl SpanEncoder {
    pub(crate) fn new(limits: Limits, redactor: Redactor) -> SpanEncoder {
        SpanEncoder(Arc::new(Rules { limits, redactor, scopes: PerProcess::new() }))
    }

    /// Into a chunk of one's own.
    pub(crate) fn push(&self, chunk: &mut ChunkBuilder, span: &SpanData) {
        self.write(span, |scope, source| chunk.push_span(scope, source));
    }

    #[inline]
    fn write(&self, span: &SpanData, write: impl FnOnce(&ScopePrefix, &Source<'_>)) {
        let Rules { limits, redactor, scopes } = &*self.0;
        let scopes = scopes.get_or_build(|_| Scopes::new());
        with_trace_state(span.span_context.trace_state(), &ITEM, |trace_state| {
            let source = Source { span, trace_state, limits, redactor: redactor.if_any() };
            scopes.with(&span.instrumentation_scope, None, |scope| write(scope, &source));
        });
    }
}

impl Encode<SpanData> for SpanEncoder {
    #[inline]
    fn encode(&self, span: &SpanData, out: &mut ItemSink<'_>) {
        self.write(span, |scope, source| out.push_span(scope, source));
    }
}
