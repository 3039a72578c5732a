//! What the JSON of the admin endpoint says. Fields are only ever added.

use std::collections::BTreeMap;

use serde::Serialize;

/// The answer of `/readyz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Readiness {
    /// Whether to send here.
    pub state: ReadyState,
    /// The destinations, for people: none of them makes the gateway unready.
    pub exporters: Vec<ExporterState>,
}

impl Readiness {
    /// A readiness with this state and these destinations.
    pub fn new(state: ReadyState, exporters: Vec<ExporterState>) -> Self {
        Self { state, exporters }
    }
}

/// Whether clients should send to this gateway.
///
/// Complete: anything else a client can do is to send or not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyState {
    /// Send.
    Ready,
    /// The gateway is shutting down: send to another.
    Draining,
    /// The receive budget or a queue is full: new requests are asked to come again.
    Full,
}

/// One destination of one pipeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExporterState {
    /// The pipeline's signal.
    pub signal: String,
    /// The exporter's name in the configuration.
    pub destination: String,
    /// Whether there is a connection, or the last attempt succeeded.
    pub connected: bool,
    /// Why the last attempt failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Bytes it holds.
    pub held_bytes: u64,
    /// Bytes it may hold.
    pub capacity_bytes: u64,
}

impl ExporterState {
    /// A destination that is connected and holds nothing; the other fields are public.
    pub fn new(signal: impl Into<String>, destination: impl Into<String>) -> Self {
        Self {
            signal: signal.into(),
            destination: destination.into(),
            connected: true,
            last_error: None,
            held_bytes: 0,
            capacity_bytes: 0,
        }
    }
}

/// The answer of `/statusz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StatusReport {
    /// The gateway's version.
    pub version: String,
    /// Whole seconds since the start.
    pub uptime_s: u64,
    /// One row per pipeline and destination.
    pub pipelines: Vec<PipelineStatus>,
}

impl StatusReport {
    /// A report of this version of the gateway.
    pub fn new(uptime: std::time::Duration, pipelines: Vec<PipelineStatus>) -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), uptime_s: uptime.as_secs(), pipelines }
    }
}

/// The ledger of one destination of one pipeline, in items (spans, data points, log records).
///
/// `accepted = delivered + rejected + dropped + held` whenever nothing is moving, and at any time up to what moved while
/// the numbers were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PipelineStatus {
    /// `traces`, `metrics` or `logs`.
    pub signal: String,
    /// The exporter's name in the configuration.
    pub destination: String,
    /// Taken in.
    pub accepted: u64,
    /// Confirmed by the destination.
    pub delivered: u64,
    /// Refused by the destination for good, by partial success.
    pub rejected: u64,
    /// Given up, by reason. Reasons without items may be absent.
    pub dropped: BTreeMap<String, u64>,
    /// Still here.
    pub held: u64,
    /// Offered while there was no room, and left to the client: in no other column.
    pub refused: u64,
    /// Requests under way.
    pub in_flight_requests: u64,
    /// How many there may be now, at most `sending_queue.num_consumers`.
    pub in_flight_limit: u64,
    /// Bytes before their compression of the batches that wait compressed.
    pub compressed_from_bytes: u64,
    /// Bytes that these batches hold now.
    pub compressed_to_bytes: u64,
    /// Tasks of the pipeline's thread that failed and were begun again; what they held was kept.
    pub restarts: u64,
}

impl PipelineStatus {
    /// A row of zeros; the other fields are public.
    pub fn new(signal: impl Into<String>, destination: impl Into<String>) -> Self {
        Self {
            signal: signal.into(),
            destination: destination.into(),
            accepted: 0,
            delivered: 0,
            rejected: 0,
            dropped: BTreeMap::new(),
            held: 0,
            refused: 0,
            in_flight_requests: 0,
            in_flight_limit: 0,
            compressed_from_bytes: 0,
            compressed_to_bytes: 0,
            restarts: 0,
        }
    }
}

/// The answer of `/debug/tuner`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TunerStatus {
    /// How good the last window was, from 0 to 100.
    pub score: f64,
    /// Whether it has found nothing more to gain, and waits until something is different.
    pub resting: bool,
    /// The settings that it owns, with units.
    pub settings: BTreeMap<String, String>,
    /// The last hundred changes, the oldest first.
    pub history: Vec<TunerChange>,
    /// What it would try next, and why.
    pub suggestions: Vec<String>,
    /// What held the pipelines up in the last window.
    pub bottlenecks: Vec<String>,
}

/// A change that the tuner made.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TunerChange {
    /// How long ago.
    pub seconds_ago: f64,
    /// Which setting.
    pub knob: String,
    /// What it was.
    pub old: String,
    /// What it became.
    pub new: String,
    /// Why.
    pub reason: String,
    /// The score before.
    pub score_before: f64,
    /// The score afterwards, once it is known.
    pub score_after: Option<f64>,
    /// What became of it: pending, kept, reverted, ...
    pub outcome: String,
}
