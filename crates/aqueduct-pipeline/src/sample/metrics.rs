//! The metrics of probabilistic samplers.

use aqueduct_metrics::{Desc, Exposition};

use super::ProbabilisticSampler;

pub(crate) const ITEMS: Desc = Desc::counter(
    "aqueduct_probabilistic_sampler_items_total",
    "{item}",
    "Spans or log records that a sampler was asked about; again for each time that they were refused afterwards and offered anew.",
)
.with_attributes(&["pipeline", "processor", "decision"])
.with_aliases(&[
    "otelcol_processor_probabilistic_sampler_count_spans_processed_total",
    "otelcol_processor_probabilistic_sampler_count_traces_sampled",
    "otelcol_processor_probabilistic_sampler_count_logs_sampled",
]);

/// What a [`ProbabilisticSampler`] did so far, all its clones together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplerStats {
    /// Items that it kept.
    pub sampled: u64,
    /// Items that it left out.
    pub not_sampled: u64,
}

/// Writes the family of probabilistic samplers among [`METRICS`](crate::METRICS). Each comes with the name of its pipeline, and its own as a processor.
pub fn write_sampler_metrics<'a>(
    samplers: impl IntoIterator<Item = (&'a str, &'a str, &'a ProbabilisticSampler)>,
    page: &mut Exposition,
) {
    let mut family = page.family(&ITEMS);
    for (pipeline, processor, sampler) in samplers {
        let stats = sampler.stats();
        for (decision, count) in [("sampled", stats.sampled), ("not_sampled", stats.not_sampled)] {
            let labels = [("pipeline", pipeline), ("processor", processor), ("decision", decision)];
            family.sample(&labels, count);
        }
    }
}
