//! The exporter of metrics.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_wire::Signal;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use super::source::Source;
use crate::completion::Completion;
use crate::consignment::Consignment;
use crate::encode::prefix;
use crate::inner::Inner;
use crate::port::Port;

/// Sends what a reader of the SDK's collects through the pipeline for metrics; made by [`Aqueduct::metric_exporter`](crate::Aqueduct::metric_exporter).
///
/// ```
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
///
/// # let telemetry = aqueduct_opentelemetry::Aqueduct::builder().variables(|_| None).build()?;
/// let provider = SdkMeterProvider::builder().with_periodic_exporter(telemetry.metric_exporter()).build();
/// # Ok::<(), aqueduct_opentelemetry::BuildError>(())
/// ```
#[doc(alias = "PeriodicReader")]
pub struct MetricExporter {
    port: Port,
    completion: Completion,
}

impl MetricExporter {
    pub(crate) fn new(inner: &Arc<Inner>) -> MetricExporter {
        MetricExporter { port: Port::new(inner, Signal::Metrics), completion: Completion::default() }
    }

    /// When an export is over. Default [`Completion::OnDelivery`]. The SDK's periodic reader exports on a thread of its own, which may wait.
    #[must_use]
    pub fn completion(mut self, completion: Completion) -> MetricExporter {
        self.completion = completion;
        self
    }
}

impl PushMetricExporter for MetricExporter {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        let resource = self.port.inner().resource.prefix_with(metrics.resource());
        let mut consignment = Consignment::new(&self.port, &resource);
        for scope in metrics.scope_metrics() {
            let head = prefix(scope.scope(), None);
            for metric in scope.metrics() {
                consignment.add(None, |chunk| chunk.push_metric(&head, &Source(metric)));
            }
        }
        consignment.send(self.completion)
    }

    /// Waits for the collector, for at most [`Builder::flush_timeout`](crate::Builder::flush_timeout).
    fn force_flush(&self) -> OTelSdkResult {
        self.port.flush()
    }

    /// Delivers what was taken, and takes nothing more.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.port.shut(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.port.inner().temporality.into()
    }
}

impl fmt::Debug for MetricExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricExporter").field("completion", &self.completion).finish_non_exhaustive()
    }
}
