//! The counts as Prometheus families.

use aqueduct_metrics::{Desc, Exposition};
use aqueduct_pipeline::{LaneStatus, write_distributions};

use super::bounded::{ADMITTED, ASKED, DISPLACED, LIMITED, POOLED, POOLED_BYTES};
use super::{SignalSnapshot, Snapshot};
use crate::aqueduct::Aqueduct;

const STARTED: Desc = Desc::counter(
    "aqueduct_sdk_started_spans_total",
    "{span}",
    "Spans that were started while they were recorded, by where their parent is and whether they are sampled.",
)
.with_attributes(&["parent_origin", "sampling_result"])
.with_convention("otel.sdk.span.started");
const LIVE: Desc = Desc::gauge(
    "aqueduct_sdk_live_spans",
    "{span}",
    "Spans that were started and have not ended, by whether they are sampled.",
)
.with_attributes(&["sampling_result"])
.with_convention("otel.sdk.span.live");
const CREATED: Desc =
    Desc::counter("aqueduct_sdk_created_logs_total", "{log_record}", "Log records that were emitted.")
        .with_convention("otel.sdk.log.created");
const QUEUE: Desc =
    Desc::gauge("aqueduct_sdk_queue_items", "{item}", "Items that wait to be sent for the first time.")
        .with_attributes(&["signal"])
        .with_convention("otel.sdk.processor.{signal}.queue.size");
const CAPACITY: Desc = Desc::gauge(
    "aqueduct_sdk_queue_capacity_items",
    "{item}",
    "How many items may wait, reckoned at 1 KiB each.",
)
.with_attributes(&["signal"])
.with_convention("otel.sdk.processor.{signal}.queue.capacity");
const PROCESSED: Desc = Desc::counter(
    "aqueduct_sdk_processed_items_total",
    "{item}",
    "Items that were handed over: error_type is empty of those that were taken.",
)
.with_attributes(&["signal", "error_type"])
.with_convention("otel.sdk.processor.{signal}.processed");
const LEFT_OUT: Desc = Desc::counter(
    "aqueduct_sdk_left_out_items_total",
    "{item}",
    "Items that nobody wanted to be exported: not sampled, or filtered.",
)
.with_attributes(&["signal", "reason"]);
const IN_FLIGHT: Desc = Desc::gauge(
    "aqueduct_sdk_in_flight_items",
    "{item}",
    "Items that were sent at least once and have no outcome, retries included.",
)
.with_attributes(&["signal"])
.with_convention("otel.sdk.exporter.{signal}.inflight");
const EXPORTED: Desc = Desc::counter(
    "aqueduct_sdk_exported_items_total",
    "{item}",
    "Items that have an outcome: error_type is empty of those that the collector took.",
)
.with_attributes(&["signal", "error_type"])
.with_convention("otel.sdk.exporter.{signal}.exported");

/// The metrics of this crate. Those of the pipelines and of tails are in [`aqueduct_pipeline::METRICS`], and those of the ledgers in [`aqueduct_metrics::METRICS`].
pub const METRICS: &[Desc] = &[
    STARTED,
    LIVE,
    CREATED,
    QUEUE,
    CAPACITY,
    PROCESSED,
    LEFT_OUT,
    IN_FLIGHT,
    EXPORTED,
    LIMITED,
    ADMITTED,
    DISPLACED,
    ASKED,
    POOLED,
    POOLED_BYTES,
];

impl Aqueduct {
    /// The counts at this instant, of the signals that were used.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { signals: self.inner.outlets.iter().filter_map(SignalSnapshot::of).collect() }
    }

    /// Writes the families of [`METRICS`] that are about the handle, and those of the pipelines: for a page of Prometheus text. What the program has of limiters, pools and
    /// tails writes its own: [`CardinalityLimiter::write_metrics`](crate::CardinalityLimiter::write_metrics),
    /// [`AttributePool::write_metrics`](crate::AttributePool::write_metrics), [`LocalTail::write_metrics`](crate::LocalTail::write_metrics).
    ///
    /// ```
    /// use aqueduct_metrics::Exposition;
    /// # let telemetry = aqueduct_opentelemetry::Aqueduct::builder().variables(|_| None).build()?;
    /// # let logs = telemetry.log_processor();
    /// let mut page = Exposition::new();
    /// telemetry.write_metrics(&mut page);
    /// assert!(page.prometheus_text().contains("aqueduct_sdk_created_logs_total 0\n"));
    /// # Ok::<(), aqueduct_opentelemetry::BuildError>(())
    /// ```
    pub fn write_metrics(&self, page: &mut Exposition) {
        let signals = self.snapshot().signals;
        signals.iter().for_each(|signal| write(signal, page));
        let lanes: Vec<LaneStatus> = signals.into_iter().map(|signal| signal.lane).collect();
        aqueduct_pipeline::write_metrics(&lanes, page);
        let pipelines = self.inner.pipelines();
        let distributions: Vec<_> = pipelines.flat_map(|pipeline| pipeline.distributions()).collect();
        write_distributions(&distributions, page);
    }
}

fn write(snapshot: &SignalSnapshot, page: &mut Exposition) {
    let signal = ("signal", snapshot.signal.as_str());
    for count in &snapshot.started {
        let labels = [("parent_origin", count.parent_origin), ("sampling_result", count.sampling_result)];
        page.family(&STARTED).sample(&labels, count.spans);
    }
    for count in &snapshot.live {
        page.family(&LIVE).sample(&[("sampling_result", count.sampling_result)], count.spans);
    }
    if snapshot.signal == aqueduct_wire::Signal::Logs {
        page.family(&CREATED).sample(&[], snapshot.created);
    }
    page.family(&QUEUE).sample(&[signal], snapshot.queue_size);
    page.family(&CAPACITY).sample(&[signal], snapshot.queue_capacity);
    page.family(&PROCESSED).sample(&[signal, ("error_type", "")], snapshot.processed);
    for (why, items) in &snapshot.not_taken {
        if why.is_loss() {
            page.family(&PROCESSED).sample(&[signal, ("error_type", why.as_str())], *items);
        } else {
            page.family(&LEFT_OUT).sample(&[signal, ("reason", why.as_str())], *items);
        }
    }
    page.family(&IN_FLIGHT).sample(&[signal], snapshot.in_flight);
    page.family(&EXPORTED).sample(&[signal, ("error_type", "")], snapshot.exported);
    for (why, items) in &snapshot.failed {
        page.family(&EXPORTED).sample(&[signal, ("error_type", why)], *items);
    }
}
