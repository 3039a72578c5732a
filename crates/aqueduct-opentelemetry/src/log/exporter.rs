//! The exporter of log records, for those who keep the SDK's processors.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_wire::Signal;
use aqueduct_wire::encode::ResourcePrefix;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::LogBatch;

use super::{Item, LogEncoder};
use crate::completion::Completion;
use crate::consignment::Consignment;
use crate::inner::Inner;
use crate::port::Port;

/// Sends the batches of the SDK's log processors through the pipeline for logs; made by [`Aqueduct::log_exporter`](crate::Aqueduct::log_exporter).
///
/// [`LogProcessor`](crate::LogProcessor) in their stead costs less, and loses nothing to their queue.
pub struct LogExporter {
    port: Port,
    encoder: LogEncoder,
    resource: ResourcePrefix,
    completion: Completion,
}

impl LogExporter {
    pub(crate) fn new(inner: &Arc<Inner>) -> LogExporter {
        LogExporter {
            port: Port::new(inner, Signal::Logs),
            encoder: LogEncoder::new(inner.limits, inner.redactor.clone()),
            resource: inner.resource.prefix_with(inner.resource()),
            completion: Completion::default(),
        }
    }

    /// When an export is over. Default [`Completion::OnDelivery`].
    #[must_use]
    pub fn completion(mut self, completion: Completion) -> LogExporter {
        self.completion = completion;
        self
    }
}

impl opentelemetry_sdk::logs::LogExporter for LogExporter {
    fn export(&self, batch: LogBatch<'_>) -> impl Future<Output = OTelSdkResult> + Send {
        let mut consignment = Consignment::new(&self.port, &self.resource);
        for (record, scope) in batch.iter() {
            let item = Item { record, scope };
            let refused = self.port.inner().log_filter.refuses(&item);
            consignment.add(refused, |chunk| self.encoder.push(chunk, &item));
        }
        consignment.send(self.completion)
    }

    /// Delivers what was taken, and takes nothing more.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.port.shut(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = self.port.inner().resource.prefix_with(resource);
    }
}

impl fmt::Debug for LogExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogExporter").field("completion", &self.completion).finish_non_exhaustive()
    }
}
