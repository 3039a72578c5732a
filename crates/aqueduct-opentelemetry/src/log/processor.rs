//! The log processor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_pipeline::EncodingIntake;
use aqueduct_wire::Signal;
use opentelemetry::InstrumentationScope;
use opentelemetry::logs::Severity;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::SdkLogRecord;

use super::{Item, LogEncoder};
use crate::counts::NotTaken;
use crate::inner::Inner;
use crate::port::Port;

/// Encodes each log record on the thread that emits it, while it is lent, into a chunk of the pipeline for logs; made by
/// [`Aqueduct::log_processor`](crate::Aqueduct::log_processor).
///
/// It takes the place of the SDK's `BatchLogProcessor`, which clones each record, and its exporter in one. The target of a record is sent as the name of its scope, as the
/// SDK's own exporters do.
///
/// # Overload
///
/// As [`SpanProcessor`](crate::SpanProcessor).
///
/// # Allocation
///
/// None for a record, after warm-up.
///
/// # Panics
///
/// Never. A filter or redactor that panics costs the record that it looked at.
#[doc(alias = "BatchLogRecordProcessor")]
#[doc(alias = "BatchLogProcessor")]
pub struct LogProcessor {
    port: Port,
    /// `None` if logs are switched off.
    logs: Option<EncodingIntake<LogEncoder>>,
    encoder: LogEncoder,
}

impl LogProcessor {
    pub(crate) fn new(inner: &Arc<Inner>) -> LogProcessor {
        let encoder = LogEncoder::new(inner.limits, inner.redactor.clone());
        let mut processor = LogProcessor { port: Port::new(inner, Signal::Logs), logs: None, encoder };
        processor.begin(inner.resource());
        processor
    }

    /// Records are of this resource from now on.
    fn begin(&mut self, resource: &Resource) {
        let prefix = self.port.inner().resource.prefix_with(resource);
        let pipeline = self.port.outlet().pipeline();
        self.logs = pipeline.map(|pipeline| pipeline.encoding_intake(prefix, self.encoder.clone()));
    }

    /// Why the record is not exported, if it is not.
    #[inline]
    fn take(&self, item: &Item<'_>) -> Result<(), NotTaken> {
        if self.port.is_shut() {
            return Err(NotTaken::AlreadyShutdown);
        }
        let logs = self.logs.as_ref().ok_or(NotTaken::Unavailable)?;
        if let Some(why) = self.port.inner().log_filter.refuses(item) {
            return Err(why);
        }
        logs.push(item).map_err(NotTaken::from)
    }
}

impl opentelemetry_sdk::logs::LogProcessor for LogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.port.counts().created();
        if let Err(why) = self.take(&Item { record, scope }) {
            self.port.refuse(why, 1);
        }
    }

    /// Waits until everything that was taken is delivered, or dropped with a reason, for at most [`Builder::flush_timeout`](crate::Builder::flush_timeout).
    fn force_flush(&self) -> OTelSdkResult {
        self.port.flush()
    }

    /// Takes no more records, and delivers what was taken. The last processor or exporter of logs to be shut down ends the pipeline, which then drops what it
    /// could not deliver by the deadline, and counts it.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.port.shut(timeout)
    }

    /// `false` if logs are switched off: then no record need be made.
    fn event_enabled(&self, _level: Severity, _target: &str, _name: Option<&str>) -> bool {
        self.logs.is_some()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.begin(resource);
    }
}

impl fmt::Debug for LogProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogProcessor").field("port", &self.port).finish_non_exhaustive()
    }
}
