//! From the settings of samplers to samplers.

use aqueduct::sampling::{self, DownstreamConfig, DownstreamMode};
use aqueduct::wire::Signal;

use crate::config::{AttributeSource, ProbabilisticSampler, SamplingMode};

/// What a sampler in a pipeline of this signal is to do.
pub(crate) fn downstream(sampler: &ProbabilisticSampler, signal: Signal) -> DownstreamConfig {
    let mut config = DownstreamConfig::default();
    config.percentage = sampler.sampling_percentage.into();
    config.mode = match sampler.mode_for(signal) {
        SamplingMode::HashSeed => DownstreamMode::HashSeed(sampler.hash_seed),
        SamplingMode::Proportional => DownstreamMode::Proportional,
        SamplingMode::Equalizing => DownstreamMode::Equalizing,
    };
    config.precision = sampler.sampling_precision;
    config.fail_closed = sampler.fail_closed;
    config.attribute_source = match sampler.attribute_source {
        AttributeSource::TraceId => sampling::AttributeSource::TraceId,
        AttributeSource::Record => sampling::AttributeSource::Record,
    };
    config.from_attribute.clone_from(&sampler.from_attribute);
    if signal == Signal::Logs {
        // Of spans the attribute has a name that nobody can change.
        config.priority.clone_from(&sampler.sampling_priority);
    }
    config
}
