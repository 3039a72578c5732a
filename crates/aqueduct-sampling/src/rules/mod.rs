//! Rates by what an item is.

mod based;
mod pattern;
mod predicate;
mod sampler;

pub use based::RuleBased;
pub use pattern::Pattern;
pub use predicate::{Predicate, ValueTest};
pub use sampler::{Rate, RuleSampler};
