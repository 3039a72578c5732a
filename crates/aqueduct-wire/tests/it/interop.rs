//! Chunks and the messages of opentelemetry-proto.

use crate::generate::Generator;
use aqueduct_wire::interop::{ConvertError, ExportRequest};
use aqueduct_wire::{Chunk, Limits, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;

fn round_trip<M: ExportRequest + PartialEq>(message: M) {
    let chunk = Chunk::from_message(&message);
    let validated = Chunk::validate(M::SIGNAL, chunk.bytes().clone(), &Limits::DEFAULT)
        .expect("what prost writes is valid");
    assert_eq!(validated, chunk);
    assert!(chunk.to_message::<M>().expect("what is valid decodes") == message);
}

/// There and back again, with the counts that the validator finds.
#[test]
fn messages_round_trip() {
    for seed in 0..50 {
        round_trip(Generator(seed).traces());
        round_trip(Generator(seed).metrics());
        round_trip(Generator(seed).logs());
    }
}

/// A chunk is not reinterpreted as another signal, and bytes that nobody checked are an error, not a panic.
#[test]
fn refusals() {
    let chunk = Chunk::from_valid(Signal::Traces, 0, Vec::new().into());
    let error = chunk.to_message::<ExportLogsServiceRequest>().unwrap_err();
    assert_eq!(error, ConvertError::Signal { expected: Signal::Logs, found: Signal::Traces });
    let broken = Chunk::from_valid(Signal::Logs, 0, vec![0xff].into());
    assert!(matches!(broken.to_message::<ExportLogsServiceRequest>(), Err(ConvertError::Decode(_))));
}
