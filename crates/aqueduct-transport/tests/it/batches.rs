//! Batches to send.

use aqueduct_transport::{Client, ClientConfig, Failure, Outcome, Protocol};
use aqueduct_wire::{Chunk, Merged, Merger, Signal};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

/// A batch of these pieces, each of which stays one. What is in it matters to no one here but the peer.
pub(crate) fn of(pieces: impl IntoIterator<Item = Vec<u8>>) -> Merged {
    let mut merger = Merger::new(Signal::Traces).with_copy_below(0);
    for piece in pieces {
        merger.push(Chunk::from_valid(Signal::Traces, 1, Bytes::from(piece)));
    }
    merger.finish()
}

/// A small batch with this content.
pub(crate) fn small(content: impl Into<Vec<u8>>) -> Merged {
    of([content.into()])
}

/// Bytes that compress by about half: letters out of eight, from a generator with this seed.
pub(crate) fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'a' + (state >> 40) as u8 % 8
    };
    (0..len).map(|_| next()).collect()
}

/// Settings for a peer of a test: short enough that a hang is a failure, not a wait.
pub(crate) fn config(peer: SocketAddr, protocol: Protocol) -> ClientConfig {
    let mut config = ClientConfig::new(format!("http://{peer}"), protocol);
    config.timeout = Duration::from_secs(20);
    config
}

/// A client for a peer of a test.
pub(crate) fn client(peer: SocketAddr, protocol: Protocol) -> Client {
    Client::new(config(peer, protocol)).expect("valid")
}

/// The failure of an outcome that must be one to be retried.
#[track_caller]
pub(crate) fn retry(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Retry { failure, .. } => failure,
        other => panic!("not to be retried: {other:?}"),
    }
}

/// The failure of an outcome that must be a permanent one.
#[track_caller]
pub(crate) fn permanent(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Permanent(failure) => failure,
        other => panic!("not permanent: {other:?}"),
    }
}
