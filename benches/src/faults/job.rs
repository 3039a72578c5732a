//! What an application is asked for, and what it tells afterwards.

use std::collections::BTreeMap;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::LaneStatus;
use serde::{Deserialize, Serialize};

/// Whose telemetry it is that the application uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// Spans encoded by `aqueduct-wire`, sent by `aqueduct-pipeline`.
    #[default]
    Ours,
    /// Spans of the OpenTelemetry SDK's tracer, with what carries them.
    Sdk(Carrier),
}

/// What stands behind the SDK's tracer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Carrier {
    /// The span processor of `aqueduct-opentelemetry`.
    Processor,
    /// The SDK's `BatchSpanProcessor` with its defaults, and our exporter, which is done when the pipeline has the spans.
    OnEnqueue,
    /// The same with an exporter that is done when the sink has answered.
    OnDelivery,
    /// The SDK's `BatchSpanProcessor` and `opentelemetry-otlp` over gRPC, with their defaults.
    Stock,
}

/// What a span's attributes are: four, but for the wide ones. Values of every span are its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Two constants, a text of 38 bytes that holds a number, and an integer: about 220 bytes a span.
    #[default]
    Plain,
    /// Ten of what a web server says: about 500 bytes a span, some of them different in each. Not through the SDK.
    Wide,
    /// Four times so many random bytes: what no codec makes shorter. Not through the SDK, which has no such value.
    Raw(usize),
    /// Four times so many random hexadecimal digits: half of that is random.
    Hex(usize),
}

/// A load, and how it is to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Whose telemetry.
    pub side: Side,
    /// Where the sink is: `http://host:port`.
    pub endpoint: String,
    /// OTLP/HTTP instead of gRPC. Not for the stock exporter.
    pub http: bool,
    /// Spans a second, over all clients.
    pub rate: f64,
    /// How long spans are ended.
    pub seconds: f64,
    /// How long the shutdown may take, in seconds.
    pub shutdown_seconds: f64,
    /// What is in a span.
    pub content: Content,
    /// Of the random numbers.
    pub seed: u64,
    /// The byte budget of a pipeline; 0 for the default. Not for the stock exporter, as the next two.
    pub queue_bytes: u64,
    /// From what share of the budget on batches that wait are compressed, in percent; 0 for the default.
    pub compress_above: u8,
    /// Items of a batch; 0 for the default. The SDK's own batches keep theirs.
    pub batch_items: u64,
    /// How many pipelines or providers share the rate, each with a client and spans of its own.
    pub clients: u16,
}

impl Default for Job {
    fn default() -> Job {
        Job {
            side: Side::Ours,
            endpoint: String::new(),
            http: false,
            rate: 20_000.0,
            seconds: 1.0,
            shutdown_seconds: 30.0,
            content: Content::Plain,
            seed: 1,
            queue_bytes: 0,
            compress_above: 0,
            batch_items: 0,
            clients: 1,
        }
    }
}

/// A pipeline's ledger after its shutdown, in items; of several, the sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Taken in.
    pub accepted: u64,
    /// Confirmed by the sink.
    pub delivered: u64,
    /// Refused by the sink for good.
    pub rejected: u64,
    /// Given up, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Found by walking the stages, not derived from the other columns.
    pub held: u64,
}

impl Books {
    /// Adds what a lane says at its end.
    pub(super) fn add(&mut self, lane: &LaneStatus) {
        self.accepted += lane.ledger.accepted;
        self.delivered += lane.ledger.delivered;
        self.rejected += lane.ledger.rejected;
        self.held += lane.held_items();
        for reason in DropReason::ALL {
            let items = lane.ledger.dropped(reason);
            if items > 0 {
                *self.dropped.entry(reason.as_str().to_owned()).or_default() += items;
            }
        }
    }

    /// Given up for any reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }
}

/// What an application tells when it has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Spans ended.
    pub generated: u64,
    /// Spans that a queue of the SDK's lost before our exporter: they were ended, and it was never given them.
    pub overflowed: u64,
    /// Spans that were not taken in, because the budget was full. The stock exporter does not tell.
    pub refused: u64,
    /// The ledger. The stock exporter has none.
    pub books: Option<Books>,
    /// Items of attempts after which nobody knew whether the sink has them: as many may be there twice. Ours without the SDK only.
    pub unknown: u64,
    /// Attempts made.
    pub attempts: u64,
    /// The most resident bytes.
    pub peak_rss: u64,
    /// At the moment when most items were held: their bytes as encoded. Ours without the SDK only, as the next.
    pub raw_bytes: f64,
    /// At the same moment: the bytes charged to the budget.
    pub held_bytes: u64,
    /// How long the shutdown took, in seconds.
    pub shutdown_seconds: f64,
}
