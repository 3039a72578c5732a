//! Log records.

mod encoder;
mod exporter;
mod filter;
mod processor;
mod source;

pub(crate) use encoder::{Item, LogEncoder};
pub use exporter::LogExporter;
pub(crate) use filter::LogFilter;
pub use processor::LogProcessor;
