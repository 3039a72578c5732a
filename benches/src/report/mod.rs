//! How rows are shown: a line on the terminal, `docs/benchmarks.md`, plots.

mod document;
mod line;
mod machine;
mod plot;

pub use document::publish;
pub use line::line;
