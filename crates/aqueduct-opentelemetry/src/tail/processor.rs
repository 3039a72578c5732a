//! Tail sampling before another processor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_sampling::tail::{Decided, Verdict};
use aqueduct_wire::Signal;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::{HeldSpan, LocalTail, LocalTailConfig, LocalTailError};
use crate::inner::Inner;

/// Passes the spans of some local traces on to another processor, when it is known how these traces went: those with errors, slow ones, and a share of
/// the others.
///
/// A span waits until the local root of its trace has ended: the span without a parent in this process. What is kept goes on with a truthful `th` in its trace state: as it was for traces that are
/// kept for what they are, the threshold of the share for those kept by chance, of the pressure for those that had to be decided early.
///
/// [`Aqueduct::local_tail`](crate::Aqueduct::local_tail) makes one before the processor that exports. Use it with a sampler at the head that keeps everything, or as much as the process bears. Other processes decide about their parts of a trace themselves; by chance they keep
/// the same ones if they have the same share, but an error here does not reach them. For that a collector has to see all spans.
///
/// A trace that enters this process several times (two requests of one trace) is one trace: when the first local root has ended, spans of the others follow its decision, errors
/// among them. With [`with_decision_cache(20_000, 0)`](aqueduct_sampling::tail::TailConfig::with_decision_cache) nothing is remembered of what was dropped, and each that comes
/// later decides for itself; children that end after their root wait for `decision_wait` then.
///
/// # Threads and locks
///
/// It has no thread. What is due by time (a root that does not come for [`decision_wait`](aqueduct_sampling::tail::TailConfig::decision_wait), a grace) is decided when the next span ends, on
/// whatever thread, and in `force_flush` and `shutdown`, which decide everything that is held. Spans of a process that goes quiet wait until then.
///
/// All threads share one lock, held for a few moves in memory, or for as long as policies look at a trace. The other processor is always called without it. On two cores of an EPYC
/// (Zen 4) a span of two attributes takes some 300 ns more than without, 600 where both cores end spans and do nothing else.
///
/// # Overload
///
/// Within its limits in bytes and traces: beyond them the oldest traces are decided early, see [`aqueduct_sampling::tail`]. Spans that are not sampled at all pass through as they are.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_opentelemetry::{LocalTailConfig, LocalTailProcessor};
/// use opentelemetry::trace::{Span, Status, Tracer, TracerProvider};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// # use opentelemetry_sdk::error::OTelSdkResult;
/// # use opentelemetry_sdk::trace::{SpanData, SpanProcessor};
/// # #[derive(Debug)]
/// # struct Exporting;
/// # impl SpanProcessor for Exporting {
/// #     fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}
/// #     fn on_end(&self, _: SpanData) {}
/// #     fn force_flush(&self) -> OTelSdkResult { Ok(()) }
/// #     fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult { Ok(()) }
/// # }
///
/// let config = LocalTailConfig::new(Duration::from_secs(1), 0.0);
/// let processor = LocalTailProcessor::new(Exporting, &config)?;
/// let tail = processor.tail();
/// let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
///
/// let tracer = provider.tracer("shop");
/// tracer.start("fine").end();
/// let mut failed = tracer.start("not fine");
/// failed.set_status(Status::error("no such item"));
/// failed.end();
/// assert_eq!((tail.stats().sampled_spans, tail.stats().not_sampled_spans), (1, 1));
/// # Ok::<(), aqueduct_opentelemetry::LocalTailError>(())
/// ```
#[doc(alias = "TailSamplingProcessor")]
#[derive(Debug)]
pub struct LocalTailProcessor<P> {
    next: P,
    tail: Arc<LocalTail<HeldSpan>>,
    /// Where the next one, which is ours, counts what it starts: it does not hear of the end of what is not kept.
    counted: Option<Arc<Inner>>,
}

impl<P: SpanProcessor> LocalTailProcessor<P> {
    /// Passes what is kept on to this one.
    ///
    /// # Errors
    ///
    /// A policy or a limit that cannot be meant.
    pub fn new(next: P, config: &LocalTailConfig) -> Result<Self, LocalTailError> {
        Ok(LocalTailProcessor { next, tail: Arc::new(LocalTail::new(config)?), counted: None })
    }

    /// The same before a processor of this handle's.
    pub(crate) fn counted(mut self, inner: &Arc<Inner>) -> Self {
        self.counted = Some(Arc::clone(inner));
        self
    }

    /// To look at what it holds and did, when a provider has taken it.
    #[must_use]
    pub fn tail(&self) -> Arc<LocalTail<HeldSpan>> {
        Arc::clone(&self.tail)
    }

    fn pass_on(&self, decided: Vec<Decided<HeldSpan>>) {
        for trace in decided {
            if let Verdict::Sampled(odds) = trace.verdict {
                trace.spans.into_iter().for_each(|span| self.next.on_end(span.into_kept(odds)));
            } else if let Some(inner) = &self.counted {
                let counts = inner.outlet(Signal::Traces).counts();
                trace.spans.iter().for_each(|_| counts.ended(true));
            }
        }
    }
}

impl<P: SpanProcessor> SpanProcessor for LocalTailProcessor<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return self.next.on_end(span);
        }
        self.pass_on(self.tail.offer(HeldSpan::new(span), Instant::now()));
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.pass_on(self.tail.drain(Instant::now()));
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.pass_on(self.tail.close(Instant::now()));
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}
