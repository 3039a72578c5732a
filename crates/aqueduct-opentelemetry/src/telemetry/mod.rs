//! What there is to know about telemetry itself: `otel.sdk.*` (OpenTelemetry semantic conventions, "SDK metrics"), by asking and through a meter.

mod bounded;
mod meter;
mod page;
mod peer;
mod snapshot;
mod timed;

pub use page::METRICS;
pub(crate) use peer::Peer;
pub use snapshot::{SignalSnapshot, Snapshot, SpanCount};
pub(crate) use timed::{Durations, Timed};
