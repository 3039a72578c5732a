//! The metrics of tail samplers.

use aqueduct_metrics::{Desc, Exposition};
use aqueduct_sampling::tail::{Outcomes, TailStats};

/// The attributes of what every tail sampler has.
const PIPELINE: &[&str] = &["pipeline"];
const DECISION: &[&str] = &["pipeline", "decision"];

pub(crate) const TRACES: Desc = Desc::counter(
    "aqueduct_tail_sampling_traces_total",
    "{trace}",
    "Traces decided, by what made them due: root, timeout, pressure (for want of room, earlier than was ordered) or drain.",
)
.with_attributes(&["pipeline", "reason", "decision"])
.with_aliases(&[
    "otelcol_processor_tail_sampling_global_count_traces_sampled",
    "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early",
]);
pub(crate) const SPANS: Desc = Desc::counter(
    "aqueduct_tail_sampling_spans_total",
    "{span}",
    "Spans that went on or were dropped, late ones included.",
)
.with_attributes(DECISION);
pub(crate) const LATE: Desc = Desc::counter(
    "aqueduct_tail_sampling_late_spans_total",
    "{span}",
    "Spans that came after the decision on their trace, and followed it.",
)
.with_attributes(DECISION)
.with_aliases(&["otelcol_processor_tail_sampling_early_releases_from_cache_decision"]);
pub(crate) const RESCUED: Desc = Desc::counter(
    "aqueduct_tail_sampling_pressure_sampled_traces_total",
    "{trace}",
    "Traces that no policy sampled, and that chance sampled when they were decided for want of room.",
)
.with_attributes(PIPELINE);
pub(crate) const VOTES: Desc = Desc::counter(
    "aqueduct_tail_sampling_policy_traces_total",
    "{trace}",
    "Traces that a policy voted on: sampled, not_sampled or dropped. What the others voted is not in it.",
)
.with_attributes(&["pipeline", "policy", "decision"])
.with_aliases(&["otelcol_processor_tail_sampling_count_traces_sampled"]);
pub(crate) const DECIDED_TRACES: Desc = Desc::counter(
    "aqueduct_tail_sampling_policy_decided_traces_total",
    "{trace}",
    "Traces whose decision bears the name of a policy: the first of those that voted so.",
)
.with_attributes(&["pipeline", "policy"]);
pub(crate) const DECIDED_SPANS: Desc = Desc::counter(
    "aqueduct_tail_sampling_policy_decided_spans_total",
    "{span}",
    "Spans of the traces whose decision bears the name of a policy.",
)
.with_attributes(&["pipeline", "policy"]);
pub(crate) const HELD_TRACES: Desc =
    Desc::gauge("aqueduct_tail_sampling_held_traces", "{trace}", "Traces that wait for their decision.")
        .with_attributes(PIPELINE)
        .with_aliases(&["otelcol_processor_tail_sampling_sampling_traces_on_memory"]);
pub(crate) const HELD_SPANS: Desc =
    Desc::gauge("aqueduct_tail_sampling_held_spans", "{span}", "Spans that wait for their decision.")
        .with_attributes(PIPELINE);
pub(crate) const HELD_BYTES: Desc = Desc::gauge(
    "aqueduct_tail_sampling_held_bytes",
    "By",
    "Bytes that waiting spans, and the tables of the sampler, take.",
)
.with_attributes(PIPELINE);
pub(crate) const CAPACITY: Desc = Desc::gauge(
    "aqueduct_tail_sampling_capacity_bytes",
    "By",
    "The most bytes that a tail sampler may hold.",
)
.with_attributes(PIPELINE);

/// What the tail sampler of a pipeline did so far, and what it holds; see [`Pipeline::tail_status`](crate::Pipeline::tail_status).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TailStatus {
    /// The sampler's counters.
    pub stats: TailStats,
    /// The most bytes that it may hold.
    pub max_bytes: u64,
}

impl TailStatus {
    /// That of a sampler outside of a pipeline.
    #[must_use]
    pub fn new(stats: TailStats, max_bytes: u64) -> Self {
        TailStatus { stats, max_bytes }
    }
}

/// Writes the families of tail samplers among [`METRICS`](crate::METRICS), each sampler with the name of its pipeline.
pub fn write_tail_metrics<'a>(
    samplers: impl IntoIterator<Item = (&'a str, &'a TailStatus)>,
    page: &mut Exposition,
) {
    // A family without samples says that nobody samples; it is there all the same, as all others are.
    let families = [
        &TRACES,
        &SPANS,
        &LATE,
        &RESCUED,
        &VOTES,
        &DECIDED_TRACES,
        &DECIDED_SPANS,
        &HELD_TRACES,
        &HELD_SPANS,
        &HELD_BYTES,
        &CAPACITY,
    ];
    families.into_iter().for_each(|desc| _ = page.family(desc));
    for (pipeline, status) in samplers {
        write(pipeline, status, page);
    }
}

fn write(pipeline: &str, TailStatus { stats, max_bytes }: &TailStatus, page: &mut Exposition) {
    let reasons = [
        ("root", stats.root),
        ("timeout", stats.timeout),
        ("pressure", stats.pressure),
        ("drain", stats.drain),
    ];
    for (reason, outcomes) in reasons {
        for (decision, count) in both(outcomes) {
            let labels = [("pipeline", pipeline), ("reason", reason), ("decision", decision)];
            page.family(&TRACES).sample(&labels, count);
        }
    }
    let spans = Outcomes { sampled: stats.sampled_spans, not_sampled: stats.not_sampled_spans };
    for (desc, outcomes) in [(&SPANS, spans), (&LATE, stats.late)] {
        for (decision, count) in both(outcomes) {
            page.family(desc).sample(&[("pipeline", pipeline), ("decision", decision)], count);
        }
    }
    for policy in &stats.policies {
        let labels = [("pipeline", pipeline), ("policy", &*policy.name)];
        let votes =
            [("sampled", policy.sampled), ("not_sampled", policy.not_sampled), ("dropped", policy.dropped)];
        for (decision, count) in votes {
            page.family(&VOTES).sample(&[labels[0], labels[1], ("decision", decision)], count);
        }
        page.family(&DECIDED_TRACES).sample(&labels, policy.decided_traces);
        page.family(&DECIDED_SPANS).sample(&labels, policy.decided_spans);
    }
    let single = [
        (&RESCUED, stats.pressure_sampled),
        (&HELD_TRACES, stats.held_traces),
        (&HELD_SPANS, stats.held_spans),
        (&HELD_BYTES, stats.held_bytes),
        (&CAPACITY, *max_bytes),
    ];
    for (desc, value) in single {
        page.family(desc).sample(&[("pipeline", pipeline)], value);
    }
}

fn both(outcomes: Outcomes) -> [(&'static str, u64); 2] {
    [("sampled", outcomes.sampled), ("not_sampled", outcomes.not_sampled)]
}
