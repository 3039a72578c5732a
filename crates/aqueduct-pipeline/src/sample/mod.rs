//! Sampling of what is encoded already.

mod facts;
mod probabilistic;

pub use facts::OtlpFacts;
pub use probabilistic::ProbabilisticSampler;
