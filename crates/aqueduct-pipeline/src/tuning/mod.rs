//! Pipelines under a tuner: what they did is observed, and what the tuner changes is applied.

mod observer;
mod running;
mod settings;
mod tuner;

pub use observer::Observer;
pub use running::RunningTuner;
pub use tuner::Tuner;
