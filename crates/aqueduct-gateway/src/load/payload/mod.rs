//! Requests at the price of a patch: one template per generator, encoded once, in which only identities and times change.
//!
//! Building a request with an encoder costs more than a gateway spends on it (prost: 0.5 us a span), and then the generator is
//! what gets measured. Here a request is the template's bytes with about 32 bytes per item overwritten, and a buffer that has
//! come back is patched where it lies.

mod content;
mod encode;
mod text;

use crate::ids::ItemId;
use aqueduct::wire::{Signal, grpc};
use content::Variety;
use encode::Writer;

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
        let (mut bytes, mut fields) = protobuf(shape, producer);
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
    /// The JSON of the request could not be written, or does not show the identities where they were expected.
    Json(String),
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge => f.write_str("a request of this many items does not fit a gRPC message"),
            Self::Json(why) => write!(f, "cannot write the request as JSON: {why}"),
        }
    }
}

impl std::error::Error for TemplateError {}

/// Data points per metric: instruments rarely have fewer series.
const POINTS_PER_METRIC: usize = 10;

/// The request as protobuf: one resource, one scope, all items.
fn protobuf(shape: Shape, producer: u32) -> (Vec<u8>, Vec<Fields>) {
    let mut variety = Variety::new(u64::from(producer));
    let mut fields = Vec::with_capacity(shape.items);
    let mut request = Writer::default();
    let resource_at = request.message(1, |resource| {
        resource.message(1, |out| content::resource(out, producer));
        let scope_at = resource.message(2, |scope| {
            scope.message(1, |out| {
                out.text(1, "com.example.shop.checkout.http");
                out.text(2, "1.8.0");
            });
            match shape.signal {
                Signal::Metrics => metrics(scope, shape, producer, &mut variety, &mut fields),
                signal => {
                    for sequence in 0..shape.items as u64 {
                        let id = ItemId { producer, sequence };
                        let mut item = Fields::default();
                        let at = scope.message(2, |out| {
                            item = match signal {
                                Signal::Logs => log(out, id, shape, &mut variety),
                                _ => span(out, id, shape, &mut variety),
                            };
                        });
                        item.shift(at);
                        fields.push(item);
                    }
                }
            }
        });
        fields.iter_mut().for_each(|item| item.shift(scope_at));
    });
    fields.iter_mut().for_each(|item| item.shift(resource_at));
    (request.bytes, fields)
}

/// Any time with 19 digits: every use of it is patched before sending.
const SOME_TIME: u64 = 1_700_000_000_000_000_000;

fn span(out: &mut Writer, id: ItemId, shape: Shape, variety: &mut Variety) -> Fields {
    let identity = out.field(1, &id.to_trace_id());
    let span_id = out.field(2, &id.span_id());
    out.text(5, content::span_name(variety));
    out.uint(6, 2); // SPAN_KIND_SERVER
    let start = out.fixed64(7, SOME_TIME);
    let end = out.fixed64(8, SOME_TIME);
    content::attributes(out, 9, shape.attributes, variety);
    out.message(15, |status| status.uint(3, 1)); // STATUS_CODE_OK
    out.fixed32(16, 0x0000_0101); // sampled, parent is known to be local
    Fields { identity, span_id: Some(span_id), start, end: Some(end) }
}

fn log(out: &mut Writer, id: ItemId, shape: Shape, variety: &mut Variety) -> Fields {
    let start = out.fixed64(1, SOME_TIME);
    out.uint(2, 9); // SEVERITY_NUMBER_INFO
    out.text(3, "INFO");
    out.any(5, &content::log_body(variety));
    content::attributes(out, 6, shape.attributes, variety);
    out.fixed32(8, 1);
    let identity = out.field(9, &id.to_trace_id());
    let span_id = out.field(10, &id.span_id());
    let end = out.fixed64(11, SOME_TIME);
    Fields { identity, span_id: Some(span_id), start, end: Some(end) }
}

fn metrics(scope: &mut Writer, shape: Shape, producer: u32, variety: &mut Variety, fields: &mut Vec<Fields>) {
    let mut made = 0;
    while made < shape.items {
        let points = POINTS_PER_METRIC.min(shape.items - made);
        let from = fields.len();
        let metric_at = scope.message(2, |metric| {
            metric.text(1, &format!("app.orders.priced.{:03}", made / POINTS_PER_METRIC));
            metric.text(2, "Orders priced, by outcome");
            metric.text(3, "{order}");
            let sum_at = metric.message(7, |sum| {
                for index in 0..points {
                    let id = ItemId { producer, sequence: (made + index) as u64 };
                    let (begun, value) = id.to_point();
                    let mut item = Fields::default();
                    let at = sum.message(1, |point| {
                        point.fixed64(2, begun);
                        item.start = point.fixed64(3, SOME_TIME);
                        item.identity = point.fixed64(6, value as u64);
                        content::attributes(point, 7, shape.attributes, variety);
                    });
                    item.shift(at);
                    fields.push(item);
                }
                sum.uint(2, 2); // AGGREGATION_TEMPORALITY_CUMULATIVE
                sum.uint(3, 1); // is_monotonic
            });
            fields[from..].iter_mut().for_each(|item| item.shift(sum_at));
        });
        fields[from..].iter_mut().for_each(|item| item.shift(metric_at));
        made += points;
    }
}

#[cfg(test)]
mod tests;
