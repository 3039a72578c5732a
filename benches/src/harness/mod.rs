//! Rows, bars, statistics, and the timing loop of the micro-benchmarks.

mod bar;
mod row;
mod run;
mod stats;

pub use bar::{Bar, Comparison, ParseBarError, Subject};
pub use row::{Better, Declared, Row};
pub use run::{Effort, Run, Samples, Suite};
pub use stats::{median, spread};
