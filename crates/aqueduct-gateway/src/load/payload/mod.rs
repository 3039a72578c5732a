//! Requests at the price of a patch: one template per generator, encoded once, in which only identities and times change.
//!
//! Building a request with an encoder costs more than a gateway spends on it (prost: 0.5 us a span), and then the generator is
//! what gets measured. Here a request is the template's bytes with about 32 bytes per item overwritten, and a buffer that has
//! come back is patched where it lies.

mod content;
mod places;
mod text;

use crate::ids::ItemId;
use aqueduct::wire::encode::ChunkBuilder;
use aqueduct::wire::{Chunk, Signal, grpc};
use content::{Counter, Item, Variety};

/// What a request is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) signal: Signal,
    /// Items per request.
    pub(crate) items: usize,
    /// Attributes per item.
    pub(crate) attributes: usize,
    pub(crate) encoding: Encoding,
}

/// How the message is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Protobuf behind the five-byte prefix of gRPC.
    Grpc,
    /// Bare protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// Where the fields of one item lie that change from request to request.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    /// Spans and log records: the whole trace id. Data points: the value.
    identity: usize,
    /// Spans and log records: the span id.
    span_id: Option<usize>,
    /// Start of a span, time of a log record or point.
    start: usize,
    /// End of a span, observed time of a log record.
    end: Option<usize>,
}

/// The bytes of a request, and where to patch them.
#[derive(Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    fields: Vec<Fields>,
    shape: Shape,
    producer: u32,
}

impl Template {
    /// Encodes a request of this shape.
    pub(crate) fn new(shape: Shape, producer: u32) -> Result<Self, TemplateError> {
        let request = protobuf(shape, producer);
        let (mut bytes, mut fields) = (request.bytes().to_vec(), Vec::new());
        if shape.encoding != Encoding::Json {
            fields = places::of(&request, producer)?;
        }
        match shape.encoding {
            Encoding::Protobuf => {}
            Encoding::Grpc => {
                let len = u32::try_from(bytes.len()).map_err(|_| TemplateError::TooLarge)?;
                bytes.splice(0..0, grpc::prefix(len, false));
                fields.iter_mut().for_each(|item| item.shift(grpc::PREFIX_LEN));
            }
            Encoding::Json => {
                (bytes, fields) = text::to_json(shape.signal, &bytes, producer, shape.items)?;
            }
        }
        Ok(Self { bytes, fields, shape, producer })
    }

    /// The template itself: what a new buffer starts as.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Gives the items of a buffer that holds this template the sequences from `first` on, and the time.
    pub(crate) fn patch(&self, buffer: &mut [u8], first: u64, unix_nanos: u64) {
        let put: fn(&mut [u8], Field, &Fields) = match self.shape.encoding {
            Encoding::Json => text::put,
            Encoding::Grpc | Encoding::Protobuf => put_binary,
        };
        for (sequence, item) in (first..).zip(&self.fields) {
            let id = ItemId { producer: self.producer, sequence };
            put(buffer, Field::Identity(id, self.shape.signal), item);
            // A span of a plausible and varying duration: 1 ms and up to 65 us more, ending now.
            let start = unix_nanos - 1_000_000 - (sequence & 0xFFFF);
            put(buffer, Field::Times { start, end: unix_nanos }, item);
        }
    }
}

/// What is patched into an item.
#[derive(Clone, Copy)]
enum Field {
    Identity(ItemId, Signal),
    Times { start: u64, end: u64 },
}

#[inline]
fn put_binary(buffer: &mut [u8], field: Field, at: &Fields) {
    match field {
        Field::Identity(id, Signal::Metrics) => {
            overwrite(buffer, at.identity, &id.to_point().1.to_le_bytes());
        }
        Field::Identity(id, _) => {
            overwrite(buffer, at.identity, &id.to_trace_id());
            if let Some(span_id) = at.span_id {
                overwrite(buffer, span_id, &id.span_id());
            }
        }
        Field::Times { start, end } => {
            overwrite(buffer, at.start, &start.to_le_bytes());
            if let Some(at) = at.end {
                overwrite(buffer, at, &end.to_le_bytes());
            }
        }
    }
}

#[inline]
fn overwrite<const N: usize>(buffer: &mut [u8], at: usize, bytes: &[u8; N]) {
    buffer[at..at + N].copy_from_slice(bytes);
}

impl Fields {
    fn shift(&mut self, by: usize) {
        self.identity += by;
        self.start += by;
        self.span_id = self.span_id.map(|at| at + by);
        self.end = self.end.map(|at| at + by);
    }
}

/// Why a template could not be made.
#[derive(Debug)]
pub(crate) enum TemplateError {
    /// The message does not fit the 32-bit length of a gRPC frame.
    TooLarge,
    /// The request could not be written as JSON.
    Json(String),
    /// Something that is to be patched does not occur in each item exactly once.
    Hidden(&'static str),
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge => f.write_str("a request of this many items does not fit a gRPC message"),
            Self::Json(why) => write!(f, "cannot write the request as JSON: {why}"),
            Self::Hidden(what) => write!(f, "cannot find the {what} in every item of the request"),
        }
    }
}

impl std::error::Error for TemplateError {}

/// Data points per metric: instruments rarely have fewer series.
const POINTS_PER_METRIC: usize = 10;

/// The request as protobuf: one resource, one scope, all items.
fn protobuf(shape: Shape, producer: u32) -> Chunk {
    let variety = &Variety::new(u64::from(producer));
    let (attributes, scope) = (shape.attributes, content::scope());
    let mut builder = ChunkBuilder::new(shape.signal, content::resource(producer));
    let per_push = if shape.signal == Signal::Metrics { POINTS_PER_METRIC } else { 1 };
    for made in (0..shape.items).step_by(per_push) {
        let id = ItemId { producer, sequence: made as u64 };
        let item = Item { id, attributes, variety };
        match shape.signal {
            Signal::Metrics => {
                let name = format!("app.orders.priced.{:03}", made / POINTS_PER_METRIC);
                let points = POINTS_PER_METRIC.min(shape.items - made) as u64;
                let counter = Counter { name: &name, first: id, points, attributes, variety };
                builder.push_metric(&scope, &counter);
            }
            Signal::Logs => builder.push_log(&scope, &item),
            _ => builder.push_span(&scope, &item),
        }
    }
    builder.seal()
}

#[cfg(test)]
mod tests;
