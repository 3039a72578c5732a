//! Borrowed views: a request read where it lies.
//!
//! A view is a slice that knows which message it is. The way goes from the request ([`Traces`], [`Metrics`],
//! [`Logs`], and [`Profiles`] down to the scope) over resource and scope to the items and what is in them.
//! Making a view reads nothing; an accessor walks over the fields of its message, and a list is an iterator
//! that finds one element after the other. All views are `Copy` and borrow from the bytes, not from each
//! other.
//!
//! ```
//! use aqueduct_wire::{Chunk, Limits, Signal, view::Value};
//! use bytes::Bytes;
//!
//! # let request = Bytes::from_static(b"\x0a\x22\x12\x20\x12\x1e\x1a\x04INFO\x2a\x06\x0a\x04paid\x32\x0e\x0a\x08order.id\x12\x02\x18\x07");
//! let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
//! let logs = chunk.logs().expect("a chunk of logs");
//! for record in logs.resource_logs() {
//!     for scope in record.scope_logs() {
//!         for log in scope.log_records() {
//!             assert_eq!(log.severity_text(), "INFO");
//!             assert!(matches!(log.body(), Some(Value::Str(text)) if text == "paid"));
//!             let order = log.attributes().find("order.id");
//!             assert!(matches!(order, Some(Value::Int(7))));
//!         }
//!     }
//! }
//! # Ok::<(), aqueduct_wire::Invalid>(())
//! ```
//!
//! # Validated bytes, and others
//!
//! Views are made for bytes that [`validate`](crate::validate) accepted, such as those of a [`Chunk`]. Of
//! these they show what a decoder of protobuf shows: the last value of a field counts; a message that occurs
//! several times where one is expected is merged; of a `oneof` the last alternative counts; lists of numbers
//! are packed or not; fields are in any order; what is unknown is stepped over. Of other bytes nothing
//! panics, and what cannot be read is missing: an iteration ends early, a field has its default, a string
//! that is no UTF-8 is empty.
//!
//! # One field or all
//!
//! Since the last value counts, an accessor of a single field has to walk over all fields of its message,
//! 2 to 3 ns each. Messages with several plain fields therefore also have `fields()`, which reads all of
//! them in one pass. Reading them when the view is made was the alternative: it would be paid by those too
//! who want an item's attributes only, or its bytes.
//!
//! # Passing on
//!
//! Every view gives its message's content as it came, unknown fields included: `bytes()` where it is in a
//! list, and otherwise `body()`, because a message outside of a list may come in several pieces.
//!
//! # Allocation
//!
//! None.
//!
//! [`Chunk`]: crate::Chunk

mod attributes;
mod body;
mod fields;
mod kinds;
mod list;
mod log_record;
mod metric;
mod point;
mod record;
mod request;
mod resource;
mod span;
mod text;
mod value;

pub use attributes::{Attributes, KeyValue};
pub use body::{Body, Pieces};
pub use kinds::{AggregationTemporality, Severity, SeverityNumber, SpanKind, StatusCode};
pub use list::{Counts, Doubles};
pub use log_record::{LogRecord, LogRecordFields};
pub use metric::{ExponentialHistogram, Gauge, Histogram, Metric, MetricData, MetricFields, Sum, Summary};
pub use point::{
    Buckets, Exemplar, ExemplarFields, ExponentialHistogramPoint, ExponentialHistogramPointFields,
    HistogramPoint, HistogramPointFields, Number, NumberPoint, NumberPointFields, Quantile, SummaryPoint,
    SummaryPointFields,
};
pub use record::{Element, Repeated};
pub use request::{
    Logs, Metrics, Profiles, ResourceLogs, ResourceMetrics, ResourceProfiles, ResourceSpans, ScopeLogs,
    ScopeMetrics, ScopeProfiles, ScopeSpans, Traces,
};
pub use resource::{EntityRef, Resource, Scope};
pub use span::{Event, EventFields, Link, LinkFields, Span, SpanFields, Status};
pub use text::Text;
pub use value::{Array, KvList, Value};
