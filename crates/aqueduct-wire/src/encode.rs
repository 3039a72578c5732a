//! Writing OTLP: from borrowed data straight to bytes.
//!
//! Whoever has spans, log records or metrics in types of their own lends them to the encoder through a small trait
//! ([`SpanSource`], [`LogSource`], [`MetricSource`]); nothing is converted into other structs first, and nothing is
//! allocated for an item once buffers have grown to the size of the largest. No type of opentelemetry is named here.
//!
//! - [`ChunkBuilder`] collects items of one resource and seals them into a [`Chunk`](crate::Chunk).
//! - [`Encoder`] makes the record of a single item, of known length, for any `BufMut`.
//! - [`ResourcePrefix`], [`ScopePrefix`] and [`EncodedAttributes`] are encoded once and copied from then on.
//!
//! The fields are written in the order of their numbers, in the shortest form, without defaults: what prost makes of the same
//! data, byte for byte, but for three things. The `schema_url` of a resource and of a scope stands before the items and not
//! behind them, a double of minus zero is no default, and an attribute always has a value, if an empty one.
//!
//! # Examples
//!
//! ```
//! use aqueduct_wire::encode::{AttributeSink, ChunkBuilder, ResourcePrefix, ScopePrefix, SpanSource, ValueRef};
//! use aqueduct_wire::{Limits, Signal, validate};
//!
//! struct Call<'a> { route: &'a str, nanoseconds: u64 }
//!
//! impl SpanSource for Call<'_> {
//!     fn trace_id(&self) -> [u8; 16] { [1; 16] }
//!     fn span_id(&self) -> [u8; 8] { [2; 8] }
//!     fn name(&self) -> &str { "call" }
//!     fn end_time_unix_nano(&self) -> u64 { self.nanoseconds }
//!     fn attributes(&self, out: &mut AttributeSink<'_>) {
//!         out.push("http.route", ValueRef::Str(self.route));
//!     }
//! }
//!
//! let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")));
//! let scope = ScopePrefix::new("http-server", "0.3.1");
//! let mut builder = ChunkBuilder::new(Signal::Traces, resource);
//! builder.push_span(&scope, &Call { route: "/cart", nanoseconds: 5 });
//! builder.push_span(&scope, &Call { route: "/pay", nanoseconds: 6 });
//! let chunk = builder.seal();
//! assert_eq!(chunk.items(), 2);
//! assert_eq!(validate(Signal::Traces, chunk.bytes(), &Limits::default())?.items, 2);
//! # Ok::<(), aqueduct_wire::Invalid>(())
//! ```

mod builder;
mod encoder;
mod log;
mod metric;
mod point;
mod prefix;
mod span;
mod value;
mod writer;

pub use builder::ChunkBuilder;
pub use encoder::{Encoder, Record};
pub use log::LogSource;
pub use metric::{
    DataSink, ExponentialHistogramPoints, HistogramPoints, MetricSource, NumberPoints, PointSink,
    SummaryPoints,
};
pub use point::{
    BucketsSink, CountSink, DoubleSink, ExemplarSink, ExemplarSource, ExponentialHistogramPointSource,
    HistogramPointSource, Number, NumberPointSource, PointSource, QuantileSink, SummaryPointSource,
};
pub use prefix::{EntityRef, ResourcePrefix, ScopePrefix};
pub use span::{EventSink, EventSource, LinkSink, LinkSource, SpanSource, StatusRef};
pub use value::{ArraySink, AttributeSink, EncodedAttributes, ValueRef, ValueSink};

use value::Room;

// Levels below the request, in which the records of resources stand, and in those the records of scopes.
const IN_RESOURCE: Room = Room::at(2);
const IN_SCOPE: Room = Room::at(3);
/// A span, a log record or a metric.
const IN_ITEM: Room = Room::at(3);
/// An event or a link.
const IN_ITEM_PART: Room = Room::at(4);
/// In a metric the data, and in that the point.
const IN_POINT: Room = Room::at(5);
const IN_EXEMPLAR: Room = Room::at(6);
