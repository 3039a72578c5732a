//! What processors and exporters share: their place at an outlet, and how they flush and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aqueduct_pipeline::{Pipeline, WaitError};
use aqueduct_wire::Signal;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use crate::counts::{Counts, NotTaken};
use crate::inner::Inner;
use crate::outlet::Outlet;

/// One processor's or exporter's place.
#[derive(Debug)]
pub(crate) struct Port {
    inner: Arc<Inner>,
    signal: Signal,
    /// Written by whoever shuts it down first; nothing is published with it.
    shut: AtomicBool,
}

impl Port {
    pub(crate) fn new(inner: &Arc<Inner>, signal: Signal) -> Port {
        inner.outlet(signal).open();
        Port { inner: Arc::clone(inner), signal, shut: AtomicBool::new(false) }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    #[inline]
    pub(crate) fn outlet(&self) -> &Outlet {
        self.inner.outlet(self.signal)
    }

    #[inline]
    pub(crate) fn counts(&self) -> &Counts {
        self.outlet().counts()
    }

    #[inline]
    pub(crate) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }

    #[cold]
    pub(crate) fn refuse(&self, why: NotTaken, items: u64) {
        self.counts().not_taken(why, items);
    }

    pub(crate) fn flush_timeout(&self) -> Duration {
        self.inner.flush_timeouts[self.signal.index()]
    }

    /// Flushes the signal's pipeline.
    pub(crate) fn flush(&self) -> OTelSdkResult {
        if self.is_shut() {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        let deadline = self.flush_timeout();
        self.outlet().existing().map_or(Ok(()), |pipeline| flush(pipeline, deadline))
    }

    /// Takes nothing more, and delivers what was taken: the last one of a signal ends its pipeline, the others flush it.
    pub(crate) fn shut(&self, deadline: Duration) -> OTelSdkResult {
        if self.shut.swap(true, Ordering::Relaxed) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        let last = self.outlet().close();
        let Some(pipeline) = self.outlet().existing() else { return Ok(()) };
        if !last {
            return flush(pipeline, deadline);
        }
        let start = Instant::now();
        let report = pipeline.shutdown(deadline).map_err(failed)?;
        if report.complete { Ok(()) } else { Err(OTelSdkError::Timeout(start.elapsed())) }
    }
}

fn flush(pipeline: &Pipeline, deadline: Duration) -> OTelSdkResult {
    let report = pipeline.flush(deadline).map_err(failed)?;
    if report.complete { Ok(()) } else { Err(OTelSdkError::Timeout(report.took)) }
}

fn failed(error: WaitError) -> OTelSdkError {
    OTelSdkError::InternalFailure(error.to_string())
}

impl Drop for Port {
    fn drop(&mut self) {
        if !self.is_shut() {
            self.outlet().close();
        }
    }
}
