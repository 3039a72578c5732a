//! Sampling of what is encoded already.

mod facts;
mod metrics;
mod probabilistic;

pub use facts::OtlpFacts;
pub(crate) use metrics::ITEMS;
pub use metrics::{SamplerStats, write_sampler_metrics};
pub use probabilistic::ProbabilisticSampler;
