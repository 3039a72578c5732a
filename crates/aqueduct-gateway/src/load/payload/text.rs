//! The template as OTLP/JSON, where identities are fixed-width hexadecimal or decimal text and can be patched in place too.

use super::content::{BEGUN, ENDED};
use super::{Field, Fields, TemplateError};
use crate::ids::ItemId;
use aqueduct::wire::{Signal, json};

/// Rewrites the protobuf template as JSON and finds the identities and times in it again.
pub(super) fn to_json(
    signal: Signal,
    protobuf: &[u8],
    producer: u32,
    items: usize,
) -> Result<(Vec<u8>, Vec<Fields>), TemplateError> {
    let text =
        json::from_protobuf(signal, protobuf).map_err(|error| TemplateError::Json(error.to_string()))?;
    let mut fields = vec![Fields::default(); items];
    // What comes in every item comes in the order of the items; within an item any order will do.
    let times = |time: u64| text.match_indices(&time.to_string()).map(|(at, _)| at).collect::<Vec<_>>();
    let (begun, ended) = (times(BEGUN), times(ENDED));
    let has_end = signal != Signal::Metrics;
    if begun.len() != items || ended.len() != if has_end { items } else { 0 } {
        return Err(TemplateError::Hidden("time"));
    }
    let mut from = 0;
    for (index, item) in fields.iter_mut().enumerate() {
        let id = ItemId { producer, sequence: index as u64 };
        let find = |needle: &str, what| {
            text[from..].find(needle).map(|at| at + from).ok_or(TemplateError::Hidden(what))
        };
        if signal == Signal::Metrics {
            item.identity = find(&id.to_point().1.to_string(), "value")?;
        } else {
            item.identity = find(&hex(&id.to_trace_id()), "trace id")?;
            item.span_id = Some(find(&hex(&id.span_id()), "span id")?);
        }
        from = item.identity;
        item.start = begun[index];
        item.end = has_end.then(|| ended[index]);
    }
    Ok((text.into_bytes(), fields))
}

/// Patches one item of a JSON template.
pub(super) fn put(buffer: &mut [u8], field: Field, at: &Fields) {
    match field {
        Field::Identity(id, Signal::Metrics) => put_decimal(buffer, at.identity, id.to_point().1 as u64),
        Field::Identity(id, _) => {
            put_hex(buffer, at.identity, &id.to_trace_id());
            if let Some(span_id) = at.span_id {
                put_hex(buffer, span_id, &id.span_id());
            }
        }
        Field::Times { start, end } => {
            put_decimal(buffer, at.start, start);
            if let Some(at) = at.end {
                put_decimal(buffer, at, end);
            }
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn put_hex(buffer: &mut [u8], at: usize, bytes: &[u8]) {
    for (pair, byte) in buffer[at..].chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xF)];
    }
}

/// Writes 19 digits, which any time until 2286 and any identity value has.
fn put_decimal(buffer: &mut [u8], at: usize, mut value: u64) {
    for place in buffer[at..at + 19].iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}
