//! OTLP as bytes: validate, read, write, merge, split, filter and edit requests without building an object tree.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport   aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec  [aqueduct-wire]  aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! Whoever passes telemetry on usually decodes it into structs, puts the structs into a batch, and encodes
//! them again: hundreds of allocations for a span that nobody looks into. But OTLP bytes compose. An
//! `Export*ServiceRequest` is a list of records, and in protobuf the concatenation of two requests *is*
//! their merge. So a request can be batched as it came, if two things are known of it: that it is valid,
//! because one client's broken bytes would spoil the whole batch, and how many items it holds. Both take
//! one pass over the bytes, at about a thirtieth of the cost of decoding them.
//!
//! # Example
//!
//! ```
//! use aqueduct_wire::{Chunk, Limits, Merger, Signal};
//! use bytes::Bytes;
//!
//! // A request with one log record whose severity text is "INFO".
//! let request = Bytes::from_static(b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO");
//!
//! let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
//! assert_eq!(chunk.items(), 1);
//!
//! let mut batch = Merger::new(Signal::Logs);
//! batch.push(chunk.clone());
//! batch.push(chunk);
//! let batch = batch.finish();
//! assert_eq!((batch.items(), batch.len()), (2, 24));
//!
//! let broken = Bytes::from_static(b"\x0a\x04\x12\x02\x12\x09");
//! let error = Chunk::validate(Signal::Logs, broken, &Limits::default());
//! assert_eq!(
//!     error.unwrap_err().to_string(),
//!     "length beyond the end of its message at byte 5 in resource_logs.scope_logs.log_records",
//! );
//! # Ok::<(), aqueduct_wire::Invalid>(())
//! ```
//!
//! # Concepts
//!
//! - A [`Chunk`] is the body of a request, valid and counted. Items are spans, data points or log records,
//!   as [`Signal`] says.
//! - [`validate`] looks at every field, [`scan`] only counts. What is wrong is an [`Invalid`], with the
//!   kind, the place in the bytes and the names of the fields around it.
//! - [`Merger`] makes one [`Merged`] request of many chunks: small ones are copied into slabs, large ones
//!   kept by reference. A merged request is a list of pieces that are sent one after the other, and cloning
//!   it for a retry costs a reference count.
//! - [`view`] reads a request where it lies: resources, scopes, items, and everything in them, without decoding
//!   it into structs.
//! - [`split`], [`filter`], [`fold`], [`group_by`] and [`edit`] make requests of a request: what they do not
//!   touch stays as it is encoded, in large stretches as slices of the same memory, and only the envelopes
//!   around what they touch are written anew. An envelope is everything of a message but the messages on the
//!   way to the items. Together the results hold exactly the items of the request, as far as none is asked to
//!   be left out.
//! - [`take_apart`] shows items with what is around them, and [`put_together`] makes requests of them later.
//! - [`edit`] inserts, updates, deletes and hashes attributes of resources, scopes, items, and of events, links and exemplars,
//!   and changes members of trace states.
//! - [`encode`] writes spans, log records and metrics that are lent to it straight to bytes; its `ChunkBuilder` seals them into
//!   chunks.
//! - [`grpc`] is the framing of gRPC and the encodings of its trailers; [`rpc`] the messages around the
//!   data: export responses with partial success, `google.rpc.Status` with `RetryInfo`, health checks.
//!   Neither does I/O. [`base64`] is what both, and HTTP's credentials, are written in where bytes have to be text.
//! - [`stream`] cuts a request that arrives in pieces into chunks of whole records, before its end is there.
//! - `json` (feature) reads and writes OTLP/JSON; `interop` (feature `prost`) converts chunks from and to
//!   the messages of opentelemetry-proto.
//!
//! # Guarantees
//!
//! - **Verdict**: what [`validate`] accepts, prost's decoder of opentelemetry-proto accepts; what it
//!   refuses, prost refuses too, or it breaks one of the stricter rules that [`validate`] lists. Tests
//!   compare the two on generated and on broken requests.
//! - **Bytes**: nothing is changed that an operation is not asked to change. Unknown fields and odd but legal
//!   encodings pass through as they came. The order of fields does too, except that an envelope which is
//!   repeated or shared has its fields before the messages in it.
//! - **Order**: a merged request holds its chunks in the order in which they were pushed; what the operations
//!   say of the order of items is with each.
//! - **Allocation**: none in [`view`], and none in [`scan`] and [`validate`] unless the request is refused; one buffer per 64 KiB
//!   copied in [`Merger`]; in the operations one buffer for what is copied and the lists that each of them
//!   documents; none for an item in [`encode`], once its buffers have grown.
//! - **Overload**: no input makes this crate panic or recurse more than a dozen levels in the validator. Depth, items, envelopes, attributes and lengths
//!   are bounded by [`Limits`] and [`MESSAGE_DEPTH`]. Reading and validating allocate nothing to speak of; JSON, merging and streams a small multiple of the input.
//!   The operations keep some 25 to 220 bytes for each record, item or group they have to remember, or message that they write anew (200 for each different
//!   resource), which is much beside one of two bytes and little beside real ones; [`Limits`] bound them. [`split`] and [`group_by`] repeat envelopes as often
//!   as their results need them: long ones as shared pieces, of short ones less than 16 KiB for each level are copied. [`group_by_at_most`] bounds the results.
//! - No unsafe code.
//!
//! # Limitations
//!
//! - Profiles are known to the views only, down to the scope; their protocol is still under development.
//! - Ids of zeros, which the protocol calls invalid, are let pass: they harm nobody else's data.
//! - Counts are of what decoders keep: of a metric that holds two kinds of data, only the last one counts.
//! - JSON is read by a recursive tokenizer that stops at 128 levels of nesting, about 40 levels of arrays
//!   as values; a thread that reads it wants 512 KiB of stack in a debug build. An error in JSON has a line
//!   and a column, but no path.
//!
//! # When not to use this crate
//!
//! To change spans at will, as structs, decode with opentelemetry-proto. To send spans from
//! an application, use an exporter. To check protobuf in general, this is the wrong place: the tables are
//! those of OTLP.
//!
//! # Features
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `json` | no | the module `json`, on serde_json |
//! | `hash` | no | `edit::Edit::with_hash`: the hash of an attribute in the place of its value, on sha2 |
//! | `pool` | no | `Merger::with_pool` and `ChunkBuilder::with_pool`: memory from a `BufferPool` of aqueduct-pool |
//! | `stream` | no | `stream::StreamRecords`, on futures-core |
//! | `prost` | no | the module `interop`, on prost and opentelemetry-proto |

mod apart;
pub mod base64;
mod chunk;
mod cursor;
pub mod edit;
pub mod encode;
mod error;
mod fields;
mod filter;
mod fold;
mod group;
pub mod grpc;
#[cfg(feature = "prost")]
pub mod interop;
mod item;
#[cfg(feature = "json")]
pub mod json;
mod limits;
mod merge;
mod path;
mod rope;
pub mod rpc;
mod scan;
mod schema;
mod signal;
mod split;
pub mod stream;
mod utf8;
mod validate;
mod varint;
pub mod view;

pub use apart::{Envelope, put_together, take_apart};
pub use chunk::Chunk;
pub use cursor::MESSAGE_DEPTH;
pub use error::{Exceeded, Invalid, InvalidKind};
pub use filter::{Filtered, filter};
pub use fold::{fold, fold_scopes};
pub use group::{Groups, group_by, group_by_at_most};
pub use item::{Item, ItemMetric, MetricKind};
pub use limits::Limits;
pub use merge::{Merged, Merger};
pub use scan::scan;
pub use signal::{Signal, UnknownSignal};
pub use split::{Split, TooLarge, split};
pub use validate::{Summary, validate};
