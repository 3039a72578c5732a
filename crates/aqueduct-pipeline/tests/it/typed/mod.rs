//! Items in types of one's own, encoded on the thread that pushes them.

mod any_size;
mod chunks;
mod encoders;
mod refused;
mod sampled;
mod threads;

use aqueduct_pipeline::{Encode, EncodingIntake, ItemSink, LaneConfig, LaneStatus, Pipeline, PipelineConfig};
use aqueduct_testkit::Oracle;
use aqueduct_wire::Signal;
use aqueduct_wire::encode::{AttributeSink, ChunkBuilder, ResourcePrefix, ScopePrefix, SpanSource, ValueRef};

use crate::scripted::{Scripted, assert_conserved, batches_of, destination};

/// A span that can be told from others, of about 50 bytes and `padding`.
#[derive(Debug, Clone, Copy)]
struct Numbered {
    number: u64,
    padding: usize,
}

/// A text of the longest padding.
const PADDING: &str = match str::from_utf8(&[b'x'; 4096]) {
    Ok(text) => text,
    Err(_) => "",
};

impl SpanSource for Numbered {
    fn trace_id(&self) -> [u8; 16] {
        u128::from(self.number + 1).to_be_bytes()
    }

    fn span_id(&self) -> [u8; 8] {
        (self.number + 1).to_be_bytes()
    }

    fn name(&self) -> &str {
        "numbered"
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        out.push("padding", ValueRef::Str(&PADDING[..self.padding]));
    }
}

fn numbered(number: u64) -> Numbered {
    Numbered { number, padding: 10 }
}

fn resource() -> ResourcePrefix {
    ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")))
}

fn scope() -> ScopePrefix {
    ScopePrefix::new("test", "1")
}

/// The way in for spans.
fn intake(pipeline: &Pipeline) -> EncodingIntake<impl Encode<Numbered> + use<>> {
    let scope = scope();
    pipeline.encoding_intake(resource(), move |span: &Numbered, out: &mut ItemSink<'_>| {
        out.push_span(&scope, span);
    })
}

/// Batches and chunks of this size, sealed by nothing else.
fn sized(items: u64, chunk_bytes: usize) -> PipelineConfig {
    let mut config = batches_of(items);
    config.chunk_bytes = chunk_bytes;
    config
}

fn build(exporter: &Scripted, config: PipelineConfig) -> Pipeline {
    build_with(exporter, config, LaneConfig::default())
}

fn build_with(exporter: &Scripted, config: PipelineConfig, lane: LaneConfig) -> Pipeline {
    let builder = Pipeline::builder(Signal::Traces).config(config);
    builder.destination(destination("test", exporter), lane).build().unwrap()
}

/// That exactly these spans were delivered, each once and whole.
#[track_caller]
fn assert_delivered(exporter: &Scripted, spans: impl IntoIterator<Item = Numbered>) {
    let mut builder = ChunkBuilder::new(Signal::Traces, resource());
    spans.into_iter().for_each(|span| builder.push_span(&scope(), &span));
    let mut oracle = Oracle::new();
    oracle.expect(Signal::Traces, builder.seal().bytes());
    exporter.log().delivered.iter().for_each(|request| oracle.receive(Signal::Traces, request));
    oracle.assert_exact();
}

/// At the end of a pipeline: everything was accounted for, nothing is left anywhere.
#[track_caller]
fn assert_over(lane: &LaneStatus) {
    assert_conserved(lane);
    assert_eq!((lane.held_items(), lane.encoding_items, lane.held_bytes), (0, 0, 0), "{lane:?}");
}
