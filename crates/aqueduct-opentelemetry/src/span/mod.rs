//! Spans.

mod encoder;
mod exporter;
mod filter;
mod flags;
mod processor;
mod source;

pub(crate) use encoder::SpanEncoder;
pub use exporter::SpanExporter;
pub(crate) use filter::SpanFilter;
pub use filter::Verdict;
pub use processor::SpanProcessor;
