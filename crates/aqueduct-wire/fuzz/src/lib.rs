//! What the fuzz targets share.

use aqueduct_wire::{Chunk, Limits, Merged, Signal, validate};
use bytes::Bytes;

/// The first byte says which signal, the others are the request.
pub fn request(data: &[u8]) -> Option<(Signal, &[u8])> {
    let (first, request) = data.split_first()?;
    Some((Signal::ALL[usize::from(*first) % Signal::ALL.len()], request))
}

/// A request, if it is valid.
pub fn valid(data: &[u8]) -> Option<Chunk> {
    let (signal, request) = request(data)?;
    Chunk::validate(signal, Bytes::copy_from_slice(request), &Limits::NONE).ok()
}

/// The items of what an operation made of a request, which must be valid.
pub fn items_of(chunk: &Chunk, made: &Merged) -> u64 {
    validate(chunk.signal(), &made.to_bytes(), &Limits::NONE).expect("what is made of valid is valid").items
}
