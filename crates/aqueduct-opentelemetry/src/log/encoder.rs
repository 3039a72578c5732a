//! Writes log records into a chunk.

use std::sync::Arc;

use aqueduct_exec::fork::PerProcess;
use aqueduct_pipeline::{Encode, ItemSink};
use aqueduct_wire::encode::{ChunkBuilder, ScopePrefix};
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::logs::SdkLogRecord;

use super::source::Source;
use crate::encode::Scopes;
use crate::limits::Limits;
use crate::redact::Redactor;

/// A record and the scope that it comes from.
pub(crate) struct Item<'a> {
    pub(crate) record: &'a SdkLogRecord,
    pub(crate) scope: &'a InstrumentationScope,
}

/// A reference count to clone.
#[derive(Clone)]
pub(crate) struct LogEncoder(Arc<Rules>);

struct Rules {
    limits: Limits,
    redactor: Redactor,
    /// As with spans.
    scopes: PerProcess<Scopes>,
}

impl LogEncoder {
    pub(crate) fn new(limits: Limits, redactor: Redactor) -> LogEncoder {
        LogEncoder(Arc::new(Rules { limits, redactor, scopes: PerProcess::new() }))
    }

    /// Into a chunk of one's own.
    pub(crate) fn push(&self, chunk: &mut ChunkBuilder, item: &Item<'_>) {
        self.write(item, |scope, source| chunk.push_log(scope, source));
    }

    #[inline]
    fn write(&self, item: &Item<'_>, write: impl FnOnce(&ScopePrefix, &Source<'_>)) {
        let Rules { limits, redactor, scopes } = &*self.0;
        let scopes = scopes.get_or_build(|_| Scopes::new());
        // The target of a record stands for the name of its scope, as in the SDK's own exporters.
        let target = item.record.target().map(|target| &**target);
        let source = Source { record: item.record, limits, redactor: redactor.if_any() };
        scopes.with(item.scope, target, |scope| write(scope, &source));
    }
}

impl Encode<Item<'_>> for LogEncoder {
    fn encode(&self, item: &Item<'_>, out: &mut ItemSink<'_>) {
        self.write(item, |scope, source| out.push_log(scope, source));
    }
}
