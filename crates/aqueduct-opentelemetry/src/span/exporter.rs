//! The exporter of spans, for those who keep the SDK's processors.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_wire::Signal;
use aqueduct_wire::encode::ResourcePrefix;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;

use super::SpanEncoder;
use crate::completion::Completion;
use crate::consignment::Consignment;
use crate::counts::NotTaken;
use crate::inner::Inner;
use crate::port::Port;

/// Sends the batches of the SDK's span processors through the pipeline for traces; made by [`Aqueduct::span_exporter`](crate::Aqueduct::span_exporter).
///
/// [`SpanProcessor`](crate::SpanProcessor) in their stead costs less, and loses nothing to their queue. What it says of what is exported holds here too.
pub struct SpanExporter {
    port: Port,
    encoder: SpanEncoder,
    resource: ResourcePrefix,
    completion: Completion,
}

impl SpanExporter {
    pub(crate) fn new(inner: &Arc<Inner>) -> SpanExporter {
        SpanExporter {
            port: Port::new(inner, Signal::Traces),
            encoder: SpanEncoder::new(inner.limits, inner.redactor.clone()),
            resource: inner.resource.prefix_with(inner.resource()),
            completion: Completion::default(),
        }
    }

    /// When an export is over. Default [`Completion::OnDelivery`].
    #[must_use]
    pub fn completion(mut self, completion: Completion) -> SpanExporter {
        self.completion = completion;
        self
    }

    fn refuses(&self, span: &mut SpanData) -> Option<NotTaken> {
        let inner = self.port.inner();
        if !span.span_context.is_sampled() && !inner.export_unsampled {
            return Some(NotTaken::NotSampled);
        }
        inner.span_filter.refuses(span)
    }
}

impl opentelemetry_sdk::trace::SpanExporter for SpanExporter {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let mut consignment = Consignment::new(&self.port, &self.resource);
        for mut span in batch {
            let refused = self.refuses(&mut span);
            consignment.add(refused, |chunk| self.encoder.push(chunk, &span));
        }
        consignment.send(self.completion)
    }

    /// Waits for the collector, for at most [`Builder::flush_timeout`](crate::Builder::flush_timeout). The SDK's processors never call it.
    fn force_flush(&self) -> OTelSdkResult {
        self.port.flush()
    }

    /// Delivers what was taken, and takes nothing more.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.port.shut(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = self.port.inner().resource.prefix_with(resource);
    }
}

impl fmt::Debug for SpanExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanExporter").field("completion", &self.completion).finish_non_exhaustive()
    }
}
