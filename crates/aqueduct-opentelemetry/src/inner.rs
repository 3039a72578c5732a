//! What the handle and everything made of it share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_pipeline::Pipeline;
use aqueduct_wire::Signal;
use opentelemetry_sdk::Resource;

use crate::limits::Limits;
use crate::log::LogFilter;
use crate::outlet::Outlet;
use crate::redact::Redactor;
use crate::report::{Report, SignalReport};
use crate::resource::Configured;
use crate::span::SpanFilter;
use crate::tail::Tails;
use crate::telemetry::Durations;
use crate::temporality::TemporalityPreference;

#[derive(Debug)]
pub(crate) struct Inner {
    /// By [`Signal::index`].
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) durations: Arc<Durations>,
    pub(crate) resource: Configured,
    pub(crate) limits: Limits,
    pub(crate) temporality: TemporalityPreference,
    pub(crate) redactor: Redactor,
    pub(crate) span_filter: SpanFilter,
    pub(crate) log_filter: LogFilter,
    pub(crate) export_unsampled: bool,
    /// By [`Signal::index`].
    pub(crate) flush_timeouts: [Duration; Signal::ALL.len()],
    pub(crate) drop_deadline: Duration,
    pub(crate) tails: Tails,
}

impl Inner {
    #[inline]
    pub(crate) fn outlet(&self, signal: Signal) -> &Outlet {
        &self.outlets[signal.index()]
    }

    pub(crate) fn resource(&self) -> &Resource {
        self.resource.resource()
    }

    pub(crate) fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        self.outlets.iter().filter_map(Outlet::existing)
    }

    /// Waits for each pipeline in turn, and for all of them no longer than the deadline.
    pub(crate) fn wait(
        &self,
        deadline: Duration,
        end: impl Fn(&Pipeline, Duration) -> Result<aqueduct_pipeline::Report, aqueduct_pipeline::WaitError>,
    ) -> Report {
        let start = Instant::now();
        // Each begins at once: while one is waited for the others are sending.
        let begun: Vec<_> = self.pipelines().map(|pipeline| pipeline.flush_async(deadline)).collect();
        let (mut complete, mut error) = (true, None);
        for pipeline in self.pipelines() {
            match end(pipeline, deadline.saturating_sub(start.elapsed())) {
                Ok(report) => complete &= report.complete,
                Err(why) => (complete, error) = (false, Some(why)),
            }
        }
        drop(begun);
        self.report(complete, start, error)
    }

    pub(crate) fn report(
        &self,
        complete: bool,
        start: Instant,
        error: Option<aqueduct_pipeline::WaitError>,
    ) -> Report {
        let signals = self.outlets.iter().filter_map(SignalReport::of).collect();
        let held_in_tails = self.tails.held_spans();
        Report { complete, took: start.elapsed(), signals, held_in_tails, error }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Together, where each pipeline's own end would take as long again. A pipeline that was shut down before ends at once.
        self.wait(self.drop_deadline, Pipeline::shutdown);
    }
}
