//! What the fuzz targets share.

use aqueduct_wire::Signal;

/// The first byte says which signal, the others are the request.
pub fn request(data: &[u8]) -> Option<(Signal, &[u8])> {
    let (first, request) = data.split_first()?;
    Some((Signal::ALL[usize::from(*first) % Signal::ALL.len()], request))
}
