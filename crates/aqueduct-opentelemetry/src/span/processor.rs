//! The span processor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_pipeline::EncodingIntake;
use aqueduct_wire::Signal;
use opentelemetry::Context;
use opentelemetry::trace::{Span as _, TraceContextExt};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData};

use super::SpanEncoder;
use crate::counts::{NotTaken, Origin};
use crate::inner::Inner;
use crate::port::Port;

/// Encodes each span on the thread that ends it, as it ends, into a chunk of the pipeline for traces; made by
/// [`Aqueduct::span_processor`](crate::Aqueduct::span_processor).
///
/// It takes the place of the SDK's `BatchSpanProcessor` and its exporter in one. There is no queue of spans, no clone of a span, and no thread that falls
/// behind: what waits is bytes.
///
/// # What is exported
///
/// Spans that are sampled. Spans that are recorded only are counted as [`NotTaken::NotSampled`], unless
/// [`Builder::export_unsampled`](crate::Builder::export_unsampled) was said. The resource is that of the provider, with what was configured here besides.
///
/// # Overload
///
/// [`on_end`](opentelemetry_sdk::trace::SpanProcessor::on_end) waits for nobody (unless the pipeline was told to, with
/// [`Overflow::Block`](aqueduct_pipeline::Overflow::Block)). What finds no room is dropped, and counted as [`NotTaken::QueueFull`].
///
/// # Allocation
///
/// None for a span, after warm-up.
///
/// # Panics
///
/// Never. A filter or redactor that panics costs the span that it looked at.
#[doc(alias = "BatchSpanProcessor")]
pub struct SpanProcessor {
    port: Port,
    /// `None` if traces are switched off.
    spans: Option<EncodingIntake<SpanEncoder>>,
    encoder: SpanEncoder,
}

impl SpanProcessor {
    pub(crate) fn new(inner: &Arc<Inner>) -> SpanProcessor {
        let encoder = SpanEncoder::new(inner.limits, inner.redactor.clone());
        let mut processor = SpanProcessor { port: Port::new(inner, Signal::Traces), spans: None, encoder };
        processor.begin(inner.resource());
        processor
    }

    /// Spans are of this resource from now on.
    fn begin(&mut self, resource: &Resource) {
        let prefix = self.port.inner().resource.prefix_with(resource);
        let pipeline = self.port.outlet().pipeline();
        self.spans = pipeline.map(|pipeline| pipeline.encoding_intake(prefix, self.encoder.clone()));
    }

    /// Why the span is not exported, if it is not.
    #[inline]
    fn take(&self, span: &mut SpanData, sampled: bool) -> Result<(), NotTaken> {
        let inner = self.port.inner();
        if !sampled && !inner.export_unsampled {
            return Err(NotTaken::NotSampled);
        }
        if self.port.is_shut() {
            return Err(NotTaken::AlreadyShutdown);
        }
        let spans = self.spans.as_ref().ok_or(NotTaken::Unavailable)?;
        if let Some(why) = inner.span_filter.refuses(span) {
            return Err(why);
        }
        spans.push(&*span).map_err(NotTaken::from)
    }
}

impl opentelemetry_sdk::trace::SpanProcessor for SpanProcessor {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        let parent = cx.span();
        let origin = match parent.span_context() {
            none if !none.is_valid() => Origin::None,
            remote if remote.is_remote() => Origin::Remote,
            _ => Origin::Local,
        };
        self.port.counts().started(origin, span.span_context().is_sampled());
    }

    fn on_end(&self, mut span: SpanData) {
        let sampled = span.span_context.is_sampled();
        self.port.counts().ended(sampled);
        if let Err(why) = self.take(&mut span, sampled) {
            self.port.refuse(why, 1);
        }
    }

    /// Waits until everything that was taken is delivered, or dropped with a reason, for at most [`Builder::flush_timeout`](crate::Builder::flush_timeout).
    fn force_flush(&self) -> OTelSdkResult {
        self.port.flush()
    }

    /// Takes no more spans, and delivers what was taken. The last processor or exporter of traces to be shut down ends the pipeline, which then drops what
    /// it could not deliver by the deadline, and counts it.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.port.shut(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.begin(resource);
    }
}

impl fmt::Debug for SpanProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanProcessor").field("port", &self.port).finish_non_exhaustive()
    }
}
