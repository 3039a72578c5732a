//! Batches that a destination finds too large: what fits is delivered in parts, what does not is dropped and counted.

mod any_request;
mod learnt;
mod our_own;
mod parts;
mod settled;
mod undivided;

use aqueduct_wire::encode::{AttributeSink, ChunkBuilder, ResourcePrefix, ScopePrefix, SpanSource, ValueRef};
use aqueduct_wire::{Chunk, Signal, filter};

/// A span that is recognised by its id.
struct Span(u64, usize);

impl SpanSource for Span {
    fn trace_id(&self) -> [u8; 16] {
        [1; 16]
    }

    fn span_id(&self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    fn name(&self) -> &str {
        "span"
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        out.push("content", ValueRef::Bytes(&vec![7; self.1]));
    }
}

/// Spans with the ids from `first` on, of about these sizes.
fn spans(first: u64, sizes: &[usize]) -> Chunk {
    spans_of("shop", first, sizes)
}

/// The same, of a resource with this name.
fn spans_of(service: &str, first: u64, sizes: &[usize]) -> Chunk {
    let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str(service)));
    let mut builder = ChunkBuilder::new(Signal::Traces, resource);
    for (id, size) in (first..).zip(sizes) {
        builder.push_span(&ScopePrefix::new("scope", "1"), &Span(id, *size));
    }
    builder.seal()
}

/// The span ids in these requests, sorted, each of which is valid.
fn ids(requests: &[Vec<u8>]) -> Vec<u64> {
    let mut ids = Vec::new();
    for request in requests {
        let chunk = Chunk::validate(Signal::Traces, request.clone().into(), &Default::default()).unwrap();
        filter(&chunk, |span| {
            ids.push(u64::from_be_bytes(*span.span_id().unwrap()));
            true
        })
        .unwrap();
    }
    ids.sort_unstable();
    ids
}
